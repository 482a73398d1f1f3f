"""What follows from the outcome of an SMS (rule 10 of the design): at most once more where nobody knows.

An SMS of which nobody knows whether the centre took it is not sent again at once: for `DOUBT_PAUSE` a receipt may still
say that it came. Then it is sent once more. Where that is in doubt as well, the person goes on to the next means, and a
late receipt still settles it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlmodel import Session, col, select

from incident.delivery.ledger import MOST_STRIKES, Due, Settled, again_later, judge, recount
from incident.delivery.receipts import early_receipts, settle_by_receipts
from incident.delivery.states import SMS, DeliveryState, Why
from incident.store.tables import Attempt, Delivery
from notifiers.outcome import Outcome, Result, Stage

DOUBT_PAUSE = timedelta(minutes=5)
MOST_DOUBTS = 2
"""So many copies at most are sent to somebody of which nobody knows whether the centre took them."""


@dataclass(frozen=True)
class Tries:
    """How often a delivery was tried by SMS before, since when, and how many of these tries are in doubt."""

    many: int = 0
    since: datetime | None = None
    doubts: int = 0


def tries_by_sms(session: Session, delivery_ids: Sequence[str]) -> dict[str, Tries]:
    """The tries by SMS of some deliveries; who has none is left out."""
    rows = session.execute(
        sa.select(
            col(Attempt.delivery_id),
            sa.func.count(),
            sa.func.min(col(Attempt.intent_at)),
            sa.func.sum(sa.case((col(Attempt.result) == Result.ambiguous, 1), else_=0)),
        )
        .where(col(Attempt.delivery_id).in_(delivery_ids), col(Attempt.channel) == SMS)
        .group_by(col(Attempt.delivery_id))
    )
    return {delivery_id: Tries(many, since, doubts) for delivery_id, many, since, doubts in rows}


def judge_sms(due: Due, outcome: Outcome, tries: Tries, *, now: datetime) -> Settled:
    """What follows from the outcome of an SMS, after these tries before it. Pure."""
    if outcome.result is Result.ambiguous:
        if tries.doubts + 1 >= MOST_DOUBTS:
            return Settled(due, outcome, DeliveryState.UNREACHABLE, Why.NO_ANSWER, due.strikes + 1, None)
        return Settled(due, outcome, DeliveryState.PENDING, Why.NONE, due.strikes + 1, now + DOUBT_PAUSE)
    if outcome.result is Result.not_sent and outcome.stage is Stage.data:
        # The phone may have a part of it, and would get the same one for days.
        if due.strikes + 1 >= MOST_STRIKES:
            return Settled(due, outcome, DeliveryState.UNREACHABLE, Why.NO_ANSWER, due.strikes + 1, None)
        return again_later(due, outcome, now=now)
    # Only what was tried by SMS says how long the centre has been away.
    by_sms = replace(due, attempts=tries.many, first_intent_at=tries.since)
    return replace(judge(by_sms, outcome, now=now), due=due)


def take_over_sms(session: Session, batch_id: str, *, now: datetime) -> list[str]:
    """Settle what a dead attempt left open: it is in doubt. Returns the deliveries that this concerns, by id."""
    open_ones = select(Delivery.id).where(
        Delivery.batch_id == batch_id,
        Delivery.state == DeliveryState.SENDING,
        Delivery.channel == SMS,
    )
    ids = list(session.exec(open_ones).all())
    if not ids:
        return []
    connection = session.connection()
    connection.execute(
        sa.update(Attempt)
        .where(col(Attempt.delivery_id).in_(ids), col(Attempt.outcome_at).is_(None))
        .values(result=Result.ambiguous, outcome_at=now)
    )
    tries = tries_by_sms(session, ids)
    given_up = [each for each in ids if tries[each].doubts >= MOST_DOUBTS]
    again = sorted({*ids} - {*given_up})
    counted = {"strikes": col(Delivery.strikes) + 1}
    for which, values in (
        (again, {"state": DeliveryState.PENDING, "next_at": now + DOUBT_PAUSE}),
        (
            given_up,
            {"state": DeliveryState.UNREACHABLE, "reason": Why.NO_ANSWER, "settled_at": now, "next_at": None},
        ),
    ):
        connection.execute(sa.update(Delivery).where(col(Delivery.id).in_(which)).values(values | counted))
    if proved := early_receipts(session, ids):
        settle_by_receipts(session, proved, now=now)
    recount(session, batch_id)
    return ids
