"""A later version of a notice follows an earlier one: whom it is an update for, and what becomes of the earlier sending.

What a delivery goes through, in this order, each step in one transaction under the fence of its own batch's job:

1. The later campaign opens. It has a delivery for everyone, each in `waits`. The earlier campaigns that have not ended
   are `replaced`: their brakes go on and their jobs are called. Their deliveries are not touched here.
2. The earlier batch's worker writes what became of the messages that had left, and retires the rest: what is pending
   becomes unreachable as `replaced`, so that the earlier campaign's sum holds and it ends. A worker that died is taken
   over first: what it had under way is ambiguous, and then retired.
3. The later batch's worker looks at each delivery that waits. While an earlier delivery to the same addressee is in
   progress, it goes on waiting. Once all are settled it waits no more, and says for good what its message is: an
   update of the newest version that was accepted or may have arrived (an ambiguous attempt), or a first notice.

So nobody gets a version and the update of it before it, whatever is killed in between: before step 2 an addressee is in
progress in both campaigns and gets nothing of either, after it they are settled in the earlier one.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import bindparam, update
from sqlmodel import Session, col, select

from incident.delivery.ledger import recount
from incident.delivery.let_go import may_be_worked_on, put_batch
from incident.delivery.states import (
    CALL_LIST_JOB,
    IN_PROGRESS,
    PHONE,
    SETTLE_JOB,
    CampaignState,
    DeliveryState,
    Rank,
    Why,
    campaign_brake,
)
from incident.durable import put_job, set_brake
from incident.store.change import Change
from incident.store.tables import Attempt, Batch, CallList, Campaign, Delivery, MessagePart, Notice
from notifiers.outcome import Result


def others_of(session: Session, campaign_id: str, incident_id: str) -> list[Campaign]:
    """The other campaigns of an incident."""
    found = select(Campaign).where(Campaign.incident_id == incident_id, Campaign.id != campaign_id)
    return list(session.exec(found.order_by(col(Campaign.id))).all())


def replace_earlier(change: Change, campaign_id: str, incident_id: str) -> None:
    """Let nothing more of an incident's other campaigns leave; what they have under way settles them."""
    for campaign in others_of(change.session, campaign_id, incident_id):
        if campaign.state == CampaignState.ENDED:
            continue
        campaign.state = CampaignState.REPLACED
        change.put(campaign)
        set_brake(change.session, campaign_brake(campaign.id), at=change.at, by=change.actor)
        for batch_id in open_batches(change.session, campaign.id):
            put_batch(change.session, batch_id, incident_id=incident_id)
        for list_id in _open_call_lists(change.session, campaign.id):
            put_job(change.session, CALL_LIST_JOB, list_id, incident_id=incident_id)
        put_job(change.session, SETTLE_JOB, campaign.id, incident_id=incident_id)


def _open_call_lists(session: Session, campaign_id: str) -> list[str]:
    found = select(CallList.id).where(CallList.campaign_id == campaign_id, col(CallList.closed_at).is_(None))
    return list(session.exec(found.order_by(col(CallList.id))).all())


def open_batches(session: Session, campaign_id: str) -> list[str]:
    """The batches of a campaign with somebody in progress, without those that wait for a later wave."""
    found = (
        select(Batch.id)
        .join(Delivery, col(Delivery.batch_id) == col(Batch.id))
        .where(Batch.campaign_id == campaign_id, col(Delivery.state).in_(IN_PROGRESS), may_be_worked_on())
        .order_by(col(Batch.id))
        .distinct()
    )
    return list(session.exec(found).all())


def retire(session: Session, batch_id: str, *, now: datetime) -> None:
    """Settle what is pending of a batch whose campaign is replaced. Nothing of the batch may be with a relay."""
    session.connection().execute(
        update(Delivery)
        .where(col(Delivery.batch_id) == batch_id, col(Delivery.state) == DeliveryState.PENDING)
        .values(
            state=DeliveryState.UNREACHABLE, reason=Why.REPLACED, next_at=None, settled_at=now, waits=False
        )
    )
    recount(session, batch_id)


@dataclass(frozen=True)
class Earlier:
    """One delivery of another campaign to somebody. `sent`: it was accepted, or may have been. `returned`: it came back."""

    notice_id: str
    version: int
    in_progress: bool
    sent: bool
    returned: bool = False

    @property
    def told(self) -> bool:
        return self.sent and not self.returned


