"""Jobs for tests: putting them, looking at them, and working until none is open."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import text

from incident.durable import Fenced, Handler, Lease, Patience, Runner, put_job
from incident.store.store import Store

QUICK = Patience(stale=30, poll=0.01, retry=0.0, max_starts=3, slots=2)


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


def lease_on(store: Store, key: str = "k", *, patience: Patience = QUICK) -> Lease:
    """Claim a job and start it by hand, as a worker would."""
    runner = Runner(store, {"work": done}, patience=patience)
    [claim] = [claim for claim in runner._claim(9) if claim.key == key]
    assert runner._start(claim)
    return Lease(store, claim, threading.Event())


@contextmanager
def fenced_out() -> Iterator[None]:
    with pytest.raises(Fenced):
        yield
