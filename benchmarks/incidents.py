"""What a store of many incidents costs the person at the prompt: `duties` for all that are open, and `show` for one.

The incidents that are shown in full are opened as the command opens them, with facts and evaluated duties. The rest are
copies of such rows under numbers of their own, inserted in bulk with their sealed bytes, and due later: neither command
may read them one by one, and that is what is measured. `show` is set beside the bare import of what it stands on.
"""

from __future__ import annotations

import json
import sqlite3
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

from benchmarks.measure import Line, Result, take_turns
from benchmarks.startup import OURS, environment_of, tocsin
from incident.duties.evaluating import evaluate_duties
from incident.record.facts import Certainty, Fact
from incident.record.incidents import Origin, open_incident
from incident.store.change import Change
from incident.store.opening import open_store
from incident.store.store import Store
from incident.workspace import Workspace

ROUNDS = 5
INCIDENTS = 10_000
_REAL = 10
_COPIED = {
    "incident": ("id",),
    "duty": ("incident_id",),
    "evaluation": ("id", "incident_id"),
    "fact": ("id", "incident_id"),
}


def run(incidents: int = INCIDENTS) -> Result:
    """Measure with so many incidents in the store. Raises `CommandFailed`."""
    with tempfile.TemporaryDirectory(prefix="tocsin-bench-") as name:
        folder = Path(name)
        workspace = folder / "workspace"
        environment = environment_of(folder, workspace)
        real = _make_workspace(workspace, environment, count=min(_REAL, incidents))
        counted = _copy(workspace / "incident.db", real[-1], incidents - len(real))
        seen = json.loads(tocsin("--json", "duties", environment=environment))
        medians = take_turns(
            {
                "incident_duties": (*OURS, "duties"),
                "incident_show": (*OURS, "show", real[0]),
                "import_sqlmodel": (sys.executable, "-c", "import sqlmodel"),
            },
            rounds=ROUNDS,
            cwd=folder,
            environment=environment,
        )
    return Result(
        name="incidents",
        unit=f"seconds on the wall, median of {ROUNDS}, less is better",
        lines=tuple(Line(who, sample.wall, sample.cpu, sample.wall) for who, sample in medians.items()),
        ratios={"import_sqlmodel": medians["incident_show"].cpu / medians["import_sqlmodel"].cpu},
        notes=(
            f"{seen['open']} open incidents, {counted} duties in the store; {len(real)} incidents opened as the command does,"
            " the rest copied in bulk",
            f"duties showed {len(seen['incidents'])} in full and counted {len(seen['others'])} more",
        ),
    )


def _make_workspace(workspace: Path, environment: dict[str, str], *, count: int) -> list[str]:
    """A workspace with so many open incidents of which a little is known; their ids."""
    tocsin("init", str(workspace), "--country", "cn", "--country", "eu", environment=environment)
    place = Workspace(workspace)
    settings = place.settings()
    store = open_store(place, settings)
    now = datetime.now(UTC)
    facts = [
        Fact("personal_data_breach", "actual", "benchmark", "", Certainty.confirmed, now),
        Fact("eu_data_subjects", True, "benchmark", "", Certainty.confirmed, now),
        Fact("discovered_at", now - timedelta(hours=1), "benchmark", "", Certainty.confirmed, now),
    ]
    try:
        return [
            open_incident(
                store,
                f"Benchmark {number}",
                facts=facts,
                told_by="",
                origin=Origin.PERSON,
                actor="benchmark",
                now=now,
                zone=settings.zone,
                then=lambda change, incident: _evaluated(change, store, place, incident),
            )
            for number in range(count)
        ]
    finally:
        store.close()


def _evaluated(change: Change, store: Store, workspace: Workspace, incident_id: str) -> None:
    evaluate_duties(change, store, workspace, workspace.settings(), incident_id)


def _copy(database: Path, original: str, count: int) -> int:
    """Copy an incident's rows under new numbers, a day later each; returns how many duties there are then."""
    connection = sqlite3.connect(database)
    connection.execute("PRAGMA synchronous = OFF")
    with connection:
        connection.execute("CREATE TEMP TABLE copies (id TEXT, number INTEGER)")
        year = original.split("-")[1]
        connection.executemany(
            "INSERT INTO copies VALUES (?, ?)",
            [(f"INC-{year}-{number:05d}", number) for number in range(20_001, 20_001 + count)],
        )
        for table, keys in _COPIED.items():
            _copy_table(connection, table, keys, original)
        connection.execute(
            "UPDATE duty SET due_at = strftime('%Y-%m-%d %H:%M:%f000', due_at, '+1 day')"
            " WHERE due_at IS NOT NULL AND incident_id IN (SELECT id FROM copies)"
        )
        [(counted,)] = connection.execute("SELECT count(*) FROM duty").fetchall()
    connection.close()
    return int(counted)


def _copy_table(connection: sqlite3.Connection, table: str, keys: tuple[str, ...], original: str) -> None:
    columns = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
    owner = keys[-1]
    values = ", ".join(
        "copies.id"
        if name == owner
        else f"{table}.{name} || copies.number"
        if name in keys
        else f"{table}.{name}"
        for name in columns
    )
    connection.execute(
        f"INSERT INTO {table} ({', '.join(columns)}) SELECT {values} FROM {table}, copies"  # noqa: S608
        f" WHERE {table}.{owner} = ?",
        (original,),
    )
