"""`incident worker` with every log line of every library written down, and, where a test wants it, a job that fails.

`python -m tests.support.loud_worker WORKSPACE LOG [REFERENCE]`: composing the message for the person of this reference
raises an error that quotes all that is known of them, as an error of a library may.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.support.working_process import REPOSITORY


def start_loud_worker(
    workspace: Path, log: Path, *, failing: str = "", flags: tuple[str, ...] = ()
) -> subprocess.Popen[bytes]:
    """Start one; its log lines go into `log`, what it says on its streams into `log` with `.said` at the end."""
    with log.with_suffix(".said").open("ab") as said:
        return subprocess.Popen(
            [sys.executable, "-m", "tests.support.loud_worker", str(workspace), str(log), failing, *flags],
            cwd=REPOSITORY,
            env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
        )


def main(workspace: str, log: str, failing: str, *flags: str) -> int:
    logging.basicConfig(filename=log, level=logging.DEBUG, encoding="utf-8")
    from incident.cli.main import main as incident
    from incident.delivery import sender as real_sender
    from incident.ops import worker as real_worker

    sender: Any = real_sender
    worker: Any = real_worker
    compose, patience_of = sender.compose, worker.patience_of

    def failing_compose(paper: Any, person: Any, **named: Any) -> Any:
        if failing and person.reference == failing:
            raise ValueError(f"nothing can be made of {person}")
        return compose(paper, person, **named)

    sender.compose = failing_compose
    worker.patience_of = lambda settings: replace(patience_of(settings), retry=0.1)
    return incident(["--workspace", workspace, "worker", *flags])


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
