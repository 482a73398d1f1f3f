"""Work spread over several machines by Procrastinate, a queue in PostgreSQL.

The queue lives in a schema of its own and holds no truth. Its jobs carry the kind and the key of one of ours; who
fetches one claims ours first, and finds nothing to do where somebody was faster. So the schema may be dropped at any
moment: a sweep in every worker offers again what our rows say is due, and takes jobs from holders that fell silent.

What was measured before this was chosen, and which of the queue's own means are not used (its retries, its locks, its
recovery of stalled jobs), is told in ADR 0001.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from procrastinate import App, PsycopgConnector, SyncPsycopgConnector
from procrastinate import exceptions as queue_errors
from procrastinate.jobs import Job as QueuedJob
from sqlalchemy.exc import DBAPIError
from sqlmodel import Session

from incident.durable.crew import Crew, Handler, KindIsFull
from incident.durable.jobs import (
    SWEEP_LOCK,
    Due,
    Patience,
    database_clock,
    due_jobs,
    held_jobs,
    look_again,
    look_again_where_free,
    run,
    take_away,
)
from incident.durable.lease import Lease
from incident.durable.watching import Watcher, elapsed_clock
from incident.durable.workers import Presence, forget_the_dead
from incident.errors import CarrierUnavailable, StoreUnavailable, TocsinError
from incident.store.instance import NotInCharge
from incident.store.store import Store

if TYPE_CHECKING:
    from procrastinate.tasks import Task

log = logging.getLogger(__name__)

SCHEMA = "tocsin_queue"
_TASK = "job"
_TAKEN_OVER, _NEW = 10, 0  # priorities: what was taken from the silent goes first
_WINDOW = 64  # jobs of a kind offered at a time: a short line, so that a take-over does not wait at its end
_OFFER_LASTS = 5.0  # seconds until a job that is still due is offered again; the queue may have been emptied
_AT_ONCE = 2  # jobs at a time of a kind without a number of its own
_LOOK_SECONDS = 0.4  # between two looks at the brake: it acts within a second
_FULL_WAIT, _FULL_LOOKS = 0.2, 25
_CLEAN_SECONDS = 300.0
_CLOCK_SET_BACK_SECONDS = 5.0
# Longer than the queue takes to note down the end of a job that is over.
_ASK_AGAIN_SECONDS = 3.0
_ASK_TASKS_AGAIN_SECONDS = 0.2
_RECONNECT_SECONDS = 0.5
_RESET_LOCK = 7_306_021_100  # any number; the schema is made by one session at a time


def conninfo(parameters: Mapping[str, Any]) -> str:
    """How the queue's own connections reach the store's database: as the store does, but in the queue's schema."""
    from psycopg.conninfo import make_conninfo

    options = f"{parameters.get('options', '')} -c search_path={SCHEMA} -c statement_timeout=10s".strip()
    return make_conninfo("", **{**parameters, "options": options, "application_name": "tocsin queue"})


# -- the schema ------------------------------------------------------------------------------------


