"""The real worker, stopped at a chosen point of a call, for tests that kill it there.

`python -m tests.support.stopping_caller WORKSPACE WINDOW FD`: the first call that comes to WINDOW is told on the file
descriptor FD, and the process stops itself (SIGSTOP, every thread at once). Whoever started it kills it.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import threading
from enum import StrEnum
from pathlib import Path
from typing import Any

from tests.support.working_process import REPOSITORY

_LATEST = 60.0


class CallWindow(StrEnum):
    """Where a call can be cut off."""

    BEFORE_INTENT = "before the intent's commit"
    AFTER_INTENT = "after the intent"
    TAKEN = "after the service took it"
    BEFORE_OUTCOME = "before the outcome's commit"


class StoppingCaller:
    """A worker that stops at a window; `wait` returns once it stands still there."""

    def __init__(self, workspace: Path, window: CallWindow, *, stale: float = 2.0) -> None:
        reading, writing = os.pipe()
        words = [str(workspace), window.value, str(stale), str(writing)]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.stopping_caller", *words],
            cwd=REPOSITORY,
            env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
            pass_fds=(writing,),
        )
        os.close(writing)
        self._reading = reading

    def wait(self) -> None:
        """Wait until it has stopped, every thread of it."""
        try:
            ready, _, _ = select.select([self._reading], [], [], _LATEST)
            assert ready and os.read(self._reading, 16), "the worker never came to its window"
        finally:
            os.close(self._reading)
        _, status = os.waitpid(self.process.pid, os.WUNTRACED)
        assert os.WIFSTOPPED(status), "the worker did not stop but end"


def _watch(window: CallWindow, told: int) -> None:
    from sqlalchemy import Engine, event

    from incident.ops import escalation as real

    escalation: Any = real
    once, writes = threading.Lock(), threading.local()
    send, new_call, settle = escalation.send, escalation._new_call, escalation._settle

    def stop_at(here: CallWindow) -> None:
        if here is window and once.acquire(blocking=False):
            os.write(told, b"here")
            # This thread first: a signal to the process would let it go on for a moment.
            signal.pthread_kill(threading.get_ident(), signal.SIGSTOP)

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
