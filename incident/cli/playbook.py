"""`incident playbook`: the playbooks as data."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from incident.cli.desk import Desk, desk_of, read_input, write_output
from incident.errors import BadInput, WorkspaceError

if TYPE_CHECKING:
    from incident.workspace import Workspace

GROUP = "playbook"
app = typer.Typer(
    rich_markup_mode=None,
    add_completion=False,
    help="The playbooks: list, show, lint, import, export.",
    no_args_is_help=True,
)
NAME = typer.Argument(..., metavar="PLAYBOOK")


@app.command("list", help="List the playbooks.")
def list_(ctx: typer.Context) -> None:
    from incident.record.fields import in_language
    from incident.response.drawing_words import words_in
    from incident.response.shelf import playbook_names, summary_of

    desk = desk_of(ctx)
    words = words_in(desk.language)
    rows, documents = [], []
    for name, path in sorted(playbook_names(_workspace(desk)).items()):
        try:
            _must_be_runnable(desk, name, path)
            each = summary_of(name, path)
        except BadInput as error:
            # One broken file must not hide the others.
            desk.say(f"warning: {error}")
            rows.append((name, words["cannot_run"], "", 0, "", ""))
            documents.append({"playbook": name, "name": "", "steps": 0, "can_run": False, "file": path})
            continue
        title, description = (in_language(text, desk.language) for text in (each.title, each.description))
        types = words["and"].join(words.get(f"type-{kind}", kind) for kind in each.types)
        rows.append((name, title, types, each.steps, " ".join(each.needs), description))
        documents.append(
            {
                "playbook": name,
                "name": title,
                "types": each.types,
                "steps": each.steps,
                "needs": each.needs,
                "description": description,
                "can_run": True,
                "file": path,
            }
        )
    desk.table(tuple(words["list_heads"].split("|")), rows, document=documents)


def _must_be_runnable(desk: Desk, name: str, path: str) -> None:
    """Check a workspace's own file, which somebody may still be writing; the shipped ones are checked when built."""
    from incident.workspace import shipped

    if Path(path).is_relative_to(shipped("playbooks")):
        return
    from incident.ops.house import read_playbook

    read_playbook(_workspace(desk), name)


class Format(StrEnum):
    """How a playbook is shown."""

    terminal = "terminal"
    mermaid = "mermaid"


@app.command(
    "show", help="Draw a playbook: its steps, who does them, what goes where, what happens on failure."
)
def show(
    ctx: typer.Context,
    name: str = NAME,
    deep: bool = typer.Option(False, "--deep", help="Draw the playbooks that it calls as well."),
    format_: Format = typer.Option(
        Format.terminal, "--format", help="terminal, or mermaid: a flowchart for documents."
    ),
) -> None:
    from incident.ops.house import read_with_children
    from incident.response.drawing import document, draw
    from incident.response.mermaid import mermaid

    desk = desk_of(ctx)
    playbook, children = read_with_children(_workspace(desk), name)
    if format_ is Format.mermaid and not desk.as_json:
        typer.echo(mermaid(playbook, children=children, deep=deep, language=desk.language), nl=False)
        return
    desk.lines(
        draw(playbook, children=children, deep=deep, language=desk.language, width=desk.width),
        document=document(playbook, children=children, deep=deep, language=desk.language),
    )


@app.command("lint", help="Check playbook files; without a name, the shipped ones.")
def lint(ctx: typer.Context, files: list[Path] = typer.Argument(None, metavar="[FILE...]")) -> None:
    from incident.ops.house import containment_catalogue
    from incident.record.measures import measure_catalogue
    from incident.response.findings import errors_in
    from incident.response.form import check
    from incident.workspace import shipped

    desk = desk_of(ctx)
    rows, wrong = [], False
    wanted = files or sorted(shipped("playbooks").glob("*.yaml"))
    for file in wanted:
        try:
            text = file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise BadInput(f"the file cannot be read ({error})", where=str(file)) from error
        found = check(
            text,
            name=file.name,
            now=desk.now(),
            known_measures=frozenset(measure_catalogue()),
            catalogue=containment_catalogue(),
        )
        wrong = wrong or bool(errors_in(found))
        rows += [
            (file.name, str(each.severity), each.code, each.place or "", each.message, each.cure)
            for each in found
        ]
    desk.table(("File", "Severity", "Code", "Where", "What", "Cure"), rows)
    if not rows:
        desk.say(f"{len(wanted)} files checked, nothing found")
    if wrong:
        raise typer.Exit(1)


