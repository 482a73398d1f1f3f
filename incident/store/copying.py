"""Copying a whole store: a snapshot into a file, and every table from one database to another, compared afterwards.

Rows are streamed, so memory stays flat. What is copied is compared by a digest of each table that does not depend on
the order of its rows, as two databases sort text differently.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, Table, delete, insert, select
from sqlmodel import Session, SQLModel

from incident.errors import StoreUnavailable, WorkspaceError
from incident.store import tables
from incident.store.database import (
    database_file,
    is_postgres,
    open_engine,
    reading,
    store_errors,
    take_turn,
    use_write_ahead_log,
    writing,
)
from incident.store.instance import Instance, Standing, set_instance
from incident.store.journal import WORKSPACE_CHAIN
from incident.store.migrations import current_revision, ensure_current, make_schema
from incident.store.opening import must_keep_unicode
from incident.store.writing_rows import Row, write_rows

_ROWS = 2000
_SPACE = 1 << 256
# Each store says of itself which copy it is; that is never copied.
_OF_THE_STORE = ("instance",)

OnTable = Callable[[str], None]


@dataclass(frozen=True)
class Tally:
    """What a table holds: the number of its rows, and a digest over all of them in any order."""

    rows: int
    digest: str


class _Counting:
    """Adds up the digests of rows: equal sums of SHA-256 mean equal rows."""

    def __init__(self) -> None:
        self._rows = 0
        self._sum = 0

    def through(self, pieces: Iterable[Sequence[Row]]) -> Iterator[Sequence[Row]]:
        """The pieces again, each counted."""
        for rows in pieces:
            self._rows += len(rows)
            for row in rows:
                # Plain values only, whose repr tells them apart, types included.
                told = hashlib.sha256(repr(row).encode("utf-8", "surrogatepass")).digest()
                self._sum += int.from_bytes(told)
            self._sum %= _SPACE
            yield rows

    def tally(self) -> Tally:
        return Tally(self._rows, f"{self._sum:064x}")


def copied_tables() -> list[Table]:
    """Every table that a copy takes over, by name."""
    tables.load_all()
    found = SQLModel.metadata.tables
    return [found[name] for name in sorted(found) if name not in _OF_THE_STORE]


def copy_rows(
    source: Connection, target: Connection, *, where: str, on_table: OnTable = lambda name: None
) -> dict[str, Tally]:
    """Copy every row of every table within the transactions that are open on both sides; the target's are replaced.

    Returns what was read from each table. Raises `StoreUnavailable` for a value that the target cannot hold.
    """
    take_time(source)
    take_time(target)
    found: dict[str, Tally] = {}
    for table in copied_tables():
        on_table(table.name)
        target.execute(delete(table))
        counting = _Counting()
        write_rows(target, table, counting.through(_pieces(source, table)), where=where)
        found[table.name] = counting.tally()
    return found


def tally(connection: Connection) -> dict[str, Tally]:
    """What every table holds, read anew."""
    take_time(connection)
    found: dict[str, Tally] = {}
    for table in copied_tables():
        counting = _Counting()
        for _ in counting.through(_pieces(connection, table)):
            pass
        found[table.name] = counting.tally()
    return found


def must_be_equal(wanted: Mapping[str, Tally], found: Mapping[str, Tally], *, where: str) -> None:
    """Raises `StoreUnavailable` naming the first table that is not what it was copied from."""
    for name, tallied in wanted.items():
        if found.get(name) != tallied:
            have = found[name].rows if name in found else "no"
            raise StoreUnavailable(
                f"the table {name} was not copied whole ({tallied.rows} rows there, {have} here, compared by content)",
                where=where,
                next_step="nothing was changed over; try again, and look at the database's log if it stays",
            )


def fill(
    source: Connection,
    target: Engine,
    *,
    where: str,
    standing: Instance,
    may_replace: Callable[[Connection], bool],
    now: datetime,
    on_table: OnTable = lambda name: None,
) -> dict[str, Tally]:
    """Copy a whole store into another database in one transaction, read it back and compare, and say what it is.

    The target is new or empty, or holds what `may_replace` lets go. `source` is in a transaction that sees one state.
    Returns what was copied.
    Raises `WorkspaceError` for a target that holds something else, `StoreUnavailable` when it is not equal afterwards;
    in both cases the target is as before, or has empty tables.
    """
    prepare(target, where=where)
    with store_errors(where), Session(writing(target)) as session, session.begin():
        connection = session.connection()
        take_turn(connection, WORKSPACE_CHAIN)
        hold_back_writers(connection)
        _must_be_free(connection, may_replace, where=where)
        copied = copy_rows(source, connection, where=where, on_table=on_table)
        set_instance(session, standing, now=now)
        must_be_equal(copied, tally(connection), where=where)
    return copied


def open_target(url: str, *, root: Path, password: str | None) -> Engine:
    """An engine for a database that is to be filled; an SQLite file is made where there is none, for this user alone.

    Raises `WorkspaceError` when that cannot be made.
    """
    engine = open_engine(url, root=root, password=password)
    if is_postgres(engine):
        return engine
    file = database_file(url, root=root)
    try:
        file.touch(mode=0o600)
    except OSError as error:
        raise WorkspaceError(
            f"the database's file cannot be made ({error.strerror})",
            where=str(file),
            next_step="name a place in a folder that is there and may be written",
        ) from error
    with store_errors(url):
        use_write_ahead_log(engine)
    return engine


def take_time(connection: Connection) -> None:
    """A whole copy is one transaction and takes its time; PostgreSQL must not take it for one that was forgotten."""
    if is_postgres(connection):
        connection.exec_driver_sql(
            "SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0"
        )


def first_entry(connection: Connection) -> str | None:
    """The hash of the first entry of the workspace's chain, which no two workspaces share; None in an empty store."""
    found = connection.exec_driver_sql(_FIRST_ENTRY).scalar()
    return str(found) if found is not None else None


