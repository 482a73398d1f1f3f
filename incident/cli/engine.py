"""`incident engine`: what it stands at, limits, and throwing the queue's own state away."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from incident.cli.desk import OVERDUE_SECONDS, Desk, desk_of

if TYPE_CHECKING:
    from incident.ops.engine import EngineState

GROUP = "engine"
app = typer.Typer(
    rich_markup_mode=None,
    add_completion=False,
    help="What keeps the work going: status, limits, reset.",
    no_args_is_help=True,
)


@app.command("status", help="Who works, what is open, and what holds it back.")
def status(ctx: typer.Context) -> None:
    _print(desk_of(ctx))


@app.command(
    "limits",
    short_help="Limit what leaves, over all workers.",
    help="Limit what leaves, over all workers; from the next group on. Without an option, show the limits.",
)
def limits(
    ctx: typer.Context,
    per_second: float | None = typer.Option(
        None, "--mail-per-second", min=0, metavar="N", help="E-mails a second; 0 lifts the limit."
    ),
    at_once: int | None = typer.Option(
        None, "--batches-at-once", min=0, metavar="N", help="Batches of mail at once; 0 lifts the limit."
    ),
    domains: list[str] = typer.Option(
        [],
        "--domain",
        metavar="DOMAIN=N",
        help="E-mails a second to addresses of exactly this domain; may be repeated; =0 lifts the limit.",
    ),
) -> None:
    from incident.delivery.domains import read_limits
    from incident.ops.engine import NewLimits, change_limits
    from incident.store.journal import WORKSPACE_CHAIN

    desk = desk_of(ctx)
    new = NewLimits(per_second, at_once, read_limits(domains))
    if new.any:
        with desk.store.write(
            WORKSPACE_CHAIN, kind="limits.changed", actor=desk.actor, now=desk.now()
        ) as change:
            change_limits(change, new)
    _print(desk)


@app.command(
    "reset",
    short_help="Throw the queue's own state away; the work goes on.",
    help="Throw the queue's own state away; everything open goes on. For when the queue itself is in doubt.",
)
def reset(ctx: typer.Context) -> None:
    from incident.ops.engine import reset_engine

    desk = desk_of(ctx)
    done = reset_engine(desk.store, by=desk.actor, now=desk.now())
    queue = "the queue was made anew; " if done.queue else ""
    text = f"{queue}{done.ended} attempts under way were ended, {done.put} missing jobs were put; everything open goes on"
    desk.lines([text], document={"queue": done.queue, "ended": done.ended, "put": done.put})


def _print(desk: Desk) -> None:
    from incident.durable import overdue_jobs
    from incident.ops.engine import engine_state

    with desk.store.read() as session:
        state = engine_state(session)
        overdue = overdue_jobs(session, seconds=OVERDUE_SECONDS)
    lives = _somebody_works(desk)
    if desk.as_json:
        desk.document({"works": lives, "overdue": overdue, **_document(state)})
        return
    here = desk.store.engine.dialect.name
    if here == "sqlite":
        typer.echo("one worker is at work" if lives else "no worker is at work; commands work for themselves")
    else:
        rows = [
            (each.host, each.pid, each.slots, _seconds(each.running_for), _seconds(each.silent_for))
            for each in state.workers
        ]
        desk.table(("Host", "Process", "Slots", "Running for", "Last sign of life"), rows, title="Workers")
    for brake in state.brakes:
        typer.echo(f"brake on: {brake.name}, since {desk.show(brake.set_at)}, by {brake.set_by}")
    for rate in state.rates:
        typer.echo(f"limit: {rate.per_second:g} {rate.name} a second, {rate.burst:g} at once")
    for kind, at_once in state.at_once.items():
        typer.echo(f"limit: {at_once} jobs of {kind} at once")
    counts = [(each.kind, each.under_way, each.due, each.waiting, each.parked) for each in state.jobs]
    desk.table(("Job", "Under way", "Due", "Waiting", "Parked"), counts)


def _somebody_works(desk: Desk) -> bool:
    from incident.durable import somebody_works

    return somebody_works(desk.store, desk.paths, stale=desk.settings.engine.stale_seconds)


def _seconds(value: float) -> str:
    return f"{value:.0f} s"


def _document(state: EngineState) -> dict[str, Any]:
    return {
        "workers": [vars(each) for each in state.workers],
        "brakes": [{"name": each.name, "since": each.set_at, "by": each.set_by} for each in state.brakes],
        "limits": {
            "per_second": {each.name: each.per_second for each in state.rates},
            "at_once": dict(state.at_once),
        },
        "jobs": [vars(each) for each in state.jobs],
    }
