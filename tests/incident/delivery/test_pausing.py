"""The brake of one notice and of everything: it acts within a second, survives restarts, and loses nobody."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlmodel import select

from incident.delivery.pausing import pause_campaign, resume_campaign
from incident.delivery.states import CampaignState, DeliveryState
from incident.durable import set_rate
from incident.errors import Refused
from incident.ops.engine import put_the_brake_on, take_the_brake_off
from incident.store.tables import Attempt
from notifiers.outcome import Result
from tests.support.breaches import Breach, make_breach, some_people
from tests.support.postgres import PostgresServer
from tests.support.relays import RecordingRelay, StallingRelay, recording_relay
from tests.support.working_process import kill, start_worker

PEOPLE = 200
# Slow enough that a brake comes in the middle.
PAUSE_SECONDS = 0.02


@pytest.fixture
def relay() -> Iterator[RecordingRelay]:
    with recording_relay() as relay:

        def slowly(address: str) -> None:
            time.sleep(PAUSE_SECONDS)

        relay.at_rcpt = slowly
        yield relay


def sending(tmp_path: Path, relay: RecordingRelay, on: PostgresServer | None) -> Breach:
    breach = make_breach(tmp_path, people=some_people(PEOPLE), relay_port=relay.port, on=on)
    breach.release()
    breach.open_sending()
    return breach


def pause(breach: Breach) -> None:
    store, now = breach.made.store, breach.made.clock()
    with store.write(breach.id, kind="campaign.paused", actor="ana", now=now) as change:
        pause_campaign(change, breach.id)


def resume(breach: Breach) -> None:
    store, now = breach.made.store, breach.made.clock()
    with store.write(breach.id, kind="campaign.resumed", actor="ana", now=now) as change:
        resume_campaign(change, breach.id)


@contextmanager
def a_worker_process(breach: Breach) -> Iterator[None]:
    worker = start_worker(breach.made.workspace.root, until="never")
    try:
        yield
    finally:
        kill(worker)


def taken_at_least(relay: RecordingRelay, count: int) -> None:
    until = time.monotonic() + 30
    while len(relay.taken) < count:
        assert time.monotonic() < until, "the worker never came so far"
        time.sleep(0.01)


def stands_still(relay: RecordingRelay) -> int:
    """A second after the brake: how many were taken, and nothing more comes."""
    time.sleep(1.0)
    count = len(relay.taken)
    time.sleep(1.0)
    assert len(relay.taken) == count, "something left under the brake"
    return count


def ended(breach: Breach) -> None:
    until = time.monotonic() + 60
    while breach.account().state != CampaignState.ENDED:
        assert time.monotonic() < until, breach.account()
        time.sleep(0.1)


def test_pausing_stops_within_a_second_over_restarts_and_resuming_reaches_everybody_once(
    tmp_path: Path, relay: RecordingRelay, store_killed_on: PostgresServer | None
) -> None:
    breach = sending(tmp_path, relay, store_killed_on)
    with a_worker_process(breach):
        taken_at_least(relay, 30)
        pause(breach)
        count = stands_still(relay)
        assert count < PEOPLE
    with a_worker_process(breach):
        assert stands_still(relay) == count, "a restart lifted the brake"
        account = breach.account()
        assert account.adds_up and account.state == CampaignState.PAUSED and account.paused is not None
        relay.at_rcpt = lambda address: None
        resume(breach)
        ended(breach)
    assert sorted({mail.to for mail in relay.taken}) == [person.email for person in some_people(PEOPLE)]
    assert len(relay.taken) == PEOPLE, "somebody was told twice"
    assert breach.account().paused is None


def test_the_general_brake_stops_everything_within_a_second_over_restarts(
    tmp_path: Path, relay: RecordingRelay, store_killed_on: PostgresServer | None
) -> None:
    breach = sending(tmp_path, relay, store_killed_on)
    store = breach.made.store
    with a_worker_process(breach):
        taken_at_least(relay, 30)
        assert put_the_brake_on(store, by="ana", reason="a wrong text", now=breach.made.clock())
        assert not put_the_brake_on(store, by="bo", reason="the same", now=breach.made.clock())
        count = stands_still(relay)
        assert count < PEOPLE
    with a_worker_process(breach):
        assert stands_still(relay) == count
        relay.at_rcpt = lambda address: None
        assert take_the_brake_off(store, by="ana", reason="mended", now=breach.made.clock())
        ended(breach)
    assert len(relay.taken) == PEOPLE


def test_what_the_brake_held_back_within_a_group_is_no_failure_of_anybody(
    tmp_path: Path, relay: RecordingRelay
) -> None:
    breach = sending(tmp_path, relay, None)
    with a_worker_process(breach):
        taken_at_least(relay, 30)
        pause(breach)
        stands_still(relay)
    with breach.made.store.read() as session:
        results = set(session.exec(select(Attempt.result)).all())
    assert results <= {Result.accepted, Result.not_sent}
    assert {row.strikes for row in breach.deliveries()} == {0}
    assert DeliveryState.UNREACHABLE not in {row.state for row in breach.deliveries()}


def test_what_is_paused_or_not_decides_what_may_be_asked(tmp_path: Path, relay: RecordingRelay) -> None:
    breach = make_breach(tmp_path, people=some_people(2), relay_port=relay.port)
    with pytest.raises(Refused, match="no notice of this incident"):
        pause(breach)
    breach.release()
    breach.open_sending()
    with pytest.raises(Refused, match="not paused"):
        resume(breach)
    pause(breach)
    with pytest.raises(Refused, match="paused already"):
        pause(breach)
    resume(breach)
    breach.work()
    with pytest.raises(Refused, match="everyone is settled"):
        pause(breach)


def test_a_limit_of_messages_a_second_holds_over_the_workers(
    tmp_path: Path, relay: RecordingRelay, store_on: PostgresServer | None
) -> None:
    relay.at_rcpt = lambda address: None
    breach = make_breach(tmp_path, people=some_people(60), relay_port=relay.port, on=store_on)
    breach.release()
    with breach.made.store.transaction() as session:
        set_rate(session, "mail", 20.0)
    breach.open_sending()
    began = time.monotonic()
    breach.work()
    # 60 messages at 20 a second out of an empty bucket.
    assert time.monotonic() - began >= 2.5
    assert len(relay.taken) == 60


def test_a_relay_that_stalls_holds_a_group_no_longer_than_it_may(tmp_path: Path) -> None:
    with StallingRelay() as relay:
        breach = make_breach(tmp_path, people=some_people(40), relay_port=relay.port)
        breach.release()
        breach.open_sending()
        relay.stall_at("dot", 10)
        worker = start_worker(breach.made.workspace.root, until="never", longest=2.0)
        try:
            assert relay.stalled.wait(30)
            until = time.monotonic() + 30
            while breach.account().accepted < 39:
                assert time.monotonic() < until, breach.account()
                time.sleep(0.1)
        finally:
            kill(worker)
    account = breach.account()
    assert len(relay.copies) == 40 and relay.doubles == 0
    # The one that stalled was taken, but nobody said so: it waits for its next try.
    assert (account.in_progress, account.doubled_at_most, account.adds_up) == (1, 1, True)
    assert account.waiting_until is not None
