"""The store in PostgreSQL: connections, turns, and what a failure means.

Writers run READ COMMITTED. What they read and decide upon is theirs alone because they take a turn first: an advisory
lock on the name of a chain, which ends with the transaction however that ends.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, text

from incident.errors import BadInput, ConflictingWrite, StoreUnavailable, TocsinError, WorkspaceError
from incident.settings import resolve_secret

try:
    import psycopg
    from psycopg.conninfo import conninfo_to_dict, make_conninfo
    from psycopg.pq.abc import PGconn
except ImportError as error:  # psycopg says it so too when the library of PostgreSQL is missing
    raise WorkspaceError(
        "the store is in PostgreSQL, and the package that speaks to it is not installed",
        where="store.url",
        next_step="install it: pip install 'tocsin[postgres]'",
    ) from error

# A host that is gone is noticed within 10 s: the sending side by tcp_user_timeout, the waiting side by keepalives.
_CLIENT = {
    "application_name": "tocsin",
    "client_encoding": "UTF8",
    "connect_timeout": 3,
    "keepalives": 1,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 2,
    "tcp_user_timeout": 10_000,
}
# A frozen reader hinders only the cleaning up of old rows; a writer holds locks and gets less (see `take_turn`).
# `lock_timeout` is as long as a writer waits for another in SQLite.
_SERVER = {
    "timezone": "UTC",
    "synchronous_commit": "on",
    "statement_timeout": "10min",
    "lock_timeout": "30s",
    "idle_in_transaction_session_timeout": "15min",
}
_IDLE_WRITER = "5s"
_POOL = {"pool_size": 5, "max_overflow": 15, "pool_timeout": 20}

_IN_THE_WAY = {"40001", "40P01"}  # serialization_failure, deadlock_detected
_MEANINGS = {
    "25006": ("the database takes no changes: it is a standby or set read-only", "name the one that does"),
    "25P03": ("a change stood still for too long and was taken back", "try again"),
    "42501": (
        "the database user may not do this",
        "make that user the database's owner, or grant it USAGE and CREATE on its schema",
    ),
    "42P01": ("a table is missing", "put a backup back"),
    "53100": ("the database's disk is full; nothing was changed", "free space on it"),
    "55P03": (
        "another process holds what this change needs; nothing was changed",
        "try again when it is done",
    ),
    "57014": ("the database broke off a statement that took too long; nothing was changed", "try again"),
}
_LOST = ("the connection to the database was lost", "see that PostgreSQL runs and try again")


def open_engine(url: str, *, password: str | None) -> Engine:
    """An engine for a `postgresql://` URL; it connects when it is first used, and again when a connection broke.

    Raises `BadInput` for a URL that PostgreSQL's own library refuses.
    """
    _target(url)

    def connect() -> Any:
        return psycopg.connect(**connection_parameters(url, password=password))

    return create_engine(
        "postgresql+psycopg://",
        creator=connect,
        pool_pre_ping=True,
        hide_parameters=True,
        use_native_hstore=False,
        **_POOL,
    )


def connection_parameters(url: str, *, password: str | None) -> dict[str, Any]:
    """What the driver is asked for to connect to a store's URL: for those who keep connections of their own.

    Raises `BadInput` as `open_engine` does, and for a password that is not where its reference says.
    """
    target = _target(url)
    return target if password is None else {**target, "password": resolve_secret(password)}


def _target(url: str) -> dict[str, Any]:
    try:
        named = conninfo_to_dict(url)
    except psycopg.Error as error:
        raise BadInput(
            f"this is no URL of a PostgreSQL database ({_first_line(error)})",
            where="store.url",
            next_step='write url = "postgresql://user@host:5432/database"',
        ) from None
    ours = " ".join(f"-c {name}={value}" for name, value in _SERVER.items())
    options = f"{named.pop('options', '')} {ours}".strip()
    return {**_CLIENT, **named, "options": options}


def take_turn(connection: Connection, name: str | None) -> None:
    """Begin a writing transaction, holding `name` alone until it ends.

    A writer that stands still (a frozen process) is cut off, so that its locks do not hold up everybody.
    """
    patience = "set_config('idle_in_transaction_session_timeout', :idle, true)"
    if name is None:
        connection.execute(text(f"SELECT {patience}"), {"idle": _IDLE_WRITER})
        return
    values = {"idle": _IDLE_WRITER, "turn": _lock_number(name)}
    connection.execute(text(f"SELECT {patience}, pg_advisory_xact_lock(:turn)"), values)


def _lock_number(name: str) -> int:
    # Two names of one number would only wait for each other without need.
    return int.from_bytes(sha256(f"tocsin/{name}".encode()).digest()[:8], signed=True)


def our_error(cause: BaseException | None, where: str) -> TocsinError | None:
    """What a failure of the driver means; None for one that means a fault of ours, such as a broken constraint.

    Decided by SQLSTATE and by trying, never by a message: those are in the server's language.
    """
    if not isinstance(cause, psycopg.Error):
        return None
    if cause.pgconn is not None:
        what, next_step = _why_no_connection(cause.pgconn, said=_first_line(cause))
        return StoreUnavailable(what, where=where, next_step=next_step)
    if cause.sqlstate in _IN_THE_WAY:
        return ConflictingWrite(
            "two changes stood in each other's way; this one was taken back",
            where=where,
            next_step="try again",
        )
    if cause.sqlstate in _MEANINGS:
        what, next_step = _MEANINGS[cause.sqlstate]
        return StoreUnavailable(what, where=where, next_step=next_step)
    if isinstance(cause, psycopg.OperationalError | psycopg.InterfaceError):
        what, next_step = _LOST
        return StoreUnavailable(what, where=where, next_step=next_step)
    return None


def _why_no_connection(tried: PGconn, *, said: str) -> tuple[str, str]:
    asked = {each.keyword.decode(): each.val.decode() for each in tried.info if each.val is not None}
    if tried.needs_password:
        return (
            "PostgreSQL asks for a password, and none is set",
            'write password = "env:NAME" or "file:PATH" into [store] of incident.toml',
        )
    if not _answers(asked):
        return (
            f"PostgreSQL does not answer ({said})",
            "start it, or correct host and port in store.url",
        )
    if _has_other_database(asked):
        return (
            f"the database {asked.get('dbname', '')!r} is not there, or this user may not enter it",
            "make it (createdb), or correct its name in store.url",
        )
    if tried.used_password:
        return (
            "PostgreSQL refuses the user or the password",
            "correct the user in store.url, or what store.password refers to",
        )
    return (
        f"PostgreSQL refuses the connection ({said})",
        "see its log: it may be starting, full, or not let this user in from here (pg_hba.conf)",
    )


def _answers(asked: Mapping[str, str]) -> bool:
    # libpq names the address that it tried last; a path is the folder of a Unix socket.
    port = asked.get("port", "5432").rpartition(",")[2]
    host = (asked.get("hostaddr") or asked.get("host") or "localhost").rpartition(",")[2]
    try:
        if host.startswith(("/", "@")):
            with socket.socket(socket.AF_UNIX) as plug:
                plug.settimeout(1)
                plug.connect(f"{host}/.s.PGSQL.{port}")
        else:
            socket.create_connection((host, int(port)), timeout=1).close()
    except (OSError, ValueError):
        return False
    return True


def _has_other_database(asked: Mapping[str, str]) -> bool:
    """Whether the same user gets into the database that every server has: then only the named one is the matter."""
    try:
        psycopg.connect(make_conninfo("", **{**asked, "dbname": "postgres", "connect_timeout": "2"})).close()
    except psycopg.Error:
        return False
    return True


def _first_line(error: BaseException) -> str:
    return str(error).partition("\n")[0]
