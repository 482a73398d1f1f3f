"""A notice on the small channels: what an SMS, a push, a pop-up, a call and the call centre's script hold. Pure values.

Each is for everybody in one language. Where a person's own words go stands the mark of a slot (`render.SLOT_NAMES`);
`filled` puts one person's values in, once, escaped for where they go. What is frozen and signed are the marks.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from html import escape
from typing import Any

from incident.notice.graphemes import shorten
from incident.notice.render import CHILD_NAME, CODE, DATA_TYPES_OF_PERSON, PERSON_NAME
from incident.notice.voice import spelled
from notifiers.email.message import NOT_IN_A_LINE, SLOT

LONGEST_NAME = 40
"""Graphemes of a name in an SMS or a call: what a list has in the column of names can be of any length, each segment
costs, and nobody listens for minutes to learn whom a call is for."""

# Direction overrides would turn round what stands after them; noncharacters are our marks, and stand for no text.
_UNSEEN = {
    code: None
    for code in (*range(0x202A, 0x202F), *range(0x2066, 0x206A), *range(0xFDD0, 0xFDF0), 0xFFFE, 0xFFFF)
}

PersonValues = Mapping[str, str]
"""One person's values by the names of `render.SLOT_NAMES`."""

FIRST_STEP = "first_step"
"""The slot of the one thing to do. It follows from a person's kinds of information, so no value is given for it."""


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
class Step:
    """A thing to do, in one sentence. `kinds` are the kinds of information that it is for; none: it is for everybody.

    `labelled` says for which kinds it is, where it stands for somebody whom it does not concern for certain.
    """

    kinds: tuple[str, ...]
    text: str
    labelled: str

    def is_for(self, kinds: Sequence[str]) -> bool:
        return not self.kinds or not set(self.kinds).isdisjoint(kinds)


@dataclass(frozen=True)
class Sms:
    """The whole text of an SMS, one line."""

    text: str
    steps: tuple[Step, ...] = ()

    def filled(self, values: PersonValues) -> Sms:
        return Sms(fill(self.text, {**_with_step(values, self.steps), PERSON_NAME: _short_name(values)}))

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
            self, paragraphs=tuple(replace(each, text=fill(each.text, values)) for each in self.paragraphs)
        )

    def texts(self) -> tuple[str, ...]:
        return (
            self.title,
            *(each.text for each in self.paragraphs),
            *(button.label for button in self.buttons),
        )


@dataclass(frozen=True)
class VoiceScript:
    """A call by machine, in the parts of a dialogue: plain text, one short sentence a line.

    `greeting` is said to whoever picks up, `text` to who says that they are the person; where keys lead is in `CALL_KEYS`.
    Without a key after either, `not_heard` is said; `machine` is left where a machine took the call. Only `greeting` and
    `text` may name the person, and only `text` says what is theirs.

    `twiml` is what a version held besides that was frozen when a call was one text for whoever picks up; it is kept
    because it is hashed with it. Such a version has no other parts.
    """

    text: str
    greeting: str = ""
    not_heard: str = ""
    machine: str = ""
    thanks: str = ""
    wrong_person: str = ""
    steps: tuple[Step, ...] = ()
    twiml: str = ""

    @property
    def can_be_asked(self) -> bool:
        """Whether it asks who has picked up before it says anything of theirs; if not, no machine may call with it."""
        return bool(self.greeting)

    def filled(self, values: PersonValues) -> VoiceScript:
        spoken = {
            **_with_step(values, self.steps),
            PERSON_NAME: _short_name(values),
            CODE: spelled(values[CODE]),
        }
        return replace(
            self, text=fill(self.text, spoken), greeting=fill(self.greeting, spoken), steps=(), twiml=""
        )

    def texts(self) -> tuple[str, ...]:
        parts = (self.greeting, self.text, self.not_heard, self.machine, self.thanks, self.wrong_person)
        return tuple(part for part in parts if part)


PARTS_FOR_ANYBODY = ("greeting", "not_heard", "machine", "thanks", "wrong_person")
"""The parts of a call in which nothing of a person's own is said, since others may hear them."""

