"""Limits by domain: never exceeded over all workers, nobody waits behind them, and who waits is neither lost nor tried."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlmodel import select

from incident.delivery import batching
from incident.delivery.domains import Aside, Line, limit_for, read_limits
from incident.delivery.pausing import pause_campaign, resume_campaign
from incident.delivery.sender import GROUP
from incident.delivery.states import CampaignState
from incident.delivery.status import some_wait_for_a_limit
from incident.errors import WrongUsage
from incident.ops.check import check
from incident.ops.engine import NewLimits, change_limits
from incident.ops.worker import Worker
from incident.store.change import Change
from incident.store.journal import WORKSPACE_CHAIN
from incident.store.tables import Attempt
from tests.support.breaches import QUICK, Affected, Breach, make_breach
from tests.support.lived_in import broken
from tests.support.postgres import PostgresServer
from tests.support.relays import RecordingRelay, StallingRelay, parsed, recording_relay
from tests.support.working_process import kill, start_worker

LIMITED, FREE = "qq.example", "example.org"


def people_at(domain: str, count: int) -> list[Affected]:
    return [
        Affected(f"{domain}-{number}", name=f"Person {number}", email=f"p{number:05d}@{domain}")
        for number in range(count)
    ]


def limit(breach: Breach, **by_domain: float) -> None:
    """As `incident engine limits --domain`; a domain is written with `_` for its dot."""
    domains = {domain.replace("_", "."): rate for domain, rate in by_domain.items()}
    store, now = breach.made.store, breach.made.clock()
    with store.write(WORKSPACE_CHAIN, kind="limits.changed", actor="ana", now=now) as change:
        change_limits(change, NewLimits(by_domain=domains))


def change(breach: Breach, what: Callable[[Change, str], str]) -> None:
    store, now = breach.made.store, breach.made.clock()
    with store.write(breach.id, kind="campaign.changed", actor="ana", now=now) as writing:
        what(writing, breach.id)


class Arrivals:
    """When the relay was asked to take a message to whom."""

    def __init__(self, relay: RecordingRelay) -> None:
        self.began = time.monotonic()
        self.seen: list[tuple[float, str]] = []
        relay.at_rcpt = self._note

    def _note(self, address: str) -> None:
        self.seen.append((time.monotonic() - self.began, address))

    def at(self, domain: str) -> list[float]:
        return [when for when, address in self.seen if address.endswith(f"@{domain}")]

    def must_keep_to(self, domain: str, *, per_second: float) -> None:
        """A new bucket is empty, so that not even the burst may leave at first."""
        for number, when in enumerate(self.at(domain), start=1):
            assert number <= per_second * when + 1, f"{number} after {when:.2f} s"


def opened(tmp_path: Path, port: int, people: list[Affected], *, on: PostgresServer | None = None) -> Breach:
    breach = make_breach(tmp_path, people=people, relay_port=port, on=on)
    breach.release()
    breach.open_sending()
    return breach


def has_ended(breach: Breach) -> bool:
    return breach.account().state == CampaignState.ENDED


@contextmanager
def at_work(breach: Breach) -> Iterator[None]:
    """While this lasts a worker works in this process, until the campaign has ended."""
    over = threading.Event()
    worker = Worker(breach.house, patience=QUICK)
    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(worker.work_until, lambda: over.is_set() or has_ended(breach))
        try:
            yield
        finally:
            over.set()
        done.result(20)


def until(condition: Callable[[], bool], *, seconds: float = 20) -> float:
    """Wait for it; how long that took."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < seconds, "waited in vain"
        time.sleep(0.02)
    return time.monotonic() - began


def must_be_told_once(breach: Breach, relay: RecordingRelay, count: int) -> None:
    assert len({mail.to for mail in relay.taken}) == len(relay.taken) == count
    account = breach.account()
    assert (account.accepted, account.state, account.adds_up) == (count, CampaignState.ENDED, True)
    assert {(row.attempts, row.strikes) for row in breach.deliveries()} == {(1, 0)}
    assert broken(check(breach.house, pause=0.0)) == {}


def test_the_others_are_told_while_those_of_a_limited_domain_are_still_under_way(
    tmp_path: Path, store_on: PostgresServer | None
) -> None:
    with recording_relay() as relay:
        breach = opened(tmp_path, relay.port, people_at(LIMITED, 60) + people_at(FREE, 60), on=store_on)
        arrivals = Arrivals(relay)
        limit(breach, qq_example=10)
        with at_work(breach):
            while not has_ended(breach):
                assert broken(check(breach.house, pause=0.0)) == {}
                assert breach.account().adds_up
                assert time.monotonic() - arrivals.began < 60
                time.sleep(0.1)
    must_be_told_once(breach, relay, 120)
    arrivals.must_keep_to(LIMITED, per_second=10)
    assert max(arrivals.at(FREE)) < max(arrivals.at(LIMITED))
    assert max(arrivals.at(LIMITED)) < 30, "the limit was used"


