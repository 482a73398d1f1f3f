"""The one error tree. Every message says what is wrong, where, and what to do next.

Code decides on the class (and its fields), never on the text.
"""

from __future__ import annotations


class TocsinError(Exception):
    """Base of all errors that a person is meant to read.

    `what` is one sentence, `where` names the file, row, field or line, `next_step` says what to do.
    `exit_code` is what the command line returns: 1 refused or failed, 2 wrong usage.
    """

    exit_code = 1

    def __init__(self, what: str, *, where: str | None = None, next_step: str | None = None) -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.next_step = next_step

    def __str__(self) -> str:
        text = f"{self.where}: {self.what}" if self.where else self.what
        return f"{text}\n  → {self.next_step}" if self.next_step else text


class WrongUsage(TocsinError):
    """The words of the call are off (exit code 2)."""

    exit_code = 2


class BadInput(TocsinError):
    """A file, row, field or value that cannot be taken as it is."""


class NotFound(TocsinError):
    """Something named does not exist here."""


class Refused(TocsinError):
    """A rule of the house forbids it: a gate, a missing signature, a hold, a promise."""


class WorkspaceError(TocsinError):
    """The workspace or its settings cannot be used."""


class StoreUnavailable(TocsinError):
    """The database cannot be opened, read or written."""


class StoreAway(StoreUnavailable):
    """The database cannot be reached now, and may come back by itself: its server is down, or starting."""


class KeyMissing(TocsinError):
    """A key that is needed is not in the keyring (lost, or in another place)."""


class KeyDestroyed(KeyMissing):
    """The incident's key was destroyed on purpose; its data cannot be read again."""


class Unreadable(TocsinError):
    """Sealed data does not open: damaged, moved to another row, or sealed by another key."""


class CarrierUnavailable(TocsinError):
    """A mail relay or another carrier cannot be reached."""


class ConflictingWrite(TocsinError):
    """Somebody else wrote in between; nothing was changed."""


class Collided(ConflictingWrite):
    """Two changes met in the database, and this one was taken back whole; trying again is right."""
