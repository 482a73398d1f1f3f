"""A hold on a job: when it is good for acting, and when not."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from incident.durable import Fenced, Lease, Patience, Runner, insist
from incident.durable.brakes import EVERYTHING, Brakes
from incident.durable.jobs import held_jobs
from incident.durable.watching import Moment
from incident.errors import CarrierUnavailable, Collided, StoreUnavailable
from incident.store.store import Store
from tests.support.jobs import claim_by_hand, done, everybody_dies, fail_by_hand, is_over, job, lease_on, put
from tests.support.postgres import PostgresServer
from tests.support.workspaces import make_workspace


@pytest.fixture
def store(tmp_path: Path, store_on: PostgresServer | None) -> Store:
    return make_workspace(tmp_path, on=store_on).store


def hold(
    store: Store, *, good_for: float | None = 10.0, longest: float = 300.0, brakes: Brakes | None = None
) -> Lease:
    put(store)
    claimed = claim_by_hand(store)
    assert claimed is not None
    return Lease(
        store, claimed, threading.Event(), good_for=good_for, longest=longest, brakes=brakes or Brakes()
    )


def long_ago(seconds: float) -> Moment:
    now = Moment.now()
    return Moment(now.elapsed - seconds, now.wall - seconds)


def test_who_cannot_confirm_a_sign_of_life_stops_acting_before_others_take_over(store: Store) -> None:
    lease = hold(store, good_for=10.0)
    assert lease.may_act()
    lease.confirm(long_ago(11))
    assert not lease.may_act()
    with store.transaction() as session:
        lease.fence(session)
        assert not lease.may_act(), "a sign of life counts when it is committed"
    assert lease.may_act()


def test_a_fence_that_is_taken_back_confirms_nothing(store: Store) -> None:
    lease = hold(store, good_for=10.0)
    lease.confirm(long_ago(11))
    with pytest.raises(ZeroDivisionError), store.transaction() as session:
        lease.fence(session)
        raise ZeroDivisionError
    assert not lease.may_act()


def test_a_start_in_which_nothing_could_be_tried_is_neither_in_vain_nor_a_new_beginning(store: Store) -> None:
    put(store)
    for failures in (1, 2, 3):
        for _ in range(3):
            untried = lease_on(store)
            with store.transaction() as session:
                untried.again(session, untried=True)
        assert job(store).starts == failures - 1
        fail_by_hand(store, lease_on(store).claim)
        assert job(store).starts == failures
    assert job(store).state == "parked"


def test_on_one_machine_nobody_takes_over_so_no_sign_is_needed(store: Store) -> None:
    lease = hold(store, good_for=None)
    lease.confirm(long_ago(10_000))
    assert lease.may_act()


def test_who_lost_the_job_may_not_act_once_it_knows(store: Store) -> None:
    lease = hold(store)
    everybody_dies(store)
    with store.transaction() as session:
        assert not lease.beat(session)
    assert not lease.may_act()


def test_a_sign_of_life_from_beside_is_seen_by_others(store: Store) -> None:
    lease = hold(store)
    with store.read() as session:
        [before] = held_jobs(session)
    with store.transaction() as session:
        assert lease.beat(session)
    with store.read() as session:
        [after] = held_jobs(session)
    assert after.beats == before.beats + 1 and after.attempt == before.attempt


def test_a_brake_stops_who_is_covered_by_it(store: Store) -> None:
    brakes = Brakes()
    lease = hold(store, brakes=brakes)
    brakes.seen({"campaign/a"})
    assert lease.may_act() and lease.may_act("campaign/b") and not lease.may_act("campaign/a")
    brakes.seen({EVERYTHING})
    assert not lease.may_act() and not lease.may_act("campaign/b")
    brakes.seen(())
    assert lease.may_act("campaign/a")


def test_a_step_that_takes_too_long_may_not_act_any_more_unless_it_was_allowed(store: Store) -> None:
    lease = hold(store, longest=0.05)
    time.sleep(0.08)
    assert lease.hangs and not lease.may_act()
    lease.allow(60)
    assert not lease.hangs and lease.may_act()
    with store.transaction() as session:
        lease.fence(session)
    time.sleep(0.08)
    assert lease.hangs, "what was allowed ends with the step"


def test_a_handler_that_hangs_is_given_up_and_its_job_done_by_another_thread(tmp_path: Path) -> None:
    store = make_workspace(tmp_path).store
    put(store)
    for_ever, ghosts = threading.Event(), []

    def handler(lease: Lease) -> None:
        if lease.claim.attempt == 1:
            for_ever.wait(20)
            try:
                done(lease)
            except Fenced:
                ghosts.append(lease.claim.attempt)
                raise
            return
        done(lease)

    patience = Patience(poll=0.01, longest=0.2)
    Runner(store, {"work": handler}, patience=patience).work(until=is_over(store))
    assert job(store).state == "done" and job(store).attempt > 1
    for_ever.set()
    until = time.monotonic() + 10
    while not ghosts and time.monotonic() < until:
        time.sleep(0.01)
    assert ghosts == [1], "what hung is fenced out when it wakes"


def test_a_carrier_on_which_everything_hangs_ends_the_worker_for_its_supervisor(tmp_path: Path) -> None:
    store = make_workspace(tmp_path).store
    for number in range(20):
        put(store, f"k{number}")
    patience = Patience(poll=0.01, longest=0.05, slots=4)
    with pytest.raises(CarrierUnavailable, match="hung and were given up"):
        Runner(store, {"work": lambda lease: time.sleep(5)}, patience=patience).work(until=is_over(store))


def test_who_insists_tries_again_when_two_changes_met(store: Store) -> None:
    lease, errors = hold(store), [Collided("met"), StoreUnavailable("away")]

    def write() -> str:
        if errors:
            raise errors.pop()
        return "written"

    assert lease.insist(write) == "written"


def test_who_is_to_stop_insists_for_a_little_while_only() -> None:
    stopping = threading.Event()
    stopping.set()

    def write() -> None:
        raise StoreUnavailable("away")

    began = time.monotonic()
    with pytest.raises(StoreUnavailable):
        insist(write, patience=0.3, pause=0.01, stopping=stopping)
    assert time.monotonic() - began < 5
