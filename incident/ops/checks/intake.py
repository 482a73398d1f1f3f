"""Alerts: each is mapped or has a job that maps it, and none says how many people are affected."""

from __future__ import annotations

import sqlalchemy as sa

from incident.durable import JobState
from incident.hooks.receiving import ALERT_JOB, AlertState
from incident.ops.checks.base import Findings, Invariant, Sign, Survey, View, scan, table_of
from incident.store.tables import Alert, AlertItem, FactRow, Incident, Job

_alert, _item, _incident, _job, _fact = map(table_of, (Alert, AlertItem, Incident, Job, FactRow))
a, t, i, j, f = _alert.c, _item.c, _incident.c, _job.c, _fact.c

# What an alert may say by itself: when we were told, and which systems.
_OF_ALERTS = ("discovered_at", "systems")
_HOOKS = "hooks"

OWNED = Invariant(
    "alerts.owned",
    "every alert that is not mapped yet has a job",
    "`incident worker --retry-parked`; if there is no job at all, put a backup back, or post the alert again",
)
MAPPED = Invariant(
    "alerts.mapped", "a mapped alert says when and where to, and its items are numbered without a gap"
)
FACTS = Invariant("alerts.facts", "no number from an alert became a fact by itself")


def _look_at_alerts(view: View, findings: Findings) -> None:
    items = (
        sa.select(
            t.alert_id,
            sa.func.count().label("many"),
            sa.func.min(t.position).label("first"),
            sa.func.max(t.position).label("last"),
        )
        .group_by(t.alert_id)
        .subquery()
    )
    m, mapped, waits = items.c, a.state == AlertState.MAPPED, a.state == AlertState.RECEIVED
    many = sa.func.coalesce(m.many, 0)
    scan(
        view,
        findings,
        "alert",
        [a.id],
        _alert.outerjoin(items, m.alert_id == a.id)
        .outerjoin(_job, (j.kind == ALERT_JOB) & (j.key == a.id))
        .outerjoin(_incident, i.id == a.incident_id),
        [
            Sign(
                OWNED, "it is not mapped, and no job maps it", waits & j.state.is_distinct_from(JobState.OPEN)
            ),
            Sign(MAPPED, "its state is unknown", a.state.not_in(sorted(AlertState))),
            Sign(MAPPED, "mapped without a time, or not and with one", waits == a.mapped_at.is_not(None)),
            Sign(MAPPED, "mapped to nothing, or ignored with something", ~waits & (mapped != (many > 0))),
            Sign(
                MAPPED,
                "its items are not numbered without a gap",
                (many > 0) & ((m.first != 0) | (m.last != many - 1)),
            ),
            Sign(
                MAPPED,
                "it has items and no incident, or an incident and no items",
                (many > 0) != a.incident_id.is_not(None),
            ),
            Sign(MAPPED, "its incident does not exist", a.incident_id.is_not(None) & i.id.is_(None)),
            Sign(MAPPED, "it was never seen", a.seen < 1),
        ],
        view.mine(a.incident_id),
    )
    scan(
        view,
        findings,
        "alert item",
        [t.alert_id, t.position],
        _item.outerjoin(_alert, a.id == t.alert_id).outerjoin(_incident, i.id == t.incident_id),
        [
            Sign(MAPPED, "its alert does not exist", a.id.is_(None)),
            Sign(MAPPED, "its incident does not exist", i.id.is_(None)),
        ],
        view.mine(t.incident_id),
    )


def _look_at_facts(view: View, findings: Findings) -> None:
    number = Sign(
        FACTS, "an alert stated it, and no person did", (f.recorded_by == _HOOKS) & f.field.not_in(_OF_ALERTS)
    )
    scan(view, findings, "fact", [f.id], _fact, [number], view.mine(f.incident_id))


SURVEYS = (Survey(_look_at_alerts, (OWNED, MAPPED)), Survey(_look_at_facts, (FACTS,)))
