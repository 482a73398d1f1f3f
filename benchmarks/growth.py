"""Whether time stays linear and memory flat as the list grows: import, opening, sending, the account, the check.

Each size is told whole over one connection to a Postfix `smtp-sink`. What the sink counted must be what the ledger says,
and the check of the record must find nothing, or there is no figure.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.measure import CommandFailed, Line, Result
from benchmarks.sink import counted, free_port, program, sink_on

PEOPLE = 100_000
_SMALLEST = 1_000
_GROWS = 10
STEPS = ("import", "open", "send", "status", "check")
_CHECKOUT = Path(__file__).parents[1]


@dataclass(frozen=True)
class _Grown:
    """One size: how many people, what each step took, and the database in bytes."""

    people: int
    steps: dict[str, Any]
    disk: int

    def per_person(self, step: str) -> float:
        """Microseconds of processor time."""
        return float(self.steps[step]["cpu"] / self.people * 1e6)


def run(people: int = PEOPLE) -> Result:
    """`people` is the largest size; the others are a tenth of it, a hundredth, and so on down to a thousand.

    Raises `CommandFailed` when a program is missing, a step fails, or a count does not agree.
    """
    sink = program("smtp-sink")
    with tempfile.TemporaryDirectory(prefix="tocsin-bench-") as folder:
        grown = [_grow(size, Path(folder), sink) for size in sizes(people)]
    smallest, largest = grown[0], grown[-1]
    return Result(
        name="growth",
        unit="microseconds of processor a person, the same at every size is linear",
        lines=tuple(
            Line(
                f"{step}_{each.people}",
                each.per_person(step),
                each.steps[step]["cpu"],
                each.steps[step]["wall"],
            )
            for step in STEPS
            for each in grown
        ),
        ratios={
            f"{step}_{smallest.people}": largest.per_person(step) / smallest.per_person(step)
            for step in STEPS
            if len(grown) > 1
        },
        notes=(
            "a ratio is what a person takes in the largest list beside the smallest",
            *(f"{each.people} people: at most {_memory(each)}" for each in grown),
            *(
                f"{each.people} people: {each.disk / each.people:.0f} bytes of database each"
                for each in grown
            ),
        ),
    )


def sizes(largest: int) -> list[int]:
    """The sizes up to `largest`, each ten times the one before it, from a thousand on."""
    found = [largest]
    while found[0] >= _SMALLEST * _GROWS:
        found.insert(0, found[0] // _GROWS)
    return found


def _memory(grown: _Grown) -> str:
    return ", ".join(f"{grown.steps[step]['memory']:.0f} MiB after {step}" for step in STEPS)


def _grow(people: int, folder: Path, sink: str) -> _Grown:
    port = free_port()
    with sink_on(sink, port, folder) as counter:
        done = subprocess.run(
            (
                sys.executable,
                "-m",
                "benchmarks.growth_steps",
                str(people),
                str(folder / f"workspace-{people}"),
                str(port),
            ),
            cwd=_CHECKOUT,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
        )
    if done.returncode != 0:
        raise CommandFailed(f"{people} people ended with {done.returncode}\n{done.stderr.strip()[-2000:]}")
    told = json.loads(done.stdout)
    caught = counted(counter)
    if not (told["adds_up"] and caught == told["accepted"] == told["attempts"]):
        raise CommandFailed(f"the sink counted {caught} messages, and the ledger says {told}")
    if told["broken"]:
        raise CommandFailed(f"the check of the record found {', '.join(told['broken'])}")
    return _Grown(people, told["steps"], told["disk"])
