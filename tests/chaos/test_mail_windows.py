"""SIGKILL in every window of a sending, on one machine: 20,000 people, 20 kills, and every copy counted.

The worker is the real command. It stops itself in the window, so that each kill lands where it should. That it stands
there is not believed: what only that window gives is looked up in the database, at the sink and on the connection,
before the kill and after it.
"""

from __future__ import annotations

import random
import sqlite3
import time
from collections import Counter
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest

from incident.delivery.sender import GROUP, batches_at_once
from incident.delivery.states import CampaignState, DeliveryState
from notifiers.outcome import Result
from tests.chaos.conftest import Tell
from tests.support.breaches import Breach, make_breach, some_people
from tests.support.ledgers import Ledger, assert_the_check_holds, read_ledger
from tests.support.long_runs import sized
from tests.support.relays import smtp_sink, unread_bytes_from
from tests.support.sink_book import SinkBook
from tests.support.stopping_worker import Stop, StoppingWorker, Window
from tests.support.working_process import kill, start_worker

PEOPLE = sized(8_000, long=20_000)
CONNECTIONS = 2
# What one worker has under way at most; each kill leaves no more than this open.
BOUND = GROUP * batches_at_once(CONNECTIONS)
KILLS_A_WINDOW = sized(2, long=4)
# How much a worker settles before it goes to its window: so little that all kills come before the end.
SETTLED_BEFORE = sized((100, 500), long=(200, 700))


@dataclass(frozen=True)
class Kill:
    """What stood in the ledger and what the sink had when a worker had been killed at its stop."""

    stop: Stop
    ledger: Ledger
    copies: Counter[str]


@pytest.mark.chaos
def test_killed_in_every_window_nobody_is_lost_and_who_is_told_twice_reads_the_same(
    tmp_path: Path, sink_folder: Path, tell: Tell
) -> None:
    began = time.monotonic()
    dice = random.Random(20)
    plan = [window for window in Window for _ in range(KILLS_A_WINDOW)]
    dice.shuffle(plan)
    kills: list[Kill] = []
    with smtp_sink(sink_folder) as sink:
        breach = prepare(tmp_path, sink.port)
        book = SinkBook(sink)
        for window in plan:
            kills.append(kill_in(window, breach, book, after=dice.randrange(*SETTLED_BEFORE)))
        assert start_worker(breach.made.workspace.root).wait(timeout=120) == 0
        book.settle()
    assert_every_window_was_hit(kills)
    end = read_ledger(breach.made.store)
    assert_everybody_was_told(breach, book, end)
    assert_only_open_groups_were_doubled(book, end, kills)
    hit = Counter(each.stop.window.value for each in kills)
    tell(", ".join(f"{count} kills {window}" for window, count in sorted(hit.items())))
    left_open = [len(each.ledger.open) for each in kills]
    tell(
        f"{len(book.copies)} of {PEOPLE} people told, 0 lost, {book.doubled} told twice"
        f" (bound {sum(left_open)}: open at the kills {left_open}); {time.monotonic() - began:.0f} s"
    )


def prepare(tmp_path: Path, port: int) -> Breach:
    breach = make_breach(
        tmp_path, people=some_people(PEOPLE), relay_port=port, mail={"connections": CONNECTIONS}
    )
    breach.release()
    breach.open_sending()
    breach.made.store.close()
    return breach


def kill_in(window: Window, breach: Breach, book: SinkBook, *, after: int) -> Kill:
    """Kill a new worker in this window, and prove by the ledger and the sink that it was there."""
    before = book.counts()
    worker = StoppingWorker(breach.made.workspace.root, window, after=after)
    try:
        stop = worker.wait()
        assert_it_stands_there(stop, breach, book)
    finally:
        kill(worker.process)
    book.settle()
    killed = Kill(stop, read_ledger(breach.made.store), book.counts())
    assert_it_was_there(killed, before)
    killed.ledger.must_add_up()
    assert breach.account().adds_up
    assert len(killed.ledger.open) <= BOUND
    assert_the_check_holds(breach.made.workspace.root)
    return killed