def test_batches_of_a_limited_domain_keep_no_place_from_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, store_on: PostgresServer | None
) -> None:
    monkeypatch.setattr(batching, "BATCH_SIZE", 20)
    with recording_relay() as relay:
        breach = opened(tmp_path, relay.port, people_at(LIMITED, 120) + people_at(FREE, 60), on=store_on)
        limit(breach, qq_example=1)
        arrivals = Arrivals(relay)
        with at_work(breach):
            until(lambda: len(arrivals.at(FREE)) == 60)
            assert len(arrivals.at(LIMITED)) < 20
            arrivals.must_keep_to(LIMITED, per_second=1)
            limit(breach, qq_example=0)
            until(lambda: has_ended(breach))
    must_be_told_once(breach, relay, 180)


def test_a_limit_that_is_lifted_lets_those_who_wait_go_within_a_second(
    tmp_path: Path, store_on: PostgresServer | None
) -> None:
    with recording_relay() as relay:
        breach = opened(tmp_path, relay.port, people_at(LIMITED, 50) + people_at(FREE, 5), on=store_on)
        limit(breach, qq_example=0.01)
        with at_work(breach):
            until(lambda: len(relay.taken) == 5)
            time.sleep(0.5)
            assert len(relay.taken) == 5
            limit(breach, qq_example=0)
            assert until(lambda: len(relay.taken) == 55) < 2.5
            until(lambda: has_ended(breach))
    must_be_told_once(breach, relay, 55)


def test_two_workers_share_a_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, postgres: PostgresServer
) -> None:
    monkeypatch.setattr(batching, "BATCH_SIZE", 10)
    with recording_relay() as relay:
        people = people_at(LIMITED, 30) + people_at(FREE, 20) + people_at("163.example", 30)
        breach = opened(tmp_path, relay.port, people, on=postgres)
        limit(breach, **{"qq_example": 10, "163_example": 15})
        arrivals = Arrivals(relay)
        workers = [start_worker(breach.made.workspace.root, until="never") for _ in range(2)]
        try:
            while not has_ended(breach):
                assert breach.account().adds_up
                assert time.monotonic() - arrivals.began < 60
                time.sleep(0.1)
        finally:
            for worker in workers:
                kill(worker)
    must_be_told_once(breach, relay, 80)
    arrivals.must_keep_to(LIMITED, per_second=10)
    arrivals.must_keep_to("163.example", per_second=15)


def test_who_follows_a_sending_knows_that_people_wait_for_a_limit_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batching, "BATCH_SIZE", 10)
    with recording_relay() as relay:
        breach = opened(tmp_path, relay.port, people_at(LIMITED, 30) + people_at(FREE, 10))

        def some_wait() -> bool:
            with breach.made.store.read() as session:
                return some_wait_for_a_limit(session, breach.id, now=breach.made.clock())

        assert not some_wait()
        limit(breach, qq_example=0.01)
        with at_work(breach):
            until(lambda: len(relay.taken) == 10)
            assert some_wait()
            change(breach, pause_campaign)
            assert not some_wait(), "under a brake nobody waits for the limit"
            change(breach, resume_campaign)
            assert some_wait()
            limit(breach, qq_example=0)
            assert not some_wait()
            until(lambda: has_ended(breach))
    must_be_told_once(breach, relay, 40)


def test_a_worker_that_is_killed_loses_nobody_whom_it_had_put_off(tmp_path: Path) -> None:
    with StallingRelay() as relay:
        breach = opened(tmp_path, relay.port, people_at(LIMITED, 60) + people_at(FREE, 45))
        limit(breach, qq_example=0.01)
        for number in (10, 35):
            breach.made.store.close()
            relay.stall_at("mail", number)
            worker = start_worker(breach.made.workspace.root)
            try:
                assert relay.stalled.wait(30)
            finally:
                kill(worker)
            assert breach.account().adds_up
            assert broken(check(breach.house, pause=0.0)) == {}
        put_off = [row for row in breach.deliveries() if not row.attempts]
        assert len(put_off) >= 60
        limit(breach, qq_example=0)
        breach.made.store.close()
        assert start_worker(breach.made.workspace.root).wait(timeout=60) == 0
    told = {parsed(copies[0])["To"].addresses[0].addr_spec for copies in relay.copies.values()}
    assert told == {each.email for each in people_at(LIMITED, 60) + people_at(FREE, 45)}
    account = breach.account()
    assert (account.accepted, account.state, account.adds_up) == (105, CampaignState.ENDED, True)
    assert relay.doubles <= account.doubled_at_most <= 2 * 2 * GROUP


