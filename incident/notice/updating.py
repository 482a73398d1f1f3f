"""A later version as an update: how it is marked for those whom an earlier version has reached.

The words are frozen with the version, so that a message stays a function of what was released. The day is left as a
mark: it is that of whichever earlier notice the person has. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from html import escape

from incident.notice.content import NoticeContent
from incident.notice.phrases import phrases
from incident.notice.render import RenderedEmail
from notifiers.email.message import SLOT, slot

DAY = "earlier_day"
_PARAGRAPH = '<p style="margin:0 0 20px"><strong>{}</strong></p>\n'


@dataclass(frozen=True)
class UpdateMark:
    """What marks a message as an update: its subject and its first sentences, with the mark of `DAY` in both."""

    subject: str
    opening: str


def update_marks(contents: Mapping[str, NoticeContent]) -> dict[str, UpdateMark]:
    """The marks of a version by language."""
    day = slot(DAY)
    return {
        language: UpdateMark(
            subject=phrases().say("update_subject", language, day=day, subject=content.subject),
            opening=phrases().say("update_opening", language, day=day),
        )
        for language, content in contents.items()
    }


def marked_as_update(mail: RenderedEmail, mark: UpdateMark, day: str) -> RenderedEmail:
    """The e-mail as an update of the notice of `day` (as shown to people); its other slots stay.

    The opening stands before the heading of the page, whatever the template, and is the first line of the text.
    """
    opening = _dated(mark.opening, day)
    place = _place_of_opening(mail.html)
    paragraph = _PARAGRAPH.format(escape(opening))
    return replace(
        mail,
        subject=_dated(mark.subject, day),
        text=f"{opening}\n\n{mail.text}",
        html=mail.html[:place] + paragraph + mail.html[place:],
    )


def _dated(text: str, day: str) -> str:
    return SLOT.sub(lambda found: day if found[1] == DAY else found[0], text)


def _place_of_opening(html: str) -> int:
    heading = html.find("<h1")
    if heading >= 0:
        return heading
    body = html.find("<body")
    return html.index(">", body) + 1 if body >= 0 else 0
