"""Which copy of the record this is, and whether it may act.

A record has copies: backups, one that was restored, the file that a move left behind. Only one may write, or people
are told twice and two journals grow from one. A copy may act when its standing is `active` and its epoch is the one
that the keyring holds. Who makes another copy the one raises the epoch in the keyring first and writes it into that
copy afterwards: from the first step on the old one is out, and a crash between the two leaves none that may act, until
the activation is called again. The keyring hands each epoch out once, so two copies never hold the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from sqlalchemy import text
from sqlmodel import Session, col, select

from incident.errors import Refused, StoreUnavailable, TocsinError
from incident.store.journal import WORKSPACE_CHAIN
from incident.store.prepared import Prepared

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from incident.store.store import Store

RECORD_MOVED = "record.moved"
RECORD_ACTIVATED = "record.activated"
_THIS = "this"
# It stands in every writing transaction.
_READ = Prepared(text(f"SELECT epoch, standing FROM instance WHERE id = '{_THIS}'"))  # noqa: S608 - a constant


class Standing(StrEnum):
    """`copy`: a backup, restored or not. `arriving`: what a move fills. `moved`: what a move left behind."""

    ACTIVE = "active"
    COPY = "copy"
    ARRIVING = "arriving"
    MOVED = "moved"


@dataclass(frozen=True)
class Instance:
    """What a store says of itself."""

    epoch: int
    standing: Standing


class NotInCharge(Refused):
    """This copy of the record may not act: another one does, or nobody has decided yet."""


Fence = Callable[["Store", Session], AbstractContextManager[None]]
"""What surrounds every writing transaction, from its beginning until right before the commit."""


def this_instance(connection: Connection, *, where: str) -> Instance:
    """What the store says of itself. Raises `StoreUnavailable` when it says nothing that is known."""
    row = _READ.run(connection, {}).fetchone()
    try:
        if row is None:
            raise ValueError
        return Instance(int(row[0]), Standing(row[1]))
    except ValueError:
        raise StoreUnavailable(
            "the store does not say which copy of the record it is",
            where=where,
            next_step="its table `instance` was changed; put a backup back",
        ) from None


def set_instance(session: Session, instance: Instance, *, now: datetime) -> None:
    """Say from now on that the store is this."""
    from incident.store.tables import Instance as Row

    session.merge(Row(id=_THIS, epoch=instance.epoch, standing=instance.standing, changed_at=now))
    session.flush()


@contextmanager
def in_charge(store: Store, session: Session) -> Iterator[None]:
    """The fence of every writing transaction: this copy may act when it begins, and still when it ends.

    Raises `NotInCharge`, saying where the record is now or what makes this copy the one.
    """
    instance = must_be_in_charge(store, session)
    yield
    # Importing a million people takes a while; in that time another copy may have become the one.
    if instance.epoch != store.keyring.epoch():
        raise not_in_charge(store, instance)


def must_be_in_charge(store: Store, session: Session) -> Instance:
    """What this store is, if it may act now. Raises `NotInCharge`, `KeyMissing` for a keyring whose epoch is damaged."""
    instance = this_instance(session.connection(), where=store.where)
    if instance.standing is not Standing.ACTIVE or instance.epoch != store.keyring.epoch():
        raise not_in_charge(store, instance)
    return instance


def unfenced(store: Store, session: Session) -> AbstractContextManager[None]:
    """No fence: for a copy that is being filled or changes its standing."""
    from contextlib import nullcontext

    return nullcontext()


def raising_epoch_to(epoch: int) -> Fence:
    """The fence of the one transaction that makes a copy the one: the keyring hears of it right before the commit."""

    @contextmanager
    def fence(store: Store, session: Session) -> Iterator[None]:
        yield
        store.keyring.raise_epoch(epoch)

    return fence


def objection(store: Store) -> NotInCharge | None:
    """Why this copy may not act, for those who only read; None when it may. Raises `StoreUnavailable`, `KeyMissing`."""
    try:
        with store.read() as session:
            must_be_in_charge(store, session)
    except NotInCharge as why:
        return why
    return None


def not_in_charge(store: Store, instance: Instance) -> NotInCharge:
    """The refusal that fits a store's standing."""
    if instance.standing is Standing.COPY:
        return NotInCharge(
            "this is a copy of the record and does not act",
            where=store.where,
            next_step="`incident restore --activate --reason TEXT` makes it the one; every other copy with this "
            "keyring is out from then on",
        )
    if instance.standing is Standing.ARRIVING:
        return NotInCharge(
            "a move into this store was not finished",
            where=store.where,
            next_step="call `incident move` again where it was begun",
        )
    if instance.standing is Standing.MOVED:
        target = moved_to(store)
        return NotInCharge(
            f"this record was moved to {target or 'another store'}",
            where=store.where,
            next_step="write that into store.url of incident.toml; if the move was cut off, call it again",
        )
    held = store.keyring.epoch()
    if instance.epoch < held:
        return NotInCharge(
            f"another copy of this record is the one that acts (epoch {held}; this one is of epoch {instance.epoch})",
            where=store.where,
            next_step="work with that copy; if it was not finished, `incident restore --activate` there does it",
        )
    return NotInCharge(
        f"the keyring is older than this record (epoch {held}; the record is of epoch {instance.epoch})",
        where=str(store.keyring.folder),
        next_step="put the present keyring here, with its file `epoch`",
    )


def moved_to(store: Store) -> str | None:
    """Where a record was moved to, from its last entry about that; None when there is none, or it cannot be read."""
    from incident.store.tables import JournalEntry

    last = (
        select(JournalEntry.seq)
        .where(JournalEntry.chain == WORKSPACE_CHAIN, JournalEntry.kind == RECORD_MOVED)
        .order_by(col(JournalEntry.seq).desc())
    )
    try:
        with store.read() as session:
            seq = session.exec(last).first()
        body = store.body_of(WORKSPACE_CHAIN, seq) if seq is not None else None
    except TocsinError:
        return None
    return str(body["to"]) if body and "to" in body else None
