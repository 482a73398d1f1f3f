"""What a short command loads: what it reads, and nothing for what is not there."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.support.commands import ROOT
from tests.support.estates import Estate

# What takes long to load, and what `show` needs it for.
ONLY_WHERE_THERE_IS_ONE = {
    "incident.store.tables.calling": "a summons",
    "incident.store.tables.orders": "a hold or an instruction",
    "incident.record.holds": "a hold",
    "incident.record.instructions": "an instruction",
}
NEVER = (
    "alembic",
    "fastapi",
    "incident.law",
    "incident.store.tables.coordinating",
    "incident.store.tables.reaching",
    "jinja2",
    "psycopg",
    "rich",
    "ruamel",
)


def loaded_by(estate: Estate, *words: str) -> set[str]:
    """The modules that are loaded when the command has ended."""
    script = "import sys; from incident.cli.main import main; main(sys.argv[1:]); print(*sys.modules, file=sys.stderr)"
    done = subprocess.run(
        [sys.executable, "-c", script, "--workspace", str(estate.root), *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return set(done.stderr.split())


def test_show_loads_what_it_shows_and_no_more(estate: Estate) -> None:
    loaded = loaded_by(estate, "show", estate.id)
    assert "incident.store.tables.recording" in loaded
    assert not loaded & {*ONLY_WHERE_THERE_IS_ONE, *NEVER}


def test_show_of_an_incident_with_a_hold_loads_what_a_hold_is(estate: Estate) -> None:
    estate.done("hold", "add", estate.id, "--until", "+48h", "--by", "police", "--covers", "people")
    loaded = loaded_by(estate, "show", estate.id)
    assert {"incident.record.holds", "incident.store.tables.orders"} <= loaded


@pytest.mark.parametrize("words", [("--help",), ("--version",)])
def test_help_loads_nothing_of_the_store(estate: Estate, words: tuple[str, ...]) -> None:
    loaded = loaded_by(estate, *words)
    assert "incident.cli.main" in loaded
    assert not loaded & {"sqlmodel", "sqlalchemy", "incident.store", *NEVER}
