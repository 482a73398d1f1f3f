"""Duties as people read them: the clocks that run, on top what must be done at once, with the time that passed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from incident.duties.evaluating import MET
from incident.law.clocks import Urgency
from incident.law.findings import Duty, DutyState, Finding
from incident.settings import Settings
from incident.store.tables import DutyRow


@dataclass(frozen=True)
class DutyView:
    """One duty at one moment. `target_at` is the workspace's own target where the law names no hours."""

    finding: Finding
    duty: Duty
    state: str
    met_at: datetime | None
    elapsed: timedelta | None
    left: timedelta | None
    target_at: datetime | None

    @property
    def is_open(self) -> bool:
        return self.state in (DutyState.owed, DutyState.may_be_waived)

    @property
    def is_overdue(self) -> bool:
        return self.is_open and self.left is not None and self.left < timedelta(0)

    def comes_within(self, length: timedelta) -> bool:
        """Whether it must be looked at within `length`: overdue, due by then, owed at once, or without a clock yet."""
        return self.is_open and (self.left is None or self.left <= length)


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
    return sorted(views, key=_order)


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


def _order(view: DutyView) -> tuple[int, int, float, str]:
    if not view.is_open:
        return (2 if view.state == MET else 3, 0, 0.0, view.duty.id)
    until = view.duty.due_at or view.target_at
    waits = 1 if until is None else 0
    return (
        waits,
        0 if view.duty.urgency is Urgency.immediately else 1,
        until.timestamp() if until else 0.0,
        view.duty.id,
    )
