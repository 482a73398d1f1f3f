"""Waves: nobody who waits for a later one was written to, and somebody looks at each campaign that has them."""

from __future__ import annotations

import sqlalchemy as sa

from incident.delivery.states import IN_PROGRESS, WAVE_JOB, CampaignState, DeliveryState
from incident.delivery.waves import StopReason
from incident.durable import JobState
from incident.ops.checks.base import Findings, Invariant, Sign, Survey, View, moment_of, scan, table_of
from incident.ops.checks.progress import RETRY, TOLERANCE
from incident.record.holds import Cover, hold_brake
from incident.store.tables import Batch, Brake, Campaign, Delivery, Job, Waves

_waves, _batch, _brake, _campaign, _delivery, _job = map(
    table_of, (Waves, Batch, Brake, Campaign, Delivery, Job)
)
w, b, c, d, j = (table.c for table in (_waves, _batch, _campaign, _delivery, _job))

UNTRIED = Invariant("waves.untried", "nobody who waits for a later wave was written to")
OWNED = Invariant(
    "waves.owned",
    "a campaign with waves has a job that looks at it, or somebody paused it",
    "start `incident worker` again: it puts jobs that are missing",
)
NEXT = Invariant(
    "waves.next", f"a wave begins no more than {TOLERANCE:.0f} seconds after the time that was set for it"
)
ROWS = Invariant(
    "waves.rows", "the waves of a campaign are some of its batches, and one that stopped by itself is paused"
)


def _look_at_waiting(view: View, findings: Findings) -> None:
    tried = (d.attempts > 0) | d.state.in_([DeliveryState.SENDING, DeliveryState.ACCEPTED])
    statement = (
        sa.select(b.id, sa.func.count())
        .select_from(_waves.join(_batch, b.campaign_id == w.id).join(_delivery, d.batch_id == b.id))
        .where(view.mine(w.incident_id), b.seq > w.to_seq, tried)
        .group_by(b.id)
        .order_by(b.id)
    )
    for batch, people in view.rows(statement):
        findings.broken(UNTRIED, f"batch {batch}", f"its wave has not begun, and {people} in it were tried")


def _look_at_rows(view: View, findings: Findings) -> None:
    last = sa.select(sa.func.max(b.seq)).where(b.campaign_id == w.id).scalar_subquery()
    counters = (w.stopped_count, w.stopped_of, w.known_settled, w.known_failed, w.known_complaints)
    numbers = (w.known_reports, w.reports, *counters)
    scan(
        view,
        findings,
        "waves",
        [w.id],
        _waves.outerjoin(_campaign, c.id == w.id),
        [
            Sign(ROWS, "its campaign does not exist", c.id.is_(None)),
            Sign(ROWS, "it and its campaign name different incidents", c.incident_id != w.incident_id),
            Sign(
                ROWS,
                "a wave is of batches that do not exist",
                (w.number < 1) | (w.from_seq < 1) | (w.to_seq < w.from_seq) | (w.to_seq > last),
            ),
            Sign(ROWS, "a number of it cannot be", sa.or_(*(each < 0 for each in numbers))),
            Sign(
                ROWS,
                "it stopped for no reason, or at no time",
                (w.stopped_by.is_(None) != w.stopped_at.is_(None)) | w.stopped_by.not_in(sorted(StopReason)),
            ),
            Sign(
                ROWS,
                "it stopped by itself, and is being sent",
                w.stopped_by.is_not(None) & (c.state == CampaignState.SENDING),
            ),
        ],
        view.mine(w.incident_id),
    )


def _look_at_jobs(view: View, findings: Findings) -> None:
    on = {name for (name,) in view.rows(sa.select(_brake.c.name))}
    held = [each for each in view.live() if hold_brake(each, Cover.PEOPLE) in on]
    in_progress = (
        sa.exists()
        .where(b.campaign_id == w.id, d.batch_id == b.id, d.state.in_(sorted(IN_PROGRESS)))
        .correlate(_waves)
    )
    statement = (
        sa.select(w.id, j.state, j.next_at, j.beat_at, sa.cast(w.next_at, sa.String), w.incident_id)
        .select_from(
            _waves.join(_campaign, c.id == w.id).outerjoin(_job, (j.kind == WAVE_JOB) & (j.key == w.id))
        )
        .where(view.mine(w.incident_id), c.state == CampaignState.SENDING, in_progress)
        .order_by(w.id)
    )
    for campaign, job, next_at, beat_at, begins, incident in view.rows(statement):
        if job != JobState.OPEN:
            said = f"its job is {job}" if job is not None else "it has no job"
            findings.broken(
                OWNED,
                f"campaign {campaign}",
                f"people are in progress, and nobody looks at its waves: {said}",
                next_step=RETRY if job == JobState.PARKED else "",
            )
        elif not (view.brake or beat_at or incident in held):
            moment = moment_of(begins)
            due = 0.0 if moment is None else max((moment - view.now).total_seconds(), 0.0)
            if (late := next_at - view.clock - due) > TOLERANCE:
                findings.broken(NEXT, f"campaign {campaign}", f"its job sleeps {late:.0f} seconds too long")


SURVEYS = (
    Survey(_look_at_waiting, (UNTRIED,)),
    Survey(_look_at_rows, (ROWS,)),
    Survey(_look_at_jobs, (OWNED, NEXT), fleeting=True),
)
