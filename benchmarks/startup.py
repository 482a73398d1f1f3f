"""How long a person waits for the prompt: our command beside the bare import of what it stands on.

`incident --help` beside `import typer`, and `incident show` on a workspace with one incident beside
`import sqlmodel`. Figures are CPU seconds, the steadiest measure of a start on a busy machine. Compiled modules are
kept in a folder of the run's own, for ours and the peers alike, as an installation keeps them.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.measure import CommandFailed, Line, Result, take_turns

ROUNDS = 15
OURS = (sys.executable, "-m", "incident.cli.main")
_CHECKOUT = Path(__file__).parents[1]


def run() -> Result:
    with tempfile.TemporaryDirectory(prefix="tocsin-bench-") as folder:
        workspace = Path(folder) / "workspace"
        environment = environment_of(Path(folder), workspace)
        incident_id = _make_workspace(workspace, environment)
        medians = take_turns(
            {
                "incident_help": (*OURS, "--help"),
                "import_typer": (sys.executable, "-c", "import typer"),
                "incident_show": (*OURS, "show", incident_id),
                "import_sqlmodel": (sys.executable, "-c", "import sqlmodel"),
            },
            rounds=ROUNDS,
            cwd=Path(folder),
            environment=environment,
        )
    return Result(
        name="startup",
        unit=f"CPU seconds, median of {ROUNDS}, less is better",
        lines=tuple(Line(who, sample.cpu, sample.cpu, sample.wall) for who, sample in medians.items()),
        ratios={
            "import_typer": medians["incident_help"].cpu / medians["import_typer"].cpu,
            "import_sqlmodel": medians["incident_show"].cpu / medians["import_sqlmodel"].cpu,
        },
    )


def environment_of(folder: Path, workspace: Path) -> dict[str, str]:
    """The surroundings of the measured commands: the workspace, our code, and a folder for compiled modules."""
    ours = {
        "INCIDENT_WORKSPACE": str(workspace),
        "PYTHONPATH": os.pathsep.join([str(_CHECKOUT), *filter(None, [os.environ.get("PYTHONPATH")])]),
        "PYTHONPYCACHEPREFIX": str(folder / "compiled"),
    }
    return {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"} | ours


def _make_workspace(workspace: Path, environment: dict[str, str]) -> str:
    """A workspace with one open incident of which a little is known; its id."""
    tocsin("init", str(workspace), environment=environment)
    tocsin("open", "--title", "Benchmark", "--not-state-secret", environment=environment)
    [incident] = json.loads(tocsin("--json", "list", environment=environment))
    facts = ("persons=800..1300", "discovered_at=2026-11-20 10:00", "cause_kind=misconfiguration")
    tocsin("set", incident["incident"], *facts, environment=environment)
    return str(incident["incident"])


def tocsin(*words: str, environment: dict[str, str]) -> str:
    """What a command of ours prints. Raises `CommandFailed`."""
    done = subprocess.run(
        [*OURS, *words], env=environment, capture_output=True, text=True, stdin=subprocess.DEVNULL
    )
    if done.returncode != 0:
        raise CommandFailed(f"incident {' '.join(words)} ended with {done.returncode}\n{done.stderr.strip()}")
    return done.stdout