CALL_KEYS: Mapping[str, Mapping[str, str]] = {
    "greeting": {"1": "text", "2": "wrong_person"},
    "text": {"1": "thanks", "2": "text"},
}
"""Where each key leads after a part of a call; only 1 after the text says that the person has heard it."""

WITHOUT_A_KEY = "not_heard"
"""The part that is said where a key was asked for and none came."""


@dataclass(frozen=True)
class CallScript:
    """What an agent of the call centre says, answers and never asks; plain text."""

    text: str
    steps: tuple[Step, ...] = ()

    def filled(self, values: PersonValues) -> CallScript:
        return CallScript(fill(self.text, _with_step(values, self.steps)))

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
        plain = json.dumps({channel.value: _as_plain(rendering) for channel, rendering in self.there()})
        document: dict[str, Any] = json.loads(plain)
        return document

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Renderings:
        """The renderings that `as_document` gave."""
        made: dict[str, Rendering] = {}
        for name, kind in _WITH_STEPS.items():
            if name in document:
                fields = dict(document[name])
                steps = tuple(
                    Step(tuple(each["kinds"]), each["text"], each["labelled"]) for each in fields.pop("steps")
                )
                made[name] = kind(**fields, steps=steps)
        if "push" in document:
            made["push"] = Push(**document["push"])
        if "in_app" in document:
            shown = document["in_app"]
            made["in_app"] = InApp(
                shown["title"],
                tuple(Paragraph(**each) for each in shown["paragraphs"]),
                tuple(Button(ButtonKey(each["key"]), each["label"]) for each in shown["buttons"]),
            )
        return cls(**made)  # type: ignore[arg-type]  # each name has its own class, from the table or above


_WITH_STEPS: Mapping[str, type[Sms | VoiceScript | CallScript]] = {
    "sms": Sms,
    "voice": VoiceScript,
    "call_centre": CallScript,
}


def _as_plain(rendering: Rendering) -> dict[str, Any]:
    plain = asdict(rendering)
    if not isinstance(rendering, VoiceScript):
        return plain
    # Left out where there is none, so that a call that was frozen before there were parts keeps its hash.
    return {name: part for name, part in plain.items() if part or name in ("text", "steps")}


def person_values(*, name: str, data_types: str, code: str, child: str = "") -> PersonValues:
    """One person's values for the slots; `child` is whom a message to a guardian is about."""
    return {PERSON_NAME: name, DATA_TYPES_OF_PERSON: data_types, CODE: code, CHILD_NAME: child}


def one_line(text: str) -> str:
    """A text in one line, without controls, direction overrides and what stands for no text."""
    return " ".join(NOT_IN_A_LINE.sub(" ", text).translate(_UNSEEN).split())


def fill(text: str, values: PersonValues, *, markup: bool = False) -> str:
    """A text with one person's values in its slots, each one line; escaped where it is HTML or XML.

    A value is put in once and never searched, so that one that looks like a slot stays what it is.
    """

    def value(name: str) -> str:
        line = one_line(values[name])
        return escape(line) if markup else line

    return SLOT.sub(lambda found: value(found[1]), text)


def first_step(steps: Sequence[Step], kinds: Sequence[str]) -> str:
    """The first thing to do for who has these kinds of information; "" where the notice names none.

    Where none is for these kinds it is the very first, with the kinds that it is for.
    """
    fitting = next((step.text for step in steps if step.is_for(kinds)), None)
    return fitting if fitting is not None else steps[0].labelled if steps else ""


def _short_name(values: PersonValues) -> str:
    # An ellipsis would force UCS-2, and double the cost of an SMS.
    return shorten(one_line(values[PERSON_NAME]), LONGEST_NAME, ending="...")


def _with_step(values: PersonValues, steps: Sequence[Step]) -> PersonValues:
    known = {kind for step in steps for kind in step.kinds}
    named = _among(values[DATA_TYPES_OF_PERSON], known)
    return {**values, FIRST_STEP: first_step(steps, named)}


def _among(listed: str, known: Iterable[str]) -> list[str]:
    """Which of the known kinds a list in a sentence names: as whole entries, between what separates them."""
    return [kind for kind in known if re.search(rf"(?:^|[,、،] ?){re.escape(kind)}(?:$|[,、،])", listed)]
