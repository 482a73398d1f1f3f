"""Progress: whoever is not settled has an owner and a next time, and what can end, ends.

The owner of people in progress is the open job of their batch, or of their campaign's waves while they wait for one, or
whoever paused the campaign. Under a hold and in quiet hours the job sleeps until that is over. A job that a killed
worker left is still open: the next worker takes it over.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from incident.delivery.let_go import may_be_worked_on, on_a_call_list
from incident.delivery.resting import calls_rest_until, rests_until
from incident.delivery.states import (
    BRAKED,
    CALL_LIST_JOB,
    IN_PROGRESS,
    JOB_OF,
    PHONE,
    SETTLE_JOB,
    CampaignState,
    DeliveryState,
    campaign_brake,
)
from incident.durable import EVERYTHING, JobState
from incident.ops.checks.base import Findings, Invariant, Survey, View, moment_of, table_of
from incident.record.holds import BRAKES, Cover, hold_brake
from incident.store.tables import Batch, Brake, CallList, CallTask, Campaign, Delivery, Job

TOLERANCE = 60.0
"""Seconds by which a next time may be missed: clocks of machines differ, and a worker looks every so often."""

_batch, _brake, _campaign, _delivery, _job = map(table_of, (Batch, Brake, Campaign, Delivery, Job))
_list, _task = map(table_of, (CallList, CallTask))
b, c, d, j, x, t = (table.c for table in (_batch, _campaign, _delivery, _job, _list, _task))

RETRY = "mend the cause (`incident doctor`), then `incident worker --retry-parked`"
_MISSING = "start `incident worker` again: it puts jobs that are missing"

# Of a campaign that is replaced, its jobs settle who was in progress.
_UNPAUSED = (CampaignState.SENDING, CampaignState.REPLACED)

OWNED = Invariant(
    "progress.owned",
    "everyone in progress has an owner: an open job, or whoever paused the sending",
    _MISSING,
)
NEXT = Invariant(
    "progress.next", f"nobody waits more than {TOLERANCE:.0f} seconds beyond the next time that was set"
)
ENDS = Invariant("progress.ends", "every campaign that can end has a job that ends it", _MISSING)
PAUSED = Invariant(
    "progress.paused",
    "a campaign is paused or replaced exactly when its brake is on, and no other brake is unknown",
)
ENDED = Invariant("progress.ended", "a campaign that has ended says when, and has nobody in progress")


def _look_at_who_waits(view: View, findings: Findings) -> None:
    _look_at_batches(view, findings)
    _look_at_call_lists(view, findings)


def _look_at_batches(view: View, findings: Findings) -> None:
    """All batches with somebody in progress, also those who are told beside their guardian."""
    waits = d.state == DeliveryState.PENDING
    on = {name for (name,) in view.rows(sa.select(_brake.c.name))}
    kept_back = {each for each in view.live() if hold_brake(each, Cover.PEOPLE) in on or _rests(view, each)}
    not_called = {each for each in view.live() if _calls_rest(view, each)}
    held = d.incident_id.in_(sorted(kept_back)) | (
        (d.channel == PHONE) & d.incident_id.in_(sorted(not_called))
    )
    statement = (
        sa.select(
            b.id,
            j.state,
            j.next_at,
            j.beat_at,
            sa.func.count(),
            sa.func.sum(sa.case((waits & d.next_at.is_not(None), 0), else_=1)),
            sa.func.min(sa.cast(d.next_at, sa.String)),
            sa.func.max(sa.case((held, 1), else_=0)),
        )
        .select_from(
            _delivery.join(_batch, b.id == d.batch_id)
            .join(_campaign, c.id == b.campaign_id)
            .outerjoin(_job, (j.kind == _job_of(d.channel)) & (j.key == b.id))
        )
        .where(
            view.mine(d.incident_id),
            d.state.in_(sorted(IN_PROGRESS)),
            c.state.in_(_UNPAUSED),
            # Who waits for a later wave is looked at with the waves, who is on a call list with the lists.
            may_be_worked_on(),
            ~on_a_call_list(),
        )
        .group_by(b.id, j.kind, j.state, j.next_at, j.beat_at)
        .order_by(b.id, j.kind)
    )
    for batch, job, next_at, beat_at, people, at_once, earliest, under_a_hold in view.rows(statement):
        if job != JobState.OPEN:
            said = f"its job is {job}" if job is not None else "it has no job"
            findings.broken(
                OWNED, f"batch {batch}", f"{people} in progress, and {said}", next_step=_next_step(job)
            )
        elif not (view.brake or under_a_hold or beat_at):
            due = _seconds_until(view, at_once, earliest)
            if next_at - view.clock > max(due, 0.0) + TOLERANCE:
                late = next_at - view.clock - max(due, 0.0)
                findings.broken(
                    NEXT, f"batch {batch}", f"its job sleeps {late:.0f} seconds longer than its people wait"
                )


def _job_of(channel: sa.ColumnElement[str]) -> sa.ColumnElement[str]:
    """The kind of job that sends over a channel."""
    return sa.case(JOB_OF, value=channel)


def _rests(view: View, incident_id: str) -> bool:
    return rests_until(view.session, incident_id, view.house.settings, now=view.now) is not None


def _calls_rest(view: View, incident_id: str) -> bool:
    return calls_rest_until(view.session, incident_id, view.house.settings, now=view.now) is not None


def _next_step(job: str | None) -> str:
    return RETRY if job == JobState.PARKED else ""


def _seconds_until(view: View, at_once: int, earliest: str | None) -> float:
    """When the next of a batch is due, in seconds from now by this machine's clock. Raises ValueError."""
    moment = moment_of(earliest)
    return 0.0 if at_once or moment is None else (moment - view.now).total_seconds()


