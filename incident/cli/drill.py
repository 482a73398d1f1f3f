"""`incident drill`: the whole job, rehearsed."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from incident.cli.desk import Desk, desk_of
from incident.errors import WrongUsage

if TYPE_CHECKING:
    from incident.duties.view import DutyView
    from incident.response.housework import House

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command("drill", help="Rehearse the whole job in a workspace of its own.")
def drill(
    ctx: typer.Context,
    people: int = typer.Option(1000, "--people", help="How many made-up people to tell."),
) -> None:
    from incident.ops.drill import rehearse
    from incident.server.running import hooks_on_loopback

    desk = desk_of(ctx)
    if not 1 <= people <= 100_000:
        raise WrongUsage("a drill has 1 to 100,000 people", where="--people")
    folder = desk.workspace or Path(f"drill-{desk.now():%Y%m%d-%H%M%S}")
    result = rehearse(
        folder.resolve(), people=people, screen=_Terminal(), clock=desk.now, serve_hooks=hooks_on_loopback
    )
    files = {what: str(path) for what, path in result.files.items()}
    document: dict[str, object] = {
        "incident": result.incident_id,
        "workspace": str(result.workspace),
        "files": files,
    }
    if result.failed:
        document["failed"] = result.failed
    _files_table(desk, files, document)
    if not desk.as_json:
        typer.echo(f"look around: incident --workspace {result.workspace} show {result.incident_id}")
    for failure in result.failed:
        desk.say(f"did not hold: {failure}")
    if result.failed:
        raise typer.Exit(1)


def _files_table(desk: Desk, files: dict[str, str], document: dict[str, object]) -> None:
    if desk.as_json:
        desk.document(document)
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(title="What the drill produced", title_justify="left", header_style="bold")
    table.add_column("What", no_wrap=True)
    table.add_column("File", overflow="fold")
    for what, path in files.items():
        table.add_row(what, path)
    Console(width=None if sys.stdout.isatty() else 160, highlight=False, markup=False).print(table)


class _Terminal:
    """The drill's screen: everything goes to stderr, so that stdout holds the result only."""

    def __init__(self) -> None:
        from rich.console import Console

        self._console = Console(
            stderr=True, highlight=False, markup=False, width=None if sys.stderr.isatty() else 160
        )

    def section(self, title: str) -> None:
        self._console.print()
        self._console.rule(title, align="left")

    def line(self, text: str) -> None:
        self._console.print(f"  {text}")

    def duties(self, views: Sequence[DutyView], house: House) -> None:
        from rich.table import Table

        from incident.cli.wording import span

        table = Table(header_style="bold")
        for column in ("Duty", "To", "Due", "Left", "Rests on"):
            table.add_column(column, overflow="fold", no_wrap=column == "Duty")
        for view in views:
            duty = view.duty
            to = ", ".join(each.name["en"] for each in duty.recipients)
            zone = house.settings.zone
            if duty.due_at is not None:
                due = f"{duty.due_at.astimezone(zone):%Y-%m-%d %H:%M}"
            else:
                due = (
                    f"waits for {', '.join(sorted(duty.waits_for))}" if duty.waits_for else str(duty.urgency)
                )
            left = span(view.left) if view.left is not None else ""
            table.add_row(duty.id, to, due, left, "assumed" if duty.assumed else "known facts")
        self._console.print(table)

    def sending(self, progress: Callable[[], tuple[int, int]], done: Callable[[], bool]) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        columns = (TextColumn("  sending"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        with Progress(*columns, console=self._console) as bar:
            task = bar.add_task("sending")
            while True:
                finished = done()
                settled, expected = progress()
                bar.update(task, completed=settled, total=expected)
                if finished:
                    return
                time.sleep(0.1)
