"""The `incident` command: finds the module of a subcommand only when that subcommand is called.

`incident --help` is what a person types first at two in the morning, so it imports nothing heavy: the names and
first lines of all commands stand in one table here, and a test compares them with the real ones.
"""

from __future__ import annotations

import gc
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
    "operator": ("operator", "Who may act and how they are reached: add, reach, list, retire."),
    "contact": (
        "contact",
        "Contacts of authorities, police, headquarters, providers: add, list, checked, remove.",
    ),
    "open": ("opening", "Open an incident."),
    "list": ("record", "List the incidents."),
    "show": ("record", "Show an incident, now or as it was known at a time."),
    "set": ("record", "Record facts: FIELD=VALUE ..."),
    "log": ("log", "Log what people did and saw; with --measure it is a measure taken."),
    "measures": ("log", "List the measures that the log and playbooks know."),
    "timeline": ("record", "Show everything that happened, in order."),
    "close": ("record", "Close an incident."),
    "evidence": ("evidence", "Evidence: add, list, show, take, verify."),
    "task": ("task", "Tasks: add, done, drop, list."),
    "decide": ("decisions", "Record what was decided on a question, signed."),
    "decisions": (
        "decisions",
        "List all that was signed in an incident: who, what, when, and whether it holds.",
    ),
    "counsel": ("counsel", "Notes that only counsel writes and reads: add, list."),
    "ask": ("asking", "The questions that decide the most, in order, and who can answer."),
    "answer": ("asking", "Answer a question; “unknown” is an answer too."),
    "duties": ("duties", "What is owed in the next 24 hours, by when, to whom."),
    "meet": ("meet", "Record that a duty was met outside of Tocsin: a call, a portal, word of mouth."),
    "waive": ("meet", "Decide not to do what the law leaves to the organisation (signed)."),
    "grade": ("grade", "The grade of an incident on every scale in scope, and its severity, with reasons."),
    "register": (
        "register",
        "The register of breaches: every incident, also those that nobody was told of.",
    ),
    "hold": ("hold", "Silence asked for by police or counsel: add, extend, accept, lift, list, show."),
    "instruction": ("instruction", "Orders of authorities: add, list, settle."),
    "call": ("calling", "Call somebody: everybody with a role, or one operator; then deputies, then all."),
    "ack": ("calling", "Say that you are on it: the calls end, and nothing is decided."),
    "calls": ("calling", "Show for what people were called in an incident, who, and what came of it."),
    "people": ("people", "The people concerned: import, match, stats, problems, show."),
    "run": ("playbooks", "Run a playbook on an incident."),
    "runs": ("playbooks", "List runs and what they wait for."),
    "approve": ("playbooks", "Approve a step of a run (signed)."),
    "reject": ("playbooks", "Reject a step of a run (signed)."),
    "done": ("playbooks", "Answer a step that waits for a person, or say whether a call was carried out."),
    "cancel": ("playbooks", "Cancel a run."),
    "undo": ("undo", "Take back what a run contained, in reverse order."),
    "containment": (
        "containment",
        "What the steps of runs contain: list, keep.",
    ),
    "notice": (
        "notice",
        "The notice: draft, check, edit, preview, lint, new-language, release, send, pause, resume, status, report-phishing, verify.",
    ),
    "plan": (
        "plan",
        "How long telling everybody takes, what it costs, and whether deadline and call centre hold.",
    ),
    "deliveries": ("deliveries", "Who got what, and who was not reached."),
    "bounces": ("bounces", "What came back: take, list, settle."),
    "call-list": (
        "call_list",
        "Lists for the call centre: export, import, record, show, list, close, deleted.",
    ),
    "report": ("report", "Fill the authority's report, or record that it was handed in."),
    "brief": ("brief", "One page for headquarters, the board, the police, the call centre or the press."),
    "handover": ("brief", "What the next shift must know, and what changed since the last handover."),
    "export": (
        "export",
        "Export an incident as VERIS or STIX: typed facts, no text and nothing of people.",
    ),
    "verify": ("proof", "Verify that the record was not changed."),
    "check": ("check", "Prove that the record is whole and that nothing is left undone."),
    "law": (
        "law",
        "The legal regimes and catalogues: list, show, lint, new, approve, categories, remedies.",
    ),
    "source": ("source", "The alert sources: list, lint, test."),
    "gateway": ("gateway", "The SMS gateways: list, lint."),
    "playbook": ("playbook", "The playbooks: list, show, lint, import, export."),
    "serve": ("serve", "Serve the alert intake over HTTP."),
    "worker": ("serve", "Work on what is due, until stopped."),
    "engine": ("engine", "What keeps the work going: status, limits, reset."),
    "backup": ("backup", "Keep the record and its files in one file, while everything works; never a key."),
    "restore": (
        "backup",
        "Make a workspace out of a backup; with --activate, make a copy the one that acts.",
    ),
    "move": ("backup", "Move the record to another database: from SQLite to PostgreSQL, or back."),
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


