"""How work survives: jobs over our own rows, and the in-process runner for one machine.

The truth lies in the rows that a job works on; a job only says that they need work. A job is `(kind, key)` with a
fencing number `attempt`. It is claimed in one statement by the database's clock; every transaction of a handler
begins with `Lease.fence`, which beats and stops a handler whose attempt is no longer the current one. A job whose
worker is gone gets a new attempt; after `max_starts` starts in a row without success it is parked for a person.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Any, TypeVar

from sqlalchemy import text
from sqlmodel import Session

from incident.errors import ConflictingWrite, StoreUnavailable
from incident.store.store import Store

log = logging.getLogger(__name__)
T = TypeVar("T")

# Only the database's clock counts for jobs: workers' clocks differ and jump.
_NOW = "((julianday('now') - 2440587.5) * 86400.0)"


class JobState(StrEnum):
    OPEN = "open"
    DONE = "done"
    PARKED = "parked"


@dataclass(frozen=True)
class Patience:
    """How long to wait for what, in seconds.

    `stale`: a job not heard of for so long gets a new attempt. `retry`: pause after a handler failed, times the
    starts so far.
    """

    stale: float = 30.0
    poll: float = 0.2
    retry: float = 2.0
    max_starts: int = 5
    slots: int = 2


class Fenced(ConflictingWrite):
    """This attempt is no longer the job's current one: stop, touch nothing more."""


@dataclass(frozen=True)
class Claim:
    """One attempt at one job."""

    kind: str
    key: str
    attempt: int
    pokes: int


class Lease:
    """A handler's hold on its job. `fence` is the first call in each of its transactions."""

    def __init__(self, store: Store, claim: Claim, stopping: threading.Event) -> None:
        self.store = store
        self.claim = claim
        self._stopping = stopping

    @property
    def stopping(self) -> bool:
        """Whether the worker was asked to stop: finish the group under way, then leave the job open."""
        return self._stopping.is_set()

    def fence(self, session: Session, *, progress: bool = False) -> None:
        """Beat, and prove that this attempt is still ours. Raises `Fenced`.

        `progress` says that something was completed: the count of starts in vain begins anew.
        """
        vain = ", starts = 0" if progress else ""
        self._only_if_ours(session, f"UPDATE job SET beat_at = {_NOW}{vain} WHERE {_OURS}")

    def done(self, session: Session) -> None:
        """Close the job in the handler's last transaction, unless it was poked meanwhile: then it stays due."""
        self._only_if_ours(
            session,
            f"UPDATE job SET beat_at = 0, starts = 0, next_at = 0,"
            f" state = CASE WHEN pokes = :pokes THEN '{JobState.DONE}' ELSE '{JobState.OPEN}' END WHERE {_OURS}",
        )

    def again(self, session: Session, *, after: float = 0.0) -> None:
        """Leave the job open and due in `after` seconds (at once, if it was poked meanwhile)."""
        self._only_if_ours(
            session,
            "UPDATE job SET beat_at = 0, starts = 0,"
            f" next_at = CASE WHEN pokes = :pokes THEN {_NOW} + :after ELSE 0 END WHERE {_OURS}",
            after=after,
        )

    def _only_if_ours(self, session: Session, statement: str, **values: float) -> None:
        claim = self.claim
        parameters = {"kind": claim.kind, "key": claim.key, "mine": claim.attempt, **values}
        if ":pokes" in statement:
            parameters["pokes"] = claim.pokes
        if session.connection().execute(_statement(statement), parameters).rowcount != 1:
            raise Fenced(f"another worker took over {claim.kind}/{claim.key}")


_statement = cache(text)
_OURS = f"kind = :kind AND key = :key AND attempt = :mine AND state = '{JobState.OPEN}'"

Handler = Callable[[Lease], None]


def put_job(
    session: Session, kind: str, key: str, *, incident_id: str | None = None, after: float = 0.0
) -> None:
    """Ask for work on `(kind, key)` inside a writing transaction; asking again while it runs makes it run again."""
    session.connection().execute(
        text(
            "INSERT INTO job (kind, key, incident_id, state, attempt, starts, pokes, beats, beat_at, next_at)"
            f" VALUES (:kind, :key, :incident, '{JobState.OPEN}', 0, 0, 1, 0, 0, {_NOW} + :after)"
            " ON CONFLICT (kind, key) DO UPDATE SET pokes = job.pokes + 1,"
            f" next_at = CASE WHEN job.state = '{JobState.OPEN}' THEN min(job.next_at, {_NOW} + :after)"
            f" ELSE {_NOW} + :after END,"
            f" starts = CASE WHEN job.state = '{JobState.OPEN}' THEN job.starts ELSE 0 END,"
            f" state = '{JobState.OPEN}'"
        ),
        {"kind": kind, "key": key, "incident": incident_id, "after": after},
    )


