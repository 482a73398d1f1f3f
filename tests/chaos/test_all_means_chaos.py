"""E-mail, SMS over a gateway and calls by machine, killed again and again, with everything at fault.

Everybody is accounted for, nobody is called twice, and whoever counts as told by phone pressed the key that says so.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from pathlib import Path

import pytest

from incident.delivery.states import PHONE, SMS, CampaignState, DeliveryState
from incident.ops.worker import utc_now
from incident.proof.verify import verify
from tests.chaos.conftest import Tell
from tests.support.breaches import Breach, make_breach
from tests.support.call_sendings import hooks_at_hand, voice_settings
from tests.support.gateway_sendings import (
    ClockOfABreach,
    account_at,
    ask_and_go_on,
    gateway_settings,
    write_as_registered,
)
from tests.support.ledgers import assert_the_check_holds
from tests.support.long_runs import sized
from tests.support.mixed_people import UNDELIVERED, at_rcpt, mixed_people, told_by
from tests.support.relays import RecordingRelay, recording_relay
from tests.support.sms_gateway.account import Fate
from tests.support.sms_gateway.server import Act as SmsAct
from tests.support.sms_gateway.server import Answer as SmsAnswer
from tests.support.sms_gateway.server import SmsGateway, sms_gateway
from tests.support.sms_sendings import live_to_the_end
from tests.support.twilio.api import TwilioApi
from tests.support.twilio.script import Act, Answer, Callee, Fault, refused
from tests.support.twilio.server import twilio_api
from tests.support.working_process import kill, start_worker

PEOPLE, KILLS, TOLD_BEFORE_A_KILL = sized((240, 3, 30), long=(800, 6, 60))
MEANS = {"phone": ["email", "phone", "sms", "letter"], "SMS": ["email", "sms", "phone", "letter"]}
LATEST = 90.0

TEXTS = (
    ("13", SmsAnswer(SmsAct.code, code="isv.MOBILE_NUMBER_ILLEGAL"), None),
    ("5060", SmsAnswer(SmsAct.code, code="isv.MOBILE_NUMBER_ILLEGAL"), None),
    ("6060", SmsAnswer(SmsAct.code, code="isv.MOBILE_NUMBER_ILLEGAL"), None),
    ("58", SmsAnswer(SmsAct.code, code="isv.BUSINESS_LIMIT_CONTROL"), 1),
    ("97", SmsAnswer(SmsAct.drop, taken=True), 1),
    ("98", SmsAnswer(SmsAct.drop), 1),
    ("99", SmsAnswer(SmsAct.status, status=503), 1),
)
CALLEES = {
    "1060": Callee(Answer.BUSY),
    "2060": Callee(keys="1"),
    "3060": Callee(Answer.MACHINE),
    "5060": Callee(keys="2"),
    "6060": Callee(backwards=True, doubled=True),
    "7060": Callee(keys="1211"),
}
CALLS = {
    "0060": Fault(Act.SLOW, seconds=0.2),
    "4060": Fault(Act.LOST, times=1),
    "8060": Fault(Act.FAIL, 500, 20500, times=1),
    "9060": refused(429, 20429, times=1),
    "13": refused(400, 21211),
    "97": Fault(Act.CLOSE, times=1),
}


@pytest.mark.chaos
@pytest.mark.parametrize("first", MEANS)
def test_killed_again_and_again_over_all_means_nobody_is_lost_or_called_twice(
    first: str, tmp_path: Path, tell: Tell
) -> None:
    began, dice, people = time.monotonic(), random.Random(5), mixed_people(PEOPLE)
    clock = ClockOfABreach(before=time.time)
    with (
        recording_relay() as relay,
        sms_gateway(account=account_at("aliyun"), clock=clock) as gateway,
        hooks_at_hand() as hooks,
        twilio_api(faults=CALLS, callees=CALLEES) as api,
    ):
        relay.at_rcpt = at_rcpt
        for ending, answer, times in TEXTS:
            gateway.answer_with(answer, ending=ending, times=times)
        for ending in (UNDELIVERED, "7060", "4060"):
            gateway.settle(Fate.failed, ending=ending)
        breach = make_breach(
            tmp_path,
            people=people,
            relay_port=relay.port,
            sms=gateway_settings("aliyun", gateway.port, tmp_path / "gateway-secret", per_second=60),
            calls=voice_settings(api.port, hooks.calls, tmp_path, per_second=40.0, window=4),
            fallback={"means": MEANS[first]},
            scope={"countries": ["cn"]},
        )
        root = breach.made.workspace.root
        write_as_registered(root)
        breach.release()
        breach.open_sending()
        with hooks.served(breach.house):
            for number in range(1, KILLS + 1):
                kill_after(breach, gateway, api, TOLD_BEFORE_A_KILL * number, dice)
                assert breach.account().adds_up
            breach.made.clock.now = utc_now()
            clock.breach = breach
            # A text in doubt is asked about before it is sent once more.
            ask_and_go_on(breach)
            live_to_the_end(breach)
            api.calls.await_over(len(api.calls.called))
            breach.work()
        where = assert_nobody_is_lost(breach, len(people), relay, gateway, api)
    assert_the_check_holds(root)
    assert verify(breach.made.store).sound
    tell(
        f"{first} before the other: {KILLS} kills, {len(api.calls.called)} calls; {time.monotonic() - began:.0f} s"
    )
    tell(f"{len(people)} people, 0 lost, 0 called twice; {dict(sorted(where.items()))}")


def kill_after(breach: Breach, gateway: SmsGateway, api: TwilioApi, told: int, dice: random.Random) -> None:
    """Kill a worker some time after so many texts and calls were taken in all."""
    worker = start_worker(breach.made.workspace.root, until="never")
    until = time.monotonic() + LATEST
    try:
        while len(gateway.taken) + len(api.calls.called) < told:
            assert worker.poll() is None and time.monotonic() < until, "the worker never came so far"
            time.sleep(0.005)
        time.sleep(dice.uniform(0, 0.3))
    finally:
        kill(worker)


def assert_nobody_is_lost(
    breach: Breach, people: int, relay: RecordingRelay, gateway: SmsGateway, api: TwilioApi
) -> Counter[str]:
    """All are told or unreachable with a reason, and whoever counts as told was; returns how many stand where."""
    account, told = breach.account(), told_by(breach)
    assert account.adds_up
    assert (account.state, account.in_progress) == (CampaignState.ENDED, 0)
    assert account.expected == people == account.accepted + account.unreachable_total
    by_mail, texts = {mail.to for mail in relay.taken}, gateway.copies()
    calls = Counter(each.to.lstrip("+") for each in api.calls.called)
    confirmed = {each.to.lstrip("+") for each in api.calls.called if "1" in each.pressed[1:]}
    assert set(calls.values()) == {1}, "somebody was called twice, or nobody was called"
    assert set(texts.values()) == {1}, "somebody has a text twice, or nobody has one"
    for each in told:
        if each.row.state != DeliveryState.ACCEPTED:
            assert each.row.reason != ""
        elif each.row.channel == PHONE:
            assert each.phone in confirmed, f"{each.row.id} counts as told by phone, and pressed no key"
        elif each.row.channel == SMS:
            assert each.phone in texts or each.phone in confirmed
        elif each.row.addressee == "person":
            assert each.email in by_mail or each.phone in confirmed or each.phone in texts
    alone = {each.phone for each in told if each.may_go_on}
    assert set(calls) <= alone, "somebody was called in words that are not meant for them"
    assert confirmed <= {each.phone for each in told if each.row.state == DeliveryState.ACCEPTED}
    return Counter(f"{each.row.channel} {each.row.state} {each.row.reason}".strip() for each in told)
