"""A notice for the small channels, from `notice/<language>/<channel>.*.txt.j2`. Pure but for templates.

All of it is drawn from the content, so nothing is claimed that the content lacks. What is personal never enters here:
the marks of slots stand in its place.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from incident.errors import BadInput
from incident.notice.channels import (
    FIRST_STEP,
    PARTS_FOR_ANYBODY,
    Button,
    ButtonKey,
    CallScript,
    InApp,
    Paragraph,
    Push,
    Renderings,
    Sms,
    Step,
    VoiceScript,
    one_line,
)
from incident.notice.content import NoticeContent
from incident.notice.graphemes import shorten
from incident.notice.render import (
    CODE,
    DATA_TYPES_OF_PERSON,
    PERSON_NAME,
    SLOT_NAMES,
    refuse_lost_sections,
    refuse_marks,
)
from incident.notice.templates import has_template, render_template
from incident.notice.voice import spelled
from notifiers.email.message import SLOT, slot

LONGEST_PUSH_TITLE = 40
LONGEST_PUSH_BODY = 150
"""Graphemes; phones cut what is longer. A title is shortened, a body never: it says where to read on."""

HEADING = "\ufdd2"
"""Begins a line of the pop-up's template that is a heading. A noncharacter, so no text of ours begins with it."""

_SENTENCE_END = re.compile(r"(?<=[。！？])|(?<=[.!?])\s+")
_LONGEST_CLAUSE = 120  # places; an ideograph takes three, as it says as much
_BUTTON = re.compile(r"([a-z_]+): (.+)")


@dataclass(frozen=True)
class InShort:
    """What small channels say of a content, each one line; "" where the content has nothing of it.

    `happened` is the first sentence of what happened, where it is short enough to stand in a message. `step` is the
    mark of the first thing to do, which differs by person; `steps` are those to choose from. `ways` lead to the full
    text without a link.
    """

    happened: str
    step: str
    steps: tuple[Step, ...]
    phone: str
    website: str

    @property
    def ways(self) -> tuple[str, ...]:
        return tuple(way for way in (self.website, self.phone) if way)


def in_short(content: NoticeContent) -> InShort:
    """The parts of a content that small channels hold."""
    happened = first_sentence((content.what_happened or ("",))[0])
    contact, steps = content.contact, _steps(content)
    return InShort(
        happened=happened if _places(happened) <= _LONGEST_CLAUSE else "",
        step=slot(FIRST_STEP) if steps else "",
        steps=steps,
        phone=one_line(contact.phone) if contact else "",
        website=one_line(contact.website) if contact else "",
    )


def _steps(content: NoticeContent) -> tuple[Step, ...]:
    """Each thing to do in its first sentence. A label before a colon that names kinds of information is taken off."""
    steps = []
    for line in map(one_line, content.steps_for_person or ()):
        label, _, rest = line.replace("：", ":", 1).partition(":")
        kinds = _kinds_in(label, content.data_types or ())
        text = first_sentence(rest if kinds else line)
        if text:
            steps.append(Step(kinds, text, first_sentence(line)))
    return tuple(steps)


def _kinds_in(label: str, data_types: Sequence[str]) -> tuple[str, ...]:
    """The kinds that a label consists of; none where it says anything else."""
    rest, found = label.casefold(), []
    # The longest first: "account name" is no "name".
    for kind in sorted(data_types, key=len, reverse=True):
        if kind.casefold() in rest:
            rest = rest.replace(kind.casefold(), "", 1)
            found.append(kind)
    return tuple(kind for kind in data_types if kind in found) if not rest.strip(" ,、،") else ()


def first_sentence(text: str) -> str:
    """The first sentence of a text, as one line."""
    parts = (one_line(part) for part in _SENTENCE_END.split(text))
    return next((part for part in parts if part), "")


def render_small(content: NoticeContent, *, templates: Sequence[Path]) -> Renderings:
    """The small channels that the content's language has templates for.

    Raises `BadInput` when the content holds marks of its own, or a template loses a slot, has one where nothing personal
    may stand, or names a button that no app knows. It does not check that the content is complete; the gate does.
    """
    refuse_marks(content)
    return _Small(content, templates).renderings()