def make_schema(session: Session, *, anew: bool = False) -> bool:
    """Make the queue's schema where there is none, in this transaction; `anew` drops it first. Whether it was made.

    Its tables appear and vanish with the transaction, so workers see the old ones or the new ones.
    """
    run(session, "SELECT pg_advisory_xact_lock(:lock)", lock=_RESET_LOCK)
    there = run(session, "SELECT to_regclass(:jobs)", jobs=f"{SCHEMA}.procrastinate_jobs").scalar_one()
    if there is not None and not anew:
        return False
    from procrastinate.schema import SchemaManager

    run(session, f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE")
    run(session, f"CREATE SCHEMA {SCHEMA}")
    run(session, _QUEUE_FIRST, schema=SCHEMA)
    _driver(session).execute(SchemaManager.get_schema())
    return True


# For the rest of the transaction the queue's names are found first; ours are others.
_QUEUE_FIRST = "SELECT set_config('search_path', :schema || ',' || current_setting('search_path'), true)"


def _driver(session: Session) -> Any:
    """The driver's own connection under a session, for statements that are not ours."""
    return session.connection().connection.driver_connection


# -- offering jobs ---------------------------------------------------------------------------------

_offering = App(connector=SyncPsycopgConnector())


def _queued(kind: str, key: str, *, attempt: int, priority: int) -> QueuedJob:
    """A job of the queue: names of rows and nothing else, since the queue keeps and logs what it is given.

    Its lock holds the attempt, so that an offer left over from an earlier attempt does not stand in the way.
    """
    deferrer = _offering.configure_task(
        _TASK, queue=kind, queueing_lock=f"{kind}/{key}/{attempt}", priority=priority
    )
    return deferrer.job.evolve(task_kwargs={"kind": kind, "key": key})


def _offer(session: Session, job: QueuedJob) -> bool:
    """Put a job into the queue within this transaction, where the queue's names are found; whether it is in there."""
    try:
        with session.begin_nested():
            _offering.job_manager.defer_job(job, connection=_driver(session))
    except queue_errors.AlreadyEnqueued:
        return True
    except (queue_errors.ConnectorException, DBAPIError) as error:
        log.info("the queue took nothing (%s); the next sweep offers it", type(error).__name__)
        return False
    return True


def wake_workers(session: Session, kind: str, key: str) -> None:
    """Offer a job that was just asked for, in the transaction that asks: it starts as soon as that commits.

    Where the queue's schema is missing nothing happens; the workers' sweep finds the job.
    """
    found = run(session, _WAKE, jobs=f"{SCHEMA}.procrastinate_jobs", schema=SCHEMA, kind=kind, key=key).one()
    if found.there is not None:
        _offer(session, _queued(kind, key, attempt=found.attempt, priority=_NEW))


_WAKE = f"""
    SELECT to_regclass(:jobs) AS there, job.attempt, ({_QUEUE_FIRST}) AS path
    FROM job WHERE kind = :kind AND key = :key"""


class Sweep:
    """Offers what is due and takes jobs from the silent. One a worker; at one time one of all workers sweeps."""

    def __init__(self, crew: Crew) -> None:
        self._crew = crew
        patience = crew.patience
        self._watcher = Watcher(stale=patience.stale, gap=max(3 * patience.sweep, patience.stale / 2))
        self._offered: dict[Due, float] = {}
        self._clock: tuple[float, float] | None = None

    def sweep(self) -> None:
        """Look once. Every worker observes; only who gets the lock acts, and none holds it across two sweeps."""
        now = elapsed_clock()
        try:
            with self._crew.store.transaction() as session:
                silent = self._watcher.silent(held_jobs(session), now=now)
                ours = run(session, "SELECT pg_try_advisory_xact_lock(:lock)", lock=SWEEP_LOCK)
                if not ours.scalar_one():
                    return
                run(session, _QUEUE_FIRST, schema=SCHEMA)
                self._mind_the_clock(session, now)
                for each in silent:
                    if take_away(session, each, max_starts=self._crew.patience.max_starts):
                        log.warning(
                            "%s/%s attempt %d fell silent; it is offered again",
                            each.kind,
                            each.key,
                            each.attempt,
                        )
                        job = _queued(each.kind, each.key, attempt=each.attempt + 1, priority=_TAKEN_OVER)
                        _offer(session, job)
                self._offer_due(session, now)
        except (StoreUnavailable, TocsinError):
            self._watcher.forget()
            self._offered.clear()
            raise

    def _offer_due(self, session: Session, now: float) -> None:
        self._offered = {due: at for due, at in self._offered.items() if now - at < _OFFER_LASTS}
        for kind in self._crew.kinds:
            for due in due_jobs(session, kind, limit=_WINDOW):
                if due in self._offered:
                    continue
                if _offer(session, _queued(kind, due.key, attempt=due.attempt, priority=_NEW)):
                    self._offered[due] = now

    def _mind_the_clock(self, session: Session, now: float) -> None:
        """When the database's clock was set back, what waits for a time would wait too long: let it look for itself."""
        wall = database_clock(session)
        if self._clock is not None:
            before, then = self._clock
            if wall - then < (now - before) - _CLOCK_SET_BACK_SECONDS:
                log.warning("the database's clock was set back; every open job looks again")
                look_again(session)
        self._clock = (now, wall)


# -- a worker --------------------------------------------------------------------------------------


class QueueRunner:
    """One worker of several: fetches from the queue, claims, runs the handlers, sweeps, and gives signs of life.

    `at_once` says how many jobs of a kind it takes at a time (two without a number). It survives the database's
    absence: it stops acting before others could take over, and goes on by itself when the database is back.
    """

    def __init__(
        self,
        store: Store,
        handlers: Mapping[str, Handler],
        *,
        parameters: Mapping[str, Any],
        patience: Patience | None = None,
        at_once: Mapping[str, int] | None = None,
    ) -> None:
        """`parameters` are the driver's for the store's database."""
        self._parameters = parameters
        self._store = store
        self._patience = patience or Patience()
        self._stopping = threading.Event()
        self._crew = Crew(store, handlers, patience=self._patience, stopping=self._stopping, alone=False)
        self._lanes = {kind: (at_once or {}).get(kind, _AT_ONCE) for kind in self._crew.kinds}
        self._sweep = Sweep(self._crew)
        self._presence = Presence(store, slots=sum(self._lanes.values()))
        self._ends: dict[Lease, Callable[[], None]] = {}
        self._failure: TocsinError | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._serving: asyncio.Task[None] | None = None

    def stop(self) -> None:
        """Ask the worker to stop after the groups under way."""
        self._stopping.set()
        loop, serving = self._loop, self._serving
        if loop is not None and serving is not None:
            # Asked a second time, when the loop has ended already.
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(serving.cancel)

    def work(
        self, *, until: Callable[[], bool] | None = None, beat: Callable[[], None] | None = None
    ) -> None:
        """Work until `stop` is called, or until `until()` holds while nothing runs; `beat` is called in between.

        Raises `NotInCharge` when another copy of the record became the one that acts.
        """
        upkeep = threading.Thread(target=self._keep_up, name="upkeep", daemon=True)
        serving = threading.Thread(target=self._serve_in_thread, name="queue", daemon=True)
        upkeep.start()
        serving.start()
        try:
            while not self._stopping.is_set():
                if until is not None and not self._crew.busy_with() and until():
                    break
                if beat is not None:
                    beat()
                self._stopping.wait(self._patience.poll)
        finally:
            self.stop()
            self._wait_for(serving)
            upkeep.join()
            self._leave()
        if self._failure is not None:
            raise self._failure

    def _wait_for(self, serving: threading.Thread) -> None:
        """Until the queue's thread has ended. What connects just then may swallow the call to stop, so it is repeated."""
        while serving.is_alive():
            serving.join(_ASK_AGAIN_SECONDS)
            if serving.is_alive() and not self._crew.busy_with():
                self.stop()

    def _leave(self) -> None:
        try:
            self._presence.leave()
        except StoreUnavailable:
            log.info("the worker's row stays until another worker removes it")

    # -- beside the handlers: brakes, signs of life, sweeps

    def _keep_up(self) -> None:
        swept = beaten = -1e9
        pause = min(_LOOK_SECONDS, self._patience.sweep, self._patience.beat)
        while not self._stopping.is_set() or self._crew.busy_with():
            now = elapsed_clock()
            self._try(self._crew.look_at_brakes)
            self._try(self._give_up_on_hanging)
            if now - beaten >= self._patience.beat:
                beaten = now
                self._try(self._crew.beat)
                self._try(self._presence.show)
            if now - swept >= self._patience.sweep and not self._stopping.is_set():
                swept = now
                self._try(self._sweep.sweep)
            time.sleep(pause if not self._stopping.is_set() else 0.05)

    def _give_up_on_hanging(self) -> None:
        try:
            for lease in self._crew.give_up_on_hanging():
                self._let_the_slot_go(lease)
        except CarrierUnavailable as error:
            self._failure = error
            self.stop()

    def _let_the_slot_go(self, lease: Lease) -> None:
        if (ended := self._ends.pop(lease, None)) is not None:
            ended()

    def _try(self, upkeep: Callable[[], object]) -> None:
        try:
            upkeep()
        except NotInCharge as error:
            self._failure = error
            self.stop()
        except Exception as error:
            # Whatever it is, the next round tries again; leases that are not confirmed stop acting by themselves.
            log.warning("upkeep of this worker failed: %s", type(error).__name__)

    # -- the queue

    def _serve_in_thread(self) -> None:
        # Asked to stop while it waits to connect anew.
        with suppress(asyncio.CancelledError):
            asyncio.run(self._serve_to_the_end())

    async def _serve_to_the_end(self) -> None:
        try:
            await self._serve_for_ever()
        finally:
            self._serving = None
            await _end_all_tasks()

    async def _serve_for_ever(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._loop.set_exception_handler(_left_behind)
        self._serving = asyncio.current_task()
        while not self._stopping.is_set():
            try:
                await asyncio.to_thread(self._make_ready)
                await self._serve()
            except asyncio.CancelledError:
                return
            except Exception as error:
                # The queue's worker ends when its connection or its tables are gone; that is no reason for ours to.
                log.warning("the queue is away (%s); connecting anew", type(error).__name__)
            await asyncio.sleep(_RECONNECT_SECONDS)

    def _make_ready(self) -> None:
        with self._store.transaction() as session:
            if make_schema(session):
                log.info("the queue's schema was made")
            forget_the_dead(session, silent_for=max(10 * self._patience.stale, 600.0))
            # The database's clock may have been set back while nobody worked.
            look_again_where_free(session)

    async def _serve(self) -> None:
        connector = PsycopgConnector(
            conninfo=conninfo(self._parameters), min_size=1, max_size=4 + len(self._lanes), timeout=5
        )
        app = App(connector=connector)
        self._task_of(app)
        async with app.open_async(), asyncio.TaskGroup() as group:
            for kind, at_once in self._lanes.items():
                group.create_task(
                    app.run_worker_async(
                        queues=[kind],
                        concurrency=at_once,
                        delete_jobs="always",
                        listen_notify=True,
                        fetch_job_polling_interval=1.0,
                        abort_job_polling_interval=60.0,
                        update_heartbeat_interval=10.0,
                        stalled_worker_timeout=60.0,
                        install_signal_handlers=False,
                    )
                )
            group.create_task(self._clean(app))

    def _task_of(self, app: App) -> Task[Any, Any, Any]:
        async def job(kind: str, key: str) -> None:
            lease = await self._claimed(kind, key)
            if lease is None:
                return
            loop, ended = asyncio.get_running_loop(), asyncio.Event()
            # Set from the handler's thread at its end, or from the upkeep's when the handler hangs.
            self._ends[lease] = partial(_from_another_thread, loop, ended)
            threading.Thread(target=self._do, args=(lease,), name=f"job {kind}/{key}", daemon=True).start()
            await ended.wait()

        return app.task(name=_TASK)(job)

    async def _claimed(self, kind: str, key: str) -> Lease | None:
        """Claim what the queue offered. Where the kind is full, its slot here waits for a while: others are ahead."""
        for _ in range(_FULL_LOOKS):
            if self._stopping.is_set():
                return None
            try:
                return await asyncio.to_thread(self._crew.claim, kind, key)
            except KindIsFull:
                await asyncio.sleep(_FULL_WAIT)
            except Exception as error:
                log.warning("%s/%s could not be claimed: %s", kind, key, type(error).__name__)
                return None
        return None

    def _do(self, lease: Lease) -> None:
        self._crew.do(lease)
        self._let_the_slot_go(lease)

    async def _clean(self, app: App) -> None:
        """Remove what dead workers left in the queue: it runs no more, and would only grow."""
        from procrastinate.jobs import Status

        while True:
            for left in await app.job_manager.get_stalled_jobs(seconds_since_heartbeat=120.0):
                await app.job_manager.finish_job(left, status=Status.FAILED, delete_job=True)
            await asyncio.sleep(_CLEAN_SECONDS)


async def _end_all_tasks() -> None:
    """End every other task of this loop. `asyncio.run` asks each of them once and then waits for it without end: what
    connects to the database just then may take the cancel for a failed connection, and go on."""
    this = asyncio.current_task()
    while others := {task for task in asyncio.all_tasks() if task is not this}:
        for task in others:
            task.cancel()
        # A call to stop that was under way may still reach this task.
        with suppress(asyncio.CancelledError):
            await asyncio.wait(others, timeout=_ASK_TASKS_AGAIN_SECONDS)


def _from_another_thread(loop: asyncio.AbstractEventLoop, ended: asyncio.Event) -> None:
    with suppress(RuntimeError):  # the loop is gone: nobody waits any more
        loop.call_soon_threadsafe(ended.set)


def _left_behind(_loop: asyncio.AbstractEventLoop, told: dict[str, Any]) -> None:
    """What the queue's own tasks leave unsaid when its tables or its connection go: our rows decide, it is no harm."""
    log.info("the queue left a task behind: %s", type(told.get("exception")).__name__)
