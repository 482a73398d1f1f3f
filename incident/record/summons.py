"""Summons: somebody is needed. Rows and jobs only; `incident.ops.escalation` makes the calls.

A summons never decides anything. It ends when somebody answers it, or when what it was about is settled.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from sqlmodel import Session, col, select

from incident.durable import put_job
from incident.record.operators import Role
from incident.store.change import Change
from incident.store.store import Store
from incident.store.tables import Summons

SUMMONS_JOB = "summons"


class Reason(StrEnum):
    """What somebody is needed for."""

    STEP = "step"
    HOLD_ENDS = "hold-ends"
    HOLD_ENDED = "hold-ended"
    INSTRUCTION = "instruction"
    ALERT = "alert"
    PERSON = "person"


def summon(
    change: Change,
    store: Store,
    incident_id: str,
    *,
    reason: Reason,
    subject_id: str,
    role: Role,
    text: Mapping[str, str],
) -> str:
    """Ask for somebody with a role, once for each reason and subject while it stands open; returns the summons' id.

    `text` says in each language what is asked, for the record; what is sent to people is made elsewhere and holds less.
    """
    for standing in open_summons(change.session, incident_id):
        if (standing.reason, standing.subject_id) == (reason, subject_id):
            return standing.id
    row = Summons(
        id=store.new_id(),
        incident_id=incident_id,
        reason=reason,
        subject_id=subject_id,
        role=role,
        asked_at=change.at,
        level=0,
        next_at=change.at,
    )
    change.put(row, {"text": dict(text)})
    put_job(change.session, SUMMONS_JOB, row.id, incident_id=incident_id)
    return row.id


def open_summons(session: Session, incident_id: str) -> list[Summons]:
    """Those of an incident that nobody has answered and that are not settled, the oldest first."""
    found = (
        select(Summons)
        .where(Summons.incident_id == incident_id, col(Summons.ended_at).is_(None))
        .order_by(col(Summons.asked_at), col(Summons.id))
    )
    return list(session.exec(found).all())


def settle_summons(change: Change, incident_id: str, subject_id: str) -> None:
    """End what was asked about a subject: it needs nobody any more."""
    for row in open_summons(change.session, incident_id):
        if row.subject_id == subject_id:
            row.ended_at, row.next_at = change.at, None
            change.put(row)
