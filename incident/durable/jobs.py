"""Jobs as rows: asking for work, claiming it, taking it away from who fell silent, and what stands open.

Every function works inside a transaction of the caller. `<now>` in a statement is the database's own clock: workers'
clocks differ. It only says when a job may begin; who is alive is judged without any clock (`watching`).
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Any

from sqlalchemy import CursorResult, TextClause, text
from sqlalchemy.exc import DBAPIError
from sqlmodel import Session

from incident.errors import StoreUnavailable
from incident.store.database import allow_pauses
from incident.store.prepared import Prepared, Rows

_NOW = {
    "sqlite": "((julianday('now') - 2440587.5) * 86400.0)",
    "postgresql": "CAST(extract(epoch FROM clock_timestamp()) AS double precision)",
}
SWEEP_LOCK = 7_306_021_101  # any number; at one time one of all workers sweeps
_LOCKED = {"sqlite": "", "postgresql": "FOR UPDATE"}
_LOCKED_IF_FREE = {"sqlite": "", "postgresql": "FOR UPDATE SKIP LOCKED"}


class JobState(StrEnum):
    OPEN = "open"
    DONE = "done"
    PARKED = "parked"


@dataclass(frozen=True)
class Patience:
    """How long to wait for what, in seconds, and how much at a time.

    stale       a job whose holder gives no sign of life for so long gets a new attempt
    beat        between two signs of life of a job under way (several machines)
    poll        between two looks at what is due (one machine), and at the brake
    sweep       between two looks at what is due (several machines)
    retry       pause after a handler failed, times the starts so far
    longest     a handler that takes no step for so long hangs: it counts as dead, whatever its process does
    max_starts  starts in a row without progress after which a job is parked for a person
    slots       jobs that one worker has under way at a time
    """

    stale: float = 30.0
    beat: float = 5.0
    poll: float = 0.2
    sweep: float = 1.0
    retry: float = 2.0
    longest: float = 300.0
    max_starts: int = 5
    slots: int = 2


@dataclass(frozen=True)
class Claim:
    """One attempt at one job."""

    kind: str
    key: str
    attempt: int
    pokes: int


@dataclass(frozen=True)
class Held:
    """A job that somebody holds, with the sign of life last seen."""

    kind: str
    key: str
    attempt: int
    beats: int


@dataclass(frozen=True)
class JobCount:
    """How many jobs of a kind stand where. `due` are held by nobody though their time has come."""

    kind: str
    under_way: int
    due: int
    waiting: int
    parked: int


@cache
def _statement(template: str, dialect: str) -> TextClause:
    told = template.replace("<now>", _NOW[dialect])
    told = told.replace("<locked>", _LOCKED[dialect])
    return text(told.replace("<locked if free>", _LOCKED_IF_FREE[dialect]))


def run(session: Session, template: str, **values: Any) -> CursorResult[Any]:
    """Execute a statement written for both databases, with `<now>` and `<locked>` filled in."""
    connection = session.connection()
    return connection.execute(_statement(template, connection.dialect.name), values)


def run_prepared(session: Session, template: str, **values: Any) -> Rows:
    """As `run`, for what stands in every turn of every job: rows come as tuples."""
    connection = session.connection()
    return _prepared(template, connection.dialect.name).run(connection, values)


@cache
def _prepared(template: str, dialect: str) -> Prepared:
    return Prepared(_statement(template, dialect))


def on_one_machine(session: Session) -> bool:
    """Whether the store is a file of this machine, so that there is one worker and nobody else can take over."""
    return session.connection().dialect.name == "sqlite"


def database_clock(session: Session) -> float:
    """The database's own time, in seconds since 1970."""
    return float(run(session, "SELECT <now>").scalar_one())


def put_job(
    session: Session,
    kind: str,
    key: str,
    *,
    incident_id: str | None = None,
    after: float = 0.0,
    wake: bool = True,
) -> None:
    """Ask for work on `(kind, key)` inside a writing transaction; asking again while it runs makes it run again.

    `after` seconds must pass first. `wake` False leaves it to the workers' next look: for jobs put by the thousand.
    """
    run_prepared(session, _PUT, kind=kind, key=key, incident=incident_id, after=float(after))
    if wake and not after and not on_one_machine(session):
        if _QUEUE not in sys.modules:
            # Loading it takes seconds on a busy machine; the transaction must not count as standing still meanwhile.
            allow_pauses(session.connection(), seconds=_LOADING_SECONDS)
        from incident.durable.queue import wake_workers

        wake_workers(session, kind, key)


_QUEUE, _LOADING_SECONDS = "incident.durable.queue", 30.0


