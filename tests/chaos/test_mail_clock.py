"""The clock is set back and forward by an hour while a notice goes out: nobody hears twice, nobody waits an hour for it."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlmodel import select

from incident.delivery.states import CampaignState, DeliveryState
from incident.store.tables import Attempt, DutyRow
from tests.chaos.conftest import Tell
from tests.support.breaches import Breach, make_breach, some_people
from tests.support.commands import run
from tests.support.ledgers import assert_the_check_holds, read_ledger
from tests.support.moved_clocks import MovedClock, start_worker_by
from tests.support.postgres import PostgresServer
from tests.support.relays import RecordingRelay, Sink, recording_relay, smtp_sink
from tests.support.sink_book import SinkBook
from tests.support.working_process import kill, start_worker_command

PEOPLE = 1_800
HOUR = 3_600
MOVES = (-HOUR, HOUR, -HOUR, 0, HOUR)
# Of the database's server, and of one of two workers.
MOVES_APART = ((-HOUR, 0), (0, HOUR), (HOUR, -HOUR), (0, -HOUR), (HOUR, HOUR))
RATE = "400"
# Far below the hour by which the clock is moved, far above what the work takes.
LATEST = 60.0


def prepare(
    tmp_path: Path, port: int, *, people: int = PEOPLE, on: PostgresServer | None = None, stale: float = 30
) -> Breach:
    engine = {"stale_seconds": stale}
    breach = make_breach(tmp_path, people=some_people(people), relay_port=port, on=on, engine=engine)
    breach.release()
    breach.open_sending()
    return breach


def wait_until(condition: Callable[[], bool], worker: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + LATEST
    while not condition():
        assert worker.poll() is None, "the worker ended"
        assert time.monotonic() < until, "the work stands still"
        time.sleep(0.01)


def ended(breach: Breach) -> bool:
    return breach.account().state == CampaignState.ENDED


def deadlines(breach: Breach) -> dict[str, datetime | None]:
    with breach.made.store.read() as session:
        return {row.duty_id: row.due_at for row in session.exec(select(DutyRow)).all()}


def hours_by_which_intents_are_off(breach: Breach) -> set[int]:
    """By how many hours the worker's clock was off when it wrote its intents."""
    now = datetime.now(UTC)
    with breach.made.store.read() as session:
        moments = session.exec(select(Attempt.intent_at)).all()
    return {round((moment - now) / timedelta(hours=1)) for moment in moments}


def sent(sink: Sink, share: float) -> Callable[[], bool]:
    return lambda: sink.count >= share * PEOPLE


@pytest.mark.chaos
def test_a_clock_set_back_and_forward_in_the_middle_changes_nothing(
    tmp_path: Path, sink_folder: Path, tell: Tell
) -> None:
    clock = MovedClock(tmp_path)
    with smtp_sink(sink_folder) as sink:
        breach = prepare(tmp_path, sink.port)
        before = deadlines(breach)
        began = time.monotonic()
        worker = start_worker_by(clock, breach.made.workspace.root)
        try:
            for number, offset in enumerate(MOVES, start=1):
                wait_until(sent(sink, number / (len(MOVES) + 1)), worker)
                clock.move_to(offset)
            wait_until(lambda: sink.count >= PEOPLE, worker)
            # The last outcomes, and the end of the campaign, fall into a clock that was just set back.
            clock.move_to(-HOUR)
            wait_until(lambda: ended(breach), worker)
        finally:
            kill(worker)
        book = SinkBook(sink)
        book.settle()
    took = time.monotonic() - began
    assert {-1, 0, 1} <= hours_by_which_intents_are_off(breach), "the worker never saw its clock move"
    assert (len(book.copies), book.doubled) == (PEOPLE, 0)
    end = read_ledger(breach.made.store)
    end.must_add_up()
    assert set(end.states.values()) == {DeliveryState.ACCEPTED}
    assert {len(results) for results in end.attempts.values()} == {1}
    assert before and any(before.values())
    assert deadlines(breach) == before
    assert_the_check_holds(breach.made.workspace.root)
    tell(f"the clock was set {len(MOVES) + 1} times by an hour; {PEOPLE} people told once in {took:.0f} s")


