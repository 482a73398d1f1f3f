"""Jobs for tests: putting them, looking at them, and working until none is open."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import text

from incident.durable import Claim, Fenced, Handler, Lease, Patience, Runner, put_job, take_all_away
from incident.durable.jobs import claim, due_jobs, put_back
from incident.store.store import Store

QUICK = Patience(poll=0.01, retry=0.0, max_starts=3, slots=2)


def put(store: Store, key: str = "k", *, kind: str = "work", after: float = 0.0) -> None:
    with store.transaction() as session:
        put_job(session, kind, key, after=after)


def job(store: Store, key: str = "k") -> Any:
    with store.read() as session:
        return session.connection().execute(text("SELECT * FROM job WHERE key = :key"), {"key": key}).one()


def done(lease: Lease) -> None:
    with lease.store.transaction() as session:
        lease.done(session)


def is_over(store: Store) -> Callable[[], bool]:
    def over() -> bool:
        with store.read() as session:
            statement = text("SELECT count(*) FROM job WHERE state = 'open'")
            return int(session.connection().execute(statement).scalar_one()) == 0

    return over


def work(store: Store, handler: Handler, *, patience: Patience = QUICK) -> None:
    """Work until no job is open."""
    runner = Runner(store, {"work": handler}, patience=patience)
    watchdog = threading.Timer(20, runner.stop)
    watchdog.start()
    try:
        runner.work(until=is_over(store))
    finally:
        watchdog.cancel()
    assert is_over(store)(), "the runner had to be stopped"


def claim_by_hand(store: Store, key: str = "k", *, kind: str = "work") -> Claim | None:
    """Claim a job as a worker would; None when it is not due or held."""
    with store.transaction() as session:
        return claim(session, kind, key)


def lease_on(store: Store, key: str = "k", *, longest: float = 300.0) -> Lease:
    """Claim a job by hand and hold it."""
    claimed = claim_by_hand(store, key)
    assert claimed is not None
    return Lease(store, claimed, threading.Event(), longest=longest)


def fail_by_hand(store: Store, claimed: Claim, patience: Patience = QUICK) -> None:
    """What a worker does with a job whose handler raised."""
    with store.transaction() as session:
        put_back(session, claimed, patience)


def everybody_dies(store: Store, *, max_starts: int = QUICK.max_starts) -> None:
    """What a new worker on one machine does first: every earlier one is dead."""
    with store.transaction() as session:
        take_all_away(session, max_starts=max_starts)


def due(store: Store, kind: str = "work") -> list[str]:
    """The keys of jobs that a worker could claim now."""
    with store.read() as session:
        return [each.key for each in due_jobs(session, kind, limit=99)]


@contextmanager
def fenced_out() -> Iterator[None]:
    with pytest.raises(Fenced):
        yield
