"""How a command ends: quickly, and with everything closed that must be."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.commands import run_process, sql
from tests.support.estates import Estate


def sqlite_files(root: Path) -> list[str]:
    return sorted(file.name for file in root.glob("incident.db*"))


@pytest.mark.parametrize(
    ("words", "code"),
    [
        pytest.param(("show", "ID"), 0, id="one that reads"),
        pytest.param(("set", "ID", "persons=12"), 0, id="one that writes"),
        pytest.param(("show", "INC-1999-0001"), 1, id="one that is refused"),
        pytest.param(("verify",), 0, id="one that reads everything"),
    ],
)
def test_a_command_closes_the_database_so_that_sqlite_tidies_up(
    estate: Estate, words: tuple[str, ...], code: int
) -> None:
    answer = run_process("--workspace", estate.root, *(estate.id if word == "ID" else word for word in words))
    assert answer.code == code, answer.text
    assert sqlite_files(estate.root) == ["incident.db"]


def test_a_command_that_cannot_use_the_database_closes_it(estate: Estate) -> None:
    sql(estate.root, "UPDATE alembic_version SET version_num = '9999'")
    answer = run_process("--workspace", estate.root, "list")
    assert answer.code == 1, answer.text
    sql(estate.root, "UPDATE instance SET standing = 'strange'")
    answer = run_process("--workspace", estate.root, "list")
    assert answer.code == 1, answer.text
    assert sqlite_files(estate.root) == ["incident.db"]


def test_one_json_document_arrives_whole_through_a_pipe(estate: Estate) -> None:
    answer = run_process("--json", "--workspace", estate.root, "timeline", estate.id)
    assert answer.code == 0, answer.text
    assert json.loads(answer.out)["incident"] == estate.id
