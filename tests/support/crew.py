"""Several workers on one workspace and their supervisor, for tests that kill and freeze them."""

from __future__ import annotations

import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from incident.durable import workers
from incident.errors import StoreUnavailable
from incident.store.store import Store
from tests.support.working_process import start_worker_command

_PATIENCE = 120


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
    def at_work(self, store: Store | None = None) -> Iterator[None]:
        """While this lasts they work. With their `store`, it begins when each has given a sign of life.

        Then the first one begins alone: what it compiles of the program need not be compiled by all at the same time.
        """
        try:
            for number in range(self.size):
                self.workers.append(self._start(number))
                if store is not None and number in (0, self.size - 1):
                    self._wait_until_they_work(store)
            self.began = time.monotonic()
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
        return [number for number in range(len(self.workers)) if number not in self.frozen]

    def working(self, store: Store) -> list[int]:
        """Those awake that have begun to work; nobody while the database is away."""
        with suppress(StoreUnavailable), store.read() as session:
            shown = {each.pid for each in workers(session)}
            return [number for number in self.awake() if self.workers[number].pid in shown]
        return []

    def end(self) -> list[int]:
        """Ask all to stop; returns how they ended."""
        for worker in self.workers:
            worker.send_signal(signal.SIGCONT)
            worker.terminate()
        return [worker.wait(timeout=60) for worker in self.workers]

    def _wait_until_they_work(self, store: Store) -> None:
        until = time.monotonic() + _PATIENCE
        while len(self.working(store)) < len(self.workers):
            assert time.monotonic() < until, "the workers do not begin"
            assert all(worker.poll() is None for worker in self.workers), "a worker ended before it began"
            time.sleep(0.05)

    def _start(self, number: int) -> subprocess.Popen[bytes]:
        return start_worker_command(self.workspace, log=self.logs / f"worker-{number}.log")
