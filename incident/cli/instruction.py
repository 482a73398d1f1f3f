"""`incident instruction`: what an authority or headquarters ordered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from incident.cli.desk import Desk, desk_of
from incident.cli.hold import COVERS
from incident.cli.record import ID, read_time
from incident.errors import WrongUsage

if TYPE_CHECKING:
    from incident.ops.orders import Silence
    from incident.record.holds import HoldLine
    from incident.record.instructions import InstructionLine

GROUP = "instruction"
app = typer.Typer(
    rich_markup_mode=None,
    add_completion=False,
    help="Orders of authorities: add, list, settle.",
    no_args_is_help=True,
)
INSTRUCTION = typer.Argument(..., metavar="INSTRUCTION", help="The instruction, for example I1.")

_EFFECTS = {
    "en": {
        "hold": "silence",
        "require": "something is to be done",
        "deadline": "a deadline",
        "reopen": "a duty is owed again",
    },
    "zh-Hans": {
        "hold": "要求保密",
        "require": "要求办理事项",
        "deadline": "规定期限",
        "reopen": "恢复履行义务",
    },
}
_WORDS = {
    "en": {
        "recorded": "{label}: {effect}, by order of {from_} of {given}",
        "due": "due {due}",
        "settled": "{label} settled: {how}",
        "open": "open",
    },
    "zh-Hans": {
        "recorded": "{label}：{effect}，{from_}于 {given} 的指令",
        "due": "期限 {due}",
        "settled": "{label} 已办结：{how}",
        "open": "未办结",
    },
}


@app.command("add", help="Record an order, with what it does to duties and to what leaves.")
def add(
    ctx: typer.Context,
    incident_id: str = ID,
    text: str = typer.Argument(..., metavar="TEXT", help="What was ordered, in their words."),
    from_: str = typer.Option(..., "--from", metavar="WHO", help="Which authority or headquarters."),
    officer: str = typer.Option("", "--officer", metavar="NAME", help="Who there gave it."),
    at: str = typer.Option("now", "--at", metavar="TIME", help="When it was given."),
    effect: str = typer.Option(..., "--effect", help="hold, require, deadline or reopen."),
    duty: str | None = typer.Option(None, "--duty", metavar="DUTY", help="The duty that it is about."),
    due: str | None = typer.Option(None, "--due", metavar="TIME", help="By when, for example +4h."),
    until: str | None = typer.Option(None, "--until", metavar="TIME", help="With hold: until when."),
    covers: str | None = typer.Option(
        None, "--covers", help=f"With hold: people, public, selfcheck, chat, calendar ({COVERS})."
    ),
) -> None:
    from incident.cli.hold import hold_document, one_line
    from incident.cli.wording import duty_changes
    from incident.ops.orders import Order, record_order
    from incident.record.holds import hold_called
    from incident.record.instructions import OrderEffect, list_instructions, read_effect
    from incident.record.numbers import label_of

    desk = desk_of(ctx)
    wanted = read_effect(effect)
    if wanted is not OrderEffect.HOLD and (until is not None or covers is not None):
        raise WrongUsage("only the effect hold has an end and covers something", where="--until, --covers")
    order = Order(
        from_=from_,
        text=text,
        given_at=read_time(desk, at, option="--at", echo=False),
        effect=wanted,
        officer=officer,
        duty_id=duty,
        due_at=read_time(desk, due, option="--due", future=True, echo=False) if due else None,
        silence=(_silence(desk, from_, officer, text, until, covers) if wanted is OrderEffect.HOLD else None),
    )
    with desk.change(incident_id, kind="instruction.recorded") as change:
        row, hold, changes = record_order(desk.house, change, incident_id, order)
    placed: HoldLine | None = None
    with desk.store.read() as session:
        line = next(each for each in list_instructions(session, desk.store, incident_id) if each.id == row.id)
        if hold is not None:
            placed = hold_called(session, desk.store, incident_id, label_of(hold))
    lines = [_recorded(desk, line), *duty_changes(desk, changes)]
    document = {
        "incident": incident_id,
        **_document(line),
        "changes": [vars(each) for each in changes],
        "placed": hold_document(desk, placed) if placed is not None else None,
    }
    if placed is not None:
        lines.append(one_line(desk, placed))
    desk.lines(lines, document=document)


@app.command("list", help="The orders of an incident, also settled ones.")
def list_(ctx: typer.Context, incident_id: str = ID) -> None:
    from incident.record.instructions import list_instructions

    desk = desk_of(ctx)
    desk.must_be_readable(incident_id)
    with desk.store.read() as session:
        found = list_instructions(session, desk.store, incident_id)
    rows = [
        (
            each.label,
            each.from_ if not each.officer else f"{each.from_}\n{each.officer}",
            each.given_at,
            _EFFECTS[desk.language][each.effect],
            each.text if not each.duty_id else f"{each.text}\n{each.duty_id}",
            each.due_at,
            _WORDS[desk.language]["open"]
            if each.stands
            else f"{desk.show(each.settled_at)}\n{each.settled_how}",
        )
        for each in found
    ]
    document = {"incident": incident_id, "instructions": [_document(each) for each in found]}
    desk.table(("Order", "From", "Given", "Effect", "What", "Due", "Settled"), rows, document=document)


@app.command("settle", help="Say what became of an order; it changes no duty any more.")
def settle(
    ctx: typer.Context,
    incident_id: str = ID,
    label: str = INSTRUCTION,
    how: str = typer.Option(..., "--how", metavar="TEXT", help="What was done, or who took it back."),
) -> None:
    from incident.cli.wording import duty_changes
    from incident.ops.orders import end_order
    from incident.record.instructions import list_instructions

    desk = desk_of(ctx)
    with desk.change(incident_id, kind="instruction.settled") as change:
        row, changes = end_order(desk.house, change, incident_id, label, how=how)
    with desk.store.read() as session:
        line = next(each for each in list_instructions(session, desk.store, incident_id) if each.id == row.id)
    said = _WORDS[desk.language]["settled"].format(label=line.label, how=line.settled_how)
    document = {"incident": incident_id, **_document(line), "changes": [vars(each) for each in changes]}
    desk.lines([said, *duty_changes(desk, changes)], document=document)


def _silence(
    desk: Desk, from_: str, officer: str, text: str, until: str | None, covers: str | None
) -> Silence:
    from incident.ops.orders import Silence
    from incident.record.holds import read_covers

    if until is None:
        raise WrongUsage(
            "silence is asked for until a time", where="--until", next_step="for example --until +48h"
        )
    return Silence(
        by=from_,
        covers=read_covers(covers or COVERS),
        until=read_time(desk, until, option="--until", future=True, echo=False),
        officer=officer,
        reason=text,
    )


def _recorded(desk: Desk, line: InstructionLine) -> str:
    words = _WORDS[desk.language]
    said = words["recorded"].format(
        label=line.label,
        effect=_EFFECTS[desk.language][line.effect],
        from_=line.from_,
        given=desk.show(line.given_at),
    )
    return f"{said}; {words['due'].format(due=desk.show(line.due_at))}" if line.due_at else said


def _document(line: InstructionLine) -> dict[str, Any]:
    return {
        "instruction": line.label,
        "effect": str(line.effect),
        "from": line.from_,
        "officer": line.officer,
        "text": line.text,
        "duty": line.duty_id,
        "given_at": line.given_at,
        "due_at": line.due_at,
        "recorded_at": line.recorded_at,
        "recorded_by": line.recorded_by,
        "settled_at": line.settled_at,
        "settled_how": line.settled_how,
    }
