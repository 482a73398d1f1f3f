"""Playbooks at the terminal: run, runs, approve, reject, done, cancel."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, TypedDict

import typer

from incident.cli.desk import Desk, desk_of
from incident.cli.record import read_time
from incident.errors import WrongUsage

if TYPE_CHECKING:
    from incident.response.events import AskCase, AskCondition, AskOutcome
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
    dry_run: bool = typer.Option(
        False, "--dry-run", help="Show exactly what would be sent where; write nothing, send nothing."
    ),
) -> None:
    from incident.ops.house import start_playbook

    desk = desk_of(ctx)
    given = _named_values(variables, option="--var")
    if dry_run:
        _plan(desk, incident_id, playbook, given)
        return
    if not detach:
        must_be_able_to_work(desk)
    with desk.change(incident_id, kind="run.started") as change:
        run_id = start_playbook(desk.house, change, incident_id, playbook, given)
    desk.say(f"{run_id} started")
    if not detach:
        follow(desk, run_id)
    print_run(desk, run_id)


def _plan(desk: Desk, incident_id: str, playbook: str, given: dict[str, str]) -> None:
    """Print a dry run; exit 1 where something would be refused."""
    from incident.ops.house import plan_playbook
    from incident.response.plan_words import plan_document, plan_lines
    from incident.response.step_facts import Reader

    with desk.store.read() as session:
        plan, children = plan_playbook(desk.house, session, incident_id, playbook, given)
    reader = Reader(desk.language, children)
    desk.lines(
        plan_lines(plan, incident_id, reader, width=desk.width),
        document=plan_document(plan, incident_id, reader),
    )
    if plan.refused:
        raise typer.Exit(1)


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


@app.command("done", help="Answer a step that waits for a person, or say whether a call was carried out.")
def done(
    ctx: typer.Context,
    run_id: str = RUN,
    step: str = STEP,
    failed: bool = typer.Option(
        False,
        "--failed",
        help="It could not be done. Of a condition: it does not hold. Of a switch: no case does. Of a call: do not "
        "send it, go on as after a failure.",
    ),
    was_done: bool = typer.Option(
        False, "--was-done", help="Of a call nobody knows about: it was carried out."
    ),
    not_done: bool = typer.Option(
        False, "--not-done", help="Of such a call: it was not carried out; send it now."
    ),
    at: str | None = typer.Option(None, "--at", metavar="TIME", help="When it was done, if not just now."),
    case: str | None = typer.Option(
        None, "--case", metavar="NAME", help="Of a switch that asks: the case that holds."
    ),
    note: str = typer.Option("", "--note", help="What was done."),
    values: list[str] = typer.Option(
        [], "--value", metavar="NAME=VALUE", help="A value that the step asks for."
    ),
) -> None:
    from incident.response.deciding import answer_outcome, answer_question, asks_for_outcome
    from incident.response.events import CallOutcome

    desk = desk_of(ctx)
    if failed + was_done + not_done > 1:
        raise WrongUsage("--was-done, --not-done and --failed exclude each other", where=step)
    if case is not None and (failed or was_done or not_done):
        raise WrongUsage("--case stands alone", where=step)
    given = _named_values(values, option="--value")
    must_be_able_to_work(desk)
    when = read_time(desk, at, option="--at") if at else None
    answer: Answer = {"by": desk.actor, "values": given, "note": note, "at": when}
    if was_done or not_done or (failed and asks_for_outcome(desk.house, run_id, step)):
        found = CallOutcome.done if was_done else CallOutcome.not_done if not_done else CallOutcome.failed
        answer_outcome(desk.house, run_id, step, found, **answer)
    else:
        answer_question(desk.house, run_id, step, success=not failed, case=case, **answer)
    follow(desk, run_id)
    print_run(desk, run_id)


@app.command("cancel", help="Cancel a run.")
def cancel(
    ctx: typer.Context, run_id: str = RUN, reason: str = typer.Option("", "--reason", help="Why.")
) -> None:
    from incident.response.runner import cancel_run, run_named, short_name

    desk = desk_of(ctx)
    with desk.store.read() as session:
        incident_id = run_named(session, run_id).incident_id
    with desk.change(incident_id, kind="run.cancelled") as change:
        run = run_named(change.session, run_id)
        unknown = cancel_run(change, desk.store, run, by=desk.actor, reason=reason)
    for each in unknown:
        step = short_name(desk.store, run, each.row.step)
        desk.say(f"warning: nobody knows whether {step} was carried out; find out, and log it if it was")
        desk.say(f"  (incident log {incident_id} TEXT --at TIME --by WHO --measure ACTION)")
    print_run(desk, run_id)


class Answer(TypedDict):
    """What somebody says of a step, whatever it asked for."""

    by: str
    values: dict[str, str]
    note: str
    at: datetime | None


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
    from incident.record.decisions import signing_ahead
    from incident.response.deciding import decide_step

    signer = desk.signer()
    must_be_able_to_work(desk)
    missing = signing_ahead(
        signer, lambda signer: decide_step(desk.house, run_id, step, signer=signer, yes=yes, reason=reason)
    )
    if missing:
        desk.say(f"signed; {missing} more must sign")
    else:
        follow(desk, run_id)
    print_run(desk, run_id)


def must_be_able_to_work(desk: Desk) -> None:
    """Refuse before anything is written when this command would have to work and cannot."""
    from incident.ops.worker import Worker

    worker = Worker(desk.house)
    if not worker.somebody_works():
        worker.must_know_the_relays()
        worker.must_know_the_centre()


def follow(desk: Desk, run_id: str) -> None:
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
    from incident.record.numbers import label_of
    from incident.response.runner import RUNNING, open_effects, questions, short_name
    from incident.response.silence import hold_over

    if run.state != RUNNING:
        return []
    try:
        with desk.store.read() as session:
            asked = questions(session, desk.store, run)
            held = [
                (each, label_of(hold))
                for each in open_effects(session, desk.store, run)
                if (hold := hold_over(session, run.incident_id, each.effect)) is not None
            ]
        waits = [f"{short_name(desk.store, run, each.row.step)} ({_how(each)})" for each in asked]
        return [*waits, *_waiting_for_evidence(desk, run)] + [
            f"{short_name(desk.store, run, each.row.step)} (held back by {label})" for each, label in held
        ]
    except KeyMissing as error:
        return [error.what]


def _waiting_for_evidence(desk: Desk, run: Run) -> list[str]:
    from incident.response.evidence_first import WAITS, waits_for_evidence
    from incident.response.runner import open_effects, short_name

    with desk.store.read() as session:
        return [
            f"{short_name(desk.store, run, each.row.step)} ({WAITS})"
            for each in open_effects(session, desk.store, run)
            if waits_for_evidence(session, run.incident_id, each.effect)
        ]


def _how(asked: OpenEffect) -> str:
    from incident.response import events as e

    if isinstance(asked.effect, e.AskApproval):
        return f"approve, {asked.effect.quorum} people"
    if isinstance(asked.effect, e.AskCondition):
        return "does it hold?"
    if isinstance(asked.effect, e.AskCase):
        return f"which case? {', '.join(asked.effect.cases)}"
    return "was it carried out?" if isinstance(asked.effect, e.AskOutcome) else "done"


def print_run(desk: Desk, run_id: str) -> None:
    from incident.response.runner import RUNNING, questions, run_named

    with desk.store.read() as session:
        run = run_named(session, run_id)
        asked = questions(session, desk.store, run) if run.state == RUNNING else []
    document: dict[str, Any] = {**_run_document(run), "waits_for": []}
    lines = [f"{run.id}  {run.playbook} on {run.incident_id}: {run.state}"]
    for each in asked:
        told, waits_for = _question(desk, run, each)
        lines += told
        document["waits_for"].append(waits_for)
    if run.state == RUNNING:
        lines += [f"  {each}" for each in _waiting_for_evidence(desk, run)]
    desk.lines(lines, document=document)


def _question(desk: Desk, run: Run, asked: OpenEffect) -> tuple[list[str], dict[str, Any]]:
    """A question to people as lines, and as it stands in the document."""
    from incident.record.facts import in_language
    from incident.response import events as e
    from incident.response.runner import short_name

    effect = asked.effect
    name = short_name(desk.store, run, asked.row.step)
    verb = "approve" if isinstance(effect, e.AskApproval) else "done"
    wanted = [_bare(each) for each in effect.wanted] if isinstance(effect, e.AskPerson | e.AskOutcome) else []
    values = "".join(f" --value {each}=..." for each in wanted)
    how = f"incident --as NAME {verb} {run.id} {name}"
    document: dict[str, Any] = {"step": name, "command": verb, "values": wanted}
    lines = [f"  waits for people: {name}"]
    if isinstance(effect, e.AskOutcome):
        told, more = _outcome_question(desk, run, asked, effect, how=how, values=values)
        return lines + told, document | more
    if isinstance(effect, e.AskCondition | e.AskCase):
        told, more = _branching_question(desk, effect, how=how)
        return lines + told, document | more
    assert isinstance(effect, e.AskPerson | e.AskApproval)  # noqa: S101 - the other kinds that ask people
    text = in_language(effect.text, desk.language)
    return [*lines, f"    {text}", f"    → {how}{values}"], document | {"text": text}


def _branching_question(
    desk: Desk, effect: AskCondition | AskCase, *, how: str
) -> tuple[list[str], dict[str, Any]]:
    from incident.response.asking import case_in_words, condition_in_words
    from incident.response.events import AskCondition

    document: dict[str, Any]
    if isinstance(effect, AskCondition):
        words = condition_in_words(effect, desk.language)
        document = {"condition": effect.condition, "variables": effect.variables}
    else:
        words = case_in_words(effect, desk.language)
        document = {"switch": effect.switch, "value": effect.value, "cases": effect.cases}
    commands = {answer: f"{how} {answer}".rstrip() for answer in words.answers}
    lines = [f"    {line}" for line in (words.question, *words.known)]
    for answer, meaning in words.answers.items():
        lines += [f"    {meaning}", f"      → {commands[answer]}"]
    answers = {meaning: commands[answer] for answer, meaning in words.answers.items()}
    return lines, {"text": words.question, "reason": effect.reason, "answers": answers, **document}


def _outcome_question(
    desk: Desk, run: Run, asked: OpenEffect, effect: AskOutcome, *, how: str, values: str
) -> tuple[list[str], dict[str, Any]]:
    from incident.response.asking import outcome_in_words
    from incident.response.events import CallOutcome
    from incident.response.runner import is_out_of_time

    words = outcome_in_words(
        effect,
        desk.language,
        when=desk.show_exactly(effect.sent_at),
        late=is_out_of_time(desk.store, run, asked),
    )
    commands = {
        CallOutcome.done: f"{how} --was-done{values}",
        CallOutcome.not_done: f"{how} --not-done",
        CallOutcome.failed: f"{how} --failed",
    }
    lines = [f"    {line}" for line in (words.question, *words.known)]
    for outcome, meaning in words.answers.items():
        lines += [f"    {meaning}", f"      → {commands[outcome]}"]
    document = {
        "text": words.question,
        "request": effect.request,
        "sent_at": effect.sent_at,
        "why": effect.why,
        "answers": {outcome.value: commands[outcome] for outcome in commands},
    }
    return lines, document


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
