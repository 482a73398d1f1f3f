"""How work survives: claims, fences, retries and parking."""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlmodel import Session

from incident.durable import (
    Claim,
    Fenced,
    JobState,
    Lease,
    Patience,
    Runner,
    insist,
    open_jobs,
    parked_jobs,
    put_job,
    retry_parked,
    wait_for,
)
from incident.errors import ConflictingWrite, StoreUnavailable
from incident.store import database
from incident.store.store import Store
from tests.support.jobs import (
    QUICK,
    claim_by_hand,
    done,
    due,
    everybody_dies,
    fail_by_hand,
    fenced_out,
    is_over,
    job,
    lease_on,
    put,
    work,
)
from tests.support.workspaces import make_workspace, open_one, run_sql


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return make_workspace(tmp_path).store


def test_a_job_is_worked_on_once_and_done(store: Store) -> None:
    put(store)
    ran: list[Claim] = []

    def handler(lease: Lease) -> None:
        ran.append(lease.claim)
        done(lease)

    work(store, handler)
    assert [(claim.kind, claim.key, claim.attempt) for claim in ran] == [("work", "k", 1)]
    assert (job(store).state, job(store).starts) == (JobState.DONE, 0)


def test_asking_again_for_a_job_that_was_done_makes_it_run_again(store: Store) -> None:
    ran: list[int] = []

    def handler(lease: Lease) -> None:
        ran.append(lease.claim.attempt)
        done(lease)

    for _ in range(2):
        put(store)
        work(store, handler)
    assert ran == [1, 2]


def test_asking_three_times_before_it_runs_makes_it_run_once(store: Store) -> None:
    ran: list[int] = []

    def handler(lease: Lease) -> None:
        ran.append(lease.claim.attempt)
        done(lease)

    for _ in range(3):
        put(store)
    work(store, handler)
    assert ran == [1]


def test_a_poke_while_the_job_runs_makes_it_run_again(store: Store) -> None:
    put(store)
    ran: list[int] = []

    def handler(lease: Lease) -> None:
        ran.append(lease.claim.attempt)
        if len(ran) == 1:
            put(store)
        done(lease)

    work(store, handler)
    assert ran == [1, 2]


def test_a_poke_during_again_makes_it_due_at_once(store: Store) -> None:
    put(store)
    lease = lease_on(store)
    put(store)
    with store.transaction() as session:
        lease.again(session, after=3600)
    assert job(store).next_at == 0
    assert lease_on(store).claim.attempt == 2


def test_a_job_left_for_later_waits_and_does_not_count_as_due(store: Store) -> None:
    put(store)
    lease = lease_on(store)
    with store.transaction() as session:
        lease.again(session, after=3600)
    with store.read() as session:
        assert open_jobs(session) == 0
    assert due(store) == [] and claim_by_hand(store) is None
    assert (job(store).state, job(store).starts) == (JobState.OPEN, 0)


def test_a_poke_brings_a_waiting_job_forward_and_never_back(store: Store) -> None:
    put(store, after=3600)
    late = job(store).next_at
    put(store, after=7200)
    assert job(store).next_at == late
    put(store)
    assert job(store).next_at < late - 3000


def test_open_jobs_counts_due_ones_by_incident(tmp_path: Path) -> None:
    made = make_workspace(tmp_path)
    incident = open_one(made)
    with made.store.transaction() as session:
        put_job(session, "work", "a", incident_id=incident)
        put_job(session, "work", "b")
        put_job(session, "work", "c", incident_id=incident, after=3600)
        assert open_jobs(session) == 2
        assert open_jobs(session, incident_id=incident) == 1
        assert open_jobs(session, incident_id="INC-1") == 0


def test_asking_for_work_is_part_of_the_change_that_asks(store: Store) -> None:
    with pytest.raises(ZeroDivisionError), store.transaction() as session:
        put_job(session, "work", "k")
        raise ZeroDivisionError
    with store.read() as session:
        assert open_jobs(session) == 0


def test_a_stale_attempt_is_fenced_and_its_transaction_undone(store: Store) -> None:
    put(store)
    put(store, "other")
    old = lease_on(store)
    everybody_dies(store)
    new = lease_on(store)
    assert new.claim.attempt > old.claim.attempt
    touches: list[Callable[[Session], None]] = [old.fence, old.done, old.again]
    for touch in touches:
        with fenced_out(), store.transaction() as session:
            session.connection().execute(text("UPDATE job SET pokes = 99 WHERE key = 'other'"))
            touch(session)
    assert job(store, "other").pokes == 1
    with store.transaction() as session:
        new.fence(session)
        new.done(session)
    assert job(store).state == JobState.DONE


