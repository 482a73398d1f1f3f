"""A Maildir into which a mail server puts bounces: read, and emptied of what is on record.

What is taken is removed, since it holds addresses that must not outlive the incident; what nobody could make sense of is
put aside into the folder `.Unclear` (Maildir++), where any mail program shows it.
"""

from __future__ import annotations

import hashlib
import os
import stat
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from incident.errors import WorkspaceError

MOST_BYTES = 32 << 20
"""A message that is larger is left to a person."""
_READ_BYTES = 2 << 20  # what a report says stands before that; the rest is a message that is returned whole
_PARTS = ("tmp", "new", "cur")
_UNCLEAR = ".Unclear"


@dataclass(frozen=True)
class Message:
    """One message in its file: its first two MiB, and the SHA-256 of all of it in hexadecimal. One that is `too_large`
    is not looked into."""

    path: Path
    raw: bytes
    sha256: str
    too_large: bool = False


@dataclass(frozen=True)
class Maildir:
    """A Maildir by its folder. Making one of these touches nothing on disk."""

    root: Path

    @property
    def unclear(self) -> Path:
        """Where messages lie that a person has to look at."""
        return self.root / _UNCLEAR

    def must_be_there(self) -> None:
        """Raises `WorkspaceError` unless messages can be read and removed here."""
        for part in ("new", "cur"):
            folder = self.root / part
            if not folder.is_dir():
                raise self._error(
                    f"there is no folder {part}/", "let the mail server deliver into a Maildir there"
                )
            if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
                raise self._error(
                    f"the folder {part}/ may not be read and written",
                    "give the worker's user the right to it: what is taken is removed",
                )

    def inbox(self, *, most: int) -> list[Path]:
        """The files of the first messages by their names, those before that were delivered before.

        Raises `WorkspaceError` when the folder cannot be read.
        """
        return self._paths(self.root)[:most]

    def put_aside(self) -> list[Path]:
        """The files in `.Unclear`, by their names."""
        return self._paths(self.unclear) if self.unclear.is_dir() else []

    def remove(self, path: Path) -> None:
        """Remove a message that is on record. Raises `WorkspaceError`."""
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise self._error(
                f"{path.name} was taken and cannot be removed ({error.strerror})", _MEND
            ) from error

    def set_aside(self, path: Path) -> None:
        """Put a message into `.Unclear`. Raises `WorkspaceError`."""
        try:
            for part in _PARTS:
                (self.unclear / part).mkdir(mode=0o700, parents=True, exist_ok=True)
            # What marks a Maildir++ folder for the mail programs that show it.
            (self.unclear / "maildirfolder").touch(mode=0o600)
            target = self.unclear / "new" / path.name.partition(":")[0]
            while target.exists():
                target = target.with_name(f"{target.name}.again")
            with suppress(FileNotFoundError):
                path.rename(target)
        except OSError as error:
            raise self._error(f"{path.name} cannot be put aside ({error.strerror})", _MEND) from error

    def _paths(self, folder: Path) -> list[Path]:
        found: list[Path] = []
        try:
            for part in ("new", "cur"):
                with os.scandir(folder / part) as entries:
                    # No name of a message begins with a dot (maildir(5)).
                    found += [
                        Path(each.path)
                        for each in entries
                        if not each.name.startswith(".") and each.is_file(follow_symlinks=False)
                    ]
        except OSError as error:
            raise self._error(f"it cannot be read ({error.strerror})", _MEND) from error
        return sorted(found, key=lambda path: path.name)

    def _error(self, what: str, next_step: str) -> WorkspaceError:
        return WorkspaceError(f"the mailbox for bounces: {what}", where=str(self.root), next_step=next_step)


_MEND = "nothing is lost; mend it, and the message is taken at the next look"


def read_message(path: Path) -> Message | None:
    """A message from its file; None when it is gone, or no plain file. Raises `WorkspaceError`."""
    try:
        # A link could lead anywhere, and a pipe would never end.
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as error:
        if path.is_symlink():
            return None
        raise _unreadable(path, error) from error
    with os.fdopen(handle, "rb") as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            return None
        try:
            raw = file.read(_READ_BYTES)
            digest = hashlib.sha256(raw)
            while more := file.read(_READ_BYTES):
                digest.update(more)
        except OSError as error:
            raise _unreadable(path, error) from error
    too_large = status.st_size > MOST_BYTES
    return Message(path, b"" if too_large else raw, digest.hexdigest(), too_large)


def _unreadable(path: Path, error: OSError) -> WorkspaceError:
    return WorkspaceError(f"the message cannot be read ({error.strerror})", where=str(path), next_step=_MEND)
