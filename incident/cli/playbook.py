"""`incident playbook`: the playbooks as data."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from incident.cli.desk import Desk, desk_of, write_output
from incident.errors import BadInput, WorkspaceError

if TYPE_CHECKING:
    from incident.workspace import Workspace

GROUP = "playbook"
app = typer.Typer(
    rich_markup_mode=None,
    add_completion=False,
    help="The playbooks: list, show, lint, export.",
    no_args_is_help=True,
)
NAME = typer.Argument(..., metavar="PLAYBOOK")


@app.command("list", help="List the playbooks.")
def list_(ctx: typer.Context) -> None:
    from incident.ops.house import playbook_names, read_playbook

    desk = desk_of(ctx)
    rows = []
    for name, path in sorted(playbook_names(_workspace(desk)).items()):
        try:
            playbook = read_playbook(_workspace(desk), name)
        except BadInput as error:
            # One broken file must not hide the others.
            desk.say(f"warning: {error}")
            rows.append((name, "(cannot be run)", 0, path))
            continue
        rows.append((name, playbook.name, len(playbook.workflow), path))
    desk.table(("Playbook", "Name", "Steps", "File"), rows)


@app.command("show", help="Show the steps of a playbook.")
def show(ctx: typer.Context, name: str = NAME) -> None:
    from incident.ops.house import read_playbook
    from incident.response.lint import labels_of
    from incident.response.model import branches, continuations

    desk = desk_of(ctx)
    playbook = read_playbook(_workspace(desk), name)
    labels = labels_of(playbook)
    rows = []
    for step_id, step in playbook.workflow.items():
        then = ", ".join(labels.get(each, each) for each in (*branches(step), *continuations(step)))
        rows.append((labels.get(step_id, step_id), str(step.type), step.name or "", then))
    desk.table(("Step", "Type", "Name", "Then"), rows, title=playbook.name)


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
        rows += [(file.name, str(each.severity), each.code, each.place or "", each.message) for each in found]
    desk.table(("File", "Severity", "Code", "Where", "What"), rows)
    if not rows:
        desk.say(f"{len(wanted)} files checked, nothing found")
    if wrong:
        raise typer.Exit(1)


@app.command("export", help="Write a playbook as CACAO 2.0 JSON.")
def export(
    ctx: typer.Context,
    name: str = NAME,
    output: Path | None = typer.Option(None, "-o", "--output", metavar="FILE", help="Where to write it."),
) -> None:
    from incident.ops.house import read_playbook
    from incident.response.form import to_cacao

    desk = desk_of(ctx)
    text = to_cacao(read_playbook(_workspace(desk), name))
    if output is None:
        typer.echo(text, nl=False)
        return
    write_output(output, text)
    desk.lines([f"written to {output}"], document={"file": str(output)})


def _workspace(desk: Desk) -> Workspace | None:
    try:
        return desk.paths
    except WorkspaceError:
        return None
