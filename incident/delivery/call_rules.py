"""What follows from the outcome of a call by machine (rule 10 of the design): nobody is called a second time by itself.

That a carrier took a call tells nobody anything. The person has it once they confirm by a key that they heard the notice,
which a receipt says (`call_receipts`). Until then the delivery waits, for `CALL_SETTLES` at most; then the person counts as
not reached and goes on to the next means. The same holds of a call of which nobody knows whether it was taken. A late
confirmation still settles either.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlmodel import Session, col, select

from incident.delivery.ledger import Due, Settled, due_deliveries, judge, recount
from incident.delivery.let_go import on_a_call_list
from incident.delivery.receipts import early_receipts, settle_by_receipts
from incident.delivery.states import PHONE, DeliveryState, Why
from incident.store.tables import Attempt, Delivery
from notifiers.outcome import Outcome, Result
from notifiers.twilio.codes import COUNTRY_NOT_ENABLED

CALL_SETTLES = timedelta(hours=2)
"""So long is waited for what became of a call. A call lasts minutes; the rest is for callbacks that are late."""

MAY_HAVE_RUNG = (Result.accepted, Result.ambiguous)
"""Results of an attempt after which a telephone rang, or may have."""


@dataclass(frozen=True)
class Calls:
    """How often a delivery was tried by phone before, since when, and how many of these calls may have rung."""

    many: int = 0
    since: datetime | None = None
    may_have_rung: int = 0


def may_be_called(calls: Calls) -> bool:
    """Whether somebody may be called after these calls before: never once a telephone may have rung. Pure."""
    return calls.may_have_rung == 0


def calls_before(session: Session, delivery_ids: Sequence[str]) -> dict[str, Calls]:
    """The calls of some deliveries; who has none is left out. One without an outcome may have rung."""
    rang = sa.or_(col(Attempt.result).in_(MAY_HAVE_RUNG), col(Attempt.outcome_at).is_(None))
    rows = session.execute(
        sa.select(
            col(Attempt.delivery_id),
            sa.func.count(),
            sa.func.min(col(Attempt.intent_at)),
            sa.func.sum(sa.case((rang, 1), else_=0)),
        )
        .where(col(Attempt.delivery_id).in_(delivery_ids), col(Attempt.channel) == PHONE)
        .group_by(col(Attempt.delivery_id))
    )
    return {delivery_id: Calls(many, since, rung) for delivery_id, many, since, rung in rows}


def judge_call(due: Due, outcome: Outcome, calls: Calls, *, now: datetime) -> Settled:
    """What follows from the outcome of a call, after these before it. Pure.

    Only what certainly was not taken is tried again, by the rules for e-mail. What a carrier refuses because of whom it
    is for is a number that cannot be called, or is in a country that it may not call.
    """
    if outcome.result is Result.accepted:
        return Settled(due, outcome, DeliveryState.PENDING, Why.NONE, due.strikes, now + CALL_SETTLES)
    if outcome.result is Result.ambiguous:
        return Settled(due, outcome, DeliveryState.PENDING, Why.NONE, due.strikes + 1, now + CALL_SETTLES)
    # Only what was tried by phone says how long the carrier has been away.
    by_phone = replace(due, attempts=calls.many, first_intent_at=calls.since)
    found = replace(judge(by_phone, outcome, now=now), due=due)
    if found.why not in (Why.REFUSED, Why.BLOCKED):
        return found
    return replace(found, why=Why.BLOCKED if outcome.code in COUNTRY_NOT_ENABLED else Why.BAD_ADDRESS)


def take_over_calls(session: Session, batch_id: str, *, now: datetime) -> list[str]:
    """Settle what a dead attempt left open: a call may be going on, so it is waited for. Returns the deliveries that this
    concerns, by id. Whoever is on a list of the call centre's is with its agents, and with no attempt of a job."""
    open_ones = select(Delivery.id).where(
        Delivery.batch_id == batch_id,
        Delivery.state == DeliveryState.SENDING,
        Delivery.channel == PHONE,
        ~on_a_call_list(),
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
    connection.execute(
        sa.update(Delivery)
        .where(col(Delivery.id).in_(ids))
        .values(state=DeliveryState.PENDING, next_at=now + CALL_SETTLES, strikes=col(Delivery.strikes) + 1)
    )
    if proved := early_receipts(session, ids):
        settle_by_receipts(session, proved, now=now)
    recount(session, batch_id)
    return ids


def due_calls(session: Session, batch_id: str, *, now: datetime) -> list[Due]:
    """The next delivery of a batch that may be called now; empty where there is none.

    Whoever may not be called again is left out whatever their time: a clock that was set back makes no second call.
    """
    rung = list(_rung(session, batch_id))
    return due_deliveries(session, batch_id, now=now, limit=1, leave_out=rung, channel=PHONE)


def give_up_calls(session: Session, batch_id: str, *, now: datetime) -> list[str]:
    """Let whoever may not be called again, and has waited long enough, count as not reached. Returns their deliveries, by id."""
    ids = [each for each, until in _rung(session, batch_id).items() if has_waited(until, now=now)]
    if not ids:
        return []
    session.connection().execute(
        sa.update(Delivery)
        .where(col(Delivery.id).in_(ids))
        .values(state=DeliveryState.UNREACHABLE, reason=Why.NO_ANSWER, next_at=None, settled_at=now)
    )
    recount(session, batch_id)
    return ids


def has_waited(until: datetime | None, *, now: datetime) -> bool:
    """Whether what became of a call was waited for long enough: until its time, or as long as a clock that was set back
    since can have made of it. Pure."""
    return until is None or until <= now or until > now + 2 * CALL_SETTLES


def _rung(session: Session, batch_id: str) -> dict[str, datetime | None]:
    """Until when those of a batch wait who may not be called again, by delivery."""
    called = sa.exists().where(col(Attempt.delivery_id) == col(Delivery.id), col(Attempt.channel) == PHONE)
    statement = select(Delivery.id, Delivery.next_at).where(
        Delivery.batch_id == batch_id,
        Delivery.state == DeliveryState.PENDING,
        Delivery.channel == PHONE,
        called.correlate(Delivery),
    )
    waiting = dict(session.exec(statement).all())
    before = calls_before(session, list(waiting)) if waiting else {}
    return {each: until for each, until in waiting.items() if not may_be_called(before[each])}
