"""SIGKILL and SIGSTOP while a notice goes out by e-mail and SMS: everybody accounted for, every copy explained.

The centre is at fault as well: it refuses, throttles, cuts connections, takes without answering, and says later of some
that they were not reached. The worker is the real one, in a process of its own.
"""

from __future__ import annotations

import random
import signal
import time
from datetime import timedelta
from pathlib import Path

import pytest

from incident.delivery.sender import GROUP, batches_at_once
from incident.delivery.states import EMAIL, DeliveryState
from incident.ops.bounce_reading import take_bounces
from incident.ops.worker import utc_now
from incident.proof.verify import verify
from tests.chaos.conftest import Tell
from tests.support.bounced import MAIL, bounce, deliver, make_maildir, return_path_of
from tests.support.breaches import Breach
from tests.support.commands import run
from tests.support.crew import Crew
from tests.support.ledgers import assert_the_check_holds
from tests.support.long_runs import sized
from tests.support.message_centre import MessageCentre, Receipts, message_centre
from tests.support.mixed_people import (
    CENTRE_ANSWERS,
    UNDELIVERED,
    assert_everybody_is_accounted_for,
    at_rcpt,
    doubts_by_sms,
    mixed_people,
    told_by,
)
from tests.support.postgres import PostgresServer
from tests.support.relays import recording_relay
from tests.support.sms_sendings import live_to_the_end, sms_breach
from tests.support.working_process import kill, start_worker

PEOPLE, KILLS, PARTS_BEFORE_A_KILL = sized((400, 4, 70), long=(800, 6, 90))
FEW, FEW_KILLS, PARTS_BEFORE_ONE_OF_FEW = 300, 4, 50
FREEZE_AT, FROZEN_SECONDS = 3, 7.0
WINDOW, CONNECTIONS, BOUNCES = 10, 2, 5
# Slow enough that every kill falls into the sending.
SMPP = {"window": WINDOW, "per_second": 120}
RATES = ("--mail-per-second", "40")
LATEST = 90.0
# Where the centre never answers the first part, a message is tried for days.
BETWEEN_TRIES = timedelta(hours=8)

MEANS = {"mail": ["email", "sms", "letter"], "SMS": ["sms", "email", "letter"]}
UNDELIVERED_ONES = {UNDELIVERED: "UNDELIV"}
# What a receipt is like changes in the middle, as where an account has several centres.
RECEIPTS = (
    Receipts(by_ending=UNDELIVERED_ONES, delay_ms=300),
    Receipts(by_ending=UNDELIVERED_ONES, delay_ms=50, id_in="decimal", shape="both"),
    Receipts(by_ending=UNDELIVERED_ONES, before_answer=True, shape="tlv"),
)


