"""The keyring: one key an incident and one for the workspace, outside the database and its backups.

Destroying an incident's key ends its data everywhere, also in every copy of the database made before. A small
tombstone stays, so that "destroyed on DATE" and "lost" can be told apart.

The keyring also holds the epoch: how often a copy of the record was made the one that may act. It is what copies
that share a keyring are told apart by (see `incident.store.instance`).
"""

from __future__ import annotations

import base64
import errno
import fcntl
import json
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from incident.errors import ConflictingWrite, KeyDestroyed, KeyMissing, WorkspaceError
from incident.store.sealing import KEY_BYTES, SUITE

WORKSPACE_KEY = "workspace"
FIRST_EPOCH = 1
_EPOCH, _EPOCH_LOCK, _EPOCH_SCRATCH = "epoch", "epoch.lock", ".epoch.new"
_COUNSEL = "-counsel"
_DESTROYED = ".destroyed"
_NAME = re.compile(r"[A-Za-z0-9-]{1,64}")


def counsel_key(incident_id: str) -> str:
    """The name of the key for notes that only counsel reads: not the one that opens all else of the incident."""
    return f"{incident_id}{_COUNSEL}"


class Keyring:
    """Keys in files of mode 0600, one a name, cached while this object lives."""

    def __init__(self, folder: Path, *, random: Callable[[int], bytes] = os.urandom) -> None:
        self.folder = folder
        self._folder = str(folder)
        self._epoch_file = str(folder / _EPOCH)
        self._random = random
        self._cache: dict[str, bytes] = {}

    def create(self, name: str, *, now: datetime) -> bytes:
        """Make a new key. Raises `WorkspaceError` when the name is taken or the folder cannot be written."""
        key = self._random(KEY_BYTES)
        document = {
            "name": name,
            "suite": SUITE,
            "created_at": now.isoformat(),
            "key": base64.b64encode(key).decode("ascii"),
        }
        file = self._file(name)
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            _write_durably(file, json.dumps(document).encode())
        except OSError as error:
            if isinstance(error, FileExistsError) and file.exists():
                raise WorkspaceError(
                    f"the keyring already holds a key {name}", where=str(self.folder)
                ) from None
            raise WorkspaceError(
                f"the key {name} cannot be written ({error.strerror})", where=str(self.folder)
            ) from error
        self._cache[name] = key
        return key

    def get(self, name: str) -> bytes:
        """The key of a name. Raises `KeyDestroyed` or `KeyMissing`."""
        # The tombstone is looked for each time: another process may have destroyed the key since.
        # Not by pathlib: this stands several times in every change.
        cached = self._cache.get(name)
        if cached is not None and not os.path.exists(f"{self._folder}/{name}{_DESTROYED}"):  # noqa: PTH110
            return cached
        self._cache.pop(name, None)
        destroyed = self.destroyed_at(name)
        if destroyed is not None:
            raise KeyDestroyed(
                f"the key of {name} was destroyed on {destroyed}; its data cannot be read any more"
            )
        try:
            document = json.loads(self._file(name).read_text(encoding="ascii"))
            key = base64.b64decode(document["key"], validate=True)
        except FileNotFoundError:
            raise KeyMissing(
                f"the keyring holds no key for {name}",
                where=str(self.folder),
                next_step="put the keyring back from where it is kept, or set store.keyring to its place",
            ) from None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise KeyMissing(
                f"the key file of {name} cannot be read",
                where=str(self._file(name)),
                next_step="put the file back from a copy of the keyring",
            ) from error
        if len(key) != KEY_BYTES:
            raise KeyMissing(f"the key of {name} has the wrong length", where=str(self._file(name)))
        self._cache[name] = key
        return key

    def has(self, name: str) -> bool:
        """Whether the key is here and was not destroyed."""
        return self._file(name).is_file() and self.destroyed_at(name) is None

    def is_taken(self, name: str) -> bool:
        """Whether the name was ever used: there is a key, or one was destroyed."""
        return self._file(name).exists() or self._tombstone(name).exists()

    def destroyed_at(self, name: str) -> str | None:
        """When the key was destroyed (ISO 8601), or None. Raises `KeyMissing` for a tombstone that says nothing."""
        tombstone = self._tombstone(name)
        try:
            return str(json.loads(tombstone.read_text(encoding="ascii"))["destroyed_at"])
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise KeyMissing(
                f"the note that the key of {name} was destroyed cannot be read",
                where=str(tombstone),
                next_step="put the file back from a copy of the keyring",
            ) from error

    def discard(self, name: str) -> None:
        """Take back a key whose first write did not come about. Nothing was ever sealed with it."""
        self._cache.pop(name, None)
        self._file(name).unlink(missing_ok=True)

    def destroy(self, name: str, *, now: datetime) -> None:
        """Destroy a key for good: a durable tombstone first, then the key is overwritten and removed.

        A crash in between leaves the tombstone, which already counts as destroyed; calling again finishes the work.
        Overwriting cannot reach what a file system or disk has copied elsewhere: keep the keyring on storage
        where deleting deletes.
        """
        file = self._file(name)
        if self.destroyed_at(name) is None:
            if not file.exists():
                raise KeyMissing(f"the keyring holds no key for {name}", where=str(self.folder))
            tombstone = json.dumps({"name": name, "destroyed_at": now.isoformat()}).encode()
            scratch = self._tombstone(name).with_suffix(".destroying")
            scratch.unlink(missing_ok=True)
            _write_durably(scratch, tombstone)
            scratch.replace(self._tombstone(name))
            _sync_folder(self.folder)
        self._cache.pop(name, None)
        if file.exists():
            with file.open("r+b") as handle:
                handle.write(b"\0" * file.stat().st_size)
                handle.flush()
                os.fsync(handle.fileno())
            file.unlink()
            _sync_folder(self.folder)

    def epoch(self) -> int:
        """The epoch of the copy that may act. Read anew each time: another process may have raised it.

        A keyring without the file is of the first epoch. Raises `KeyMissing` for a file that holds no number.
        """
        # Not by pathlib: this stands twice in every writing transaction.
        try:
            descriptor = os.open(self._epoch_file, os.O_RDONLY | os.O_CLOEXEC)
            try:
                return int(os.read(descriptor, 32))
            finally:
                os.close(descriptor)
        except FileNotFoundError:
            return FIRST_EPOCH
        except (OSError, ValueError) as error:
            raise KeyMissing(
                "the keyring's epoch cannot be read",
                where=self._epoch_file,
                next_step="put the file back from a copy of the keyring",
            ) from error

    @contextmanager
    def one_activation(self) -> Iterator[None]:
        """Hold back every other activation with this keyring, so that no two take the same epoch.

        Raises `ConflictingWrite` while another one is under way, `WorkspaceError` when the lock cannot be made.
        """
        place = self.folder / _EPOCH_LOCK
        try:
            descriptor = os.open(place, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise WorkspaceError(
                f"the keyring cannot be written ({error.strerror})",
                where=str(place),
                next_step="make the keyring's folder writable for this user",
            ) from error
        try:
            _lock_or_conflict(descriptor, self.folder)
            yield
        finally:
            os.close(descriptor)

    def raise_epoch(self, epoch: int) -> None:
        """Set a higher epoch, durably and in one step: every copy of an earlier one is fenced out from here on.

        Called within `one_activation`. Raises `WorkspaceError` when it cannot be written.
        """
        if epoch <= self.epoch():
            raise ValueError(f"the epoch {epoch} is not above {self.epoch()}")
        scratch = self.folder / _EPOCH_SCRATCH
        try:
            scratch.unlink(missing_ok=True)
            _write_durably(scratch, f"{epoch}\n".encode())
            scratch.replace(self.folder / _EPOCH)
            _sync_folder(self.folder)
        except OSError as error:
            raise WorkspaceError(
                f"the keyring's epoch cannot be written ({error.strerror})",
                where=str(self.folder),
                next_step="make room, and make the keyring's folder writable for this user",
            ) from error

    def _file(self, name: str) -> Path:
        if not _NAME.fullmatch(name):
            raise KeyMissing(f"{name!r} is no name of a key")
        return self.folder / f"{name}.key"

    def _tombstone(self, name: str) -> Path:
        return self._file(name).with_suffix(_DESTROYED)


def _lock_or_conflict(descriptor: int, folder: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise ConflictingWrite(
            "another copy of the record is being activated right now",
            where=str(folder),
            next_step="wait for it; then decide again which copy it should be",
        ) from None


def _write_durably(path: Path, content: bytes) -> None:
    """Make a new file, whole or not at all. Raises `FileExistsError` or another `OSError`."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb", buffering=0) as handle:
            # A full disk may take a part of it and say so only in the count.
            if handle.write(content) != len(content):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.fsync(handle.fileno())
        _sync_folder(path.parent)
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
