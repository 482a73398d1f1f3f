"""`incident gateway`: the SMS gateways as data."""

from __future__ import annotations

from pathlib import Path

import typer

from incident.cli.desk import Desk, desk_of
from incident.errors import BadInput, WorkspaceError

GROUP = "gateway"
app = typer.Typer(
    rich_markup_mode=None,
    add_completion=False,
    help="The SMS gateways: list, lint.",
    no_args_is_help=True,
)


@app.command("list", help="List the gateways, how sure each is, and what its settings must name.")
def show(ctx: typer.Context) -> None:
    from incident.delivery.sms_gateways import files_of, read_definition

    desk = desk_of(ctx)
    rows = []
    for file in sorted(files_of(_root(desk)), key=lambda each: each.stem):
        try:
            found = read_definition(file)
        except BadInput as error:
            # `gateway_definition` would not take the shipped one of this name either.
            desk.say(f"warning: {error}")
            continue
        title = found.title.zh_hans if desk.language.startswith("zh") else found.title.en
        receipts = [way for way, told in (("asked", found.receipt), ("posted", found.pushed)) if told]
        rows.append(
            (
                found.name,
                title,
                found.confidence.value,
                found.template.syntax.value,
                found.template.longest_variable,
                ", ".join(receipts),
                ", ".join(sorted(found.values_needed)),
            )
        )
    desk.table(("Gateway", "Title", "Confidence", "Variables", "Longest", "Receipts", "Values"), rows)


@app.command("lint", help="Check definitions of gateways; without a name, the workspace's and the shipped.")
def lint(ctx: typer.Context, files: list[Path] = typer.Argument(None, metavar="[FILE...]")) -> None:
    from incident.delivery.gateway_lint import mistakes_in
    from incident.delivery.sms_gateways import files_of

    desk = desk_of(ctx)
    wanted = files or sorted(files_of(_root(desk)))
    found = [(file, each) for file in wanted for each in mistakes_in(file)]
    desk.table(
        ("File", "Line", "Where", "Why"),
        [(str(file), each.line, each.place, each.why) for file, each in found],
    )
    if found:
        raise typer.Exit(1)
    desk.say(f"{len(wanted)} files checked, nothing found")


def _root(desk: Desk) -> Path | None:
    """The workspace, if there is one."""
    try:
        return desk.paths.root
    except WorkspaceError:
        return None
