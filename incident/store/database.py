"""Opening the database, its transactions, and its failures as our errors.

SQLite runs in WAL mode with `synchronous=FULL`: what was committed survives a power cut. It has one writer at a time.
PostgreSQL has many; what must happen in turn there takes the lock of a name first (`take_turn`).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as NoFreeConnection
from sqlalchemy.pool import ConnectionPoolEntry

from incident.errors import BadInput, StoreAway, StoreUnavailable, TocsinError
from incident.setting_values import POSTGRES_PREFIX, SQLITE_PREFIX

_WRITES = "tocsin_writes"
_BUSY_SECONDS = 30
_PAGES_KIB = 64 * 1024  # what SQLite may hold of the database while very many rows are written

_NEXT_STEPS = {
    "SQLITE_READONLY": "make the database's file and folder writable for this user",
    "SQLITE_CANTOPEN": "check that the folder exists and may be written, or make a workspace with `incident init`",
    "SQLITE_FULL": "free space on the disk; nothing was changed",
    "SQLITE_BUSY": "another process holds the database; try again when it is done",
    "SQLITE_NOTADB": "this file is no SQLite database; put the right one back",
    "SQLITE_CORRUPT": "the database is damaged; put a backup back",
}


def in_postgres(url: str) -> bool:
    """Whether a store's URL names a database in PostgreSQL."""
    return url.startswith(POSTGRES_PREFIX)


def database_file(url: str, *, root: Path) -> Path:
    """Where the file of an SQLite URL lies; a relative path counts from `root`.

    Raises `BadInput` for a database that is no such file: ask `in_postgres` first.
    """
    if not url.startswith(SQLITE_PREFIX):
        raise BadInput(
            "this is no SQLite file", where="store.url", next_step='write url = "sqlite:///incident.db"'
        )
    return root / url.removeprefix(SQLITE_PREFIX)


def open_engine(url: str, *, root: Path, password: str | None = None) -> Engine:
    """An engine for a database URL; it connects when it is first used.

    `password` is a reference to a secret (`env:`, `file:`), looked up for each connection. Raises `BadInput` as
    `database_file` does and for a URL that PostgreSQL does not know, `WorkspaceError` without its driver.
    """
    if in_postgres(url):
        # Its driver is an extra, and loading it takes longer than most commands on SQLite.
        from incident.store import postgres

        return postgres.open_engine(url, password=password)
    # Not by text: a folder's name may hold signs that mean something in a URL.
    place = URL.create("sqlite", database=str(database_file(url, root=root)))
    engine = create_engine(place, connect_args={"timeout": _BUSY_SECONDS}, hide_parameters=True)
    event.listen(engine, "connect", _prepare_connection)
    event.listen(engine, "begin", _begin)
    return engine


def is_postgres(engine: Engine | Connection) -> bool:
    """Whether this engine or connection speaks to PostgreSQL."""
    return engine.dialect.name == "postgresql"


def reading(engine: Engine) -> Engine:
    """The same database for reading: each transaction sees one state of it from its first statement on."""
    if is_postgres(engine):
        return engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
    return engine


def writing(engine: Engine) -> Engine:
    """The same database for writing. Begin each transaction with `take_turn`."""
    if is_postgres(engine):
        return engine.execution_options(isolation_level="READ COMMITTED")
    return engine.execution_options(**{_WRITES: True})


def take_turn(connection: Connection, name: str | None) -> None:
    """Begin a writing transaction: wait until no other one holds `name`, and hold it until this one ends.

    In SQLite every writer has waited for its turn already.
    """
    if is_postgres(connection):
        from incident.store import postgres

        postgres.take_turn(connection, name)


def allow_pauses(connection: Connection, *, seconds: float) -> None:
    """Let a writing transaction stand still for so long between two statements, where it must wait for something else.

    PostgreSQL ends one that stands still for more than a few seconds; SQLite does not mind.
    """
    if is_postgres(connection):
        from incident.store import postgres

        postgres.allow_pauses(connection, seconds=seconds)


