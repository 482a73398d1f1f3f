"""What a worker takes: memory, open files, threads and processor, at work and idle, on SQLite and on PostgreSQL.

One worker, as a process of its own, sends a notice to everyone over one connection to a Postfix `smtp-sink`; then a
fresh one has nothing to do for a while. Read from `/proc`, so this runs on Linux only. Every message that the ledger
counts must have arrived at the sink, or there is no figure.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from sqlmodel import select

from benchmarks.email_workspace import Prepared, ledger, prepare
from benchmarks.measure import CommandFailed, Line, Result
from benchmarks.sink import counted, free_port, program, sink_on
from incident.delivery.states import CampaignState
from incident.store.tables import Campaign

PEOPLE = 20_000
IDLE_SECONDS = 60.0
_LOOK_SECONDS = 0.1
_STOP_SECONDS = 60
_CHECKOUT = Path(__file__).parents[1]
_MIB = 1024


@dataclass
class _Taken:
    """What a process took while it was watched: the most of each, and processor seconds."""

    memory: float = 0.0
    files: int = 0
    threads: int = 0
    cpu: float = 0.0
    wall: float = 0.0
    stopped_in: float = 0.0


@dataclass
class _Watched:
    """A worker at work, with what was seen of it so far."""

    process: subprocess.Popen[bytes]
    taken: _Taken = field(default_factory=_Taken)

    def look(self) -> None:
        """Raises `CommandFailed` when the worker has ended."""
        if self.process.poll() is not None:
            raise CommandFailed(f"the worker ended with {self.process.returncode}")
        folder = Path("/proc") / str(self.process.pid)
        status = dict(
            line.split(":", 1) for line in (folder / "status").read_text(encoding="ascii").splitlines()
        )
        taken = self.taken
        taken.memory = max(taken.memory, int(status["VmRSS"].split()[0]) / _MIB)
        taken.threads = max(taken.threads, int(status["Threads"]))
        taken.files = max(taken.files, sum(1 for _ in (folder / "fd").iterdir()))

    def cpu(self) -> float:
        # After the name, which may hold anything and ends with the last bracket: fields 14 and 15 of proc(5).
        fields = (Path("/proc") / str(self.process.pid) / "stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def run(people: int = PEOPLE, store: str | None = None, idle: float = IDLE_SECONDS) -> Result:
    """`store` is the URL of an empty PostgreSQL database, measured beside SQLite.

    Raises `CommandFailed` when a program is missing, the worker ends, or a count does not agree.
    """
    sink = program("smtp-sink")
    lines, notes = [], []
    with tempfile.TemporaryDirectory(prefix="tocsin-bench-") as folder:
        for who, url in (("sqlite", None), ("postgresql", store)):
            if who == "postgresql" and url is None:
                continue
            sending, waiting = _measure(Path(folder) / who, people=people, url=url, sink=sink, idle=idle)
            lines += [
                Line(f"{who}, sending", sending.memory, sending.cpu, sending.wall),
                Line(f"{who}, idle", waiting.memory, waiting.cpu, waiting.wall),
            ]
            notes.append(
                f"{who}: at most {sending.threads} threads and {sending.files} open files at work, "
                f"{waiting.threads} and {waiting.files} idle; stopped after {sending.stopped_in:.1f} s"
            )
    return Result(
        name="worker",
        unit=f"MiB of memory at most; {people} people, then {idle:.0f} s of nothing to do",
        lines=tuple(lines),
        ratios={},
        notes=tuple(notes),
    )


def _measure(folder: Path, *, people: int, url: str | None, sink: str, idle: float) -> tuple[_Taken, _Taken]:
    folder.mkdir()
    port = free_port()
    prepared = prepare(folder / "workspace", people=people, port=port, store=url)
    with sink_on(sink, port, folder) as counter:
        sending = _watch(prepared, folder, until=lambda seconds: _has_ended(prepared))
    told, caught = ledger(prepared), counted(counter)
    if not (told.adds_up and caught == told.accepted == told.attempts):
        raise CommandFailed(f"the sink counted {caught} messages, and the ledger says {told}")
    waiting = _watch(prepared, folder, until=lambda seconds: seconds >= idle)
    prepared.house.store.close()
    return sending, waiting


def _watch(prepared: Prepared, folder: Path, *, until: Callable[[float], bool]) -> _Taken:
    """Start a worker, watch it until then, and stop it as a supervisor does."""
    words = (sys.executable, "-m", "incident.cli.main", "--workspace", str(prepared.house.workspace.root))
    with (folder / "worker.log").open("w+b") as log:
        process = subprocess.Popen((*words, "worker"), cwd=_CHECKOUT, stdout=log, stderr=log)
        watched = _Watched(process)
        try:
            _await_its_first_word(process, folder / "worker.log")
            begun, cpu = time.monotonic(), watched.cpu()
            while not until(time.monotonic() - begun):
                watched.look()
                time.sleep(_LOOK_SECONDS)
            watched.look()
            watched.taken.wall, watched.taken.cpu = time.monotonic() - begun, watched.cpu() - cpu
            watched.taken.stopped_in = _stop(process)
        finally:
            process.kill()
            process.wait()
    return watched.taken


def _await_its_first_word(process: subprocess.Popen[bytes], log: Path) -> None:
    while b"working on" not in log.read_bytes():
        if process.poll() is not None:
            raise CommandFailed(f"the worker does not start: {log.read_text(errors='replace').strip()}")
        time.sleep(0.01)


def _stop(process: subprocess.Popen[bytes]) -> float:
    begun = time.monotonic()
    process.send_signal(signal.SIGTERM)
    if process.wait(timeout=_STOP_SECONDS) != 0:
        raise CommandFailed(f"the worker ended with {process.returncode}")
    return time.monotonic() - begun


def _has_ended(prepared: Prepared) -> bool:
    with prepared.house.store.read() as session:
        return session.exec(select(Campaign.state)).one() == CampaignState.ENDED
