"""Changing where the store is in an `incident.toml`, and nothing else of the file: people keep comments there."""

from __future__ import annotations

import json
import os
import re
import tomllib
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from incident.errors import Refused, WorkspaceError

_HEADER = re.compile(r"\s*\[\s*(?:store|\"store\")\s*\]\s*(?:#.*)?")
_ANY_HEADER = re.compile(r"\s*\[")
_BYTE_ORDER_MARK = "\ufeff"


def read_settings_text(file: Path) -> str:
    """The file as it is, with its line ends. Raises `WorkspaceError`."""
    try:
        return file.read_bytes().decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise WorkspaceError(f"the settings cannot be read ({error})", where=str(file)) from error


def with_store(text: str, changes: Mapping[str, str | None], *, where: str) -> str:
    """The text with these keys of its table `[store]` set, or taken out for None.

    Raises `Refused` when the file writes them in a way that cannot be changed safely; the keys are then named.
    """
    wanted = _as_data(text)
    table = wanted.setdefault("store", {})
    for key, value in changes.items():
        if value is None:
            table.pop(key, None)
        else:
            table[key] = value
    changed = _edited(text, changes)
    with suppress(tomllib.TOMLDecodeError):
        if {"store": {}, **_as_data(changed)} == wanted:
            return changed
    told = ", ".join(
        f"store.{key} = {json.dumps(value)}" for key, value in changes.items() if value is not None
    )
    raise Refused(
        "the table [store] is written in a way that cannot be changed without touching the rest",
        where=where,
        next_step=f'write it as a table of its own, "[store]" with one key a line, then call this again (for {told})',
    )


def replace_settings(file: Path, text: str) -> None:
    """Put the text in the file's place in one step; its rights stay. Raises `WorkspaceError`; then it is as before."""
    scratch = file.with_name(f".{file.name}.new")
    try:
        mode = file.stat().st_mode & 0o777 if file.exists() else 0o600
        scratch.unlink(missing_ok=True)
        descriptor = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with os.fdopen(descriptor, "wb") as handle:
            handle.write(text.encode())
            handle.flush()
            os.fchmod(handle.fileno(), mode)
            os.fsync(handle.fileno())
        scratch.replace(file)
        sync_folder(file.parent)
    except OSError as error:
        with suppress(OSError):
            scratch.unlink(missing_ok=True)
        raise WorkspaceError(
            f"the settings cannot be written ({error.strerror})",
            where=str(file),
            next_step="make room, and make the workspace's folder writable for this user",
        ) from error


def sync_folder(folder: Path) -> None:
    """Make sure that the names in a folder are on the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _as_data(text: str) -> dict[str, Any]:
    return tomllib.loads(text.removeprefix(_BYTE_ORDER_MARK))


def _edited(text: str, changes: Mapping[str, str | None]) -> str:
    lines = text.splitlines(keepends=True)
    end = "\r\n" if lines and lines[0].endswith("\r\n") else "\n"
    header = next((number for number, line in enumerate(lines) if _HEADER.fullmatch(line.rstrip())), None)
    if header is None:
        added = [f"{key} = {_quoted(value)}{end}" for key, value in changes.items() if value is not None]
        gap = "" if not lines else end if lines[-1].endswith("\n") else end * 2
        return "".join([text, gap, f"[store]{end}", *added]) if added else text
    behind = range(header + 1, len(lines))
    last = next((number for number in behind if _ANY_HEADER.match(lines[number])), len(lines))
    section = lines[header + 1 : last]
    for key, value in changes.items():
        section = _with_key(section, key, value, end)
    start = lines[header] if lines[header].endswith("\n") else lines[header] + end
    return "".join([*lines[:header], start, *section, *lines[last:]])


def _with_key(section: list[str], key: str, value: str | None, end: str) -> list[str]:
    line = re.compile(
        rf"(\s*(?:{key}|\"{key}\")\s*=\s*)(?:\"(?:[^\"\\]|\\.)*\"|'[^']*')(\s*(?:#.*)?)", re.DOTALL
    )
    for number, found in enumerate(section):
        if match := line.fullmatch(found):
            if value is None:
                return [*section[:number], *section[number + 1 :]]
            return [*section[:number], f"{match[1]}{_quoted(value)}{match[2]}", *section[number + 1 :]]
    return section if value is None else [f"{key} = {_quoted(value)}{end}", *section]


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
