"""Calls from end to end: placed by the client, answered by people and machines, and led by a server of ours."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from notifiers.outcome import Result
from notifiers.twilio.api import CallFailed
from notifiers.twilio.call_callbacks import ENDED, AnsweredBy, CallEvent, CallStatus, Step
from tests.support.twilio.answering import (
    GREETING,
    NO_KEY,
    NOTICE,
    QUESTION,
    THANKS,
    VOICEMAIL,
    Answering,
    calls_answered,
)
from tests.support.twilio.api import TwilioApi
from tests.support.twilio.script import OTHER_TOKEN, Act, Answer, Called, Callee, Fault
from tests.support.twilio.sending import NUMBER, a_call, a_call_client, placed
from tests.support.twilio.server import twilio_api

ANSWERED = (Step.answer, 0, "")
HEARD = (Step.hear, 0, "1")
ENDED_STEP = (Step.status, 0, "")


def talked(callee: Callee, **options: Any) -> tuple[Called, Answering, TwilioApi]:
    """One call to this person, until all that is told of it was told."""
    with calls_answered() as answering, twilio_api(callee=callee, **options) as api:
        [outcome] = placed(api.port, a_call(), callback_base=answering.base)
        assert outcome.result is Result.accepted, outcome.text
        [call] = api.calls.await_over(1)
        assert outcome.references == (call.sid,)
    return call, answering, api


def test_a_person_hears_the_notice_and_confirms_it() -> None:
    call, answering, api = talked(Callee(keys="11"))
    assert call.texts == [GREETING, NOTICE, QUESTION, THANKS]
    assert {(each.language, each.voice) for each in call.heard} == {("en-US", "Polly.Joanna")}
    assert answering.steps == [ANSWERED, HEARD, (Step.confirm, 1, "1"), ENDED_STEP]
    assert {(each.own_id, each.event.call_sid) for each in answering.asked} == {("d1.1", call.sid)}
    assert {each.event.number for each in answering.asked} == {NUMBER.removeprefix("+")}
    assert [each.event.answered_by for each in answering.asked] == [AnsweredBy.human] * 4
    end = answering.asked[-1].event
    assert (end.status, end.seconds, end.code) == (CallStatus.completed, 7, None)
    assert api.complaints == []


def test_what_was_asked_for_again_is_said_again_and_counted() -> None:
    call, answering, _ = talked(Callee(keys="1221"))
    assert call.texts == [GREETING, *[NOTICE, QUESTION] * 3, THANKS]
    assert [round for step, round, _ in answering.steps if step is Step.confirm] == [1, 2, 3]


@pytest.mark.parametrize(
    ("keys", "texts"),
    [
        ("", [GREETING, NO_KEY]),
        ("1", [GREETING, NOTICE, QUESTION, NO_KEY]),
        ("1-1", [GREETING, NOTICE, QUESTION, NO_KEY]),
        ("#", [GREETING, THANKS]),
        ("*", [GREETING, THANKS]),
    ],
)
def test_each_key_is_told_as_it_is_and_where_none_is_pressed_the_call_ends(
    keys: str, texts: list[str]
) -> None:
    call, answering, api = talked(Callee(keys=keys))
    assert call.texts == texts
    pressed = keys.partition("-")[0]
    assert call.pressed == pressed
    assert "".join(digit for _, _, digit in answering.steps) == pressed
    assert api.complaints == []


def test_a_machine_is_left_a_message_and_presses_nothing() -> None:
    call, answering, _ = talked(Callee(answer=Answer.MACHINE))
    assert call.texts == [VOICEMAIL]
    assert answering.steps == [ANSWERED, ENDED_STEP]
    assert [each.event.answered_by for each in answering.asked] == [AnsweredBy.machine] * 2


def test_a_fax_is_told_nothing() -> None:
    call, answering, _ = talked(Callee(answer=Answer.FAX))
    assert call.texts == []
    assert answering.asked[-1].event.answered_by is AnsweredBy.fax


@pytest.mark.parametrize(
    ("callee", "status", "code"),
    [
        (Callee(answer=Answer.BUSY), CallStatus.busy, 486),
        (Callee(answer=Answer.NO_ANSWER), CallStatus.no_answer, 487),
        (Callee(answer=Answer.FAILED, code=404), CallStatus.failed, 404),
        (Callee(answer=Answer.FAILED, code=13224), CallStatus.failed, 13224),
        (Callee(answer=Answer.CANCELED), CallStatus.canceled, None),
    ],
)
def test_a_call_that_nobody_answers_has_an_end_and_says_nothing(
    callee: Callee, status: CallStatus, code: int | None
) -> None:
    call, answering, _ = talked(callee)
    [end] = answering.asked
    assert (end.step, end.event.status, end.event.code) == (Step.status, status, code)
    assert (end.event.answered_by, end.event.seconds) == (AnsweredBy.unknown, None)
    assert status in ENDED
    assert call.texts == []


@pytest.mark.parametrize(
    ("documents", "texts"), [(1, []), (2, [GREETING]), (3, [GREETING, NOTICE, QUESTION])]
)
def test_whoever_hangs_up_heard_no_more(documents: int, texts: list[str]) -> None:
    call, answering, _ = talked(Callee(keys="11", hangs_up_after=documents))
    assert call.texts == texts
    assert answering.steps[-1] == ENDED_STEP
    assert len(answering.asked) == documents + 1


def test_doubled_requests_are_all_genuine_and_the_same() -> None:
    call, answering, _ = talked(Callee(keys="11", doubled=True))
    assert call.texts == [GREETING, NOTICE, QUESTION, THANKS]
    confirm = (Step.confirm, 1, "1")
    assert answering.steps == [ANSWERED, HEARD, HEARD, confirm, confirm, ENDED_STEP, ENDED_STEP]


@pytest.mark.parametrize("keys", ["11", ""])
def test_the_end_of_a_call_can_come_before_its_keys(keys: str) -> None:
    _, answering, _ = talked(Callee(keys=keys, backwards=True))
    expected = [ANSWERED, ENDED_STEP, HEARD, (Step.confirm, 1, "1")]
    assert answering.steps == expected[: 2 + len(keys)]


def test_the_end_that_is_held_comes_late() -> None:
    with calls_answered() as answering, twilio_api(callee=Callee(status_held=True)) as api:
        placed(api.port, a_call(), callback_base=answering.base)
        api.await_told(3)
        assert ENDED_STEP not in answering.steps
        api.release()
        api.calls.await_over(1)
        assert answering.steps[-1] == ENDED_STEP


def test_what_bears_no_signature_is_refused_and_nothing_is_said() -> None:
    call, answering, api = talked(Callee(unsigned=True))
    assert (answering.asked, answering.refused, call.texts) == ([], 2, [])
    assert {told.answer for told in api.told} == {403}


def test_what_another_account_signed_is_refused() -> None:
    call, answering, _ = talked(Callee(), token=OTHER_TOKEN)
    assert (answering.asked, answering.refused, call.texts) == ([], 2, [])


def test_a_call_whose_answer_was_lost_is_led_all_the_same_and_is_not_placed_again() -> None:
    with calls_answered() as answering, twilio_api(faults={"5678": Fault(Act.LOST)}) as api:
        [outcome] = placed(api.port, a_call(own_id="d9.4"), callback_base=answering.base)
        assert (outcome.result, outcome.references) == (Result.ambiguous, ())
        [call] = api.calls.await_over(1)
    assert {(each.own_id, each.event.call_sid) for each in answering.asked} == {("d9.4", call.sid)}
    assert call.texts[-1] == THANKS


def asked_about(port: int, sid: str, **changes: Any) -> CallEvent | None:
    async def go() -> CallEvent | None:
        async with a_call_client(port, **changes) as client:
            return await client.event_of(sid)

    return asyncio.run(go())


@pytest.mark.parametrize(
    ("callee", "status", "answered_by", "seconds"),
    [
        (Callee(), CallStatus.completed, AnsweredBy.human, 7),
        (Callee(answer=Answer.MACHINE), CallStatus.completed, AnsweredBy.machine, 7),
        (Callee(answer=Answer.BUSY), CallStatus.busy, AnsweredBy.unknown, None),
        (Callee(held=True), CallStatus.queued, AnsweredBy.unknown, None),
    ],
)
def test_a_call_of_which_nothing_was_told_is_asked_about_by_its_sid(
    callee: Callee, status: CallStatus, answered_by: AnsweredBy, seconds: int | None
) -> None:
    with calls_answered() as answering, twilio_api(callee=callee) as api:
        placed(api.port, a_call(), callback_base=answering.base)
        if not callee.held:
            api.calls.await_over(1)
        [call] = api.calls.called
        told = asked_about(api.port, call.sid)
    assert told == CallEvent(call.sid, status, answered_by, "", None, seconds, NUMBER.removeprefix("+"))


def test_of_a_call_that_is_not_there_nothing_is_said_and_a_refusal_is_an_error() -> None:
    with twilio_api() as api:
        assert asked_about(api.port, "CA" + "0" * 32) is None
        with pytest.raises(CallFailed) as failed:
            asked_about(api.port, "CA" + "0" * 32, key_secret="guess")
    assert failed.value.status == 401


def test_many_calls_at_once_are_each_led_by_their_own_steps() -> None:
    numbers = [f"+8613900002{at:03}" for at in range(20)]
    callees = {f"{at:03}": Callee(keys="11" if at % 2 else "1") for at in range(20)}
    with calls_answered() as answering, twilio_api(callees=callees) as api:
        calls = [a_call(number, f"d{at}.1") for at, number in enumerate(numbers)]
        placed(api.port, *calls, callback_base=answering.base)
        api.calls.await_over(20)
        for at, number in enumerate(numbers):
            [call] = api.calls.of(number)
            assert call.texts[-1] == (THANKS if at % 2 else NO_KEY)
            own = [each for each in answering.asked if each.own_id == f"d{at}.1"]
            assert {each.event.number for each in own} == {number.removeprefix("+")}
            assert {each.event.call_sid for each in own} == {call.sid}


def test_as_a_process_of_its_own_it_calls_too_and_says_so_before_anybody_else_knows(tmp_path: Path) -> None:
    record = tmp_path / "record"
    options = json.dumps({"callees": {"0099": {"answer": "busy"}}, "callee": {"keys": "1"}})
    process = subprocess.Popen(
        (sys.executable, "-m", "tests.support.twilio", "--record", str(record), "--options", options),
        stdout=subprocess.PIPE,
    )
    busy = "+8613900000099"

    def events(kind: str) -> list[dict[str, Any]]:
        lines = [json.loads(line) for line in record.read_text().split("\n")[:-1]]
        return [each for each in lines if each["event"] == kind]

    try:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        with calls_answered() as answering:
            placed(port, a_call(), a_call(busy, "d2.1"), callback_base=answering.base)
            assert sorted(each["to"] for each in events("called")) == sorted([NUMBER, busy])
            while len(events("over")) < 2:
                assert process.poll() is None
                time.sleep(0.01)
    finally:
        process.kill()
        process.communicate(timeout=30)
    heard = {each["to"]: each["texts"] for each in events("over")}
    assert heard == {NUMBER: [GREETING, NOTICE, QUESTION, NO_KEY], busy: []}
