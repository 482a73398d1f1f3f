"""Four workers on one PostgreSQL send 100,000 notices while they, the database and the queue are killed under them.

The test is their supervisor: who dies is started again. Events come by the clock, at random workers; a limit of messages
a second makes sure that all of them fall into the sending, and is itself held by all workers together.
"""

from __future__ import annotations

import random
import threading
import time
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import pairwise
from pathlib import Path

import psycopg
import pytest

from incident.delivery.sender import GROUP, batches_at_once
from incident.delivery.states import BATCH_JOB, CampaignState, DeliveryState
from incident.errors import StoreUnavailable
from notifiers.outcome import Result
from tests.chaos.conftest import Tell
from tests.support.breaches import Breach, make_breach, some_people
from tests.support.commands import run, run_process
from tests.support.crew import Crew
from tests.support.ledgers import Ledger, assert_the_check_holds, read_ledger
from tests.support.long_runs import sized
from tests.support.postgres import PostgresServer
from tests.support.relays import smtp_sink
from tests.support.sink_book import SinkBook

PEOPLE = sized(36_000, long=100_000)
WORKERS = 4
CONNECTIONS = 2
STALE = 6.0

# Held by all workers together. One second's worth may go at once.
RATE = BURST = 600
AT_ONCE = 6

KILLS, FREEZES = sized((6, 2), long=(14, 5))
FROZEN_SECONDS = (STALE + 3, STALE + 8)
DATABASE_AWAY_SECONDS = 3.0
DATABASE_STOPS_AT, QUEUE_RESET_AT = sized((20.0, 36.0), long=(60.0, 100.0))
FIRST, LAST = 8.0, sized(48.0, long=140.0)  # the limit lets the sending take longer than this
LATEST = 420.0

# What one worker, and what all of them together, have under way at most.
OF_ONE, OF_ALL = GROUP * batches_at_once(CONNECTIONS), GROUP * AT_ONCE


@pytest.mark.chaos
def test_killed_frozen_and_without_database_and_queue_four_workers_tell_everybody(
    own_postgres: PostgresServer, tmp_path: Path, sink_folder: Path, tell: Tell
) -> None:
    with smtp_sink(sink_folder) as sink:
        breach = prepare(tmp_path, sink.port, own_postgres)
        crew = Crew(breach.made.workspace.root, tmp_path, size=WORKERS)
        with batches_seen(breach) as seen, crew.at_work():
            live_through_it(breach, crew, own_postgres)
            took = crew.elapsed
            assert crew.end() == [0] * WORKERS
        book = SinkBook(sink)
        book.settle()
    end = read_ledger(breach.made.store)
    assert_everybody_was_told(breach, book, end)
    doubtful = assert_doubles_are_explained(book, end)
    most = assert_the_rate_was_held(book)
    assert max(seen) <= AT_ONCE, "more batches were under way than may be"
    assert max(seen) == AT_ONCE, "the limit of batches at once was never reached"
    assert took > (PEOPLE - BURST) / RATE, "faster than the limit allows"
    assert longest_silence(book) < DATABASE_AWAY_SECONDS + STALE + 15, "the work stood still"
    tell(f"{KILLS} kills, {FREEZES} freezes, the database stopped at once, the queue dropped; {took:.0f} s")
    tell(
        f"{len(book.copies)} of {PEOPLE} people told, 0 lost, {book.doubled} told twice"
        f" ({doubtful} attempts in doubt, bound {BOUND})"
    )
    tell(
        f"most arrivals in {', '.join(f'{width} s: {count} (bound {rate_bound(width)})' for width, count in most.items())};"
        f" at most {max(seen)} batches at once; longest silence {longest_silence(book):.1f} s"
    )


# An attempt is in doubt when its worker was killed, or frozen until its job was taken over; when all of them lost the
# database for a moment; and when the reset of the queue ended what was under way.
BOUND = OF_ONE * (KILLS + FREEZES) + OF_ALL * 2


def prepare(tmp_path: Path, port: int, server: PostgresServer) -> Breach:
    breach = make_breach(
        tmp_path,
        people=some_people(PEOPLE),
        relay_port=port,
        mail={"connections": CONNECTIONS},
        on=server,
        engine={"stale_seconds": STALE},
    )
    breach.release()
    breach.open_sending()
    limits = ("--mail-per-second", str(RATE), "--batches-at-once", str(AT_ONCE))
    assert run("--workspace", breach.made.workspace.root, "engine", "limits", *limits).code == 0
    return breach


def live_through_it(breach: Breach, crew: Crew, server: PostgresServer) -> None:
    """Let everything happen at its time, and wait for the end of the campaign."""
    dice = random.Random(4)
    events = [(dice.uniform(FIRST, LAST), "kill") for _ in range(KILLS)]
    events += [(dice.uniform(FIRST, LAST), "freeze") for _ in range(FREEZES)]
    events += [(DATABASE_STOPS_AT, "stop the database"), (QUEUE_RESET_AT, "reset the queue")]
    events.sort(reverse=True)
    while events or not ended(breach):
        assert crew.elapsed < LATEST, "the work stands still"
        crew.supervise()
        if events and crew.elapsed >= events[-1][0] and crew.awake():
            _, what = events.pop()
            happen(what, breach, crew, server, dice)
        time.sleep(0.05 if events else 0.5)
        if not events:
            crew.supervise()


