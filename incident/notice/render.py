"""A notice as an e-mail: subject, text and HTML with a mark where each person's own words go. Pure but for templates.

What is personal never enters here. The marks are filled by the mail skeleton, one value a person, so that every
message is a function of what was released and one person's row.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from typing import Any

from incident.errors import BadInput
from incident.notice.audience import Audience
from incident.notice.audience_words import content_for, said_to, told_to
from incident.notice.content import NoticeContent
from incident.notice.language_keys import SENTENCES
from incident.notice.languages import Language, languages_in
from incident.notice.templates import first_template, render_template
from notifiers.email.message import SLOT, slot

PERSON_NAME = "person_name"
DATA_TYPES_OF_PERSON = "data_types_of_person"
CODE = "code"
CHILD_NAME = "child_name"
SLOT_NAMES = (PERSON_NAME, DATA_TYPES_OF_PERSON, CODE)
"""What a message needs for each person: how to address them, which kinds of their information are concerned (one
line), and the code by which they can check that the notice is ours."""


@dataclass(frozen=True)
class RenderedEmail:
    """An e-mail for everybody in one language, with the marks of its slots left in text and HTML."""

    subject: str
    text: str
    html: str
    language: str


def slots_of(audience: Audience) -> tuple[str, ...]:
    """The slots that a message to this audience must have: a guardian's names the child too."""
    return (*SLOT_NAMES, CHILD_NAME) if audience is Audience.GUARDIAN else SLOT_NAMES


def render_email(
    content: NoticeContent, *, templates: Sequence[Path], audience: Audience = Audience.PERSON
) -> RenderedEmail:
    """The e-mail of a notice to an audience.

    The layout is `notice/email.{txt,html}.j2`; the words come from the language. A workspace may have a layout of its
    own for one language, `notice/<language>/email.{txt,html}.j2`, or for one audience in it
    (`email.<audience>.txt.j2`). Raises `BadInput` when the content holds marks of its own or a template loses a slot,
    `NotFound` when a template or the language is missing. It does not check that the content is complete; the gate does.
    """
    refuse_marks(content)
    language = languages_in(templates)[content.language]
    said = content_for(audience, content, language)
    slots = {name: slot(name) for name in slots_of(audience)}
    organisation = content.contact.organisation if content.contact else content.reference
    told = told_to(audience, language, organisation=organisation, child=slots.get(CHILD_NAME, ""))
    subject = told.subject or content.subject
    say = _sayer(said, language, audience, child=slots.get(CHILD_NAME, ""))
    data = say("mail_data_possible" if content.possible else "mail_data", effects=content.effects, data="\0")
    values = {
        **words_for(said, language, audience),
        "content": said,
        "subject": subject,
        "slots": slots,
        "told": told,
        "say": say,
        "data": data.split("\0", 1),
        "code": say("mail_code", code="\0").split("\0", 1),
    }
    bodies = {}
    for ending in ("txt.j2", "html.j2"):
        name = _layout(ending, content.language, audience, templates)
        body = render_template(name, values, templates=templates)
        if lost := set(slots) - set(SLOT.findall(body)):
            raise BadInput(
                f"the template leaves out {', '.join(sorted(lost))}",
                where=name,
                next_step="each person's message needs all of " + ", ".join(slots),
            )
        refuse_lost_sections(said, body, where=name)
        bodies[ending] = body
    return RenderedEmail(subject, bodies["txt.j2"], bodies["html.j2"], content.language)


def _layout(ending: str, language: str, audience: Audience, templates: Sequence[Path]) -> str:
    folder = f"notice/{language}"
    own = [f"{folder}/email.{audience}.{ending}"]
    if audience is Audience.PERSON:
        own.append(f"{folder}/email.{ending}")
    return first_template([*own, f"notice/email.{ending}"], templates=templates)


def words_for(
    content: NoticeContent, language: Language, audience: Audience = Audience.PERSON, *, child: str = ""
) -> dict[str, Any]:
    """What a template of any channel needs of a language: `say`, `heading` (of plain text) and `language`.

    `child` stands for the child's name in what a guardian is told.
    """
    form = language.spoken.text_heading

    def heading(text: str) -> str:
        return form.form.format(heading=_capitals(text) if form.upper else text)

    return {
        "say": _sayer(content, language, audience, child=child),
        "heading": heading,
        "language": {
            "tag": language.tag,
            "direction": language.spoken.direction,
            "fonts": language.spoken.fonts,
            "colon": language.marks.colon,
            "clause": language.marks.clause,
        },
    }


def _capitals(text: str) -> str:
    """A text in capitals, its slots as they are."""
    pieces = SLOT.split(text)
    pieces[1::2] = map(slot, pieces[1::2])
    pieces[::2] = [piece.upper() for piece in pieces[::2]]
    return "".join(pieces)


def _sayer(
    content: NoticeContent, language: Language, audience: Audience, *, child: str = ""
) -> Callable[..., str]:
    organisation = content.contact.organisation if content.contact else language.word("we", audience)

    def say(key: str, **values: str) -> str:
        form = language.spoken.sentences[key] if key in SENTENCES else language.word(key, audience)
        return said_to(audience, language, form).format(
            **{"organisation": organisation, "child": child, **values}
        )

    return say


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
