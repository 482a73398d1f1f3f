"""`incident init` and `incident doctor`."""

from __future__ import annotations

from pathlib import Path

import typer

from incident.cli.desk import desk_of

app = typer.Typer(rich_markup_mode=None)


@app.command("init", help="Make a workspace: settings, database, keyring.")
def init(
    ctx: typer.Context,
    folder: Path = typer.Argument(Path(), metavar="[DIR]", help="The folder; it must be empty or new."),
    name: str = typer.Option("", "--name", help="The organisation's name."),
    country: list[str] = typer.Option(
        ["cn"], "--country", help="A country in scope (cn, eu, ...); may be repeated."
    ),
    zone: str = typer.Option("Asia/Shanghai", "--zone", help="The zone of local times."),
) -> None:
    from incident.ops.founding import found_workspace
    from incident.settings import Born

    desk = desk_of(ctx)
    target = desk.workspace or folder
    made = found_workspace(target, name=name, countries=country, zone=zone, born=Born.LIVE, now=desk.now())
    steps = [
        f"workspace  {made.root}",
        f"settings   {made.settings_file}  (organisation, mail relay and promises go here)",
        f"keyring    {made.under('keyring')}  (keep a copy elsewhere; without it the data cannot be read)",
        "next       incident operator add NAME --key ~/.ssh/id_ed25519",
    ]
    desk.lines(steps, document={"workspace": str(made.root), "settings": str(made.settings_file)})


@app.command("doctor", help="Say what is ready and what is missing.")
def doctor(ctx: typer.Context) -> None:
    from incident.ops.doctor import examine

    desk = desk_of(ctx)
    found = examine(desk.house)
    desk.table(
        ("What", "State", "Finding", "Next step"),
        [(each.what, each.state, each.finding, each.next_step) for each in found],
    )
    if any(each.state == "fail" for each in found):
        raise typer.Exit(1)
