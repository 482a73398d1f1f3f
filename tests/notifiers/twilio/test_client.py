"""What the client says of a message, beside an API that follows a script."""

from __future__ import annotations

import asyncio
import logging
import ssl
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from notifiers.errors import BadMessage
from notifiers.outcome import Outcome, Result, Stage
from notifiers.twilio.account import Timeouts
from notifiers.twilio.client import CallFailed, TwilioClient
from tests.notifiers.conftest import free_port
from tests.support.certificates import make_authority
from tests.support.smpp_sending import LONG, QuickClock
from tests.support.twilio.script import (
    ACCOUNT,
    FAULTS,
    KEY_SECRET,
    SERVICE,
    TOKEN,
    Act,
    Fault,
    refused,
)
from tests.support.twilio.sending import (
    CALLBACK_KEY,
    CALLBACK_TOKENS,
    IMPATIENT,
    NUMBER,
    SOON,
    a_client,
    a_text,
    an_account,
    full_backlog,
    kind,
    number,
    sent,
)
from tests.support.twilio.server import twilio_api


def test_a_message_is_accepted_with_its_sid() -> None:
    with twilio_api() as api:
        [outcome] = sent(api.port, a_text(LONG))
        [taken] = api.taken
    assert kind(outcome) == (Result.accepted, Stage.reply, 201)
    assert outcome.references == (taken.sid,)
    assert (outcome.peer, outcome.tls) == (f"127.0.0.1:{api.port}", False)
    assert (taken.to, taken.body, taken.service) == (NUMBER, LONG, SERVICE)
    assert api.complaints == []
    assert api.requests == [("POST", f"/2010-04-01/Accounts/{ACCOUNT}/Messages.json")]


def test_what_was_released_is_what_is_sent() -> None:
    text = "Dear Ada, “no” – 0 € {really} \n ŁÓDŹ & a+b=c 您好 😀"
    with twilio_api() as api:
        sent(api.port, a_text(text), validity=timedelta(hours=4))
        [taken] = api.taken
    assert (taken.body, taken.validity, taken.smart_encoded) == (text, "14400", "false")


def test_many_at_once_each_arrive_once_over_few_connections() -> None:
    numbers = [f"+8613900002{at:03}" for at in range(60)]
    with twilio_api() as api:
        outcomes = sent(api.port, *[a_text(number=each) for each in numbers], window=6)
        assert {outcome.result for outcome in outcomes} == {Result.accepted}
        assert sorted(taken.to for taken in api.taken) == numbers
        sids = [taken.sid for taken in api.taken]
        assert sorted(sid for outcome in outcomes for sid in outcome.references) == sorted(sids)


def test_no_more_than_the_window_are_without_answer() -> None:
    with twilio_api(faults={"": Fault(Act.SLOW, seconds=0.05)}) as api:
        begun = time.monotonic()
        sent(api.port, *[a_text(number=f"+8613900002{at:03}") for at in range(8)], window=2)
        assert time.monotonic() - begun >= 4 * 0.05


@pytest.mark.parametrize(
    ("ending", "expected", "copies"),
    [
        ("0010", (Result.permanent, Stage.reply, 21610), 0),
        ("0011", (Result.temporary, Stage.account, 21611), 0),
        ("0029", (Result.temporary, Stage.account, 20429), 0),
        ("0050", (Result.ambiguous, Stage.submitted, 500), 1),
        ("0051", (Result.ambiguous, Stage.submitted, 503), 0),
        ("0098", (Result.ambiguous, Stage.submitted, None), 0),
        ("0099", (Result.ambiguous, Stage.submitted, None), 1),
    ],
)
def test_an_outcome_says_what_was_proved(
    ending: str, expected: tuple[Result, Stage, int | None], copies: int
) -> None:
    with twilio_api(faults=FAULTS) as api:
        [outcome] = sent(api.port, a_text(number=number(ending)))
        assert kind(outcome) == expected
        assert len(api.of(number(ending))) == copies
    # The API quotes a number in its errors; we do not.
    assert "+" not in outcome.text


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (refused(400, 21614), (Result.permanent, Stage.reply, 21614)),
        (refused(400, 21408), (Result.permanent, Stage.reply, 21408)),
        (refused(403, 20003), (Result.permanent, Stage.account, 20003)),
        (refused(400, 29999), (Result.permanent, Stage.account, 29999)),
        (refused(429, 63017), (Result.temporary, Stage.account, 20429)),
        (refused(408, 408), (Result.ambiguous, Stage.submitted, 408)),
        (refused(302, 302), (Result.ambiguous, Stage.submitted, 302)),
        (Fault(Act.GARBAGE), (Result.ambiguous, Stage.submitted, None)),
        (Fault(Act.NAMELESS), (Result.ambiguous, Stage.submitted, None)),
    ],
)
def test_each_kind_of_answer_is_told_apart(fault: Fault, expected: tuple[Result, Stage, int | None]) -> None:
    with twilio_api(faults={"5678": fault}) as api:
        [outcome] = sent(api.port, a_text())
        assert kind(outcome) == expected


