"""The end of a hold: somebody is called before it, and asked at it. The hold itself goes on standing.

A hold remembers what it has called for, so that a job that was lost, or a worker that comes back after days, calls
once and never in vain: what is over already is asked about at once.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from sqlmodel import Session

from incident.durable import Lease
from incident.record.holds import HOLD_JOB, remind_at
from incident.record.numbers import label_of
from incident.record.operators import Role
from incident.record.summons import Reason, settle_summons, summon
from incident.response.attempt import ENGINE
from incident.store.change import Change
from incident.store.store import Store
from incident.store.tables import Hold

__all__ = ["HOLD_JOB", "look_at_hold"]

_TEXTS = {
    Reason.HOLD_ENDS: {
        "zh-Hans": "{label} 规定的保密期将于 {until} 届满：请决定延长还是解除。届满后不会自动发出任何内容。",
        "en": "{label} ends at {until}: extend it or lift it. Nothing leaves by itself at its end.",
    },
    Reason.HOLD_ENDED: {
        "zh-Hans": "{label} 规定的保密期已于 {until} 届满，仍然有效：请决定延长还是解除。",
        "en": "{label} was asked for until {until} and still stands: extend it or lift it.",
    },
}


def look_at_hold(lease: Lease, store: Store, hold_id: str, clock: Callable[[], datetime]) -> None:
    """Call counsel when a hold is about to end, and ask when its time is over. Never lifts it."""
    with store.transaction() as session:
        lease.fence(session)
        row = session.get(Hold, hold_id)
        if row is None or _due(row, now=clock()) is None:
            _leave(lease, session, row, now=clock())
            return
    with store.write(row.incident_id, kind="hold.asked", actor=ENGINE, now=clock()) as change:
        lease.fence(change.session, progress=True)
        # As it is now: it may have been extended or lifted meanwhile.
        row = change.session.get_one(Hold, hold_id)
        reason = _due(row, now=change.at)
        if reason is not None:
            _ask(change, store, row, reason)
        _leave(lease, change.session, row, now=change.at)


def _due(row: Hold, *, now: datetime) -> Reason | None:
    """What is to be asked now, or None."""
    if row.lifted_at is not None or row.asked_at is not None:
        return None
    if now >= row.until_at:
        return Reason.HOLD_ENDED
    return Reason.HOLD_ENDS if row.reminded_at is None and now >= remind_at(row) else None


def _ask(change: Change, store: Store, row: Hold, reason: Reason) -> None:
    if reason is Reason.HOLD_ENDED:
        settle_summons(change, row.incident_id, row.id)
        row.asked_at = change.at
    else:
        row.reminded_at = change.at
    change.put(row)
    words = {"label": label_of(row), "until": f"{row.until_at:%Y-%m-%d %H:%M} UTC"}
    summon(
        change,
        store,
        row.incident_id,
        reason=reason,
        subject_id=row.id,
        role=Role.COUNSEL,
        label=label_of(row),
        text={language: text.format(**words) for language, text in _TEXTS[reason].items()},
    )


def _leave(lease: Lease, session: Session, row: Hold | None, *, now: datetime) -> None:
    if row is None or row.lifted_at is not None or row.asked_at is not None:
        lease.done(session)
        return
    next_at = row.until_at if row.reminded_at is not None else remind_at(row)
    lease.again(session, after=max((next_at - now).total_seconds(), 0.0))
