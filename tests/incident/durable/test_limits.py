"""Limits that all workers share."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from incident.durable import (
    kind_limits,
    levels,
    put_job,
    rates,
    set_at_once,
    set_rate,
    take_for_each,
    take_tokens,
)
from incident.durable.crew import Crew, KindIsFull
from incident.durable.limits import Grant, is_full
from incident.store.store import Store
from tests.support.jobs import QUICK, claim_by_hand, done, lease_on
from tests.support.postgres import PostgresServer
from tests.support.workspaces import make_workspace, run_sql


@pytest.fixture
def store(tmp_path: Path, store_on: PostgresServer | None) -> Store:
    return make_workspace(tmp_path, on=store_on).store


def limit(store: Store, per_second: float | None, **more: float) -> None:
    with store.transaction() as session:
        set_rate(session, "mail", per_second, **more)


def take(store: Store, wanted: int) -> Grant:
    with store.transaction() as session:
        return take_tokens(session, "mail", wanted)


def an_hour_passes(store: Store, *, hours: float = 1.0) -> None:
    """As the database's clock sees it: the last refill lies so far back (or ahead)."""
    run_sql(store, "UPDATE token_bucket SET refilled_at = refilled_at - :seconds", seconds=hours * 3600)


def test_without_a_limit_everything_may_leave(store: Store) -> None:
    assert take(store, 20) == Grant(20)


def test_a_new_limit_hands_nothing_out_at_first_and_says_when_to_ask_again(store: Store) -> None:
    limit(store, 2.0)
    grant = take(store, 20)
    assert grant.granted == 0 and 0 < grant.wait <= 0.5


def test_after_a_long_pause_one_second_s_worth_may_leave_at_once_and_no_more(store: Store) -> None:
    limit(store, 7.0)
    an_hour_passes(store)
    assert take(store, 20).granted == 7
    assert take(store, 20).granted == 0


def test_a_slow_limit_still_lets_one_by_one_leave(store: Store) -> None:
    limit(store, 0.1)
    an_hour_passes(store)
    assert take(store, 20).granted == 1
    assert 0 < take(store, 20).wait <= 10


def test_a_clock_that_is_set_back_or_forward_hands_out_no_more_than_the_burst(store: Store) -> None:
    limit(store, 5.0)
    an_hour_passes(store)
    assert take(store, 99).granted == 5
    an_hour_passes(store, hours=-1)
    assert take(store, 99).granted == 0
    an_hour_passes(store, hours=1)
    assert take(store, 99).granted <= 5


def test_raising_a_limit_does_not_hand_out_a_bucketful(store: Store) -> None:
    limit(store, 5.0)
    an_hour_passes(store)
    assert take(store, 5).granted == 5
    limit(store, 1000.0)
    assert take(store, 1000).granted < 500


def test_a_limit_is_lifted_again(store: Store) -> None:
    limit(store, 0.001)
    limit(store, None)
    assert take(store, 20) == Grant(20)
    with store.read() as session:
        assert rates(session) == []


def test_what_is_taken_in_a_transaction_that_fails_is_not_gone(store: Store) -> None:
    limit(store, 5.0)
    an_hour_passes(store)
    with pytest.raises(ZeroDivisionError), store.transaction() as session:
        assert take_tokens(session, "mail", 5).granted == 5
        raise ZeroDivisionError
    assert take(store, 5).granted == 5


def test_many_who_ask_at_once_get_no_more_than_the_bucket_holds(store: Store) -> None:
    limit(store, 0.001, burst=50)
    an_hour_passes(store, hours=10_000)
    granted: list[int] = []

    def ask() -> None:
        for _ in range(5):
            granted.append(take(store, 4).granted)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(granted) == 50


def test_a_message_takes_a_token_of_each_of_its_buckets_or_of_none(store: Store) -> None:
    with store.transaction() as session:
        set_rate(session, "all", 0.001, burst=10)
        set_rate(session, "few", 0.001, burst=2)
    an_hour_passes(store, hours=10_000)
    with store.transaction() as session:
        wanted = [("few", "all"), ("few", "all"), ("all", "few"), ("all",), ("nobody's",), ()]
        assert take_for_each(session, wanted) == [True, True, False, True, True, True]
    with store.read() as session:
        assert {name: level.room for name, level in levels(session).items()} == {"all": 7, "few": 0}


def test_those_who_take_of_the_same_buckets_at_once_never_block_each_other_for_good(store: Store) -> None:
    with store.transaction() as session:
        for name in ("a", "b"):
            set_rate(session, name, 0.001, burst=40)
    an_hour_passes(store, hours=10_000)
    granted: list[int] = []

    def ask(*names: str) -> None:
        for _ in range(10):
            with store.transaction() as session:
                granted.append(sum(take_for_each(session, [names] * 2)))

    threads = [threading.Thread(target=ask, args=names) for names in (("a", "b"), ("b", "a")) * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert (len(granted), sum(granted)) == (40, 40)


def test_as_many_jobs_of_a_kind_are_claimed_as_may_be_at_once(store: Store) -> None:
    with store.transaction() as session:
        set_at_once(session, "work", 2)
        for number in range(4):
            put_job(session, "work", f"k{number}")
        put_job(session, "other", "o")
    crew = Crew(store, {"work": done}, patience=QUICK, stopping=threading.Event(), alone=False)
    first, second = crew.claim("work", "k0"), crew.claim("work", "k1")
    assert first is not None and second is not None
    with pytest.raises(KindIsFull):
        crew.claim("work", "k2")
    assert claim_by_hand(store, "o", kind="other") is not None
    done(first)
    assert crew.claim("work", "k2") is not None
    with store.transaction() as session:
        assert is_full(session, "work") and kind_limits(session) == {"work": 2}
        set_at_once(session, "work", None)
        assert not is_full(session, "work")


def test_many_workers_that_claim_at_once_stay_below_the_limit(store: Store) -> None:
    with store.transaction() as session:
        set_at_once(session, "work", 3)
        for number in range(16):
            put_job(session, "work", f"k{number}")
    crew = Crew(store, {"work": done}, patience=QUICK, stopping=threading.Event(), alone=False)
    got: list[object] = []

    def claim(number: int) -> None:
        try:
            got.append(crew.claim("work", f"k{number}"))
        except KindIsFull:
            return

    threads = [threading.Thread(target=claim, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(got) == 3


def test_a_lease_taken_by_hand_counts_too(store: Store) -> None:
    with store.transaction() as session:
        set_at_once(session, "work", 1)
        put_job(session, "work", "k")
    lease_on(store)
    with store.transaction() as session:
        assert is_full(session, "work")


def test_tokens_taken_while_the_limit_is_changed_are_not_given_back(
    tmp_path: Path, postgres: PostgresServer
) -> None:
    made = make_workspace(tmp_path, on=postgres)
    limit(made.store, 10.0)
    run_sql(made.store, "UPDATE token_bucket SET tokens = burst")
    beside = made.another().store
    changer = threading.Thread(target=lambda: limit(beside, 5.0))
    with made.store.transaction() as session:
        assert take_tokens(session, "mail", 10).granted == 10
        changer.start()
        changer.join(0.3)
    changer.join(10)
    with made.store.read() as session:
        assert [row.tokens for row in rates(session)] == [0.0]
