"""The store: one `write()` for every change, sealed reading, and the journal as it was recorded."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, SQLModel, col, select

from incident.errors import ConflictingWrite, KeyDestroyed, KeyMissing, Unreadable
from incident.store import tables
from incident.store.appending import append, read_head
from incident.store.change import Change, Content, open_row
from incident.store.database import is_postgres, reading, store_errors, take_turn, writing
from incident.store.instance import Fence, in_charge
from incident.store.journal import WORKSPACE_CHAIN, Entry, Head, body_hash, next_entry
from incident.store.keyring import WORKSPACE_KEY, Keyring
from incident.store.sealing import seal_json, unseal_json

_SALT_BYTES = 16
_ORDER_DIGITS = 17  # of the 32 of an id that stands in order


class _WritingSession(Session):
    """A session whose rows that wait to be written are written before a statement goes around it."""

    _own: Connection | None = None

    def connection(self, *args: Any, **kwargs: Any) -> Connection:
        self.flush()
        if args or kwargs or self.in_nested_transaction():
            return super().connection(*args, **kwargs)  # which sets the savepoint
        # It is asked for at every statement, and is the same one until the transaction ends.
        if self._own is None or not self._own.in_transaction():
            self._own = super().connection()
        return self._own


@dataclass(frozen=True)
class Recorded:
    """An entry of the journal with its body, if that can still be read."""

    entry: Entry
    body: Content | None
    destroyed_at: datetime | None


class Store:
    """Everything the record holds. One object a process; safe for its threads."""

    def __init__(
        self,
        engine: Engine,
        keyring: Keyring,
        *,
        where: str,
        random: Callable[[int], bytes] = os.urandom,
        fence: Fence = in_charge,
    ) -> None:
        self.engine = engine
        self.keyring = keyring
        self.where = where
        self._random = random
        self._reading = reading(engine)
        self._writing = writing(engine)
        self._fence = fence
        # SQLite has one writer; our lock is fair between threads, its busy handler is not.
        self._writer = nullcontext() if is_postgres(engine) else threading.Lock()

    def close(self) -> None:
        self.engine.dispose()

    def new_id(self) -> str:
        """A new random id for a row: 128 bits as 32 hexadecimal digits."""
        return self._random(16).hex()

    def new_ids_together(self) -> Callable[[], str]:
        """Makes new ids that begin alike, so that what is written for them lies together in an index.

        Their first 8 hexadecimal digits are random but the same, the other 24 random. For ids that leave the house:
        unlike ids in order they do not tell how many came before them. Measured with a million, 20 rows at a time and
        SQLite's usual cache, they take half the time of ids that have nothing in common.
        """
        begun = self._random(4).hex()
        return lambda: begun + self._random(12).hex()

    def new_ids_in_order(self, count: int, *, now: datetime, piece: int) -> list[str]:
        """New ids for one piece of a long list of rows, each above all of the pieces before it, as UUIDv7 is (RFC 9562).

        An index is then written at its end alone, where one of random ids is written all over. Of 32 hexadecimal digits
        11 tell the milliseconds of `now` since 1970, 6 the number of the piece from 0, and 15 are random.
        """
        prefix = f"{int(now.timestamp() * 1000):011x}{piece:06x}"
        if len(prefix) != _ORDER_DIGITS:
            raise ValueError(f"there is no piece {piece} of a list")
        digits = self._random(8 * count).hex()
        return sorted(prefix + digits[at : at + 15] for at in range(0, len(digits), 16))

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A consistent view of the store for reading: its state when the first row was asked for."""
        with store_errors(self.where), Session(self._reading, expire_on_commit=False) as session:
            yield session

    @contextmanager
    def transaction(self, *, in_turn: str | None = None) -> Iterator[Session]:
        """A writing transaction without a journal entry: for jobs and for bulk tables within a batch.

        SQLite runs one writer at a time. PostgreSQL runs many, each seeing what others have committed; those that
        name the same chain (or any other name) `in_turn` run one after the other, and after a `write` to that
        chain. Who reads and then decides names one, or changes the row in one statement.

        Raises `NotInCharge` when this copy of the record may not act.
        """
        with (
            store_errors(self.where),
            self._writer,
            _WritingSession(self._writing, expire_on_commit=False) as session,
            session.begin(),
        ):
            take_turn(session.connection(), in_turn)
            with self._fence(self, session):
                yield session

    @contextmanager
    def write(self, chain: str, *, kind: str, actor: str, now: datetime) -> Iterator[Change]:
        """The one way to change the record: rows and a journal entry in one transaction.

        `chain` is an incident's id or the workspace's chain; the changes of one chain happen in turn. Locks are
        taken in one order: the chain's turn, a further name's (`Change.take_turn`), rows of jobs and others, the
        chain's head, and last the head of the workspace's chain, for an anchor. No change may open another within.

        Raises `KeyDestroyed` / `KeyMissing` before anything is written, `StoreUnavailable` when the database
        refuses, `ConflictingWrite` when the chain's end is taken or another change stood in the way; the store is
        then as before. Only after a `StoreAway` it may hold the change: the answer to the commit can get lost.
        """
        key = self.keyring.get(_key_name(chain))
        with self.transaction(in_turn=chain) as session:
            change = Change(session, key=key, at=now, actor=actor)
            yield change
            session.flush()
            head = self._append(session, chain, kind=kind, actor=actor, now=now, body=change.body())
            if change.anchored and chain != WORKSPACE_CHAIN:
                anchor = {"chain": head.chain, "seq": head.seq, "hash": head.hash}
                self._append(
                    session, WORKSPACE_CHAIN, kind="anchor", actor=actor, now=now, body={"anchor": anchor}
                )

    def open(self, row: SQLModel, *, incident_id: str) -> Content:
        """The sealed content of a row. Raises `KeyDestroyed`, `KeyMissing` or `Unreadable`."""
        return open_row(row, key=self.keyring.get(_key_name(incident_id)))

    def key(self, incident_id: str) -> bytes:
        """An incident's key. Raises `KeyDestroyed` or `KeyMissing`."""
        return self.keyring.get(_key_name(incident_id))

    def chains(self) -> list[str]:
        """The names of all chains, the workspace's first."""
        with self.read() as session:
            names = session.exec(
                select(tables.JournalHead.chain).order_by(col(tables.JournalHead.chain))
            ).all()
        return sorted(names, key=lambda name: (name != WORKSPACE_CHAIN, name))

    def heads(self) -> list[Head]:
        """Every chain's head, as stored."""
        with self.read() as session:
            rows = session.exec(select(tables.JournalHead).order_by(col(tables.JournalHead.chain))).all()
        return [Head(row.chain, row.seq, row.hash) for row in rows]

    def entries(self, chain: str) -> list[Entry]:
        """All entries of a chain in order of their number."""
        with self.read() as session:
            rows = session.exec(
                select(tables.JournalEntry)
                .where(tables.JournalEntry.chain == chain)
                .order_by(col(tables.JournalEntry.seq))
            ).all()
        return [_entry(row) for row in rows]

    def recorded(
        self, chain: str, *, until: datetime | None = None, skip_unreadable: bool = False
    ) -> Iterator[Recorded]:
        """The chain's entries with their bodies, up to the last one that was recorded at or before `until`.

        The order of recording counts: an entry below that one belongs to it, whatever the clock said. A body whose
        key or bytes were destroyed comes as None. Raises `Unreadable` for one that was tampered with or taken out,
        unless such are to be skipped (they then come as None too).
        """
        with self.read() as session:
            entries = session.exec(
                select(tables.JournalEntry)
                .where(tables.JournalEntry.chain == chain)
                .order_by(col(tables.JournalEntry.seq))
            ).all()
            bodies = {
                row.seq: row
                for row in session.exec(
                    select(tables.JournalBody).where(tables.JournalBody.chain == chain)
                ).all()
            }
        if until is not None:
            last = max((row.seq for row in entries if row.at <= until), default=0)
            entries = [row for row in entries if row.seq <= last]
        for row in entries:
            body_row = bodies.get(row.seq)
            destroyed = body_row.destroyed_at if body_row else None
            try:
                body = self._body(body_row, row)
            except Unreadable:
                if not skip_unreadable:
                    raise
                body = None
            yield Recorded(_entry(row), body, destroyed)

    def body_of(self, chain: str, seq: int) -> Content | None:
        """The body of one entry; None when it or its key was destroyed. Raises `Unreadable` if it was tampered with."""
        with self.read() as session:
            entry = session.get(tables.JournalEntry, (chain, seq))
            body = session.get(tables.JournalBody, (chain, seq))
        return self._body(body, entry) if entry is not None else None

    def _body(self, row: tables.JournalBody | None, entry: tables.JournalEntry) -> Content | None:
        if row is not None and row.destroyed_at is not None:
            return None
        try:
            key = self.keyring.get(_key_name(entry.chain))
        except (KeyDestroyed, KeyMissing):
            return None
        if row is None:
            raise Unreadable("the body was taken out", where=_body_name(entry.chain, entry.seq))
        salted: dict[str, Any] = unseal_json(key, row.sealed, bound_to=_body_name(entry.chain, entry.seq))
        body: Content = salted["body"]
        if body_hash(bytes.fromhex(salted["salt"]), body) != entry.body_hash:
            raise Unreadable(
                "the body is not the one that the chain names", where=_body_name(entry.chain, entry.seq)
            )
        return body

    def _append(
        self, session: Session, chain: str, *, kind: str, actor: str, now: datetime, body: Content
    ) -> Entry:
        salt = self._random(_SALT_BYTES)
        # As it is now: for the workspace's head others may have come first since this session last saw it.
        head = read_head(session.connection(), chain)
        entry = next_entry(head, chain=chain, at=now, kind=kind, actor=actor, body_hash=body_hash(salt, body))
        sealed = seal_json(
            self.keyring.get(_key_name(chain)),
            {"salt": salt.hex(), "body": body},
            bound_to=_body_name(chain, entry.seq),
            random=self._random,
        )
        try:
            append(session.connection(), entry, sealed)
        except IntegrityError:
            raise ConflictingWrite(
                f"the journal holds an entry {entry.seq} already; nothing was changed",
                where=chain,
                next_step="try again; if it stays, the journal was changed: `incident verify` shows where",
            ) from None
        return entry


def _key_name(chain: str) -> str:
    return WORKSPACE_KEY if chain == WORKSPACE_CHAIN else chain


def _body_name(chain: str, seq: int) -> str:
    return f"journal_body/{chain}/{seq}"


def _entry(row: tables.JournalEntry) -> Entry:
    return Entry(
        chain=row.chain,
        seq=row.seq,
        at=row.at,
        kind=row.kind,
        actor=row.actor,
        suite=row.suite,
        body_hash=row.body_hash,
        previous=row.previous,
        hash=row.hash,
    )
