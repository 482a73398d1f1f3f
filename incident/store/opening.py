"""Making and opening the store of a workspace."""

from __future__ import annotations

from datetime import datetime

from incident.errors import StoreUnavailable, WorkspaceError
from incident.settings import Settings
from incident.store.database import database_file, open_engine, store_errors, use_write_ahead_log
from incident.store.journal import WORKSPACE_CHAIN
from incident.store.keyring import WORKSPACE_KEY, Keyring
from incident.store.migrations import ensure_current, upgrade
from incident.store.store import Store
from incident.workspace import Workspace


def open_store(workspace: Workspace, settings: Settings) -> Store:
    """The store of an existing workspace, upgraded if an older version made it.

    Raises `StoreUnavailable`. Keys are looked up only when something sealed is needed.
    """
    where = settings.store.url
    if not database_file(where, root=workspace.root).exists():
        # Opening would make an empty one.
        raise StoreUnavailable(
            "there is no database here",
            where=where,
            next_step="set store.url to its place, put a backup back, or make a workspace with `incident init`",
        )
    engine = open_engine(where, root=workspace.root)
    ensure_current(engine, where=where)
    return Store(engine, Keyring(workspace.under(settings.store.keyring)), where=where)


def create_store(workspace: Workspace, settings: Settings, *, now: datetime) -> Store:
    """A new store with its keyring and the first entry of the workspace's chain.

    Raises `WorkspaceError` when there is a database or a workspace key already, `StoreUnavailable` as `open_store`.
    """
    file = database_file(settings.store.url, root=workspace.root)
    if file.exists():
        raise WorkspaceError(
            "there is a database already", where=str(file), next_step="open that one, or name another folder"
        )
    engine = open_engine(settings.store.url, root=workspace.root)
    keyring = Keyring(workspace.under(settings.store.keyring))
    with store_errors(settings.store.url):
        use_write_ahead_log(engine)
        upgrade(engine)
    keyring.create(WORKSPACE_KEY, now=now)
    store = Store(engine, keyring, where=settings.store.url)
    with store.write(WORKSPACE_CHAIN, kind="workspace.born", actor="system", now=now) as change:
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
