"""The end of a list of the call centre's: all results came, they are due, or a later version replaced the notice."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlmodel import Session, col, select

from incident.delivery.call_lists import LONGEST_LOOK, hold_jobs_of
from incident.delivery.ledger import recount
from incident.delivery.receipts import GoOn, early_receipts, led_by, settle_by_receipts
from incident.delivery.states import CALL_LIST_JOB, PHONE, SETTLE_JOB, CampaignState, DeliveryState, Why
from incident.durable import Lease, put_job
from incident.store.change import Change
from incident.store.store import Store
from incident.store.tables import Attempt, CallList, CallTask, Campaign, Delivery
from notifiers.outcome import Result

CLOSED = "calls.closed"
_TOGETHER = 500


def close_what_is_done(change: Change, lists: Iterable[str]) -> None:
    """Close those of these lists (by id) of which every task has a result."""
    for list_id in sorted(lists):
        row = change.session.get_one(CallList, list_id)
        if row.closed_at is None and not _open_tasks(change.session, list_id):
            row.closed_at = change.at
            change.put(row)
            put_job(change.session, CALL_LIST_JOB, list_id, incident_id=row.incident_id)


def _open_tasks(session: Session, list_id: str) -> list[Delivery]:
    """The deliveries whose results have not come; of those who share a message the one whose it is."""
    found = (
        select(Delivery)
        .join(
            CallTask,
            (col(CallTask.delivery_id) == col(Delivery.id)) & (col(CallTask.n) == col(Delivery.attempts)),
        )
        .where(
            CallTask.list_id == list_id, Delivery.state == DeliveryState.SENDING, Delivery.channel == PHONE
        )
        .order_by(col(Delivery.id))
        .execution_options(populate_existing=True)
    )
    return list(session.exec(found).all())


def close_list(change: Change, row: CallList, *, go_on: GoOn) -> int:
    """Close a list: who has no result was not told by it, as far as anybody knows, and goes on to another means.

    Returns how many tasks had none. A result that comes later still counts where it says that somebody was told.
    """
    session = change.session
    hold_jobs_of(session, sorted({each.batch_id for each in _open_tasks(session, row.id)}))
    waiting = _open_tasks(session, row.id)
    batches = sorted({each.batch_id for each in waiting})
    leaders = [each.id for each in waiting]
    for start in range(0, len(leaders), _TOGETHER):
        _end_in_doubt(change, leaders[start : start + _TOGETHER])
    for batch_id in batches:
        recount(session, batch_id)
    go_on(change, leaders)
    row.closed_at = change.at
    change.put(row)
    change.note(call_list=row.number, without_result=len(leaders))
    put_job(session, CALL_LIST_JOB, row.id, incident_id=row.incident_id)
    put_job(session, SETTLE_JOB, row.campaign_id, incident_id=row.incident_id)
    return len(leaders)


def _end_in_doubt(change: Change, leaders: Sequence[str]) -> None:
    connection = change.session.connection()
    connection.execute(
        sa.update(Attempt)
        .where(
            col(Attempt.delivery_id).in_(leaders),
            col(Attempt.outcome_at).is_(None),
            col(Attempt.channel) == PHONE,
        )
        .values(result=Result.ambiguous, outcome_at=change.at)
    )
    connection.execute(
        sa.update(Delivery)
        .where(col(Delivery.id).in_(leaders) | led_by(leaders))
        .values(
            state=DeliveryState.UNREACHABLE,
            reason=Why.NO_ANSWER,
            strikes=col(Delivery.strikes) + 1,
            settled_at=change.at,
            next_at=None,
        )
    )
    # What came back while they were called, as of their e-mail before, or of an earlier call.
    if proved := early_receipts(change.session, leaders):
        settle_by_receipts(change.session, proved, now=change.at)


def look_at_call_list(
    lease: Lease, store: Store, list_id: str, go_on: GoOn, *, now: datetime, actor: str
) -> None:
    """Close a list whose results are due, or whose notice a later version replaced; else look again later."""
    with store.transaction() as session:
        lease.fence(session)
        row = session.get(CallList, list_id)
        if row is None or row.closed_at is not None:
            lease.done(session)
            return
        if not _must_be_closed(session, row, now=now):
            lease.again(session, after=min((row.due_at - now).total_seconds(), LONGEST_LOOK))
            return
    with store.write(row.incident_id, kind=CLOSED, actor=actor, now=now) as change:
        lease.fence(change.session, progress=True)
        row = change.session.get_one(CallList, list_id, populate_existing=True)
        if row.closed_at is None:
            close_list(change, row, go_on=go_on)
        lease.done(change.session)


def _must_be_closed(session: Session, row: CallList, *, now: datetime) -> bool:
    campaign = session.get_one(Campaign, row.campaign_id)
    return now >= row.due_at or campaign.state == CampaignState.REPLACED
