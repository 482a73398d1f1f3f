"""Orders beside the law: what an authority's instructions make of the duties. Pure: findings and orders in, findings out.

A deadline makes a duty due earlier, never later. A reopened duty is owed whatever exemption is shown, yet never where
the regime itself does not ask for it. What has no duty of the law to stand on is a line of its own, so that no order
is lost; it stands until somebody settles it.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, tzinfo

from incident.errors import NotFound
from incident.law.clocks import Urgency
from incident.law.findings import Duty, DutyState, Finding, Outcome, Recipient
from incident.law.grading import Confidence
from incident.law.reasons import NOTHING, Answer, Reason
from incident.law.regimes import DutyKind, Phase
from incident.record.facts import FrozenText
from incident.record.instructions import InstructionLine, OrderEffect

ORDERED = "instruction"
"""In the place of a regime: what is owed by order alone."""

_TITLE = FrozenText({"zh-Hans": "有关机关的指令", "en": "Instructions of authorities"})
_ON_A_DUTY = frozenset({OrderEffect.DEADLINE, OrderEffect.REOPEN})
_LONGEST_TITLE = 80


def reopened_by(orders: Iterable[InstructionLine]) -> frozenset[str]:
    """The duties that no exemption drops any more."""
    return frozenset(
        order.duty_id
        for order in orders
        if order.stands and order.effect is OrderEffect.REOPEN and order.duty_id
    )


def under_orders(
    findings: Sequence[Finding], orders: Sequence[InstructionLine], *, zone: tzinfo
) -> tuple[Finding, ...]:
    """The findings, with deadlines as ordered and a finding for what is owed by order alone.

    The duties named by `reopened_by` were evaluated without their exemptions. `zone` is for times that people read.
    """
    standing = {duty.id for finding in findings for duty in finding.duties if duty.is_standing}
    on_duties = [order for order in orders if order.stands and order.effect in _ON_A_DUTY]
    found = [
        replace(finding, duties=tuple(_ordered(duty, on_duties, zone) for duty in finding.duties))
        for finding in findings
    ]
    alone = [order for order in orders if _stands_alone(order, standing)]
    if alone:
        found.append(_finding(alone, zone))
    return tuple(found)


def own_line(order_label: str) -> str:
    """The id of the line of a duty that is owed by this order alone."""
    return f"{ORDERED}/{order_label}"


def must_know_duty(findings: Iterable[Finding], duty_id: str) -> Duty:
    """A duty by its id. Raises `NotFound` with the nearest names."""
    known = {duty.id: duty for finding in findings for duty in finding.duties if finding.regime != ORDERED}
    if duty_id in known:
        return known[duty_id]
    near = difflib.get_close_matches(duty_id, known, n=3, cutoff=0.4)
    raise NotFound(
        f"there is no duty {duty_id}",
        where="--duty",
        next_step=f"nearest: {', '.join(near)}" if near else "`incident duties ID --all` lists them",
    )


def _ordered(duty: Duty, orders: Sequence[InstructionLine], zone: tzinfo) -> Duty:
    for order in orders:
        if order.duty_id == duty.id and duty.is_standing:
            duty = _under(duty, order, zone)
    return duty


def _under(duty: Duty, order: InstructionLine, zone: tzinfo) -> Duty:
    earlier = order.due_at is not None and (duty.due_at is None or order.due_at < duty.due_at)
    if order.effect is OrderEffect.DEADLINE and not earlier:
        return duty
    said = by_instruction(order, zone)
    due_at = order.due_at if earlier else duty.due_at
    return replace(duty, due_at=due_at, ordered=said, why=Reason(Answer.met, said, parts=(duty.why,)))


def _stands_alone(order: InstructionLine, standing: set[str]) -> bool:
    if order.effect is OrderEffect.REQUIRE or (
        order.effect is OrderEffect.DEADLINE and order.duty_id is None
    ):
        return True
    return order.stands and order.effect in _ON_A_DUTY and order.duty_id not in standing


def _finding(orders: Sequence[InstructionLine], zone: tzinfo) -> Finding:
    why = Reason(Answer.met, _TITLE)
    return Finding(
        regime=ORDERED,
        title=_TITLE,
        country="",
        outcome=Outcome.met,
        why=why,
        duties=tuple(_duty(order, zone) for order in orders),
        confidence=Confidence.verified,
        is_reviewed=True,
        source="",
    )


def _duty(order: InstructionLine, zone: tzinfo) -> Duty:
    said = by_instruction(order, zone)
    return Duty(
        id=own_line(order.label),
        regime=ORDERED,
        title=_shortened(order),
        kind=DutyKind.follow_order,
        phase=Phase.initial,
        state=DutyState.owed,
        why=Reason(Answer.met, said),
        recipients=(Recipient(ORDERED, FrozenText({"zh-Hans": order.from_, "en": order.from_})),),
        path=order.label,
        article=order.label,
        urgency=Urgency.within if order.due_at is not None else Urgency.promptly,
        within=None,
        anchor_field=None,
        anchor_at=order.given_at,
        due_at=order.due_at,
        waits_for=NOTHING,
        assumed=False,
        settled_by=NOTHING,
        branches=(),
        exemptions=(),
        elements=(),
        items=(),
        minimum=(),
        item_articles=(),
        extra_fields=(),
        late_fields=(),
        channels=(),
        report_points=(),
        form=None,
        needs_first=None,
        confidence=Confidence.verified,
        is_reviewed=True,
        ordered=said,
    )


def by_instruction(order: InstructionLine, zone: tzinfo) -> FrozenText:
    """Whose order it is, and of when, in each language."""
    given = _moment(order.given_at, zone)
    return FrozenText(
        {
            "zh-Hans": f"依据{order.from_}于 {given} 作出的指令（{order.label}）",
            "en": f"by instruction of {order.from_} of {given} ({order.label})",
        }
    )


def _shortened(order: InstructionLine) -> FrozenText:
    line = " ".join(order.text.split())
    text = line if len(line) <= _LONGEST_TITLE else f"{line[:_LONGEST_TITLE]}…"
    name = f"{text} ({order.duty_id})" if order.duty_id else text
    return FrozenText({"zh-Hans": name, "en": name})


def _moment(at: datetime, zone: tzinfo) -> str:
    return f"{at.astimezone(zone):%Y-%m-%d %H:%M %z}"
