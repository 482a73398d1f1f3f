"""A notice on the small channels: what an SMS, a push, a pop-up, a call and the call centre's script hold. Pure values.

Each is for everybody in one language. Where a person's own words go stands the mark of a slot (`render.SLOT_NAMES`);
`filled` puts one person's values in, once, escaped for where they go. What is frozen and signed are the marks.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from html import escape
from typing import Any

from incident.notice.graphemes import shorten
from incident.notice.render import CODE, DATA_TYPES_OF_PERSON, PERSON_NAME
from incident.notice.voice import spelled
from notifiers.email.message import NOT_IN_A_LINE, SLOT

LONGEST_NAME = 40
"""Graphemes of a name in an SMS: what a list has in the column of names can be of any length, and each segment costs."""

# Direction overrides would turn round what stands after them; noncharacters are our marks, and stand for no text.
_UNSEEN = {
    code: None
    for code in (*range(0x202A, 0x202F), *range(0x2066, 0x206A), *range(0xFDD0, 0xFDF0), 0xFFFE, 0xFFFF)
}

PersonValues = Mapping[str, str]
"""One person's values by the names of `render.SLOT_NAMES`."""


class SmallChannel(StrEnum):
    """The channels that a notice is rendered for beside e-mail, letter and public page."""

    SMS = "sms"
    PUSH = "push"
    IN_APP = "in_app"
    VOICE = "voice"
    CALL_CENTRE = "call_centre"


class ButtonKey(StrEnum):
    """What a button of the pop-up does; the app knows how."""

    UNDERSTOOD = "understood"
    CALL = "call"


@dataclass(frozen=True)
class Sms:
    """The whole text of an SMS, one line."""

    text: str

    def filled(self, values: PersonValues) -> Sms:
        # An ellipsis would force UCS-2, and double the cost.
        name = shorten(one_line(values[PERSON_NAME]), LONGEST_NAME, ending="...")
        return Sms(_filled(self.text, {**values, PERSON_NAME: name}))

    def texts(self) -> tuple[str, ...]:
        return (self.text,)


@dataclass(frozen=True)
class Push:
    """A notification for a locked screen that anybody may see: it says nothing of its reader, and has no slots."""

    title: str
    body: str

    def filled(self, values: PersonValues) -> Push:
        return self

    def texts(self) -> tuple[str, ...]:
        return (self.title, self.body)


@dataclass(frozen=True)
class Paragraph:
    """One paragraph of the pop-up, or the heading above the next ones."""

    text: str
    heading: bool = False


@dataclass(frozen=True)
class Button:
    key: ButtonKey
    label: str


@dataclass(frozen=True)
class InApp:
    """The pop-up behind the usual sign-in. It has room for the whole notice, and needs no other place."""

    title: str
    paragraphs: tuple[Paragraph, ...]
    buttons: tuple[Button, ...]

    def filled(self, values: PersonValues) -> InApp:
        return replace(
            self, paragraphs=tuple(replace(each, text=_filled(each.text, values)) for each in self.paragraphs)
        )

    def texts(self) -> tuple[str, ...]:
        return (
            self.title,
            *(each.text for each in self.paragraphs),
            *(button.label for button in self.buttons),
        )


@dataclass(frozen=True)
class VoiceScript:
    """A call: `text` as it is spoken, one sentence a line, and the same as TwiML.

    A key repeats it: `Gather` without an address asks for the same document again.
    """

    text: str
    twiml: str

    def filled(self, values: PersonValues) -> VoiceScript:
        spoken = {**values, CODE: spelled(values[CODE])}
        return VoiceScript(_filled(self.text, spoken), _filled(self.twiml, spoken, markup=True))

    def texts(self) -> tuple[str, ...]:
        return (self.text,)


@dataclass(frozen=True)
class CallScript:
    """What an agent of the call centre says, answers and never asks; plain text."""

    text: str

    def filled(self, values: PersonValues) -> CallScript:
        return CallScript(_filled(self.text, values))

    def texts(self) -> tuple[str, ...]:
        return (self.text,)


Rendering = Sms | Push | InApp | VoiceScript | CallScript


@dataclass(frozen=True)
class Renderings:
    """The small channels of one language. None: this language has no template for that channel."""

    sms: Sms | None = None
    push: Push | None = None
    in_app: InApp | None = None
    voice: VoiceScript | None = None
    call_centre: CallScript | None = None

    def of(self, channel: SmallChannel) -> Rendering | None:
        rendering: Rendering | None = getattr(self, channel.value)
        return rendering

    def there(self) -> Iterator[tuple[SmallChannel, Rendering]]:
        """Each channel that there is a rendering for."""
        for channel in SmallChannel:
            if (rendering := self.of(channel)) is not None:
                yield channel, rendering

    def as_document(self) -> dict[str, Any]:
        """Plain data, to be hashed and sealed; a channel without a rendering is left out."""
        return {channel.value: _plain(asdict(rendering)) for channel, rendering in self.there()}

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Renderings:
        """The renderings that `as_document` gave."""
        made: dict[str, Rendering] = {}
        for name, kind in _SIMPLE.items():
            if name in document:
                made[name] = kind(**document[name])
        if "in_app" in document:
            shown = document["in_app"]
            made["in_app"] = InApp(
                shown["title"],
                tuple(Paragraph(**each) for each in shown["paragraphs"]),
                tuple(Button(ButtonKey(each["key"]), each["label"]) for each in shown["buttons"]),
            )
        return cls(**made)  # type: ignore[arg-type]  # each name has its own class, from the table or above


_SIMPLE: Mapping[str, type[Sms | Push | VoiceScript | CallScript]] = {
    "sms": Sms,
    "push": Push,
    "voice": VoiceScript,
    "call_centre": CallScript,
}


def person_values(*, name: str, data_types: str, code: str) -> PersonValues:
    """One person's values for the slots."""
    return {PERSON_NAME: name, DATA_TYPES_OF_PERSON: data_types, CODE: code}


def one_line(text: str) -> str:
    """A text in one line, without controls, direction overrides and what stands for no text."""
    return " ".join(NOT_IN_A_LINE.sub(" ", text).translate(_UNSEEN).split())


def _filled(text: str, values: PersonValues, *, markup: bool = False) -> str:
    def value(name: str) -> str:
        line = one_line(values[name])
        return escape(line) if markup else line

    return SLOT.sub(lambda found: value(found[1]), text)


def _plain(document: dict[str, Any]) -> dict[str, Any]:
    if "paragraphs" in document:
        document["paragraphs"] = [dict(each) for each in document["paragraphs"]]
        document["buttons"] = [
            {"key": str(each["key"]), "label": each["label"]} for each in document["buttons"]
        ]
    return document
