"""Holds and instructions with all that follows from them: conflicts, duties, and the work that waited.

Each is one transaction of the caller: a hold and its brakes, an order and the duties as it leaves them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session, col, func, select

from incident.delivery.pausing import put_sending_again
from incident.delivery.states import DeliveryState
from incident.duties.evaluating import DutyChange, meet_duty, settled_duties
from incident.duties.orders import must_know_duty, own_line
from incident.law.findings import Finding
from incident.law.regimes import DutyKind
from incident.ops.house import evaluate
from incident.record.decisions import Signer
from incident.record.dossier import dossier_in
from incident.record.holds import Conflict, Cover, lift_hold, place_hold
from incident.record.instructions import OrderEffect, put_instruction, settle_instruction
from incident.record.numbers import label_of
from incident.response.housework import House
from incident.response.runner import poke_runs
from incident.store.change import Change
from incident.store.tables import Delivery, Hold, Instruction, PublicNotice

_COLON = {"en": ": ", "zh-Hans": "："}
_WORDS_TO_PEOPLE = frozenset({Cover.PEOPLE, Cover.PUBLIC})


@dataclass(frozen=True)
class Silence:
    """What is asked for: who wants what held back until when, and on what paper."""

    by: str
    covers: tuple[Cover, ...]
    until: datetime
    officer: str = ""
    paper: str = ""
    reason: str = ""


@dataclass(frozen=True)
class Order:
    """What was ordered: by whom, when, and what it does. `silence` goes with the effect `hold`."""

    from_: str
    text: str
    given_at: datetime
    effect: OrderEffect
    officer: str = ""
    duty_id: str | None = None
    due_at: datetime | None = None
    silence: Silence | None = None


@dataclass(frozen=True)
class AlreadyOut:
    """What had left before a hold, and is not called back: people told, and pages published."""

    people: int
    pages: int


def hold_back(house: House, change: Change, incident_id: str, silence: Silence) -> Hold:
    """Place a hold, with the duties that it conflicts with as the record stands. Raises as `place_hold`."""
    dossier = dossier_in(change.session, house.store, incident_id)
    met = settled_duties(change.session, incident_id)
    return place_hold(
        change,
        house.store,
        incident_id,
        covers=silence.covers,
        by=silence.by,
        officer=silence.officer,
        paper=silence.paper,
        reason=silence.reason,
        until=silence.until,
        conflicts=conflicts(house.findings(dossier), silence.covers, met=met),
    )


def let_go_on(
    house: House, change: Change, incident_id: str, label: str, *, signer: Signer, reason: str
) -> tuple[Hold, tuple[Cover, ...]]:
    """Lift a hold and put again what waited for it; returns what nothing holds back any more. Raises as `lift_hold`."""
    row, freed = lift_hold(
        change, house.store, incident_id, label, signer=signer, drill=house.drill, reason=reason
    )
    put_sending_again(change.session, incident_id)
    poke_runs(change.session, incident_id)
    return row, freed


def record_order(
    house: House, change: Change, incident_id: str, order: Order
) -> tuple[Instruction, Hold | None, list[DutyChange]]:
    """Record an instruction with what it does: the hold that it places, the duties as it leaves them.

    Raises `NotFound` for a duty that is none, naming the nearest, and as `put_instruction` and `place_hold`.
    """
    if order.duty_id is not None:
        must_know_duty(house.findings(dossier_in(change.session, house.store, incident_id)), order.duty_id)
    hold = hold_back(house, change, incident_id, order.silence) if order.silence is not None else None
    row = put_instruction(
        change,
        house.store,
        incident_id,
        effect=order.effect,
        from_=order.from_,
        officer=order.officer,
        text=order.text,
        given_at=order.given_at,
        duty_id=order.duty_id,
        due_at=order.due_at,
        hold=hold,
    )
    return row, hold, evaluate(house, change, incident_id)


def end_order(
    house: House, change: Change, incident_id: str, label: str, *, how: str
) -> tuple[Instruction, list[DutyChange]]:
    """Settle an instruction; a line that it had among the duties is met. Raises as `settle_instruction`."""
    row = settle_instruction(change, house.store, incident_id, label, how=how)
    meet_duty(change, house.store, incident_id, own_line(label_of(row)), at=change.at, how=how)
    return row, evaluate(house, change, incident_id)


def conflicts(
    findings: Iterable[Finding], covers: Sequence[Cover], *, met: frozenset[str]
) -> tuple[Conflict, ...]:
    """The duties to tell people that stand and are not met, where words to people or the public are held back."""
    if _WORDS_TO_PEOPLE.isdisjoint(covers):
        return ()
    return tuple(
        Conflict(
            duty.id,
            duty.article,
            {
                language: f"{finding.title[language]}{_COLON[language]}{title}"
                for language, title in duty.title.items()
            },
        )
        for finding in findings
        for duty in finding.duties
        if duty.kind is DutyKind.notify_people and duty.is_standing and duty.id not in met
    )


def duties_that_go_on(session: Session, incident_id: str, findings: Iterable[Finding]) -> list[str]:
    """The duties to authorities that stand open: no hold stops them."""
    met = settled_duties(session, incident_id)
    return [
        duty.id
        for finding in findings
        for duty in finding.duties
        if duty.kind is not DutyKind.notify_people and duty.is_standing and duty.id not in met
    ]


def already_out(session: Session, incident_id: str) -> AlreadyOut:
    """What has left the house already."""
    told = select(func.count(col(Delivery.person_id).distinct())).where(
        Delivery.incident_id == incident_id,
        col(Delivery.principal),
        Delivery.state == DeliveryState.ACCEPTED,
    )
    pages = select(func.count()).where(PublicNotice.incident_id == incident_id)
    return AlreadyOut(session.exec(told).one(), session.exec(pages).one())