def open_jobs(session: Session, *, incident_id: str | None = None) -> int:
    """How many jobs are due or under way now (not those that wait for a later time, nor parked ones)."""
    statement = f"SELECT count(*) FROM job WHERE state = '{JobState.OPEN}' AND next_at <= {_NOW}"
    if incident_id is not None:
        return int(
            session.connection()
            .execute(text(statement + " AND incident_id = :incident"), {"incident": incident_id})
            .scalar_one()
        )
    return int(session.connection().execute(text(statement)).scalar_one())


def overdue_jobs(session: Session, *, seconds: float) -> int:
    """How many jobs have been due for longer than this and are not under way: nobody works on them."""
    statement = (
        f"SELECT count(*) FROM job WHERE state = '{JobState.OPEN}'"
        f" AND next_at <= {_NOW} - :seconds AND beat_at <= {_NOW} - :seconds"
    )
    return int(session.connection().execute(text(statement), {"seconds": seconds}).scalar_one())


def parked_jobs(session: Session) -> dict[str, int]:
    """How many jobs of each kind are parked: they failed at every start, and only a person brings them back."""
    statement = (
        f"SELECT kind, count(*) FROM job WHERE state = '{JobState.PARKED}' GROUP BY kind ORDER BY kind"
    )
    return {kind: count for kind, count in session.connection().execute(text(statement))}


def retry_parked(session: Session) -> int:
    """Make every parked job due again, with all its starts before it; returns how many there were."""
    statement = (
        f"UPDATE job SET state = '{JobState.OPEN}', starts = 0, beat_at = 0, next_at = {_NOW}"
        f" WHERE state = '{JobState.PARKED}'"
    )
    return session.connection().execute(text(statement)).rowcount


