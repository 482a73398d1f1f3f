"""The store in PostgreSQL: connections, turns, and what a failure means.

Writers run READ COMMITTED. What they read and decide upon is theirs alone because they take a turn first: an advisory
lock on the name of a chain, which ends with the transaction however that ends.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, text

from incident.errors import BadInput, Collided, StoreAway, StoreUnavailable, TocsinError, WorkspaceError
from incident.settings import resolve_secret

try:
    import psycopg
    from psycopg.conninfo import conninfo_to_dict, make_conninfo
    from psycopg.pq import PGconn, Ping
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
# `lock_timeout` is as long as a writer waits for another in SQLite. The server looks after a silent host too: by its
# own defaults what a lost host had locked would stay locked for hours.
_SERVER = {
    "timezone": "UTC",
    "synchronous_commit": "on",
    "statement_timeout": "10min",
    "lock_timeout": "30s",
    "idle_in_transaction_session_timeout": "15min",
    "tcp_keepalives_idle": "5",
    "tcp_keepalives_interval": "2",
    "tcp_keepalives_count": "3",
}
_IDLE_WRITER_SECONDS = 5.0
_POOL = {"pool_size": 5, "max_overflow": 15, "pool_timeout": 20}

_IN_THE_WAY = {"40001", "40P01"}  # serialization_failure, deadlock_detected
_MEANINGS = {
    "25006": ("the database takes no changes: it is a standby or set read-only", "name the one that does"),
    "25P03": ("the work on the database stood still for too long and was taken back", "try again"),
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
# What the server says when it sends everybody away, beside class 08 (the connection itself):
# admin_shutdown, crash_shutdown, cannot_connect_now, database_dropped, idle_session_timeout.
_SENT_AWAY = {"57P01", "57P02", "57P03", "57P04", "57P05"}


def open_engine(url: str, *, password: str | None) -> Engine:
    """An engine for a `postgresql://` URL; it connects when it is first used, and again when a connection broke.

    Raises `BadInput` for a URL that PostgreSQL's own library refuses. Connecting raises `StoreAway` or
    `StoreUnavailable`.
    """
    _target(url)
    let_in = threading.Event()

    def connect() -> Any:
        asked = connection_parameters(url, password=password)
        try:
            connection = psycopg.connect(**asked)
        except psycopg.Error as error:
            connection = _once_more(error, asked, where=url, before=let_in.is_set())
        let_in.set()
        return connection

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
    if name is None:
        allow_pauses(connection, seconds=_IDLE_WRITER_SECONDS)
        return
    connection.execute(_TAKE_TURN, {**_patience(_IDLE_WRITER_SECONDS), "turn": _lock_number(name)})


def allow_pauses(connection: Connection, *, seconds: float) -> None:
    """Let this transaction stand still for so long between two statements."""
    connection.execute(_BE_PATIENT, _patience(seconds))


_PATIENCE = "SELECT set_config('idle_in_transaction_session_timeout', :idle, true)"
_BE_PATIENT = text(_PATIENCE)
_TAKE_TURN = text(f"{_PATIENCE}, pg_advisory_xact_lock(:turn)")


def _patience(seconds: float) -> dict[str, Any]:
    return {"idle": f"{int(seconds * 1000)}ms"}


def _lock_number(name: str) -> int:
    # Two names of one number would only wait for each other without need.
    return int.from_bytes(sha256(f"tocsin/{name}".encode()).digest()[:8], signed=True)


def our_error(cause: BaseException | None, where: str) -> TocsinError | None:
    """What a failure of the driver means; None for one that means a fault of ours, such as a broken constraint.

    Decided by SQLSTATE, never by a message: those are in the server's language.
    """
    if not isinstance(cause, psycopg.Error):
        return None
    state = cause.sqlstate or ""
    if state in _IN_THE_WAY:
        return Collided("two changes met; nothing was changed", where=where, next_step="try again")
    if state in _MEANINGS:
        what, next_step = _MEANINGS[state]
        return StoreUnavailable(what, where=where, next_step=next_step)
    damaged = state.startswith("XX")
    if not damaged and not isinstance(cause, psycopg.OperationalError | psycopg.InterfaceError):
        return None
    if state and not state.startswith("08") and state not in _SENT_AWAY:
        return StoreUnavailable(
            f"the database cannot do its work now (SQLSTATE {state})",
            where=where,
            next_step="see PostgreSQL's log",
        )
    # Where a commit was under way, only the database knows whether it came through.
    return StoreAway(
        "the connection to the database was lost",
        where=where,
        next_step="see that PostgreSQL runs, and look whether the change was kept before you repeat it",
    )


def _once_more(
    error: psycopg.Error, asked: Mapping[str, Any], *, where: str, before: bool
) -> psycopg.Connection[Any]:
    """Connect again if the server takes connections now: it may just have been starting. Else raise why not."""
    found = _ping(asked)
    if found is Ping.OK:
        try:
            return psycopg.connect(**asked)
        except psycopg.Error as again:
            error = again
    raise _why_not_let_in(error, asked, found, where=where, before=before) from error


def _why_not_let_in(
    error: psycopg.Error, asked: Mapping[str, Any], found: Ping, *, where: str, before: bool
) -> TocsinError:
    """Why no connection came about, found out by asking. `before` says that the same process was let in before."""
    said = _first_line(error)
    if found is Ping.NO_ATTEMPT:
        return BadInput(
            f"PostgreSQL's library refuses these settings ({said})",
            where=where,
            next_step="correct store.url",
        )
    if found is Ping.REJECT:
        return StoreAway(
            "PostgreSQL is starting or stopping",
            where=where,
            next_step="try again in a moment; its log says more",
        )
    if found is Ping.NO_RESPONSE and _ping({**asked, "sslmode": "disable"}) in (Ping.OK, Ping.REJECT):
        return StoreUnavailable(
            f"no protected connection to PostgreSQL comes about ({said})",
            where=where,
            next_step="correct sslmode and sslrootcert in store.url, or the server's certificate",
        )
    if found is Ping.NO_RESPONSE:
        return StoreAway(
            f"PostgreSQL does not answer ({said})",
            where=where,
            next_step="start it, or correct host and port in store.url",
        )
    if before:
        # What was right before is most likely still right: it is full, or somebody is at work on it.
        return StoreAway(
            f"PostgreSQL lets nobody in now ({said})", where=where, next_step="see its log, and try again"
        )
    what, next_step = _what_it_refuses(error, asked, said)
    return StoreUnavailable(what, where=where, next_step=next_step)


def _what_it_refuses(error: psycopg.Error, asked: Mapping[str, Any], said: str) -> tuple[str, str]:
    tried = error.pgconn
    if tried is not None and tried.needs_password:
        return (
            "PostgreSQL asks for a password, and none is set",
            'write password = "env:NAME" or "file:PATH" into [store] of incident.toml',
        )
    if _may_enter({**asked, "dbname": "postgres"}):
        return (
            f"the database {asked.get('dbname', '')!r} is not there, or this user may not enter it",
            "make it (createdb), or correct its name in store.url",
        )
    if tried is not None and tried.used_password:
        return (
            f"PostgreSQL refuses the user or the password ({said})",
            "correct the user in store.url, or what store.password refers to",
        )
    return (
        f"PostgreSQL refuses the connection ({said})",
        "see its log: it may be full, or not let this user in from here (pg_hba.conf)",
    )


def _ping(asked: Mapping[str, Any]) -> Ping:
    """Whether the server takes connections. It needs no password for that, and makes no difference between users."""
    return Ping(PGconn.ping(make_conninfo("", **{**asked, "connect_timeout": 2}).encode()))


def _may_enter(asked: Mapping[str, Any]) -> bool:
    try:
        psycopg.connect(**{**asked, "connect_timeout": 2}).close()
    except psycopg.Error:
        return False
    return True


def _first_line(error: BaseException) -> str:
    return str(error).partition("\n")[0]
