"""`incident operator`: who may act."""

from __future__ import annotations

from pathlib import Path

import typer

from incident.cli.desk import desk_of

GROUP = "operator"
app = typer.Typer(
    rich_markup_mode=None, add_completion=False, help="Who may act: add, list, retire.", no_args_is_help=True
)


@app.command("add", help="Let a person act from now on, with their SSH key.")
def add(
    ctx: typer.Context,
    name: str = typer.Argument(..., metavar="NAME"),
    key: Path = typer.Option(
        ..., "--key", help="Their SSH key: the public half, or the private key to sign with here."
    ),
    roles: str = typer.Option(
        "responder,approver", "--roles", help="responder, approver, communicator, counsel, auditor."
    ),
) -> None:
    from incident.cli.desk import read_input
    from incident.record.operators import add_operator, read_roles
    from incident.record.sshsig import public_line

    desk = desk_of(ctx)
    desk.settings  # noqa: B018 - a broken workspace is told before the key is looked at
    text = read_input(key).decode("ascii", "replace")
    private: Path | None = None
    if "PRIVATE KEY" in text:
        private, beside = key, key.with_name(key.name + ".pub")
        public = (
            read_input(beside).decode("ascii", "replace")
            if beside.is_file()
            else public_line(desk.private_key(key))
        )
    else:
        public = text
        without = key.with_suffix("") if key.suffix == ".pub" else None
        private = without if without is not None and without.is_file() else None
    operator = add_operator(
        desk.store, name, public, roles=read_roles(roles), simulated=False, actor=desk.actor, now=desk.now()
    )
    if private is not None:
        desk.remember_key(name, private)
    where = (
        f"signs here with {private}"
        if private
        else "signs where their private key is ($INCIDENT_SIGNING_KEY)"
    )
    desk.lines(
        [f"{name} may act as {operator.roles}", f"key {operator.fingerprint}", where],
        document={"name": name, "roles": operator.roles.split(","), "fingerprint": operator.fingerprint},
    )


@app.command("list", help="List who may act, and who no longer may.")
def show(ctx: typer.Context) -> None:
    from incident.record.operators import list_operators

    desk = desk_of(ctx)
    rows = [
        (each.name, each.roles, each.fingerprint, each.added_at, each.retired_at, each.simulated)
        for each in list_operators(desk.store)
    ]
    desk.table(("Name", "Roles", "Key", "Added", "Retired", "Simulated"), rows)


@app.command("retire", help="End what a person may do; their past decisions stay valid.")
def retire(ctx: typer.Context, name: str = typer.Argument(..., metavar="NAME")) -> None:
    from incident.record.operators import retire_operator

    desk = desk_of(ctx)
    retire_operator(desk.store, name, actor=desk.actor, now=desk.now())
    desk.lines([f"{name} may not act any more"], document={"name": name, "retired": True})