def _print_version(wanted: bool) -> None:
    if not wanted:
        return
    from incident import __version__

    typer.echo(f"incident {__version__}")
    raise typer.Exit


@app.callback()
def _globals(
    ctx: typer.Context,
    workspace: Path | None = typer.Option(None, "--workspace", metavar="DIR", help="The workspace to use."),
    as_json: bool = typer.Option(False, "--json", help="Print one JSON document instead of a table."),
    operator: str | None = typer.Option(
        None, "--as", metavar="OPERATOR", help="Who acts; decisions need their key."
    ),
    version: bool = typer.Option(
        False, "--version", help="Print the version and stop.", is_eager=True, callback=_print_version
    ),
) -> None:
    """Respond to a personal data breach: contain it, tell the authority, tell every person concerned, prove it."""
    from incident.cli.desk import Desk

    desk = Desk(workspace=workspace, as_json=as_json, operator=operator)
    ctx.call_on_close(desk.close)
    ctx.obj = desk


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


# Python looks for garbage after 700 new objects. Modules are no garbage, and looking through them while they are imported
# takes a tenth of a short command's time. A short command makes fewer than so many objects, so it never looks.
_GARBAGE_THRESHOLD = 200_000


def main(words: Sequence[str] | None = None) -> int:
    """Run a command; returns its exit code: 0 done, 1 refused or failed, 2 wrong usage.

    Without `words` those of the command line, and the process is expected to end now.
    """
    gc.set_threshold(_GARBAGE_THRESHOLD)
    if words is not None:
        return _run(hoist(words))
    try:
        return _run(hoist(sys.argv[1:]))
    finally:
        # At its end Python would look through all modules for garbage, a fifth of a short command's time. All that
        # must be closed was closed by now (`Desk.close`); the rest goes with the process.
        gc.freeze()


def _run(given: Sequence[str]) -> int:
    # A plugin of some other package would see every value that is checked, people's data too; looking for one costs time.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    try:
        code = typer.main.get_command(app)(args=given, prog_name="incident", standalone_mode=False)
    except TocsinError as error:
        return _complain(error, given)
    except (KeyboardInterrupt, typer.Abort):
        return _stopped()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        # The disk, a folder's rights: nothing of ours is wrong, so nobody needs a traceback.
        what = f"the system refused it ({error.strerror or error})"
        where = str(error.filename) if error.filename is not None else None
        return _complain(TocsinError(what, where=where, next_step="`incident doctor` looks closer"), given)
    except Exception as error:
        if not hasattr(error, "format_message"):
            raise
        return _wrong_words(error, given)
    if code == _INTERRUPTED:
        return _stopped()
    return code if isinstance(code, int) else 0


# What typer makes of Ctrl-C; ours are 0, 1 and 2.
_INTERRUPTED = 130


def _stopped() -> int:
    typer.echo("stopped", err=True)
    return 1


def _complain(error: TocsinError, words: Sequence[str]) -> int:
    _error_document(words, what=error.what, where=error.where, next_step=error.next_step)
    typer.echo(f"error: {error}", err=True)
    return error.exit_code


def _wrong_words(error: Any, words: Sequence[str]) -> int:
    """The errors of the option parser. Its classes lie elsewhere from version to version, so they are known by shape."""
    error.show()
    # A group called without a command shows its help as the message.
    what = error.format_message().splitlines()[0] if error.format_message() else "wrong usage"
    context = getattr(error, "ctx", None)
    command = context.command_path if context is not None else "incident"
    _error_document(words, what=what, where=command, next_step=f"{command} --help")
    return int(error.exit_code)


def _error_document(words: Sequence[str], *, what: str, where: str | None, next_step: str | None) -> None:
    """With `--json` an error is the one document on stdout too."""
    ours = words[: words.index("--")] if "--" in words else words
    if "--json" not in ours:
        return
    import json

    document = {"error": {"what": what, "where": where, "next_step": next_step}}
    typer.echo(json.dumps(document, ensure_ascii=False))


if __name__ == "__main__":
    sys.exit(main())
