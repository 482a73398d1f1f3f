"""Giving a handover: since when, drawn up from one view of the record, and journalled with who takes over."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlmodel import Session, col, func, select

from incident.briefing.handover import Shift, handover
from incident.briefing.making import Made, closed_when, finish, frame_of
from incident.briefing.material import gather, zone_words
from incident.briefing.page import tidy
from incident.briefing.render import Format
from incident.briefing.sheet import Sheet
from incident.delivery.states import DeliveryState, Why
from incident.durable import JobState
from incident.errors import BadInput
from incident.response.housework import House
from incident.store.change import Change
from incident.store.tables import Delivery, Job, JournalEntry

HANDOVER_GIVEN = "handover.given"
"""The kind of the journal's entry, and the purpose of the sheet."""
USUAL_SHIFT = timedelta(hours=12)
_PURPOSE = "handover"


@dataclass(frozen=True)
class HandedOver(Made):
    """A handover as it was given."""

    since: datetime | None = None


def give_handover(
    change: Change,
    house: House,
    incident_id: str,
    *,
    language: str,
    form: Format,
    since: datetime | None,
    to: str,
) -> HandedOver:
    """Give a handover within a change of the incident, of the kind `HANDOVER_GIVEN`.

    Without `since` it covers what came after the last handover, and the last twelve hours where there was none.
    Raises `NotFound`, `KeyDestroyed`, `KeyMissing`, and `BadInput` for a time that is still to come.
    """
    if since is not None and since > change.at:
        raise BadInput("this time is still to come", where="--since", next_step="name when the shift began")
    words = zone_words(house, language)
    material = gather(change.session, house, incident_id, now=change.at)
    begins = since or last_handover(change.session, incident_id) or change.at - USUAL_SHIFT
    shift = _shift(change.session, incident_id, since=begins, by=change.actor, to=to)
    told = [
        words.say("since", time=words.time(begins)),
        words.say("given_by", who=shift.by),
        words.say("given_to", who=to) if to else "",
    ]
    frame = frame_of(
        house,
        incident_id,
        _PURPOSE,
        words,
        title=material.dossier.title,
        head=material.head,
        now=change.at,
        more=(*closed_when(material, words), *told),
    )
    sheet = Sheet(frame, tuple(tidy(section) for section in handover(material, shift, words)))
    content, sha256 = finish(change, house, sheet, form, words)
    change.note(since=begins.isoformat(), to=to)
    return HandedOver(sheet, content, sha256, since=begins)


def last_handover(session: Session, incident_id: str) -> datetime | None:
    """When the last handover of an incident was given."""
    mine = (JournalEntry.chain == incident_id, JournalEntry.kind == HANDOVER_GIVEN)
    return session.exec(select(func.max(JournalEntry.at)).where(*mine)).one()


def _shift(session: Session, incident_id: str, *, since: datetime, by: str, to: str) -> Shift:
    settled = session.exec(
        select(Delivery.state, func.count(col(Delivery.person_id).distinct()))
        .where(
            Delivery.incident_id == incident_id,
            col(Delivery.principal).is_(True),
            col(Delivery.settled_at) > since,
            Delivery.reason != Why.REPLACED,
        )
        .group_by(Delivery.state)
    ).all()
    counts = {str(state): count for state, count in settled}
    parked = session.exec(
        select(Job.kind, func.count())
        .where(Job.incident_id == incident_id, Job.state == JobState.PARKED)
        .group_by(Job.kind)
        .order_by(Job.kind)
    ).all()
    return Shift(
        since=since,
        by=by,
        to=to,
        accepted=counts.get(DeliveryState.ACCEPTED, 0),
        unreachable=counts.get(DeliveryState.UNREACHABLE, 0),
        parked=tuple((kind, count) for kind, count in parked),
    )
