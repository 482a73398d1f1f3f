"""SIGKILL in a sending that a later version replaces, and in one of shared messages: nobody lost, nobody told both."""

from __future__ import annotations

import re
import time
from collections import Counter
from pathlib import Path

from sqlmodel import select

from incident.delivery.sender import GROUP
from incident.delivery.states import CampaignState
from incident.ops.check import check
from incident.store.tables import Delivery
from tests.support.breaches import Affected, Breach, make_breach, some_people
from tests.support.lived_in import broken
from tests.support.relays import StallingRelay, parsed, part_of
from tests.support.versions import accounts, next_version
from tests.support.working_process import kill, start_worker

LATEST = 60
MARKS = ("Update to our notice of", "告知书的更新")


def opened(tmp_path: Path, relay: StallingRelay, people: list[Affected]) -> Breach:
    breach = make_breach(tmp_path, people=people, relay_port=relay.port)
    breach.release()
    breach.open_sending()
    return breach


def kill_at(breach: Breach, relay: StallingRelay, stage: str, number: int) -> None:
    relay.stall_at(stage, number)
    breach.made.store.close()
    worker = start_worker(breach.made.workspace.root, stale=1.0)
    try:
        assert relay.stalled.wait(LATEST), "the worker never came so far"
    finally:
        kill(worker)


def finish(breach: Breach) -> None:
    """Let workers work until every campaign has ended."""
    until = time.monotonic() + LATEST
    while {each.state for each in accounts(breach)} != {CampaignState.ENDED}:
        assert time.monotonic() < until, "a campaign never ended"
        breach.made.store.close()
        assert start_worker(breach.made.workspace.root, stale=1.0).wait(timeout=LATEST) == 0


def must_add_up(breach: Breach) -> None:
    assert all(each.adds_up for each in accounts(breach))
    # A worker that was killed may still count as the owner of its job.
    assert broken(check(breach.house, pause=0.0)) == {}


def addresses(relay: StallingRelay, *, updates: bool) -> Counter[str]:
    """To whom messages went that are updates, or first notices; copies of one message count once."""
    found: Counter[str] = Counter()
    for copies in relay.copies.values():
        assert len(set(copies)) == 1, "a copy had other bytes"
        message = parsed(copies[0])
        if any(mark in str(message["Subject"]) for mark in MARKS) == updates:
            found[message["To"].addresses[0].addr_spec] += 1
    return found


def test_killed_with_messages_at_the_relay_whoever_may_have_them_gets_the_later_version_as_an_update(
    tmp_path: Path,
) -> None:
    people = some_people(3 * GROUP)
    with StallingRelay() as relay:
        breach = opened(tmp_path, relay, people)
        kill_at(breach, relay, "dot", 2 * GROUP)
        first = set(addresses(relay, updates=False))
        next_version(breach)
        must_add_up(breach)
        kill_at(breach, relay, "dot", 2 * GROUP + GROUP // 2)
        must_add_up(breach)
        kill_at(breach, relay, "mail", 3 * GROUP + GROUP // 2)
        must_add_up(breach)
        finish(breach)
    told, updated = addresses(relay, updates=False), addresses(relay, updates=True)
    assert set(told) == {person.email for person in people} and set(told.values()) == {1}
    assert set(updated) == first and set(updated.values()) == {1}
    old, new = accounts(breach)
    assert old.accepted + old.unreachable_total == new.accepted == new.expected == 3 * GROUP
    assert new.updates == len(first) == 2 * GROUP
    must_add_up(breach)


def test_killed_in_every_window_of_shared_messages_each_parent_reads_of_each_child_once(
    tmp_path: Path,
) -> None:
    families = {
        f"parent{number}@example.org": [f"Child {number}-{each}" for each in range(1 + number % 4)]
        for number in range(2 * GROUP)
    }
    people = [
        Affected(name, name, born="2015-03-01", guardian_email=guardian)
        for guardian, names in families.items()
        for name in names
    ]
    with StallingRelay() as relay:
        breach = opened(tmp_path, relay, people)
        for stage, number in (("mail", 5), ("dot", 12), ("dot", 40), ("mail", 45)):
            kill_at(breach, relay, stage, number)
            must_add_up(breach)
        finish(breach)
        next_version(breach)
        kill_at(breach, relay, "dot", relay.taken + 10)
        must_add_up(breach)
        finish(breach)
    must_add_up(breach)
    for updates in (False, True):
        assert addresses(relay, updates=updates) == Counter(dict.fromkeys(families, 1))
    for copies in relay.copies.values():
        message = parsed(copies[0])
        named = Counter(re.findall(r"^- (Child \d+-\d+)[:：]", part_of(message, "plain"), re.MULTILINE))
        names = families[message["To"].addresses[0].addr_spec]
        # One child alone has no line: the whole message is about them.
        assert named == (Counter(names) if len(names) > 1 else Counter())
    with breach.made.store.read() as session:
        assert len(session.exec(select(Delivery)).all()) == 2 * len(people)
