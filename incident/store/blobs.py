"""Sealed files beside the database: evidence and other large things, each under the key of its incident.

A file is sealed in pieces of 1 MiB, so that memory stays flat; each piece is bound to its file and place, and the
last one says that it is the last, so that a cut-off file is found.
"""

from __future__ import annotations

import hashlib
import os
import stat
import struct
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from incident.errors import BadInput, StoreUnavailable, Unreadable
from incident.store.sealing import seal, unseal

_PIECE = 1 << 20
# Room for what sealing adds; a damaged length must not make us read a whole file at once.
_LONGEST_SEALED = _PIECE + 1024
_LENGTH = struct.Struct(">I")


@dataclass(frozen=True)
class StoredBlob:
    """What was stored: SHA-256 of the plain bytes, their number, and the file's place under the blobs folder."""

    sha256: str
    size: int
    place: str


def store_blob(folder: Path, source: Path, *, name: str, key: bytes) -> StoredBlob:
    """Copy a regular file into the folder, hashing and sealing while it is read; what fails keeps nothing.

    Raises `BadInput` for a file that cannot be read, that is a folder, a pipe or a device, or that changed meanwhile;
    `StoreUnavailable` where the copy cannot be kept.
    """
    target = folder / f"{name}.sealed"
    scratch = folder / f".{name}.new"
    try:
        with _opened(source) as incoming:
            before = _marks(incoming)
            folder.mkdir(parents=True, exist_ok=True)
            with scratch.open("wb") as outgoing:
                digest, size = _seal_pieces(_reading(incoming, source), outgoing, name=name, key=key)
                outgoing.flush()
                os.fsync(outgoing.fileno())
            if _marks(incoming) != before or size != before.size:
                raise BadInput(
                    "the file changed while it was read, so its hash would prove nothing",
                    where=str(source),
                    next_step="stop what writes to it, or make a copy and take that into custody",
                )
        scratch.replace(target)
        _sync_folder(folder)
    except OSError as error:
        raise StoreUnavailable(
            f"the file cannot be kept ({error.strerror})",
            where=str(folder),
            next_step="make room there, or check the folder's rights, then take it again",
        ) from error
    finally:
        with suppress(OSError):
            scratch.unlink(missing_ok=True)
    return StoredBlob(digest, size, target.name)


@dataclass(frozen=True)
class _Marks:
    """What changes when a file is written to."""

    size: int
    modified: int
    changed: int


def _marks(file: BinaryIO) -> _Marks:
    state = os.fstat(file.fileno())
    return _Marks(state.st_size, state.st_mtime_ns, state.st_ctime_ns)


_KINDS = ((stat.S_ISDIR, "a folder"), (stat.S_ISFIFO, "a pipe"), (stat.S_ISSOCK, "a socket"))


def _opened(source: Path) -> BinaryIO:
    try:
        # Whoever opens a pipe that nobody writes to would wait for ever.
        descriptor = os.open(source, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "no path has a zero byte"
        raise BadInput(
            f"the file cannot be read ({why})",
            where=str(source),
            next_step="check the path, and that this account may read it",
        ) from error
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISREG(mode):
        return os.fdopen(descriptor, "rb")
    os.close(descriptor)
    raise BadInput(
        f"it is {next((kind for test, kind in _KINDS if test(mode)), 'a device')}, no file",
        where=str(source),
        next_step="name a file; a folder is packed into one first, and an image made of a device",
    )


def _reading(file: BinaryIO, source: Path) -> Callable[[], bytes]:
    def read() -> bytes:
        try:
            return file.read(_PIECE)
        except OSError as error:
            raise BadInput(
                f"the file cannot be read to its end ({error.strerror})", where=str(source)
            ) from error

    return read


def read_blob(folder: Path, place: str, *, key: bytes) -> Iterator[bytes]:
    """The plain bytes of a stored file, piece by piece. Raises `Unreadable` if any of it is damaged or missing."""
    name = place.removesuffix(".sealed")
    try:
        handle = (folder / place).open("rb")
    except OSError as error:
        raise Unreadable(f"the sealed file cannot be read ({error.strerror})", where=place) from error
    with handle:
        number, ended = 0, False
        while head := handle.read(_LENGTH.size):
            length = _LENGTH.unpack(head)[0] if len(head) == _LENGTH.size else 0
            if ended or not 0 < length <= _LONGEST_SEALED:
                raise Unreadable("the sealed file is damaged", where=place)
            piece = handle.read(length)
            if len(piece) < length:
                raise Unreadable("the sealed file ends early", where=place)
            plain = unseal(key, piece, bound_to=f"blob/{name}/{number}")
            ended, number = plain[:1] == b"\1", number + 1
            yield plain[1:]
        if not ended:
            raise Unreadable("the sealed file ends early", where=place)


def blob_hash(folder: Path, place: str, *, key: bytes) -> str:
    """The SHA-256 of a stored file's plain bytes, read anew."""
    digest = hashlib.sha256()
    for piece in read_blob(folder, place, key=key):
        digest.update(piece)
    return digest.hexdigest()


def _sync_folder(folder: Path) -> None:
    # The name must be on the disk before a row speaks of the file.
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _seal_pieces(read: Callable[[], bytes], outgoing: BinaryIO, *, name: str, key: bytes) -> tuple[str, int]:
    digest, size, number = hashlib.sha256(), 0, 0
    piece = read()
    while True:
        following = read() if piece else b""
        digest.update(piece)
        size += len(piece)
        sealed = seal(key, (b"\0" if following else b"\1") + piece, bound_to=f"blob/{name}/{number}")
        outgoing.write(_LENGTH.pack(len(sealed)) + sealed)
        number += 1
        if not following:
            return digest.hexdigest(), size
        piece = following
