"""Sealed files beside the database: evidence and other large things, each under the key of its incident.

A file is sealed in pieces of 1 MiB, so that memory stays flat; each piece is bound to its file and place, and the
last one says that it is the last, so that a cut-off file is found.
"""

from __future__ import annotations

import hashlib
import os
import struct
from collections.abc import Iterator
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
    """Copy a file into the folder, hashing and sealing while it is read. Raises `BadInput` or `StoreUnavailable`."""
    target = folder / f"{name}.sealed"
    scratch = folder / f".{name}.new"
    try:
        incoming = source.open("rb")
    except OSError as error:
        raise BadInput(f"the file cannot be read ({error.strerror})", where=str(source)) from error
    try:
        with incoming:
            folder.mkdir(parents=True, exist_ok=True)
            with scratch.open("wb") as outgoing:
                digest, size = _seal_pieces(incoming, outgoing, name=name, key=key)
                outgoing.flush()
                os.fsync(outgoing.fileno())
        scratch.replace(target)
        _sync_folder(folder)
    except OSError as error:
        with suppress(OSError):
            scratch.unlink(missing_ok=True)
        raise StoreUnavailable(f"the file cannot be kept ({error.strerror})", where=str(folder)) from error
    return StoredBlob(digest, size, target.name)


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


def _seal_pieces(incoming: BinaryIO, outgoing: BinaryIO, *, name: str, key: bytes) -> tuple[str, int]:
    digest, size, number = hashlib.sha256(), 0, 0
    piece = incoming.read(_PIECE)
    while True:
        following = incoming.read(_PIECE) if piece else b""
        digest.update(piece)
        size += len(piece)
        sealed = seal(key, (b"\0" if following else b"\1") + piece, bound_to=f"blob/{name}/{number}")
        outgoing.write(_LENGTH.pack(len(sealed)) + sealed)
        number += 1
        if not following:
            return digest.hexdigest(), size
        piece = following