def test_a_job_that_was_done_fences_whoever_still_holds_it(store: Store) -> None:
    put(store)
    lease = lease_on(store)
    done(lease)
    with fenced_out(), store.transaction() as session:
        lease.fence(session)
    assert issubclass(Fenced, ConflictingWrite)


def test_a_job_that_is_held_is_claimed_by_nobody_else(store: Store) -> None:
    put(store)
    lease_on(store)
    assert due(store) == [] and claim_by_hand(store) is None


def test_a_handler_that_says_nothing_of_its_job_leaves_it_open(store: Store) -> None:
    put(store)
    ran: list[int] = []

    def handler(lease: Lease) -> None:
        ran.append(lease.claim.attempt)
        if len(ran) == 3:
            done(lease)

    work(store, handler)
    assert ran == [1, 2, 3]


class Broken(Exception):
    pass


def test_a_handler_that_fails_is_tried_again_and_then_parked_for_a_person(store: Store) -> None:
    put(store)
    ran: list[int] = []

    def handler(lease: Lease) -> None:
        ran.append(lease.claim.attempt)
        raise Broken

    work(store, handler)
    assert ran == [1, 2, 3]
    assert (job(store).state, job(store).starts) == (JobState.PARKED, 3)


def test_the_pause_before_another_try_grows_with_the_starts_in_vain(store: Store) -> None:
    put(store)
    patience = Patience(retry=100, max_starts=9)
    pauses = []
    for _ in range(3):
        run_sql(store, "UPDATE job SET next_at = 0")
        lease = lease_on(store)
        before = time.time()
        fail_by_hand(store, lease.claim, patience)
        pauses.append(job(store).next_at - before)
    assert [round(pause / 100) for pause in pauses] == [1, 2, 3]


def test_a_handler_that_fails_after_progress_waits_too(store: Store) -> None:
    put(store)
    lease = lease_on(store)
    with store.transaction() as session:
        lease.fence(session, progress=True)
    before = time.time()
    fail_by_hand(store, lease.claim, Patience(retry=100))
    assert 90 < job(store).next_at - before < 110


def test_progress_makes_the_count_of_vain_starts_begin_anew(store: Store) -> None:
    put(store)
    ran: list[int] = []

    def handler(lease: Lease) -> None:
        ran.append(lease.claim.attempt)
        with lease.store.transaction() as session:
            lease.fence(session, progress=len(ran) == 2)
        raise Broken

    work(store, handler)
    assert ran == [1, 2, 3, 4, 5]


def test_parked_jobs_are_counted_by_kind_and_a_person_brings_them_back(store: Store) -> None:
    put(store, "a")
    put(store, "b", kind="batch")
    put(store, "c", kind="batch")
    run_sql(store, "UPDATE job SET state = 'parked', starts = 5 WHERE key != 'a'")
    with store.read() as session:
        assert parked_jobs(session) == {"batch": 2}
    with store.transaction() as session:
        assert retry_parked(session) == 2
    assert due(store, "batch") == ["b", "c"]
    with store.read() as session:
        assert parked_jobs(session) == {}


def test_a_parked_job_runs_again_when_a_person_asks_for_it(store: Store) -> None:
    put(store)
    run_sql(store, "UPDATE job SET state = 'parked', starts = 3")
    put(store)
    assert (job(store).state, job(store).starts) == (JobState.OPEN, 0)
    work(store, done)
    assert job(store).state == JobState.DONE


