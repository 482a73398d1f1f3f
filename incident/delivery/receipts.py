"""Receipts: what comes back later about a message, and what it changes.

A receipt may come late, twice, in any order, before the outcome of its own attempt, or settle one that is ambiguous. So
each is kept once, and where a delivery stands follows from its attempts and from all receipts together: from the highest
rank, whatever came first. It changes only what may have arrived: nobody is silenced by a receipt for a message that was
never sent.

Who writes an outcome looks for receipts after it has written the delivery's row, and who takes a receipt locks that row
first: of the two, the second one sees the first.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy import bindparam, update
from sqlmodel import Session, col, select

from incident.delivery.ledger_root import ledger_root
from incident.delivery.states import (
    IN_PROGRESS,
    JOB_OF,
    OF_A_RETURN,
    CampaignState,
    DeliveryState,
    Rank,
    Why,
    failed_before,
)
from incident.durable import put_job
from incident.store.change import Change
from incident.store.prepared import Prepared, PreparedLookup
from incident.store.sealing import seal_json
from incident.store.tables import Attempt, Batch, Campaign, Delivery, Receipt
from notifiers.outcome import Result


class VerifiedBy(StrEnum):
    """How a receipt was matched with its message.

    Return path and envelope id carry a mark that only we can make; a Message-ID is known to who saw the message. The
    carrier's id is the one that it gave when it took the message, over the same line, and our own id is one that it gives
    back; by the number alone only somebody is found of whose message nobody knows whether it was taken. The verification
    code of their notice is what an agent of the call centre names.
    """

    RETURN_PATH = "return_path"
    ENVELOPE_ID = "envelope_id"
    MESSAGE_ID = "message_id"
    CARRIERS_ID = "carriers_id"
    OWN_ID = "own_id"
    NUMBER = "number"
    CODE = "code"
    PERSON = "person"


COMPLAINT = "complaint"


@dataclass(frozen=True)
class NewReceipt:
    """What came back about one delivery.

    `event` is what the other side says once, such as the hash of a bounce or a provider's event with its state. `why` is
    the reason that a return gives. `words` are kept sealed.
    """

    delivery_id: str
    channel: str
    event: str
    kind: str
    rank: Rank
    why: Why
    status: str | None
    verified_by: VerifiedBy
    raw_sha256: str
    words: Mapping[str, str]

    @property
    def id(self) -> str:
        """The same for the same event of a channel."""
        return receipt_id(self.channel, self.event)


def receipt_id(channel: str, event: str) -> str:
    """The id of the receipt of an event of a channel."""
    return hashlib.sha256(f"{channel}\n{event}".encode()).hexdigest()[:32]


@dataclass(frozen=True)
class Taken:
    """What became of some receipts: new ones, those taken before, and deliveries that stand elsewhere by them."""

    new: int = 0
    known: int = 0
    changed: int = 0


# -- what follows, pure ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Proved:
    """What the receipts of one delivery prove together."""

    rank: Rank
    why: Why


def proved_by(receipts: Iterable[tuple[int, str, str]], channel: str, tried_before: str = "") -> Proved:
    """The highest rank of some receipts (rank, reason, channel) for who is told over a channel now, and of those who say
    that it came back the reason that tells the most.

    Of a message over a means before, only that it was delivered after all still matters; and not even that where an
    attacker may control it.
    """
    rank, why = Rank.NOTHING, Why.NONE
    in_vain = {each.channel for each in failed_before(tried_before) if each.why is Why.CONTROLLED}
    for each, reason, over in receipts:
        if over != channel and (each < Rank.DELIVERED or over in in_vain):
            continue
        rank = max(rank, Rank(each))
        if each == Rank.RETURNED and reason in OF_A_RETURN:
            why = max(why, Why(reason), key=_how_telling)
    return Proved(rank, why)


def _how_telling(why: Why) -> int:
    return OF_A_RETURN.index(why) if why in OF_A_RETURN else -1


def standing(state: DeliveryState, why: Why, proved: Proved) -> tuple[DeliveryState, Why]:
    """Where a delivery stands of which some attempt may have arrived, by its receipts.

    One that is being sent stays so until its outcome is known. What was handed on or delivered settles whatever was
    doubtful; a return takes back that it was accepted, and is no reason to send the same again.
    """
    if state is DeliveryState.SENDING or proved.rank is Rank.NOTHING:
        return state, why
    if proved.rank is not Rank.RETURNED:
        if proved.rank is Rank.HANDED_ON and state is DeliveryState.UNREACHABLE and why is not Why.NO_ANSWER:
            return state, why
        return DeliveryState.ACCEPTED, Why.NONE
    if state is not DeliveryState.UNREACHABLE:
        return DeliveryState.UNREACHABLE, proved.why
    if why not in OF_A_RETURN:
        return state, why
    # A later attempt may have told more than what came back of an earlier one.
    return state, max(why, proved.why, key=_how_telling)


# -- statements -----------------------------------------------------------------------------------------


GoOn = Callable[[Change, Sequence[str]], None]
"""Lets those of these deliveries go on to another means whom the present one did not reach (`delivery.next_means`)."""


def put_receipts(
    change: Change,
    incident_id: str,
    receipts: Sequence[NewReceipt],
    *,
    go_on: GoOn = lambda change, delivery_ids: None,
) -> Taken:
    """Keep what is new of these receipts of one incident, and let their deliveries stand where they prove.

    Whose message came back goes on to another means in the same change. Of a campaign that has ended the ledger's roots
    are journalled anew. A delivery that does not exist is an error of the caller.
    """
    named = {each.id: each for each in receipts}
    known = {row[0] for row in _KNOWN.all(change.session.connection(), list(named))}
    fresh = [each for receipt_id, each in named.items() if receipt_id not in known]
    if not fresh:
        return Taken(known=len(receipts))
    leaders = sorted({each.delivery_id for each in fresh})
    wake_those_who_wait(change.session, incident_id, leaders)
    _lock(change.session, leaders)
    arrived = _may_have_arrived(change.session, leaders)
    complained = _new_complaints(change.session, fresh, arrived)
    change.put_bulk(Receipt, [_row(each, incident_id, arrived, change) for each in fresh])
    changed = settle_by_receipts(change.session, leaders, now=change.at)
    _count_complaints(change.session, complained)
    go_on(change, leaders)
    if roots := roots_of_ended(change.session, leaders):
        change.note(ledger_roots=roots)
    change.note(receipts=_counts_by_kind(fresh))
    return Taken(new=len(fresh), known=len(receipts) - len(fresh), changed=changed)


def early_receipts(session: Session, delivery_ids: Sequence[str]) -> list[str]:
    """Those of these deliveries about which something came back already, by id."""
    found = _OF_DELIVERIES.all(session.connection(), delivery_ids)
    return sorted({row[0] for row in found})


def settle_by_receipts(session: Session, delivery_ids: Sequence[str], *, now: datetime) -> int:
    """Let these deliveries, and those who share their messages, stand where all their receipts prove.

    The batches' counters change with them. Returns how many stand elsewhere now.
    """
    arrived = _may_have_arrived(session, delivery_ids)
    receipts: dict[str, list[tuple[int, str, str]]] = defaultdict(list)
    found = session.connection().execute(_COUNTING, {"ids": list(delivery_ids)})
    for delivery_id, rank, why, channel in found:
        receipts[delivery_id].append((rank, why, channel))
    about = {each: receipts[each] for each in arrived if receipts[each]}
    moves = [move for row in _lock(session, delivery_ids) if (move := _move(row, about, now=now)) is not None]
    if moves:
        _SETTLE.run_each(session.connection(), [move.values for move in moves])
        _count(session, moves)
    return len(moves)


@dataclass(frozen=True)
class _Move:
    """A delivery that stands elsewhere from now on: its row before, and what it is then."""

    row: Any
    state: DeliveryState
    why: Why
    rank: Rank
    settled_at: datetime | None

    @property
    def values(self) -> dict[str, Any]:
        return {
            "which": self.row.id,
            "new_rank": self.rank,
            "new_state": self.state,
            "new_reason": self.why,
            "new_next_at": self.row.next_at if self.state == self.row.state else None,
            "new_settled_at": self.settled_at,
        }


def _move(row: Any, about: Mapping[str, Sequence[tuple[int, str, str]]], *, now: datetime) -> _Move | None:
    """Where a row goes by the receipts about the delivery whose message it was; None where it stays."""
    receipts = about.get(row.leader_id or row.id)
    if receipts is None:
        return None
    by = proved_by(receipts, row.channel, row.tried_before)
    before = DeliveryState(row.state), Why(row.reason)
    state, why = standing(*before, by)
    if (state, why, by.rank) == (*before, row.rank):
        return None
    return _Move(row, state, why, by.rank, row.settled_at if (state, why) == before else now)


def _count(session: Session, moves: Iterable[_Move]) -> None:
    counters: dict[str, dict[str, int]] = defaultdict(lambda: dict.fromkeys(_COUNTERS, 0))
    for move in moves:
        if not move.row.principal:
            continue
        counted = counters[move.row.batch_id]
        before = _counted(DeliveryState(move.row.state), Rank(move.row.rank))
        for name, number in _counted(move.state, move.rank).items():
            counted[name] += number - before[name]
    for batch_id in sorted(counters):
        values = {f"more_{name}": number for name, number in counters[batch_id].items()}
        _COUNT.run(session.connection(), {"which": batch_id, **values})


_COUNTERS = ("pending", "accepted", "unreachable", "delivered", "returned")


def _counted(state: DeliveryState, rank: Rank) -> dict[str, int]:
    return {
        "pending": state in IN_PROGRESS,
        "accepted": state is DeliveryState.ACCEPTED,
        "unreachable": state is DeliveryState.UNREACHABLE,
        "delivered": rank >= Rank.DELIVERED,
        "returned": rank == Rank.RETURNED,
    }


_SETTLE = Prepared(
    update(Delivery)
    .where(col(Delivery.id) == bindparam("which"))
    .values({name: bindparam(f"new_{name}") for name in ("rank", "state", "reason", "next_at", "settled_at")})
)
_COUNT = Prepared(
    update(Batch)
    .where(col(Batch.id) == bindparam("which"))
    .values({name: col(getattr(Batch, name)) + bindparam(f"more_{name}") for name in _COUNTERS})
)
_KNOWN = PreparedLookup(Receipt, key="id", columns=("id",))
_OF_DELIVERIES = PreparedLookup(Receipt, key="delivery_id", columns=("delivery_id",))
_COUNTING = sa.select(
    col(Receipt.delivery_id), col(Receipt.rank), col(Receipt.why), col(Receipt.channel)
).where(col(Receipt.delivery_id).in_(bindparam("ids", expanding=True)), col(Receipt.counts).is_(True))


def _lock(session: Session, leaders: Sequence[str]) -> list[Any]:
    """The rows of these deliveries and of those who share their messages, held until the transaction ends."""
    found = (
        sa.select(*sa.inspect(Delivery).columns)
        .where(sa.or_(col(Delivery.id).in_(leaders), led_by(leaders)))
        .order_by(col(Delivery.id))
        .with_for_update()
    )
    return list(session.connection().execute(found))


def led_by(leaders: Sequence[str]) -> sa.ColumnElement[bool]:
    """The condition that a delivery has its message from one of these."""
    # By the batch, which has an index: nobody is led from another one.
    batches = sa.select(col(Delivery.batch_id)).where(col(Delivery.id).in_(leaders))
    return sa.and_(col(Delivery.batch_id).in_(batches), col(Delivery.leader_id).in_(leaders))


def _may_have_arrived(session: Session, leaders: Sequence[str]) -> set[str]:
    """Those of which a relay took a message, may have, or has one at this moment."""
    found = (
        select(Attempt.delivery_id)
        .where(
            col(Attempt.delivery_id).in_(leaders),
            sa.or_(
                col(Attempt.result).in_([Result.accepted, Result.ambiguous]),
                col(Attempt.outcome_at).is_(None),
            ),
        )
        .distinct()
    )
    return set(session.exec(found).all())


def wake_those_who_wait(session: Session, incident_id: str, leaders: Sequence[str]) -> None:
    """Let the batches look again in which somebody of these waits.

    Before any row of a delivery, or of a part of its message, is held: who sends a batch holds its job first.
    """
    waiting = select(Delivery.batch_id, Delivery.channel).where(
        col(Delivery.id).in_(leaders), Delivery.state == DeliveryState.PENDING
    )
    for batch_id, channel in sorted(session.exec(waiting.distinct()).all()):
        put_job(session, JOB_OF[channel], batch_id, incident_id=incident_id)


def _row(receipt: NewReceipt, incident_id: str, arrived: set[str], change: Change) -> dict[str, Any]:
    return {
        "id": receipt.id,
        "delivery_id": receipt.delivery_id,
        "incident_id": incident_id,
        "channel": receipt.channel,
        "kind": receipt.kind,
        "rank": receipt.rank,
        "why": receipt.why,
        "counts": receipt.delivery_id in arrived,
        "status": receipt.status,
        "verified_by": receipt.verified_by,
        "raw_sha256": receipt.raw_sha256,
        "taken_at": change.at,
        "sealed": seal_json(change.key, dict(receipt.words), bound_to=f"receipt/{receipt.id}"),
    }


def _new_complaints(session: Session, fresh: Sequence[NewReceipt], arrived: set[str]) -> list[str]:
    """The deliveries that are complained about for the first time: who complains often must not stop a sending alone."""
    about = {each.delivery_id for each in fresh if each.kind == COMPLAINT} & arrived
    before = select(Receipt.delivery_id).where(
        col(Receipt.delivery_id).in_(about), Receipt.kind == COMPLAINT, col(Receipt.counts).is_(True)
    )
    return sorted(about - set(session.exec(before).all())) if about else []


def _count_complaints(session: Session, delivery_ids: Sequence[str]) -> None:
    for delivery_id in delivery_ids:
        batch = select(Delivery.batch_id).where(Delivery.id == delivery_id, col(Delivery.principal).is_(True))
        session.connection().execute(
            update(Batch).where(col(Batch.id).in_(batch)).values(complaints=col(Batch.complaints) + 1)
        )


def roots_of_ended(session: Session, leaders: Sequence[str]) -> dict[str, str]:
    """The ledger's roots, by batch, of those of these deliveries whose campaign has ended."""
    found = (
        select(Batch.id)
        .join(Campaign, col(Campaign.id) == col(Batch.campaign_id))
        .join(Delivery, col(Delivery.batch_id) == col(Batch.id))
        .where(col(Delivery.id).in_(leaders), Campaign.state == CampaignState.ENDED)
        .distinct()
        .order_by(col(Batch.id))
    )
    return {batch_id: ledger_root(session, batch_id) for batch_id in session.exec(found).all()}


def _counts_by_kind(receipts: Iterable[NewReceipt]) -> dict[str, int]:
    counts: dict[str, int] = defaultdict(int)
    for each in receipts:
        counts[each.kind] += 1
    return dict(sorted(counts.items()))
