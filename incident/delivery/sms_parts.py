"""What a carrier says later of the parts of an SMS, and what that proves of the message.

A receipt names a part by the id that the carrier gave when it took it, so it is matched by that id, and by the number it
is about: centres use their ids again. A gateway gives our own id back, which no other message has. Where neither is on
record, because the worker died before it could write the carrier's id down, a receipt is matched by its number alone, and
only with a part of an SMS of which nobody knows whether it was taken.

A message is delivered once all its parts are, and has failed as soon as one of them has.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy import bindparam
from sqlalchemy.orm import aliased
from sqlmodel import Session, col, select

from incident.delivery.ledger import Due, Settled
from incident.delivery.receipts import GoOn, NewReceipt, VerifiedBy, put_receipts, wake_those_who_wait
from incident.delivery.states import SMS, DeliveryState, Rank, Why
from incident.errors import KeyDestroyed, Unreadable
from incident.record.person import person_from_content
from incident.store.change import open_row
from incident.store.prepared import Prepared
from incident.store.store import Store
from incident.store.tables import Attempt, Delivery, MessagePart, Person
from incident.store.tables.delivering import IN_DOUBT
from notifiers.outcome import NO_COPY_TAKEN, Result, Stage
from notifiers.smpp.receipts import id_forms
from notifiers.sms.receipt import MessageState, SmsReceipt

ENGINE = "engine"
TAKEN = "receipts.sms"
_IN_DOUBT_FOR = timedelta(days=4)  # a centre tries for two days as a rule, and says so later at times
_MOST_IN_DOUBT = 1000
_LONGEST_NUMBER = 9  # digits of an attempt's number

DELIVERED = frozenset({MessageState.delivered})
FAILED = frozenset(
    {MessageState.expired, MessageState.deleted, MessageState.undeliverable, MessageState.rejected}
)
HANDED_ON = frozenset({MessageState.enroute, MessageState.accepted})


# -- keeping ----------------------------------------------------------------------------------------------


def own_id(delivery_id: str, n: int) -> str:
    """Our id of one attempt, for a carrier that gives it back."""
    return f"{delivery_id}/{n}"


def begin_parts(
    session: Session,
    due: Due,
    *,
    parts: int,
    centre: str,
    incident_id: str,
    ask_at: datetime | None = None,
) -> None:
    """Write down, with the intent of a message, in how many parts it goes, and when its carrier is asked about it."""
    of_all = {
        "delivery_id": due.id,
        "n": due.attempts + 1,
        "incident_id": incident_id,
        "centre": centre,
        "ask_at": ask_at,
    }
    _BEGIN.run_each(session.connection(), [{"part": part} for part in range(1, parts + 1)], of_all)


_BEGIN = Prepared(
    sa.insert(MessagePart).values(
        {
            **{
                name: bindparam(name)
                for name in ("delivery_id", "n", "part", "incident_id", "centre", "ask_at")
            },
            "ref": "",
            "state": None,
        }
    )
)


def keep_parts(session: Session, settled: Sequence[Settled]) -> None:
    """Keep the ids under which the centre took the parts of some messages; again is no harm. Where it certainly took none
    there is nothing to ask it."""
    taken = [
        {"which": each.due.id, "number": each.due.attempts + 1, "of_part": part, "new_ref": reference}
        for each in settled
        if each.outcome is not None
        for part, reference in enumerate(each.outcome.references, start=1)
    ]
    if taken:
        _KEEP.run_each(session.connection(), taken)
    not_taken = [
        {"which": each.due.id, "number": each.due.attempts + 1}
        for each in settled
        if each.outcome is not None and each.outcome.result in NO_COPY_TAKEN
    ]
    if not_taken:
        _ASK_NOT.run_each(session.connection(), not_taken)


_ASK_NOT = Prepared(
    sa.update(MessagePart)
    .where(col(MessagePart.delivery_id) == bindparam("which"), col(MessagePart.n) == bindparam("number"))
    .values(ask_at=None)
)
_KEEP = Prepared(
    sa.update(MessagePart)
    .where(
        col(MessagePart.delivery_id) == bindparam("which"),
        col(MessagePart.n) == bindparam("number"),
        col(MessagePart.part) == bindparam("of_part"),
    )
    .values(ref=bindparam("new_ref"))
)


# -- taking -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Match:
    """The part that a receipt is about; `part` is 0 where only the number of its message is known."""

    delivery_id: str
    incident_id: str
    n: int
    part: int
    by: VerifiedBy


def take_sms_receipts(
    store: Store, receipts: Sequence[SmsReceipt], *, centre: str, now: datetime, go_on: GoOn
) -> list[bool]:
    """Write down what some receipts say; of each, whether its message was found.

    What is destroyed counts as found: nothing is kept of it any more.
    """
    with store.read() as session:
        matches = [_match(session, store, each, centre=centre, now=now) for each in receipts]
        news = [
            match is not None and not _is_known(session, receipt, match)
            for receipt, match in zip(receipts, matches, strict=True)
        ]
    by_incident: dict[str, list[tuple[SmsReceipt, _Match]]] = defaultdict(list)
    for receipt, match, is_new in zip(receipts, matches, news, strict=True):
        if match is not None and match.incident_id and is_new:
            by_incident[match.incident_id].append((receipt, match))
    for incident_id, found in by_incident.items():
        with store.write(incident_id, kind=TAKEN, actor=ENGINE, now=now) as change:
            leaders = sorted({match.delivery_id for _, match in found})
            wake_those_who_wait(change.session, incident_id, leaders)
            new = _new_receipts(change.session, found, centre=centre)
            put_receipts(change, incident_id, new, go_on=go_on)
    return [match is not None for match in matches]


def _is_known(session: Session, receipt: SmsReceipt, match: _Match) -> bool:
    """Whether a receipt says nothing that is not on record: carriers say the same several times, and each change is
    journalled."""
    part = session.get(MessagePart, (match.delivery_id, match.n, match.part)) if match.part else None
    if part is None or not part.ref:
        return False
    return part.state == receipt.state or part.state in DELIVERED | FAILED


_OF_DESTROYED = _Match("", "", 0, 0, VerifiedBy.CARRIERS_ID)


def _match(
    session: Session, store: Store, receipt: SmsReceipt, *, centre: str, now: datetime
) -> _Match | None:
    destroyed = False
    for part, by in _named(session, receipt, centre=centre):
        try:
            if _is_about(session, store, part.delivery_id, part.incident_id, receipt.number):
                return _Match(part.delivery_id, part.incident_id, part.n, part.part, by)
        except KeyDestroyed:
            destroyed = True
    # One that gives an id of ours back is about that attempt, and about none in doubt beside it.
    found = None if receipt.own_id else _in_doubt(session, store, receipt.number, centre=centre, now=now)
    return found or (_OF_DESTROYED if destroyed else None)


def _named(session: Session, receipt: SmsReceipt, *, centre: str) -> list[tuple[MessagePart, VerifiedBy]]:
    """The parts that a receipt may name: by our own id, which no other message has, and by the carrier's."""
    found: list[tuple[MessagePart, VerifiedBy]] = []
    delivery_id, _, n = receipt.own_id.partition("/")
    if delivery_id and n.isdecimal() and len(n) < _LONGEST_NUMBER:
        ours = session.get(MessagePart, (delivery_id, int(n), 1))
        if ours is not None and ours.centre == centre:
            found.append((ours, VerifiedBy.OWN_ID))
    if not receipt.message_id:
        return found
    named = session.exec(
        select(MessagePart)
        .where(col(MessagePart.ref).in_(id_forms(receipt.message_id)), MessagePart.centre == centre)
        .order_by(col(MessagePart.delivery_id))
    ).all()
    return found + [(each, VerifiedBy.CARRIERS_ID) for each in named if each.ref]


