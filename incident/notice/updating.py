"""A later version as an update: how it is marked for those whom an earlier version has reached.

The words are frozen with the version, so that a message stays a function of what was released. The day is left as a
mark: it is that of whichever earlier notice the person has. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from html import escape

from incident.notice.languages import Language
from incident.notice.render import RenderedEmail
from notifiers.email.message import SLOT, slot

DAY, SUBJECT = "earlier_day", "subject"
_PARAGRAPH = '<p style="margin:0 0 20px"><strong>{}</strong></p>\n'


@dataclass(frozen=True)
class UpdateMark:
    """What marks a message as an update: its subject, with the marks of `DAY` and `SUBJECT`, and its first sentences."""

    subject: str
    opening: str


def update_mark(language: Language) -> UpdateMark:
    """How a message in a language is marked."""
    return UpdateMark(
        subject=language.word("mail_update_subject").format(day=slot(DAY), subject=slot(SUBJECT)),
        opening=language.word("mail_update_opening").format(day=slot(DAY)),
    )


def marked_as_update(mail: RenderedEmail, mark: UpdateMark, day: str) -> RenderedEmail:
    """The e-mail as an update of the notice of `day` (as shown to people); its other slots stay.

    The opening stands before the heading of the page, whatever the template, and is the first line of the text.
    """
    opening = _filled(mark.opening, {DAY: day})
    place = _place_of_opening(mail.html)
    paragraph = _PARAGRAPH.format(escape(opening))
    return replace(
        mail,
        subject=_filled(mark.subject, {DAY: day, SUBJECT: mail.subject}),
        text=f"{opening}\n\n{mail.text}",
        html=mail.html[:place] + paragraph + mail.html[place:],
    )


def sms_marked_as_update(text: str, mark: UpdateMark, day: str) -> str:
    """The text of an SMS as an update of the notice of `day`: the opening stands first, but behind a signature in 【】,
    which networks in China want at the very beginning."""
    opening = _filled(mark.opening, {DAY: day})
    signature, end, rest = text.partition("】") if text.startswith("【") else ("", "", text)
    gap = "" if end or opening.endswith("。") else " "
    return f"{signature}{end}{opening}{gap}{rest}"


def call_marked_as_update(text: str, mark: UpdateMark, day: str) -> str:
    """What is said to a person in a call, as an update of the notice of `day`: the opening is its first line."""
    return f"{_filled(mark.opening, {DAY: day})}\n{text}"


def _filled(text: str, values: Mapping[str, str]) -> str:
    return SLOT.sub(lambda found: values[found[1]], text)


def _place_of_opening(html: str) -> int:
    heading = html.find("<h1")
    if heading >= 0:
        return heading
    body = html.find("<body")
    return html.index(">", body) + 1 if body >= 0 else 0
