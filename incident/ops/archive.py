"""The file of a backup: a gzipped tar whose last member says what all the others must be.

Written in one pass, so that it can go to a pipe. Read in two: `examine` compares every member with the manifest and
writes nothing, `unpack` writes what was examined. A file that somebody made to harm is refused by the first: only
plain files with the names that a backup holds, none larger than the room there is, no header beyond a megabyte.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import tarfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, BinaryIO

from incident.errors import BadInput
from incident.ops.settings_edit import sync_folder

FORMAT = "tocsin-backup/1"
MANIFEST = "manifest.json"
DATABASE = "incident.db"
SETTINGS = "incident.toml"
FOLDERS = ("blobs", "public", "reports", "regimes", "sources", "playbooks", "templates", "forms")
# Sealed data does not compress; a higher level takes three times as long and gains a hundredth.
_LEVEL = 1
# Added to zlib's window size it asks for a gzip header and checksum.
_GZIP_HEADER = 16
_PIECE = 1 << 18
_LARGEST_HEADER = 1 << 20
_LARGEST_MANIFEST = 1 << 29
_MOST_MEMBERS = 5_000_000


@dataclass(frozen=True)
class Member:
    """One file of a backup, as the manifest names it."""

    size: int
    sha256: str


@dataclass(frozen=True)
class Examined:
    """A backup that is whole: what its manifest says, and its members in their order."""

    file: Path
    manifest: dict[str, Any]
    members: dict[str, Member]

    @property
    def size(self) -> int:
        """The bytes that unpacking takes."""
        return sum(member.size for member in self.members.values())


class ArchiveWriter:
    """Writes a backup into an open file or pipe; `finish` ends it with the manifest."""

    def __init__(self, out: IO[bytes]) -> None:
        self.members: dict[str, Member] = {}
        self._zip = _GzipWriter(out)
        self._tar = tarfile.open(fileobj=self._zip, mode="w", format=tarfile.PAX_FORMAT)  # type: ignore[call-overload]  # noqa: SIM115

    def add_file(self, name: str, path: Path) -> None:
        """Add a file under a name. Raises `OSError`; `FileNotFoundError` before anything was written."""
        with path.open("rb") as source:
            status = os.fstat(source.fileno())
            info = tarfile.TarInfo(name)
            info.size, info.mtime, info.mode = status.st_size, int(status.st_mtime), status.st_mode & 0o777
            hashing = _Hashing(source)
            self._tar.addfile(info, hashing)
        self.members[name] = Member(info.size, hashing.hexdigest())

    def finish(self, manifest: dict[str, Any]) -> None:
        """Add the manifest with all members, and end the archive; the file below stays open."""
        listed = {name: vars(member) for name, member in self.members.items()}
        content = json.dumps({"format": FORMAT, **manifest, "members": listed}, ensure_ascii=False, indent=1)
        encoded = content.encode()
        info = tarfile.TarInfo(MANIFEST)
        info.size, info.mode = len(encoded), 0o600
        self._tar.addfile(info, io.BytesIO(encoded))
        self._tar.close()
        self._zip.finish()


def examine(file: Path, *, room: int) -> Examined:
    """Check a backup from its first byte to its last; nothing is written.

    `room` is how many bytes its members may take. Raises `BadInput` for what is no whole backup, was changed, or holds
    what no backup of ours holds.
    """
    members: dict[str, Member] = {}
    manifest: bytes | None = None
    total = 0
    with _opened(file) as archive:
        for name, info, content in archive.members():
            if manifest is not None:
                raise _broken(file, f"something stands behind {MANIFEST}")
            if name == MANIFEST:
                manifest = _manifest_bytes(info.size, content, file)
                continue
            _must_be_ours(name, members, file)
            total += info.size
            if total > room:
                raise BadInput(
                    f"it holds more than {total >> 20} MiB, and there is room for {room >> 20} MiB",
                    where=str(file),
                    next_step="make room, or restore to another disk",
                )
            digest = hashlib.sha256()
            for piece in content:
                digest.update(piece)
            members[name] = Member(info.size, digest.hexdigest())
        archive.must_end()
    if manifest is None:
        raise _broken(file, f"{MANIFEST} is not there, so it was cut off")
    said = _read_manifest(manifest, file)
    _must_agree(members, said["members"], file)
    return Examined(file, said, members)


def unpack(examined: Examined, folder: Path, *, rename: Callable[[str], str] = str) -> None:
    """Write an examined backup's members below a folder. Raises `BadInput` when the file has changed since, or `OSError`."""
    written: set[str] = set()
    with _opened(examined.file) as archive:
        for name, info, content in archive.members():
            if name == MANIFEST:
                break
            if name not in examined.members or name in written:
                raise _broken(examined.file, f"{name} was not there when it was examined")
            target = folder / rename(name)
            target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            if Member(info.size, _write(target, content, info.mode)) != examined.members[name]:
                raise _broken(examined.file, f"{name} has changed since it was examined")
            written.add(name)
    if written != examined.members.keys():
        raise _broken(examined.file, "it has changed since it was examined")
    for parent in {place for name in written for place in (folder / rename(name)).parents}:
        if parent.is_relative_to(folder):
            sync_folder(parent)


