"""A worker as a process of its own, for tests that kill it: `python working_process.py WORKSPACE [OPTION...]`."""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]


def start_worker(
    workspace: Path, *, until: str = "idle", stale: float = 5.0, longest: float = 300.0
) -> subprocess.Popen[bytes]:
    """Start one; the caller kills it or waits for its end.

    `until` "idle": it works until no job is due, as a command does, and then ends with 0; "never": until it is
    stopped.
    """
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    options = [f"--until={until}", f"--stale={stale}", f"--longest={longest}"]
    return subprocess.Popen([sys.executable, __file__, str(workspace), *options], env=environment)


def start_worker_command(
    workspace: Path, *, log: Path | None = None, environment: Mapping[str, str] | None = None
) -> subprocess.Popen[bytes]:
    """Start `incident worker`, which ends only when it is told to; what it says goes into `log`."""
    with (log or Path(os.devnull)).open("ab") as said:
        return subprocess.Popen(
            [sys.executable, "-m", "incident.cli.main", "--workspace", str(workspace), "worker"],
            cwd=REPOSITORY,
            env={**os.environ, "PYTHONPATH": str(REPOSITORY), **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
        )


def kill(process: subprocess.Popen[bytes]) -> None:
    """SIGKILL: nothing in the process learns of it."""
    os.kill(process.pid, signal.SIGKILL)
    process.wait(timeout=10)


def main(root: Path, *, until: str, stale: float, longest: float) -> None:
    from incident.durable import Patience, open_jobs
    from incident.ops.worker import Worker, utc_now
    from incident.response.housework import House
    from incident.store.opening import open_store
    from incident.workspace import Workspace

    workspace = Workspace(root)
    settings = workspace.settings()
    store = open_store(workspace, settings)
    patience = Patience(poll=0.05, stale=stale, beat=stale / 6, longest=longest)
    worker = Worker(House(workspace, settings, store, utc_now), patience=patience)

    def idle() -> bool:
        with store.read() as session:
            return open_jobs(session) == 0

    if until == "idle":
        worker.work_until(idle)
    else:
        worker.work_forever(until_stopped=lambda runner: None)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("root", type=Path)
    parser.add_argument("--until", default="idle", choices=("idle", "never"))
    parser.add_argument("--stale", type=float, default=5.0)
    parser.add_argument("--longest", type=float, default=300.0)
    told = parser.parse_args()
    main(told.root, until=told.until, stale=told.stale, longest=told.longest)