class Runner:
    """The in-process runner: claims due jobs and runs their handlers on a few threads.

    One runner a database, held by the workspace's worker lock. Taking the lock proves every earlier owner dead,
    so `work` first lets go of whatever they held. `handlers` stand in the order of their importance, and `at_once`
    limits a kind to so many jobs at a time: an alert must not wait behind a million e-mails.
    """

    def __init__(
        self,
        store: Store,
        handlers: Mapping[str, Handler],
        *,
        patience: Patience | None = None,
        at_once: Mapping[str, int] | None = None,
    ) -> None:
        self._at_once = dict(at_once or {})
        self._store = store
        self._handlers = dict(handlers)
        self._patience = patience or Patience()
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._running: set[tuple[str, str]] = set()
        self._guard = threading.Lock()

    def stop(self) -> None:
        """Ask the runner to stop after the groups under way."""
        self._stopping.set()
        self._wake.set()

    def work(
        self, *, until: Callable[[], bool] | None = None, beat: Callable[[], None] | None = None
    ) -> None:
        """Work until `stop` is called, or until `until()` holds while nothing runs; `beat` is called in between."""
        self._release_the_dead()
        with ThreadPoolExecutor(self._patience.slots, thread_name_prefix="job") as pool:
            try:
                self._work_on(pool, until, beat)
            except BaseException:
                # The pool waits for its handlers; they must hear that it is over.
                self.stop()
                raise

    def _work_on(
        self, pool: ThreadPoolExecutor, until: Callable[[], bool] | None, beat: Callable[[], None] | None
    ) -> None:
        while not self._stopping.is_set():
            self._wake.clear()
            for claim in self._claim(self._patience.slots - self._busy()):
                self._begin(pool, claim)
            if until is not None and not self._busy() and until():
                break
            if beat is not None:
                beat()
            self._wake.wait(self._patience.poll)

    def _busy(self) -> int:
        with self._guard:
            return len(self._running)

    def _begin(self, pool: ThreadPoolExecutor, claim: Claim) -> None:
        with self._guard:
            self._running.add((claim.kind, claim.key))
        pool.submit(self._run, claim)

    def _run(self, claim: Claim) -> None:
        try:
            if self._start(claim):
                self._handlers[claim.kind](Lease(self._store, claim, self._stopping))
        except Fenced:
            log.info("fenced: %s/%s attempt %d", claim.kind, claim.key, claim.attempt)
        except Exception as error:
            # The text may hold personal data (a server's reply, a file's line): only the class is logged.
            log.warning(
                "%s/%s attempt %d failed: %s", claim.kind, claim.key, claim.attempt, type(error).__name__
            )
            log.debug("the failure in full", exc_info=True)
            self._put_back(claim)
        finally:
            with self._guard:
                self._running.discard((claim.kind, claim.key))
            self._wake.set()

    def _start(self, claim: Claim) -> bool:
        statement = text(
            f"UPDATE job SET starts = starts + 1, beat_at = {_NOW} WHERE {_OURS}"
        )
        with self._store.transaction() as session:
            parameters = {"kind": claim.kind, "key": claim.key, "mine": claim.attempt}
            return session.connection().execute(statement, parameters).rowcount == 1

    def _put_back(self, claim: Claim) -> None:
        statement = text(
            f"UPDATE job SET beat_at = 0, next_at = {_NOW} + :retry * max(starts, 1),"
            f" state = CASE WHEN starts >= :max THEN '{JobState.PARKED}' ELSE state END WHERE {_OURS}"
        )
        parameters = {
            "kind": claim.kind,
            "key": claim.key,
            "mine": claim.attempt,
            "retry": self._patience.retry,
            "max": self._patience.max_starts,
        }
        try:
            with self._store.transaction() as session:
                session.connection().execute(statement, parameters)
        except Exception as error:
            # The job goes stale by itself and is taken up again.
            log.warning("%s/%s could not be put back: %s", claim.kind, claim.key, type(error).__name__)

    def _claim(self, room: int) -> list[Claim]:
        if room <= 0:
            return []
        due = (
            f"state = '{JobState.OPEN}' AND next_at <= {_NOW} AND (attempt = 0 OR beat_at = 0"
            f" OR beat_at < {_NOW} - :stale)"
        )
        patience = {"stale": self._patience.stale}
        with self._guard:
            running = set(self._running)
        wanted: list[Any] = []
        with self._store.read() as session:
            statement = text(
                f"SELECT kind, key FROM job WHERE {due} AND kind = :kind ORDER BY next_at, key LIMIT :many"
            )
            for kind in self._handlers:
                busy = sum(each == kind for each, _ in running)
                most = min(room, self._at_once.get(kind, room + busy) - busy)
                values = {**patience, "kind": kind, "many": self._patience.slots + most}
                found = session.connection().execute(statement, values) if most > 0 else ()
                wanted += [row for row in found if (row.kind, row.key) not in running][:most]
        claims: list[Claim] = []
        for row in wanted[:room]:
            take = text(
                f"UPDATE job SET attempt = attempt + 1, beat_at = {_NOW}"
                f" WHERE kind = :kind AND key = :key AND {due} RETURNING attempt, pokes"
            )
            with self._store.transaction() as session:
                taken = (
                    session.connection().execute(take, {"kind": row.kind, "key": row.key, **patience}).first()
                )
            if taken is not None:
                claims.append(Claim(row.kind, row.key, taken.attempt, taken.pokes))
        return claims

    def _release_the_dead(self) -> None:
        # A job whose worker died at each of its starts is poison: it is parked here, as no handler lived to do it.
        with self._store.transaction() as session:
            session.connection().execute(
                text(
                    f"UPDATE job SET beat_at = 0,"
                    f" state = CASE WHEN starts >= :max THEN '{JobState.PARKED}' ELSE state END"
                    f" WHERE state = '{JobState.OPEN}'"
                ),
                {"max": self._patience.max_starts},
            )


def insist(write: Callable[[], T], *, patience: float = 20.0, pause: float = 0.5) -> T:
    """Run a transaction that records what has happened outside already, again while the store is unavailable.

    Who gave up at once would lose what only they know, such as that a message was taken. After `patience` seconds
    the last `StoreUnavailable` is raised.
    """
    until = time.monotonic() + patience
    while True:
        try:
            return write()
        except StoreUnavailable:
            if time.monotonic() >= until:
                raise
            time.sleep(pause)


def wait_for(
    condition: Callable[[], bool], *, poll: float = 0.2, beat: Callable[[], None] | None = None
) -> None:
    """Follow work that another process does until `condition` holds, calling `beat` in between."""
    while not condition():
        if beat is not None:
            beat()
        time.sleep(poll)
