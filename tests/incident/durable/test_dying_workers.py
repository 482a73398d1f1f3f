"""Workers that die: the lock, the takeover, and a state machine over every order of events."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from incident.durable import Claim, Fenced, JobState, Lease, Patience
from incident.durable.jobs import held_jobs, take_away
from incident.store.store import Store
from tests.support.jobs import (
    QUICK,
    claim_by_hand,
    done,
    everybody_dies,
    fail_by_hand,
    fenced_out,
    job,
    put,
    work,
)
from tests.support.workspaces import Made, make_workspace, run_sql

ROOT = Path(__file__).parents[3]


WORKER = """
import sys, time
from pathlib import Path
from incident.durable import Patience, Runner
from incident.store.opening import open_store
from incident.workspace import Workspace, worker_lock

workspace = Workspace(Path(sys.argv[1]))

def handler(lease):
    with lease.store.transaction() as session:
        lease.fence(session)
    print("running", lease.claim.attempt, flush=True)
    time.sleep(60)

with worker_lock(workspace) as ours:
    print("worker" if ours else "follower", flush=True)
    if ours:
        Runner(open_store(workspace, workspace.settings()), {"work": handler}).work()
"""


@contextmanager
def a_worker(made: Made) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-c", WORKER, str(made.workspace.root)], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    with process:
        try:
            yield process
        finally:
            process.send_signal(signal.SIGKILL)


def said(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def test_after_kill_9_in_the_middle_of_a_job_a_new_runner_takes_it_over_at_once(tmp_path: Path) -> None:
    made = make_workspace(tmp_path)
    put(made.store)
    with a_worker(made) as first:
        assert (said(first), said(first)) == ("worker", "running 1")
        with a_worker(made) as second:
            assert said(second) == "follower", "one worker a workspace"
        ghost = Lease(made.store, Claim("work", "k", 1, 1), threading.Event())
        with made.store.transaction() as session:
            ghost.fence(session)
    started = time.monotonic()
    work(made.store, done, patience=Patience(poll=0.01))
    assert time.monotonic() - started < 5
    assert job(made.store).state == JobState.DONE and job(made.store).attempt > 1
    with fenced_out(), made.store.transaction() as session:
        ghost.fence(session)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return make_workspace(tmp_path).store


def test_a_job_whose_worker_dies_at_each_start_is_parked(store: Store) -> None:
    put(store)
    for _ in range(QUICK.max_starts):
        everybody_dies(store)
        assert claim_by_hand(store) is not None
    everybody_dies(store)
    assert job(store).state == JobState.PARKED


class OnlyLooked(Exception):
    """Undoes a look at a job, which would else be a beat."""


class Jobs(RuleBasedStateMachine):
    """Workers that claim, beat, finish, fail, freeze and die in any order over one job.

    Whatever happens: at most one attempt is not fenced, and a poke that came after a run began is followed by
    another run.
    """

    shared: Store

    def __init__(self) -> None:
        super().__init__()
        run_sql(self.shared, "DELETE FROM job")
        self.leases: list[Lease] = []
        self.unanswered = False

    def current(self, lease: Lease) -> bool:
        try:
            with self.shared.transaction() as session:
                lease.fence(session)
                raise OnlyLooked
        except Fenced:
            return False
        except OnlyLooked:
            return True

    @rule()
    def poke(self) -> None:
        put(self.shared)
        self.unanswered = True

    @rule()
    def claim_and_start(self) -> None:
        claimed = claim_by_hand(self.shared)
        if claimed is not None:
            assert all(claimed.attempt > lease.claim.attempt for lease in self.leases)
            self.leases.append(Lease(self.shared, claimed, threading.Event()))
            self.unanswered = False

    @precondition(lambda self: self.leases)
    @rule(data=st.data())
    def finish(self, data: st.DataObject) -> None:
        lease = data.draw(st.sampled_from(self.leases))
        if self.current(lease):
            done(lease)
        else:
            with fenced_out():
                done(lease)

    @precondition(lambda self: self.leases)
    @rule(data=st.data())
    def fail(self, data: st.DataObject) -> None:
        fail_by_hand(self.shared, data.draw(st.sampled_from(self.leases)).claim)

    @rule()
    def fall_silent(self) -> None:
        with self.shared.transaction() as session:
            for held in held_jobs(session):
                assert take_away(session, held, max_starts=QUICK.max_starts)

    @precondition(lambda self: self.leases)
    @rule(data=st.data())
    def beat_before_it_is_taken(self, data: st.DataObject) -> None:
        lease = data.draw(st.sampled_from(self.leases))
        with self.shared.read() as session:
            seen = held_jobs(session)
        with self.shared.transaction() as session:
            alive = lease.beat(session)
        with self.shared.transaction() as session:
            taken = [take_away(session, held, max_starts=QUICK.max_starts) for held in seen]
        assert not (alive and any(taken)), "who gave a sign of life keeps the job"

    @rule()
    def die_and_begin_anew(self) -> None:
        everybody_dies(self.shared)

    @invariant()
    def at_most_one_attempt_may_write(self) -> None:
        assert sum(self.current(lease) for lease in self.leases) <= 1

    @invariant()
    def nothing_that_was_asked_for_is_forgotten(self) -> None:
        if self.unanswered:
            assert job(self.shared).state in (JobState.OPEN, JobState.PARKED)


def test_in_any_order_of_events_one_attempt_writes_and_no_poke_is_lost(store: Store) -> None:
    class OnThisStore(Jobs):
        shared = store

    machine = OnThisStore.TestCase
    machine.settings = settings(max_examples=60, stateful_step_count=20, deadline=None)
    machine("runTest").runTest()
