"""How a measurement is taken: whole commands, in turns, with what they cost the processor.

The commands of a comparison run A B A B, never A A B B, so that a machine that slows down or warms up
meets all of them alike. Of the rounds the median counts. A first round is run and thrown away: it fills
the caches of files and compiled modules for everyone.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median


class CommandFailed(Exception):
    """A measured command ended otherwise than with 0; its time would mean nothing."""


@dataclass(frozen=True)
class Sample:
    """What one run took, in seconds. `cpu` is user and system time, with all children waited for."""

    wall: float
    cpu: float


@dataclass(frozen=True)
class Line:
    """One row of the table: somebody's figure, and the median of what it took."""

    who: str
    figure: float
    cpu: float
    wall: float


@dataclass(frozen=True)
class Result:
    """One benchmark's outcome. `ratios` holds ours/peer; `unit` says what a figure is and which way is better."""

    name: str
    unit: str
    lines: tuple[Line, ...]
    ratios: Mapping[str, float]
    notes: tuple[str, ...] = ()

    def as_document(self) -> dict[str, object]:
        return {
            "name": self.name,
            "figures": {line.who: line.figure for line in self.lines},
            "ratios": dict(self.ratios),
        }

    def as_table(self) -> str:
        width = max(len(line.who) for line in self.lines)
        rows = [f"{self.name} ({self.unit})", f"{'':{width}}  {'figure':>10}  {'CPU s':>9}  {'wall s':>9}"]
        rows += [
            f"{ln.who:{width}}  {ln.figure:>10.4g}  {ln.cpu:>9.3f}  {ln.wall:>9.3f}" for ln in self.lines
        ]
        rows += [f"ours / {peer}: {ratio:.2f}" for peer, ratio in self.ratios.items()]
        return "\n".join([*rows, *self.notes])


def run_command(
    command: Sequence[str], *, cwd: Path | None = None, environment: Mapping[str, str] | None = None
) -> Sample:
    """Run one command to its end with its output thrown away. Raises `CommandFailed` with its last words."""
    with tempfile.TemporaryFile() as errors:
        begun = time.perf_counter()
        process = subprocess.Popen(
            command,
            cwd=cwd,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=errors,
        )
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - begun
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            errors.seek(0)
            words = errors.read().decode(errors="replace").strip()[-2000:]
            raise CommandFailed(f"{' '.join(command)} ended with {process.returncode}\n{words}")
    return Sample(wall=wall, cpu=usage.ru_utime + usage.ru_stime)


def take_turns(
    commands: Mapping[str, Sequence[str]],
    *,
    rounds: int,
    cwd: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> dict[str, Sample]:
    """The median of each command over `rounds` rounds, each round running every command once."""
    taken: dict[str, list[Sample]] = {who: [] for who in commands}
    for round_number in range(rounds + 1):
        for who, command in commands.items():
            sample = run_command(command, cwd=cwd, environment=environment)
            if round_number > 0:
                taken[who].append(sample)
    return {who: median_of(samples) for who, samples in taken.items()}


def median_of(samples: Sequence[Sample]) -> Sample:
    return Sample(wall=median(s.wall for s in samples), cpu=median(s.cpu for s in samples))
