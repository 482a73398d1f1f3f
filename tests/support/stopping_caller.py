"""The real worker, stopped at a chosen point of a call, for tests that kill it there.

`python -m tests.support.stopping_caller WORKSPACE WINDOW FD`: the first call that comes to WINDOW is told on the file
descriptor FD, and the process stops itself (SIGSTOP, every thread at once). Whoever started it kills it.
"""

from __future__ import annotations

import sys
import threading
from enum import StrEnum
from pathlib import Path
from typing import Any

from tests.support.stopping import StoppingProcess, stop_once


class CallWindow(StrEnum):
    """Where a call can be cut off."""

    BEFORE_INTENT = "before the intent's commit"
    AFTER_INTENT = "after the intent"
    TAKEN = "after the service took it"
    BEFORE_OUTCOME = "before the outcome's commit"


class StoppingCaller(StoppingProcess):
    """A worker that stops at a window; `stopped` returns once it stands still there."""

    def __init__(self, workspace: Path, window: CallWindow, *, stale: float = 2.0) -> None:
        super().__init__("tests.support.stopping_caller", str(workspace), window.value, str(stale))


def _watch(window: CallWindow, told: int) -> None:
    from sqlalchemy import Engine, event

    from incident.ops import escalation as real

    escalation: Any = real
    stop, writes = stop_once(told), threading.local()
    send, new_call, settle = escalation.send, escalation._new_call, escalation._settle

    def stop_at(here: CallWindow) -> None:
        if here is window:
            stop(b"here")

    def watched_send(*given: Any, **named: Any) -> Any:
        stop_at(CallWindow.AFTER_INTENT)
        outcome = send(*given, **named)
        stop_at(CallWindow.TAKEN)
        return outcome

    def watched_new_call(*given: Any) -> Any:
        writes.window = CallWindow.BEFORE_INTENT
        return new_call(*given)

    def watched_settle(*given: Any) -> None:
        writes.window = CallWindow.BEFORE_OUTCOME
        settle(*given)

    def before_commit(connection: Any) -> None:
        here, writes.window = getattr(writes, "window", None), None
        if here is not None:
            stop_at(here)

    escalation.send, escalation._new_call, escalation._settle = watched_send, watched_new_call, watched_settle
    event.listen(Engine, "commit", before_commit)


def main(workspace: str, window: str, stale: str, told: str) -> None:
    from tests.support.working_process import main as work

    _watch(CallWindow(window), int(told))
    work(Path(workspace), until="never", stale=float(stale), longest=300.0)


if __name__ == "__main__":
    main(*sys.argv[1:])
