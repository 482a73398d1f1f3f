"""Receipts: each is about a delivery that exists, and deliveries stand where all their receipts prove together."""

from __future__ import annotations

import sqlalchemy as sa

from incident.delivery.receipts import COMPLAINT, VerifiedBy
from incident.delivery.states import IN_PROGRESS, OF_A_RETURN, DeliveryState, Rank, Why
from incident.ops.checks.base import Findings, Invariant, Sign, Survey, View, one_if, scan, table_of
from incident.store.tables import Attempt, Batch, Delivery, Receipt
from notifiers.outcome import Result

_attempt, _batch, _delivery, _receipt = map(table_of, (Attempt, Batch, Delivery, Receipt))
a, b, d, r = (table.c for table in (_attempt, _batch, _delivery, _receipt))

RECEIPTS = Invariant(
    "ledger.receipts", "each receipt is about a delivery, and each delivery stands where its receipts prove"
)
_LEADING = sa.func.coalesce(d.leader_id, d.id)


def _look_at_receipts(view: View, findings: Findings) -> None:
    scan(
        view,
        findings,
        "receipt",
        [r.id],
        _receipt.outerjoin(_delivery, d.id == r.delivery_id),
        [
            Sign(RECEIPTS, "its delivery does not exist", d.id.is_(None)),
            Sign(RECEIPTS, "it and its delivery name different incidents", d.incident_id != r.incident_id),
            Sign(
                RECEIPTS,
                "its delivery was never sent over its channel",
                (d.channel != r.channel)
                & ~sa.exists()
                .where(a.delivery_id == d.id, a.channel == r.channel)
                .correlate(_delivery, _receipt),
            ),
            Sign(RECEIPTS, "its delivery has its message from another", d.leader_id.is_not(None)),
            Sign(RECEIPTS, "its rank is unknown", r.rank.not_in([int(rank) for rank in Rank])),
            Sign(
                RECEIPTS,
                "a reason that is none of a return",
                sa.or_(
                    (r.rank == Rank.RETURNED) & r.why.not_in(sorted(OF_A_RETURN)),
                    (r.rank != Rank.RETURNED) & (r.why != ""),
                ),
            ),
            Sign(RECEIPTS, "nobody knows how it was matched", r.verified_by.not_in(sorted(VerifiedBy))),
        ],
        view.mine(r.incident_id),
    )


def _look_at_ranks(view: View, findings: Findings) -> None:
    of, in_vain = _delivery.alias(), r.channel + f":{Why.CONTROLLED}"
    proved = (
        sa.select(r.delivery_id, sa.func.max(r.rank).label("rank"))
        .join_from(_receipt, of, of.c.id == r.delivery_id)
        # Of a means before, only that it was delivered after all still matters, unless an attacker may control it.
        .where(
            r.counts.is_(True),
            (r.channel == of.c.channel) | (r.rank >= Rank.DELIVERED) & ~of.c.tried_before.contains(in_vain),
        )
        .group_by(r.delivery_id)
        .subquery()
    )
    taken = (
        sa.select(
            a.delivery_id,
            one_if(a.result.in_([Result.accepted, Result.ambiguous]) | a.outcome_at.is_(None)).label("times"),
        )
        .group_by(a.delivery_id)
        .subquery()
    )
    highest = sa.func.coalesce(proved.c.rank, Rank.NOTHING)
    arrived = sa.func.coalesce(taken.c.times, 0) > 0
    open_to_it = d.state != DeliveryState.SENDING
    scan(
        view,
        findings,
        "delivery",
        [d.id],
        _delivery.outerjoin(proved, proved.c.delivery_id == _LEADING).outerjoin(
            taken, taken.c.delivery_id == _LEADING
        ),
        [
            Sign(
                RECEIPTS,
                "its rank is not the highest of its receipts",
                # One for a message that then did not leave after all proves nothing.
                d.rank.is_distinct_from(highest) & (arrived | (d.rank != Rank.NOTHING)),
            ),
            Sign(
                RECEIPTS,
                "it was delivered, and is not counted as told",
                arrived & open_to_it & (d.rank >= Rank.DELIVERED) & (d.state != DeliveryState.ACCEPTED),
            ),
            Sign(
                RECEIPTS,
                "it came back, and is not counted as unreached",
                arrived & open_to_it & (d.rank == Rank.RETURNED) & (d.state != DeliveryState.UNREACHABLE),
            ),
            Sign(
                RECEIPTS,
                "it was handed on, and is to be sent again",
                arrived & open_to_it & (d.rank == Rank.HANDED_ON) & d.state.in_(sorted(IN_PROGRESS)),
            ),
        ],
        view.mine(d.incident_id),
    )


def _look_at_complaints(view: View, findings: Findings) -> None:
    counted = (
        sa.select(d.batch_id, sa.func.count(d.id.distinct()).label("many"))
        .join_from(_receipt, _delivery, d.id == r.delivery_id)
        .where(r.kind == COMPLAINT, r.counts.is_(True), d.principal.is_(True))
        .group_by(d.batch_id)
        .subquery()
    )
    scan(
        view,
        findings,
        "batch",
        [b.id],
        _batch.outerjoin(counted, counted.c.batch_id == b.id),
        [
            Sign(
                RECEIPTS,
                "it counts other complaints than there are",
                b.complaints.is_distinct_from(sa.func.coalesce(counted.c.many, 0)),
            )
        ],
        view.mine(b.incident_id),
    )


SURVEYS = (
    Survey(_look_at_receipts, (RECEIPTS,)),
    Survey(_look_at_ranks, (RECEIPTS,)),
    Survey(_look_at_complaints, (RECEIPTS,)),
)
