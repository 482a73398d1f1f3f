"""E-mail and SMS over an HTTP gateway, killed again and again, with everything at fault: everybody is accounted for.

The gateway is asked by our own id before a message in doubt is sent once more, so that no kill tells anybody twice.
"""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest

from incident.ops.worker import utc_now
from incident.proof.verify import verify
from tests.chaos.conftest import Tell
from tests.support.breaches import Breach
from tests.support.commands import run
from tests.support.gateway_sendings import ClockOfABreach, account_at, ask_and_go_on, gateway_breach
from tests.support.ledgers import assert_the_check_holds
from tests.support.long_runs import sized
from tests.support.mixed_people import (
    UNDELIVERED,
    assert_everybody_is_accounted_for,
    at_rcpt,
    doubts_by_sms,
    mixed_people,
)
from tests.support.relays import recording_relay
from tests.support.sms_gateway.account import Fate
from tests.support.sms_gateway.server import Act, Answer, SmsGateway, sms_gateway
from tests.support.sms_sendings import live_to_the_end
from tests.support.working_process import kill, start_worker

PEOPLE, KILLS, MESSAGES_BEFORE_A_KILL = sized((480, 3, 40), long=(1_200, 6, 60))
MEANS = {"mail": ["email", "sms", "letter"], "SMS": ["sms", "email", "letter"]}
RATES = ("--mail-per-second", "40")
LATEST = 60.0

# By the end of a number, and how often. Only an answer that was lost leaves a copy of which we do not know.
FAULTS = (
    ("13", Answer(Act.code, code="isv.MOBILE_NUMBER_ILLEGAL"), None),
    ("58", Answer(Act.code, code="isv.BUSINESS_LIMIT_CONTROL"), 1),
    ("14", Answer(Act.code, code="isp.SYSTEM_ERROR"), 1),
    ("97", Answer(Act.drop, taken=True), 1),
    ("00", Answer(Act.cut_off, taken=True), None),
    ("98", Answer(Act.drop), 1),
    ("99", Answer(Act.status, status=503), 1),
)


@pytest.mark.chaos
@pytest.mark.parametrize("first", MEANS)
def test_killed_again_and_again_over_mail_and_a_gateway_nobody_is_lost_or_told_twice(
    first: str, tmp_path: Path, tell: Tell
) -> None:
    began, dice, people = time.monotonic(), random.Random(3), mixed_people(PEOPLE)
    clock = ClockOfABreach(before=time.time)
    with recording_relay() as relay, sms_gateway(account=account_at("aliyun"), clock=clock) as gateway:
        relay.at_rcpt = at_rcpt
        for ending, answer, times in FAULTS:
            gateway.answer_with(answer, ending=ending, times=times)
        gateway.answer_with(Answer(Act.slow, seconds=0.02))
        gateway.settle(Fate.failed, ending=UNDELIVERED)
        breach = gateway_breach(
            tmp_path,
            people,
            gateway_port=gateway.port,
            relay_port=relay.port,
            means=MEANS[first],
            gateway={"per_second": 60},
        )
        root = breach.made.workspace.root
        assert run("--workspace", root, "engine", "limits", *RATES).code == 0
        breach.made.store.close()
        for number in range(1, KILLS + 1):
            kill_after(breach, gateway, MESSAGES_BEFORE_A_KILL * number, dice)
            assert breach.account().adds_up
        breach.made.clock.now = utc_now()
        clock.breach = breach
        doubts = doubts_by_sms(breach)
        ask_and_go_on(breach)
        live_to_the_end(breach)
        where = assert_everybody_is_accounted_for(breach, people, gateway, relay)
        twice = [number for number, copies in gateway.copies().items() if copies > 1]
        assert gateway.refusals == []
    assert twice == []
    assert_the_check_holds(root)
    assert verify(breach.made.store).sound
    tell(f"{first} first: {KILLS} kills, {doubts} in doubt; {time.monotonic() - began:.0f} s")
    tell(f"{len(people)} people, 0 lost, 0 told twice by SMS; {dict(sorted(where.items()))}")


def kill_after(breach: Breach, gateway: SmsGateway, messages: int, dice: random.Random) -> None:
    """Kill a worker some time after the gateway took so many messages in all."""
    worker = start_worker(breach.made.workspace.root, until="never")
    until = time.monotonic() + LATEST
    try:
        while len(gateway.taken) < messages:
            assert worker.poll() is None and time.monotonic() < until, "the worker never came so far"
            time.sleep(0.005)
        time.sleep(dice.uniform(0, 0.3))
    finally:
        kill(worker)
