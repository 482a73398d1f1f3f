"""Duties as people read them: the clocks that run, on top what must be done at once, with the time that passed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from incident.duties.evaluating import MET
from incident.law.clocks import Urgency
from incident.law.findings import Duty, DutyState, Finding
from incident.law.grading import Confidence
from incident.law.regimes import DutyKind
from incident.settings import Settings
from incident.store.tables import DutyRow


@dataclass(frozen=True)
class DutyView:
    """One duty at one moment. `target_at` is the workspace's own target where the law names no hours.

    `stands_behind`: it only asks for what is prescribed elsewhere, and such a particular duty of its kind is open.
    """

    finding: Finding
    duty: Duty
    state: str
    met_at: datetime | None
    elapsed: timedelta | None
    left: timedelta | None
    target_at: datetime | None
    stands_behind: bool = False

    @property
    def is_open(self) -> bool:
        return self.state in (DutyState.owed, DutyState.may_be_waived)

    @property
    def is_overdue(self) -> bool:
        return self.is_open and self.left is not None and self.left < timedelta(0)

    def comes_within(self, length: timedelta) -> bool:
        """Whether it must be looked at within `length`: overdue, due by then, owed at once, or without a clock yet.

        What stands behind another duty is looked at once that one is met.
        """
        return self.is_open and not self.stands_behind and (self.left is None or self.left <= length)


def view_duties(
    findings: Sequence[Finding], stored: Mapping[str, DutyRow], settings: Settings, *, now: datetime
) -> list[DutyView]:
    """All duties of all regimes in scope, in the order in which they must be looked at.

    First the open ones: what is owed at once by the time elapsed, then by deadline; then the met, then the rest.
    """
    views = [
        _view(finding, duty, stored.get(duty.id), settings, now=now)
        for finding in findings
        for duty in finding.duties
    ]
    return sorted(_behind_the_particular(views), key=_order)


def _behind_the_particular(views: Sequence[DutyView]) -> list[DutyView]:
    particular = {view.duty.kind for view in views if view.is_open and not view.duty.is_general}
    return [
        replace(view, stands_behind=view.duty.is_general and view.duty.kind in particular) for view in views
    ]


def _view(
    finding: Finding, duty: Duty, row: DutyRow | None, settings: Settings, *, now: datetime
) -> DutyView:
    met = row is not None and row.state == MET
    started = duty.anchor_at
    return DutyView(
        finding=finding,
        duty=duty,
        state=MET if met else str(duty.state),
        met_at=row.met_at if row is not None and met else None,
        elapsed=now - started if started is not None else None,
        left=duty.due_at - now if duty.due_at is not None else None,
        target_at=_target(duty, settings),
    )


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


def _order(view: DutyView) -> tuple[int, bool, int, float, int, str]:
    duty = view.duty
    if not view.is_open:
        return (2 if view.state == MET else 3, False, 0, 0.0, 0, duty.id)
    until = duty.due_at or view.target_at
    return (
        1 if until is None else 0,
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
