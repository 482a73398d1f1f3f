"""What the client says of a call that it had placed, beside an API that follows a script."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import subprocess
import sys
import time
from urllib.parse import urlsplit

import pytest

from notifiers.errors import BadGateway, BadMessage
from notifiers.outcome import Outcome, Result, Stage
from notifiers.twilio.account import Caller, Timeouts
from notifiers.twilio.call_callbacks import LONGEST_OWN_ID, Step, step_of
from notifiers.twilio.calling import CallClient
from notifiers.twilio.client import TwilioClient
from tests.notifiers.conftest import free_port
from tests.support.smpp_sending import QuickClock
from tests.support.twilio.script import (
    ACCOUNT,
    CALLER,
    FAULTS,
    KEY_SECRET,
    TOKEN,
    Act,
    Answer,
    Callee,
    Fault,
    refused,
)
from tests.support.twilio.sending import (
    CALLBACK_KEY,
    CALLBACK_TOKENS,
    IMPATIENT,
    NUMBER,
    SOON,
    a_call,
    a_call_client,
    a_calling_account,
    full_backlog,
    kind,
    number,
    placed,
)
from tests.support.twilio.server import twilio_api

PUBLIC = "https://notices.example/hooks/calls"
UNSERVED = Callee(held=True)


def test_a_call_is_accepted_with_its_sid() -> None:
    with twilio_api(callee=UNSERVED) as api:
        [outcome] = placed(api.port, a_call())
        [call] = api.calls.called
    assert kind(outcome) == (Result.accepted, Stage.reply, 201)
    assert outcome.references == (call.sid,)
    assert (outcome.peer, outcome.tls) == (f"calls.127.0.0.1:{api.port}", False)
    assert api.complaints == []
    assert api.requests == [("POST", f"/2010-04-01/Accounts/{ACCOUNT}/Calls.json")]


def test_it_is_placed_as_the_account_says_and_finds_out_who_answers() -> None:
    with twilio_api(callee=UNSERVED) as api:
        placed(api.port, a_call(), caller=Caller(CALLER, ring_seconds=25, longest_seconds=240))
        [call] = api.calls.called
    assert (call.to, call.caller) == (NUMBER, CALLER)
    assert (call.ring_seconds, call.time_limit) == ("25", "240")
    assert call.machine_detection == "DetectMessageEnd"
    # Record, and all else that was not asked for, would be a complaint.
    assert api.complaints == []


def test_both_of_its_addresses_are_ours_and_tell_nothing_of_the_person() -> None:
    with twilio_api(callee=UNSERVED) as api:
        placed(api.port, a_call(own_id="d7.3"), callback_base=PUBLIC, callback_tokens=CALLBACK_TOKENS)
        [call] = api.calls.called
    assert step_of(call.url, base=PUBLIC, key=CALLBACK_KEY) == ("d7.3", Step.answer, 0)
    assert step_of(call.status_callback, base=PUBLIC, key=CALLBACK_KEY) == ("d7.3", Step.status, 0)
    for address in (call.url, call.status_callback):
        assert NUMBER[1:] not in address
        assert urlsplit(address).query == ""


def test_the_same_attempt_has_the_same_addresses_and_another_one_others() -> None:
    with twilio_api(callee=UNSERVED) as api:
        placed(api.port, a_call(own_id="d7.3"))
        placed(api.port, a_call(own_id="d7.3"))
        placed(api.port, a_call(own_id="d7.4"))
        first, again, other = (call.url for call in api.calls.called)
    assert first == again != other


def test_messages_and_calls_of_one_account_have_different_peers() -> None:
    account = a_calling_account(8011, messaging_service_sid="MG" + "0" * 32)
    calls = CallClient(account, callback_key=CALLBACK_KEY)
    messages = TwilioClient(account, callback_key=CALLBACK_KEY)
    assert (messages.peer, calls.peer) == ("127.0.0.1:8011", "calls.127.0.0.1:8011")


def test_many_at_once_are_each_placed_once() -> None:
    numbers = [f"+8613900002{at:03}" for at in range(60)]
    calls = [a_call(each, f"d{at}.1") for at, each in enumerate(numbers)]
    with twilio_api(callee=UNSERVED) as api:
        outcomes = placed(api.port, *calls, window=6)
        assert {outcome.result for outcome in outcomes} == {Result.accepted}
        assert sorted(call.to for call in api.calls.called) == numbers
        sids = sorted(call.sid for call in api.calls.called)
        assert sorted(sid for outcome in outcomes for sid in outcome.references) == sids


@pytest.mark.parametrize(
    ("ending", "expected", "calls"),
    [
        ("0029", (Result.temporary, Stage.account, 20429), 0),
        ("0050", (Result.ambiguous, Stage.submitted, 500), 1),
        ("0051", (Result.ambiguous, Stage.submitted, 503), 0),
        ("0098", (Result.ambiguous, Stage.submitted, None), 0),
        ("0099", (Result.ambiguous, Stage.submitted, None), 1),
    ],
)
def test_an_outcome_says_what_was_proved(
    ending: str, expected: tuple[Result, Stage, int | None], calls: int
) -> None:
    with twilio_api(faults=FAULTS, callee=UNSERVED) as api:
        [outcome] = placed(api.port, a_call(number(ending)))
        assert kind(outcome) == expected
        assert len(api.calls.of(number(ending))) == calls
    # The API quotes a number in its errors; we do not.
    assert "+" not in outcome.text


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (refused(400, 21211), (Result.permanent, Stage.reply, 21211)),
        (refused(400, 21215), (Result.permanent, Stage.reply, 21215)),
        (refused(400, 21210), (Result.permanent, Stage.account, 21210)),
        (refused(400, 21219), (Result.permanent, Stage.account, 21219)),
        (refused(400, 10004), (Result.temporary, Stage.account, 10004)),
        (refused(401, 20003), (Result.permanent, Stage.account, 20003)),
        (refused(400, 29999), (Result.permanent, Stage.account, 29999)),
        (refused(408, 408), (Result.ambiguous, Stage.submitted, 408)),
        (refused(302, 302), (Result.ambiguous, Stage.submitted, 302)),
        (Fault(Act.GARBAGE), (Result.ambiguous, Stage.submitted, None)),
        (Fault(Act.NAMELESS), (Result.ambiguous, Stage.submitted, None)),
    ],
)
def test_each_kind_of_answer_is_told_apart(fault: Fault, expected: tuple[Result, Stage, int | None]) -> None:
    with twilio_api(faults={"5678": fault}, callee=UNSERVED) as api:
        [outcome] = placed(api.port, a_call())
        assert kind(outcome) == expected


@pytest.mark.parametrize("caller", ["+15005550001", "+4915123456789"])
def test_a_number_to_call_from_that_is_not_ours_is_refused_as_our_matter(caller: str) -> None:
    with twilio_api() as api:
        [outcome] = placed(api.port, a_call(), caller=Caller(caller))
        assert kind(outcome) == (Result.permanent, Stage.account, 21210)
        assert outcome.about_relay and not outcome.about_recipient
        assert api.calls.called == []


def test_one_that_was_verified_can_be_called_from() -> None:
    with twilio_api(callee=UNSERVED, verified=("+4915123456789",)) as api:
        [outcome] = placed(api.port, a_call(), caller=Caller("+4915123456789"))
        assert outcome.result is Result.accepted


def test_other_credentials_are_refused_as_ours() -> None:
    with twilio_api() as api:
        [outcome] = placed(api.port, a_call(), key_secret="guess")
        assert kind(outcome) == (Result.permanent, Stage.account, 20003)
        assert api.calls.called == []
        assert "guess" not in repr(outcome)


def test_the_auth_token_signs_in_too() -> None:
    with twilio_api(callee=UNSERVED) as api:
        [outcome] = placed(api.port, a_call(), key_sid="", key_secret="", auth_token=TOKEN)
        assert outcome.result is Result.accepted


def test_where_nobody_listens_nothing_was_placed() -> None:
    [outcome] = placed(free_port(), a_call())
    assert kind(outcome) == (Result.not_sent, Stage.connect, None)
    assert outcome.about_relay and outcome.safe_to_retry


def test_a_connection_that_does_not_come_about_in_time_placed_nothing() -> None:
    with full_backlog() as port:
        begun = time.monotonic()
        [outcome] = placed(port, a_call(), timeouts=Timeouts(connect=0.1, read=60))
        assert kind(outcome) == (Result.not_sent, Stage.connect, None)
        assert time.monotonic() - begun < SOON


def test_a_server_that_speaks_no_tls_was_sent_nothing() -> None:
    with twilio_api() as api:
        [outcome] = placed(api.port, a_call(), base_url=f"https://127.0.0.1:{api.port}")
        assert kind(outcome) == (Result.not_sent, Stage.tls, None)
        assert api.calls.called == []


@pytest.mark.parametrize(
    ("act", "timeouts"),
    [(Act.SILENT, Timeouts(connect=60, read=0.2)), (Act.SILENT, IMPATIENT), (Act.TRICKLE, IMPATIENT)],
)
def test_a_server_that_does_not_come_to_an_end_is_given_up_and_leaves_it_open(
    act: Act, timeouts: Timeouts
) -> None:
    with twilio_api(faults={"5678": Fault(act)}, callee=UNSERVED) as api:
        begun = time.monotonic()
        [outcome] = placed(api.port, a_call(), timeouts=timeouts)
        assert kind(outcome) == (Result.ambiguous, Stage.submitted, None)
        assert time.monotonic() - begun < SOON
        assert len(api.requests) == 1


def test_a_call_is_never_placed_twice() -> None:
    endings = ("0029", "0050", "0051", "0098", "0099")
    with twilio_api(faults=FAULTS, callee=UNSERVED) as api:
        placed(api.port, *[a_call(number(each), f"d{each}.1") for each in endings])
        assert len(api.requests) == len(endings)
        assert all(len(api.calls.of(number(each))) <= 1 for each in endings)


def test_a_call_that_may_not_go_any_more_is_held_back_once_the_connection_stands() -> None:
    with twilio_api() as api:
        asked: list[int] = []

        def may_go() -> bool:
            asked.append(len(api.requests))
            return False

        [outcome] = placed(api.port, a_call(), may_go=may_go)
        assert (outcome.result, outcome.held_back) == (Result.not_sent, True)
        assert (asked, api.requests) == ([0], [])


def test_where_no_connection_comes_about_nobody_is_asked() -> None:
    asked: list[bool] = []

    def may_go() -> bool:
        asked.append(True)
        return True

    placed(free_port(), a_call(), may_go=may_go)
    assert asked == []


def test_after_a_failure_the_api_is_left_alone_for_a_pause_and_tried_again() -> None:
    port, clock = free_port(), QuickClock()

    async def go() -> list[Outcome]:
        client = CallClient(a_calling_account(port), callback_key=CALLBACK_KEY, clock=clock)
        async with client:
            outcomes = [await client.place(a_call())]
            with twilio_api(port=port, callee=UNSERVED) as api:
                outcomes.append(await client.place(a_call()))
                assert api.requests == []
                await clock.sleep(2.0)
                outcomes.append(await client.place(a_call()))
            return outcomes

    outcomes = asyncio.run(go())
    assert [outcome.result for outcome in outcomes] == [Result.not_sent, Result.not_sent, Result.accepted]


def test_a_call_that_was_refused_opens_no_circuit() -> None:
    with twilio_api(faults={"5678": refused(429, 20429, times=1)}, callee=UNSERVED) as api:

        async def go() -> list[Result]:
            async with a_call_client(api.port) as client:
                return [(await client.place(a_call())).result for _ in range(2)]

        assert asyncio.run(go()) == [Result.temporary, Result.accepted]


def test_a_client_that_was_closed_opens_again() -> None:
    with twilio_api(callee=UNSERVED) as api:

        async def go() -> Result:
            client = a_call_client(api.port)
            await client.close()
            await client.open()
            await client.close()
            await client.close()
            try:
                return (await client.place(a_call())).result
            finally:
                await client.close()

        assert asyncio.run(go()) is Result.accepted


def test_an_account_whose_steps_nobody_can_serve_places_no_calls() -> None:
    without = a_calling_account(1, callback_base="", callback_tokens=())
    with pytest.raises(BadGateway):
        CallClient(without, callback_key=CALLBACK_KEY)


def test_an_account_without_a_number_to_call_from_places_no_calls() -> None:
    without = a_calling_account(1, messaging_service_sid="MG" + "0" * 32, caller=None)
    with pytest.raises(BadGateway):
        CallClient(without, callback_key=CALLBACK_KEY)


def test_an_account_without_a_messaging_service_sends_no_messages() -> None:
    with pytest.raises(BadGateway):
        TwilioClient(a_calling_account(1), callback_key=CALLBACK_KEY)


@pytest.mark.parametrize("own_id", ["", "a/b", "a b", "é", "a" * (LONGEST_OWN_ID + 1)])
def test_a_call_whose_addresses_cannot_be_made_is_refused_before_anything_is_sent(own_id: str) -> None:
    with twilio_api() as api:
        with pytest.raises(BadMessage):
            placed(api.port, a_call(own_id=own_id))
        with pytest.raises(BadMessage):
            a_call_client(api.port).must_take(a_call(own_id=own_id))
        assert api.requests == []


def test_a_call_that_can_be_placed_must_be_taken() -> None:
    a_call_client(1).must_take(a_call(own_id="a" * LONGEST_OWN_ID))


def test_no_log_names_the_person_or_a_secret(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with twilio_api(faults=FAULTS, callee=Callee(answer=Answer.BUSY)) as api:
        placed(api.port, a_call(), a_call(number("0010")), a_call(number("0099")))
    assert "send_request_headers" in caplog.text
    for said in (NUMBER[1:], "1390000", KEY_SECRET, "Basic "):
        assert said not in caplog.text


def test_what_is_cancelled_ends() -> None:
    async def go(port: int) -> None:
        async with a_call_client(port) as client:
            placing = asyncio.create_task(client.place(a_call()))
            await asyncio.sleep(0.2)
            placing.cancel()
            with pytest.raises(asyncio.CancelledError):
                await placing

    with twilio_api(faults={"5678": Fault(Act.SILENT)}) as api:
        asyncio.run(go(api.port))
        assert api.calls.called == []


def test_who_is_killed_leaves_at_most_the_open_call_in_doubt() -> None:
    program = (
        "import asyncio, sys\n"
        "from tests.support.twilio.sending import a_call, a_call_client\n"
        "async def go():\n"
        "    async with a_call_client(int(sys.argv[1])) as client:\n"
        "        for at in range(100):\n"
        "            number = f'+861390000{at:04}'\n"
        "            print('intent', number, flush=True)\n"
        "            outcome = await client.place(a_call(number, f'd{at}.1'))\n"
        "            print(outcome.result.value, number, flush=True)\n"
        "asyncio.run(go())\n"
    )
    with twilio_api(faults={"0003": Fault(Act.SLOW, seconds=30)}, callee=UNSERVED) as api:
        caller = subprocess.Popen(
            (sys.executable, "-c", program, str(api.port)), stdout=subprocess.PIPE, text=True
        )
        while len(api.calls.called) < 4:
            assert caller.poll() is None
        os.kill(caller.pid, signal.SIGKILL)
        said = caller.communicate(timeout=30)[0].split("\n")
        intents = {line.split()[1] for line in said if line.startswith("intent")}
        known = {line.split()[1] for line in said if line.startswith("accepted")}
        assert intents - known == {"+8613900000003"}
        assert sorted(call.to for call in api.calls.called) == sorted(intents)
