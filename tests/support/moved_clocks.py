"""A process whose clock a test moves while it runs (libfaketime), and the real worker as such a process.

`python -m tests.support.moved_clocks WORKSPACE` is `incident worker`.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import SupportsIndex

from tests.support.tools import need_tool
from tests.support.working_process import REPOSITORY


class MovedClock:
    """The wall clock of the processes that get `environment`; it shows the true time until `move_to`.

    Elapsed time stays true, as it does on a machine whose clock is set.
    """

    def __init__(self, folder: Path) -> None:
        self._file = folder / "clock"
        self.move_to(0)
        self.environment = {
            "LD_PRELOAD": _library(),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "DONT_FAKE_MONOTONIC": "1",
        }

    def move_to(self, seconds: int) -> None:
        """From now on the clock shows the true time and so many seconds more."""
        scratch = self._file.with_suffix(".new")
        scratch.write_text(f"{seconds:+d}\n", encoding="ascii")
        scratch.replace(self._file)


def start_worker_by(clock: MovedClock, workspace: Path) -> subprocess.Popen[bytes]:
    """Start `incident worker` by this clock; the caller kills it."""
    return subprocess.Popen(
        [sys.executable, "-m", "tests.support.moved_clocks", str(workspace)],
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY), **clock.environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def _library() -> str:
    """The library for programs with threads, by the name that the dynamic linker finds it under."""
    faketime = need_tool("faketime", "faketime")
    told = subprocess.run([faketime, "-m", "-f", "+0", "env"], capture_output=True, text=True, check=True)
    [library] = [line.split("=", 1)[1] for line in told.stdout.splitlines() if line.startswith("LD_PRELOAD=")]
    return library


def _sleep(seconds: float | SupportsIndex) -> None:
    threading.Event().wait(float(seconds))


def main(workspace: str) -> int:
    # libfaketime takes the offset off the deadline of a monotonic sleep too: it would fail, or last an hour.
    time.sleep = _sleep
    from incident.cli.main import main as incident

    return incident(["--workspace", workspace, "worker"])


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
