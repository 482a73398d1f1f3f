"""Bounces: a message that came back, the delivery that it is about, and the receipt that it becomes.

A bounce is matched by the mark in the address that it came to, by the envelope id, or by the Message-ID of the returned
message, in this order. Nothing is matched by an address that stands in it: anybody could write that. What cannot be
matched, or says nothing, is left to a person.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from sqlmodel import Session

from incident.delivery.maildir import Maildir, Message, read_message
from incident.delivery.receipts import COMPLAINT, GoOn, NewReceipt, VerifiedBy, put_receipts
from incident.delivery.return_path import BounceMailbox, is_ours
from incident.delivery.returns import call_about_returns
from incident.delivery.states import EMAIL, Rank, Why
from incident.errors import KeyDestroyed
from incident.settings import WaveSettings
from incident.store.instance import must_be_in_charge
from incident.store.store import Store
from incident.store.tables import Delivery
from notifiers.email.bounces import By, Kind, RecipientReport, Report, read_report
from notifiers.email.verp import Mark, read_mark

ROUND = 200
"""Messages that are taken together: one entry in the journal of each incident."""

ENGINE = "engine"
TAKEN = "receipts.taken"
_DELIVERY_IN_MESSAGE_ID = re.compile(r"<([0-9a-f]{32})@")

_RANKS = {
    Kind.failed: Rank.RETURNED,
    Kind.delivered: Rank.DELIVERED,
    # Whoever complains has it before them.
    Kind.complaint: Rank.DELIVERED,
    Kind.relayed: Rank.HANDED_ON,
    Kind.expanded: Rank.HANDED_ON,
    Kind.delayed: Rank.NOTHING,
    Kind.auto_reply: Rank.NOTHING,
}


class Unclear(StrEnum):
    """Why a message is left to a person."""

    TOO_LARGE = "too_large"
    SAYS_NOTHING = "says_nothing"
    OF_NOTHING = "of_nothing"


@dataclass(frozen=True)
class Match:
    """The delivery that a bounce is about. `destroyed`: the data of its incident is, and nothing more is kept."""

    delivery_id: str
    incident_id: str
    verified_by: VerifiedBy
    destroyed: bool = False


@dataclass(frozen=True)
class Round:
    """What became of some messages. `changed` deliveries stand elsewhere now; `unclear` messages a person must see."""

    new: int = 0
    known: int = 0
    changed: int = 0
    unclear: int = 0
    destroyed: int = 0

    @property
    def messages(self) -> int:
        return self.new + self.known + self.unclear + self.destroyed

    def __add__(self, other: Round) -> Round:
        return Round(
            self.new + other.new,
            self.known + other.known,
            self.changed + other.changed,
            self.unclear + other.unclear,
            self.destroyed + other.destroyed,
        )


# -- one message ----------------------------------------------------------------------------------------


def match(session: Session, store: Store, report: Report, mailbox: BounceMailbox | None) -> Match | None:
    """The delivery that a report is about; None when nothing in it proves which one.

    Raises `KeyMissing` when the key to prove it by is not in the keyring.
    """
    for mark, verified_by in _marks_in(report, mailbox):
        found = _delivery(session, store, mark.reference.hex(), verified_by)
        if found is not None and (found.destroyed or is_ours(mark, key=store.key(found.incident_id))):
            return found
    for message_id in report.message_ids:
        named = _DELIVERY_IN_MESSAGE_ID.match(message_id)
        found = _delivery(session, store, named[1], VerifiedBy.MESSAGE_ID) if named else None
        if found is not None:
            return found
    return None


def _delivery(session: Session, store: Store, delivery_id: str, verified_by: VerifiedBy) -> Match | None:
    row = session.get(Delivery, delivery_id)
    if row is None:
        return None
    try:
        store.key(row.incident_id)
    except KeyDestroyed:
        return Match(row.id, row.incident_id, verified_by, destroyed=True)
    return Match(row.leader_id or row.id, row.incident_id, verified_by)


def _marks_in(report: Report, mailbox: BounceMailbox | None) -> Iterator[tuple[Mark, VerifiedBy]]:
    if mailbox is not None:
        for address in (*report.addressed_to, *report.return_paths):
            if (mark := mailbox.mark_in(address)) is not None:
                yield mark, VerifiedBy.RETURN_PATH
    for envelope_id in (report.envelope_id, report.envelope_id_as_written):
        if envelope_id and (mark := read_mark(envelope_id)) is not None:
            yield mark, VerifiedBy.ENVELOPE_ID


def receipt_of(report: Report, found: Match, *, raw_sha256: str) -> NewReceipt | None:
    """The receipt that a matched report becomes; None when it says nothing."""
    if report.kind not in _RANKS:
        return None
    about = next((each for each in report.recipients if each.kind is report.kind), None)
    rank = _RANKS[report.kind]
    return NewReceipt(
        delivery_id=found.delivery_id,
        channel=EMAIL,
        event=raw_sha256,
        kind=COMPLAINT if report.kind is Kind.complaint else str(report.kind),
        rank=rank,
        why=_why(about) if rank is Rank.RETURNED else Why.NONE,
        status=about.status if about else None,
        verified_by=found.verified_by,
        raw_sha256=raw_sha256,
        words=_words(report, about),
    )


def _why(about: RecipientReport | None) -> Why:
    """A block says nothing of the address, and a message that was given up after days does not either."""
    if about is None:
        return Why.RETURNED
    if about.blocked:
        return Why.BLOCKED
    return Why.BAD_ADDRESS if about.address_is_dead else Why.RETURNED


def _words(report: Report, about: RecipientReport | None) -> dict[str, str]:
    words = {
        "reporting_mta": report.reporting_mta,
        "read_by": str(report.by) if report.by is not By.none else "",
    }
    if about is not None:
        words |= {
            "text": about.diagnostic,
            "address": about.final_recipient or about.original_recipient,
            "remote_mta": about.remote_mta,
        }
    return {name: value for name, value in words.items() if value}


# -- many -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class BounceDesk:
    """What taking needs: the record, the mailbox of all return paths, what is too much (`[waves]`), and who takes."""

    store: Store
    mailbox: BounceMailbox | None
    waves: WaveSettings
    actor: str = ENGINE
    go_on: GoOn = lambda change, delivery_ids: None


def take_from(maildir: Maildir, desk: BounceDesk, *, now: datetime) -> Round:
    """Take up to `ROUND` messages: what is on record is removed, what is unclear put aside.

    A crash at any point loses none and counts none twice: a message is removed only once its receipt is committed, and
    the same message makes the same receipt. Raises `NotInCharge` for a copy of the record that may not act.
    """
    taken = take_files(maildir.inbox(most=ROUND), desk, now=now)
    for path in taken.clear:
        maildir.remove(path)
    for path in taken.unclear:
        maildir.set_aside(path)
    return taken.done


def take_what_became_clear(maildir: Maildir, desk: BounceDesk, *, now: datetime) -> Round:
    """Take of what was put aside all that can be matched and read by now."""
    taken = take_files(maildir.put_aside(), desk, now=now)
    for path in taken.clear:
        maildir.remove(path)
    return taken.done


@dataclass(frozen=True)
class TakenFiles:
    """What became of the messages in some files: `clear` are those that nobody needs any more."""

    done: Round = Round()
    clear: tuple[Path, ...] = ()
    unclear: Mapping[Path, Unclear] = field(default_factory=dict)


def take_files(paths: Sequence[Path], desk: BounceDesk, *, now: datetime) -> TakenFiles:
    """Keep the receipts that the messages in files make, `ROUND` at a time and one in memory; the files stay.

    Raises `WorkspaceError` for a file that cannot be read; one that is gone by now, or no plain file, is left out.
    """
    done, clear, unclear = Round(), list[Path](), dict[Path, Unclear]()
    for begin in range(0, len(paths), ROUND):
        read: list[Path] = []
        taken, doubtful = _take(_read_each(paths[begin : begin + ROUND], read), desk, now=now)
        done += taken
        unclear |= doubtful
        clear += [path for path in read if path not in doubtful]
    return TakenFiles(done, tuple(clear), unclear)


def _read_each(paths: Sequence[Path], read: list[Path]) -> Iterator[Message]:
    """The messages in these files; `read` gets those that there are."""
    for path in paths:
        if (message := read_message(path)) is not None:
            read.append(path)
            yield message


def _take(
    messages: Iterable[Message], desk: BounceDesk, *, now: datetime
) -> tuple[Round, dict[Path, Unclear]]:
    receipts: dict[str, list[NewReceipt]] = defaultdict(list)
    unclear: dict[Path, Unclear] = {}
    destroyed = 0
    with desk.store.read() as session:
        # Another copy knows what was sent since this one was made: to this one it would be about nothing.
        must_be_in_charge(desk.store, session)
        for message in messages:
            read = _read(session, desk.store, message, desk.mailbox)
            if isinstance(read, Unclear):
                unclear[message.path] = read
            elif read.receipt is None:
                destroyed += 1
            else:
                receipts[read.incident_id].append(read.receipt)
    done = Round(unclear=len(unclear), destroyed=destroyed)
    for incident_id in sorted(receipts):
        with desk.store.write(incident_id, kind=TAKEN, actor=desk.actor, now=now) as change:
            taken = put_receipts(change, incident_id, receipts[incident_id], go_on=desk.go_on)
            if taken.new:
                call_about_returns(change, desk.store, incident_id, desk.waves)
        done += Round(taken.new, taken.known, taken.changed)
    return done, unclear


def look_aside(maildir: Maildir, desk: BounceDesk) -> Iterator[tuple[Message, Unclear | None]]:
    """What was put aside, with the reason; None where there is none any more. Nothing is changed."""
    with desk.store.read() as session:
        for path in maildir.put_aside():
            if (message := read_message(path)) is not None:
                read = _read(session, desk.store, message, desk.mailbox)
                yield message, read if isinstance(read, Unclear) else None


@dataclass(frozen=True)
class _Read:
    """What a message says of which incident; no receipt is kept where its data was destroyed."""

    incident_id: str
    receipt: NewReceipt | None


def _read(session: Session, store: Store, message: Message, mailbox: BounceMailbox | None) -> _Read | Unclear:
    if message.too_large:
        return Unclear.TOO_LARGE
    report = read_report(message.raw)
    found = match(session, store, report, mailbox)
    if found is None:
        return Unclear.OF_NOTHING
    if found.destroyed:
        return _Read(found.incident_id, None)
    receipt = receipt_of(report, found, raw_sha256=message.sha256)
    return _Read(found.incident_id, receipt) if receipt is not None else Unclear.SAYS_NOTHING