def _is_about(session: Session, store: Store, delivery_id: str, incident_id: str, number: str) -> bool:
    """Whether a delivery went to a number. Raises `KeyDestroyed`."""
    return _same_number(number_of(session, store, delivery_id, incident_id), number)


def number_of(session: Session, store: Store, delivery_id: str, incident_id: str) -> str:
    """The number that a delivery goes to, empty where it cannot be read. Raises `KeyDestroyed`."""
    key = store.key(incident_id)
    delivery = session.get(Delivery, delivery_id)
    person = session.get(Person, delivery.person_id) if delivery is not None else None
    if person is None:
        return ""
    try:
        row = person_from_content(open_row(person, key=key))
    except Unreadable:
        return ""
    return row.phones[0] if row.phones else ""


def _same_number(ours: str, theirs: str) -> bool:
    """Centres write a number with or without its country code, a plus or zeros before it."""
    digits = theirs.lstrip("+0")
    return len(digits) >= 6 and ours.removeprefix("+").endswith(digits)


def _in_doubt(session: Session, store: Store, number: str, *, centre: str, now: datetime) -> _Match | None:
    """The one message to a number of which nobody knows whether this centre took it; None where there is none, or two.

    Nor where it is being sent again at this moment: the receipt may be about that copy, whose ids are on record soon. Nor
    where another try of it may have left a part with the centre: the parts of two tries are no whole message.
    """
    waits = (
        sa.exists()
        .where(
            col(MessagePart.delivery_id) == col(Attempt.delivery_id),
            col(MessagePart.n) == col(Attempt.n),
            col(MessagePart.centre) == centre,
            *_NOTHING_KNOWN,
        )
        .correlate(Attempt)
    )
    rows = session.exec(
        select(Attempt.delivery_id, Attempt.incident_id, Attempt.n)
        .join(Delivery, col(Delivery.id) == col(Attempt.delivery_id))
        .where(
            IN_DOUBT,
            Attempt.channel == SMS,
            Attempt.intent_at > now - _IN_DOUBT_FOR,
            Delivery.state != DeliveryState.SENDING,
            waits,
            ~_left_parts_before_or_after(),
        )
        .limit(_MOST_IN_DOUBT)
    ).all()
    found: list[_Match] = []
    for delivery_id, incident_id, n in rows:
        with suppress(KeyDestroyed):
            if _is_about(session, store, delivery_id, incident_id, number):
                found.append(_Match(delivery_id, incident_id, n, 0, VerifiedBy.NUMBER))
    return found[0] if len(found) == 1 else None