@app.command(
    "import", help="Take in another tool's CACAO playbook: repair, report, check what it needs here."
)
def import_(
    ctx: typer.Context,
    file: Path = typer.Argument(..., metavar="FILE"),
    name: str | None = typer.Option(None, "--as", metavar="NAME", help="What it is called here."),
    replace: bool = typer.Option(False, "--replace", help="In place of a playbook of that name."),
    dry_run: bool = typer.Option(False, "--dry-run", help="Report only, write nothing."),
    output: Path | None = typer.Option(
        None, "-o", "--output", metavar="FILE", help="Write it here instead of into the workspace."
    ),
) -> None:
    from incident.ops.exchange import put_away_the_other, take_in

    desk = desk_of(ctx)
    workspace = _workspace(desk) if dry_run or output is not None else desk.paths
    taken = take_in(
        read_input(file),
        file,
        workspace=workspace,
        settings=desk.settings if workspace is not None else None,
        name=name,
        replace=replace,
        elsewhere=output is not None,
        now=desk.now(),
    )
    imported = taken.imported
    target = output or taken.file
    if not dry_run and target is not None:
        write_output(target, imported.text)
        if output is None:
            put_away_the_other(taken)
    written = None if dry_run or target is None else str(target)
    repairs = [(each.place or "", each.code, each.was, each.now, each.why) for each in imported.repairs]
    found = [
        (str(each.severity), each.code, each.place or "", each.message, each.cure)
        for each in imported.findings
    ]
    document = {
        "name": taken.name,
        "file": written,
        "sha256": imported.sha256,
        "id": imported.playbook.id,
        "repairs": [dict(zip(("where", "code", "was", "now", "why"), each, strict=True)) for each in repairs],
        "findings": [
            dict(zip(("severity", "code", "where", "what", "cure"), each, strict=True)) for each in found
        ],
        "runs_here": not imported.needs,
        "needs": list(imported.needs),
    }
    if desk.as_json:
        desk.document(document)
        return
    if repairs:
        desk.table(("Where", "Repair", "Was", "Is now", "Why"), repairs)
    if found:
        desk.table(("Severity", "Code", "Where", "What", "Cure"), found)
    desk.lines(_verdict(taken.name, written, imported.sha256, imported.needs), document=document)


def _verdict(name: str, written: str | None, sha256: str, needs: tuple[str, ...]) -> list[str]:
    lines = [f"the file's sha256: {sha256}", f"written to {written}" if written else "nothing was written"]
    if not needs:
        return [*lines, f"it can be run here: incident run {name} --on ID --dry-run"]
    return [*lines, "it cannot be run here yet. It needs:", *(f"  - {each}" for each in needs)]


@app.command("export", help="Write a playbook as CACAO 2.0 JSON that other tools can take.")
def export(
    ctx: typer.Context,
    name: str = NAME,
    output: Path | None = typer.Option(None, "-o", "--output", metavar="FILE", help="Where to write it."),
) -> None:
    from incident.ops.exchange import hand_out

    desk = desk_of(ctx)
    exported = hand_out(_workspace(desk), name)
    for change in exported.changes:
        desk.say(f"note: {change}")
    if output is None:
        typer.echo(exported.text, nl=False)
        return
    write_output(output, exported.text)
    desk.lines([f"written to {output}"], document={"file": str(output), "changes": list(exported.changes)})


def _workspace(desk: Desk) -> Workspace | None:
    try:
        return desk.paths
    except WorkspaceError:
        return None
