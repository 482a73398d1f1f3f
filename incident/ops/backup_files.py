"""Which files of a workspace a backup takes, and which it must never take: whatever opens or signs something.

Only files below the folders that a backup knows are looked at, so most keys are out of its way already. But a keyring,
a secret or a private key may lie in one of these folders too, under another name, or behind a link.
"""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from incident.ops.archive import FOLDERS
from incident.settings import Settings
from incident.workspace import Workspace

SIGNING_KEYS = "signing-keys.json"
_OWN_DATA = ("regimes", "sources", "playbooks", "templates", "forms")
_LARGEST_DATA_FILE = 1 << 20
# A path in YAML or JSON ends at a quote, at a comment, or with the line; what is cut short hides nothing more.
_FILE_REFERENCE = re.compile(r"file:([^\n\"'#]+)")
_SECRET_REFERENCE = re.compile(r"(?:env|file):.+")


@dataclass(frozen=True)
class Kept:
    """A file that a backup takes, by its name in it."""

    name: str
    path: Path


@dataclass(frozen=True)
class LeftOut:
    """A file below a kept folder that is no part of a backup, and why."""

    name: str
    why: str


def files_of(workspace: Workspace, settings: Settings) -> Iterator[Kept | LeftOut]:
    """Every file below the kept folders, in a fixed order. Names that begin with a dot are nobody's data."""
    keys = Keys(workspace, settings)
    for folder in FOLDERS:
        for parent, folders, names in os.walk(workspace.root / folder, followlinks=False):
            for each in sorted(folders):
                if Path(parent, each).is_symlink():
                    yield LeftOut(_printable(_name(workspace, Path(parent, each))), "a link to a folder")
            folders[:] = sorted(each for each in folders if not each.startswith("."))
            for name in sorted(each for each in names if not each.startswith(".")):
                yield from _judged(workspace, Path(parent, name), keys)


def _judged(workspace: Workspace, path: Path, keys: Keys) -> Iterator[Kept | LeftOut]:
    name = _name(workspace, path)
    shown = _printable(name)
    try:
        status = path.stat()
    except OSError:
        if path.is_symlink():
            yield LeftOut(shown, "a link to nothing")
        # Else it is gone since it was listed.
        return
    if not stat.S_ISREG(status.st_mode):
        yield LeftOut(shown, "no plain file")
    elif keys.hold(path, status):
        yield LeftOut(shown, "a key or a secret")
    elif name != shown:
        yield LeftOut(shown, "its name is no UTF-8")
    else:
        yield Kept(name, path)


class Keys:
    """The places of everything that opens, signs or logs in."""

    def __init__(self, workspace: Workspace, settings: Settings) -> None:
        self._folders = [workspace.under(settings.store.keyring), workspace.signing_keys.resolve()]
        files = {
            *_secret_files(workspace, settings),
            *_private_keys(workspace),
            workspace.root / SIGNING_KEYS,
        }
        self._files = {file.resolve() for file in files}
        inside = (file for folder in self._folders for file in folder.rglob("*"))
        self._same = {found for file in (*self._files, *inside) if (found := _identity(file))}

    def hold(self, path: Path, status: os.stat_result) -> bool:
        """Whether this file is one of them, by whatever name."""
        real = path.resolve()
        return (
            real in self._files
            or any(real.is_relative_to(folder) for folder in self._folders)
            or (status.st_dev, status.st_ino) in self._same
        )


def secret_references(settings: Settings) -> list[str]:
    """The references to secrets in the settings, such as `env:NAME`, in their order."""
    return [text for text in _texts(settings.model_dump()) if _SECRET_REFERENCE.fullmatch(text)]


def _secret_files(workspace: Workspace, settings: Settings) -> Iterator[Path]:
    """The files behind references to secrets, in the settings and in the workspace's own data."""
    named = [text.removeprefix("file:") for text in secret_references(settings) if text.startswith("file:")]
    for folder in _OWN_DATA:
        for file in (workspace.root / folder).rglob("*"):
            try:
                if file.is_file() and file.stat().st_size <= _LARGEST_DATA_FILE:
                    text = file.read_text(encoding="utf-8", errors="replace")
                    named += [found.strip() for found in _FILE_REFERENCE.findall(text)]
            except OSError:
                continue
    for name in named:
        # A relative one counts from where a command is called, which is mostly the workspace.
        yield workspace.root / Path(name).expanduser()
        yield Path(name).expanduser().absolute()


def _private_keys(workspace: Workspace) -> Iterator[Path]:
    """Where this machine's operators said that their private keys lie."""
    try:
        known = json.loads((workspace.root / SIGNING_KEYS).read_text(encoding="utf-8"))
        yield from (workspace.root / str(path) for path in known.values())
    except (OSError, ValueError, AttributeError):
        return


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for each in value.values():
            yield from _texts(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _texts(each)


def _identity(file: Path) -> tuple[int, int] | None:
    try:
        status = file.stat()
    except (OSError, ValueError):
        return None
    return status.st_dev, status.st_ino


def _name(workspace: Workspace, path: Path) -> str:
    return path.relative_to(workspace.root).as_posix()


def _printable(name: str) -> str:
    return name.encode(errors="backslashreplace").decode()
