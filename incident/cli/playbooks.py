"""Playbooks at the terminal: run, runs, approve, reject, done, cancel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from incident.cli.desk import Desk, desk_of
from incident.cli.record import read_time
from incident.errors import WrongUsage

if TYPE_CHECKING:
    from incident.response.runner import OpenEffect
    from incident.store.tables import Run

app = typer.Typer(rich_markup_mode=None, add_completion=False)
RUN = typer.Argument(..., metavar="RUN", help="The run, for example RUN-2026-0001-1.")
STEP = typer.Argument(..., metavar="STEP", help="The step, by its short name.")


@app.command("run", help="Run a playbook on an incident.")
def run(
    ctx: typer.Context,
    playbook: str = typer.Argument(..., metavar="PLAYBOOK"),
    incident_id: str = typer.Option(..., "--on", metavar="ID", help="The incident."),
    detach: bool = typer.Option(False, "--detach", help="Only start it; a worker does the rest."),
    variables: list[str] = typer.Option(
        [], "--var", metavar="NAME=VALUE", help="A value for the playbook; may be repeated."
    ),
) -> None:
    from incident.ops.house import start_playbook

    desk = desk_of(ctx)
    given = _named_values(variables, option="--var")
    if not detach:
        _must_be_able_to_work(desk)
    with desk.change(incident_id, kind="run.started") as change:
        run_id = start_playbook(desk.house, change, incident_id, playbook, given)
    desk.say(f"{run_id} started")
    if not detach:
        _follow(desk, run_id)
    _print_run(desk, run_id)


@app.command("runs", help="List runs and what they wait for.")
def runs(
    ctx: typer.Context,
    incident_id: str | None = typer.Argument(None, metavar="[ID]", help="Of one incident only."),
) -> None:
    from incident.record.incidents import must_exist
    from incident.response.runner import runs_of

    desk = desk_of(ctx)
    with desk.store.read() as session:
        if incident_id is not None:
            must_exist(session, incident_id)
        found = runs_of(session, incident_id)
    rows, documents = [], []
    for each in found:
        waits = _waits(desk, each)
        rows.append(
            (
                each.id,
                each.incident_id,
                each.playbook,
                each.state,
                each.started_at,
                each.ended_at,
                "\n".join(waits),
            )
        )
        documents.append({**_run_document(each), "waits_for": waits})
    columns = ("Run", "Incident", "Playbook", "State", "Started", "Ended", "Waits for")
    desk.table(columns, rows, document=documents)


@app.command("approve", help="Approve a step of a run (signed).")
def approve(
    ctx: typer.Context,
    run_id: str = RUN,
    step: str = STEP,
    reason: str = typer.Option("", "--reason", help="Why."),
) -> None:
    _decide(desk_of(ctx), run_id, step, yes=True, reason=reason)


@app.command("reject", help="Reject a step of a run (signed).")
def reject(
    ctx: typer.Context,
    run_id: str = RUN,
    step: str = STEP,
    reason: str = typer.Option("", "--reason", help="Why."),
) -> None:
    _decide(desk_of(ctx), run_id, step, yes=False, reason=reason)


@app.command("done", help="Answer a step that a person carried out.")
def done(
    ctx: typer.Context,
    run_id: str = RUN,
    step: str = STEP,
    failed: bool = typer.Option(False, "--failed", help="It could not be done."),
    at: str | None = typer.Option(None, "--at", metavar="TIME", help="When it was done, if not just now."),
    note: str = typer.Option("", "--note", help="What was done."),
    values: list[str] = typer.Option(
        [], "--value", metavar="NAME=VALUE", help="A value that the step asks for."
    ),
) -> None:
    from incident.response.deciding import answer_question

    desk = desk_of(ctx)
    given = _named_values(values, option="--value")
    _must_be_able_to_work(desk)
    answer_question(
        desk.house,
        run_id,
        step,
        success=not failed,
        by=desk.actor,
        values=given,
        note=note,
        at=read_time(desk, at, option="--at") if at else None,
    )
    _follow(desk, run_id)
    _print_run(desk, run_id)


@app.command("cancel", help="Cancel a run.")
def cancel(
    ctx: typer.Context, run_id: str = RUN, reason: str = typer.Option("", "--reason", help="Why.")
) -> None:
    from incident.response.runner import cancel_run, run_named

    desk = desk_of(ctx)
    with desk.store.read() as session:
        incident_id = run_named(session, run_id).incident_id
    with desk.change(incident_id, kind="run.cancelled") as change:
        cancel_run(change, desk.store, run_named(change.session, run_id), by=desk.actor, reason=reason)
    _print_run(desk, run_id)


def _named_values(words: list[str], *, option: str) -> dict[str, str]:
    """Values by the names of playbook variables, whose underscores need not be typed. Raises `WrongUsage`."""
    given = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals:
            raise WrongUsage(f"{word!r} is no NAME=VALUE", where=option)
        given[name if name.startswith("__") else f"__{name}__"] = value
    return given


def _decide(desk: Desk, run_id: str, step: str, *, yes: bool, reason: str) -> None:
    from incident.response.deciding import decide_step

    signer = desk.signer()
    _must_be_able_to_work(desk)
    missing = decide_step(desk.house, run_id, step, signer=signer, yes=yes, reason=reason)
    if missing:
        desk.say(f"signed; {missing} more must sign")
    else:
        _follow(desk, run_id)
    _print_run(desk, run_id)


def _must_be_able_to_work(desk: Desk) -> None:
    """Refuse before anything is written when this command would have to work and cannot."""
    from incident.ops.worker import Worker

    worker = Worker(desk.house)
    if not worker.somebody_works():
        worker.must_know_the_relay()


def _follow(desk: Desk, run_id: str) -> None:
    """Work until the run ends or waits for people; tell each step as it happens."""
    from incident.durable import open_jobs
    from incident.ops.worker import Worker
    from incident.record.facts import in_language
    from incident.response import events as e
    from incident.response.runner import run_named

    def told(which: str, effect: e.Effect, result: str) -> None:
        title = in_language(effect.title, desk.language) if hasattr(effect, "title") else effect.kind
        desk.say(f"  {which}  {title}: {result or 'done'}")

    with desk.store.read() as session:
        incident_id = run_named(session, run_id).incident_id

    def settled() -> bool:
        with desk.store.read() as session:
            return open_jobs(session, incident_id=incident_id) == 0

    Worker(desk.house, on_step=told).work_until(settled)


def _waits(desk: Desk, run: Run) -> list[str]:
    from incident.errors import KeyMissing
    from incident.response.runner import RUNNING, questions, short_name

    if run.state != RUNNING:
        return []
    try:
        with desk.store.read() as session:
            asked = questions(session, desk.store, run)
        return [f"{short_name(desk.store, run, each.row.step)} ({_how(each)})" for each in asked]
    except KeyMissing as error:
        return [error.what]


def _how(asked: OpenEffect) -> str:
    from incident.response import events as e

    if isinstance(asked.effect, e.AskApproval):
        return f"approve, {asked.effect.quorum} people"
    return "done"


def _print_run(desk: Desk, run_id: str) -> None:
    from incident.record.facts import in_language
    from incident.response import events as e
    from incident.response.runner import RUNNING, questions, run_named, short_name

    with desk.store.read() as session:
        run = run_named(session, run_id)
        asked = questions(session, desk.store, run) if run.state == RUNNING else []
    document: dict[str, Any] = {**_run_document(run), "waits_for": []}
    lines = [f"{run.id}  {run.playbook} on {run.incident_id}: {run.state}"]
    for each in asked:
        name = short_name(desk.store, run, each.row.step)
        verb = "approve" if isinstance(each.effect, e.AskApproval) else "done"
        if isinstance(each.effect, e.AskPerson | e.AskApproval):
            text = in_language(each.effect.text, desk.language)
        else:
            text = each.effect.reason if isinstance(each.effect, e.AskCondition) else ""
        wanted = [_bare(each) for each in each.effect.wanted] if isinstance(each.effect, e.AskPerson) else []
        values = "".join(f" --value {each}=..." for each in wanted)
        how = f"incident --as NAME {verb} {run.id} {name}{values}"
        lines += [f"  waits for people: {name}", f"    {text}", f"    → {how}"]
        document["waits_for"].append({"step": name, "command": verb, "text": text, "values": wanted})
    desk.lines(lines, document=document)


def _bare(variable: str) -> str:
    """A variable as people type it, without CACAO's underscores."""
    return variable.removeprefix("__").removesuffix("__")


def _run_document(run: Run) -> dict[str, Any]:
    return {
        "run": run.id,
        "incident": run.incident_id,
        "playbook": run.playbook,
        "state": run.state,
        "started_at": run.started_at,
        "ended_at": run.ended_at,
    }
