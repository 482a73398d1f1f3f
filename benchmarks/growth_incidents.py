"""How the commands of every day grow with the number of incidents in the store.

`incident duties` over all that are open and `list`, and `duties` and `show` of one of them, in stores of a hundredth, a
tenth and all of the incidents. Each incident is opened and evaluated as `incident open` does it, with a few facts that
differ from one to the next. Figures are CPU seconds of the whole command. A ratio is what ten times the incidents cost:
near 10 is in proportion, near 1 does not depend on them.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

from benchmarks.measure import Line, Result, Sample, run_command, take_turns
from incident.ops.house import evaluate
from incident.record.facts import Certainty, Fact, Interval, Value
from incident.record.incidents import Origin, open_incident
from incident.response.housework import House
from incident.store.change import Change
from incident.store.opening import open_store
from incident.workspace import Workspace

INCIDENTS = 10_000
ROUNDS = 3
_OURS = (sys.executable, "-m", "incident.cli.main")
_CHECKOUT = Path(__file__).parents[1]


def run(incidents: int = INCIDENTS) -> Result:
    """Raises `CommandFailed` when a command fails."""
    sizes = sorted({max(incidents // share, 1) for share in (100, 10, 1)})
    taken: dict[int, dict[str, Sample]] = {}
    with tempfile.TemporaryDirectory(prefix="tocsin-bench-") as folder:
        workspace = Workspace(Path(folder) / "workspace")
        environment = _environment(Path(folder), workspace)
        run_command((*_OURS, "init", str(workspace.root)), environment=environment)
        for size in sizes:
            newest = _fill(workspace, size)
            taken[size] = take_turns(
                {
                    "duties of all": (*_OURS, "duties"),
                    "list": (*_OURS, "list"),
                    "duties of one": (*_OURS, "duties", newest),
                    "show": (*_OURS, "show", newest),
                },
                rounds=ROUNDS,
                environment=environment,
            )
    return Result(
        name="growth_incidents",
        unit=f"CPU seconds, median of {ROUNDS}, less is better",
        lines=tuple(
            Line(f"{who}, {size:,}", sample.cpu, sample.cpu, sample.wall)
            for size, samples in taken.items()
            for who, sample in samples.items()
        ),
        ratios=ratios(taken),
    )


def ratios(taken: Mapping[int, Mapping[str, Sample]]) -> dict[str, float]:
    """What each command costs with the next larger number of incidents, beside what it costs with this one."""
    return {
        f"{who}, {few:,}": sample.cpu / taken[few][who].cpu
        for few, many in pairwise(sorted(taken))
        for who, sample in taken[many].items()
    }


def _environment(folder: Path, workspace: Workspace) -> dict[str, str]:
    ours = {
        "INCIDENT_WORKSPACE": str(workspace.root),
        "PYTHONPATH": os.pathsep.join([str(_CHECKOUT), *filter(None, [os.environ.get("PYTHONPATH")])]),
        "PYTHONPYCACHEPREFIX": str(folder / "compiled"),
    }
    return {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"} | ours


def _fill(workspace: Workspace, size: int) -> str:
    """Open incidents until there are so many; returns the id of the newest."""
    settings, now = workspace.settings(), datetime.now(UTC)
    store = open_store(workspace, settings)
    house = House(workspace, settings, store, lambda: now)

    def then(change: Change, incident_id: str) -> None:
        evaluate(house, change, incident_id)

    newest = ""
    try:
        with store.read() as session:
            [(there,)] = session.connection().exec_driver_sql("SELECT count(*) FROM incident")
        for number in range(there, size):
            newest = open_incident(
                store,
                f"Incident {number}",
                facts=list(_facts(number, now)),
                told_by="night desk",
                origin=Origin.PERSON,
                actor="benchmark",
                now=now,
                zone=settings.zone,
                then=then,
            )
    finally:
        store.close()
    return newest


def _facts(number: int, now: datetime) -> Iterator[Fact]:
    values: dict[str, Value] = {
        "persons": Interval(800 + number, max=1300 + number),
        "discovered_at": now - timedelta(minutes=number % 5000),
        "personal_data_breach": "actual" if number % 3 else "possible",
        "cause_kind": "misconfiguration",
    }
    for field, value in values.items():
        yield Fact(field, value, "night desk", "ticket", Certainty.likely, now)