class _GzipWriter:
    """One gzip stream (RFC 1952) into an open file.

    `gzip.GzipFile` buffers from Python 3.12 on and writes what is left when it is thrown away: a backup that failed
    would write once more, into a file that is closed by then.
    """

    def __init__(self, out: IO[bytes]) -> None:
        self._out = out
        self._packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, zlib.MAX_WBITS | _GZIP_HEADER)
        self._place = 0

    def write(self, piece: bytes) -> int:
        self._out.write(self._packer.compress(piece))
        self._place += len(piece)
        return len(piece)

    def tell(self) -> int:
        return self._place

    def finish(self) -> None:
        self._out.write(self._packer.flush())


class _Hashing(io.RawIOBase):
    """A file that is hashed while it is read."""

    def __init__(self, source: BinaryIO) -> None:
        self._source = source
        self._digest = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        piece = self._source.read(size)
        self._digest.update(piece)
        return piece

    def hexdigest(self) -> str:
        return self._digest.hexdigest()


class _Bounded(io.RawIOBase):
    """A stream that is read forward only, and no further than is allowed at a time: tarfile reads headers whole."""

    def __init__(self, source: BinaryIO) -> None:
        self._source = source
        self._place = 0
        self.allowed = _LARGEST_HEADER

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= self.allowed:
            raise tarfile.ReadError("a header is larger than any of ours")
        piece = self._source.read(size)
        self.allowed -= len(piece)
        self._place += len(piece)
        return piece

    def tell(self) -> int:
        return self._place

    def seek(self, place: int, whence: int = io.SEEK_SET) -> int:
        if whence != io.SEEK_SET or place < self._place:
            raise tarfile.ReadError("the archive jumps back")
        while self._place < place and self.read(min(_PIECE, place - self._place)):
            pass
        return self._place


class _Archive:
    """The members of an open backup, one after another."""

    def __init__(self, file: Path, handle: gzip.GzipFile) -> None:
        self._file = file
        self._stream = _Bounded(handle)  # type: ignore[arg-type]
        self._handle = handle
        self._tar = tarfile.open(fileobj=self._stream, mode="r:")  # noqa: SIM115 - it opens nothing

    def members(self) -> Iterator[tuple[str, tarfile.TarInfo, Iterator[bytes]]]:
        """Name, header and content of each; the content is read before the next member is asked for."""
        for _ in range(_MOST_MEMBERS):
            self._stream.allowed = _LARGEST_HEADER
            info = self._tar.next()
            if info is None:
                return
            # It remembers every header, which we need only once.
            self._tar.members.clear()  # type: ignore[attr-defined]
            if not info.isreg() or info.issparse():
                raise _broken(self._file, f"{info.name!r} is no plain file")
            yield info.name, info, self._content(info)
        raise _broken(self._file, "it holds more files than any of ours")

    def must_end(self) -> None:
        """Read to the last byte: only there the checksum of the whole stands, and nothing else may stand there."""
        left = 0
        while piece := self._handle.read(_PIECE):
            left += len(piece)
            if piece.strip(b"\0") or left > _LARGEST_HEADER:
                raise _broken(self._file, "something stands behind its end")

    def _content(self, info: tarfile.TarInfo) -> Iterator[bytes]:
        # With the padding behind it, which is not read here.
        self._stream.allowed = info.size + _LARGEST_HEADER
        left = info.size
        self._stream.seek(info.offset_data)
        while left:
            piece = self._stream.read(min(_PIECE, left))
            if not piece:
                raise _broken(self._file, f"it ends within {info.name}")
            left -= len(piece)
            yield piece


