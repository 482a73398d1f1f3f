"""A hold in the middle of a sending: it stops within a second, over kills and restarts, and nobody is lost."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlmodel import select

from incident.delivery.states import PUBLISH_JOB, CampaignState, DeliveryState
from incident.durable import Lease
from incident.ops import worker
from incident.ops.check import check
from incident.record.holds import Cover, HeldBack
from incident.store.tables import Attempt, Campaign, PublicNotice
from notifiers.outcome import Result
from tests.support.at_once import at_once
from tests.support.breaches import Breach, make_breach, some_people
from tests.support.holds import hold, holds, lift
from tests.support.lived_in import broken
from tests.support.postgres import PostgresServer
from tests.support.relays import RecordingRelay, recording_relay
from tests.support.working_process import kill, start_worker
from tests.support.workspaces import all_rows, run_sql

PEOPLE = 200
# Slow enough that a hold comes in the middle.
PAUSE_SECONDS = 0.02


@pytest.fixture
def relay() -> Iterator[RecordingRelay]:
    with recording_relay() as relay:

        def slowly(address: str) -> None:
            time.sleep(PAUSE_SECONDS)

        relay.at_rcpt = slowly
        yield relay


def sending(tmp_path: Path, relay: RecordingRelay, on: PostgresServer | None, people: int = PEOPLE) -> Breach:
    breach = make_breach(tmp_path, people=some_people(people), relay_port=relay.port, on=on)
    breach.release()
    breach.open_sending()
    return breach


@contextmanager
def a_worker_process(breach: Breach) -> Iterator[None]:
    worker = start_worker(breach.made.workspace.root, until="never")
    try:
        yield
    finally:
        kill(worker)


def wait_until(what: str, done: Callable[[], bool]) -> None:
    until = time.monotonic() + 60
    while not done():
        assert time.monotonic() < until, what
        time.sleep(0.02)


def stands_still(relay: RecordingRelay) -> int:
    """A second after the hold: how many were taken, and nothing more comes."""
    time.sleep(1.0)
    count = len(relay.taken)
    time.sleep(1.0)
    assert len(relay.taken) == count, "something left under a hold"
    return count


def pages(breach: Breach) -> list[str]:
    with breach.made.store.read() as session:
        return list(session.exec(select(PublicNotice.language)).all())


def test_a_hold_stops_a_sending_within_a_second_over_kills_and_lifting_reaches_everybody_once(
    tmp_path: Path, relay: RecordingRelay, store_killed_on: PostgresServer | None
) -> None:
    breach = sending(tmp_path, relay, store_killed_on)
    with a_worker_process(breach):
        wait_until("the worker never came so far", lambda: len(relay.taken) >= 30)
        label = hold(breach, Cover.PEOPLE)
        count = stands_still(relay)
        assert count < PEOPLE
    for _ in range(2):
        with a_worker_process(breach):
            assert stands_still(relay) == count, "a restart lifted the hold"
    account = breach.account()
    assert account.adds_up and account.state == CampaignState.SENDING
    assert broken_now(breach) == {}
    with a_worker_process(breach):
        relay.at_rcpt = lambda address: None
        lift(breach, label)
        wait_until("nothing went on", lambda: len(relay.taken) >= PEOPLE)
        wait_until("it never ended", lambda: breach.account().state == CampaignState.ENDED)
    assert sorted({mail.to for mail in relay.taken}) == [person.email for person in some_people(PEOPLE)]
    assert len(relay.taken) == PEOPLE, "somebody was told twice"


def broken_now(breach: Breach) -> dict[str, list[str]]:
    return broken(check(breach.house))


def test_a_hold_whose_time_is_over_never_lets_anything_go(tmp_path: Path, relay: RecordingRelay) -> None:
    breach = sending(tmp_path, relay, None, people=5)
    label = hold(breach, Cover.PEOPLE, Cover.PUBLIC, hours=1)
    for hours in (2, 48, 400):
        breach.later(hours=hours)
        breach.work()
        assert relay.taken == [] and pages(breach) == []
    lift(breach, label)
    breach.work()
    assert len(relay.taken) == 5 and len(pages(breach)) == 2
    assert breach.account().state == CampaignState.ENDED


def test_what_a_hold_kept_back_within_a_group_is_no_failure_of_anybody(
    tmp_path: Path, relay: RecordingRelay
) -> None:
    breach = sending(tmp_path, relay, None)
    with a_worker_process(breach):
        wait_until("the worker never came so far", lambda: len(relay.taken) >= 30)
        hold(breach, Cover.PEOPLE)
        stands_still(relay)
    with breach.made.store.read() as session:
        results = set(session.exec(select(Attempt.result)).all())
    assert results <= {Result.accepted, Result.not_sent}
    assert {row.strikes for row in breach.deliveries()} == {0}
    assert DeliveryState.UNREACHABLE not in {row.state for row in breach.deliveries()}


def test_a_hold_over_public_pages_lets_mail_go_and_publishes_once_it_is_lifted(
    tmp_path: Path, relay: RecordingRelay
) -> None:
    relay.at_rcpt = lambda address: None
    breach = sending(tmp_path, relay, None, people=5)
    label = hold(breach, Cover.PUBLIC)
    breach.work()
    assert len(relay.taken) == 5
    assert pages(breach) == [] and not list(breach.made.workspace.public.rglob("*.html"))
    lift(breach, label)
    breach.work()
    assert sorted(pages(breach)) == ["en", "zh-Hans"]


def test_a_hold_over_chats_keeps_no_mail_back(tmp_path: Path, relay: RecordingRelay) -> None:
    relay.at_rcpt = lambda address: None
    breach = sending(tmp_path, relay, None, people=5)
    hold(breach, Cover.CHAT, Cover.SELFCHECK, Cover.CALENDAR)
    breach.work()
    assert len(relay.taken) == 5 and len(pages(breach)) == 2


def test_under_a_hold_no_sending_is_begun(tmp_path: Path) -> None:
    breach = make_breach(tmp_path, people=some_people(3))
    breach.release()
    label = hold(breach, Cover.PEOPLE)
    before = all_rows(breach.made.store)
    with pytest.raises(HeldBack, match="H1, asked for by police"):
        breach.open_sending()
    assert all_rows(breach.made.store) == before
    lift(breach, label)
    breach.open_sending()
    with breach.made.store.read() as session:
        assert session.exec(select(Campaign.state)).all() == [CampaignState.SENDING]


def test_a_second_hold_keeps_back_what_the_lifting_of_the_first_would_free(
    tmp_path: Path, relay: RecordingRelay
) -> None:
    relay.at_rcpt = lambda address: None
    breach = sending(tmp_path, relay, None, people=5)
    first, second = hold(breach, Cover.PEOPLE), hold(breach, Cover.PEOPLE, Cover.PUBLIC, by="counsel")
    assert lift(breach, first) == ()
    breach.work()
    assert relay.taken == []
    lift(breach, second)
    breach.work()
    assert len(relay.taken) == 5
    assert [each.stands for each in holds(breach).values()] == [False, False]


def test_a_hold_that_comes_at_the_last_moment_still_keeps_the_pages_from_being_published(
    tmp_path: Path, relay: RecordingRelay, monkeypatch: pytest.MonkeyPatch
) -> None:
    relay.at_rcpt = lambda address: None
    breach = sending(tmp_path, relay, None, people=5)
    placed: list[str] = []

    def may_act(lease: Lease, *under: str) -> bool:
        """Asked after the look at the holds and before the pages are written."""
        if lease.claim.kind == PUBLISH_JOB and not placed:
            placed.append(hold(breach, Cover.PUBLIC))
        return True

    monkeypatch.setattr(Lease, "may_act", may_act)
    breach.work()
    assert len(placed) == 1
    assert pages(breach) == [] and not list(breach.made.workspace.public.rglob("*.html"))
    lift(breach, placed[0])
    breach.work()
    assert sorted(pages(breach)) == ["en", "zh-Hans"]


def test_a_brake_that_somebody_removed_does_not_open_a_hold(tmp_path: Path, relay: RecordingRelay) -> None:

    breach = sending(tmp_path, relay, None, people=5)
    hold(breach, Cover.PEOPLE, Cover.PUBLIC)
    run_sql(breach.made.store, "DELETE FROM brake")
    breach.work()
    assert relay.taken == [] and pages(breach) == []


def test_of_a_sending_and_a_hold_at_the_same_moment_nothing_leaves_under_the_hold(
    tmp_path: Path, relay: RecordingRelay, store_on: PostgresServer | None
) -> None:
    relay.at_rcpt = lambda address: None
    breach = make_breach(tmp_path, people=some_people(5), relay_port=relay.port, on=store_on)
    breach.release()
    opened, placed = at_once(breach.open_sending, lambda: hold(breach, Cover.PEOPLE))
    assert placed == "H1"
    assert isinstance(opened, str | HeldBack), opened
    breach.work()
    assert relay.taken == []
    lift(breach, "H1")
    breach.open_sending()
    breach.work()
    assert len(relay.taken) == 5


def test_a_hold_that_comes_after_a_page_was_read_is_seen_by_its_brake_before_the_page_is_written(
    tmp_path: Path, relay: RecordingRelay, monkeypatch: pytest.MonkeyPatch
) -> None:
    relay.at_rcpt = lambda address: None
    breach = sending(tmp_path, relay, None, people=2)
    label = hold(breach, Cover.PUBLIC)
    with monkeypatch.context() as earlier:
        earlier.setattr(worker, "held", lambda *about: None)
        breach.work()
    assert pages(breach) == [] and not list(breach.made.workspace.public.rglob("*.html"))
    lift(breach, label)
    breach.work()
    assert sorted(pages(breach)) == ["en", "zh-Hans"]