def _left_parts_before_or_after() -> sa.ColumnElement[bool]:
    """Whether another try by SMS of the same delivery was in doubt, or broke off between two parts."""
    other = aliased(Attempt)
    return (
        sa.exists()
        .where(
            col(other.delivery_id) == col(Attempt.delivery_id),
            col(other.n) != col(Attempt.n),
            col(other.channel) == SMS,
            sa.or_(col(other.result) == Result.ambiguous, col(other.stage) == Stage.data),
        )
        .correlate(Attempt)
    )


_NOTHING_KNOWN = (col(MessagePart.ref) == "", col(MessagePart.state).is_(None))


def _new_receipts(
    session: Session, found: Sequence[tuple[SmsReceipt, _Match]], *, centre: str
) -> list[NewReceipt]:
    """Note the states of parts, and make a receipt of each message about which they say something."""
    about: dict[tuple[str, int], tuple[SmsReceipt, VerifiedBy]] = {}
    for receipt, match in found:
        part = _part(session, match, receipt.message_id)
        if part is None:
            continue  # all of its parts are known
        # Known by its id from now on: the centre may say the same again.
        part.ref = part.ref or receipt.message_id
        if part.state not in DELIVERED | FAILED:
            part.state = receipt.state
        if part.state in DELIVERED | FAILED:
            part.ask_at = None
        session.add(part)
        session.flush()
        about[match.delivery_id, match.n] = receipt, match.by
    states = _states(session, about)
    made = [
        _receipt(delivery_id, n, rank_of(states[delivery_id, n]), receipt, centre, verified_by)
        for (delivery_id, n), (receipt, verified_by) in about.items()
    ]
    return [each for each in made if each.rank is not Rank.NOTHING]


def _part(session: Session, match: _Match, message_id: str) -> MessagePart | None:
    """The part that a match is about: of a message that is known by its number, the one that got this id from a receipt
    just now, or the first of which nothing is known."""
    if match.part:
        return session.get_one(MessagePart, (match.delivery_id, match.n, match.part), populate_existing=True)
    of_it = (
        select(MessagePart)
        .where(MessagePart.delivery_id == match.delivery_id, MessagePart.n == match.n)
        .order_by(col(MessagePart.part))
        .limit(1)
    )
    said_again = session.exec(of_it.where(col(MessagePart.ref).in_(id_forms(message_id)))).first()
    return said_again or session.exec(of_it.where(*_NOTHING_KNOWN)).first()


def _states(
    session: Session, about: Iterable[tuple[str, int]]
) -> dict[tuple[str, int], list[MessageState | None]]:
    rows = session.exec(
        select(MessagePart).where(col(MessagePart.delivery_id).in_({each for each, _ in about}))
    ).all()
    states: dict[tuple[str, int], list[MessageState | None]] = defaultdict(list)
    for row in rows:
        states[row.delivery_id, row.n].append(MessageState(row.state) if row.state else None)
    return states


def rank_of(states: Sequence[MessageState | None]) -> Rank:
    """What the states of a message's parts prove of it; None of a part of which nothing was said. Pure.

    A part alone proves nothing: of a message whose worker died, the centre may have no more than that.
    """
    if any(each in FAILED for each in states):
        return Rank.RETURNED
    if all(each in DELIVERED for each in states):
        return Rank.DELIVERED
    return Rank.HANDED_ON if all(each in DELIVERED | HANDED_ON for each in states) else Rank.NOTHING


_KINDS = {Rank.RETURNED: "failed", Rank.DELIVERED: "delivered", Rank.HANDED_ON: "relayed"}


def _receipt(
    delivery_id: str, n: int, rank: Rank, receipt: SmsReceipt, centre: str, verified_by: VerifiedBy
) -> NewReceipt:
    return NewReceipt(
        delivery_id=delivery_id,
        channel=SMS,
        event=f"{centre} {delivery_id}/{n} {rank.name}",
        kind=_KINDS.get(rank, ""),
        rank=rank,
        why=Why.RETURNED if rank is Rank.RETURNED else Why.NONE,
        status=receipt.error,
        verified_by=verified_by,
        raw_sha256=hashlib.sha256(receipt.raw_text.encode()).hexdigest(),
        words={"text": f"{receipt.state} {receipt.done_at or ''}".strip()},
    )
