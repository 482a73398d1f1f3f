"""Restoring a backup into a folder of its own. What comes out is a copy that does not act until it is activated.

The backup is read to its end and checked before anything is written. `incident.toml` is put in place last: until then
the folder is no workspace, and a restore that was cut off is begun anew by calling it again.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from incident.errors import BadInput, Refused, StoreUnavailable, Unreadable, WorkspaceError
from incident.ops.archive import DATABASE, FOLDERS, SETTINGS, Examined, examine, unpack
from incident.ops.settings_edit import read_settings_text, replace_settings, sync_folder, with_store
from incident.proof.verify import verify
from incident.settings import SETTINGS_FILE, Settings, read_settings
from incident.store.copying import fill, open_target
from incident.store.database import in_postgres, open_engine, store_errors, use_write_ahead_log
from incident.store.instance import Instance, Standing, set_instance, this_instance, unfenced
from incident.store.journal import WORKSPACE_CHAIN, Head
from incident.store.keyring import WORKSPACE_KEY, Keyring
from incident.store.migrations import ensure_current
from incident.store.store import Store
from incident.workspace import Workspace

_HERE = f"sqlite:///{DATABASE}"
_MARK = ".restoring"
_WAITING = ".incident.toml.restoring"
_OURS = (
    *(f"{DATABASE}{each}" for each in ("", "-wal", "-shm", "-journal")),
    *(_WAITING, f".{_WAITING}.new", _MARK),
    *FOLDERS,
)


@dataclass(frozen=True)
class Restored:
    """A workspace that came out of a backup. `keys` says whether its keyring is in place."""

    root: Path
    store: str
    keyring: Path
    keys: bool
    taken_at: str
    workspace: Mapping[str, Any]
    chains: int
    needed: tuple[str, ...]


@dataclass(frozen=True)
class Wishes:
    """Where things go, if not where the backup's settings say: the store's URL, its password, the keyring."""

    store: str | None = None
    password: str | None = None
    keyring: Path | None = None


def restore(file: Path, folder: Path, wishes: Wishes, *, now: datetime) -> Restored:
    """Make a workspace out of a backup, in a new or empty folder.

    Raises `BadInput` for a file that is no whole backup, `Refused` or `WorkspaceError` when it cannot go there,
    `StoreUnavailable` when the record in it does not verify. Then nothing is left in the folder.
    """
    file, folder = file.expanduser().absolute(), folder.expanduser().resolve()
    begun_into = _begun_into(folder)
    _must_hold_keys(wishes.keyring)
    examined = examine(file, room=_room(folder))
    with _all_or_nothing(folder, store=wishes.store):
        unpack(examined, folder, rename=lambda name: _WAITING if name == SETTINGS else name)
        settings = _settings(folder / _WAITING, wishes)
        workspace = Workspace(folder)
        heads = _heads(examined)
        copy = _open_copy(folder, workspace.under(settings.store.keyring), now=now)
        try:
            _must_verify(copy, heads, file)
            if settings.store.url != _HERE:
                _into_another(copy, settings, root=folder, begun=begun_into == settings.store.url, now=now)
        finally:
            copy.close()
        if settings.store.url != _HERE:
            (folder / DATABASE).unlink()
        (folder / _WAITING).rename(folder / SETTINGS_FILE)
        sync_folder(folder)
    (folder / _MARK).unlink()
    keyring = Keyring(workspace.under(settings.store.keyring))
    return Restored(
        root=folder,
        store=settings.store.url,
        keyring=keyring.folder,
        keys=keyring.has(WORKSPACE_KEY),
        taken_at=str(examined.manifest.get("taken_at", "")),
        workspace=examined.manifest.get("workspace", {}),
        chains=len(heads),
        needed=tuple(str(each) for each in examined.manifest.get("not_in_it", ())),
    )


def _begun_into(folder: Path) -> str | None:
    """Which store a restore that was cut off here was filling; None for a folder that is new or empty.

    Raises `WorkspaceError` for a folder that holds anything else, also beside what such a restore left.
    """
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return None
    what = "this folder is not empty"
    with suppress(OSError, ValueError, KeyError, TypeError):
        begun = str(json.loads((folder / _MARK).read_text(encoding="utf-8"))["store"])
        others = sorted(item.name for item in folder.iterdir() if item.name not in _OURS)
        if not others:
            return begun
        what = f"this folder holds {others[0]} beside a restore that was cut off"
    raise WorkspaceError(what, where=str(folder), next_step="name a new folder, or an empty one")


def _must_hold_keys(keyring: Path | None) -> None:
    if keyring is not None and not Keyring(keyring.expanduser()).has(WORKSPACE_KEY):
        raise Refused(
            "this is no keyring: the workspace's key is not in it",
            where=str(keyring),
            next_step="name the folder that store.keyring named, or leave --keyring out and put it in place later",
        )


def _room(folder: Path) -> int:
    there = next(each for each in (folder, *folder.parents) if each.exists())
    return shutil.disk_usage(there).free


@contextmanager
def _all_or_nothing(folder: Path, *, store: str | None) -> Iterator[None]:
    """The folder with a mark in it while it is filled; empty or gone again when that fails."""
    new = [each for each in (*reversed(folder.parents), folder) if not each.exists()]
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)
        _empty(folder)
        with (folder / _MARK).open("x", encoding="utf-8") as mark:
            json.dump({"store": store or _HERE}, mark)
            mark.flush()
            os.fsync(mark.fileno())
        sync_folder(folder)
        yield
    except BaseException as error:
        if new:
            shutil.rmtree(new[0], ignore_errors=True)
        else:
            _empty(folder)
        if isinstance(error, OSError):
            raise WorkspaceError(
                f"the backup cannot be restored there ({error.strerror or error})",
                where=error.filename or str(folder),
                next_step="make room and check the folder's rights; nothing is left of it",
            ) from error
        raise


def _empty(folder: Path) -> None:
    """Remove what a restore writes, and nothing that somebody else put there: it may be the keyring."""
    for name in _OURS:
        item = folder / name
        if item.is_dir() and not item.is_symlink():
            shutil.rmtree(item, ignore_errors=True)
        else:
            item.unlink(missing_ok=True)


def _settings(file: Path, wishes: Wishes) -> Settings:
    """The backup's settings, changed to where things are now."""
    before = read_settings(file).store
    url = wishes.store or _HERE
    password = wishes.password or before.password if in_postgres(url) else None
    changes: dict[str, str | None] = {"url": url, "password": password}
    if wishes.keyring is not None:
        changes["keyring"] = str(wishes.keyring.expanduser().absolute())
    now = before.model_dump()
    changes = {key: value for key, value in changes.items() if now[key] != value}
    if changes:
        text = with_store(read_settings_text(file), changes, where=SETTINGS)
        replace_settings(file, text)
    return read_settings(file)