def happen(what: str, breach: Breach, crew: Crew, server: PostgresServer, dice: random.Random) -> None:
    match what:
        case "kill":
            crew.kill(dice.randrange(WORKERS))
        case "freeze":
            crew.freeze(dice.choice(crew.awake()), seconds=dice.uniform(*FROZEN_SECONDS))
        case "stop the database":
            assert_it_adds_up(breach)
            server.stop_at_once()
            time.sleep(DATABASE_AWAY_SECONDS)
            server.start()
            assert_it_adds_up(breach)
        case "reset the queue":
            answer = run_process("--workspace", crew.workspace, "engine", "reset", "--json")
            assert answer.code == 0, answer.text
            assert answer.document["queue"] is True
            assert_it_adds_up(breach)


def ended(breach: Breach) -> bool:
    with suppress(StoreUnavailable):
        account = breach.account()
        assert account.adds_up
        return account.state == CampaignState.ENDED
    return False


def assert_it_adds_up(breach: Breach) -> None:
    with suppress(StoreUnavailable):  # the pool's connections died with the server
        breach.account()
    read_ledger(breach.made.store).must_add_up()


@contextmanager
def batches_seen(breach: Breach) -> Iterator[list[int]]:
    """How many batches of mail were under way at each look, by the rows of the jobs."""
    seen: list[int] = []
    over = threading.Event()
    url = breach.made.settings.store.url
    statement = "SELECT count(*) FROM job WHERE kind = %s AND state = 'open' AND beat_at > 0"

    def look() -> None:
        while not over.is_set():
            with suppress(psycopg.OperationalError), psycopg.connect(url, autocommit=True) as connection:
                while not over.wait(0.05):
                    [(count,)] = connection.execute(statement, [BATCH_JOB]).fetchall()
                    seen.append(count)
            over.wait(0.2)

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join()


def assert_everybody_was_told(breach: Breach, book: SinkBook, end: Ledger) -> None:
    end.must_add_up()
    told = {copy.to for copies in book.copies.values() for copy in copies}
    assert told == {person.email for person in some_people(PEOPLE)}
    assert book.copies.keys() == end.states.keys(), "somebody was lost, or told by a message of nobody's"
    assert set(end.states.values()) == {DeliveryState.ACCEPTED}
    account = breach.account()
    assert (account.accepted, account.in_progress, account.adds_up) == (PEOPLE, 0, True)
    assert account.state == CampaignState.ENDED
    assert_the_check_holds(breach.made.workspace.root)


def assert_doubles_are_explained(book: SinkBook, end: Ledger) -> int:
    """Who was told twice has an attempt in doubt for each further copy, and those are no more than the events explain."""
    assert book.with_other_bytes() == []
    in_doubt = {delivery_id: results.count(Result.ambiguous) for delivery_id, results in end.attempts.items()}
    more = {delivery_id: count - 1 for delivery_id, count in book.counts().items()}
    unexplained = [delivery_id for delivery_id, count in more.items() if count > in_doubt[delivery_id]]
    assert unexplained == []
    kinds = Counter(result for results in end.attempts.values() for result in results[:-1])
    assert set(kinds) <= {Result.ambiguous, Result.not_sent}
    total = sum(in_doubt.values())
    assert total, "no event fell into a sending"
    assert book.doubled <= total <= BOUND
    return total


def rate_bound(width: float) -> float:
    """How many messages may arrive in a time of so many seconds.

    A message has taken its token in the transaction of its group's intent. In the time itself at most `RATE * width +
    BURST` tokens are handed out. Before it, only those can have been handed out whose messages are still under way when
    it begins: one group for each batch under way; one more for each if the reset has just ended their attempts, whose
    workers learn of it at their next sign of life; and one message for each connection of a worker that was frozen in
    the middle of it and goes on (before the next one it finds that it may not act).
    """
    return RATE * width + BURST + 2 * OF_ALL + WORKERS * CONNECTIONS


def assert_the_rate_was_held(book: SinkBook) -> dict[int, int]:
    """No window of time holds more arrivals than the limit explains; returns the fullest ones."""
    arrivals = sorted(copy.at for copies in book.copies.values() for copy in copies)
    fullest = {}
    for width in (1, 5, 20, 60):
        fullest[width] = max(
            bisect_right(arrivals, begin + width) - first for first, begin in enumerate(arrivals)
        )
        assert fullest[width] <= rate_bound(width), f"too many in {width} s"
    return fullest


def longest_silence(book: SinkBook) -> float:
    arrivals = sorted(copy.at for copies in book.copies.values() for copy in copies)
    return max(later - earlier for earlier, later in pairwise(arrivals))