@pytest.mark.chaos
@pytest.mark.parametrize("first", MEANS)
def test_killed_again_and_again_over_all_means_nobody_is_lost(first: str, tmp_path: Path, tell: Tell) -> None:
    began, dice, people = time.monotonic(), random.Random(12), mixed_people(PEOPLE)
    with (
        recording_relay() as relay,
        message_centre(delay_ms=10, answers=CENTRE_ANSWERS, receipts=RECEIPTS[0]) as centre,
    ):
        relay.at_rcpt = at_rcpt
        breach = sms_breach(
            tmp_path,
            people,
            centre_port=centre.port,
            relay_port=relay.port,
            means=MEANS[first],
            smpp=SMPP,
            mail={**MAIL, "connections": CONNECTIONS},
        )
        make_maildir(breach.made.workspace.root / "bounces")
        assert run("--workspace", breach.made.workspace.root, "engine", "limits", *RATES).code == 0
        breach.made.store.close()
        for number in range(1, KILLS + 1):
            if number % 4 == 0:
                centre.change(receipts=RECEIPTS[number // 4 % len(RECEIPTS)])
            kill_after(breach, centre, PARTS_BEFORE_A_KILL * number, dice, freezes=number == FREEZE_AT)
            assert breach.account().adds_up
        breach.made.clock.now = utc_now()
        bounced = let_some_bounce(breach, BOUNCES)
        live_to_the_end(breach, every=BETWEEN_TRIES)
        where = assert_everybody_is_accounted_for(breach, people, centre, relay)
        doubled = assert_doubles_are_bounded(breach, centre, stops=KILLS + 1)
    assert_the_check_holds(breach.made.workspace.root)
    assert verify(breach.made.store).sound
    tell(f"{first} first: {KILLS} kills, 1 freeze, {bounced} bounces; {time.monotonic() - began:.0f} s")
    tell(f"{len(people)} people, 0 lost; {doubled}; {dict(sorted(where.items()))}")


@pytest.mark.chaos
def test_on_postgresql_two_workers_are_killed_over_all_means(
    own_postgres: PostgresServer, tmp_path: Path, tell: Tell
) -> None:
    began, dice, people = time.monotonic(), random.Random(4), mixed_people(FEW)
    with (
        recording_relay() as relay,
        message_centre(delay_ms=10, answers=CENTRE_ANSWERS, receipts=RECEIPTS[0]) as centre,
    ):
        relay.at_rcpt = at_rcpt
        breach = sms_breach(
            tmp_path,
            people,
            centre_port=centre.port,
            relay_port=relay.port,
            smpp={**SMPP, "per_second": 30},
            mail={"connections": CONNECTIONS},
            stale_seconds=5.0,
            on=own_postgres,
        )
        crew = Crew(breach.made.workspace.root, tmp_path, size=2)
        with crew.at_work(breach.made.store):
            for number in range(1, FEW_KILLS + 1):
                supervise_until(crew, centre, PARTS_BEFORE_ONE_OF_FEW * number)
                victim = dice.randrange(crew.size)
                crew.kill(victim)
                crew.workers[victim].wait(timeout=10)
            supervise_until(crew, centre, PARTS_BEFORE_ONE_OF_FEW * (FEW_KILLS + 1))
            # Before it works, a worker that is asked to stop dies of it.
            while len(crew.working(breach.made.store)) < crew.size:
                assert crew.elapsed < LATEST, "the workers do not begin"
                time.sleep(0.05)
            assert breach.account().adds_up
            assert crew.end() == [0, 0]
        breach.made.clock.now = utc_now()
        live_to_the_end(breach, every=BETWEEN_TRIES)
        where = assert_everybody_is_accounted_for(breach, people, centre, relay)
        # Whoever has ended in time leaves nothing open.
        doubled = assert_doubles_are_bounded(breach, centre, stops=FEW_KILLS)
    assert_the_check_holds(breach.made.workspace.root)
    assert verify(breach.made.store).sound
    tell(f"PostgreSQL: {FEW_KILLS} kills of two workers; {time.monotonic() - began:.0f} s")
    tell(f"{len(people)} people, 0 lost; {doubled}; {dict(sorted(where.items()))}")


def kill_after(
    breach: Breach, centre: MessageCentre, parts: int, dice: random.Random, *, freezes: bool
) -> None:
    """Kill a worker some time after the centre took so many parts in all; one is frozen for a while before."""
    worker = start_worker(breach.made.workspace.root, until="never")
    until = time.monotonic() + LATEST
    try:
        while len(centre.events("taken")) < parts:
            assert worker.poll() is None and time.monotonic() < until, "the worker never came so far"
            time.sleep(0.005)
        if freezes:
            worker.send_signal(signal.SIGSTOP)
            time.sleep(FROZEN_SECONDS)
            worker.send_signal(signal.SIGCONT)
        time.sleep(dice.uniform(0, 0.4))
    finally:
        kill(worker)


def supervise_until(crew: Crew, centre: MessageCentre, parts: int) -> None:
    """Start again whoever has ended, until the centre took so many parts in all."""
    until = time.monotonic() + LATEST
    while len(centre.events("taken")) < parts:
        assert time.monotonic() < until, "the workers never came so far"
        crew.supervise()
        time.sleep(0.02)
    crew.supervise()


def let_some_bounce(breach: Breach, most: int) -> int:
    """Some messages that were accepted come back after all; returns how many."""
    taken = [
        each
        for each in told_by(breach)
        if each.row.channel == EMAIL and each.row.state == DeliveryState.ACCEPTED and each.may_go_on
    ]
    for at, each in enumerate(taken[:most]):
        deliver(
            breach.made.workspace.root / "bounces",
            bounce(to=return_path_of(breach, each.row)),
            f"{at}.example",
        )
    take_bounces(breach.house, actor="ana")
    return len(taken[:most])


def assert_doubles_are_bounded(breach: Breach, centre: MessageCentre, *, stops: int) -> str:
    """No more are doubled than are in doubt, and no more are in doubt than kills and the centre explain.

    A connection that ends leaves a window in doubt at most, whether a kill or the centre ended it; besides those there
    is each part that the centre took and did not answer. Of mail a stop leaves the groups that were open.
    """
    copies, doubts = centre.copies(), doubts_by_sms(breach)
    doubled = sum(copies.values()) - len(copies)
    account = breach.account()
    unanswered = sum(each.destination.endswith(("97", "00")) for each in centre.taken())
    most = WINDOW * (len(centre.events("closed")) + 1) + unanswered
    assert doubled <= doubts <= most
    by_mail = GROUP * batches_at_once(CONNECTIONS) * stops
    assert doubled <= account.doubled_at_most <= most + by_mail
    return f"{doubled} told twice by SMS ({doubts} in doubt, bound {most})"
