"""The guide for operating and its files, tried as written: the SQL on a server, the units by systemd's own tool."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.docs.test_named_commands import complaint
from tests.support.postgres import GUARDED, GUARDED_PASSWORD, SUPERUSER, PostgresServer
from tests.support.tools import need_tool

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "operate.md").read_text(encoding="utf-8")
UNITS = sorted((ROOT / "docs" / "deploy").glob("*.service"))
CONTAINER = (ROOT / "docs" / "deploy" / "Containerfile").read_text(encoding="utf-8")


def test_the_sql_of_the_guide_is_all_that_a_workspace_and_its_queue_need(
    own_postgres: PostgresServer, tmp_path: Path
) -> None:
    import psycopg

    from tests.support.commands import run

    # The tests' superuser has the name that the guide gives the role, so it takes another.
    own_postgres.execute("CREATE ROLE administrator SUPERUSER LOGIN")
    [block] = re.findall(r"(?ms)^```sql\n(.*?)^```$", GUIDE)
    as_whom = own_postgres.url("postgres", user="administrator")
    with psycopg.connect(as_whom, autocommit=True) as administrator:
        administrator.execute(f"ALTER ROLE {SUPERUSER} RENAME TO owner_of_the_server".encode())
        for statement in block.strip().rstrip(";").split(";\n"):
            administrator.execute(statement.encode())
    book = tmp_path / "book"
    answer = run("init", book, "--store", own_postgres.url("tocsin", user="tocsin"))
    assert answer.code == 0, answer.text
    made = run("--workspace", book, "--json", "engine", "reset")
    assert made.code == 0 and made.document["queue"] is True, made.text
    assert run("--workspace", book, "check").code == 0
    with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
        psycopg.connect(own_postgres.url("tocsin", user=GUARDED), password=GUARDED_PASSWORD)


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_systemd_finds_no_fault_with_a_unit(unit: Path, tmp_path: Path) -> None:
    program = need_tool("systemd-analyze", "systemd")
    # Its program lies in /opt/tocsin; here any program will do.
    text = unit.read_text(encoding="utf-8").replace("/opt/tocsin/bin/incident", "/bin/true")
    copy = tmp_path / unit.name.replace("@", "@one")
    copy.write_text(text, encoding="utf-8")
    done = subprocess.run([program, "verify", "--man=no", str(copy)], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_a_unit_starts_a_command_that_exists(unit: Path) -> None:
    [command] = re.findall(r"(?m)^ExecStart=/opt/tocsin/bin/(incident .*)$", unit.read_text(encoding="utf-8"))
    assert complaint(command) is None


def test_a_unit_waits_as_long_as_a_group_may_take() -> None:
    from incident.settings import Engine

    for unit in UNITS:
        if "worker" in unit.name:
            [seconds] = re.findall(r"(?m)^TimeoutStopSec=(\d+)$", unit.read_text(encoding="utf-8"))
            assert int(seconds) >= Engine().longest_step_seconds / 2 + 20


def test_the_container_runs_a_command_that_exists_without_rights() -> None:
    assert re.search(r'(?m)^CMD \["worker"\]$', CONTAINER)
    assert re.search(r"(?m)^USER 10001:10001$", CONTAINER)
    assert complaint("incident worker") is None


def test_the_guide_names_every_unit() -> None:
    assert [unit.name for unit in UNITS if unit.name not in GUIDE] == []
