"""The `incident` command: finds the module of a subcommand only when that subcommand is called.

`incident --help` is what a person types first at two in the morning, so it imports nothing heavy: the names and
first lines of all commands stand in one table here, and a test compares them with the real ones.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import typer
import typer.main
from typer.core import TyperGroup

from incident.errors import TocsinError

# Command: module below `incident.cli`, and its first line of help.
COMMANDS: dict[str, tuple[str, str]] = {
    "init": ("workspace", "Make a workspace: settings, database, keyring."),
    "doctor": ("workspace", "Say what is ready and what is missing."),
    "operator": ("operator", "Who may act: add, list, retire."),
    "open": ("record", "Open an incident."),
    "list": ("record", "List the incidents."),
    "show": ("record", "Show an incident, now or as it was known at a time."),
    "set": ("record", "Record facts: FIELD=VALUE ..."),
    "log": ("record", "Log what people did and saw; with --measure it is a measure taken."),
    "timeline": ("record", "Show everything that happened, in order."),
    "close": ("record", "Close an incident."),
    "evidence": ("evidence", "Evidence: add, list, verify."),
    "duties": ("duties", "What is owed, by when, to whom."),
    "grade": ("duties", "The grade of an incident, with reasons."),
    "people": ("people", "The people concerned: import, stats, problems."),
    "run": ("playbooks", "Run a playbook on an incident."),
    "runs": ("playbooks", "List runs and what they wait for."),
    "approve": ("playbooks", "Approve a step of a run (signed)."),
    "reject": ("playbooks", "Reject a step of a run (signed)."),
    "done": ("playbooks", "Answer a step that a person carried out."),
    "cancel": ("playbooks", "Cancel a run."),
    "notice": ("notice", "The notice: draft, check, preview, release, send, status, verify."),
    "deliveries": ("deliveries", "Who got what, and who was not reached."),
    "report": ("report", "Fill the authority's report, or record that it was handed in."),
    "verify": ("proof", "Verify that the record was not changed."),
    "law": ("law", "The legal regimes: list, lint."),
    "source": ("source", "The alert sources: list, lint, test."),
    "playbook": ("playbook", "The playbooks: list, show, lint, export."),
    "serve": ("serve", "Serve the alert intake over HTTP."),
    "worker": ("serve", "Work on what is due, until stopped."),
    "purge": ("proof", "Destroy an incident's data for good; the proofs stay."),
    "drill": ("drill", "Rehearse the whole job in a workspace of its own."),
}


class LazyGroup(TyperGroup):
    """A group whose commands are imported when they are called."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"incident.cli.{COMMANDS[cmd_name][0]}")
        built: Any = typer.main.get_command(module.app)
        is_whole = cmd_name == getattr(module, "GROUP", None) or not hasattr(built, "commands")
        found: Any = built if is_whole else built.commands[cmd_name]
        found.name = cmd_name
        return found

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])


app = typer.Typer(cls=LazyGroup, rich_markup_mode=None, add_completion=False, no_args_is_help=True)


@app.callback()
def _globals(
    ctx: typer.Context,
    workspace: Path | None = typer.Option(None, "--workspace", metavar="DIR", help="The workspace to use."),
    as_json: bool = typer.Option(False, "--json", help="Print one JSON document instead of a table."),
    operator: str | None = typer.Option(
        None, "--as", metavar="OPERATOR", help="Who acts; decisions need their key."
    ),
    version: bool = typer.Option(False, "--version", help="Print the version and stop."),
) -> None:
    """Respond to a personal data breach: contain it, tell the authority, tell every person concerned, prove it."""
    if version:
        from incident import __version__

        typer.echo(f"incident {__version__}")
        raise typer.Exit
    from incident.cli.desk import Desk

    ctx.obj = Desk(workspace=workspace, as_json=as_json, operator=operator)


_EVERYWHERE_WITH_VALUE = ("--workspace", "--as")
_EVERYWHERE = ("--json",)


def hoist(words: Sequence[str]) -> list[str]:
    """Bring the options that hold for every command to the front, wherever they were typed (before a `--`)."""
    front: list[str] = []
    rest: list[str] = []
    position = 0
    while position < len(words):
        word = words[position]
        if word == "--":
            rest += words[position:]
            break
        if word in _EVERYWHERE_WITH_VALUE and position + 1 < len(words):
            front += [word, words[position + 1]]
            position += 2
            continue
        if word in _EVERYWHERE or word.startswith(tuple(f"{name}=" for name in _EVERYWHERE_WITH_VALUE)):
            front.append(word)
        else:
            rest.append(word)
        position += 1
    return [*front, *rest]


def main(words: Sequence[str] | None = None) -> int:
    """Run a command; returns its exit code: 0 done, 1 refused or failed, 2 wrong usage."""
    given = hoist(sys.argv[1:] if words is None else words)
    try:
        typer.main.get_command(app)(args=given, prog_name="incident")
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else 0
    except TocsinError as error:
        return _complain(error, given)
    except KeyboardInterrupt:
        typer.echo("stopped", err=True)
        return 1
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return 0


def _complain(error: TocsinError, words: Sequence[str]) -> int:
    if "--json" in words:
        import json

        document = {"error": {"what": error.what, "where": error.where, "next_step": error.next_step}}
        typer.echo(json.dumps(document, ensure_ascii=False))
    typer.echo(f"error: {error}", err=True)
    return error.exit_code


if __name__ == "__main__":
    sys.exit(main())