_PUT = f"""
    INSERT INTO job (kind, key, incident_id, state, attempt, starts, pokes, beats, beat_at, asked_at, next_at)
    VALUES (:kind, :key, :incident, '{JobState.OPEN}', 0, 0, 1, 0, 0, <now>,
            CASE WHEN :after > 0 THEN <now> + :after ELSE 0 END)
    ON CONFLICT (kind, key) DO UPDATE SET
      pokes = job.pokes + 1,
      asked_at = CASE WHEN job.state = '{JobState.OPEN}' THEN job.asked_at ELSE excluded.asked_at END,
      starts = CASE WHEN job.state = '{JobState.OPEN}' THEN job.starts ELSE 0 END,
      next_at = CASE WHEN job.state = '{JobState.OPEN}' AND job.next_at < excluded.next_at
                     THEN job.next_at ELSE excluded.next_at END,
      state = '{JobState.OPEN}'"""


def claim(session: Session, kind: str, key: str) -> Claim | None:
    """Begin a new attempt at a job that is due and held by nobody; None when it is not (any more)."""
    taken = run_prepared(session, _CLAIM, kind=kind, key=key).fetchone()
    return Claim(kind, key, *taken) if taken is not None else None


_CLAIM = f"""
    UPDATE job SET attempt = attempt + 1, starts = starts + 1, beats = beats + 1, beat_at = <now>
    WHERE kind = :kind AND key = :key AND state = '{JobState.OPEN}' AND beat_at = 0 AND next_at <= <now>
    RETURNING attempt, pokes"""


@dataclass(frozen=True)
class Due:
    """A job that is due and held by nobody. `attempt` is the last one's number."""

    kind: str
    key: str
    attempt: int


def due_kinds(session: Session) -> frozenset[str]:
    """The kinds of which a job is due and held by nobody."""
    return frozenset(kind for (kind,) in run_prepared(session, _DUE_KINDS).fetchall())


_DUE_KINDS = f"""
    SELECT DISTINCT kind FROM job WHERE state = '{JobState.OPEN}' AND beat_at = 0 AND next_at <= <now>"""


def due_jobs(session: Session, kind: str, *, limit: int) -> list[Due]:
    """Jobs of a kind that are due and held by nobody, in the order in which they were asked for."""
    rows = run_prepared(session, _DUE, kind=kind, most=limit).fetchall()
    return [Due(kind, key, attempt) for key, attempt in rows]


_DUE = f"""
    SELECT key, attempt FROM job
    WHERE state = '{JobState.OPEN}' AND kind = :kind AND beat_at = 0 AND next_at <= <now>
    ORDER BY next_at, asked_at, key LIMIT :most"""


def held_jobs(session: Session) -> list[Held]:
    """Every job that somebody holds."""
    rows = run(
        session, f"SELECT kind, key, attempt, beats FROM job WHERE state = '{JobState.OPEN}' AND beat_at > 0"
    )
    return [Held(row.kind, row.key, row.attempt, row.beats) for row in rows]


def take_away(session: Session, held: Held, *, max_starts: int) -> bool:
    """Take a job from a holder that gave no more sign of life than the one in `held`; whether it was so.

    From then on that holder is fenced out. A job whose holder fell silent at each of its starts is parked.
    """
    changed = run(session, _TAKE_AWAY, max=max_starts, **vars(held))
    return changed.rowcount == 1


_FREED = f"""
    attempt = attempt + 1, beat_at = 0,
    state = CASE WHEN starts >= :max THEN '{JobState.PARKED}' ELSE state END"""
_TAKE_AWAY = f"""
    UPDATE job SET {_FREED}
    WHERE state = '{JobState.OPEN}' AND (kind, key) IN (
      SELECT kind, key FROM job
      WHERE kind = :kind AND key = :key AND attempt = :attempt AND beats = :beats AND beat_at > 0 <locked if free>)"""


def give_up(session: Session, hanging: Claim, *, max_starts: int) -> bool:
    """Take a job from a handler of our own that hangs, and fence it out; whether it still held it."""
    statement = f"""
        UPDATE job SET {_FREED}
        WHERE kind = :kind AND key = :key AND attempt = :mine AND state = '{JobState.OPEN}'"""
    values = {"kind": hanging.kind, "key": hanging.key, "mine": hanging.attempt}
    return run(session, statement, max=max_starts, **values).rowcount == 1


def take_all_away(session: Session, *, max_starts: int) -> int:
    """Take every job from its holder, all of whom are known to be dead or are to be fenced out; returns how many."""
    hold_jobs(session)
    statement = f"UPDATE job SET {_FREED} WHERE state = '{JobState.OPEN}' AND beat_at > 0"
    return run(session, statement, max=max_starts).rowcount


def put_back(session: Session, failed: Claim, patience: Patience) -> None:
    """Leave a job whose handler failed open for another start, or park it after the last one."""
    run(
        session,
        _PUT_BACK,
        kind=failed.kind,
        key=failed.key,
        mine=failed.attempt,
        retry=patience.retry,
        max=patience.max_starts,
    )


_PUT_BACK = f"""
    UPDATE job SET beat_at = 0, next_at = <now> + :retry * CASE WHEN starts > 1 THEN starts ELSE 1 END,
      state = CASE WHEN starts >= :max THEN '{JobState.PARKED}' ELSE state END
    WHERE kind = :kind AND key = :key AND attempt = :mine AND state = '{JobState.OPEN}'"""