@contextmanager
def _opened(file: Path) -> Iterator[_Archive]:
    try:
        handle = gzip.GzipFile(file, "rb")
    except OSError as error:
        raise BadInput(
            f"the file cannot be read ({error.strerror})",
            where=str(file),
            next_step="check the path, and that this account may read it",
        ) from error
    with handle:
        try:
            yield _Archive(file, handle)
        except (tarfile.TarError, EOFError, gzip.BadGzipFile, zlib.error, UnicodeDecodeError) as error:
            raise _broken(file, "it is damaged, cut off, or something else") from error


def _must_be_ours(name: str, before: dict[str, Member], file: Path) -> None:
    parts = name.split("/")
    plain = all(part not in ("", ".", "..") and "\0" not in part for part in parts)
    known = name in (DATABASE, SETTINGS) or (len(parts) > 1 and parts[0] in FOLDERS)
    if not plain or not known:
        raise _broken(file, f"{name!r} is no file of a backup")
    if name in before:
        raise _broken(file, f"{name!r} stands in it twice")


def _manifest_bytes(size: int, content: Iterator[bytes], file: Path) -> bytes:
    if size > _LARGEST_MANIFEST:
        raise _broken(file, f"its {MANIFEST} is larger than any of ours")
    return b"".join(content)


def _read_manifest(content: bytes, file: Path) -> dict[str, Any]:
    try:
        said = json.loads(content)
        if said["format"] != FORMAT:
            raise BadInput(
                f"its format is {said['format']!r}, and this version reads {FORMAT!r}",
                where=str(file),
                next_step="use the version of Tocsin that wrote it, or a newer one",
            )
        said["members"] = {
            str(name): Member(int(each["size"]), str(each["sha256"]))
            for name, each in said["members"].items()
        }
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise _broken(file, f"its {MANIFEST} cannot be read") from error
    found: dict[str, Any] = said
    return found


def _must_agree(found: dict[str, Member], said: dict[str, Member], file: Path) -> None:
    if missing := said.keys() - found.keys():
        raise _broken(file, f"{sorted(missing)[0]} is not in it")
    if unknown := found.keys() - said.keys():
        raise _broken(file, f"its {MANIFEST} does not know {sorted(unknown)[0]}")
    for name, member in found.items():
        if member != said[name]:
            raise _broken(file, f"{name} is not what its {MANIFEST} says")
    for name in (DATABASE, SETTINGS):
        if name not in found:
            raise _broken(file, f"{name} is not in it")
    folders = {name[:place] for name in found for place, sign in enumerate(name) if sign == "/"}
    if both := folders & found.keys():
        raise _broken(file, f"{sorted(both)[0]} is a file and a folder in it")


def _write(target: Path, content: Iterator[bytes], mode: int) -> str:
    digest = hashlib.sha256()
    # Nothing that anybody else may write, and nothing that runs as somebody else.
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as handle:
        for piece in content:
            digest.update(piece)
            handle.write(piece)
        handle.flush()
        os.fchmod(handle.fileno(), (mode & 0o755) | 0o600)
        os.fsync(handle.fileno())
    return digest.hexdigest()


def _broken(file: Path, why: str) -> BadInput:
    return BadInput(
        f"this is no whole backup: {why}",
        where=str(file),
        next_step="nothing was written; take another backup, or copy this one again from where it is kept",
    )