class _Small:
    """One rendering of one content."""

    def __init__(self, content: NoticeContent, templates: Sequence[Path]) -> None:
        self.content = content
        self.templates = templates
        self.steps = (short := in_short(content)).steps
        self.values: dict[str, Any] = {
            "content": content,
            "slots": {name: slot(name) for name in SLOT_NAMES},
            "organisation": one_line(content.contact.organisation) if content.contact else "",
            "short": short,
            "spoken_phone": spelled(short.phone),
            "heading": HEADING,
        }

    def renderings(self) -> Renderings:
        return Renderings(
            sms=self._sms() if self._has("sms") else None,
            push=self._push() if self._has("push.title", "push.body") else None,
            in_app=self._in_app() if self._has("in_app", "in_app.buttons") else None,
            voice=self._voice()
            if self._has("voice", *(f"voice.{part}" for part in PARTS_FOR_ANYBODY))
            else None,
            call_centre=self._call_centre() if self._has("call_centre") else None,
        )

    def _has(self, *names: str) -> bool:
        return all(has_template(self._file(name), templates=self.templates) for name in names)

    def _file(self, name: str) -> str:
        return f"notice/{self.content.language}/{name}.txt.j2"

    def _text(self, name: str, *, needs: Sequence[str] = SLOT_NAMES, open_to_others: bool = False) -> str:
        """A rendered template. It must have the slots that it `needs`; what is open to others may have no other one."""
        text = render_template(self._file(name), self.values, templates=self.templates)
        found = set(SLOT.findall(text))
        if lost := set(needs) - found:
            raise BadInput(
                f"the template leaves out {', '.join(sorted(lost))}",
                where=self._file(name),
                next_step="each person's message needs all of " + ", ".join(needs),
            )
        if open_to_others and (other := found - set(needs)):
            raise BadInput(
                f"the template names {', '.join(sorted(other))} where others may read or hear it",
                where=self._file(name),
                next_step="take it out",
            )
        return text

    def _sms(self) -> Sms:
        return Sms(_joined_lines(self._text("sms")), self.steps)

    def _push(self) -> Push:
        title = shorten(
            _joined_lines(self._text("push.title", needs=(), open_to_others=True)), LONGEST_PUSH_TITLE
        )
        return Push(title, _joined_lines(self._text("push.body", needs=(), open_to_others=True)))

    def _in_app(self) -> InApp:
        text = self._text("in_app")
        refuse_lost_sections(self.content, text, where=self._file("in_app"))
        title, *paragraphs = (
            Paragraph(line.removeprefix(HEADING), heading=line.startswith(HEADING))
            for line in map(str.strip, text.splitlines())
            if line
        )
        return InApp(title.text, tuple(paragraphs), tuple(self._buttons()))

    def _buttons(self) -> Iterator[Button]:
        for line in self._text("in_app.buttons", needs=(), open_to_others=True).splitlines():
            if not line.strip():
                continue
            found = _BUTTON.fullmatch(line.strip())
            if found is None or found[1] not in list(ButtonKey):
                raise BadInput(
                    f"{line.strip()!r} is no button",
                    where=self._file("in_app.buttons"),
                    next_step=f"write a key and a label: `{ButtonKey.UNDERSTOOD}: ...`; keys are {', '.join(ButtonKey)}",
                )
            yield Button(ButtonKey(found[1]), found[2])

    def _voice(self) -> VoiceScript:
        text = self._said("voice", needs=(DATA_TYPES_OF_PERSON, CODE))
        if text.count(slot(CODE)) < 2:
            raise BadInput(
                "the template says the code only once",
                where=self._file("voice"),
                next_step="say it twice: who listens has to write it down",
            )
        others = {
            part: self._said(
                f"voice.{part}", needs=(PERSON_NAME,) if part == "greeting" else (), open_to_others=True
            )
            for part in PARTS_FOR_ANYBODY
        }
        return VoiceScript(text, **others, steps=self.steps)

    def _said(self, name: str, *, needs: Sequence[str], open_to_others: bool = False) -> str:
        """A part of a call, one sentence a line."""
        text = self._text(name, needs=needs, open_to_others=open_to_others)
        if not (lines := [line for line in map(_joined_lines, text.splitlines()) if line]):
            raise BadInput(
                "the template says nothing",
                where=self._file(name),
                next_step="compare it with the shipped template of the same name",
            )
        return "\n".join(lines)

    def _call_centre(self) -> CallScript:
        return CallScript(self._text("call_centre"), self.steps)


def _joined_lines(text: str) -> str:
    return " ".join(text.split())


def _places(text: str) -> int:
    return sum(3 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)