def expect_many_rows(connection: Connection) -> None:
    """Prepare for a change of very many rows, for as long as this connection is kept.

    An index of random values, such as MACs, is written all over. With SQLite's usual 2 MiB of pages each would be read and
    written again and again; PostgreSQL has its own shared memory.
    """
    if not is_postgres(connection):
        connection.exec_driver_sql(f"PRAGMA cache_size=-{_PAGES_KIB}")


def _prepare_connection(connection: Any, _entry: ConnectionPoolEntry) -> None:
    # We begin transactions ourselves: the driver would begin late and never IMMEDIATE.
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.close()


def _begin(connection: Connection) -> None:
    # A writer takes its lock first: upgrading a read transaction fails at once when another writer was faster.
    immediate = connection.get_execution_options().get(_WRITES, False)
    on_sqlite(connection, "BEGIN IMMEDIATE" if immediate else "BEGIN", {})


def on_sqlite(connection: Connection, text: str, values: Mapping[str, Any] | Sequence[Any]) -> sqlite3.Cursor:
    """Give a statement of SQLite to its driver as it is, values by name or place. Raises SQLAlchemy's errors, as it would."""
    with _as_sqlalchemy_says(text):
        cursor: sqlite3.Cursor = _driver(connection).execute(text, values)
    return cursor


def often_on_sqlite(
    connection: Connection, text: str, rows: Sequence[Sequence[Any]] | Sequence[Mapping[str, Any]]
) -> int:
    """As `on_sqlite`, once for each row of values; how many rows of the table that changed."""
    with _as_sqlalchemy_says(text):
        return int(_driver(connection).executemany(text, rows).rowcount)


def _driver(connection: Connection) -> Any:
    return connection.connection.driver_connection


@contextmanager
def _as_sqlalchemy_says(text: str) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise DBAPIError.instance(text, None, error, sqlite3.Error, hide_parameters=True) from error


def use_write_ahead_log(engine: Engine) -> None:
    """Set WAL once, when an SQLite database is made; it remembers that in the file."""
    raw = engine.raw_connection()
    try:
        raw.cursor().execute("PRAGMA journal_mode=WAL")
    finally:
        raw.close()


@contextmanager
def store_errors(where: str) -> Iterator[None]:
    """Turn the driver's failures into our errors, with a next step and without a value out of a row.

    `Collided` when PostgreSQL took back one of several changes that stood in each other's way, `StoreAway` when it
    cannot be reached, `StoreUnavailable` when it cannot be used. A broken constraint stays what it is.
    """
    try:
        yield
    except (DBAPIError, NoFreeConnection, sqlite3.Error) as error:
        ours = _our_error(error, where)
        if ours is None:
            raise
        raise ours from error


def _our_error(error: Exception, where: str) -> TocsinError | None:
    if isinstance(error, NoFreeConnection):
        return StoreAway(
            "all connections to the database are in use",
            where=where,
            next_step="try again; if it stays, fewer jobs at a time help",
        )
    cause = error.orig if isinstance(error, DBAPIError) else error
    if isinstance(cause, sqlite3.Error):
        return _sqlite_error(cause, where)
    from incident.store import postgres

    return postgres.our_error(cause, where)


def _sqlite_error(cause: sqlite3.Error, where: str) -> StoreUnavailable | None:
    name = getattr(cause, "sqlite_errorname", None)
    if isinstance(cause, sqlite3.IntegrityError):
        return None
    if name is None and not isinstance(cause, sqlite3.OperationalError):
        return None
    family = "_".join((name or "").split("_")[:2])
    return StoreUnavailable(
        f"the store cannot be used ({cause})",
        where=where,
        next_step=_NEXT_STEPS.get(family, "run `incident doctor` for more"),
    )
