"""Moving the record to another database: SQLite to PostgreSQL, or back. Nothing is lost, and never may both act.

    1  the source is held, so that nobody writes, and its journal says that it moves
    2  every table is copied in one transaction, read back and compared; the target is `arriving`
    3  the journal is verified in the target
    4  the source commits that it is `moved`: from here on neither may act
    5  the target is activated, which raises the keyring's epoch
    6  `incident.toml` names the target

Cut off before 4, the source acts on and the move begins anew when it is called again. Cut off later, calling it again
goes on where it was.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import Connection
from sqlmodel import Session

from incident.durable import somebody_works
from incident.errors import Refused, StoreUnavailable
from incident.ops.activation import activate
from incident.ops.settings_edit import read_settings_text, replace_settings, with_store
from incident.proof.verify import verify
from incident.settings import Settings, StoreSettings, parse_settings
from incident.store.copying import (
    Tally,
    fill,
    first_entry,
    hold_back_writers,
    must_be_equal,
    open_target,
    tally,
)
from incident.store.database import is_postgres
from incident.store.instance import (
    RECORD_MOVED,
    Fence,
    Instance,
    Standing,
    in_charge,
    moved_to,
    must_be_in_charge,
    not_in_charge,
    set_instance,
    this_instance,
    unfenced,
)
from incident.store.journal import WORKSPACE_CHAIN
from incident.store.migrations import current_revision
from incident.store.store import Store
from incident.workspace import Workspace, worker_lock


class Step(StrEnum):
    """What a move has just done."""

    HELD = "held"
    COPIED = "copied"
    VERIFIED = "verified"
    LEFT = "left"
    ACTIVATED = "activated"
    NAMED = "named"


@dataclass(frozen=True)
class Moved:
    """Where the record is now. `resumed`: an earlier call had left it already."""

    url: str
    left: str
    rows: int
    epoch: int
    resumed: bool


@dataclass(frozen=True)
class Target:
    """Where the record goes: a URL without a password, and a reference to the password if there is one."""

    url: str
    password: str | None = None


@dataclass
class Move:
    """One move. `on_step` hears of each step once it is done, `on_table` of each table before it is copied."""

    workspace: Workspace
    settings: Settings
    source: Store
    target: Target
    actor: str
    clock: Callable[[], datetime]
    on_step: Callable[[Step], None] = lambda step: None
    on_table: Callable[[str], None] = lambda name: None

    def run(self) -> Moved:
        """Move, or go on with a move that was cut off. Called on a record that is there already it changes nothing.

        Raises `BadInput` for a target that is none, `Refused` while a worker is at work or when another copy is the
        one that acts, `WorkspaceError` for a target that holds something else, `StoreUnavailable` when either side
        cannot be used or the copy does not hold together. Then the record acts where it did before, unless its
        journal says `moved` already: from there on only calling this again goes on.
        """
        text, target = self._new_settings()
        if target.url == self.settings.store.url:
            return self._there_already()
        with self._nobody_works(), self._opened(target) as there:
            with self.source.read() as session:
                resumed = (
                    this_instance(session.connection(), where=self.source.where).standing is Standing.MOVED
                )
            copied = self._look_again(there) if resumed else self._leave(there)
            reason = f"moved from {self.source.where}"
            activated = activate(
                there,
                workspace_id=self.settings.workspace.id,
                actor=self.actor,
                reason=reason,
                signer=None,
                now=self.clock(),
            )
            self.on_step(Step.ACTIVATED)
        replace_settings(self.workspace.settings_file, text)
        self.on_step(Step.NAMED)
        rows = sum(each.rows for each in copied.values())
        return Moved(target.url, self.source.where, rows, activated.epoch, resumed)

    def _new_settings(self) -> tuple[str, StoreSettings]:
        """The settings' text with the target in it, and what it says of the store: known to work before anything is done."""
        file = self.workspace.settings_file
        before = self.settings.store.model_dump()
        wanted = {"url": self.target.url, "password": self.target.password}
        checked = parse_settings({**self.settings.model_dump(), "store": {**before, **wanted}}, where="--to")
        changes = {key: value for key, value in wanted.items() if before[key] != value}
        return with_store(read_settings_text(file), changes, where=str(file)), checked.store

    def _there_already(self) -> Moved:
        with self.source.read() as session:
            epoch = must_be_in_charge(self.source, session).epoch
        return Moved(self.target.url, self.target.url, 0, epoch, resumed=True)

    @contextmanager
    def _nobody_works(self) -> Iterator[None]:
        """Hold the worker's place. Raises `Refused` while somebody has it."""
        with worker_lock(self.workspace) as ours:
            if not ours or self._somebody_works_elsewhere():
                raise Refused(
                    "a worker is at work on this record, or was until just now",
                    where=self.source.where,
                    next_step="stop `incident worker` and `incident serve` first, and start them again afterwards",
                )
            yield

    def _somebody_works_elsewhere(self) -> bool:
        # The lock says it of this machine, which is the only one for a file.
        if not is_postgres(self.source.engine):
            return False
        return somebody_works(self.source, self.workspace, stale=self.settings.engine.stale_seconds)

    @contextmanager
    def _opened(self, target: StoreSettings) -> Iterator[Store]:
        engine = open_target(target.url, root=self.workspace.root, password=target.password)
        try:
            yield Store(engine, self.source.keyring, where=target.url, fence=unfenced)
        finally:
            engine.dispose()

    def _leave(self, there: Store) -> dict[str, Tally]:
        """Copy everything over and leave the source as moved, in one transaction of the source."""
        copied: dict[str, Tally] = {}
        leaving = Store(
            self.source.engine,
            self.source.keyring,
            where=self.source.where,
            fence=self._while_held(there, copied),
        )
        with leaving.write(WORKSPACE_CHAIN, kind=RECORD_MOVED, actor=self.actor, now=self.clock()) as change:
            change.note(**{"from": self.source.where, "to": there.where})
        self.on_step(Step.LEFT)
        return copied

    def _while_held(self, there: Store, copied: dict[str, Tally]) -> Fence:
        @contextmanager
        def fence(here: Store, session: Session) -> Iterator[None]:
            connection = session.connection()
            hold_back_writers(connection)
            with in_charge(here, session):
                instance = this_instance(connection, where=here.where)
                self.on_step(Step.HELD)
                yield
                # The entry about this move stands in the journal now, and goes along.
                first = first_entry(connection)
                copied.update(
                    fill(
                        connection,
                        there.engine,
                        where=there.where,
                        standing=Instance(instance.epoch, Standing.ARRIVING),
                        may_replace=lambda found: _is_an_attempt(found, first, where=there.where),
                        now=self.clock(),
                        on_table=self.on_table,
                    )
                )
                self.on_step(Step.COPIED)
                _must_verify(there)
                self.on_step(Step.VERIFIED)
                set_instance(session, Instance(instance.epoch, Standing.MOVED), now=self.clock())

        return fence

    def _look_again(self, there: Store) -> dict[str, Tally]:
        """Go on after the source was left: the target must be the one that it was left for, and still be equal."""
        named = moved_to(self.source)
        if named != there.where:
            raise Refused(
                f"this record was moved to {named or 'another store'} already",
                where=self.source.where,
                next_step=f"call `incident move --to {named}` to finish that"
                if named
                else "write it into store.url",
            )
        with there.engine.connect() as connection:
            if current_revision(connection) is None:
                raise StoreUnavailable(
                    "the record was moved there, and is there no more",
                    where=there.where,
                    next_step="put that database back; only if it is lost: `incident restore --activate` makes "
                    "what was left here the one again",
                )
        with there.read() as target:
            found = this_instance(target.connection(), where=there.where)
            if found == Instance(there.keyring.epoch(), Standing.ACTIVE):
                return tally(target.connection())
            if found.standing is not Standing.ARRIVING:
                raise not_in_charge(there, found)
            with self.source.read() as source:
                left = tally(source.connection())
            must_be_equal(left, tally(target.connection()), where=there.where)
        return left


def _is_an_attempt(connection: Connection, first: str | None, *, where: str) -> bool:
    """Whether the target holds what an earlier call of this move left there, and nobody ever worked with."""
    found = this_instance(connection, where=where)
    return found.standing is Standing.ARRIVING and first_entry(connection) == first


def _must_verify(there: Store) -> None:
    found = verify(there)
    if not found.sound:
        first = found.findings[0]
        raise StoreUnavailable(
            f"the record does not verify where it arrived: {first.chain} entry {first.seq}: {first.fault}",
            where=there.where,
            next_step="nothing was changed over; `incident verify` shows whether it is so here too",
        )
