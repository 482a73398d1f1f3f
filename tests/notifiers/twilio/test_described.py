"""Our requests, and the answers of the stand-in, fit Twilio's own description of its API (OpenAPI)."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from notifiers.outcome import Result
from notifiers.twilio.call_callbacks import CallStatus
from tests.support.smpp_sending import LONG, until
from tests.support.twilio.api import TwilioApi
from tests.support.twilio.described import described
from tests.support.twilio.script import ACCOUNT, CALLER, KEY_SECRET, KEY_SID, Answer, Callee, Progress
from tests.support.twilio.sending import (
    CALLBACK_TOKENS,
    NUMBER,
    a_call,
    a_call_client,
    a_client,
    a_text,
)
from tests.support.twilio.server import twilio_api


@pytest.fixture(scope="module")
def checked() -> Iterator[tuple[int, TwilioApi]]:
    reached_as = {"https://notices.example": "http://127.0.0.1:9"}
    progress = Progress(states=("delivered",))
    options: dict[str, Any] = {
        "progress": progress,
        "reached_as": reached_as,
        "callee": Callee(answer=Answer.BUSY),
        "verified": (CALLER,),
    }
    with twilio_api(**options) as api, described(api.base_url) as port:
        yield port, api


def test_what_does_not_fit_is_met_with_an_error(checked: tuple[int, TwilioApi]) -> None:
    port, api = checked
    before = len(api.requests)
    answer = httpx.post(
        f"http://127.0.0.1:{port}/2010-04-01/Accounts/{ACCOUNT}/Messages.json",
        data={"To": NUMBER, "Body": "Hello", "MessagingServiceSid": "MG1"},
        auth=(KEY_SID, KEY_SECRET),
        trust_env=False,
    )
    assert answer.status_code == 422
    assert {tuple(each["location"]) for each in answer.json()["validation"]} == {
        ("body", "MessagingServiceSid")
    }
    assert len(api.requests) == before


def test_sending_looking_up_and_forgetting_fit(checked: tuple[int, TwilioApi]) -> None:
    port, api = checked
    before = len(api.requests)

    async def go() -> None:
        now = datetime.now(UTC)
        async with a_client(
            port,
            callback_base="https://notices.example/hooks/twilio",
            callback_tokens=CALLBACK_TOKENS,
            validity=timedelta(hours=1),
        ) as client:
            outcome = await client.send(a_text(LONG))
            assert outcome.result is Result.accepted, outcome.text
            found = await client.message_of(
                a_text(LONG), since=now - timedelta(hours=1), until=now + timedelta(hours=1)
            )
            assert found is not None and (found.sid,) == outcome.references
            await until(lambda: api.taken[0].status == "delivered")
            await client.redact(found.sid)

    asyncio.run(go())
    assert api.taken[0].body == ""
    assert [method for method, _ in api.requests[before:]] == ["POST", "GET", "POST"]


def test_asking_for_the_account_and_its_balance_fits(checked: tuple[int, TwilioApi]) -> None:
    port, _ = checked
    rest = f"http://127.0.0.1:{port}/2010-04-01/Accounts/{ACCOUNT}"
    for address in (f"{rest}.json", f"{rest}/Balance.json"):
        answer = httpx.get(address, auth=(KEY_SID, KEY_SECRET), trust_env=False)
        assert (answer.status_code, answer.headers.get("sl-violations")) == (200, None)


def test_a_call_that_does_not_fit_is_met_with_an_error(checked: tuple[int, TwilioApi]) -> None:
    port, api = checked
    before = len(api.requests)
    answer = httpx.post(
        f"http://127.0.0.1:{port}/2010-04-01/Accounts/{ACCOUNT}/Calls.json",
        data={"To": NUMBER, "From": CALLER, "Timeout": "soon", "Method": "PUT"},
        auth=(KEY_SID, KEY_SECRET),
        trust_env=False,
    )
    assert answer.status_code == 422
    assert {tuple(each["location"]) for each in answer.json()["validation"]} == {
        ("body", "Timeout"),
        ("body", "Method"),
    }
    assert len(api.requests) == before


def test_placing_a_call_and_asking_about_it_fits(checked: tuple[int, TwilioApi]) -> None:
    port, api = checked
    before, complaints = len(api.requests), list(api.complaints)
    address = "https://notices.example/hooks/calls"

    async def go() -> None:
        async with a_call_client(port, callback_base=address) as client:
            outcome = await client.place(a_call())
            assert outcome.result is Result.accepted, outcome.text
            assert outcome.references == (api.calls.called[-1].sid,)
            await until(lambda: api.calls.called[-1].over)
            told = await client.event_of(api.calls.called[-1].sid)
            assert told is not None and told.status is CallStatus.busy

    asyncio.run(go())
    assert api.calls.called[-1].to == NUMBER
    assert [method for method, _ in api.requests[before:]] == ["POST", "GET"]
    assert api.complaints == complaints


def test_asking_whose_the_number_to_call_from_is_fits(checked: tuple[int, TwilioApi]) -> None:
    port, _ = checked
    rest = f"http://127.0.0.1:{port}/2010-04-01/Accounts/{ACCOUNT}"
    for part, key in (
        ("IncomingPhoneNumbers", "incoming_phone_numbers"),
        ("OutgoingCallerIds", "outgoing_caller_ids"),
    ):
        answer = httpx.get(
            f"{rest}/{part}.json",
            params={"PhoneNumber": CALLER, "PageSize": "20"},
            auth=(KEY_SID, KEY_SECRET),
            trust_env=False,
        )
        assert (answer.status_code, answer.headers.get("sl-violations")) == (200, None)
        assert [each["phone_number"] for each in answer.json()[key]] == [CALLER]


def test_the_standing_for_calls_is_told_through_the_description(checked: tuple[int, TwilioApi]) -> None:
    port, _ = checked

    async def go() -> None:
        async with a_call_client(port) as client:
            assert (await client.standing()).caller_ours is True

    asyncio.run(go())
