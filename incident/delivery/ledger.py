"""The ledger's statements: what is due, intent before a send, outcome after it, and a batch's counters.

Each function works inside a transaction that began with the job's fence. Attempts are append-only: a row with an
intent gets its outcome once and is never changed again. What runs for each group is a statement of columns, built once:
building it anew, or making an object of each row, would take longer than the sending.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy import bindparam, update
from sqlmodel import Session, col, func, insert, or_, select

from incident.delivery.let_go import on_a_call_list
from incident.delivery.receipts import early_receipts, settle_by_receipts
from incident.delivery.states import EMAIL, IN_PROGRESS, NEVER_MOVED, DeliveryState, Rank, Why
from incident.store.prepared import Prepared, PreparedQuery
from incident.store.sealing import seal_json_rows
from incident.store.tables import Attempt, Batch, Delivery
from notifiers.outcome import Outcome, Result

MOST_STRIKES = 5
_FIRST_PAUSE = timedelta(seconds=60)
_PAUSE_GROWS = 4
_RELAY_PAUSE = timedelta(seconds=15)
_LONGEST_OUTAGE_PAUSE = timedelta(minutes=5)
_LONGEST_RELAY_PAUSE = timedelta(hours=1)
GIVE_UP_AFTER = timedelta(days=5)
_LEAST_TRIES = 20
LONGEST_PAUSE = max(_LONGEST_RELAY_PAUSE, _FIRST_PAUSE * _PAUSE_GROWS ** (MOST_STRIKES - 2))


@dataclass(frozen=True)
class Member:
    """Somebody who is named in the message of another delivery."""

    id: str
    person_id: str
    principal: bool


@dataclass(frozen=True)
class Due:
    """A delivery that may be sent now. `first_intent_at` is set when it was tried before: its Date must not change.

    `update_of` is the notice that this message is an update of; None for a first notice. `members` are told in the same
    message; `shared` says how many they are.
    """

    id: str
    person_id: str
    person_version: int
    addressee: str
    principal: bool
    attempts: int
    strikes: int
    first_intent_at: datetime | None
    update_of: str | None = None
    shared: int = 0
    members: tuple[Member, ...] = ()

    @property
    def ids(self) -> tuple[str, ...]:
        """The deliveries that this message settles."""
        return (self.id, *(member.id for member in self.members)) if self.members else (self.id,)

    @property
    def people(self) -> tuple[str, ...]:
        """The people whom this message tells of, by id, in the order in which they are named."""
        return (self.person_id, *(member.person_id for member in self.members))

    @property
    def principals(self) -> int:
        """How many people are counted by these deliveries."""
        return self.principal + sum(member.principal for member in self.members)


@dataclass(frozen=True)
class Settled:
    """A delivery after an attempt, with what the attempt proved."""

    due: Due
    outcome: Outcome | None
    state: DeliveryState
    why: Why
    strikes: int
    next_at: datetime | None


def take_over(session: Session, batch_id: str, *, now: datetime) -> int:
    """Settle what a dead attempt left open: an intent without an outcome is ambiguous, and the mail is due again.

    Returns how many there were. E-mail is sent again with the same bytes and Message-ID, so that a reader's mail
    program can tell that it is the same message.
    """
    open_ones = select(Delivery.id).where(
        Delivery.batch_id == batch_id,
        Delivery.state == DeliveryState.SENDING,
        Delivery.channel == EMAIL,
    )
    ids = list(session.exec(open_ones).all())
    if not ids:
        return 0
    connection = session.connection()
    connection.execute(
        update(Attempt)
        .where(col(Attempt.delivery_id).in_(ids), col(Attempt.outcome_at).is_(None))
        .values(result=Result.ambiguous, outcome_at=now)
    )
    connection.execute(
        update(Delivery)
        .where(col(Delivery.id).in_(ids))
        .values(state=DeliveryState.PENDING, strikes=Delivery.strikes + 1, next_at=None)
    )
    if proved := early_receipts(session, ids):
        settle_by_receipts(session, proved, now=now)
    recount(session, batch_id)
    return len(ids)


def due_deliveries(
    session: Session,
    batch_id: str,
    *,
    now: datetime,
    limit: int,
    leave_out: Sequence[str] = (),
    channel: str = EMAIL,
) -> list[Due]:
    """The next deliveries of a batch that may be sent now over a channel, but for those to `leave_out`.

    One that was put off by a clock ahead of ours is among them: its last attempt ended in what is the future here, so
    its time says nothing, and waiting for it could take as long as a clock was ever wrong.
    """
    values: dict[str, Any] = {"batch": batch_id, "channel": channel, "now": now, "most": limit}
    if leave_out:
        values["leave_out"] = leave_out
    connection = session.connection()
    rows = connection.execute(_DUE_BUT_FOR_SOME, values) if leave_out else _DUE_READY.all(connection, values)
    found = [Due(*row) for row in rows]
    if not any(due.shared for due in found):
        return found
    members = _members(session, batch_id, [due.id for due in found if due.shared])
    return [replace(due, members=tuple(members[due.id])) if due.shared else due for due in found]


def _members(session: Session, batch_id: str, leaders: list[str]) -> dict[str, list[Member]]:
    rows = session.connection().execute(_MEMBERS, {"batch": batch_id, "leaders": leaders})
    members: dict[str, list[Member]] = defaultdict(list)
    for leader_id, *member in rows:
        members[leader_id].append(Member(*member))
    return members


_MEMBERS = (
    sa.select(col(Delivery.leader_id), *(col(getattr(Delivery, each.name)) for each in fields(Member)))
    .where(
        col(Delivery.batch_id) == bindparam("batch"),
        col(Delivery.leader_id).in_(bindparam("leaders", expanding=True)),
    )
    .order_by(col(Delivery.id))
)
_PUT_OFF_IN_THE_FUTURE = (
    sa.select(col(Attempt.n))
    .where(
        col(Attempt.delivery_id) == col(Delivery.id),
        col(Attempt.n) == col(Delivery.attempts),
        col(Attempt.outcome_at) > bindparam("now"),
    )
    .correlate(Delivery)
    .exists()
)
_COMPUTED: dict[str, Any] = {
    # The first by number: a clock that was set back makes later ones look earlier.
    "first_intent_at": sa.select(col(Attempt.intent_at))
    .where(col(Attempt.delivery_id) == col(Delivery.id), col(Attempt.n) == 1)
    .correlate(Delivery)
    .scalar_subquery(),
}
_DUE = (
    sa.select(
        *(
            _COMPUTED[each.name] if each.name in _COMPUTED else col(getattr(Delivery, each.name))
            for each in fields(Due)
            if each.name != "members"
        )
    )
    .where(
        col(Delivery.batch_id) == bindparam("batch"),
        col(Delivery.state) == DeliveryState.PENDING,
        col(Delivery.channel) == bindparam("channel"),
        col(Delivery.waits).is_(False),
        col(Delivery.leader_id).is_(None),
        or_(
            col(Delivery.next_at).is_(None),
            col(Delivery.next_at) <= bindparam("now"),
            _PUT_OFF_IN_THE_FUTURE,
        ),
    )
    .order_by(col(Delivery.id))
    .limit(bindparam("most", type_=sa.Integer))
)
_DUE_READY = PreparedQuery(_DUE)
_DUE_BUT_FOR_SOME = _DUE.where(col(Delivery.id).not_in(bindparam("leave_out", expanding=True)))


def write_intent(
    session: Session,
    group: Sequence[Due],
    *,
    incident_id: str,
    job_attempt: int,
    now: datetime,
    channel: str = EMAIL,
) -> None:
    """Say, before anything is sent, that each of the group is about to be."""
    if not group:
        return
    connection = session.connection()
    _INTEND.run_each(
        connection,
        [{"delivery_id": due.id, "n": due.attempts + 1} for due in group],
        {
            "incident_id": incident_id,
            "channel": channel,
            "job_attempt": job_attempt,
            "intent_at": now,
            "sealed": b"",
        },
    )
    _BEGIN.run_each(
        connection, [{"which": each, "tried": due.attempts + 1} for due in group for each in due.ids]
    )


_INTEND = Prepared(
    insert(Attempt).values(
        {
            name: bindparam(name)
            for name in ("delivery_id", "n", "incident_id", "channel", "job_attempt", "intent_at", "sealed")
        }
    )
)
_BEGIN = Prepared(
    update(Delivery)
    .where(col(Delivery.id) == bindparam("which"))
    .values(state=DeliveryState.SENDING, attempts=bindparam("tried"))
)


def judge(due: Due, outcome: Outcome, *, now: datetime) -> Settled:
    """What follows from an outcome. Pure; the rule for e-mail (rule 10 of the design).

    Accepted and permanently refused are settled. What is the relay's matter or ours would meet everybody: it counts
    against nobody, and is tried again until it has failed for `GIVE_UP_AFTER` (RFC 5321 section 4.5.4.1 asks for four
    to five days); what we held back ourselves is never given up. Everything else is tried again with growing pauses,
    `MOST_STRIKES` times in all.
    """
    if outcome.result is Result.accepted:
        return Settled(due, outcome, DeliveryState.ACCEPTED, Why.NONE, due.strikes, None)
    if outcome.about_relay:
        if not outcome.held_back and _was_long_enough(due, now=now):
            return Settled(due, outcome, DeliveryState.UNREACHABLE, Why.NO_ANSWER, due.strikes, None)
        return Settled(
            due, outcome, DeliveryState.PENDING, Why.NONE, due.strikes, now + _relay_pause(due, outcome)
        )
    if outcome.result is Result.permanent:
        why = Why.BLOCKED if outcome.blocked else Why.REFUSED
        if outcome.about_recipient or due.strikes + 1 >= MOST_STRIKES:
            return Settled(due, outcome, DeliveryState.UNREACHABLE, why, due.strikes + 1, None)
        # A policy may be about us and not about whom it was for, so it is worth another try.
        return again_later(due, outcome, now=now)
    if due.strikes + 1 >= MOST_STRIKES:
        return Settled(due, outcome, DeliveryState.UNREACHABLE, Why.NO_ANSWER, due.strikes + 1, None)
    return again_later(due, outcome, now=now)


def _was_long_enough(due: Due, *, now: datetime) -> bool:
    """Whether it was tried over days, and often: a clock that jumps ahead makes no days."""
    if due.first_intent_at is None or due.attempts < _LEAST_TRIES:
        return False
    return now - due.first_intent_at >= GIVE_UP_AFTER


def unsendable(due: Due, why: Why) -> Settled:
    """A delivery that cannot even be made into a message."""
    return Settled(due, None, DeliveryState.UNREACHABLE, why, due.strikes, None)


def _relay_pause(due: Due, outcome: Outcome) -> timedelta:
    """A relay that cannot be used is tried again soon; one that says no to us, with pauses that grow for longer."""
    if outcome.result is Result.not_sent:
        return min(_RELAY_PAUSE * (1 << min(due.attempts, 6)), _LONGEST_OUTAGE_PAUSE)
    return min(_FIRST_PAUSE * (1 << min(due.attempts, 6)), _LONGEST_RELAY_PAUSE)


def again_later(due: Due, outcome: Outcome, *, now: datetime) -> Settled:
    """Another try after a pause that grows; it counts against the recipient."""
    pause = _FIRST_PAUSE * (_PAUSE_GROWS**due.strikes)
    return Settled(due, outcome, DeliveryState.PENDING, Why.NONE, due.strikes + 1, now + pause)


def write_outcomes(
    session: Session, batch: Batch, settled: Sequence[Settled], *, key: bytes, now: datetime
) -> None:
    """Write down what became of a group; the batch's counters change in the same transaction.

    A receipt that came before its own outcome counts from here on.
    """
    if not settled:
        return
    connection = session.connection()
    ended = _END_ATTEMPT.run_each(connection, _attempt_values(settled, key=key), {"new_outcome_at": now})
    if ended != len(settled):
        # This was written before, and only the answer to the commit was lost: counting again would count twice.
        recount(session, batch.id)
        return
    _END.run_each(
        connection,
        [
            {
                "which": delivery_id,
                "new_state": each.state,
                "new_reason": each.why,
                "new_strikes": each.strikes,
                "new_next_at": each.next_at,
                "new_settled_at": None if each.state in IN_PROGRESS else now,
            }
            for each in settled
            for delivery_id in each.due.ids
        ],
    )
    _count(session, batch, settled)
    if proved := early_receipts(session, [each.due.id for each in settled]):
        settle_by_receipts(session, proved, now=now)


_OUTCOME_COLUMNS = ("outcome_at", "stage", "result", "code", "enhanced", "peer", "tls", "sealed")
_END_ATTEMPT = Prepared(
    update(Attempt)
    .where(
        col(Attempt.delivery_id) == bindparam("which"),
        col(Attempt.n) == bindparam("number"),
        col(Attempt.outcome_at).is_(None),
    )
    .values({name: bindparam(f"new_{name}") for name in _OUTCOME_COLUMNS})
)
_END = Prepared(
    update(Delivery)
    .where(col(Delivery.id) == bindparam("which"))
    .values(
        {name: bindparam(f"new_{name}") for name in ("state", "reason", "strikes", "next_at", "settled_at")}
    )
)


def _attempt_values(settled: Sequence[Settled], *, key: bytes) -> list[dict[str, Any]]:
    # The other side's words may quote the address, so they are sealed.
    said = [
        (
            f"attempt/{each.due.id}/{each.due.attempts + 1}",
            {"text": each.outcome.text if each.outcome else ""},
        )
        for each in settled
    ]
    return [
        {
            "which": each.due.id,
            "number": each.due.attempts + 1,
            **(_NOT_MADE if each.outcome is None else _values_of(each.outcome, sealed)),
        }
        for each, sealed in zip(settled, seal_json_rows(key, said), strict=True)
    ]


_NOT_MADE: dict[str, Any] = {
    **dict.fromkeys(f"new_{name}" for name in _OUTCOME_COLUMNS if name != "outcome_at"),
    "new_result": Result.not_sent,
    "new_sealed": b"",
}


def _values_of(outcome: Outcome, sealed: bytes) -> dict[str, Any]:
    return {
        "new_stage": outcome.stage,
        "new_result": outcome.result,
        "new_code": outcome.code,
        "new_enhanced": outcome.enhanced,
        "new_peer": outcome.peer,
        "new_tls": outcome.tls,
        "new_sealed": sealed,
    }


def _count(session: Session, batch: Batch, settled: Sequence[Settled]) -> None:
    counted: Counter[DeliveryState] = Counter()
    for each in settled:
        counted[each.state] += each.due.principals
    accepted, unreachable = counted[DeliveryState.ACCEPTED], counted[DeliveryState.UNREACHABLE]
    values = {"which": batch.id, "more_accepted": accepted, "more_unreachable": unreachable}
    _COUNT.run(session.connection(), values)


_COUNT = Prepared(
    update(Batch)
    .where(col(Batch.id) == bindparam("which"))
    .values(
        pending=col(Batch.pending) - bindparam("more_accepted") - bindparam("more_unreachable"),
        accepted=col(Batch.accepted) + bindparam("more_accepted"),
        unreachable=col(Batch.unreachable) + bindparam("more_unreachable"),
    )
)


def recount(session: Session, batch_id: str) -> None:
    """Set a batch's counters from its rows: after a take-over, where a counter must not be trusted."""
    # Held before the rows are read: another job of the same batch counts up in its own transaction.
    session.exec(select(Batch.id).where(Batch.id == batch_id).with_for_update()).first()
    moved = col(Delivery.tried_before).not_in(NEVER_MOVED)
    rows = session.exec(
        select(Delivery.state, Delivery.rank, moved, func.count())
        .where(Delivery.batch_id == batch_id, col(Delivery.principal).is_(True))
        .group_by(Delivery.state, col(Delivery.rank), moved)
    ).all()
    states: Counter[str] = Counter()
    ranks: Counter[int] = Counter()
    moved_on = 0
    for state, rank, has_moved, count in rows:
        states[state] += count
        ranks[rank] += count
        moved_on += count if has_moved else 0
    session.connection().execute(
        update(Batch)
        .where(col(Batch.id) == batch_id)
        .values(
            pending=sum(states[state] for state in IN_PROGRESS),
            accepted=states[DeliveryState.ACCEPTED],
            unreachable=states[DeliveryState.UNREACHABLE],
            delivered=sum(count for rank, count in ranks.items() if rank >= Rank.DELIVERED),
            returned=ranks[Rank.RETURNED],
            moved_on=moved_on,
        )
    )


def next_due_at(
    session: Session, batch_id: str, *, later_than: datetime | None = None, channel: str = EMAIL
) -> datetime | None:
    """When the earliest of a batch that waits is due over a channel; None when none waits for a time (later than that)."""
    waiting = select(func.min(Delivery.next_at)).where(
        Delivery.batch_id == batch_id,
        Delivery.state == DeliveryState.PENDING,
        Delivery.channel == channel,
    )
    if later_than is not None:
        waiting = waiting.where(col(Delivery.next_at) > later_than)
    return session.exec(waiting).one()


def open_deliveries(session: Session, batch_id: str, *, channel: str = EMAIL) -> int:
    """How many deliveries of a batch over a channel are not settled, principal or not; whoever is on a list of the call
    centre's is with its agents."""
    return session.exec(
        select(func.count()).where(
            Delivery.batch_id == batch_id,
            col(Delivery.state).in_(IN_PROGRESS),
            Delivery.channel == channel,
            ~on_a_call_list(),
        )
    ).one()
