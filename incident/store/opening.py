"""Making and opening the store of a workspace."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Engine
from sqlmodel import select

from incident.errors import StoreUnavailable, WorkspaceError
from incident.settings import Settings
from incident.store.database import (
    database_file,
    in_postgres,
    is_postgres,
    open_engine,
    store_errors,
    use_write_ahead_log,
)
from incident.store.journal import WORKSPACE_CHAIN
from incident.store.keyring import WORKSPACE_KEY, Keyring
from incident.store.migrations import ensure_current, make_schema
from incident.store.store import Store
from incident.workspace import Workspace


def open_store(workspace: Workspace, settings: Settings) -> Store:
    """The store of an existing workspace, upgraded if an older version made it.

    Raises `StoreUnavailable`. Keys are looked up only when something sealed is needed.
    """
    where = settings.store.url
    if not in_postgres(where) and not database_file(where, root=workspace.root).exists():
        # Opening would make an empty one.
        raise StoreUnavailable(
            "there is no database here",
            where=where,
            next_step="set store.url to its place, put a backup back, or make a workspace with `incident init`",
        )
    engine = _engine(workspace, settings)
    try:
        ensure_current(engine, where=where)
    except BaseException:
        engine.dispose()
        raise
    return Store(engine, Keyring(workspace.under(settings.store.keyring)), where=where)


def create_store(workspace: Workspace, settings: Settings, *, now: datetime) -> Store:
    """A new store with its keyring and the first entry of the workspace's chain.

    An SQLite file is made; a PostgreSQL database must be there and be empty. Raises `WorkspaceError` when there is
    a store or a workspace key already, `StoreUnavailable` as `open_store`.
    """
    where = settings.store.url
    if not in_postgres(where) and (file := database_file(where, root=workspace.root)).exists():
        raise WorkspaceError(
            "there is a database already", where=str(file), next_step="open that one, or name another folder"
        )
    engine = _engine(workspace, settings)
    keyring = Keyring(workspace.under(settings.store.keyring))
    with store_errors(where):
        if is_postgres(engine):
            must_keep_unicode(engine, where)
        else:
            use_write_ahead_log(engine)
        make_schema(engine, where=where)
    keyring.create(WORKSPACE_KEY, now=now)
    store = Store(engine, keyring, where=where)
    with store.write(WORKSPACE_CHAIN, kind="workspace.born", actor="system", now=now) as change:
        from incident.store.tables import JournalHead

        if change.session.exec(select(JournalHead)).first() is not None:
            # Somebody else made theirs since we looked.
            raise WorkspaceError("there is a workspace in this database already", where=where)
        change.note(id=settings.workspace.id, name=settings.workspace.name, born=settings.workspace.born)
    return store


def born_as(store: Store) -> str:
    """What the workspace was made for, from the first entry of its chain: no edit of the settings changes that.

    Raises `StoreUnavailable` when that entry cannot be read.
    """
    body = store.body_of(WORKSPACE_CHAIN, 1)
    if body is None:
        raise StoreUnavailable(
            "the first entry of the workspace's chain cannot be read",
            where=store.where,
            next_step="put the keyring back from where it is kept",
        )
    return str(body["born"])


def _engine(workspace: Workspace, settings: Settings) -> Engine:
    return open_engine(settings.store.url, root=workspace.root, password=settings.store.password)


def must_keep_unicode(engine: Engine, where: str) -> None:
    """Raises `WorkspaceError` for a PostgreSQL database that cannot hold every character."""
    with engine.connect() as connection:
        encoding = connection.exec_driver_sql("SHOW server_encoding").scalar_one()
    if encoding != "UTF8":
        raise WorkspaceError(
            f"the database keeps text as {encoding}; names from all over the world need UTF8",
            where=where,
            next_step="make one with createdb --encoding=UTF8 --template=template0",
        )
