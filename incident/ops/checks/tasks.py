"""Tasks: each is open or has ended, none was taken away, and none is left open where nobody works any more."""

from __future__ import annotations

import sqlalchemy as sa

from incident.ops.checks.base import Findings, Invariant, Sign, Survey, View, scan, table_of
from incident.record.incidents import IncidentState
from incident.record.tasks import TaskState
from incident.store.tables import Incident, Task

_task, _incident = table_of(Task), table_of(Incident)
t, i = _task.c, _incident.c

STATES = Invariant("tasks.states", "each task's state is known, and one that has ended says when")
NUMBERED = Invariant("tasks.numbered", "the tasks of an incident are numbered from 1 without a gap")
CLOSED = Invariant("tasks.closed", "an incident that is closed has no open task")


def _look_at_rows(view: View, findings: Findings) -> None:
    is_open = t.state == TaskState.OPEN
    scan(
        view,
        findings,
        "task",
        [t.incident_id, t.number],
        _task.outerjoin(_incident, i.id == t.incident_id),
        [
            Sign(STATES, "its state is unknown", t.state.not_in(sorted(TaskState))),
            Sign(STATES, "ended without a time, or open and with one", is_open != t.ended_at.is_(None)),
            Sign(CLOSED, "it is open, and its incident is not", is_open & (i.state != IncidentState.OPEN)),
        ],
        view.mine(t.incident_id),
    )


def _look_at_numbers(view: View, findings: Findings) -> None:
    lowest, highest, count = sa.func.min(t.number), sa.func.max(t.number), sa.func.count()
    statement = (
        sa.select(t.incident_id)
        .where(view.mine(t.incident_id))
        .group_by(t.incident_id)
        .having((lowest != 1) | (highest != count))
    )
    for row in view.rows(statement):
        findings.broken(NUMBERED, row.incident_id, "its tasks are not numbered without a gap")


SURVEYS = (Survey(_look_at_rows, (STATES, CLOSED)), Survey(_look_at_numbers, (NUMBERED,)))
