"""`docs/cacao.md` says what the code does."""

import re
from pathlib import Path

from incident.response.commands import KINDS
from incident.response.cures import CURES
from incident.response.extensions import EXTENSION_IDS
from incident.response.model import MANUAL, StepType
from incident.response.vocabularies import AGENTS, AUTHENTICATIONS, COMMANDS, MACHINES, PEOPLE

TEXT = (Path(__file__).parents[2] / "docs" / "cacao.md").read_text(encoding="utf-8")


def rows(title: str) -> list[list[str]]:
    """The cells of the first table under a title, without its head."""
    section = TEXT.partition(f"## {title}\n")[2].partition("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")][2:]
    return [[cell.strip().strip("`") for cell in line.strip("|").split("|")] for line in lines]


def test_every_step_type_is_listed() -> None:
    assert [row[0] for row in rows("Step types")] == [each.value for each in StepType]


def test_the_commands_that_run_are_those_that_the_engine_has() -> None:
    found = {row[0]: row[1] for row in rows("Command types")}
    assert set(found) == COMMANDS
    assert {name for name, runs in found.items() if runs == "yes"} == {MANUAL, *KINDS}


def test_every_type_of_agent_and_authentication_is_listed() -> None:
    found = {row[0]: row[1] for row in rows("Agents and targets")}
    assert set(found) == AGENTS
    assert {name for name, use in found.items() if use == "people who are asked"} == PEOPLE
    assert {name for name, use in found.items() if "commands" in use} == MACHINES
    assert all(f"`{each}`" in TEXT for each in AUTHENTICATIONS)


def test_the_extensions_have_their_names_and_ids() -> None:
    assert {row[0]: row[1] for row in rows("Extensions")} == {k.value: v for k, v in EXTENSION_IDS.items()}


def test_findings_that_are_named_exist() -> None:
    named = re.findall(r"warning \(`([a-z-]+)`\)", TEXT)
    assert named
    assert set(named) <= set(CURES)
