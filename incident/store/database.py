"""Opening the database, and its failures as our errors.

SQLite runs in WAL mode with `synchronous=FULL`: what was committed survives a power cut.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError, OperationalError
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


def open_engine(url: str, *, root: Path) -> Engine:
    """An engine for a database URL; a relative SQLite path counts from `root`.

    Raises `BadInput` for a database this version does not run on.
    """
    if not url.startswith(_SQLITE_PREFIX):
        raise BadInput(
            "this version keeps its store in SQLite only",
            where="store.url",
            next_step='write url = "sqlite:///incident.db"',
        )
    file = root / url.removeprefix(_SQLITE_PREFIX)
    engine = create_engine(f"{_SQLITE_PREFIX}{file}", connect_args={"timeout": _BUSY_SECONDS})
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
    except DBAPIError as error:
        name = _error_name(error)
        if name is None and not isinstance(error, OperationalError):
            raise
        family = "_".join((name or "").split("_")[:2])
        raise StoreUnavailable(
            f"the store cannot be used ({error.orig})",
            where=where,
            next_step=_NEXT_STEPS.get(family, "run `incident doctor` for more"),
        ) from error


def _error_name(error: DBAPIError) -> str | None:
    if isinstance(error.orig, sqlite3.IntegrityError):
        return None
    return getattr(error.orig, "sqlite_errorname", None) if isinstance(error.orig, sqlite3.Error) else None
