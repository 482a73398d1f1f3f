"""A workspace: the folder that holds one organisation's incidents, and where things lie in it.

The search path for data (templates, playbooks, sources, regimes) is one everywhere: the workspace's own copy wins,
then what was shipped.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from incident.errors import BadInput, NotFound, WorkspaceError

if TYPE_CHECKING:
    from incident.settings import Settings

SETTINGS_FILE = "incident.toml"
ENVIRONMENT_VARIABLE = "INCIDENT_WORKSPACE"
LANGUAGE_FILE = "language.yaml"
_PACKAGE = Path(__file__).parent
# Asking whether a worker lives takes the lock for a moment; who wants to work must not mistake that for a worker.
_TRIES, _PAUSE_SECONDS = 5, 0.01


@dataclass(frozen=True)
class Workspace:
    """The paths of one workspace. Making one of these touches nothing on disk."""

    root: Path

    @property
    def settings_file(self) -> Path:
        return self.root / SETTINGS_FILE

    @property
    def blobs(self) -> Path:
        return self.root / "blobs"

    @property
    def public(self) -> Path:
        return self.root / "public"

    @property
    def reports(self) -> Path:
        return self.root / "reports"

    @property
    def signing_keys(self) -> Path:
        """Where a drill keeps the keys of its simulated operators; a live workspace has no such folder."""
        return self.root / "drill-operators"

    @property
    def worker_lock(self) -> Path:
        return self.root / "worker.lock"

    def under(self, path: str) -> Path:
        """A path from the settings, counted from the workspace unless it is absolute."""
        return (self.root / Path(path).expanduser()).resolve()

    def settings(self) -> Settings:
        """The settings. Raises as `read_settings` does, and `BadInput` for a language of notices that is not there."""
        from incident.settings import read_settings

        settings = read_settings(self.settings_file)
        for tag in settings.workspace.languages:
            # With none at all the installation is broken: what needs a language says so, all else goes on.
            if not _has_language(self, tag) and notice_languages(self):
                raise BadInput(
                    f"the setting workspace.languages names {tag!r}, a language that is not there",
                    where=str(self.settings_file),
                    next_step=f"languages are {', '.join(notice_languages(self))}; "
                    "docs/add-a-language.md shows how to add one",
                )
        return settings


def find_workspace(explicit: Path | None, *, environment: dict[str, str], start: Path) -> Workspace:
    """The workspace in use: `--workspace`, else `$INCIDENT_WORKSPACE`, else the nearest folder upward.

    Raises `WorkspaceError` when there is none.
    """
    named = explicit or (
        Path(environment[ENVIRONMENT_VARIABLE]) if environment.get(ENVIRONMENT_VARIABLE) else None
    )
    if named is not None:
        if not (named / SETTINGS_FILE).is_file():
            raise WorkspaceError(
                "this folder is no workspace",
                where=str(named),
                next_step=f"make one with `incident init {named}`, or name another with --workspace",
            )
        return Workspace(named.resolve())
    for folder in (start.resolve(), *start.resolve().parents):
        if (folder / SETTINGS_FILE).is_file():
            return Workspace(folder)
    raise WorkspaceError(
        "no workspace found here or in any folder above",
        where=str(start),
        next_step="make one with `incident init DIR`, or name one with --workspace or $INCIDENT_WORKSPACE",
    )


def shipped(kind: str) -> Path:
    """The shipped folder of a kind of data (`templates`, `playbooks`): in the wheel, or beside the package."""
    in_wheel = _PACKAGE / "_shipped" / kind
    return in_wheel if in_wheel.is_dir() else _PACKAGE.parent / kind


def search_path(workspace: Workspace | None, kind: str) -> tuple[Path, ...]:
    """Where data of a kind is looked for, in order: the workspace's own, then the shipped."""
    own = (workspace.root / kind,) if workspace is not None else ()
    return (*own, shipped(kind))


def find_data(workspace: Workspace | None, kind: str, name: str) -> Path:
    """One data file by kind and relative name. Raises `NotFound` naming every place that was searched."""
    places = search_path(workspace, kind)
    for place in places:
        candidate = place / name
        if candidate.is_file():
            return candidate
    raise NotFound(
        f"there is no {kind} file {name}",
        where=" or ".join(str(place) for place in places),
        next_step=f"put one into {places[0] / name}, or check the name",
    )


def notice_languages(workspace: Workspace | None) -> list[str]:
    """The languages in which a notice can be written: the folders of `templates/notice` that describe one."""
    places = search_path(workspace, "templates")
    files = [file for place in places for file in place.glob(f"notice/*/{LANGUAGE_FILE}")]
    return sorted({file.parent.name for file in files})


def _has_language(workspace: Workspace, tag: str) -> bool:
    places = search_path(workspace, "templates")
    return any((place / "notice" / tag / LANGUAGE_FILE).is_file() for place in places)


@contextmanager
def worker_lock(workspace: Workspace) -> Iterator[bool]:
    """Try to become this workspace's one worker; yields whether we are.

    The lock is the kernel's (flock), so it ends with the process however that ends. Raises `WorkspaceError` when
    the lock's file cannot be made.
    """
    descriptor = _open_lock(workspace)
    try:
        yield _locked(descriptor, tries=_TRIES)
    finally:
        os.close(descriptor)


def worker_lives(workspace: Workspace) -> bool:
    """Whether some process holds the worker's lock right now."""
    if not workspace.worker_lock.exists():
        return False
    descriptor = _open_lock(workspace)
    try:
        return not _locked(descriptor, tries=1)
    finally:
        os.close(descriptor)


def _open_lock(workspace: Workspace) -> int:
    try:
        return os.open(workspace.worker_lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise WorkspaceError(
            f"the worker's lock cannot be opened ({error.strerror})",
            where=str(workspace.worker_lock),
            next_step="make the workspace's folder writable for this user",
        ) from error


def _locked(descriptor: int, *, tries: int) -> bool:
    for left in reversed(range(tries)):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            if left:
                time.sleep(_PAUSE_SECONDS)
    return False