def assert_it_stands_there(stop: Stop, breach: Breach, book: SinkBook) -> None:
    """What only a worker that still stands in its window shows: its transaction, its half message, its unread answer."""
    match stop.window:
        case Window.BEFORE_INTENT | Window.BEFORE_COMMIT:
            assert somebody_writes(breach.made.database), "the transaction was over"
        case Window.AFTER_INTENT:
            assert not book.begun(stop.ids)
        case Window.ON_THE_WIRE:
            book.wait_until_begun(*stop.ids)
        case Window.AFTER_THE_DOT:
            book.wait_until_taken(*stop.ids)
            assert unread_bytes_from(book.sink.port), "the answer was read"


def somebody_writes(database: Path) -> bool:
    """Whether somebody is in a writing transaction right now."""
    connection = sqlite3.connect(database, timeout=0, isolation_level=None)
    try:
        connection.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError as error:
        return error.sqlite_errorcode == sqlite3.SQLITE_BUSY
    finally:
        connection.close()
    return False


def assert_it_was_there(killed: Kill, before: Counter[str]) -> None:
    """What a kill in this window leaves behind in the ledger and at the sink."""
    stop, ledger = killed.stop, killed.ledger
    open_ones = stop.ids & ledger.open
    new_copies = {killed.copies[delivery_id] - before[delivery_id] for delivery_id in stop.ids}
    match stop.window:
        case Window.BEFORE_INTENT:
            assert (open_ones, new_copies) == (frozenset(), {0})
            assert {ledger.states[each] for each in stop.ids} == {DeliveryState.PENDING}
        case Window.AFTER_INTENT | Window.ON_THE_WIRE:
            assert (open_ones, new_copies) == (stop.ids, {0})
        case Window.AFTER_THE_DOT | Window.BEFORE_COMMIT:
            assert (open_ones, new_copies) == (stop.ids, {1})
            assert not stop.next_ids & ledger.open


def assert_every_window_was_hit(kills: list[Kill]) -> None:
    hit = Counter(each.stop.window for each in kills)
    assert set(hit) == set(Window) and min(hit.values()) >= KILLS_A_WINDOW


def assert_everybody_was_told(breach: Breach, book: SinkBook, end: Ledger) -> None:
    end.must_add_up()
    told = {copy.to for copies in book.copies.values() for copy in copies}
    assert told == {person.email for person in some_people(PEOPLE)}
    assert book.copies.keys() == end.states.keys(), "somebody was lost, or told by a message of nobody's"
    assert set(end.states.values()) == {DeliveryState.ACCEPTED}
    account = breach.account()
    assert (account.accepted, account.in_progress, account.adds_up) == (PEOPLE, 0, True)
    assert account.state == CampaignState.ENDED
    assert book.doubled <= account.doubled_at_most
    assert_the_check_holds(breach.made.workspace.root)


def assert_only_open_groups_were_doubled(book: SinkBook, end: Ledger, kills: list[Kill]) -> None:
    """Each message has one copy, and one more for each kill that came when it was taken and not yet written down."""
    assert book.with_other_bytes() == []
    copies = book.counts()
    killed_while_open = {
        delivery_id: [each for each in kills if delivery_id in each.ledger.open] for delivery_id in copies
    }
    for delivery_id, its_kills in killed_while_open.items():
        seen = [0, *(each.copies[delivery_id] for each in its_kills)]
        assert all(later - earlier in (0, 1) for earlier, later in pairwise(seen))
        assert copies[delivery_id] == seen[-1] + 1
        assert end.attempts[delivery_id] == [Result.ambiguous] * len(its_kills) + [Result.accepted]
    left_open = sum(len(each.ledger.open) for each in kills)
    assert book.doubled <= left_open <= BOUND * len(kills)
