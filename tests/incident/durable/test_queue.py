"""Work spread over several workers by the queue in PostgreSQL: real servers, real threads, and what can go wrong."""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from pathlib import Path
from typing import Any

import pytest

import incident.store.postgres as postgres_store
from incident import durable
from incident.durable import (
    EVERYTHING,
    Handler,
    Lease,
    Patience,
    lift_brake,
    put_job,
    queue,
    set_brake,
    workers,
)
from incident.durable.jobs import run
from incident.durable.queue import SCHEMA, QueueRunner, make_schema
from incident.store.postgres import connection_parameters
from tests.support.jobs import done, everybody_dies, is_over, job, put
from tests.support.postgres import PostgresServer
from tests.support.workspaces import Made, make_workspace

QUICK = Patience(stale=2.0, beat=0.3, poll=0.02, sweep=0.2, retry=0.0, max_starts=3)


@pytest.fixture
def made(tmp_path: Path, postgres: PostgresServer) -> Made:
    return make_workspace(tmp_path, on=postgres)


@contextmanager
def a_worker(
    made: Made,
    handlers: Mapping[str, Handler],
    *,
    patience: Patience = QUICK,
    at_once: Mapping[str, int] | None = None,
) -> Iterator[QueueRunner]:
    """A worker on threads of its own, over a store of its own, as a process would have."""
    store = made.another().store
    settings = made.settings.store
    runner = QueueRunner(
        store,
        handlers,
        parameters=connection_parameters(settings.url, password=settings.password),
        patience=patience,
        at_once=at_once,
    )
    thread = threading.Thread(target=runner.work)
    thread.start()
    try:
        yield runner
    finally:
        runner.stop()
        thread.join(30)
        assert not thread.is_alive(), "the worker did not stop"