def test_other_credentials_are_refused_as_ours() -> None:
    with twilio_api() as api:
        [outcome] = sent(api.port, a_text(), key_secret="guess")
        assert kind(outcome) == (Result.permanent, Stage.account, 20003)
        assert outcome.about_relay
        assert api.taken == []
        assert "guess" not in repr(outcome)


def test_the_auth_token_signs_in_too() -> None:
    with twilio_api() as api:
        [outcome] = sent(api.port, a_text(), key_sid="", key_secret="", auth_token=TOKEN)
        assert outcome.result is Result.accepted


def test_where_nobody_listens_nothing_was_sent() -> None:
    [outcome] = sent(free_port(), a_text())
    assert kind(outcome) == (Result.not_sent, Stage.connect, None)
    assert outcome.about_relay and outcome.safe_to_retry


def test_a_connection_that_does_not_come_about_in_time_sent_nothing() -> None:
    with full_backlog() as port:
        begun = time.monotonic()
        [outcome] = sent(port, a_text(), timeouts=Timeouts(connect=0.1, read=60))
        assert kind(outcome) == (Result.not_sent, Stage.connect, None)
        assert time.monotonic() - begun < SOON


def over_tls(folder: Path, *, trusts: bool) -> tuple[Outcome, int]:
    """What becomes of a message to a server whose authority we may know, and how many it took."""
    authority = make_authority(folder)
    trusted = ssl.create_default_context(cafile=str(authority.file))
    with pytest.MonkeyPatch.context() as environment, twilio_api(tls=authority.server("127.0.0.1")) as api:
        environment.setenv("SSL_CERT_FILE", str(authority.file))
        account = an_account(api.port, base_url=f"https://127.0.0.1:{api.port}")
        context = trusted if trusts else None

        async def go() -> Outcome:
            async with TwilioClient(account, callback_key=CALLBACK_KEY, context=context) as client:
                return await client.send(a_text())

        return asyncio.run(go()), len(api.taken)


def test_over_tls_it_is_the_same(tmp_path: Path) -> None:
    outcome, taken = over_tls(tmp_path, trusts=True)
    assert (outcome.result, outcome.tls, taken) == (Result.accepted, True, 1)


def test_a_server_of_an_authority_that_only_the_environment_trusts_is_sent_nothing(tmp_path: Path) -> None:
    outcome, taken = over_tls(tmp_path, trusts=False)
    assert (kind(outcome), taken) == ((Result.not_sent, Stage.tls, None), 0)


def test_a_server_that_speaks_no_tls_was_sent_nothing() -> None:
    with twilio_api() as api:
        [outcome] = sent(api.port, a_text(), base_url=f"https://127.0.0.1:{api.port}")
        assert kind(outcome) == (Result.not_sent, Stage.tls, None)
        assert api.taken == []


@pytest.mark.parametrize(
    ("act", "timeouts"),
    [(Act.SILENT, Timeouts(connect=60, read=0.2)), (Act.SILENT, IMPATIENT), (Act.TRICKLE, IMPATIENT)],
)
def test_a_server_that_does_not_come_to_an_end_is_given_up_and_leaves_it_open(
    act: Act, timeouts: Timeouts
) -> None:
    with twilio_api(faults={"5678": Fault(act)}) as api:
        begun = time.monotonic()
        [outcome] = sent(api.port, a_text(), timeouts=timeouts)
        assert kind(outcome) == (Result.ambiguous, Stage.submitted, None)
        assert time.monotonic() - begun < SOON
        assert len(api.requests) == 1


CALLS: list[Callable[[TwilioClient], Awaitable[Any]]] = [
    lambda client: client.message_of(a_text(), since=datetime.now(UTC), until=datetime.now(UTC)),
    lambda client: client.redact("SM" + "0" * 32),
    lambda client: client.standing(),
]


@pytest.mark.parametrize("call", CALLS)
def test_every_other_call_gives_a_silent_server_up_as_well(
    call: Callable[[TwilioClient], Awaitable[Any]],
) -> None:
    async def go(port: int) -> None:
        async with a_client(port, timeouts=Timeouts(connect=60, read=0.2)) as client:
            await call(client)

    with twilio_api(deaf=True) as api:
        begun = time.monotonic()
        with pytest.raises(CallFailed) as failed:
            asyncio.run(go(api.port))
        assert time.monotonic() - begun < SOON
    assert failed.value.outcome.stage is Stage.submitted


