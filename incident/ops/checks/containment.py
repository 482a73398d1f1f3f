"""Containment: each belongs to a run, ends once, and what is meant to end has somebody to ask."""

from __future__ import annotations

import sqlalchemy as sa

from incident.durable import JobState
from incident.ops.checks.base import Findings, Invariant, Sign, Survey, View, scan, table_of
from incident.ops.checks.progress import RETRY
from incident.record.incidents import IncidentState
from incident.response.containment import CONTAINMENT_JOB, UNENDED, ContainmentState
from incident.response.runner import RUNNING
from incident.store.tables import Containment, Incident, Job, Run

_containment, _run, _job, _incident = map(table_of, (Containment, Run, Job, Incident))
c, r, j, i = _containment.c, _run.c, _job.c, _incident.c

ROWS = Invariant("containment.rows", "containment belongs to a run, its state is known and fits its times")
NUMBERED = Invariant(
    "containment.numbered", "the containment of an incident is numbered from 1 without a gap"
)
UNDOING = Invariant("containment.undoing", "what is being taken back is taken back by a run that goes on")
ASKS = Invariant(
    "containment.asks",
    "containment that is meant to end and has not asked yet has an open job that asks",
    "start `incident worker` again: it puts jobs that are missing",
)


def _look_at_rows(view: View, findings: Findings) -> None:
    undo = sa.exists().where(r.id == c.undo_run, r.state == RUNNING).correlate(_containment)
    undoing = c.state == ContainmentState.UNDOING
    scan(
        view,
        findings,
        "containment",
        [c.incident_id, c.number],
        _containment.outerjoin(_run, r.id == c.run_id),
        [
            Sign(
                ROWS,
                "its run does not exist, or is of another incident",
                r.incident_id.is_distinct_from(c.incident_id),
            ),
            Sign(ROWS, "its state is unknown", c.state.not_in(sorted(ContainmentState))),
            Sign(
                ROWS,
                "taken back without a time, or in force with one",
                (c.state == ContainmentState.UNDONE) == c.ended_at.is_(None),
            ),
            Sign(
                ROWS,
                "verified without a time",
                (c.state == ContainmentState.VERIFIED) & c.verified_at.is_(None),
            ),
            Sign(ROWS, "it ended before it was done", c.ended_at < c.done_at),
            Sign(
                ROWS,
                "taken back by no run",
                c.state.in_([ContainmentState.UNDOING, ContainmentState.UNDONE]) & c.undo_run.is_(None),
            ),
        ],
        view.mine(c.incident_id),
    )
    going_on = sa.select(c.incident_id, c.number).where(view.mine(c.incident_id), undoing, ~undo)
    for incident, number in view.rows(going_on):
        findings.broken(
            UNDOING, f"containment {incident}/{number}", "it is being taken back, and no run does it"
        )


def _look_at_numbers(view: View, findings: Findings) -> None:
    lowest, highest, count = sa.func.min(c.number), sa.func.max(c.number), sa.func.count()
    statement = (
        sa.select(c.incident_id)
        .where(view.mine(c.incident_id))
        .group_by(c.incident_id)
        .having((lowest != 1) | (highest != count))
    )
    for row in view.rows(statement):
        findings.broken(NUMBERED, row.incident_id, "its containment is not numbered without a gap")


def _look_at_jobs(view: View, findings: Findings) -> None:
    statement = (
        sa.select(c.incident_id, c.number, j.state)
        .join_from(_containment, _incident, i.id == c.incident_id)
        .outerjoin(_job, (j.kind == CONTAINMENT_JOB) & (j.key == c.id))
        .where(
            view.mine(c.incident_id),
            i.state == IncidentState.OPEN,
            c.expires_at.is_not(None),
            c.asked_at.is_(None),
            c.state.in_(sorted(UNENDED)),
        )
    )
    for incident, number, state in view.rows(statement):
        if state != JobState.OPEN:
            said = f"its job is {state}" if state is not None else "it has no job"
            next_step = RETRY if state == JobState.PARKED else ""
            findings.broken(
                ASKS,
                f"containment {incident}/{number}",
                f"it is meant to end, and {said}",
                next_step=next_step,
            )


SURVEYS = (
    Survey(_look_at_rows, (ROWS, UNDOING)),
    Survey(_look_at_numbers, (NUMBERED,)),
    Survey(_look_at_jobs, (ASKS,), fleeting=True),
)
