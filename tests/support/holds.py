"""Holds and instructions in tests: placed, extended, accepted and lifted as the commands do it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from incident.ops.orders import Order, Silence, end_order, hold_back, let_go_on, record_order
from incident.record.holds import (
    Cover,
    HoldLine,
    accept_hold,
    extend_hold,
    list_holds,
)
from incident.record.instructions import InstructionLine, OrderEffect, list_instructions
from incident.record.numbers import label_of
from tests.support.breaches import Breach

ALL = tuple(Cover)


def hold(breach: Breach, *covers: Cover, hours: float = 48, by: str = "police", **more: str) -> str:
    """Place a hold; returns its label."""
    made, until = breach.made, breach.made.clock() + timedelta(hours=hours)
    silence = Silence(by=by, covers=covers or ALL, until=until, **more)
    with made.store.write(breach.id, kind="hold.placed", actor="ana", now=made.clock()) as change:
        return label_of(hold_back(breach.house, change, breach.id, silence))


def extend(breach: Breach, label: str, *, hours: float) -> None:
    """Let a hold last for so many hours from now."""
    made, until = breach.made, breach.made.clock() + timedelta(hours=hours)
    with made.store.write(breach.id, kind="hold.extended", actor="ana", now=made.clock()) as change:
        extend_hold(change, made.store, breach.id, label, until=until)


def accept(breach: Breach, label: str, *, name: str = "bo", drill: bool = False) -> None:
    """Sign for a hold's risk."""
    made, signer = breach.made, breach.signers[name]
    with made.store.write(breach.id, kind="hold.accepted", actor=name, now=made.clock()) as change:
        accept_hold(change, made.store, breach.id, label, signer=signer, drill=drill)


def lift(
    breach: Breach, label: str, *, name: str = "bo", reason: str = "the police agreed"
) -> tuple[Cover, ...]:
    """Lift a hold; returns what may go out now."""
    made, signer = breach.made, breach.signers[name]
    with made.store.write(breach.id, kind="hold.lifted", actor=name, now=made.clock()) as change:
        return let_go_on(breach.house, change, breach.id, label, signer=signer, reason=reason)[1]


def holds(breach: Breach) -> dict[str, HoldLine]:
    """All holds by their labels."""
    with breach.made.store.read() as session:
        return {each.label: each for each in list_holds(session, breach.made.store, breach.id)}


def order(breach: Breach, effect: OrderEffect, **more: Any) -> str:
    """Record an instruction of the authority; returns its label."""
    made = breach.made
    words = {"from_": "CAC", "text": "as we said", "given_at": made.clock(), **more}
    with made.store.write(breach.id, kind="instruction.recorded", actor="ana", now=made.clock()) as change:
        return label_of(record_order(breach.house, change, breach.id, Order(effect=effect, **words))[0])


def settle(breach: Breach, label: str, *, how: str = "done by post") -> None:
    """Settle an instruction."""
    made = breach.made
    with made.store.write(breach.id, kind="instruction.settled", actor="ana", now=made.clock()) as change:
        end_order(breach.house, change, breach.id, label, how=how)


def orders(breach: Breach) -> dict[str, InstructionLine]:
    """All instructions by their labels."""
    with breach.made.store.read() as session:
        return {each.label: each for each in list_instructions(session, breach.made.store, breach.id)}
