"""Who is put on a list of the call centre's: whoever the phone comes next for, or who did not answer before."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import sqlalchemy as sa
from sqlmodel import Session, col, select

from incident.delivery.call_rules import MAY_HAVE_RUNG
from incident.delivery.fallback import Way
from incident.delivery.next_steps import unreached_people
from incident.delivery.planner import Planner
from incident.delivery.states import PHONE, Addressee, CampaignState, DeliveryState, Why
from incident.store.tables import Attempt, Batch, Campaign, Delivery, Person, Waves

_TOGETHER = 500
_AGAIN = frozenset({Why.NO_ANSWER})


def to_be_called(
    session: Session, planner: Planner, *, again: bool, most: int | None
) -> tuple[list[str], int]:
    """The deliveries to put on a list (by id), `most` of them, and how many people are left out: they share a household's
    mailbox, or a message with somebody whom nobody can call. With `again` those who did not answer before."""
    return _chosen((_called_again if again else _next_by_phone)(session, planner), most)


@dataclass(frozen=True)
class _Found:
    """A delivery that may be put on a list. `leader_id`: it has its message from that one. `household`: it is the message to
    several grown-ups."""

    id: str
    leader_id: str | None
    household: bool = False


def _next_by_phone(session: Session, planner: Planner) -> Iterator[_Found]:
    waiting = _waiting_for_a_wave(session, planner.campaign_id)
    for delivery, person in session.execute(_WAITS_FOR_A_MACHINE, {"campaign": planner.campaign_id}):
        if delivery.batch_id not in waiting and planner.may_tell(session, person, Way.PHONE):
            yield _Found(delivery.id, None)
    for delivery, person in unreached_people(session, planner):
        if delivery.batch_id in waiting:
            continue
        if planner.planned(session, delivery, person).way is Way.PHONE:
            household = delivery.shared > 0 and delivery.addressee == Addressee.PERSON
            yield _Found(delivery.id, delivery.leader_id, household)


MAY_HAVE_BEEN_CALLED = (
    sa.exists()
    .where(
        col(Attempt.delivery_id) == col(Delivery.id),
        col(Attempt.channel) == PHONE,
        col(Attempt.outcome_at).is_(None) | col(Attempt.result).in_(MAY_HAVE_RUNG),
    )
    .correlate(Delivery)
)
"""The condition that a telephone rang for a delivery, or may have."""
_WAITS_FOR_A_MACHINE = (
    sa.select(Delivery, Person)
    .join(Batch, col(Batch.id) == col(Delivery.batch_id))
    .join(Person, col(Person.id) == col(Delivery.person_id))
    .where(
        col(Batch.campaign_id) == sa.bindparam("campaign"),
        col(Delivery.principal).is_(True),
        col(Delivery.channel) == PHONE,
        col(Delivery.state) == DeliveryState.PENDING,
        col(Delivery.leader_id).is_(None),
        col(Delivery.waits).is_(False),
        ~MAY_HAVE_BEEN_CALLED,
    )
    .order_by(col(Delivery.id))
    .execution_options(yield_per=_TOGETHER)
)


def _waiting_for_a_wave(session: Session, campaign_id: str) -> frozenset[str]:
    """The batches of a campaign under way whose wave has not begun."""
    found = (
        select(Batch.id)
        .join(Waves, col(Waves.id) == col(Batch.campaign_id))
        .join(Campaign, col(Campaign.id) == col(Batch.campaign_id))
        .where(
            Batch.campaign_id == campaign_id,
            Batch.seq > Waves.to_seq,
            Campaign.state != CampaignState.ENDED,
        )
    )
    return frozenset(session.exec(found).all())


def _called_again(session: Session, planner: Planner) -> Iterator[_Found]:
    """Who did not answer, and may still be called as the list and the record have them now."""
    rows = session.execute(
        sa.select(col(Delivery.id), col(Delivery.leader_id), Person)
        .join(Batch, col(Batch.id) == col(Delivery.batch_id))
        .join(Person, col(Person.id) == col(Delivery.person_id))
        .where(
            col(Batch.campaign_id) == planner.campaign_id,
            col(Delivery.principal).is_(True),
            col(Delivery.channel) == PHONE,
            col(Delivery.state) == DeliveryState.UNREACHABLE,
            col(Delivery.reason).in_(sorted(_AGAIN)),
        )
        .order_by(col(Delivery.id))
        .execution_options(yield_per=_TOGETHER)
    )
    for delivery_id, leader_id, person in rows:
        if planner.may_tell(session, person, Way.PHONE):
            yield _Found(delivery_id, leader_id)


def _chosen(found: Iterator[_Found], most: int | None) -> tuple[list[str], int]:
    """The deliveries to put on a list (by id), those who share a message by the one whose message it is; and how many people
    are left out."""
    alone: list[str] = []
    led: list[str] = []
    for each in found:
        if each.leader_id is not None or each.household:
            led.append(each.leader_id or each.id)
        elif most is None or len(alone) < most:
            alone.append(each.id)
    if most is not None and len(alone) == most:
        return alone, 0
    chosen = {*alone}
    return alone, sum(leader_id not in chosen for leader_id in led)
