"""Every command and option that a document names exists, and says what it is for."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main

from incident.cli.main import COMMANDS, app

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("playbooks/*.yaml")])
GLOBAL = {"--workspace", "--json", "--as", "--version", "--help"}
# `incident X ...` in code marks or in a command line; prose such as "an incident is opened" stands in neither.
_MARKED = re.compile(r"`(incident [a-z-][^`]*)`")
_TYPED = re.compile(r"(?m)^(?:\$ |\t|    )?(incident [a-z-].*)$")


def root() -> Any:
    return typer.main.get_command(app)


def options_of(found: Any) -> set[str]:
    return {word for parameter in found.params for word in (*parameter.opts, *parameter.secondary_opts)}


def complaint(line: str) -> str | None:
    """What is wrong with a command line as documents write it, if anything."""
    words = [
        word for word in shlex.split(line.split(" | ")[0].split(" #")[0].replace("'", "")) if word != "&"
    ][1:]
    while words and words[0].startswith("--"):
        if words[0].partition("=")[0] not in GLOBAL:
            return f"{line}: no option {words[0]}"
        takes_value = words[0] in ("--workspace", "--as")
        words = words[2:] if takes_value else words[1:]
    if not words:
        return None
    found: Any = root()
    for word in list(words):
        if not hasattr(found, "list_commands"):
            break
        # `operator add/list` and `X, Y` name several: each document line is about the first.
        inner = found.get_command(None, word.rstrip(",;.:"))
        if inner is None:
            return f"{line}: there is no command {word!r}"
        found, words = inner, words[1:]
    known = options_of(found) | GLOBAL
    wrong = [word for word in words if word.startswith("--") and word.partition("=")[0] not in known]
    return f"{line}: no option {wrong[0]}" if wrong else None


def command_lines(path: Path) -> Iterator[str]:
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".yaml":
        yield from re.findall(r"(incident [a-z]+(?: (?:[a-z]+|--[a-z-]+))?)(?=[).。；;]|$)", text)
        return
    yield from _MARKED.findall(text)
    for block in re.findall(r"(?ms)^```(?:sh|console)\n(.*?)^```$", text):
        yield from _TYPED.findall(block)


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_command_and_option_that_a_document_names_exists(path: Path) -> None:
    assert [found for line in command_lines(path) if (found := complaint(line))] == []


def test_the_documents_do_name_commands() -> None:
    assert sum(1 for _ in command_lines(ROOT / "README.md")) > 30
    assert sum(1 for _ in command_lines(ROOT / "playbooks" / "personal-data-breach.yaml")) > 3


@pytest.mark.parametrize(
    "line",
    [
        "incident dance",
        "incident open --loudly",
        "incident notice sing",
        "incident --shout list",
        "incident runs --on X",
    ],
)
def test_a_command_line_that_does_not_exist_is_seen(line: str) -> None:
    assert complaint(line)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_says_what_it_and_its_options_are_for(name: str) -> None:
    found = root().get_command(None, name)
    below = (
        [found.get_command(None, each) for each in found.list_commands(None)]
        if hasattr(found, "commands")
        else []
    )
    for each in [found, *below]:
        assert each.help
        silent = [
            parameter.name
            for parameter in each.params
            if parameter.param_type_name == "option" and not parameter.help
        ]
        assert silent == []


def test_the_group_s_line_names_its_commands() -> None:
    for name, (_, line) in COMMANDS.items():
        found = root().get_command(None, name)
        if hasattr(found, "commands") and ":" in line:
            named = re.split(r",\s*", line.split(":")[1].strip().rstrip("."))
            assert sorted(named) == sorted(found.list_commands(None)), name
