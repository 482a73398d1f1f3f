"""Making a brief: drawn up, put on one page, rendered, and journalled with the hash of exactly what is handed out."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlmodel import Session

from incident.briefing import inside
from incident.briefing.material import (
    Material,
    Published,
    Released,
    gather,
    gather_released,
    head_of,
    zone_words,
)
from incident.briefing.outside import call_centre, holding_statement, press, source
from incident.briefing.page import fit, on_one_line, room_below, shortened
from incident.briefing.render import Format, render
from incident.briefing.sheet import Frame, Head, Section, Sheet
from incident.briefing.words import Words
from incident.errors import Refused, WrongUsage
from incident.record.incidents import must_exist
from incident.response.housework import House
from incident.settings import LANGUAGES
from incident.store.change import Change
from incident.workspace import search_path

BRIEF_MADE = "brief.made"
"""The kind of the journal's entry."""
_LONGEST_META = 100


class Audience(StrEnum):
    """Whom a brief is for."""

    HQ = "hq"
    BOARD = "board"
    POLICE = "police"
    CALLCENTRE = "callcentre"
    PRESS = "press"


OUTSIDE = frozenset({Audience.CALLCENTRE, Audience.PRESS})
"""Those who are told released facts only."""

_INSIDE: Mapping[Audience, Callable[[Material, Words], list[Section]]] = {
    Audience.HQ: inside.headquarters,
    Audience.BOARD: inside.board,
    Audience.POLICE: inside.police,
}


@dataclass(frozen=True)
class Made:
    """What was handed out. `holds_back` says why a brief for those outside tells nothing; for the person at the desk."""

    sheet: Sheet
    content: str
    sha256: str
    holds_back: str = ""


def read_audience(text: str) -> Audience:
    """Raises `WrongUsage` naming those there are."""
    wanted = text.strip().lower()
    if wanted not in set(Audience):
        raise WrongUsage(f"{text!r} is no audience", where="--for", next_step=", ".join(Audience))
    return Audience(wanted)


def read_format(text: str) -> Format:
    """Raises `WrongUsage` naming those there are."""
    if text not in set(Format):
        raise WrongUsage(f"{text!r} is no format", where="--format", next_step=", ".join(Format))
    return Format(text)


def read_language(text: str) -> str:
    """Raises `WrongUsage` naming those there are."""
    if text not in LANGUAGES:
        raise WrongUsage(f"{text!r} is no language", where="--language", next_step=", ".join(LANGUAGES))
    return text


def make_brief(
    change: Change, house: House, incident_id: str, audience: Audience, language: str, form: Format
) -> Made:
    """Make a brief within a change of the incident, of the kind `BRIEF_MADE`: no hold can come in between.

    Raises `NotFound`, `KeyDestroyed`, `KeyMissing`, and `Refused` when the released notice has no such language.
    """
    words = zone_words(house, language)
    if audience in OUTSIDE:
        sheet, holds_back = _outside(change.session, house, incident_id, audience, words, now=change.at)
    else:
        material = gather(change.session, house, incident_id, now=change.at)
        sections = _INSIDE[audience](material, words)
        # A title may name a system; the board is told none.
        title = "" if audience is Audience.BOARD else material.dossier.title
        frame = frame_of(
            house,
            incident_id,
            audience,
            words,
            title=title,
            head=material.head,
            now=change.at,
            more=closed_when(material, words),
        )
        sheet, holds_back = on_one_page(frame, sections), ""
    content, sha256 = finish(change, house, sheet, form, words)
    return Made(sheet, content, sha256, holds_back)


def closed_when(material: Material, words: Words) -> tuple[str, ...]:
    """That the incident was closed, and when; nothing while it is open."""
    closed_at = material.dossier.closed_at
    return (words.say("closed", time=words.time(closed_at)),) if closed_at is not None else ()


def on_one_page(frame: Frame, sections: Sequence[Section]) -> Sheet:
    return Sheet(frame, fit(sections, room=room_below(frame)))


def finish(change: Change, house: House, sheet: Sheet, form: Format, words: Words) -> tuple[str, str]:
    """Render a sheet and let the change's entry say who is told it, and the SHA-256 of what they are given."""
    content = render(sheet, form, words, templates=search_path(house.workspace, "templates"))
    sha256 = hashlib.sha256(content.encode()).hexdigest()
    change.note(
        audience=sheet.frame.purpose,
        language=sheet.frame.language,
        format=form,
        sha256=sha256,
        drawn_from=sheet.frame.head.seq,
    )
    return content, sha256


def frame_of(
    house: House,
    incident_id: str,
    purpose: str,
    words: Words,
    *,
    title: str,
    head: Head,
    now: datetime,
    more: tuple[str, ...] = (),
) -> Frame:
    """What stands around the sections of a sheet for `purpose` (an audience, or `handover`)."""
    organisation = words.named(house.settings.organisation.name)
    parts = (incident_id, shortened(on_one_line(title), _LONGEST_META), organisation, *more)
    return Frame(
        incident=incident_id,
        purpose=purpose,
        language=words.language,
        classification=words.audience(purpose, "class"),
        title=words.audience(purpose, "title"),
        meta=" · ".join(part for part in parts if part),
        foot=words.say("foot", time=words.time(now), seq=head.seq, hash=head.short),
        as_of=now,
        head=head,
        drill=words.mark("drill") if house.drill else "",
    )


def _outside(
    session: Session, house: House, incident_id: str, audience: Audience, words: Words, *, now: datetime
) -> tuple[Sheet, str]:
    must_exist(session, incident_id)
    head = head_of(session, incident_id)
    released = gather_released(session, house, incident_id)
    for_callers = audience is Audience.CALLCENTRE
    if released.languages:
        published = _in_language(released, words.language)
        sections = call_centre(words, published, incident_id) if for_callers else press(words, published)
        more: tuple[str, ...] = (source(words, published),)
    else:
        sections = holding_statement(words, house.settings.organisation, for_callers=for_callers)
        more = ()
    frame = frame_of(house, incident_id, audience, words, title="", head=head, now=now, more=more)
    return on_one_page(frame, sections), _why_nothing(released)


def _in_language(released: Released, language: str) -> Published:
    if language not in released.languages:
        raise Refused(
            f"the notice was not released in {language}",
            where="--language",
            next_step=f"it is released in {', '.join(released.languages)}",
        )
    return released.languages[language]


def _why_nothing(released: Released) -> str:
    if released.languages:
        return ""
    if released.withheld_by:
        return f"{released.withheld_by} covers it"
    return released.why_not or "no notice is released"
