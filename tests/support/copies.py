"""Backups for tests: looking into one, and where the keys are that must never be in one."""

from __future__ import annotations

import base64
import gzip
import json
import sqlite3
import tarfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any


def names_in(backup: Path) -> list[str]:
    """The names of a backup's members, in their order."""
    with tarfile.open(backup) as archive:
        return archive.getnames()


def content_of(backup: Path, name: str) -> bytes:
    with tarfile.open(backup) as archive:
        member = archive.extractfile(name)
        assert member is not None
        return member.read()


def unpack_by_hand(backup: Path, folder: Path) -> None:
    """As somebody with `tar` does."""
    with tarfile.open(backup) as archive:
        archive.extractall(folder, filter="data")


def pack_by_hand(folder: Path, backup: Path) -> None:
    """A whole backup out of a folder that one was unpacked into, with a manifest that agrees with it."""
    from incident.ops.archive import MANIFEST, ArchiveWriter

    said = json.loads((folder / MANIFEST).read_text("utf-8"))
    with backup.open("wb") as out:
        archive = ArchiveWriter(out)
        for file in sorted(folder.rglob("*")):
            if file.is_file() and file.name != MANIFEST:
                archive.add_file(file.relative_to(folder).as_posix(), file)
        archive.finish({name: value for name, value in said.items() if name not in ("members", "format")})


def database_says(file: Path, statement: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(file)) as connection, connection:
        return connection.execute(statement).fetchall()


def forms_of(secret: bytes) -> Iterator[bytes]:
    """A secret as it stands, and in the spellings in which it is handed on."""
    yield secret
    yield base64.b64encode(secret).rstrip(b"=")
    yield base64.urlsafe_b64encode(secret).rstrip(b"=")
    yield secret.hex().encode()
    yield secret.hex().upper().encode()


def keys_of(keyring: Path) -> dict[str, bytes]:
    """Every key of a keyring, by its name."""
    return {
        file.stem: base64.b64decode(json.loads(file.read_text("ascii"))["key"])
        for file in keyring.glob("*.key")
    }


def secrets_found(backup: Path, secrets: dict[str, bytes]) -> list[str]:
    """Which of the secrets stand anywhere in a backup, in any spelling."""
    content = gzip.decompress(backup.read_bytes())
    return [name for name, secret in secrets.items() if any(form in content for form in forms_of(secret))]
