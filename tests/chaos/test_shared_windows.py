"""SIGKILL in every window of a sending of shared messages: each parent reads of each child in one message, or its copy.

The windows, and the proof that a worker stood in each, are those of `test_mail_windows`.
"""

from __future__ import annotations

import random
import re
import time
from collections import Counter
from pathlib import Path

import pytest
from sqlmodel import select

from incident.delivery.states import CampaignState, DeliveryState
from incident.store.tables import Delivery
from tests.chaos.conftest import Tell
from tests.chaos.test_mail_windows import CONNECTIONS, Kill, kill_in
from tests.support.breaches import Affected, Breach, make_breach
from tests.support.ledgers import assert_the_check_holds, read_ledger
from tests.support.relays import part_of, smtp_sink
from tests.support.sink_book import SinkBook
from tests.support.stopping_worker import Window
from tests.support.working_process import start_worker

# A batch that a killed worker held waits until that one counts as dead, so there are enough for all kills.
FAMILIES = 4_000
KILLS_A_WINDOW = 1
# Messages that a worker settles before it goes to its window.
SETTLED_BEFORE = (20, 200)
CHILDREN = {
    f"parent{number:04d}@example.org": [f"Child {number}-{each}" for each in range(number % 4 + 1)]
    for number in range(FAMILIES)
}


@pytest.mark.chaos
def test_killed_in_every_window_each_child_is_named_once_and_no_parent_is_lost(
    tmp_path: Path, sink_folder: Path, tell: Tell
) -> None:
    began = time.monotonic()
    dice = random.Random(21)
    plan = [window for window in Window for _ in range(KILLS_A_WINDOW)]
    dice.shuffle(plan)
    kills: list[Kill] = []
    with smtp_sink(sink_folder) as sink:
        breach = prepare(tmp_path, sink.port)
        book = SinkBook(sink)
        for window in plan:
            kills.append(kill_in(window, breach, book, after=dice.randrange(*SETTLED_BEFORE)))
            assert_nobody_is_parted(breach)
        assert start_worker(breach.made.workspace.root).wait(timeout=120) == 0
        book.settle()
        mails = sink.mails()
    assert {each.stop.window for each in kills} == set(Window)
    assert_everybody_was_told(breach, book)
    for mail in mails:
        named = Counter(re.findall(r"^- (Child \d+-\d+)[:：]", part_of(mail, "plain"), re.MULTILINE))
        theirs = CHILDREN[mail["To"].addresses[0].addr_spec]
        assert len(theirs) == 1 or named == Counter(theirs)
    tell(
        f"{len(kills)} kills; {len(book.copies)} parents told of {sum(map(len, CHILDREN.values()))} children, 0 lost,"
        f" {book.doubled} told twice; {time.monotonic() - began:.0f} s"
    )


def prepare(tmp_path: Path, port: int) -> Breach:
    people = [
        Affected(name, name, born="2015-03-01", guardian_email=parent)
        for parent, names in CHILDREN.items()
        for name in names
    ]
    breach = make_breach(tmp_path, people=people, relay_port=port, mail={"connections": CONNECTIONS})
    breach.release()
    breach.open_sending()
    breach.made.store.close()
    return breach


def assert_nobody_is_parted(breach: Breach) -> None:
    """Whoever shares a message stands where its leader stands, at every kill."""
    with breach.made.store.read() as session:
        rows = {row.id: row for row in session.exec(select(Delivery)).all()}
    for row in rows.values():
        lead = rows[row.leader_id or row.id]
        assert (row.state, row.attempts, row.strikes) == (lead.state, lead.attempts, lead.strikes)


def assert_everybody_was_told(breach: Breach, book: SinkBook) -> None:
    end = read_ledger(breach.made.store)
    end.must_add_up()
    assert set(end.states.values()) == {DeliveryState.ACCEPTED}
    assert book.with_other_bytes() == []
    told = Counter(copies[0].to for copies in book.copies.values())
    assert told == Counter(dict.fromkeys(CHILDREN, 1))
    account = breach.account()
    assert account.accepted == account.expected == sum(map(len, CHILDREN.values()))
    assert account.state == CampaignState.ENDED
    assert book.doubled <= account.doubled_at_most
    assert_the_check_holds(breach.made.workspace.root)