def decide_updates(session: Session, campaign: Campaign, batch_id: str) -> None:
    """Say of each delivery of a batch that waits whether it is an update, once nothing earlier is in progress for it.

    Those who share a message wait together, and it is an update if one of them was told.
    """
    waiting = session.exec(
        select(Delivery.id, leading(), Delivery.person_id, Delivery.addressee).where(
            Delivery.batch_id == batch_id, col(Delivery.waits).is_(True)
        )
    ).all()
    if not waiting:
        return
    earlier = earlier_deliveries(session, campaign, {person_id for _, _, person_id, _ in waiting})
    theirs: dict[str, list[Earlier]] = defaultdict(list)
    for _, leader_id, person_id, addressee in waiting:
        theirs[leader_id] += earlier[person_id, addressee]
    decided: list[dict[str, Any]] = [
        {"which": delivery_id, "new_update_of": told_by(theirs[leader_id])}
        for delivery_id, leader_id, _, _ in waiting
        if not any(each.in_progress for each in theirs[leader_id])
    ]
    if decided:
        session.connection().execute(_DECIDE, decided)


def leading() -> Any:
    """The delivery (by id) whose message a delivery is told by: its leader's, or its own."""
    return sa.func.coalesce(col(Delivery.leader_id), col(Delivery.id))


_DECIDE = (
    update(Delivery)
    .where(col(Delivery.id) == bindparam("which"))
    .values(waits=False, update_of=bindparam("new_update_of"))
)


def told_by(earlier: list[Earlier]) -> str | None:
    """The notice of the newest version by which somebody was told, or may have been; None when by none."""
    told = [each for each in earlier if each.told]
    return max(told, key=lambda each: each.version).notice_id if told else None


def earlier_deliveries(
    session: Session, campaign: Campaign, people: set[str]
) -> dict[tuple[str, str], list[Earlier]]:
    """What other campaigns of the same incident hold for these people, by person and addressee."""
    rows = session.connection().execute(
        _EARLIER, {"ids": sorted(people), "mine": campaign.id, "incident": campaign.incident_id}
    )
    found: dict[tuple[str, str], list[Earlier]] = defaultdict(list)
    for person_id, addressee, state, rank, notice_id, version, taken in rows:
        sent = state == DeliveryState.ACCEPTED or bool(taken)
        found[person_id, addressee].append(
            Earlier(notice_id, version, state in IN_PROGRESS, sent, rank == Rank.RETURNED)
        )
    return found


_HAS_PART = (
    sa.exists()
    .where(col(MessagePart.delivery_id) == col(Attempt.delivery_id), col(MessagePart.n) == col(Attempt.n))
    .correlate(Attempt)
)
_EARLIER = (
    sa.select(
        col(Delivery.person_id),
        col(Delivery.addressee),
        col(Delivery.state),
        col(Delivery.rank),
        col(Campaign.notice_id),
        col(Notice.version),
        sa.select(col(Attempt.n))
        .where(
            col(Attempt.delivery_id) == leading(),
            # What a means before the present one took has come back, or was refused.
            col(Attempt.channel) == col(Delivery.channel),
            col(Attempt.result).in_([Result.accepted, Result.ambiguous]),
            # A call by machine told nobody who did not confirm it, and then the delivery is accepted.
            ~sa.and_(col(Attempt.channel) == PHONE, _HAS_PART),
        )
        .correlate(Delivery)
        .exists(),
    )
    .join(Batch, col(Batch.id) == col(Delivery.batch_id))
    .join(Campaign, col(Campaign.id) == col(Batch.campaign_id))
    .join(Notice, col(Notice.id) == col(Campaign.notice_id))
    .where(
        col(Delivery.person_id).in_(bindparam("ids", expanding=True)),
        col(Campaign.incident_id) == bindparam("incident"),
        col(Campaign.id) != bindparam("mine"),
    )
)


def updates_in(session: Session, batch_id: str) -> list[str]:
    """The notices (by id) of which some messages of a batch are updates."""
    found = select(Delivery.update_of).where(
        Delivery.batch_id == batch_id, col(Delivery.update_of).is_not(None)
    )
    return [each for each in session.exec(found.distinct()).all() if each]


def some_wait(session: Session, batch_id: str) -> bool:
    """Whether somebody in a batch waits for what becomes of an earlier version."""
    found = select(Delivery.id).where(Delivery.batch_id == batch_id, col(Delivery.waits).is_(True)).limit(1)
    return session.exec(found).first() is not None
