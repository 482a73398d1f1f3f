"""Jobs and who works on them: kinds that somebody can do, numbers that can be, and nothing left lying.

A job that is due waits its turn while others are under way. Where nobody works, or the brake is on, that is said and
is no fault: what waits is not lost. How long ago somebody was heard of is read from the database's clock here, which
is good enough for a person to look; workers themselves never judge each other by it.
"""

from __future__ import annotations

from collections.abc import Mapping

import sqlalchemy as sa

from incident.delivery.states import (
    BATCH_JOB,
    CALL_JOB,
    CALL_LIST_JOB,
    PUBLISH_JOB,
    SETTLE_JOB,
    SMS_JOB,
    WAVE_JOB,
)
from incident.durable import JobState
from incident.duties.reminding import DUTIES_JOB, LONGEST_SLEEP
from incident.hooks.receiving import ALERT_JOB
from incident.ops.checks.base import Findings, Invariant, Sign, Survey, View, scan, table_of
from incident.ops.checks.progress import RETRY, TOLERANCE
from incident.record.holds import HOLD_JOB
from incident.record.summons import SUMMONS_JOB
from incident.response.containment import CONTAINMENT_JOB
from incident.response.runner import RUN_JOB
from incident.store.instance import Standing, objection
from incident.store.tables import (
    Alert,
    Batch,
    Brake,
    CallList,
    Campaign,
    Containment,
    Hold,
    Incident,
    Instance,
    Job,
    KindLimit,
    Notice,
    Run,
    Summons,
    TokenBucket,
    Waves,
)

UNHEARD = 10
"""Times of patience (`engine.stale_seconds`) after which a job should long have been taken from who holds it."""

# A pause between two tries, or one under a brake, is an hour at most; a clock that was set back makes it look longer.
_LONGEST_SLEEP = 3 * 3600.0
# A step of a playbook, or a hold, may wait for weeks.
_LONGEST_TIMER = 10 * 366 * 86400.0
# `escalation.minutes` is a day at most.
_LONGEST_ROUND = 86400.0 + _LONGEST_SLEEP
_LONGEST_LOOK = LONGEST_SLEEP.total_seconds() + _LONGEST_SLEEP

TARGETS: Mapping[str, sa.Table] = {
    ALERT_JOB: table_of(Alert),
    RUN_JOB: table_of(Run),
    PUBLISH_JOB: table_of(Notice),
    SETTLE_JOB: table_of(Campaign),
    BATCH_JOB: table_of(Batch),
    SMS_JOB: table_of(Batch),
    CALL_JOB: table_of(Batch),
    CALL_LIST_JOB: table_of(CallList),
    WAVE_JOB: table_of(Waves),
    CONTAINMENT_JOB: table_of(Containment),
    HOLD_JOB: table_of(Hold),
    SUMMONS_JOB: table_of(Summons),
    DUTIES_JOB: table_of(Incident),
}
"""Every kind of job, and the table whose row it works on."""

_job, _bucket, _limit, _instance, _brake = map(table_of, (Job, TokenBucket, KindLimit, Instance, Brake))
j, k, i = _job.c, _limit.c, _instance.c

KNOWN = Invariant(
    "jobs.known", "each job is of a kind that somebody can do, works on a row that exists, and will be due"
)
PARKED = Invariant(
    "jobs.parked",
    "no job is parked: what failed at every start waits for a person",
    RETRY,
)
HELD = Invariant(
    "jobs.held",
    "no job is held for long by somebody who is not heard of, while others work",
    "stop the workers and start them again; what they held is taken over",
)
WAITING = Invariant(
    "jobs.waiting",
    f"no job is due for more than {TOLERANCE:.0f} seconds while somebody works and has nothing else to do",
    "start `incident worker` where the secrets of mail relay and SMS carrier are set; `incident doctor` says what is missing",
)
LIMITS = Invariant(
    "jobs.limits", "limits can be kept: tokens between none and the burst, at least one job at a time"
)
INSTANCE = Invariant("instance.one", "the record says which copy it is, once, in words that are known")


