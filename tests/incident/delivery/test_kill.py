"""SIGKILL at every point of a sending: nobody is lost, and who is told twice is told the very same."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from sqlmodel import select

from incident.delivery.sender import GROUP, batches_at_once
from incident.delivery.states import CampaignState
from incident.store.tables import Attempt
from notifiers.outcome import Result
from tests.support.breaches import Breach, make_breach, some_people
from tests.support.relays import StallingRelay, parsed
from tests.support.working_process import kill, start_worker

# One open group for each batch that a worker has under way.
BOUND = GROUP * batches_at_once(connections=1)
LATEST = 30


def sending(tmp_path: Path, relay_port: int, count: int) -> Breach:
    breach = make_breach(tmp_path, people=some_people(count), relay_port=relay_port)
    breach.release()
    breach.open_sending()
    breach.made.store.close()
    return breach


def finish(breach: Breach) -> None:
    worker = start_worker(breach.made.workspace.root)
    assert worker.wait(timeout=60) == 0


def kill_at(breach: Breach, relay: StallingRelay, stage: str, number: int) -> None:
    relay.stall_at(stage, number)
    worker = start_worker(breach.made.workspace.root)
    try:
        assert relay.stalled.wait(LATEST), "the worker never came so far"
    finally:
        kill(worker)


def open_intents(breach: Breach) -> list[Attempt]:
    with breach.made.store.read() as session:
        return list(session.exec(select(Attempt).where(Attempt.outcome_at == None)).all())  # noqa: E711 - SQL


def assert_everybody_was_told(breach: Breach, relay: StallingRelay, count: int, *, kills: int) -> None:
    assert len(relay.copies) == count, "somebody was lost"
    told = {parsed(copies[0])["To"].addresses[0].addr_spec for copies in relay.copies.values()}
    assert told == {person.email for person in some_people(count)}
    assert relay.doubles <= BOUND * kills
    assert max(relay.copies_a_message()) <= kills + 1
    assert all(len(set(copies)) == 1 for copies in relay.copies.values()), "a copy had other bytes"
    account = breach.account()
    assert (account.accepted, account.in_progress, account.adds_up) == (count, 0, True)
    assert account.state == CampaignState.ENDED
    assert relay.doubles <= account.doubled_at_most <= BOUND * kills


def test_killed_after_the_intent_and_before_the_wire_nothing_is_doubled_by_that_group(tmp_path: Path) -> None:
    with StallingRelay() as relay:
        breach = sending(tmp_path, relay.port, 3 * GROUP)
        kill_at(breach, relay, "mail", GROUP + 1)
        assert len(open_intents(breach)) == GROUP and relay.taken == GROUP
        finish(breach)
    assert relay.doubles == 0
    assert_everybody_was_told(breach, relay, 3 * GROUP, kills=1)


def test_killed_after_the_dot_the_message_is_ambiguous_and_sent_again_byte_for_byte(tmp_path: Path) -> None:
    with StallingRelay() as relay:
        breach = sending(tmp_path, relay.port, 3 * GROUP)
        kill_at(breach, relay, "dot", 2 * GROUP)
        assert len(open_intents(breach)) == GROUP
        finish(breach)
    # The group's outcomes were not yet written: all of it is sent again, and nothing else.
    assert relay.doubles == GROUP
    assert_everybody_was_told(breach, relay, 3 * GROUP, kills=1)


def test_killed_four_times_nobody_is_lost_and_doubles_stay_within_the_bound(tmp_path: Path) -> None:
    count = 600
    with StallingRelay() as relay:
        breach = sending(tmp_path, relay.port, count)
        places = [("mail", 47), ("dot", 170), ("dot", 333), ("mail", 520)]
        for stage, number in places:
            kill_at(breach, relay, stage, number)
            assert breach.account().adds_up
        finish(breach)
    assert_everybody_was_told(breach, relay, count, kills=len(places))


def test_killed_twice_in_the_same_group_a_person_gets_three_equal_copies_at_most(tmp_path: Path) -> None:
    with StallingRelay() as relay:
        breach = sending(tmp_path, relay.port, GROUP)
        kill_at(breach, relay, "dot", GROUP)
        kill_at(breach, relay, "dot", 2 * GROUP)
        finish(breach)
    assert relay.copies_a_message() == {3: GROUP}
    assert_everybody_was_told(breach, relay, GROUP, kills=2)
    with breach.made.store.read() as session:
        results = Counter(session.exec(select(Attempt.result)).all())
    assert results == {Result.ambiguous: 2 * GROUP, Result.accepted: GROUP}
