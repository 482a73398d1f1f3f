"""One list of some size, from the import to the check after the sending: `PEOPLE FOLDER PORT` prints what each step took.

A process of its own for each size, so that the most memory it ever held is this size's.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from benchmarks.email_workspace import has_ended, ledger, prepare
from incident.ops.check import check
from incident.ops.worker import Worker


@dataclass(frozen=True)
class Step:
    """Seconds, and MiB: the most that was held until the end of the step."""

    cpu: float
    wall: float
    memory: float


@dataclass
class Watched:
    """What each step took, by its name."""

    steps: dict[str, Step] = field(default_factory=dict)

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        begun, wall = os.times(), time.perf_counter()
        yield
        ended = os.times()
        # In KiB on Linux (getrusage(2)).
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        cpu = ended.user + ended.system - begun.user - begun.system
        self.steps[name] = Step(cpu, time.perf_counter() - wall, most)


def main() -> None:
    people, folder, port = int(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
    watched = Watched()
    prepared = prepare(folder, people=people, port=port, watch=watched)
    with watched("send"):
        Worker(prepared.house).work_until(lambda: has_ended(prepared))
    with watched("check"):
        found = check(prepared.house, pause=0.0)
    told_of = ledger(prepared)
    print(
        json.dumps(
            {
                "steps": {name: asdict(step) for name, step in watched.steps.items()},
                "accepted": told_of.accepted,
                "attempts": told_of.attempts,
                "adds_up": told_of.adds_up,
                "broken": [each.invariant.name for each in found.verdicts if each.broken],
            }
        )
    )


if __name__ == "__main__":
    main()
