"""A worker as a process of its own, for tests that kill it: `python working_process.py WORKSPACE`.

It works until no job is due, as a command does, and then ends with 0.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]


def start_worker(workspace: Path) -> subprocess.Popen[bytes]:
    """Start one; the caller kills it or waits for its end."""
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    return subprocess.Popen([sys.executable, __file__, str(workspace)], env=environment)


def kill(process: subprocess.Popen[bytes]) -> None:
    """SIGKILL: nothing in the process learns of it."""
    os.kill(process.pid, signal.SIGKILL)
    process.wait(timeout=10)


def main(root: Path) -> None:
    from incident.durable import Patience, open_jobs
    from incident.ops.worker import Worker, utc_now
    from incident.response.housework import House
    from incident.store.opening import open_store
    from incident.workspace import Workspace

    workspace = Workspace(root)
    settings = workspace.settings()
    store = open_store(workspace, settings)

    def idle() -> bool:
        with store.read() as session:
            return open_jobs(session) == 0

    Worker(House(workspace, settings, store, utc_now), patience=Patience(poll=0.05)).work_until(idle)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