def _look_at_jobs(view: View, findings: Findings) -> None:
    counters = (j.attempt, j.starts, j.beats, j.beat_at, j.asked_at, j.next_at)
    numbers = sa.or_(j.pokes < 1, *(each < 0 for each in counters))
    longest_sleep = sa.case(
        (j.kind.in_([RUN_JOB, HOLD_JOB, CONTAINMENT_JOB]), _LONGEST_TIMER),
        (j.kind == SUMMONS_JOB, _LONGEST_ROUND),
        (j.kind == DUTIES_JOB, _LONGEST_LOOK),
        else_=_LONGEST_SLEEP,
    )
    scan(
        view,
        findings,
        "job",
        [j.kind, j.key],
        _job,
        [
            Sign(KNOWN, "nobody knows how to do a job of this kind", j.kind.not_in(sorted(TARGETS))),
            Sign(KNOWN, "its state is unknown", j.state.not_in(sorted(JobState))),
            Sign(KNOWN, "a number of it cannot be", numbers),
            Sign(KNOWN, "nobody ever began it, and somebody holds it", (j.attempt == 0) & (j.beat_at > 0)),
            Sign(
                KNOWN,
                "nobody may work on it, and somebody holds it",
                (j.state != JobState.OPEN) & (j.beat_at > 0),
            ),
            Sign(
                KNOWN,
                "it sleeps for longer than anything lets it",
                (j.state == JobState.OPEN) & (j.next_at > view.clock + longest_sleep),
            ),
            Sign(PARKED, "it failed at every start", j.state == JobState.PARKED),
            *(
                Sign(KNOWN, "the row that it works on does not exist", (j.kind == kind) & ~_exists(target))
                for kind, target in TARGETS.items()
            ),
        ],
        view.mine(j.incident_id),
    )


def _exists(target: sa.Table) -> sa.ColumnElement[bool]:
    return sa.exists().where(target.c.id == j.key).correlate(_job)


def _look_at_work(view: View, findings: Findings) -> None:
    """On one machine the worker itself takes away what its own handlers hang in; others can tell nothing of it."""
    mine, is_held = (view.mine(j.incident_id), j.state == JobState.OPEN), j.beat_at > 0
    last_heard = view.clock - UNHEARD * view.house.settings.engine.stale_seconds
    unheard = is_held & (j.beat_at < last_heard) & sa.literal(not view.alone)
    since = view.clock - TOLERANCE
    long_due = (j.beat_at == 0) & (j.next_at <= since) & (j.asked_at <= since)
    waiting = _count(view, *mine, long_due)
    if view.brake and waiting:
        findings.note(WAITING, f"the brake is on since {view.brake}: {waiting} jobs are due and wait")
    elif not view.works and (left := waiting + _count(view, *mine, is_held)):
        findings.note(WAITING, f"nobody works: {left} jobs are due; start `incident worker`")
    if not view.works:
        return
    for kind, key in view.rows(_named(*mine, unheard)):
        findings.broken(HELD, f"job {kind}/{key}", "whoever holds it is not heard of any more")
    # While a job is under way the others wait for a free hand.
    if view.brake or _count(view, j.state == JobState.OPEN, is_held & ~unheard):
        return
    for kind, key in view.rows(_named(*mine, long_due)):
        findings.broken(WAITING, f"job {kind}/{key}", "it is due, somebody works, and nobody takes it")


def _count(view: View, *where: sa.ColumnElement[bool]) -> int:
    return int(
        view.session.connection()
        .execute(sa.select(sa.func.count()).select_from(_job).where(*where))
        .scalar_one()
    )


def _named(*where: sa.ColumnElement[bool]) -> sa.Select[tuple[str, str]]:
    return sa.select(j.kind, j.key).where(*where).order_by(j.kind, j.key)


def _look_at_limits(view: View, findings: Findings) -> None:
    t = _bucket.c
    scan(
        view,
        findings,
        "token bucket",
        [t.name],
        _bucket,
        [
            Sign(
                LIMITS, "its tokens are not between none and the burst", (t.tokens < 0) | (t.tokens > t.burst)
            ),
            Sign(LIMITS, "no message could ever leave by it", (t.per_second <= 0) | (t.burst < 1)),
        ],
    )
    scan(
        view,
        findings,
        "limit on jobs of kind",
        [k.kind],
        _limit,
        [
            Sign(LIMITS, "no job of this kind could ever begin", k.at_once < 1),
            Sign(LIMITS, "nobody knows how to do a job of this kind", k.kind.not_in(sorted(TARGETS))),
        ],
    )


def _look_at_instance(view: View, findings: Findings) -> None:
    """A copy that does not act is no fault of the record's, but whoever looks at it should know."""
    rows = list(view.rows(sa.select(i.id, i.epoch, i.standing)))
    if [row.id for row in rows] != ["this"]:
        findings.broken(
            INSTANCE, "instance", f"{len(rows)} rows say which copy this is, and not one by the name `this`"
        )
        return
    [row] = rows
    if row.standing not in set(Standing):
        findings.broken(INSTANCE, "instance this", "its standing is unknown")
    elif not isinstance(row.epoch, int) or row.epoch < 1:
        findings.broken(INSTANCE, "instance this", "its epoch is no number from 1 on")
    elif why := objection(view.house.store):
        findings.note(INSTANCE, f"this copy does not act: {why.what}")


SURVEYS = (
    Survey(_look_at_jobs, (KNOWN, PARKED)),
    Survey(_look_at_work, (HELD, WAITING), fleeting=True),
    Survey(_look_at_limits, (LIMITS,)),
    Survey(_look_at_instance, (INSTANCE,)),
)