def _open_copy(folder: Path, keyring: Path, *, now: datetime) -> Store:
    """The unpacked database, brought up to date; whatever it says of itself, it is a copy."""
    file = folder / DATABASE
    file.chmod(0o600)
    engine = open_engine(_HERE, root=folder)
    with store_errors(str(file)):
        use_write_ahead_log(engine)
    ensure_current(engine, where=str(file))
    store = Store(engine, Keyring(keyring), where=_HERE, fence=unfenced)
    with store.transaction() as session:
        epoch = this_instance(session.connection(), where=_HERE).epoch
        set_instance(session, Instance(epoch, Standing.COPY), now=now)
    return store


def _heads(examined: Examined) -> list[Head]:
    try:
        return [
            Head(str(each["chain"]), int(each["seq"]), str(each["hash"]))
            for each in examined.manifest["heads"]
        ]
    except (KeyError, TypeError, ValueError):
        raise BadInput(
            "the backup does not name the ends of its journal",
            where=str(examined.file),
            next_step="take another backup",
        ) from None


def _must_verify(copy: Store, heads: list[Head], file: Path) -> None:
    try:
        copy.body_of(WORKSPACE_CHAIN, 1)
    except Unreadable:
        raise Refused(
            "this keyring belongs to another workspace: it does not open the first entry",
            where=str(copy.keyring.folder),
            next_step="name the keyring of the workspace that the backup is of",
        ) from None
    found = verify(copy, outside=heads)
    if not found.sound:
        first = found.findings[0]
        raise StoreUnavailable(
            f"the record in it does not verify: {first.chain} entry {first.seq}: {first.fault}: {first.detail}",
            where=str(file),
            next_step="take another backup; this one was changed, or its record was before it was made",
        )


def _into_another(copy: Store, settings: Settings, *, root: Path, begun: bool, now: datetime) -> None:
    """Copy on into the database that was asked for. What a restore of ours that was cut off left there goes."""
    url = settings.store.url
    target = open_target(url, root=root, password=settings.store.password)
    try:
        with copy.read() as session:
            epoch = this_instance(session.connection(), where=_HERE).epoch
            fill(
                session.connection(),
                target,
                where=url,
                standing=Instance(epoch, Standing.COPY),
                may_replace=lambda found: begun and this_instance(found, where=url).standing is Standing.COPY,
                now=now,
            )
    finally:
        target.dispose()
