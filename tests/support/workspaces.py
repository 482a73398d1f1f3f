"""Workspaces for tests: real folders with a real store and keyring, and a clock that stands until it is moved."""

from __future__ import annotations

import atexit
import json
import shutil
import tempfile
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import inspect, text

from incident.record.decisions import Signer
from incident.record.facts import Fact
from incident.record.incidents import Origin, open_incident
from incident.record.operators import DEFAULT_ROLES, Role, add_operator
from incident.record.signing import OpenKey
from incident.record.sshsig import PrivateKey, public_line
from incident.settings import Settings, read_settings
from incident.store.opening import create_store, open_store
from incident.store.store import Store
from incident.workspace import Workspace
from tests.support.postgres import PostgresServer

START = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
Tables = dict[str, list[tuple[Any, ...]]]


class FixedClock:
    """A clock that shows `now` until it is moved. Call it for the time."""

    def __init__(self, now: datetime = START) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def move(self, **by: float) -> datetime:
        """Move by `hours=`, `minutes=`... as `timedelta` takes them; returns the new time."""
        self.now += timedelta(**by)
        return self.now


@dataclass(frozen=True)
class Made:
    """A workspace with all that belongs to it."""

    workspace: Workspace
    settings: Settings
    store: Store
    clock: FixedClock

    @property
    def database(self) -> Path:
        return self.workspace.root / "incident.db"

    def another(self) -> Made:
        """The same workspace opened once more, as by a process of its own."""
        return replace(self, store=open_store(self.workspace, self.settings))


def make_workspace(
    tmp_path: Path, *, born: str = "live", on: PostgresServer | None = None, **settings: Mapping[str, Any]
) -> Made:
    """A new workspace in `tmp_path/workspace`; keywords are tables of the settings, such as `mail={"host": ...}`.

    Its store is an SQLite file, or a new database of the server `on` (fixtures `postgres` and `store_on`). The store
    is closed when the test's garbage is collected; tests that copy the database call `store.close()`.
    """
    root = tmp_path / "workspace"
    tables = {
        **settings,
        "workspace": {"id": "test", "name": "Test", "born": born, **settings.get("workspace", {})},
    }
    # Migrations are most of the work, so a workspace is made once and copied from then on. Of its settings only these
    # are looked at while it is made.
    template = _template(_toml({name: tables[name] for name in ("workspace", "store") if name in tables}), on)
    shutil.copytree(template.root, root)
    workspace = Workspace(root)
    if on is not None:
        tables = _in_database(tables, on.url(on.create_database(template=template.database)))
    workspace.settings_file.write_text(_toml(tables), encoding="utf-8")
    read = read_settings(workspace.settings_file)
    return Made(workspace, read, open_store(workspace, read), FixedClock())


@dataclass(frozen=True)
class _Template:
    root: Path
    database: str


@cache
def _template(settings: str, on: PostgresServer | None) -> _Template:
    root = Path(tempfile.mkdtemp(prefix="tocsin-workspace-"))
    atexit.register(shutil.rmtree, root, ignore_errors=True)
    workspace = Workspace(root)
    database = ""
    workspace.settings_file.write_text(settings, encoding="utf-8")
    if on is not None:
        database = on.create_database()
        on.keep(database)
        tables = tomllib.loads(settings)
        workspace.settings_file.write_text(_toml(_in_database(tables, on.url(database))), encoding="utf-8")
    create_store(workspace, read_settings(workspace.settings_file), now=START).close()
    return _Template(root, database)


def _in_database(tables: Mapping[str, Any], url: str) -> dict[str, Any]:
    return {**tables, "store": {**tables.get("store", {}), "url": url}}


def open_one(
    made: Made, title: str = "Customer list on a public share", *, facts: Sequence[Fact] = ()
) -> str:
    """Open an incident; returns its id."""
    return open_incident(
        made.store,
        title,
        facts=facts,
        told_by="night desk",
        origin=Origin.PERSON,
        actor="ana",
        now=made.clock(),
        zone=made.settings.zone,
    )


def make_signer(
    made: Made,
    name: str,
    *,
    roles: Sequence[Role] = DEFAULT_ROLES,
    simulated: bool = False,
    key: PrivateKey | None = None,
) -> Signer:
    """Add an operator with a new key (or the given one); returns who signs."""
    signing_key = key or Ed25519PrivateKey.generate()
    add_operator(
        made.store,
        name,
        public_line(signing_key),
        roles=tuple(roles),
        simulated=simulated,
        actor="system",
        now=made.clock(),
    )
    return Signer(name, OpenKey(signing_key))


def private_key_of(signer: Signer) -> PrivateKey:
    """The private key of a signer made here."""
    assert isinstance(signer.key, OpenKey)
    return signer.key.private


def all_rows(store: Store) -> Tables:
    """Every row of every table, to show that something changed nothing."""
    with store.engine.connect() as connection:
        names = inspect(connection).get_table_names()
        return {name: _rows(connection.execute(text(f'SELECT * FROM "{name}"'))) for name in names}  # noqa: S608


def stored_bytes(made: Made) -> bytes:
    """All that the database holds, to show that something does not lie open in it. Closes the store."""
    made.store.close()
    if made.settings.store.url.startswith("sqlite"):
        return b"".join(file.read_bytes() for file in sorted(made.workspace.root.glob("incident.db*")))
    cells = (cell for rows in all_rows(made.store).values() for row in rows for cell in row)
    return b"\0".join(bytes(cell) if isinstance(cell, bytes) else str(cell).encode() for cell in cells)


def run_sql(store: Store, statement: str, /, **values: Any) -> int:
    """Change the database behind the store's back; returns how many rows that touched."""
    with store.transaction() as session:
        return session.connection().execute(text(statement), values).rowcount


def _rows(result: Any) -> list[tuple[Any, ...]]:
    return sorted((tuple(row) for row in result), key=repr)


def _toml(tables: Mapping[str, Mapping[str, Any]]) -> str:
    parts = []
    for name, table in tables.items():
        lines = [f"{key} = {_value(value)}" for key, value in table.items() if value is not None]
        parts.append("\n".join([f"[{name}]", *lines, ""]))
    return "\n".join(parts)


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{json.dumps(key)} = {_value(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_value(inner) for inner in value) + "]"
    return json.dumps(value, ensure_ascii=False)
