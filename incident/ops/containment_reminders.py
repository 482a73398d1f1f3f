"""The end of containment's time: somebody is asked whether to take it back or let it stand. It stands all the same."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from sqlmodel import Session

from incident.durable import Lease
from incident.record.incidents import IncidentState, must_exist
from incident.record.numbers import label_of
from incident.record.operators import Role
from incident.record.summons import Reason, summon
from incident.response.attempt import ENGINE
from incident.response.containment import CONTAINMENT_JOB, UNENDED
from incident.store.change import Change
from incident.store.store import Store
from incident.store.tables import Containment

__all__ = ["CONTAINMENT_JOB", "look_at_containment"]

_TEXT = {
    "zh-Hans": "{label}（{title}）的期限 {until} 已到，措施仍然有效：请决定撤回还是延续。到期不会自动撤回。",
    "en": "{label} ({title}) was meant until {until} and is still in force: take it back, or let it stand. "
    "Nothing is taken back by itself.",
}


def look_at_containment(lease: Lease, store: Store, row_id: str, clock: Callable[[], datetime]) -> None:
    """Ask responders when the time of containment is over. Never takes it back."""
    with store.transaction() as session:
        lease.fence(session)
        row = session.get(Containment, row_id)
        if row is None or not _is_due(session, row, now=clock()):
            _leave(lease, session, row, now=clock())
            return
    with store.write(row.incident_id, kind="containment.asked", actor=ENGINE, now=clock()) as change:
        lease.fence(change.session, progress=True)
        # As it is now: it may have been kept longer or taken back meanwhile.
        row = change.session.get_one(Containment, row_id)
        if _is_due(change.session, row, now=change.at):
            _ask(change, store, row)
        _leave(lease, change.session, row, now=change.at)


def _waits(session: Session, row: Containment) -> bool:
    """Whether somebody is still to be asked, now or later."""
    if row.expires_at is None or row.asked_at is not None or row.state not in UNENDED:
        return False
    return must_exist(session, row.incident_id).state == IncidentState.OPEN


def _is_due(session: Session, row: Containment, *, now: datetime) -> bool:
    return _waits(session, row) and row.expires_at is not None and now >= row.expires_at


def _ask(change: Change, store: Store, row: Containment) -> None:
    content = store.open(row, incident_id=row.incident_id)
    row.asked_at = change.at
    change.put(row, content)
    title = content["title"]
    words = {"label": label_of(row), "until": f"{row.expires_at:%Y-%m-%d %H:%M} UTC"}
    summon(
        change,
        store,
        row.incident_id,
        reason=Reason.CONTAINMENT_ENDED,
        subject_id=row.id,
        role=Role.RESPONDER,
        label=label_of(row),
        text={
            language: text.format(title=title.get(language) or next(iter(title.values())), **words)
            for language, text in _TEXT.items()
        },
    )


def _leave(lease: Lease, session: Session, row: Containment | None, *, now: datetime) -> None:
    if row is None or not _waits(session, row) or row.expires_at is None:
        lease.done(session)
        return
    lease.again(session, after=max((row.expires_at - now).total_seconds(), 0.0))
