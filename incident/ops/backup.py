"""A backup: the record, its files and the workspace's own data in one file, while everything works. Never a key.

The database comes first and the files after it: a file is on the disk before a row speaks of it, so every row of the
copy finds its file. What lies in the archive says of itself that it is a copy, so that it refuses to act even when
somebody unpacks it by hand.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import IO, Any

from incident import __version__
from incident.errors import Refused, StoreUnavailable
from incident.ops.archive import DATABASE, SETTINGS, ArchiveWriter
from incident.ops.backup_files import LeftOut, files_of, secret_references
from incident.ops.settings_edit import sync_folder
from incident.settings import Settings
from incident.store.copying import snapshot
from incident.store.store import Store
from incident.workspace import Workspace

_SCRATCH = ".tocsin-backup-"
_ABANDONED_SECONDS = 60


@dataclass(frozen=True)
class Backup:
    """What was kept: `size` bytes in `file`, of which the database was `database` bytes before it was packed."""

    file: str
    size: int
    database: int
    files: int
    seconds: float
    taken_at: datetime
    left_out: tuple[LeftOut, ...]


def back_up(workspace: Workspace, settings: Settings, store: Store, file: Path, *, now: datetime) -> Backup:
    """Write a backup into a new file: whole under its name, or not there.

    Raises `Refused` when there is such a file, `StoreUnavailable` when the store cannot be read or the file not be
    written.
    """
    file = file.expanduser().parent.resolve() / file.name
    _must_be_new(file)
    with _writing_errors(file), _scratch_folder(file.parent) as folder:
        made = folder / "archive"
        with made.open("xb") as out:
            os.fchmod(out.fileno(), 0o600)
            backup = _write(workspace, settings, store, out, folder, now=now)
            out.flush()
            os.fsync(out.fileno())
        _publish(made, file)
        return replace(backup, file=str(file), size=file.stat().st_size)


def stream_backup(
    workspace: Workspace, settings: Settings, store: Store, out: IO[bytes], *, now: datetime
) -> Backup:
    """As `back_up`, into a pipe. The database's snapshot lies in the folder for temporary files meanwhile."""
    counted = _Counted(out)
    with _scratch_folder(Path(tempfile.gettempdir())) as folder:
        backup = _write(workspace, settings, store, counted, folder, now=now)
        out.flush()
    return replace(backup, size=counted.size)


def _write(
    workspace: Workspace, settings: Settings, store: Store, out: Any, folder: Path, *, now: datetime
) -> Backup:
    began = time.monotonic()
    database = folder / DATABASE
    snapshot(store.engine, database, where=store.where)
    archive = ArchiveWriter(out)
    archive.add_file(DATABASE, database)
    archive.add_file(SETTINGS, workspace.settings_file)
    left_out: list[LeftOut] = []
    for each in files_of(workspace, settings):
        if isinstance(each, LeftOut):
            left_out.append(each)
            continue
        # Gone since it was listed: a page that was written anew, or an incident whose data was destroyed.
        with suppress(FileNotFoundError):
            archive.add_file(each.name, each.path)
    archive.finish(_manifest(settings, database, now=now))
    return Backup(
        file="-",
        size=0,
        database=database.stat().st_size,
        files=len(archive.members),
        seconds=round(time.monotonic() - began, 3),
        taken_at=now,
        left_out=tuple(left_out),
    )


def _manifest(settings: Settings, database: Path, *, now: datetime) -> dict[str, Any]:
    workspace = settings.workspace
    # Of the copy, not of the store: that has gone on meanwhile.
    with closing(sqlite3.connect(database)) as copy:
        [revision] = copy.execute("SELECT version_num FROM alembic_version").fetchone()
        [epoch] = copy.execute("SELECT epoch FROM instance").fetchone()
        heads = copy.execute("SELECT chain, seq, hash FROM journal_head ORDER BY chain").fetchall()
    return {
        "version": __version__,
        "revision": revision,
        "taken_at": now.isoformat(),
        "workspace": {"id": workspace.id, "name": workspace.name, "born": str(workspace.born)},
        "epoch": epoch,
        "heads": [{"chain": chain, "seq": seq, "hash": digest} for chain, seq, digest in heads],
        "not_in_it": ["the keyring", *secret_references(settings)],
    }


class _Counted:
    """A pipe, and how many bytes went into it."""

    def __init__(self, out: IO[bytes]) -> None:
        self._out = out
        self.size = 0

    def write(self, piece: bytes) -> int:
        self.size += len(piece)
        return self._out.write(piece)

    def flush(self) -> None:
        self._out.flush()


@contextmanager
def _scratch_folder(parent: Path) -> Iterator[Path]:
    """A folder for what is not finished, removed in the end; what killed backups left there goes first."""
    _remove_abandoned(parent)
    folder = Path(tempfile.mkdtemp(prefix=_SCRATCH, dir=parent))
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        # The kernel lets go of it however we end: so others can tell an abandoned folder.
        fcntl.flock(descriptor, fcntl.LOCK_SH)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(descriptor)


def _remove_abandoned(parent: Path) -> None:
    for folder in parent.glob(f"{_SCRATCH}*"):
        with suppress(OSError):
            if time.time() - folder.stat().st_mtime < _ABANDONED_SECONDS:
                continue
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)
            finally:
                os.close(descriptor)


def _must_be_new(file: Path) -> None:
    if not file.parent.is_dir():
        raise Refused(
            "the folder for the backup is not there",
            where=str(file.parent),
            next_step="make it, or name another",
        )
    if os.path.lexists(file):
        raise _exists(file)


def _exists(file: Path) -> Refused:
    return Refused(
        "there is a file of this name already",
        where=str(file),
        next_step="name a new one; no backup is replaced",
    )


def _publish(made: Path, file: Path) -> None:
    """Give the finished file its name, unless somebody else took it meanwhile."""
    try:
        os.link(made, file)
    except FileExistsError:
        raise _exists(file) from None
    except OSError:
        # A file system without hard links.
        if os.path.lexists(file):
            raise _exists(file) from None
        made.rename(file)
    sync_folder(file.parent)


@contextmanager
def _writing_errors(file: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StoreUnavailable(
            f"the backup cannot be written ({error.strerror or error})",
            where=error.filename or str(file),
            next_step="make room and check the folder's rights, or name another place; nothing is left of it",
        ) from error
