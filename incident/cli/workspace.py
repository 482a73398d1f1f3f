"""`incident init` and `incident doctor`."""

from __future__ import annotations

from pathlib import Path

import typer

from incident.cli.desk import desk_of
from incident.errors import TocsinError, WrongUsage
from incident.setting_values import OrganisationKind

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command("init", help="Make a workspace: settings, database, keyring.")
def init(
    ctx: typer.Context,
    folder: Path | None = typer.Argument(
        None, metavar="[DIR]", help="The folder, empty or new; without it, the one you are in."
    ),
    name: str = typer.Option("", "--name", help="The organisation's name."),
    country: list[str] = typer.Option(
        ["cn"], "--country", help="A country in scope (cn, eu, ...); may be repeated."
    ),
    organisation: list[OrganisationKind] = typer.Option(
        [], "--organisation", help="What the organisation is, for laws that bind only some; may be repeated."
    ),
    zone: str = typer.Option("Asia/Shanghai", "--zone", help="The zone of local times."),
    store: str | None = typer.Option(
        None,
        "--store",
        metavar="URL",
        help="The database, for example an empty one at postgresql://USER@HOST/NAME; a file in DIR without it.",
    ),
    store_password: str | None = typer.Option(
        None,
        "--password-from",
        metavar="REFERENCE",
        help="Where the database user's password is: env:NAME or file:PATH.",
    ),
) -> None:
    from incident.ops.founding import found_workspace
    from incident.settings import Born

    desk = desk_of(ctx)
    if folder is not None and desk.workspace is not None and folder != desk.workspace:
        raise WrongUsage("two folders are named", where="DIR and --workspace", next_step="name one of them")
    if store is None and store_password is not None:
        raise WrongUsage(
            "a password without a database", where="--password-from", next_step="add --store URL"
        )
    target = folder or desk.workspace or Path()
    made = found_workspace(
        target,
        name=name,
        countries=country,
        organisation=organisation,
        zone=zone,
        born=Born.LIVE,
        now=desk.now(),
        store_url=store,
        store_password=store_password,
    )
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
    from incident.ops.examined import unusable

    desk = desk_of(ctx)
    desk.settings  # noqa: B018 - without a workspace and its settings there is nothing to look at
    try:
        house = desk.house
    except TocsinError as error:
        found = [unusable("store", error)]
    else:
        found = examine(house)
    desk.table(
        ("What", "State", "Finding", "Next step"),
        [(each.what, each.state, each.finding, each.next_step) for each in found],
    )
    if any(each.state == "fail" for each in found):
        raise typer.Exit(1)
