"""Parts of SMS, and what stands of calls by machine: each belongs to an attempt, has an id only where the carrier may have
taken it, and is what receipts prove by."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from incident.delivery.sms_parts import DELIVERED, FAILED
from incident.delivery.states import PHONE, SMS, Rank
from incident.ops.checks.base import Findings, Invariant, Sign, Survey, View, scan, table_of
from incident.store.tables import Attempt, CallTask, MessagePart, Receipt
from notifiers.outcome import NO_COPY_TAKEN, Result, Stage
from notifiers.sms.receipt import MessageState

_attempt, _part, _receipt, _task = map(table_of, (Attempt, MessagePart, Receipt, CallTask))
a, m, r, t = (table.c for table in (_attempt, _part, _receipt, _task))

PARTS = Invariant(
    "ledger.parts",
    "each SMS has its parts, numbered 1, 2, ..., with ids and states that fit what became of it, and each call by machine"
    " has one",
)
_STATES, _DELIVERED, _FAILED = (sorted(each) for each in (MessageState, DELIVERED, FAILED))

_counted = (
    sa.select(
        m.delivery_id,
        m.n,
        sa.func.count().label("many"),
        sa.func.min(m.part).label("first"),
        sa.func.max(m.part).label("last"),
        sa.func.min(m.centre).label("centre"),
        sa.func.max(m.centre).label("other_centre"),
    )
    .group_by(m.delivery_id, m.n)
    .subquery()
)
k = _counted.c


def _look_at_parts(view: View, findings: Findings) -> None:
    # The last part is the one whose answer was missing, or that was refused: with it the whole message was taken.
    may_have_an_id = sa.case(
        # Somebody may press a key in a call before its answer is written down, and also where it was lost.
        (a.channel == PHONE, sa.func.coalesce(a.result, "").not_in(sorted(NO_COPY_TAKEN))),
        (a.result == Result.accepted, sa.true()),
        (a.stage.is_(None), sa.false()),
        (a.result == Result.ambiguous, (a.stage == Stage.submitted) & (m.part < k.many)),
        else_=m.part < k.many,
    )
    scan(
        view,
        findings,
        "part",
        [m.delivery_id, m.n, m.part],
        _part.outerjoin(_attempt, (a.delivery_id == m.delivery_id) & (a.n == m.n)).outerjoin(
            _counted, (k.delivery_id == m.delivery_id) & (k.n == m.n)
        ),
        [
            Sign(PARTS, "its attempt does not exist", a.delivery_id.is_(None)),
            Sign(PARTS, "its attempt is no SMS and no call", a.channel.not_in([SMS, PHONE])),
            Sign(
                PARTS,
                "it is of a call, and not its only part, or says what only an SMS can",
                (a.channel == PHONE)
                & ((m.part != 1) | (k.many != 1) | m.state.is_not(None) | m.ask_at.is_not(None)),
            ),
            Sign(
                PARTS,
                "a call by machine that is on a list of the call centre's",
                (a.channel == PHONE) & _is_on_a_list(m),
            ),
            Sign(PARTS, "it and its attempt name different incidents", a.incident_id != m.incident_id),
            Sign(
                PARTS,
                "it was sent to another centre than its attempt says",
                a.peer.is_not(None) & (a.peer != m.centre),
            ),
            Sign(
                PARTS,
                "it has an id, and the centre cannot have given it one",
                # One that is known by its number gets its id from the receipt.
                (m.ref != "")
                & sa.not_(may_have_an_id)
                & ~((a.result == Result.ambiguous) & m.state.is_not(None)),
            ),
            Sign(PARTS, "its state is unknown", m.state.not_in(_STATES)),
            Sign(
                PARTS,
                "something was said of it, and it has no id and is not in doubt",
                m.state.is_not(None) & (m.ref == "") & a.result.is_distinct_from(Result.ambiguous),
            ),
            Sign(
                PARTS,
                "it did not arrive, and no receipt says so of its message",
                m.state.in_(_FAILED) & ~_has_receipt(Rank.RETURNED),
            ),
            Sign(
                PARTS,
                "all of its message arrived, and no receipt says so",
                m.state.in_(_DELIVERED)
                & ~_has_other_part(sa.func.coalesce(_other.state, "").not_in(_DELIVERED))
                & ~_has_receipt(Rank.DELIVERED),
            ),
        ],
        view.mine(m.incident_id),
    )


def _is_on_a_list(of: Any) -> sa.ColumnElement[bool]:
    return sa.exists().where(t.delivery_id == of.delivery_id, t.n == of.n)


def _was_on_a_list(of: Any) -> sa.ColumnElement[bool]:
    """Whether the call centre was to call: a result that comes later is an attempt of its own, without a task."""
    return sa.exists().where(t.delivery_id == of.delivery_id)


_other_part = _part.alias()
_other = _other_part.c


def _has_other_part(is_so: sa.ColumnElement[bool]) -> sa.ColumnElement[bool]:
    """Whether some part of the same message is so."""
    return sa.exists().where(_other.delivery_id == m.delivery_id, _other.n == m.n, is_so).correlate(_part)


def _has_receipt(rank: Rank) -> sa.ColumnElement[bool]:
    return (
        sa.exists().where(r.delivery_id == m.delivery_id, r.channel == SMS, r.rank == rank).correlate(_part)
    )


def _look_at_messages(view: View, findings: Findings) -> None:
    # What could not even be made into a message was not divided.
    was_made = (a.result.is_distinct_from(Result.not_sent)) | a.stage.is_not(None)
    scan(
        view,
        findings,
        "attempt",
        [a.delivery_id, a.n],
        _attempt.outerjoin(_counted, (k.delivery_id == a.delivery_id) & (k.n == a.n)),
        [
            Sign(PARTS, "an SMS without parts", was_made & k.many.is_(None)),
            Sign(
                PARTS,
                "its parts are not numbered without a gap",
                (k.first != 1) | (k.last != k.many),
            ),
            Sign(PARTS, "its parts were sent to several centres", k.centre != k.other_centre),
        ],
        view.mine(a.incident_id),
        a.channel == SMS,
    )


def _look_at_calls(view: View, findings: Findings) -> None:
    # What could not even be made into a call was not placed; who is being called now is looked at with the lists.
    was_made = a.outcome_at.is_not(None) & ((a.result != Result.not_sent) | a.stage.is_not(None))
    scan(
        view,
        findings,
        "attempt",
        [a.delivery_id, a.n],
        _attempt.outerjoin(_part, (m.delivery_id == a.delivery_id) & (m.n == a.n)),
        [
            Sign(
                PARTS,
                "a call of which nobody knows whether a machine or the call centre made it",
                was_made & m.delivery_id.is_(None) & ~_was_on_a_list(a),
            )
        ],
        view.mine(a.incident_id),
        a.channel == PHONE,
    )


def _look_at_receipts(view: View, findings: Findings) -> None:
    of_it = m.delivery_id == r.delivery_id
    one_failed = sa.exists().where(of_it, m.state.in_(_FAILED)).correlate(_receipt)
    all_arrived = (
        sa.exists()
        .where(
            of_it,
            m.state.in_(_DELIVERED),
            ~_has_other_part(sa.func.coalesce(_other.state, "").not_in(_DELIVERED)),
        )
        .correlate(_receipt)
    )
    scan(
        view,
        findings,
        "receipt",
        [r.id],
        _receipt,
        [
            Sign(
                PARTS,
                "it says of an SMS what none of its parts shows",
                sa.or_(
                    (r.rank == Rank.RETURNED) & ~one_failed,
                    (r.rank == Rank.DELIVERED) & ~all_arrived,
                ),
            )
        ],
        view.mine(r.incident_id),
        r.channel == SMS,
    )


SURVEYS = (
    Survey(_look_at_parts, (PARTS,)),
    Survey(_look_at_messages, (PARTS,)),
    Survey(_look_at_calls, (PARTS,)),
    Survey(_look_at_receipts, (PARTS,)),
)