def hold_jobs(session: Session) -> None:
    """Let nobody change a job until this transaction ends: for who changes all of them.

    Those under way are waited for: changing many while others change two each would end in a deadlock. Whoever comes
    after a waiting lock waits behind it, signs of life too; so it waits in short turns, for a minute in all. Raises
    `StoreUnavailable` where a change takes longer than that. SQLite has one writer anyway.
    """
    if on_one_machine(session):
        return
    for _ in range(_HOLD_TURNS):
        if _held(session):
            return
        time.sleep(_HOLD_PAUSE)
    raise StoreUnavailable(
        "a change of many jobs takes long, such as the opening of a campaign; nothing was changed",
        where="job",
        next_step="try again when it is done",
    )


def _held(session: Session) -> bool:
    try:
        with session.begin_nested():
            run(session, f"SET LOCAL lock_timeout = '{_HOLD_TURN}'")
            run(session, "SELECT pg_advisory_xact_lock(:lock)", lock=SWEEP_LOCK)
            run(session, "LOCK TABLE job IN SHARE ROW EXCLUSIVE MODE")
            run(session, "RESET lock_timeout")
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) != _LOCK_NOT_AVAILABLE:
            raise
        return False
    return True


_HOLD_TURN, _HOLD_PAUSE, _HOLD_TURNS = "2s", 0.5, 24
_LOCK_NOT_AVAILABLE = "55P03"


def look_again(session: Session) -> int:
    """Let every open job be due now: its handler knows for itself what must still wait. Returns how many waited."""
    hold_jobs(session)
    statement = (
        f"UPDATE job SET next_at = 0, pokes = pokes + 1 WHERE state = '{JobState.OPEN}' AND next_at > 0"
    )
    return run(session, statement).rowcount


def look_again_where_free(session: Session) -> None:
    """As `look_again`, for the jobs that nobody is changing at this moment: waits for nobody."""
    run(session, _LOOK_AGAIN_WHERE_FREE)


_LOOK_AGAIN_WHERE_FREE = f"""
    UPDATE job SET next_at = 0, pokes = pokes + 1 WHERE (kind, key) IN (
      SELECT kind, key FROM job WHERE state = '{JobState.OPEN}' AND next_at > 0 AND beat_at = 0 <locked if free>)"""


def open_jobs(session: Session, *, incident_id: str | None = None) -> int:
    """How many jobs are due or under way now (not those that wait for a later time, nor parked ones)."""
    statement = f"""
        SELECT count(*) FROM job
        WHERE state = '{JobState.OPEN}' AND (next_at <= <now> OR beat_at > 0)"""
    if incident_id is not None:
        statement += " AND incident_id = :incident"
        return int(run(session, statement, incident=incident_id).scalar_one())
    return int(run(session, statement).scalar_one())


def overdue_jobs(session: Session, *, seconds: float) -> int:
    """How many jobs have been due for longer than this and are held by nobody: nobody works on them."""
    statement = f"""
        SELECT count(*) FROM job WHERE state = '{JobState.OPEN}' AND beat_at <= <now> - :seconds
        AND next_at <= <now> - :seconds AND asked_at <= <now> - :seconds"""
    return int(run(session, statement, seconds=seconds).scalar_one())


def parked_jobs(session: Session) -> dict[str, int]:
    """How many jobs of each kind are parked: they failed at every start, and only a person brings them back."""
    statement = f"SELECT kind, count(*) AS many FROM job WHERE state = '{JobState.PARKED}' GROUP BY kind ORDER BY kind"
    return {row.kind: row.many for row in run(session, statement)}


def job_counts(session: Session) -> list[JobCount]:
    """Where the jobs of each kind stand; those that are done are not counted."""
    return [
        JobCount(row.kind, row.under_way, row.due, row.waiting, row.parked) for row in run(session, _COUNTS)
    ]


_COUNTS = f"""
    SELECT kind,
      sum(CASE WHEN state = '{JobState.OPEN}' AND beat_at > 0 THEN 1 ELSE 0 END) AS under_way,
      sum(CASE WHEN state = '{JobState.OPEN}' AND beat_at = 0 AND next_at <= <now> THEN 1 ELSE 0 END) AS due,
      sum(CASE WHEN state = '{JobState.OPEN}' AND beat_at = 0 AND next_at > <now> THEN 1 ELSE 0 END) AS waiting,
      sum(CASE WHEN state = '{JobState.PARKED}' THEN 1 ELSE 0 END) AS parked
    FROM job WHERE state <> '{JobState.DONE}' GROUP BY kind ORDER BY kind"""


def retry_parked(session: Session) -> int:
    """Make every parked job due again, with all its starts before it; returns how many there were."""
    hold_jobs(session)
    statement = f"""
        UPDATE job SET state = '{JobState.OPEN}', starts = 0, beat_at = 0, next_at = 0, asked_at = <now>
        WHERE state = '{JobState.PARKED}'"""
    return run(session, statement).rowcount
