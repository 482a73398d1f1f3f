"""The real worker, stopped around the transaction of a wave's decision, for tests that kill it there.

`python -m tests.support.stopping_wave WORKSPACE WINDOW DECISION FD`: at WINDOW of the first decision of this kind it is
told on the file descriptor FD, and the process stops itself (SIGSTOP). Whoever started it kills it.
"""

from __future__ import annotations

import sys
import threading
from enum import StrEnum
from pathlib import Path
from typing import Any

from tests.support.stopping import StoppingProcess, stop_once


class WaveWindow(StrEnum):
    """Where a decision can be cut off."""

    BEFORE = "before it is written"
    INSIDE = "before its commit"
    AFTER = "after its commit"


class StoppingWave(StoppingProcess):
    """A worker that stops at a window; `stopped` returns once it stands still there."""

    def __init__(self, workspace: Path, window: WaveWindow, decision: str) -> None:
        super().__init__("tests.support.stopping_wave", str(workspace), window.value, decision)


def _watch(window: WaveWindow, decision: str, told: int) -> None:
    from sqlalchemy import Engine, event

    from incident.delivery import waving as real

    waving: Any = real
    carry_out, look = waving._carry_out, waving.look_at_waves
    stop, writes = stop_once(told), threading.local()

    def stop_at(here: WaveWindow) -> None:
        if here is window:
            stop(b"here")

    def watched_carry_out(change: Any, store: Any, campaign: Any, decided: Any, lookout: Any) -> None:
        mine = waving._KINDS[type(decided)] == decision
        if mine:
            stop_at(WaveWindow.BEFORE)
        carry_out(change, store, campaign, decided, lookout)
        writes.under_way = mine

    def before_commit(connection: Any) -> None:
        if getattr(writes, "under_way", False):
            stop_at(WaveWindow.INSIDE)

    def watched_look(*given: Any) -> None:
        look(*given)
        if getattr(writes, "under_way", False):
            stop_at(WaveWindow.AFTER)
        writes.under_way = False

    waving._carry_out, waving.look_at_waves = watched_carry_out, watched_look
    event.listen(Engine, "commit", before_commit)


def main(workspace: str, window: str, decision: str, told: str) -> None:
    _watch(WaveWindow(window), decision, int(told))
    # After: it takes what it calls by name.
    from tests.support.working_process import main as work

    work(Path(workspace), until="never", stale=2.0, longest=300.0)


if __name__ == "__main__":
    main(*sys.argv[1:])
