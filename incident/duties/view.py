"""Duties as people read them: the clocks that run, on top what must be done at once, with the time that passed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from incident.duties.evaluating import MET
from incident.duties.meeting import MetLine
from incident.duties.waivers import WAIVED, WaiverLine
from incident.law.clocks import Urgency
from incident.law.findings import Duty, DutyState, Finding
from incident.law.grading import Confidence
from incident.law.regimes import DutyKind, Phase
from incident.settings import Settings
from incident.store.tables import DutyRow


class DutyStatus(StrEnum):
    """How a duty stands, as people see it. `LATE`: it was met after its end. One that is overdue is still running."""

    RUNNING = "running"
    ASSUMED = "assumed"
    MET = "met"
    LATE = "late"
    WAIVED = "waived"
    NOT_APPLICABLE = "not_applicable"


OPEN = frozenset({DutyStatus.RUNNING, DutyStatus.ASSUMED})
DONE = frozenset({DutyStatus.MET, DutyStatus.LATE})


@dataclass(frozen=True)
class DutyView:
    """One duty at one moment. `target_at` is the workspace's own target where the law names no hours.

    `stands_behind`: it only asks for what is prescribed elsewhere, and such a particular duty of its kind is open.
    `met` and `waiver` say how it was met, and who waived it; None where that was not asked for, or is not so.
    `waits_for_phase`: it belongs to a later phase, whose clock has not begun.
    """

    finding: Finding
    duty: Duty
    state: str
    met_at: datetime | None
    elapsed: timedelta | None
    left: timedelta | None
    target_at: datetime | None
    stands_behind: bool = False
    met: MetLine | None = None
    waiver: WaiverLine | None = None
    waits_for_phase: bool = False

    @property
    def status(self) -> DutyStatus:
        if self.met_at is not None:
            return DutyStatus.LATE if self.was_late else DutyStatus.MET
        if self.state == WAIVED:
            return DutyStatus.WAIVED
        if not self.is_open:
            return DutyStatus.NOT_APPLICABLE
        return DutyStatus.ASSUMED if self.duty.assumed else DutyStatus.RUNNING

    @property
    def is_open(self) -> bool:
        return self.state in (DutyState.owed, DutyState.may_be_waived)

    @property
    def is_overdue(self) -> bool:
        return self.is_open and self.left is not None and self.left < timedelta(0)

    @property
    def was_late(self) -> bool:
        """Whether it was met after the end that counts by the facts as they stand."""
        return self.met_at is not None and self.duty.due_at is not None and self.met_at > self.duty.due_at

    def comes_within(self, length: timedelta) -> bool:
        """Whether it must be looked at within `length`: overdue, due by then, owed at once, or without a clock yet.

        What stands behind another duty is looked at once that one is met. What waits for a later phase has no clock yet
        either, and is not to be looked at now.
        """
        if not self.is_open or self.stands_behind:
            return False
        return self.left <= length if self.left is not None else not self.waits_for_phase


def view_duties(
    findings: Sequence[Finding],
    stored: Mapping[str, DutyRow],
    settings: Settings,
    *,
    now: datetime,
    met: Mapping[str, MetLine] | None = None,
    waivers: Sequence[WaiverLine] = (),
) -> list[DutyView]:
    """All duties of all regimes in scope, in the order in which they must be looked at.

    First the open ones: what is overdue, then what is owed at once by the time elapsed, then by deadline; then the met,
    then the rest.
    `met` and `waivers`: how the stored duties were met or waived, where that is to be shown.
    """
    told = _Told(met or {}, {each.duty_id: each for each in waivers if each.stands})
    views = [
        _view(finding, duty, stored, settings, told, now=now)
        for finding in findings
        for duty in finding.duties
    ]
    return sorted(_behind_the_particular(views), key=_order)


def _behind_the_particular(views: Sequence[DutyView]) -> list[DutyView]:
    particular = {view.duty.kind for view in views if view.is_open and not view.duty.is_general}
    return [
        replace(view, stands_behind=view.duty.is_general and view.duty.kind in particular) for view in views
    ]


@dataclass(frozen=True)
class _Told:
    met: Mapping[str, MetLine]
    waived: Mapping[str, WaiverLine]


def _view(
    finding: Finding,
    duty: Duty,
    stored: Mapping[str, DutyRow],
    settings: Settings,
    told: _Told,
    *,
    now: datetime,
) -> DutyView:
    row = stored.get(duty.id)
    state = _state(duty, row)
    return DutyView(
        finding=finding,
        duty=duty,
        state=state,
        met_at=row.met_at if row is not None and state == MET else None,
        elapsed=now - duty.anchor_at if duty.anchor_at is not None else None,
        left=duty.due_at - now if duty.due_at is not None else None,
        target_at=_target(duty, settings),
        met=told.met.get(duty.id) if state == MET else None,
        waiver=told.waived.get(duty.id) if state == WAIVED else None,
        waits_for_phase=_waits_for_phase(duty, stored),
    )


def _state(duty: Duty, row: DutyRow | None) -> str:
    """What is stored of a duty that was met or waived; else what the law says now. No waiver holds where it is owed."""
    if row is not None and row.state == MET:
        return MET
    if row is not None and row.state == WAIVED and duty.state is DutyState.may_be_waived:
        return WAIVED
    return str(duty.state)


def _waits_for_phase(duty: Duty, stored: Mapping[str, DutyRow]) -> bool:
    """Whether its time comes only with a later phase: after another duty, or once the handling has ended."""
    if duty.waits_for_duty is not None:
        return True
    if duty.needs_first is not None:
        first = stored.get(duty.needs_first)
        if first is None or first.state != MET:
            return True
    return duty.phase is Phase.final and duty.anchor_at is None


def _target(duty: Duty, settings: Settings) -> datetime | None:
    if duty.anchor_at is None or duty.within is not None:
        return None
    hours = {
        Urgency.immediately: settings.targets.immediately_hours,
        Urgency.promptly: settings.targets.promptly_hours,
    }.get(duty.urgency)
    return duty.anchor_at + timedelta(hours=hours) if hours is not None else None


# For the order of duties whose clock has not begun, and for that only.
_PROMPTLY = 24 * 3600.0
_SURENESS = list(Confidence)


def _order(view: DutyView) -> tuple[int, bool, bool, int, float, int, str]:
    duty = view.duty
    if not view.is_open:
        return (2 if view.state == MET else 3, False, False, 0, 0.0, 0, duty.id)
    until = duty.due_at or view.target_at
    return (
        1 if until is None else 0,
        not view.is_overdue,
        view.stands_behind or duty.kind is DutyKind.prepare,
        0 if duty.urgency is Urgency.immediately else 1,
        until.timestamp() if until else _length(duty),
        _SURENESS.index(duty.confidence),
        duty.id,
    )


def _length(duty: Duty) -> float:
    """How long the duty leaves, in seconds, while nothing says from when."""
    if duty.within is not None:
        return float(duty.within.nominal_seconds)
    return 0.0 if duty.urgency is Urgency.immediately else _PROMPTLY
