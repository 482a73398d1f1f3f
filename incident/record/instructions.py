"""Instructions: what an authority or headquarters ordered, and what became of it.

An order changes what is owed: `incident.duties.orders` reads it beside the law. Here are the rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlmodel import Session, col, select

from incident.errors import BadInput, Refused
from incident.record.incidents import must_be_open, must_have_happened
from incident.record.numbers import LETTERS, label_of, next_number, row_called
from incident.store.change import Change, row_image
from incident.store.store import Store
from incident.store.tables import Hold, Instruction


class OrderEffect(StrEnum):
    """What an order does.

    hold      silence: it places a hold
    require   something is to be done, and stands open until it is settled
    deadline  a duty is due earlier than the law says; without a duty the order is a line of its own
    reopen    a duty that an exemption dropped is owed all the same
    """

    HOLD = "hold"
    REQUIRE = "require"
    DEADLINE = "deadline"
    REOPEN = "reopen"


@dataclass(frozen=True)
class InstructionLine:
    """An order as listed; `from_` is who gave it."""

    id: str
    label: str
    effect: OrderEffect
    from_: str
    officer: str
    text: str
    duty_id: str | None
    hold_id: str | None
    given_at: datetime
    due_at: datetime | None
    recorded_at: datetime
    recorded_by: str
    settled_at: datetime | None
    settled_how: str

    @property
    def stands(self) -> bool:
        return self.settled_at is None


def read_effect(text: str) -> OrderEffect:
    """The effect that a person named. Raises `BadInput`."""
    try:
        return OrderEffect(text.strip().lower())
    except ValueError:
        raise BadInput(
            f"{text!r} is no effect of an instruction", where="--effect", next_step=", ".join(OrderEffect)
        ) from None


def put_instruction(
    change: Change,
    store: Store,
    incident_id: str,
    *,
    effect: OrderEffect,
    from_: str,
    officer: str = "",
    text: str,
    given_at: datetime,
    duty_id: str | None = None,
    due_at: datetime | None = None,
    hold: Hold | None = None,
) -> Instruction:
    """Record an order within a change. Whether the duty exists is the caller's to know.

    Raises `BadInput` for what does not fit together, `Refused` for an order that is still to come, and as
    `must_be_open`.
    """
    must_be_open(change.session, incident_id)
    must_have_happened(given_at, now=change.at)
    _must_fit(effect, from_=from_, text=text, given_at=given_at, duty_id=duty_id, due_at=due_at, hold=hold)
    row = Instruction(
        id=store.new_id(),
        incident_id=incident_id,
        number=next_number(change.session, Instruction, incident_id),
        effect=effect,
        duty_id=duty_id,
        hold_id=hold.id if hold is not None else None,
        given_at=given_at,
        recorded_at=change.at,
        recorded_by=change.actor,
        due_at=due_at,
    )
    change.put(row, {"from": from_.strip(), "officer": officer, "text": text.strip(), "settled_how": ""})
    return row


def settle_instruction(
    change: Change, store: Store, incident_id: str, label: str, *, how: str
) -> Instruction:
    """Record what became of an order: from then on it changes nothing that is owed.

    Raises `NotFound`, `BadInput` without words, `Refused` for one that was settled, or whose hold still stands.
    """
    row = row_called(change.session, Instruction, incident_id, label)
    name = label_of(row)
    if row.settled_at is not None:
        raise Refused(
            f"{name} was settled already",
            where=incident_id,
            next_step=f"`incident instruction list {incident_id}` says how",
        )
    if not how.strip():
        raise BadInput("say how it was settled", where="--how", next_step="what was done, and when")
    hold = change.session.get(Hold, row.hold_id) if row.hold_id else None
    if hold is not None and hold.lifted_at is None:
        raise Refused(
            f"{name} asked for silence, and {label_of(hold)} still stands",
            where=incident_id,
            next_step=f"lift it first (signed): `incident hold lift {incident_id} {label_of(hold)}`",
        )
    row.settled_at = change.at
    change.put(row, {**store.open(row, incident_id=incident_id), "settled_how": how.strip()})
    return row


def list_instructions(session: Session, store: Store, incident_id: str) -> list[InstructionLine]:
    """All orders of an incident, also settled ones, in the order in which they were recorded."""
    rows = session.exec(
        select(Instruction).where(Instruction.incident_id == incident_id).order_by(col(Instruction.number))
    ).all()
    return [_line(store, row) for row in rows]


def _line(store: Store, row: Instruction) -> InstructionLine:
    return instruction_of({**row_image(row), "content": store.open(row, incident_id=row.incident_id)})


def instruction_of(image: Mapping[str, Any]) -> InstructionLine:
    """An order from a row's image as the journal keeps it."""
    content = image["content"]
    return InstructionLine(
        id=image["id"],
        label=f"{LETTERS['instruction']}{image['number']}",
        effect=OrderEffect(image["effect"]),
        from_=content["from"],
        officer=content["officer"],
        text=content["text"],
        duty_id=image["duty_id"],
        hold_id=image["hold_id"],
        given_at=datetime.fromisoformat(image["given_at"]),
        due_at=_time(image["due_at"]),
        recorded_at=datetime.fromisoformat(image["recorded_at"]),
        recorded_by=image["recorded_by"],
        settled_at=_time(image["settled_at"]),
        settled_how=content["settled_how"],
    )


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _must_fit(
    effect: OrderEffect,
    *,
    from_: str,
    text: str,
    given_at: datetime,
    duty_id: str | None,
    due_at: datetime | None,
    hold: Hold | None,
) -> None:
    if not from_.strip():
        raise BadInput("an instruction names who gave it", where="--from", next_step="for example --from CAC")
    if not text.strip():
        raise BadInput("an instruction says what was ordered", where="TEXT", next_step="give its words")
    if due_at is not None and due_at <= given_at:
        raise BadInput(
            "an order is due after it was given", where="--due", next_step="check --due against --at"
        )
    if effect is OrderEffect.DEADLINE and due_at is None:
        raise BadInput("a deadline has a time", where="--due", next_step="for example --due +4h")
    if effect is OrderEffect.REOPEN and duty_id is None:
        raise BadInput(
            "what is reopened must be named",
            where="--duty",
            next_step="`incident duties ID --all` lists them",
        )
    if effect in (OrderEffect.HOLD, OrderEffect.REQUIRE) and duty_id is not None:
        raise BadInput(
            f"the effect {effect} names no duty",
            where="--duty",
            next_step="use the effect deadline or reopen",
        )
    if (effect is OrderEffect.HOLD) != (hold is not None):
        raise BadInput(
            "silence is asked for by the effect hold, until a time and over something",
            where="--until, --covers",
            next_step="give them with --effect hold, and only there",
        )
