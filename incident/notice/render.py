"""A notice as an e-mail: subject, text and HTML with a mark where each person's own words go. Pure but for templates.

What is personal never enters here. The marks are filled by the mail skeleton, one value a person, so that every
message is a function of what was released and one person's row.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import unescape
from pathlib import Path

from incident.errors import BadInput
from incident.notice.content import NoticeContent
from incident.notice.phrases import language_key, phrases
from incident.notice.templates import render_template
from notifiers.email.message import SLOT, slot

PERSON_NAME = "person_name"
DATA_TYPES_OF_PERSON = "data_types_of_person"
CODE = "code"
SLOT_NAMES = (PERSON_NAME, DATA_TYPES_OF_PERSON, CODE)
"""What a message needs for each person: how to address them, which kinds of their information are concerned (one
line), and the code by which they can check that the notice is ours."""


@dataclass(frozen=True)
class RenderedEmail:
    """An e-mail for everybody in one language, with the marks of `SLOT_NAMES` left in text and HTML."""

    subject: str
    text: str
    html: str
    language: str


def render_email(content: NoticeContent, *, templates: Sequence[Path]) -> RenderedEmail:
    """The e-mail of a notice from `notice/<language>/email.{txt,html}.j2`.

    Raises `BadInput` when the content holds marks of its own or a template loses a slot, `NotFound` when a template
    is missing. It does not check that the content is complete; the gate does.
    """
    refuse_marks(content)
    values = {"content": content, "slots": {name: slot(name) for name in SLOT_NAMES}}
    folder = f"notice/{content.language}"
    text = render_template(f"{folder}/email.txt.j2", values, templates=templates)
    html = render_template(f"{folder}/email.html.j2", values, templates=templates)
    for name, body in (("email.txt.j2", text), ("email.html.j2", html)):
        lost = set(SLOT_NAMES) - set(SLOT.findall(body))
        if lost:
            raise BadInput(
                f"the template leaves out {', '.join(sorted(lost))}",
                where=f"{folder}/{name}",
                next_step="each person's message needs all of " + ", ".join(SLOT_NAMES),
            )
        refuse_lost_sections(content, body, where=f"{folder}/{name}")
    return RenderedEmail(subject=content.subject, text=text, html=html, language=content.language)


def salutation_without_name(language: str) -> str:
    """What stands in the slot of the name for a person whose name is not known."""
    return phrases().salutation[language_key(language)]


def list_for_person(titles: Sequence[str], language: str) -> str:
    """The kinds of one person's information as the one line that their slot takes."""
    return ("、" if language == "zh-Hans" else ", ").join(titles)


def refuse_marks(content: NoticeContent) -> None:
    """Raise `BadInput` when a text of the content could be taken for a mark of a slot."""
    for place, texts in content.texts().items():
        if any("\ufdd0" in text or "\ufdd1" in text for text in texts):
            raise BadInput(
                "the text holds a character that is kept for personal slots",
                where=f"{place} ({content.language})",
                next_step="type this part again",
            )


def refuse_lost_sections(content: NoticeContent, body: str, *, where: str) -> None:
    """Raise `BadInput` when a template leaves out what a person wrote because a law asks for it."""
    shown = (body, unescape(body))
    for section in content.more:
        if content.is_drawn(section.element):
            continue  # a template of before there were such sections stays good
        if not all(any(line in each for each in shown) for line in section.lines):
            raise BadInput(
                f"the template leaves out “{section.heading}” ({section.element})",
                where=where,
                next_step="show content.more in it, as the shipped template of the same name does",
            )
