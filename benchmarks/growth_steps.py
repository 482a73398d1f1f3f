"""One list of some size, from the import to the check after the sending: `PEOPLE FOLDER PORT` prints what each step took.

A process of its own for each size, so that the most memory it ever held is this size's.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from benchmarks.email_workspace import has_ended, ledger, prepare
from incident.delivery.status import account, campaigns_of
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
        begun, wall = time.process_time(), time.perf_counter()
        yield
        cpu = time.process_time() - begun
        # In KiB on Linux (getrusage(2)).
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        self.steps[name] = Step(cpu, time.perf_counter() - wall, most)


def main() -> None:
    people, folder, port = int(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
    watched = Watched()
    prepared = prepare(folder, people=people, port=port, watch=watched)
    with watched("send"):
        Worker(prepared.house).work_until(lambda: has_ended(prepared))
    with watched("status"), prepared.house.store.read() as session:
        account(session, campaigns_of(session, prepared.incident_id)[0])
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
                "disk": sum(file.stat().st_size for file in folder.glob("incident.db*")),
                "broken": [each.invariant.name for each in found.verdicts if each.broken],
            }
        )
    )


if __name__ == "__main__":
    main()
