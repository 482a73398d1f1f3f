"""`incident source`: the senders of alerts as data."""

from __future__ import annotations

from pathlib import Path

import typer

from incident.cli.desk import Desk, desk_of
from incident.errors import BadInput, WorkspaceError

GROUP = "source"
app = typer.Typer(
    rich_markup_mode=None,
    add_completion=False,
    help="The alert sources: list, lint, test.",
    no_args_is_help=True,
)


@app.command("list", help="List the sources and what they start.")
def show(ctx: typer.Context) -> None:
    from incident.hooks.library import read_sources

    desk = desk_of(ctx)
    rows = []
    for name, compiled in sorted(read_sources(_folders(desk)).items()):
        source = compiled.source
        starts = source.start.playbook if source.start else ""
        secrets = ", ".join(source.secret_references)
        rows.append((name, source.title[desk.language], source.auth.kind, secrets, starts))
    desk.table(("Source", "Title", "Check", "Secret", "Starts"), rows)


@app.command("lint", help="Check source files; without a name, the shipped ones.")
def lint(ctx: typer.Context, files: list[Path] = typer.Argument(None, metavar="[FILE...]")) -> None:
    from incident.hooks.library import SHIPPED
    from incident.hooks.lint import Level, lint_source

    desk = desk_of(ctx)
    found = []
    wanted = files or sorted(SHIPPED.glob("*.yaml"))
    for file in wanted:
        try:
            text = file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise BadInput(f"the file cannot be read ({error})", where=str(file)) from error
        found += [(file.name, each) for each in lint_source(text, name=file.name)]
    desk.table(
        ("File", "Line", "Level", "Where", "Why"),
        [(name, each.line, str(each.level), each.path, each.why) for name, each in found],
    )
    if not found:
        desk.say(f"{len(wanted)} files checked, nothing found")
    if any(each.level is Level.error for _, each in found):
        raise typer.Exit(1)


@app.command("test", help="Map the samples of a source and show what came out empty.")
def test(ctx: typer.Context, name: str = typer.Argument(..., metavar="SOURCE")) -> None:
    from incident.errors import NotFound
    from incident.hooks.library import read_source_file
    from incident.hooks.lint import try_samples

    desk = desk_of(ctx)
    places = [folder / f"{name}.yaml" for folder in _folders(desk)]
    file = next((place for place in places if place.is_file()), None)
    if file is None:
        raise NotFound(f"there is no source {name}", next_step="`incident source list` shows them")
    results = try_samples(read_source_file(file), file.parent)
    rows = [(each.sample, each.ok, ", ".join(each.empty), "; ".join(each.differences)) for each in results]
    desk.table(("Sample", "As expected", "Empty fields", "Differences"), rows)
    if not all(each.ok for each in results):
        raise typer.Exit(1)


def _folders(desk: Desk) -> list[Path]:
    """The workspace's sources, if there is a workspace, then the shipped ones."""
    from incident.hooks.library import SHIPPED

    try:
        return [desk.paths.root / "sources", SHIPPED]
    except WorkspaceError:
        return [SHIPPED]
