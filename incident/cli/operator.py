"""`incident operator`: who may act."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from incident.cli.desk import desk_of

if TYPE_CHECKING:
    from incident.store.change import Change
    from incident.store.tables import Operator

GROUP = "operator"
app = typer.Typer(
    rich_markup_mode=None,
    add_completion=False,
    help="Who may act and how they are reached: add, reach, list, retire.",
    no_args_is_help=True,
)
REACH_HELP = "How they are called, as an Apprise URL or env:NAME or file:PATH; may be repeated."


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
    deputy: str | None = typer.Option(None, "--deputy", metavar="NAME", help="Who stands in for them."),
    reach: list[str] = typer.Option([], "--reach", metavar="URL", help=REACH_HELP),
) -> None:
    from incident.cli.desk import read_input
    from incident.record.operators import add_operator, read_roles
    from incident.record.reaches import put_reach
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

    def then(change: Change, added: Operator) -> None:
        if reach or deputy is not None:
            put_reach(change, desk.store, added, urls=reach, deputy=deputy)

    operator = add_operator(
        desk.store,
        name,
        public,
        roles=read_roles(roles),
        simulated=False,
        actor=desk.actor,
        now=desk.now(),
        then=then,
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


@app.command("reach", help="How an operator is called, and who stands in for them; without options, show it.")
def reach_(
    ctx: typer.Context,
    name: str = typer.Argument(..., metavar="NAME"),
    url: list[str] = typer.Option([], "--url", metavar="URL", help=REACH_HELP),
    deputy: str | None = typer.Option(
        None, "--deputy", metavar="NAME", help="Who stands in for them; '' takes the deputy away."
    ),
    clear: bool = typer.Option(False, "--clear", help="Forget every address first."),
) -> None:
    from incident.record.operators import operator_named
    from incident.record.reaches import list_reaches, put_reach
    from incident.store.journal import WORKSPACE_CHAIN

    desk = desk_of(ctx)
    if url or clear or deputy is not None:
        with desk.store.write(
            WORKSPACE_CHAIN, kind="operator.reach", actor=desk.actor, now=desk.now()
        ) as change:
            operator = operator_named(change.session, name)
            kept = (
                ()
                if clear
                else next(line.urls for line in list_reaches(change.session, desk.store) if line.name == name)
            )
            put_reach(change, desk.store, operator, urls=[*kept, *url], deputy=deputy)
    with desk.store.read() as session:
        operator_named(session, name)
        [line] = [each for each in list_reaches(session, desk.store) if each.name == name]
    said = [f"{name} is called over {shown}" for shown in line.shown]
    said += [] if line.shown else [f"{name} is not called: there is no address"]
    said.append(f"deputy: {line.deputy}" if line.deputy else "no deputy")
    desk.lines(said, document={"name": name, "reach": list(line.shown), "deputy": line.deputy or None})


@app.command("list", help="List who may act, and who no longer may.")
def show(
    ctx: typer.Context,
    allowed: bool = typer.Option(
        False, "--allowed-signers", help="Print their keys as a file for `ssh-keygen -Y verify -f`."
    ),
) -> None:
    from incident.record.decided import allowed_signers
    from incident.record.operators import list_operators
    from incident.record.reaches import list_reaches
    from incident.record.sshsig import kind_of

    desk = desk_of(ctx)
    operators = list_operators(desk.store)
    with desk.store.read() as session:
        reaches = {line.operator_id: line for line in list_reaches(session, desk.store)}
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
            ", ".join(reaches[each.id].shown) if each.id in reaches else "",
            reaches[each.id].deputy if each.id in reaches else "",
        )
        for each in operators
    ]
    desk.table(("Name", "Roles", "Key", "Kind", "Added", "Retired", "Simulated", "Reach", "Deputy"), rows)


@app.command("retire", help="End what a person may do; their past decisions stay valid.")
def retire(ctx: typer.Context, name: str = typer.Argument(..., metavar="NAME")) -> None:
    from incident.record.operators import retire_operator

    desk = desk_of(ctx)
    retire_operator(desk.store, name, actor=desk.actor, now=desk.now())
    desk.lines([f"{name} may not act any more"], document={"name": name, "retired": True})