def _look_at_call_lists(view: View, findings: Findings) -> None:
    """Whoever is on a list of the call centre's waits for its results, and no longer than until they are due."""
    on_it = (
        sa.select(t.list_id, sa.func.count().label("people"))
        .join_from(_task, _delivery, (d.id == t.delivery_id) & (d.attempts == t.n))
        .where(d.state == DeliveryState.SENDING)
        .group_by(t.list_id)
        .subquery()
    )
    statement = (
        sa.select(
            x.id, x.closed_at.is_not(None), sa.cast(x.due_at, sa.String), on_it.c.people, j.state, j.next_at
        )
        .select_from(
            _list.outerjoin(on_it, on_it.c.list_id == x.id).outerjoin(
                _job, (j.kind == CALL_LIST_JOB) & (j.key == x.id)
            )
        )
        .where(view.mine(x.incident_id))
        .order_by(x.id)
    )
    for call_list, is_closed, due_at, people, job, next_at in view.rows(statement):
        if is_closed and people:
            findings.broken(
                OWNED, f"call list {call_list}", f"it is closed, and {people} wait for its results"
            )
        if is_closed:
            continue
        if job != JobState.OPEN:
            said = f"its job is {job}" if job is not None else "it has no job"
            findings.broken(
                OWNED, f"call list {call_list}", f"it is open, and {said}", next_step=_next_step(job)
            )
        elif not view.brake and next_at - view.clock > max(_seconds_until(view, 0, due_at), 0.0) + TOLERANCE:
            findings.broken(
                NEXT, f"call list {call_list}", "its job sleeps longer than until its results are due"
            )


def _look_at_campaigns(view: View, findings: Findings) -> None:
    pending = (
        sa.select(b.campaign_id.label("campaign"))
        .join_from(_delivery, _batch, b.id == d.batch_id)
        .where(d.state.in_(sorted(IN_PROGRESS)))
        .distinct()
        .subquery()
    )
    settling = sa.exists().where(j.kind == SETTLE_JOB, j.key == c.id, j.state == JobState.OPEN)
    sending = (
        sa.exists()
        .where(
            b.campaign_id == c.id,
            j.kind.in_(sorted(JOB_OF.values())),
            j.key == b.id,
            j.state == JobState.OPEN,
        )
        .correlate(_campaign)
    )
    statement: sa.Select[Any] = (
        sa.select(c.id, c.state, c.ended_at.is_not(None), pending.c.campaign, sa.or_(settling, sending))
        .outerjoin_from(_campaign, pending, pending.c.campaign == c.id)
        .where(view.mine(c.incident_id))
        .order_by(c.id)
    )
    for campaign, state, has_ended, in_progress, has_job in view.rows(statement):
        if state not in set(CampaignState):
            findings.broken(ENDED, f"campaign {campaign}", "its state is unknown")
        elif has_ended != (state == CampaignState.ENDED):
            findings.broken(
                ENDED,
                f"campaign {campaign}",
                f"it is {state} and says {'when' if has_ended else 'not when'} it ended",
            )
        if state == CampaignState.ENDED and in_progress is not None:
            findings.broken(ENDED, f"campaign {campaign}", "it has ended, and people are in progress")
        if state in _UNPAUSED and in_progress is None and not has_job:
            findings.broken(
                ENDS, f"campaign {campaign}", "nobody is in progress any more, and no job ends it"
            )


def _look_at_brakes(view: View, findings: Findings) -> None:
    names = {name for (name,) in view.rows(sa.select(_brake.c.name))} - {EVERYTHING}
    # Those of holds are looked at with the holds.
    on = {name for name in names if not name.startswith(BRAKES)}
    for campaign, state in view.rows(sa.select(c.id, c.state).where(view.mine(c.incident_id))):
        brake = campaign_brake(campaign)
        if (brake in on) != (state in BRAKED):
            findings.broken(
                PAUSED,
                f"campaign {campaign}",
                f"it is {state}, and its brake is {'' if brake in on else 'not '}on",
            )
        on.discard(brake)
    for brake in sorted(on) if view.incident_id is None else ():
        findings.broken(PAUSED, f"brake {brake}", "it is on, and holds nothing that is known")


SURVEYS = (
    Survey(_look_at_who_waits, (OWNED, NEXT), fleeting=True),
    Survey(_look_at_campaigns, (ENDS, ENDED)),
    Survey(_look_at_brakes, (PAUSED,)),
)