def test_a_limit_counts_messages_at_the_address_that_each_goes_to(tmp_path: Path) -> None:
    child = {"born": "2015-03-01", "guardian_name": "Cora"}
    people = [
        Affected("A", "Cleo", email=f"cleo@{FREE}", guardian_email=f"cora@{LIMITED}", **child),
        Affected("B", "Dan", guardian_email=f"Cora@{LIMITED.upper()}", **child),
        Affected("C", "Eve", email=f"eve@{LIMITED}", guardian_email=f"grace@{FREE}", **child),
    ]
    with recording_relay() as relay:
        breach = opened(tmp_path, relay.port, people)
        limit(breach, qq_example=1)
        arrivals = Arrivals(relay)
        with at_work(breach):
            until(lambda: has_ended(breach))
    arrivals.must_keep_to(LIMITED, per_second=1)
    with breach.made.store.read() as session:
        tries = len(session.exec(select(Attempt)).all())
    assert len(relay.taken) == tries
    limited = {each.to.lower() for each in relay.taken if each.to.lower().endswith(f"@{LIMITED}")}
    assert f"cora@{LIMITED}" in limited
    assert sum(mail.to.lower() == f"cora@{LIMITED}" for mail in relay.taken) == 1, "two children, one message"
    assert broken(check(breach.house, pause=0.0)) == {}


def test_both_limits_hold_and_no_token_is_taken_for_nothing(tmp_path: Path) -> None:
    with recording_relay() as relay:
        breach = opened(tmp_path, relay.port, people_at(LIMITED, 20) + people_at(FREE, 40))
        store, now = breach.made.store, breach.made.clock()
        with store.write(WORKSPACE_CHAIN, kind="limits.changed", actor="ana", now=now) as change:
            change_limits(change, NewLimits(mail_per_second=30, by_domain={LIMITED: 10}))
        arrivals = Arrivals(relay)
        with at_work(breach):
            until(lambda: has_ended(breach))
    must_be_told_once(breach, relay, 60)
    arrivals.must_keep_to(LIMITED, per_second=10)
    every = sorted(when for when, _ in arrivals.seen)
    assert all(number <= 30 * when + 1 for number, when in enumerate(every, start=1))
    assert every[-1] < 4, "what one limit grants is not lost to the other"


def test_a_limit_is_named_by_the_domain_as_it_stands_in_an_envelope() -> None:
    assert read_limits(["QQ.com=50", " 163.com =2.5", "邮箱.中国=0"]) == {
        "qq.com": 50.0,
        "163.com": 2.5,
        "xn--c0zu34b.xn--fiqs8s": 0.0,
    }
    assert limit_for("Ann@QQ.com") == "mail/qq.com"
    assert limit_for("ann@邮箱.中国") == "mail/xn--c0zu34b.xn--fiqs8s"
    assert limit_for("no address") is None


@pytest.mark.parametrize(
    "word",
    [
        "qq.com",
        "=5",
        "*.qq.com=5",
        "ann@qq.com=5",
        "qq..com=5",
        "qq.com=",
        "qq.com=-1",
        "qq.com=nan",
        "a b=1",
    ],
)
def test_what_is_no_domain_or_no_number_is_refused(word: str) -> None:
    with pytest.raises(WrongUsage) as refused:
        read_limits([word])
    assert refused.value.next_step


def test_as_many_are_called_as_there_is_room_for_and_all_once_there_is_no_limit() -> None:
    aside = Aside()
    for number in range(4):
        aside.put(f"a{number}", "mail/a")
        aside.put(f"b{number}", "mail/b")
    assert aside.call({"mail/a": 0, "mail/b": 3}) == ["a0", "a1", "a2", "a3", "b3"]
    assert aside.counts() == {"mail/a": 4, "mail/b": 1}
    assert aside.call({"mail/b": 0}) == ["b3"]
    assert aside.call({}) == []


def test_turns_at_a_limit_come_one_after_the_other_and_begin_anew_with_a_new_limit() -> None:
    now = [100.0]
    line = Line(lambda: now[0])
    assert [line.turn("mail/a", per_second=10, wanted=20) for _ in range(3)] == [2, 4, 6]
    assert line.turn("mail/b", per_second=10, wanted=20) == 2
    now[0] += 5
    assert line.turn("mail/a", per_second=10, wanted=20) == 3
    assert line.turn("mail/a", per_second=20, wanted=20) == 1
    assert line.turn("mail/a", per_second=0.01, wanted=20) == 300