_FIRST_ENTRY = f"SELECT hash FROM journal_entry WHERE chain = '{WORKSPACE_CHAIN}' AND seq = 1"  # noqa: S608


def prepare(engine: Engine, *, where: str) -> None:
    """Make the tables where there are none. Raises `WorkspaceError` for a database that is somebody else's."""
    with store_errors(where):
        if is_postgres(engine):
            must_keep_unicode(engine, where)
        with engine.connect() as connection:
            found = current_revision(connection)
        if found is None:
            make_schema(engine, where=where)
    ensure_current(engine, where=where)


def hold_back_writers(connection: Connection) -> None:
    """Let no other transaction write until this one ends: each reads the table `instance` first.

    Those that are under way are waited for. SQLite's writers hold each other back anyway.
    """
    if is_postgres(connection):
        take_time(connection)
        connection.exec_driver_sql("LOCK TABLE instance IN ACCESS EXCLUSIVE MODE")


def _must_be_free(connection: Connection, may_replace: Callable[[Connection], bool], *, where: str) -> None:
    if not connection.exec_driver_sql("SELECT count(*) FROM journal_entry").scalar_one():
        return
    if not may_replace(connection):
        raise WorkspaceError(
            "there is a record in this database already",
            where=where,
            next_step="name a database that is empty",
        )


def snapshot(engine: Engine, file: Path, *, where: str) -> None:
    """One consistent state of the store as an SQLite file that says of itself that it is a copy.

    Nobody waits for it: SQLite and PostgreSQL both let others write meanwhile. Raises `StoreUnavailable`, also when
    the copy of a damaged database does not hold together.
    """
    if is_postgres(engine):
        with (
            scratch_engine(file) as scratch,
            store_errors(where),
            reading(engine).connect() as source,
            writing(scratch).begin() as target,
        ):
            copy_rows(source, target, where=str(file))
            instance = source.execute(select(_instance())).one()
            target.execute(delete(_instance()))
            target.execute(insert(_instance()), dict(instance._mapping))
    else:
        _copy_file(engine, file, where=where)
    _call_it_a_copy(file, where=where)


@contextmanager
def scratch_engine(file: Path) -> Iterator[Engine]:
    """A new SQLite file with this version's tables, not in WAL mode, so that it stays one file."""
    engine = open_engine(f"sqlite:///{file.name}", root=file.parent)
    try:
        with store_errors(str(file)):
            make_schema(engine, where=str(file))
        yield engine
    finally:
        engine.dispose()


def _copy_file(engine: Engine, file: Path, *, where: str) -> None:
    raw = engine.raw_connection()
    try:
        with store_errors(str(file)), closing(sqlite3.connect(file)) as copy:
            source: Any = raw.driver_connection
            # In one step, so that it is one state however busy others are; in WAL mode they need not wait.
            source.backup(copy, pages=-1)
            copy.execute("PRAGMA journal_mode=DELETE")
            found = copy.execute("PRAGMA quick_check(1)").fetchone()
    finally:
        raw.close()
    if found[0] != "ok":
        raise StoreUnavailable(
            "the database is damaged, so its copy would be too",
            where=where,
            next_step="put an older backup back; `sqlite3 FILE .recover` may save newer rows",
        )


def _call_it_a_copy(file: Path, *, where: str) -> None:
    with store_errors(str(file)), closing(sqlite3.connect(file)) as copy, copy:
        copy.execute("UPDATE instance SET standing = ?", (str(Standing.COPY),))


def _instance() -> Table:
    tables.load_all()
    return SQLModel.metadata.tables["instance"]


def _pieces(connection: Connection, table: Table) -> Iterator[list[Row]]:
    result = connection.execute(select(table).execution_options(yield_per=_ROWS))
    for rows in result.partitions():
        yield [tuple(row) for row in rows]
