"""Attempts in doubt: callbacks that come although the answer was lost, and messages that are looked up."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from notifiers.outcome import Result
from notifiers.sms.receipt import MessageState, SmsReceipt
from notifiers.twilio.callbacks import form_of, own_id_of, receipt_of, verify
from notifiers.twilio.client import CallFailed, Found
from tests.support.twilio.api import TwilioApi
from tests.support.twilio.script import FAULTS, OTHER_TOKEN, TOKEN, Act, Fault, Progress
from tests.support.twilio.sending import (
    CALLBACK_KEY,
    CALLBACK_TOKENS,
    NUMBER,
    Catcher,
    a_client,
    a_text,
    callbacks_caught,
    sent,
)
from tests.support.twilio.server import twilio_api

LOST = "+8613900000099"
PUBLIC = "https://notices.example"
HOUR = timedelta(hours=1)


def receipts_of(catcher: Catcher, base: str) -> list[SmsReceipt]:
    """What came, read as a server behind a proxy does: the public address is the configured one and the path."""
    receipts = []
    for met in catcher.met:
        origin = base.partition("/hooks")[0]
        url, form = f"{origin}{met.path}", form_of(met.body)
        assert form is not None
        assert verify(CALLBACK_TOKENS, url, form, met.signature)
        assert not verify((OTHER_TOKEN,), url, form, met.signature)
        receipt = receipt_of(form, own_id=own_id_of(url, base=base, key=CALLBACK_KEY) or "")
        assert receipt is not None
        receipts.append(receipt)
    return receipts


def with_callbacks(base: str) -> dict[str, Any]:
    return {"callback_base": base, "callback_tokens": CALLBACK_TOKENS}


def found(port: int, text: str, *, to: str = NUMBER, **asked: Any) -> Found | None:
    now = datetime.now(UTC)
    window = {"since": now - HOUR, "until": now + HOUR} | asked

    async def go() -> Found | None:
        async with a_client(port) as client:
            return await client.message_of(a_text(text, to), **window)

    return asyncio.run(go())


def test_a_callback_resolves_an_attempt_whose_answer_was_lost() -> None:
    with (
        callbacks_caught() as catcher,
        twilio_api(faults=FAULTS, progress=Progress(held=True)) as api,
    ):
        [outcome] = sent(api.port, a_text(number=LOST, own_id="d9.4"), **with_callbacks(catcher.base))
        assert (outcome.result, outcome.references) == (Result.ambiguous, ())
        api.release()
        api.await_told(4)
        receipts = receipts_of(catcher, catcher.base)
        [taken] = api.taken
    assert [receipt.state for receipt in receipts] == [MessageState.enroute] * 3 + [MessageState.delivered]
    assert {(receipt.own_id, receipt.message_id) for receipt in receipts} == {("d9.4", taken.sid)}
    assert [told.answer for told in api.told] == [204] * 4


def test_behind_a_proxy_the_configured_address_is_what_was_signed() -> None:
    base = f"{PUBLIC}/hooks/twilio"
    with callbacks_caught() as catcher:
        reached_as = {PUBLIC: f"http://127.0.0.1:{catcher.port}"}
        with twilio_api(reached_as=reached_as, progress=Progress(states=("delivered",))) as api:
            sent(api.port, a_text(), **with_callbacks(base))
            api.await_told(1)
        [receipt] = receipts_of(catcher, base)
    assert (receipt.state, receipt.own_id) == (MessageState.delivered, "d1.1")


def test_doubled_and_backwards_they_are_all_read_and_told_apart_by_message_and_state() -> None:
    progress = Progress(states=("sent", "undelivered"), code=30005, doubled=True, backwards=True)
    with callbacks_caught() as catcher, twilio_api(progress=progress) as api:
        sent(api.port, a_text(), **with_callbacks(catcher.base))
        api.await_told(4)
        receipts = receipts_of(catcher, catcher.base)
    assert [(receipt.state, receipt.error) for receipt in receipts] == [
        (MessageState.undeliverable, "30005"),
        (MessageState.undeliverable, "30005"),
        (MessageState.enroute, None),
        (MessageState.enroute, None),
    ]


def test_a_callback_that_another_account_signed_is_not_genuine() -> None:
    with callbacks_caught() as catcher, twilio_api(token="somebody-else") as api:
        sent(api.port, a_text(), **with_callbacks(catcher.base))
        api.await_told(4)
    for met in catcher.met:
        form = form_of(met.body)
        assert form is not None
        url = f"http://127.0.0.1:{catcher.port}{met.path}"
        assert not verify((TOKEN, OTHER_TOKEN), url, form, met.signature)


def test_a_message_whose_answer_was_lost_is_found_and_one_that_never_arrived_is_not() -> None:
    with twilio_api(faults=FAULTS) as api:
        never = "+8613900000098"
        outcomes = sent(api.port, a_text("Hello", LOST), a_text("Hello", never))
        assert {outcome.result for outcome in outcomes} == {Result.ambiguous}
        there = found(api.port, "Hello", to=LOST)
        assert there is not None
        assert there.sid == api.of(LOST)[0].sid
        assert found(api.port, "Hello", to=never) is None


def test_the_first_that_fits_and_is_nobody_else_s_is_found_over_pages() -> None:
    with twilio_api(most_a_page=2) as api:
        for text in ("one", "two", "two", "three", "two"):
            sent(api.port, a_text(text))
        sids = [taken.sid for taken in api.taken if taken.body == "two"]
        for at, taken in enumerate(api.taken):
            taken.created_at = f"Tue, 01 Dec 2026 12:00:0{at} +0000"
        then = datetime(2026, 12, 1, 12, tzinfo=UTC)
        window: dict[str, Any] = {"since": then - HOUR, "until": then + HOUR}
        first = found(api.port, "two", **window)
        assert first is not None and first.sid == sids[0]
        second = found(api.port, "two", known={sids[0]}, **window)
        assert second is not None and second.sid == sids[1]
        assert found(api.port, "two", known=set(sids), **window) is None
        assert found(api.port, "four", **window) is None
        late = found(api.port, "two", since=then + timedelta(seconds=3), until=then + HOUR)
        assert late is not None and late.sid == sids[2]
        assert found(api.port, "two", since=then + HOUR, until=then + 2 * HOUR) is None
        # There it is the next day already.
        east = timezone(timedelta(hours=14))
        there = found(api.port, "two", since=(then - HOUR).astimezone(east), until=then + HOUR)
        assert there is not None and there.sid == sids[0]
        assert api.complaints == []


def test_one_that_failed_there_is_found_with_its_code() -> None:
    progress = Progress(states=("failed",), code=30001)
    with twilio_api(faults=FAULTS, progress=progress) as api:
        sent(api.port, a_text(number=LOST))
        _until_final(api)
        there = found(api.port, "Hello", to=LOST)
    assert there is not None
    assert (there.state, there.error) == ("failed", 30001)


def told(port: int, sid: str, **settings: Any) -> SmsReceipt | None:
    async def go() -> SmsReceipt | None:
        async with a_client(port, **settings) as client:
            return await client.receipt_of(sid, own_id="d1/1")

    return asyncio.run(go())


@pytest.mark.parametrize(
    ("states", "code", "state", "error"),
    [
        (("sent", "delivered"), None, MessageState.delivered, None),
        (("undelivered",), 30005, MessageState.undeliverable, "30005"),
        (("failed",), 30008, MessageState.undeliverable, "30008"),
        (("sent",), None, MessageState.enroute, None),
        (("paused",), None, MessageState.unknown, "paused"),
    ],
)
def test_a_message_that_was_taken_is_asked_about_by_its_sid(
    states: tuple[str, ...], code: int | None, state: MessageState, error: str | None
) -> None:
    with twilio_api(progress=Progress(states=states, code=code)) as api:
        sent(api.port, a_text())
        [taken] = api.taken
        while taken.status != states[-1]:
            assert not api.ended.wait(0.01)
        receipt = told(api.port, taken.sid)
    assert receipt is not None
    assert (receipt.state, receipt.error, receipt.own_id) == (state, error, "d1/1")
    assert (receipt.message_id, receipt.number) == (taken.sid, NUMBER.removeprefix("+"))
    assert "Hello" not in receipt.raw_text


def test_of_a_message_that_is_not_there_nothing_is_said_and_a_refusal_is_an_error() -> None:
    with twilio_api() as api:
        assert told(api.port, "SM" + "0" * 32) is None
        with pytest.raises(CallFailed) as failed:
            told(api.port, "SM" + "0" * 32, key_secret="guess")
    assert failed.value.status == 401


def test_a_text_is_forgotten_once_the_message_came_to_its_end() -> None:
    async def go(port: int, sid: str) -> None:
        async with a_client(port) as client:
            await client.redact(sid)

    with twilio_api(progress=Progress(held=True)) as api:
        sent(api.port, a_text())
        [taken] = api.taken
        with pytest.raises(CallFailed) as early:
            asyncio.run(go(api.port, taken.sid))
        assert (early.value.status, taken.body) == (400, "Hello")
        api.release()
        _until_final(api)
        asyncio.run(go(api.port, taken.sid))
        assert taken.body == ""
        assert api.complaints == []
        assert found(api.port, "Hello") is None


def test_a_sender_that_is_killed_leaves_at_most_the_open_message_in_doubt() -> None:
    program = (
        "import asyncio, sys\n"
        "from tests.support.twilio.sending import a_client, a_text\n"
        "async def go():\n"
        "    async with a_client(int(sys.argv[1])) as client:\n"
        "        for at in range(100):\n"
        "            number = f'+861390000{at:04}'\n"
        "            print('intent', number, flush=True)\n"
        "            outcome = await client.send(a_text(number=number))\n"
        "            print(outcome.result.value, number, flush=True)\n"
        "asyncio.run(go())\n"
    )
    with twilio_api(faults={"0003": Fault(Act.SLOW, seconds=30)}) as api:
        sender = subprocess.Popen(
            (sys.executable, "-c", program, str(api.port)), stdout=subprocess.PIPE, text=True
        )
        while len(api.taken) < 4:
            assert sender.poll() is None
        os.kill(sender.pid, signal.SIGKILL)
        said = sender.communicate(timeout=30)[0].split("\n")
        intents = {line.split()[1] for line in said if line.startswith("intent")}
        known = {line.split()[1] for line in said if line.startswith("accepted")}
        in_doubt = intents - known
        assert in_doubt == {"+8613900000003"}
        assert {taken.to for taken in api.taken} == intents
        there = found(api.port, "Hello", to="+8613900000003")
        assert there is not None


def test_as_a_process_of_its_own_it_says_all_it_took_before_anybody_else_knows(tmp_path: Path) -> None:
    record = tmp_path / "record"
    options = json.dumps({"faults": {"0099": {"act": "lost", "times": 1}}, "progress": {"states": ["sent"]}})
    process = subprocess.Popen(
        (sys.executable, "-m", "tests.support.twilio", "--record", str(record), "--options", options),
        stdout=subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        outcomes = sent(port, a_text(number=LOST), a_text())
        assert [outcome.result for outcome in outcomes] == [Result.ambiguous, Result.accepted]
    finally:
        process.kill()
        process.communicate(timeout=30)
    events = [json.loads(line) for line in record.read_text().splitlines()]
    taken = [event["to"] for event in events if event["event"] == "taken"]
    assert sorted(taken) == sorted([LOST, NUMBER])


def _until_final(api: TwilioApi) -> None:
    while any(taken.status in ("accepted", "queued", "sending", "sent") for taken in api.taken):
        assert not api.ended.wait(0.01)
