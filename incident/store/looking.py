"""What the database is and whether it keeps its promises: for the doctor."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any

from sqlalchemy import Connection

from incident.store.database import is_postgres, store_errors
from incident.store.store import Store

_OLDEST_POSTGRES = 13  # what the queue asks for
# A worker keeps up to so many connections, and commands need some beside it.
_CONNECTIONS_FREE = 30


@dataclass(frozen=True)
class Danger:
    """Something about the database that should be otherwise. `fatal` if what was committed may get lost."""

    what: str
    next_step: str
    fatal: bool = False


@dataclass(frozen=True)
class Database:
    """A database as it was found."""

    engine: str
    place: str
    details: str
    dangers: tuple[Danger, ...] = ()

    def __str__(self) -> str:
        return f"{self.engine}, {self.place}, {self.details}"


def look_at_database(store: Store) -> Database:
    """Ask the database what it is. Raises `StoreUnavailable`."""
    with store_errors(store.where), store.read() as session:
        connection = session.connection()
        return _postgres(connection) if is_postgres(connection) else _sqlite(connection)


def _sqlite(connection: Connection) -> Database:
    def ask(name: str) -> Any:
        return connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()

    dangers = []
    if ask("journal_mode") != "wal":
        dangers.append(
            Danger(
                "the database is not in WAL mode: readers and the writer stop each other",
                "sqlite3 FILE 'PRAGMA journal_mode=WAL'",
            )
        )
    place = connection.engine.url.database or ""
    size = f"{ask('page_count') * ask('page_size') >> 20} MiB"
    return Database(f"SQLite {sqlite3.sqlite_version}", place, size, tuple(dangers))


def _postgres(connection: Connection) -> Database:
    def ask(what: str) -> Any:
        return connection.exec_driver_sql(f"SELECT {what}").scalar_one()

    def setting(name: str) -> str:
        return str(ask(f"current_setting('{name}')"))

    told = connection.connection.driver_connection
    assert told is not None  # noqa: S101 - it has just answered
    info = told.info
    size = f"{ask('pg_database_size(current_database())') >> 20} MiB"
    most = int(setting("max_connections"))
    used = int(ask("count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'"))
    dangers = [
        Danger(
            f"{name} is off: a power cut may take what was committed",
            f"set {name} = on in PostgreSQL",
            fatal=True,
        )
        for name in ("fsync", "full_page_writes")
        if setting(name) == "off"
    ]
    if int(setting("server_version_num")) < _OLDEST_POSTGRES * 10_000:
        dangers.append(
            Danger(f"Tocsin asks for PostgreSQL {_OLDEST_POSTGRES} or newer", "upgrade PostgreSQL")
        )
    if most - used < _CONNECTIONS_FREE:
        dangers.append(
            Danger(
                f"{used} of {most} connections are in use; a worker needs up to {_CONNECTIONS_FREE}",
                "raise max_connections in PostgreSQL",
            )
        )
    if not told.pgconn.ssl_in_use and not _on_this_machine(info.host, info.hostaddr):
        dangers.append(
            Danger(
                "the connection over the network is not encrypted",
                "add ?sslmode=verify-full to store.url",
            )
        )
    where = info.host if info.host.startswith("/") else f"{info.host}:{info.port}"
    return Database(
        f"PostgreSQL {setting('server_version').split()[0]}",
        f"{info.dbname} at {where} as {info.user}",
        f"{size}, {used} of {most} connections in use",
        tuple(dangers),
    )


def _on_this_machine(host: str, address: str) -> bool:
    if host.startswith(("/", "@")):
        return True
    try:
        return ip_address(address).is_loopback
    except ValueError:
        return False