def until(condition: Callable[[], bool], *, seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def is_ready(made: Made) -> Callable[[], bool]:
    """Whether a worker has made the queue ready and shows itself."""

    def ready() -> bool:
        with made.store.read() as session:
            there = run(
                session, "SELECT to_regclass(:name)", name=f"{SCHEMA}.procrastinate_jobs"
            ).scalar_one()
            return there is not None and len(workers(session)) > 0

    return ready


def queued(made: Made, postgres: PostgresServer) -> int:
    database = made.settings.store.url.rpartition("/")[2]
    statement = "SELECT count(*) FROM tocsin_queue.procrastinate_jobs"
    [[count]] = postgres.execute(statement, database=database)
    return int(count)


def test_jobs_are_done_once_each_by_whichever_worker_comes_first(made: Made) -> None:
    ran: list[str] = []

    def handler(lease: Lease) -> None:
        ran.append(lease.claim.key)
        done(lease)

    for number in range(30):
        put(made.store, f"k{number:02d}")
    with a_worker(made, {"work": handler}), a_worker(made, {"work": handler}):
        until(is_over(made.store))
    assert sorted(ran) == [f"k{number:02d}" for number in range(30)]


def test_a_job_that_is_asked_for_begins_at_once_not_at_the_next_sweep(made: Made) -> None:
    begun: list[float] = []

    def handler(lease: Lease) -> None:
        begun.append(time.monotonic())
        done(lease)

    slow = Patience(stale=30, beat=1, sweep=30, poll=0.02)
    with a_worker(made, {"work": handler}, patience=slow):
        until(is_ready(made))
        time.sleep(0.5)
        put(made.store)
        until(lambda: len(begun) > 0, seconds=15)
    assert job(made.store).state == "done"


def test_a_job_that_is_asked_for_while_it_runs_begins_again_at_once(
    made: Made, postgres: PostgresServer
) -> None:
    begun, may_end = threading.Semaphore(0), threading.Event()

    def handler(lease: Lease) -> None:
        begun.release()
        assert may_end.wait(20)
        done(lease)

    slow = Patience(stale=60, beat=1, sweep=60, poll=0.02)
    with a_worker(made, {"work": handler}, patience=slow, at_once={"work": 2}):
        until(is_ready(made))
        put(made.store)
        assert begun.acquire(timeout=20)
        put(made.store)
        # Its second offer is taken up in vain, as the job is held.
        until(lambda: queued(made, postgres) == 1)
        may_end.set()
        assert begun.acquire(timeout=20), "it waits for the next sweep"
        until(is_over(made.store))
    assert job(made.store).state == "done"


def test_a_job_whose_row_alone_is_there_is_found_by_the_sweep(made: Made) -> None:
    with made.store.transaction() as session:
        put_job(session, "work", "k", wake=False)
    with a_worker(made, {"work": done}):
        until(is_over(made.store))


def test_who_must_load_the_queue_first_keeps_the_transaction(
    made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Slow(MetaPathFinder):
        def find_spec(self, name: str, path: Any, target: Any = None) -> None:
            if name == queue.__name__:
                time.sleep(3 * idle)

    idle = 0.3
    monkeypatch.setattr(postgres_store, "_IDLE_WRITER_SECONDS", idle)
    monkeypatch.setattr(sys, "meta_path", [Slow(), *sys.meta_path])
    monkeypatch.delitem(sys.modules, queue.__name__)
    monkeypatch.setattr(durable, "queue", queue)  # set back afterwards
    put(made.store)
    assert job(made.store).state == "open"


def test_nothing_but_names_of_rows_enters_the_queue(made: Made, postgres: PostgresServer) -> None:
    with made.store.transaction() as session:
        make_schema(session)
    put(made.store, "INC-2026-0001")
    database = made.settings.store.url.rpartition("/")[2]
    statement = "SELECT args, queue_name FROM tocsin_queue.procrastinate_jobs"
    rows = postgres.execute(statement, database=database)
    assert rows == [({"kind": "work", "key": "INC-2026-0001"}, "work")]


def test_asking_many_times_leaves_one_offer_in_the_queue(made: Made, postgres: PostgresServer) -> None:
    with made.store.transaction() as session:
        assert make_schema(session) and not make_schema(session)
    for _ in range(5):
        put(made.store)
    assert queued(made, postgres) == 1


def test_asking_for_work_needs_no_queue(made: Made) -> None:
    put(made.store)
    assert job(made.store).state == "open"


def test_an_offer_is_taken_back_with_the_change_that_made_it(made: Made, postgres: PostgresServer) -> None:
    with made.store.transaction() as session:
        make_schema(session)
    with pytest.raises(ZeroDivisionError), made.store.transaction() as session:
        put_job(session, "work", "k")
        raise ZeroDivisionError
    assert queued(made, postgres) == 0


def test_a_worker_that_falls_silent_loses_its_job_to_another_and_is_fenced_out(made: Made) -> None:
    put(made.store)
    with made.store.transaction() as session:
        run(session, "UPDATE job SET attempt = 1, starts = 1, beats = 7, beat_at = <now> WHERE key = 'k'")
    began = time.monotonic()
    with a_worker(made, {"work": done}), a_worker(made, {"work": done}):
        until(is_over(made.store))
    assert time.monotonic() - began >= QUICK.stale, "nobody is given up before the time of patience is over"
    assert job(made.store).attempt > 2


def test_a_handler_that_takes_longer_than_the_patience_keeps_its_job_as_long_as_its_worker_beats(
    made: Made,
) -> None:
    put(made.store)
    ran: list[int] = []

    def handler(lease: Lease) -> None:
        ran.append(lease.claim.attempt)
        time.sleep(2.5 * QUICK.stale)
        assert lease.may_act()
        done(lease)

    with a_worker(made, {"work": handler}), a_worker(made, {"work": handler}):
        until(is_over(made.store), seconds=30)
    assert ran == [1]


def test_a_handler_that_hangs_does_not_keep_its_job_by_the_beats_of_its_worker(made: Made) -> None:
    put(made.store)
    for_ever = threading.Event()
    ran: list[int] = []

    def handler(lease: Lease) -> None:
        ran.append(lease.claim.attempt)
        if len(ran) == 1:
            for_ever.wait(30)
        done(lease)

    hurried = Patience(stale=2.0, beat=0.3, poll=0.02, sweep=0.2, longest=1.0)
    with a_worker(made, {"work": handler}, patience=hurried, at_once={"work": 1}):
        until(is_over(made.store))
        for_ever.set()
    assert len(ran) == 2


def test_what_kills_its_worker_at_each_start_is_parked(made: Made) -> None:
    put(made.store)
    with made.store.transaction() as session:
        run(session, "UPDATE job SET attempt = 9, starts = 3, beats = 7, beat_at = <now> WHERE key = 'k'")
    with a_worker(made, {"work": done}):
        until(lambda: job(made.store).state == "parked")


def test_a_handler_that_fails_is_tried_again_and_parked_in_the_end(made: Made) -> None:
    put(made.store)
    ran: list[int] = []

    def handler(lease: Lease) -> None:
        ran.append(lease.claim.attempt)
        raise ZeroDivisionError

    with a_worker(made, {"work": handler}):
        until(lambda: job(made.store).state == "parked")
    assert len(ran) == QUICK.max_starts


def test_the_queue_may_be_thrown_away_while_workers_work(made: Made, postgres: PostgresServer) -> None:
    ran: list[str] = []

    def handler(lease: Lease) -> None:
        time.sleep(0.05)
        ran.append(lease.claim.key)
        done(lease)

    for number in range(60):
        put(made.store, f"k{number:02d}")
    with a_worker(made, {"work": handler}), a_worker(made, {"work": handler}):
        until(lambda: len(ran) > 5)
        with made.store.transaction() as session:
            assert make_schema(session, anew=True)
        until(lambda: len(ran) > 15)
        database = made.settings.store.url.rpartition("/")[2]
        postgres.execute(f"DROP SCHEMA {SCHEMA} CASCADE", database=database)
        until(is_over(made.store), seconds=40)
    assert sorted(ran) == [f"k{number:02d}" for number in range(60)], "none is lost, none is done twice"


def test_workers_go_on_by_themselves_after_the_database_was_away(
    tmp_path: Path, own_postgres: PostgresServer
) -> None:
    made = make_workspace(tmp_path, on=own_postgres)
    ran: list[str] = []

    def handler(lease: Lease) -> None:
        time.sleep(0.05)
        ran.append(lease.claim.key)
        lease.insist(lambda: done(lease))

    for number in range(40):
        put(made.store, f"k{number:02d}")
    with a_worker(made, {"work": handler}), a_worker(made, {"work": handler}):
        until(lambda: len(ran) > 4)
        own_postgres.stop_at_once()
        time.sleep(QUICK.stale + 1)
        own_postgres.start()
        until(is_over(made.store), seconds=60)
    assert sorted(set(ran)) == [f"k{number:02d}" for number in range(40)]
    assert len(ran) == 40, "nobody was taken for dead because the database was away"


def test_the_brake_stops_a_handler_within_a_second_and_lifting_it_lets_it_go_on(made: Made) -> None:
    put(made.store)
    acted: list[float] = []

    def handler(lease: Lease) -> None:
        while lease.may_act() and not lease.stopping:
            acted.append(time.monotonic())
            time.sleep(0.01)
            with lease.store.transaction() as session:
                lease.fence(session)
        with lease.store.transaction() as session:
            lease.again(session, after=0.3)

    with a_worker(made, {"work": handler}):
        until(lambda: len(acted) > 5)
        began = time.monotonic()
        with made.store.transaction() as session:
            set_brake(session, EVERYTHING, at=made.clock(), by="ana")
        time.sleep(1.5)
        assert acted[-1] - began < 1.0
        with made.store.transaction() as session:
            lift_brake(session, EVERYTHING)
        until(lambda: acted[-1] - began > 1.5)


def test_a_worker_shows_itself_and_leaves_no_trace_at_a_clean_end(made: Made) -> None:
    def shown() -> list[Any]:
        with made.store.read() as session:
            return workers(session)

    with a_worker(made, {"work": done}, at_once={"work": 5}):
        until(lambda: len(shown()) == 1)
        [one] = shown()
        assert one.slots == 5 and one.pid > 0 and one.silent_for < 5
    assert shown() == []


@pytest.mark.parametrize("after", [0.0, 0.02, 0.05, 0.08, 0.12, 0.16, 0.2, 0.25, 0.3, 0.4])
def test_a_worker_that_is_stopped_while_it_starts_ends(made: Made, after: float) -> None:
    with a_worker(made, {"work": done}, at_once={"work": 5}):
        time.sleep(after)
    with made.store.read() as session:
        assert workers(session) == []


def test_a_worker_ends_also_where_a_task_of_the_queue_takes_a_cancel_for_something_else(
    made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the pool of connections does, which tries again when a connection fails."""
    begun = threading.Event()
    cancels: list[asyncio.CancelledError] = []

    async def go_on() -> None:
        while len(cancels) < 3:
            try:
                begun.set()
                await asyncio.sleep(3600)
            except asyncio.CancelledError as cancel:
                cancels.append(cancel)

    async def serve(self: QueueRunner) -> None:
        left = asyncio.create_task(go_on())
        await asyncio.sleep(3600)
        await left

    monkeypatch.setattr(QueueRunner, "_serve", serve)
    with a_worker(made, {"work": done}):
        assert begun.wait(20)
    assert len(cancels) == 3


def test_a_clock_of_the_database_that_is_set_back_makes_every_open_job_look_again(made: Made) -> None:
    with made.store.transaction() as session:
        put_job(session, "work", "k", after=3600)
    with a_worker(made, {"work": done}) as worker:
        until(is_ready(made))
        until(lambda: worker._sweep._clock is not None)
        elapsed, wall = worker._sweep._clock or (0.0, 0.0)
        worker._sweep._clock = (elapsed, wall + 3600)
        until(is_over(made.store))


def test_a_job_taken_from_everybody_is_done_by_the_next_attempt_only(made: Made) -> None:
    put(made.store)
    begun, go_on = threading.Event(), threading.Event()
    finished: list[int] = []

    def handler(lease: Lease) -> None:
        if not begun.is_set():
            begun.set()
            go_on.wait(20)
        done(lease)
        finished.append(lease.claim.attempt)

    with a_worker(made, {"work": handler}):
        assert begun.wait(20)
        everybody_dies(made.store)
        until(is_over(made.store))
        go_on.set()
        time.sleep(0.3)
    assert len(finished) == 1 and finished[0] > 1


def test_a_worker_that_is_stopped_while_it_connects_anew_ends_without_a_word(
    tmp_path: Path, own_postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = make_workspace(tmp_path, on=own_postgres)
    left: list[object] = []
    monkeypatch.setattr(threading, "excepthook", left.append)
    with a_worker(made, {"work": done}) as worker:
        until(is_ready(made))
        own_postgres.stop_at_once()
        time.sleep(1)
        worker.stop()
    assert left == []
