"""Several workers on one workspace and their supervisor, for tests that kill and freeze them."""

from __future__ import annotations

import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.working_process import start_worker_command


@dataclass
class Crew:
    """`size` times `incident worker`, and who starts again whoever has ended. Each says what it says in `logs`."""

    workspace: Path
    logs: Path
    size: int
    began: float = field(default_factory=time.monotonic)
    workers: list[subprocess.Popen[bytes]] = field(default_factory=list)
    frozen: dict[int, float] = field(default_factory=dict)

    @property
    def elapsed(self) -> float:
        return time.monotonic() - self.began

    @contextmanager
    def at_work(self) -> Iterator[None]:
        self.began = time.monotonic()
        self.workers = [self._start(number) for number in range(self.size)]
        try:
            yield
        finally:
            for worker in self.workers:
                worker.kill()
                worker.wait(timeout=10)

    def supervise(self) -> None:
        """Start again who ended."""
        for number, worker in enumerate(self.workers):
            if worker.poll() is not None:
                self.frozen.pop(number, None)
                self.workers[number] = self._start(number)
            elif number in self.frozen and self.elapsed >= self.frozen[number]:
                del self.frozen[number]

    def kill(self, number: int) -> None:
        self.workers[number].kill()

    def freeze(self, number: int, *, seconds: float) -> None:
        worker = self.workers[number]
        worker.send_signal(signal.SIGSTOP)
        self.frozen[number] = self.elapsed + seconds
        # By itself: whoever supervises may wait for a row that the frozen one holds.
        threading.Timer(seconds, worker.send_signal, [signal.SIGCONT]).start()

    def awake(self) -> list[int]:
        return [number for number in range(self.size) if number not in self.frozen]

    def end(self) -> list[int]:
        """Ask all to stop; returns how they ended."""
        for worker in self.workers:
            worker.send_signal(signal.SIGCONT)
            worker.terminate()
        return [worker.wait(timeout=60) for worker in self.workers]

    def _start(self, number: int) -> subprocess.Popen[bytes]:
        return start_worker_command(self.workspace, log=self.logs / f"worker-{number}.log")