def test_nothing_is_sent_a_second_time() -> None:
    with twilio_api(faults=FAULTS) as api:
        endings = ("0050", "0051", "0098", "0099", "0029")
        sent(api.port, *[a_text(number=number(each)) for each in endings])
        assert len(api.requests) == len(endings)


def test_a_message_that_may_not_go_any_more_is_held_back_once_the_connection_stands() -> None:
    with twilio_api() as api:
        asked: list[int] = []

        def may_go() -> bool:
            asked.append(len(api.requests))
            return False

        [outcome] = sent(api.port, a_text(), may_go=may_go)
        assert (outcome.result, outcome.held_back) == (Result.not_sent, True)
        assert (asked, api.requests) == ([0], [])


def test_where_no_connection_comes_about_nobody_is_asked() -> None:
    asked: list[bool] = []

    def may_go() -> bool:
        asked.append(True)
        return True

    sent(free_port(), a_text(), may_go=may_go)
    assert asked == []


def test_after_a_failure_the_api_is_left_alone_for_a_pause_and_tried_again() -> None:
    port, clock = free_port(), QuickClock()

    async def go() -> list[Outcome]:
        client = TwilioClient(an_account(port), callback_key=CALLBACK_KEY, clock=clock)
        async with client:
            outcomes = [await client.send(a_text())]
            with twilio_api(port=port) as api:
                outcomes.append(await client.send(a_text()))
                assert api.requests == []
                await clock.sleep(2.0)
                outcomes.append(await client.send(a_text()))
            return outcomes

    outcomes = asyncio.run(go())
    assert [outcome.result for outcome in outcomes] == [Result.not_sent, Result.not_sent, Result.accepted]
    assert "left alone" in outcomes[1].text


def test_a_send_that_was_refused_opens_no_circuit() -> None:
    with twilio_api(faults={"5678": refused(429, 20429, times=1)}) as api:

        async def go() -> list[Result]:
            async with a_client(api.port) as client:
                return [(await client.send(a_text())).result for _ in range(2)]

        assert asyncio.run(go()) == [Result.temporary, Result.accepted]


def test_a_client_that_was_closed_opens_again() -> None:
    with twilio_api() as api:

        async def go() -> Result:
            client = a_client(api.port)
            await client.close()
            await client.open()
            await client.close()
            await client.close()
            try:
                return (await client.send(a_text())).result
            finally:
                await client.close()

        assert asyncio.run(go()) is Result.accepted


def test_a_text_that_is_too_long_is_refused_before_anything_is_sent() -> None:
    with twilio_api() as api:
        with pytest.raises(BadMessage):
            sent(api.port, a_text("x" * 1601))
        assert api.requests == []
        [outcome] = sent(api.port, a_text("x" * 1600))
        assert outcome.result is Result.accepted


def test_without_an_address_for_callbacks_none_is_given() -> None:
    with twilio_api() as api:
        sent(api.port, a_text())
        assert api.taken[0].callback == ""


def test_the_address_for_callbacks_tells_nothing_of_the_person() -> None:
    base = "https://notices.example/hooks/twilio"
    with twilio_api(reached_as={base: "http://127.0.0.1:9"}) as api:
        sent(api.port, a_text(own_id="d7.3"), callback_base=base, callback_tokens=CALLBACK_TOKENS)
        [taken] = api.taken
    assert taken.callback.startswith(f"{base}/d7.3.")
    assert NUMBER[1:] not in taken.callback


def test_no_log_names_the_person_or_a_secret(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)

    async def go(port: int) -> None:
        now = datetime.now(UTC)
        async with a_client(port) as client:
            await client.message_of(a_text(), since=now, until=now)

    with twilio_api(faults=FAULTS) as api:
        sent(api.port, a_text(), a_text(number=number("0010")), a_text(number=number("0099")))
        asyncio.run(go(api.port))
    assert "send_request_headers" in caplog.text
    for said in (NUMBER[1:], "1390000", KEY_SECRET, "Basic "):
        assert said not in caplog.text


def test_a_send_that_is_cancelled_ends() -> None:
    async def go(port: int) -> None:
        async with a_client(port, timeouts=Timeouts(60, 60)) as client:
            sending = asyncio.create_task(client.send(a_text()))
            await asyncio.sleep(0.2)
            sending.cancel()
            with pytest.raises(asyncio.CancelledError):
                await sending

    with twilio_api(faults={"5678": Fault(Act.SILENT)}) as api:
        asyncio.run(go(api.port))
        assert api.taken == []
