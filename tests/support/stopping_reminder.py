"""The real worker, stopped around the transaction that tells a reminder, for tests that kill it there.

`python -m tests.support.stopping_reminder WORKSPACE WINDOW FD`: at WINDOW it is told on the file descriptor FD, and the
process stops itself (SIGSTOP). Whoever started it kills it.
"""

from __future__ import annotations

import sys
import threading
from enum import StrEnum
from pathlib import Path
from typing import Any

from tests.support.stopping import StoppingProcess, stop_once


class ReminderWindow(StrEnum):
    """Where a reminder can be cut off."""

    BEFORE = "before it is written"
    INSIDE = "before its commit"
    AFTER = "after its commit"


class StoppingReminder(StoppingProcess):
    """A worker that stops at a window; `stopped` returns once it stands still there."""

    def __init__(self, workspace: Path, window: ReminderWindow, *, stale: float = 2.0) -> None:
        super().__init__("tests.support.stopping_reminder", str(workspace), window.value, str(stale))


def _watch(window: ReminderWindow, told: int) -> None:
    from sqlalchemy import Engine, event

    from incident.ops import duty_reminders as real

    looking: Any = real
    tell, look = looking.tell, looking.look_at_duties
    stop, writes = stop_once(told), threading.local()

    def stop_at(here: ReminderWindow) -> None:
        if here is window:
            stop(b"here")

    def watched_tell(change: Any, *given: Any) -> None:
        stop_at(ReminderWindow.BEFORE)
        tell(change, *given)
        writes.under_way = True

    def before_commit(connection: Any) -> None:
        if getattr(writes, "under_way", False):
            stop_at(ReminderWindow.INSIDE)

    def watched_look(*given: Any) -> None:
        look(*given)
        if getattr(writes, "under_way", False):
            stop_at(ReminderWindow.AFTER)
        writes.under_way = False

    looking.tell = watched_tell
    looking.look_at_duties = watched_look
    event.listen(Engine, "commit", before_commit)


def main(workspace: str, window: str, stale: str, told: str) -> None:
    _watch(ReminderWindow(window), int(told))
    # After: it takes what it calls by name.
    from tests.support.working_process import main as work

    work(Path(workspace), until="never", stale=float(stale), longest=300.0)


if __name__ == "__main__":
    main(*sys.argv[1:])