def test_a_failure_is_logged_by_its_class_because_its_text_may_name_people(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    put(store)

    def handler(lease: Lease) -> None:
        raise Broken("zhang.san@example.org does not exist")

    with caplog.at_level(logging.INFO):
        work(store, handler, patience=Patience(poll=0.01, max_starts=1))
    assert "Broken" in caplog.text
    assert "zhang" not in caplog.text


def test_a_job_that_the_store_would_not_take_back_is_put_back_once_it_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Nobody else on this machine would ever take it up: its handler is gone, and its worker lives."""
    monkeypatch.setattr(database, "_BUSY_SECONDS", 0.01)
    made = make_workspace(tmp_path)
    put(made.store)
    starts: list[int] = []
    with closing(sqlite3.connect(made.database, isolation_level=None, check_same_thread=False)) as other:

        def handler(lease: Lease) -> None:
            starts.append(lease.claim.attempt)
            if len(starts) == 1:
                other.execute("BEGIN IMMEDIATE")
                threading.Timer(0.3, other.execute, ["ROLLBACK"]).start()
                raise StoreUnavailable("disk full")
            done(lease)

        work(made.store, handler)
    assert (starts, job(made.store).state) == ([1, 2], JobState.DONE)
    assert caplog.text.count("could not be put back") == 1
    assert caplog.text.count("trying again") == 1, "it is said once"


def test_a_failing_job_keeps_no_other_from_being_done(store: Store) -> None:
    for key in ("bad", *(f"good{number}" for number in range(5))):
        put(store, key)

    def handler(lease: Lease) -> None:
        if lease.claim.key == "bad":
            raise Broken
        done(lease)

    work(store, handler)
    assert job(store, "bad").state == JobState.PARKED
    assert all(job(store, f"good{number}").state == JobState.DONE for number in range(5))


def test_jobs_of_a_kind_that_nobody_handles_do_not_stand_in_the_way(store: Store) -> None:
    for number in range(60):
        put(store, f"a{number}", kind="unknown")
    put(store, "z")

    def settled() -> bool:
        return bool(job(store, "z").state == JobState.DONE)

    Runner(store, {"work": done}, patience=QUICK).work(until=settled)
    assert len(due(store, "unknown")) == 60


def test_as_many_jobs_run_at_a_time_as_there_are_slots(store: Store) -> None:
    for number in range(6):
        put(store, f"k{number}")
    guard, running, most = threading.Lock(), 0, 0

    def handler(lease: Lease) -> None:
        nonlocal running, most
        with guard:
            running += 1
            most = max(most, running)
        time.sleep(0.02)
        with guard:
            running -= 1
        done(lease)

    work(store, handler)
    assert most == QUICK.slots


def test_a_kind_that_is_limited_leaves_room_for_the_others(store: Store) -> None:
    for number in range(6):
        put(store, f"batch{number}", kind="batch")
    begun, go_on = threading.Event(), threading.Event()
    most, running, told = 0, 0, []

    def batch(lease: Lease) -> None:
        nonlocal most, running
        running += 1
        most = max(most, running)
        begun.set()
        go_on.wait(10)
        running -= 1
        done(lease)

    def alert(lease: Lease) -> None:
        told.append(lease.claim.key)
        go_on.set()
        done(lease)

    runner = Runner(store, {"alert": alert, "batch": batch}, patience=QUICK, at_once={"batch": 1})
    thread = threading.Thread(target=runner.work, kwargs={"until": is_over(store)})
    thread.start()
    assert begun.wait(10)
    put(store, "a", kind="alert")
    thread.join(20)
    assert told == ["a"] and most == 1 and is_over(store)()


def test_a_runner_that_is_asked_to_stop_tells_its_handlers_and_leaves_the_job_open(store: Store) -> None:
    put(store)
    begun = threading.Event()
    seen: list[bool] = []

    def handler(lease: Lease) -> None:
        begun.set()
        while not lease.stopping:
            time.sleep(0.005)
        seen.append(lease.stopping)

    runner = Runner(store, {"work": handler}, patience=QUICK)
    thread = threading.Thread(target=runner.work)
    thread.start()
    assert begun.wait(10)
    runner.stop()
    thread.join(10)
    assert seen == [True]
    assert job(store).state == JobState.OPEN
    work(store, done)
    assert job(store).state == JobState.DONE


def test_an_interrupt_reaches_the_handlers_too(store: Store) -> None:
    put(store)
    begun = threading.Event()

    def handler(lease: Lease) -> None:
        begun.set()
        while not lease.stopping:
            time.sleep(0.005)

    def beat() -> None:
        if begun.is_set():
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Runner(store, {"work": handler}, patience=QUICK).work(beat=beat)
    assert job(store).state == JobState.OPEN


def test_following_ends_when_the_condition_holds_and_beats_in_between() -> None:
    beats: list[int] = []
    wait_for(lambda: len(beats) == 3, poll=0.001, beat=lambda: beats.append(1))
    assert len(beats) == 3


def failing(times: int, error: Exception) -> Callable[[], str]:
    left = [error] * times

    def write() -> str:
        if left:
            raise left.pop()
        return "written"

    return write


def test_what_has_happened_already_is_written_again_while_the_store_is_unavailable() -> None:
    assert insist(failing(3, StoreUnavailable("locked")), pause=0.001) == "written"


def test_a_store_that_stays_unavailable_is_told_in_the_end() -> None:
    with pytest.raises(StoreUnavailable, match="disk full"):
        insist(failing(10_000, StoreUnavailable("disk full")), patience=0.05, pause=0.001)


def test_a_store_that_is_unavailable_is_told_at_once_and_once(caplog: pytest.LogCaptureFixture) -> None:
    insist(failing(3, StoreUnavailable("disk full", next_step="free space")), pause=0.001)
    assert (caplog.text.count("disk full"), caplog.text.count("free space")) == (1, 1)


def test_who_was_fenced_does_not_insist() -> None:
    with pytest.raises(Fenced):
        insist(failing(1, Fenced("another worker took over")), pause=0.001)
