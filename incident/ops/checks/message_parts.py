"""Parts of SMS: each belongs to an attempt, has an id only where the centre took it, and is what receipts prove by."""

from __future__ import annotations

import sqlalchemy as sa

from incident.delivery.sms_parts import DELIVERED, FAILED
from incident.delivery.states import SMS, Rank
from incident.ops.checks.base import Findings, Invariant, Sign, Survey, View, scan, table_of
from incident.store.tables import Attempt, MessagePart, Receipt
from notifiers.outcome import Result, Stage
from notifiers.sms.receipt import MessageState

_attempt, _part, _receipt = map(table_of, (Attempt, MessagePart, Receipt))
a, m, r = (table.c for table in (_attempt, _part, _receipt))

PARTS = Invariant(
    "ledger.parts",
    "each SMS has its parts, numbered 1, 2, ..., with ids and states that fit what became of it",
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
            Sign(PARTS, "its attempt is no SMS", a.channel != SMS),
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
    Survey(_look_at_receipts, (PARTS,)),
)
