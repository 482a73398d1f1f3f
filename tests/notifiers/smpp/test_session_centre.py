"""A session with a message centre that others wrote."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from notifiers.errors import CarrierUnreachable
from notifiers.outcome import Outcome, Result, Stage
from notifiers.smpp.centre import NumberFormat
from notifiers.smpp.receipts import same_id
from notifiers.smpp.session import SmppSession
from notifiers.sms.receipt import MessageState, SmsReceipt
from tests.support.certificates import make_authority
from tests.support.message_centre import ANSWERS, PASSWORD, SYSTEM_ID, Receipts, message_centre
from tests.support.smpp_sending import LONG, QuickClock, a_centre, a_message, any_receipt, until

GSM = "Dear Ada, this costs you {nothing} [really]: 0 €. " + "We never ask for money or codes. " * 8


@contextlib.asynccontextmanager
async def a_session(
    port: int, receipts: list[SmsReceipt] | None = None, **settings: Any
) -> AsyncIterator[SmppSession]:
    async def keep(receipt: SmsReceipt) -> bool:
        assert receipts is not None
        receipts.append(receipt)
        return True

    clock = QuickClock()
    session = SmppSession(
        a_centre(port, **{"system_id": SYSTEM_ID, "password": PASSWORD, **settings}),
        on_receipt=any_receipt if receipts is None else keep,
        clock=clock,
        sleep=clock.sleep,
    )
    try:
        yield session
    finally:
        await session.close()


def sent(port: int, *messages: tuple[str, str], **settings: Any) -> list[Outcome]:
    async def go() -> list[Outcome]:
        async with a_session(port, **settings) as session:
            sending = [session.send(a_message(text, number)) for number, text in messages]
            return list(await asyncio.gather(*sending))

    return asyncio.run(go())


def test_texts_arrive_as_they_were_many_at_once() -> None:
    texts = {f"86139000010{at:02}": (LONG, GSM, "您好", "Hello @ €")[at % 4] for at in range(40)}
    with message_centre(delay_ms=2) as centre:
        outcomes = sent(centre.port, *[(f"+{number}", text) for number, text in texts.items()], window=7)
        assert {outcome.result for outcome in outcomes} == {Result.accepted}
        assert centre.texts() == {number: [text] for number, text in texts.items()}
        ids = [message.message_id for message in centre.taken()]
        assert sorted(ids) == sorted(each for outcome in outcomes for each in outcome.references)


def test_addresses_and_the_validity_arrive_as_the_settings_say() -> None:
    with message_centre() as centre:
        sent(
            centre.port,
            ("+8613912345678", "Hello"),
            sender="Example",
            number_format=NumberFormat.national,
            validity=timedelta(days=2),
        )
        [taken] = centre.taken()
    assert (taken.source, taken.source_ton, taken.source_npi) == ("Example", 5, 0)
    assert (taken.destination, taken.destination_ton, taken.destination_npi) == ("13912345678", 2, 1)
    assert taken.registered_delivery == 1
    # Its library reads the relative time and says when that is.
    until_when = datetime.strptime(taken.validity_period.partition(" (")[0], "%a %b %d %Y %H:%M:%S GMT%z")
    assert abs(until_when - datetime.now(UTC) - timedelta(days=2)) < timedelta(hours=1)


@pytest.mark.parametrize(
    ("ending", "result", "stage", "copies"),
    [
        ("13", Result.permanent, Stage.reply, 0),
        ("58", Result.accepted, Stage.reply, 1),
        ("98", Result.ambiguous, Stage.submitted, 0),
        ("99", Result.ambiguous, Stage.submitted, 1),
    ],
)
def test_an_outcome_says_what_was_proved(ending: str, result: Result, stage: Stage, copies: int) -> None:
    number = f"861390000{ending:0>4}"
    with message_centre(answers=ANSWERS) as centre:
        [outcome] = sent(centre.port, (f"+{number}", "Hello"))
        assert (outcome.result, outcome.stage) == (result, stage)
        assert centre.copies().get(number, 0) == copies


def test_a_centre_that_unbinds_in_between_gets_the_rest_in_new_sessions() -> None:
    with message_centre(unbind_after=3) as centre:

        async def go() -> list[Outcome]:
            async with a_session(centre.port) as session:
                return [await session.send(a_message(number=f"+8613900002{at:03}")) for at in range(10)]

        outcomes = asyncio.run(go())
        assert {outcome.result for outcome in outcomes} <= {Result.accepted, Result.not_sent}
        taken = sum(outcome.result is Result.accepted for outcome in outcomes)
        assert len(centre.taken()) == taken >= 7


@pytest.mark.parametrize(
    "options",
    [
        Receipts(),
        Receipts(upper_case=True),
        Receipts(shape="tlv"),
        Receipts(shape="both"),
        Receipts(id_in="decimal"),
        Receipts(shape="tlv", id_in="decimal"),
        Receipts(before_answer=True),
    ],
)
def test_each_part_gets_its_receipt_by_its_id(options: Receipts) -> None:
    with message_centre(receipts=options) as centre:

        async def go() -> tuple[Outcome, list[SmsReceipt]]:
            receipts: list[SmsReceipt] = []
            async with a_session(centre.port, receipts) as session:
                outcome = await session.send(a_message(LONG))
                await until(lambda: len(receipts) == 3)
            return outcome, receipts

        outcome, receipts = asyncio.run(go())
        centre.await_events("receipted", 3)
    assert len(outcome.references) == 3
    for reference in outcome.references:
        [receipt] = [each for each in receipts if same_id(each.message_id, reference)]
        assert (receipt.state, receipt.number, receipt.error) == (
            MessageState.delivered,
            "8613912345678",
            None,
        )


@pytest.mark.parametrize(
    ("word", "state"),
    [
        ("UNDELIV", MessageState.undeliverable),
        ("EXPIRED", MessageState.expired),
        ("REJECTD", MessageState.rejected),
    ],
)
@pytest.mark.parametrize("shape", ["text", "tlv"])
def test_what_became_of_a_message_is_told(word: str, state: MessageState, shape: str) -> None:
    with message_centre(receipts=Receipts(word, shape=shape)) as centre:

        async def go() -> list[SmsReceipt]:
            receipts: list[SmsReceipt] = []
            async with a_session(centre.port, receipts) as session:
                await session.send(a_message())
                await until(lambda: bool(receipts))
            return receipts

        [receipt] = asyncio.run(go())
    assert receipt.state is state


@pytest.mark.parametrize(
    ("settings", "code"), [({"system_id": "somebody"}, 0x0F), ({"password": "guess"}, 0x0E)]
)
def test_other_credentials_are_refused(settings: dict[str, Any], code: int) -> None:
    with message_centre() as centre:

        async def go() -> None:
            async with a_session(centre.port, **settings) as session:
                await session.open()

        with pytest.raises(CarrierUnreachable) as refused:
            asyncio.run(go())
    assert (refused.value.stage, refused.value.code) == (Stage.auth, code)
    assert "guess" not in str(refused.value)


def test_the_centre_is_answered_when_it_asks_whether_we_are_there() -> None:
    with message_centre(enquires_ms=20) as centre:

        async def go() -> None:
            async with a_session(centre.port) as session:
                await session.open()
                await until(lambda: len(centre.events("link_answered")) >= 2)

        asyncio.run(go())


def test_a_connection_that_was_cut_is_opened_again() -> None:
    with message_centre() as centre:

        async def go() -> list[Outcome]:
            async with a_session(centre.port) as session:
                first = await session.send(a_message())
                await asyncio.to_thread(centre.drop_all)
                await until(lambda: not session.is_open)
                return [first, await session.send(a_message())]

        assert {outcome.result for outcome in asyncio.run(go())} == {Result.accepted}


def test_over_tls_it_is_the_same(tmp_path: Path) -> None:
    authority = make_authority(tmp_path)
    with message_centre(pem=str(authority.server_file("127.0.0.1"))) as centre:
        [outcome] = sent(centre.port, ("+8613912345678", LONG), tls=True, ca_file=authority.file)
        assert (outcome.result, outcome.tls) == (Result.accepted, True)
        assert centre.texts() == {"8613912345678": [LONG]}
