"""The open duties of all incidents at once, from what lies open in the table: nothing is unsealed for it.

It goes by the last evaluation of each incident, and says where rules or settings have changed since.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa
from sqlmodel import Session, SQLModel

from incident.duties.evaluating import Rules
from incident.errors import KeyMissing, Unreadable
from incident.law.clocks import Urgency
from incident.law.findings import STANDING
from incident.law.regimes import Phase, Regime
from incident.record.incidents import IncidentState
from incident.settings import Settings
from incident.store.store import Store
from incident.store.tables import DutyRow, Evaluation, Incident


@dataclass(frozen=True)
class OpenDuties:
    """What one incident owes. `next_at`: the nearest end, or own target where the law names no hours; None: no clock.

    `soon`: how many must be looked at within the length asked for; `open`: how many stand.
    """

    incident_id: str
    next_at: datetime | None
    soon: int
    open: int


@dataclass(frozen=True)
class Staleness:
    """How far the stored duties lag behind: incidents last evaluated by other rules, and whether the scope is another."""

    rules_changed: int
    scope_changed: bool


def open_duties(session: Session, rules: Rules, settings: Settings, *, until: datetime) -> list[OpenDuties]:
    """Every open incident with duties that stand, the one that must be looked at first in front.

    `until` is the end of what counts as soon: duties that are overdue, due by then, owed at once, or whose clock has
    not begun; of the last, those of a later phase are left out, and what stands behind a particular duty.
    """
    targets = {
        Urgency.immediately: timedelta(hours=settings.targets.immediately_hours),
        Urgency.promptly: timedelta(hours=settings.targets.promptly_hours),
    }
    dated, begun = _d.due_at.is_not(None), _d.anchor_at.is_not(None)
    waits = sa.and_(~dated, _d.duty_id.in_(sorted(later_phases(rules.regimes))))
    soon = sa.and_(sa.or_(_d.due_at <= until, sa.and_(~dated, ~waits)), ~_stands_behind(rules.regimes))
    starts = [
        sa.func.min(sa.case((sa.and_(~dated, begun, ~waits, _d.urgency == urgency), _d.anchor_at)))
        for urgency in targets
    ]
    statement = (
        sa.select(
            _d.incident_id,
            sa.func.count(),
            sa.func.sum(sa.case((soon, 1), else_=0)),
            sa.func.min(_d.due_at),
            *starts,
        )
        .join_from(_duty, _incident, _incident.c.id == _d.incident_id)
        .where(_d.state.in_(sorted(STANDING)), _incident.c.state == IncidentState.OPEN)
        .group_by(_d.incident_id)
    )
    found = []
    for incident, count, near, due, *begins in session.connection().execute(statement):
        ends = [_utc(due)] if due is not None else []
        ends += [_utc(at) + own for at, own in zip(begins, targets.values(), strict=True) if at is not None]
        found.append(OpenDuties(incident, min(ends, default=None), int(near), int(count)))
    return sorted(found, key=_nearest_first)


def _stands_behind(regimes: Iterable[Regime]) -> sa.ColumnElement[bool]:
    """What only asks for what is prescribed elsewhere, while a particular duty of its kind is open (`DutyView`)."""
    general = sorted(
        f"{regime.id}/{duty.id}" for regime in regimes for duty in regime.duties if duty.is_general
    )
    other = _duty.alias("other")
    particular = (
        sa.exists()
        .where(
            other.c.incident_id == _d.incident_id,
            other.c.kind == _d.kind,
            other.c.state.in_(sorted(STANDING)),
            other.c.duty_id.not_in(general),
        )
        .correlate(_duty)
    )
    return sa.and_(_d.duty_id.in_(general), particular)


def later_phases(regimes: Iterable[Regime]) -> frozenset[str]:
    """The duties whose time comes only with a later phase: after another duty, or once the handling has ended."""
    return frozenset(
        f"{regime.id}/{duty.id}"
        for regime in regimes
        for duty in regime.duties
        if duty.phase is Phase.final
        or duty.needs_first is not None
        or any(anchor.submission_of for anchor in duty.anchors())
    )


def staleness(session: Session, store: Store, rules: Rules, settings: Settings) -> Staleness:
    """Whether the stored duties follow from the rules and the scope in use.

    The scope is told from the incident whose last evaluation is the oldest: no other can know an older one.
    """
    latest = (
        sa.select(_e.incident_id, sa.func.max(_e.at).label("at"))
        .join_from(_evaluation, _incident, _incident.c.id == _e.incident_id)
        .where(_incident.c.state == IncidentState.OPEN)
        .group_by(_e.incident_id)
        .subquery()
    )
    same = (_e.incident_id == latest.c.incident_id) & (_e.at == latest.c.at)
    current = sa.exists().where(same, _e.rules_hash == rules.hash)
    other = sa.select(sa.func.count()).select_from(latest).where(~current)
    oldest = sa.select(_e.id).join_from(latest, _evaluation, same).order_by(latest.c.at, _e.id).limit(1)
    connection = session.connection()
    changed = int(connection.execute(other).scalar_one())
    name = connection.execute(oldest).scalar()
    return Staleness(changed, name is not None and _other_scope(session, store, name, settings))


def all_open(session: Session) -> int:
    """How many incidents are open, whether they owe something or not."""
    statement = (
        sa.select(sa.func.count()).select_from(_incident).where(_incident.c.state == IncidentState.OPEN)
    )
    return int(session.connection().execute(statement).scalar_one())


def _other_scope(session: Session, store: Store, evaluation_id: str, settings: Settings) -> bool:
    row = session.get(Evaluation, evaluation_id)
    if row is None:
        return False
    try:
        inputs = store.open(row, incident_id=row.incident_id)["inputs"]
    except (KeyMissing, Unreadable):
        return False
    scope = settings.scope
    return _differ(inputs["scope"], scope.countries) or _differ(
        inputs.get("organisation", ()), scope.organisation or ()
    )


def _differ(stored: Collection[str], used: Collection[str]) -> bool:
    return sorted(stored) != sorted(used)


def _nearest_first(each: OpenDuties) -> tuple[bool, bool, datetime, str]:
    return each.soon == 0, each.next_at is None, each.next_at or _FAR, each.incident_id


def _utc(at: datetime) -> datetime:
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)


def _table(model: type[SQLModel]) -> sa.Table:
    table: sa.Table = model.__table__  # type: ignore[attr-defined]
    return table


_duty, _incident, _evaluation = _table(DutyRow), _table(Incident), _table(Evaluation)
_d, _e = _duty.c, _evaluation.c
_FAR = datetime.max.replace(tzinfo=UTC)