@pytest.mark.chaos
def test_on_postgresql_the_servers_clock_and_a_workers_clock_jump_apart(
    own_postgres: PostgresServer,
    tmp_path: Path,
    sink_folder: Path,
    tell: Tell,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # The server runs under an account of its own, which may read its own folder only.
    of_server, of_worker = MovedClock(own_postgres.folder), MovedClock(tmp_path)
    own_postgres.stop()
    with monkeypatch.context() as with_clock:
        for name, value in of_server.environment.items():
            with_clock.setenv(name, value)
        own_postgres.start()
    with smtp_sink(sink_folder) as sink:
        breach = prepare(tmp_path, sink.port, on=own_postgres, stale=4)
        before, root = deadlines(breach), breach.made.workspace.root
        # With a limit, so that its bucket is filled by a clock that jumps.
        assert run("--workspace", root, "engine", "limits", "--mail-per-second", RATE).code == 0
        began = time.monotonic()
        workers = [start_worker_by(of_worker, root)]
        try:
            # The true one starts faster, and would have done the most of it alone.
            wait_until(lambda: sink.count > 0, workers[0])
            workers.append(start_worker_command(root))
            for number, (server, worker) in enumerate(MOVES_APART, start=1):
                wait_until(sent(sink, number / (len(MOVES_APART) + 1)), workers[0])
                of_server.move_to(server)
                of_worker.move_to(worker)
            wait_until(lambda: sink.count >= PEOPLE, workers[0])
            of_server.move_to(-HOUR)
            wait_until(lambda: ended(breach), workers[0])
        finally:
            for each in workers:
                kill(each)
        book = SinkBook(sink)
        book.settle()
    took = time.monotonic() - began
    assert {-1, 1} <= hours_by_which_intents_are_off(breach), "the worker never saw its clock move"
    assert (len(book.copies), book.doubled) == (PEOPLE, 0)
    read_ledger(breach.made.store).must_add_up()
    assert deadlines(breach) == before
    assert_the_check_holds(breach.made.workspace.root)
    tell(f"two clocks set apart {len(MOVES_APART)} times; {PEOPLE} people told once in {took:.0f} s")


@pytest.mark.chaos
def test_killed_under_a_clock_an_hour_ahead_the_next_worker_goes_on_at_once(
    tmp_path: Path, sink_folder: Path, tell: Tell
) -> None:
    clock = MovedClock(tmp_path)
    clock.move_to(HOUR)
    with smtp_sink(sink_folder) as sink:
        breach = prepare(tmp_path, sink.port)
        before = deadlines(breach)
        worker = start_worker_by(clock, breach.made.workspace.root)
        wait_until(sent(sink, 0.5), worker)
        kill(worker)
        book = SinkBook(sink)
        book.settle()
        at_the_kill, taken = read_ledger(breach.made.store), book.counts()
        at_the_kill.must_add_up()
        clock.move_to(-HOUR)
        began = time.monotonic()
        worker = start_worker_by(clock, breach.made.workspace.root)
        try:
            wait_until(lambda: ended(breach), worker)
        finally:
            kill(worker)
        took = time.monotonic() - began
        book.settle()
    assert book.with_other_bytes() == []
    assert len(book.copies) == PEOPLE
    again = {delivery_id for delivery_id, copies in book.copies.items() if len(copies) > 1}
    assert again == {delivery_id for delivery_id in at_the_kill.open if taken[delivery_id]}
    assert hours_by_which_intents_are_off(breach) == {-1, 1}
    assert deadlines(breach) == before
    assert_the_check_holds(breach.made.workspace.root)
    read_ledger(breach.made.store).must_add_up()
    tell(f"killed an hour ahead, gone on two hours earlier in {took:.0f} s; {len(again)} told twice")


@pytest.mark.chaos
@pytest.mark.parametrize(
    ("at_first", "then", "restart"),
    [
        pytest.param(0, HOUR, False, id="the clock jumps ahead"),
        pytest.param(HOUR, 0, False, id="it is set back"),
        pytest.param(HOUR, 0, True, id="it is set back while no worker lives"),
    ],
)
def test_who_was_put_off_for_a_minute_is_told_once_and_need_not_wait_an_hour(
    tmp_path: Path, at_first: int, then: int, restart: bool
) -> None:
    clock = MovedClock(tmp_path)
    clock.move_to(at_first)
    put_off = {person.email for person in some_people(5)}
    with recording_relay() as relay:
        refuse_at_first(relay, put_off)
        breach = prepare(tmp_path, relay.port, people=100)
        worker = start_worker_by(clock, breach.made.workspace.root)
        try:
            wait_until(lambda: breach.account().in_progress == len(put_off), worker)
            if restart:
                kill(worker)
            clock.move_to(then)
            if restart:
                worker = start_worker_by(clock, breach.made.workspace.root)
            wait_until(lambda: ended(breach), worker)
        finally:
            kill(worker)
    assert sorted(mail.to for mail in relay.taken) == sorted(person.email for person in some_people(100))
    tries = [len(results) for results in read_ledger(breach.made.store).attempts.values()]
    assert sorted(tries) == [1] * 95 + [2] * 5
    assert_the_check_holds(breach.made.workspace.root)


def refuse_at_first(relay: RecordingRelay, addresses: set[str]) -> None:
    refused: set[str] = set()

    def answer(address: str) -> str | None:
        if address not in addresses or address in refused:
            return None
        refused.add(address)
        return "450 4.2.0 greylisted"

    relay.at_rcpt = answer
