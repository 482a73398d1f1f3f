"""`incident ask` and `incident answer`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import typer

from incident.cli.desk import Desk, desk_of
from incident.cli.questions import SURE, WORDS, Questions, as_json, possible_values, shown_value
from incident.cli.record import ID, read_certainty, read_time, read_value
from incident.cli.wording import duty_changes
from incident.errors import WrongUsage

if TYPE_CHECKING:
    from incident.record.facts import Fact, Field

app = typer.Typer(rich_markup_mode=None, add_completion=False)

_SHOWN = 8


@app.command("ask", help="The questions that decide the most, in order, and who can answer.")
def ask(
    ctx: typer.Context,
    incident_id: str = ID,
    everything: bool = typer.Option(False, "--all", help="Show every open question."),
) -> None:
    from incident.cli.containment import running_lines

    desk = desk_of(ctx)
    questions = Questions(desk, incident_id)
    unanswered = questions.unanswered
    shown = unanswered if everything else unanswered[:_SHOWN]
    left = len(unanswered) - len(shown)
    words = WORDS[desk.language]
    lines = [words["head" if questions.asked else "none"].format(id=incident_id, count=len(questions.asked))]
    for each in shown:
        lines += ["", *questions.lines(each)]
    if left:
        lines += ["", words["more"].format(count=left, id=incident_id)]
    if questions.nobody_knows:
        lines += ["", words["nobody"], *map(questions.unknown_line, questions.nobody_knows)]
    if running := running_lines(desk, incident_id):
        lines += ["", *running]
    document = {
        "incident": incident_id,
        "at": desk.now(),
        "open": len(questions.asked),
        "left": left,
        "questions": [questions.document(each) for each in (*shown, *questions.nobody_knows)],
    }
    desk.lines(lines, document=document)


@app.command("answer", help="Answer a question; “unknown” is an answer too.")
def answer(
    ctx: typer.Context,
    incident_id: str = ID,
    question: str = typer.Argument(..., metavar="QUESTION", help="Its field, or its number in the list."),
    value: list[str] = typer.Argument(
        None, metavar="VALUE", help="The answer, or unknown; asked for at a terminal."
    ),
    said_by: str = typer.Option("", "--said-by", help="Who said it."),
    source: str = typer.Option("", "--source", help="Where it comes from."),
    sure: str = typer.Option("claimed", "--sure", help="confirmed, likely, claimed or assumed."),
    known_at: str | None = typer.Option(None, "--known-at", metavar="TIME", help="Since when it is known."),
) -> None:
    from incident.duties.asking import answer_question, asked_for
    from incident.ops.house import evaluate
    from incident.record.facts import Fact

    desk = desk_of(ctx)
    certainty = read_certainty(sure)
    since = read_time(desk, known_at, option="--known-at") if known_at else desk.now()
    desk.must_be_readable(incident_id)
    # A number is what the list says now; a field needs no list.
    field = asked_for(question, Questions(desk, incident_id).asked if question.isdecimal() else ())
    given = " ".join(value) if value else _typed(desk, incident_id, field)
    fact = Fact(
        field.name,
        read_value(desk, field, given, echo=False),
        said_by or desk.actor,
        source,
        certainty,
        since,
    )
    with desk.change(incident_id, kind="facts.set") as change:
        answer_question(desk.store, change, incident_id, fact, zone=desk.zone)
        changes = evaluate(desk.house, change, incident_id)
    questions = Questions(desk, incident_id)
    is_open = any(each.name == field.name for each in questions.asked)
    follows = next((each for each in questions.unanswered if each.name != field.name), None)
    desk.lines(
        [
            f"{field.question[desk.language]} [{field.name}]",
            *_recorded(desk, field, fact, is_open=is_open),
            *(duty_changes(desk, changes) or [WORDS[desk.language]["unchanged"]]),
            *(["", *questions.as_next(follows)] if follows is not None else []),
        ],
        document={
            "incident": incident_id,
            "field": field.name,
            "question": dict(field.question),
            "answer": as_json(fact.value),
            "said_by": fact.said_by,
            "sure": fact.sure,
            "known_at": fact.known_at,
            "still_open": is_open,
            "changes": [
                {"duty": each.duty_id, "change": each.kind, "due_at": each.after} for each in changes
            ],
            "next": questions.document(follows) if follows is not None else None,
        },
    )


def _recorded(desk: Desk, field: Field, fact: Fact, *, is_open: bool) -> list[str]:
    words = WORDS[desk.language]
    if fact.value is None:
        return [words["unknown"].format(who=fact.said_by)]
    shown = shown_value(desk, field, fact.value)
    sure = SURE[fact.sure][desk.language]
    lines = [words["recorded"].format(value=shown, sure=sure, who=fact.said_by)]
    return [*lines, words["open_still"].format(value=shown)] if is_open else lines


def _typed(desk: Desk, incident_id: str, field: Field) -> str:
    """The answer as a person types it at the terminal. Raises `WrongUsage` where nobody sits there."""
    if sys.stdin.isatty():
        desk.say(f"{field.question[desk.language]} [{field.name}]")
        desk.say(f"  {possible_values(desk, field)}")
        if typed := sys.stdin.readline().strip():
            return typed
    raise WrongUsage(
        f"no answer was given to {field.name}",
        next_step=f"incident answer {incident_id} {field.name} VALUE, where VALUE is {possible_values(desk, field)}",
    )
