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
    from incident.record.signing import public_line_of
    from incident.record.sshsig import kind_of, public_line

    desk = desk_of(ctx)
    desk.settings  # noqa: B018 - a broken workspace is told before the key is looked at
    text = read_input(key).decode("ascii", "replace")
    private: Path | None = None
    if "PRIVATE KEY" in text:
        private = key
        public = public_line_of(key) or public_line(desk.private_key(key))
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
        else "signs with an agent or a device that holds their private key, or where $INCIDENT_SIGNING_KEY names it"
    )
    kind = kind_of(operator.public_key)
    desk.lines(
        [f"{name} may act as {operator.roles}", f"key {operator.fingerprint} ({kind})", where],
        document={
            "name": name,
            "roles": operator.roles.split(","),
            "fingerprint": operator.fingerprint,
            "kind": kind,
        },
    )


@app.command("list", help="List who may act, and who no longer may.")
def show(
    ctx: typer.Context,
    allowed: bool = typer.Option(
        False, "--allowed-signers", help="Print their keys as a file for `ssh-keygen -Y verify -f`."
    ),
) -> None:
    from incident.record.decided import allowed_signers
    from incident.record.operators import list_operators
    from incident.record.sshsig import kind_of

    desk = desk_of(ctx)
    operators = list_operators(desk.store)
    if allowed:
        text = allowed_signers(operators)
        desk.lines(text.splitlines(), document={"allowed_signers": text})
        return
    rows = [
        (
            each.name,
            each.roles,
            each.fingerprint,
            kind_of(each.public_key),
            each.added_at,
            each.retired_at,
            each.simulated,
        )
        for each in operators
    ]
    desk.table(("Name", "Roles", "Key", "Kind", "Added", "Retired", "Simulated"), rows)


@app.command("retire", help="End what a person may do; their past decisions stay valid.")
def retire(ctx: typer.Context, name: str = typer.Argument(..., metavar="NAME")) -> None:
    from incident.record.operators import retire_operator

    desk = desk_of(ctx)
    retire_operator(desk.store, name, actor=desk.actor, now=desk.now())
    desk.lines([f"{name} may not act any more"], document={"name": name, "retired": True})
