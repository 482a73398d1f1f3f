"""Opening the database, and its failures as our errors.

SQLite runs in WAL mode with `synchronous=FULL`: what was committed survives a power cut.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import ConnectionPoolEntry

from incident.errors import BadInput, StoreUnavailable

WRITES = "tocsin_writes"
_BUSY_SECONDS = 30
_SQLITE_PREFIX = "sqlite:///"

_NEXT_STEPS = {
    "SQLITE_READONLY": "make the database's file and folder writable for this user",
    "SQLITE_CANTOPEN": "check that the folder exists and may be written, or make a workspace with `incident init`",
    "SQLITE_FULL": "free space on the disk; nothing was changed",
    "SQLITE_BUSY": "another process holds the database; try again when it is done",
    "SQLITE_NOTADB": "this file is no SQLite database; put the right one back",
    "SQLITE_CORRUPT": "the database is damaged; put a backup back",
}


def database_file(url: str, *, root: Path) -> Path:
    """Where the database of a URL lies; a relative SQLite path counts from `root`.

    Raises `BadInput` for a database this version does not run on.
    """
    if not url.startswith(_SQLITE_PREFIX):
        raise BadInput(
            "this version keeps its store in SQLite only",
            where="store.url",
            next_step='write url = "sqlite:///incident.db"',
        )
    return root / url.removeprefix(_SQLITE_PREFIX)


def open_engine(url: str, *, root: Path) -> Engine:
    """An engine for a database URL. Touches nothing on disk. Raises `BadInput` as `database_file` does."""
    # Not by text: a folder's name may hold signs that mean something in a URL.
    place = URL.create("sqlite", database=str(database_file(url, root=root)))
    engine = create_engine(place, connect_args={"timeout": _BUSY_SECONDS}, hide_parameters=True)
    event.listen(engine, "connect", _prepare_connection)
    event.listen(engine, "begin", _begin)
    return engine


def _prepare_connection(connection: Any, _entry: ConnectionPoolEntry) -> None:
    # We begin transactions ourselves: the driver would begin late and never IMMEDIATE.
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.close()


def _begin(connection: Connection) -> None:
    # A writer takes its lock first: upgrading a read transaction fails at once when another writer was faster.
    immediate = connection.get_execution_options().get(WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")


def use_write_ahead_log(engine: Engine) -> None:
    """Set WAL once, when the database is made; SQLite remembers it in the file."""
    raw = engine.raw_connection()
    try:
        raw.cursor().execute("PRAGMA journal_mode=WAL")
    finally:
        raw.close()


@contextmanager
def store_errors(where: str) -> Iterator[None]:
    """Turn the driver's failures into `StoreUnavailable` with a next step."""
    try:
        yield
    except (DBAPIError, sqlite3.Error) as error:
        cause = error.orig if isinstance(error, DBAPIError) else error
        if not isinstance(cause, sqlite3.Error) or isinstance(cause, sqlite3.IntegrityError):
            raise
        name = getattr(cause, "sqlite_errorname", None)
        if name is None and not isinstance(cause, sqlite3.OperationalError):
            raise
        family = "_".join((name or "").split("_")[:2])
        raise StoreUnavailable(
            f"the store cannot be used ({cause})",
            where=where,
            next_step=_NEXT_STEPS.get(family, "run `incident doctor` for more"),
        ) from error
