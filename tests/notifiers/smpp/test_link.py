"""What a centre itself asks and delivers, whether it is there, and who it is."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from notifiers.errors import BadCentre, BadPdu
from notifiers.outcome import Outcome, Result, Stage
from notifiers.smpp.centre import Centre, tls_context
from notifiers.smpp.incoming import SmsFromPerson
from notifiers.smpp.link import Break, Link, LinkBroken
from notifiers.smpp.pdu import LAST_SEQUENCE, Command, DeliverSm, Pdu, SubmitSm, encode
from notifiers.smpp.session import SmppSession
from notifiers.smpp.statuses import Status
from notifiers.sms.receipt import MessageState, SmsReceipt
from tests.support.certificates import make_authority
from tests.support.faulty_centre import (
    SILENCE,
    Answer,
    FaultyCentre,
    Say,
    Talk,
)
from tests.support.smpp_octets import Pdu as Told
from tests.support.smpp_octets import deliver_body
from tests.support.smpp_sending import (
    IMPATIENT,
    LONG,
    a_centre,
    a_message,
    any_receipt,
    until,
)


def test_a_centre_that_does_not_say_whether_it_is_there_is_gone() -> None:
    async def go() -> None:
        silent = Talk(submits=[SILENCE], link=SILENCE)
        async with FaultyCentre([silent, Talk()]) as centre:
            timeouts = replace(IMPATIENT, enquire_every=0.05)
            session = SmppSession(a_centre(centre.port, timeouts=timeouts), on_receipt=any_receipt)
            await session.open()
            await until(lambda: not session.is_open)
            await session.open()
            assert centre.connections == 2
            await session.close()

    asyncio.run(go())


async def served(
    session_of: Callable[[Centre], SmppSession], *said: Told, answers: int
) -> tuple[FaultyCentre, SmppSession]:
    """A session that was told these; the centre with what was answered."""
    greeting = Talk(bind=(Answer(), *[Say(pdu.octets()) for pdu in said]))
    async with FaultyCentre([greeting]) as centre:
        session = session_of(a_centre(centre.port))
        await session.open()
        await until(lambda: len(centre.responses) >= answers)
        await session.close()
        return centre, session


def a_deliver(sequence: int, text: bytes = b"id:00000001 stat:DELIVRD err:000", esm_class: int = 4) -> Told:
    body = deliver_body("8613912345678", "106912345", text, esm_class=esm_class)
    return Told(Command.deliver_sm, 0, sequence, body)


@pytest.mark.parametrize(("taken", "status"), [(True, 0x00), (False, 0x64), (None, 0x64)])
def test_a_receipt_is_confirmed_once_it_is_safe(taken: bool | None, status: int) -> None:
    receipts: list[SmsReceipt] = []

    async def record(receipt: SmsReceipt) -> bool:
        receipts.append(receipt)
        if taken is None:
            raise RuntimeError("the disk is full")
        return taken

    def session_of(centre: Centre) -> SmppSession:
        return SmppSession(centre, on_receipt=record)

    centre, _ = asyncio.run(served(session_of, a_deliver(41), answers=1))
    [answer] = centre.responses
    assert (answer.command, answer.status, answer.sequence) == (Command.deliver_sm_resp, status, 41)
    [receipt] = receipts
    assert (receipt.message_id, receipt.state, receipt.number) == (
        "00000001",
        MessageState.delivered,
        "8613912345678",
    )


def test_a_receipt_that_names_no_message_is_refused_for_good() -> None:
    centre, _ = asyncio.run(
        served(lambda centre: SmppSession(centre, on_receipt=any_receipt), a_deliver(1, b"stat:X"), answers=1)
    )
    assert [answer.status for answer in centre.responses] == [0x65]


@pytest.mark.parametrize("wanted", [True, False])
def test_what_a_person_writes_goes_to_whoever_wants_it(wanted: bool) -> None:
    came: list[SmsFromPerson] = []

    async def keep(message: SmsFromPerson) -> bool:
        came.append(message)
        return True

    on_message: Callable[[SmsFromPerson], Awaitable[bool]] | None = keep if wanted else None
    centre, _ = asyncio.run(
        served(
            lambda centre: SmppSession(centre, on_receipt=any_receipt, on_message=on_message),
            a_deliver(1, b"STOP", esm_class=0),
            answers=1,
        )
    )
    assert [answer.status for answer in centre.responses] == [0]
    assert [message.text for message in came] == ["STOP"] * wanted


def test_reading_goes_on_while_receipts_are_handled_and_their_number_has_a_bound() -> None:
    async def go() -> None:
        released = asyncio.Event()

        async def record(receipt: SmsReceipt) -> bool:
            await released.wait()
            return True

        many = 100
        said = Say(b"".join(a_deliver(at).octets() for at in range(1, many + 1)))
        async with FaultyCentre([Talk(bind=(Answer(), said))]) as centre:
            session = SmppSession(a_centre(centre.port), on_receipt=record)
            assert (await session.send(a_message())).result is Result.accepted
            await until(lambda: len(centre.responses) >= many - 64)
            assert {answer.status for answer in centre.responses} == {0x64}
            released.set()
            await until(lambda: len(centre.responses) >= many)
            assert [answer.status for answer in centre.responses].count(0) == 64
            await session.close()

    asyncio.run(go())


@pytest.mark.parametrize(
    ("pdu", "command", "status"),
    [
        (Told(0x15, 0, 9), 0x80000015, 0),
        (Told(0x103, 0, 9), 0x80000000, 0x03),
        (Told(0x05, 0, 9, b"half"), 0x80000000, 0x02),
    ],
)
def test_what_the_centre_asks_is_answered(pdu: Told, command: int, status: int) -> None:
    centre, _ = asyncio.run(
        served(lambda centre: SmppSession(centre, on_receipt=any_receipt), pdu, answers=1)
    )
    [answer] = centre.responses
    assert (answer.command, answer.status, answer.sequence) == (command, status, 9)


def test_what_needs_no_answer_gets_none() -> None:
    pdus = [
        Told(0x102, 0, 8, b"\1\1" + b"1\0" * 2),
        Told(0x80000103, 0, 8),
        Told(0x80000000, 3, 88),
        Told(0x15, 0, 9),
    ]
    centre, _ = asyncio.run(
        served(lambda centre: SmppSession(centre, on_receipt=any_receipt), *pdus, answers=1)
    )
    assert [answer.sequence for answer in centre.responses] == [9]


def sent_over_tls(
    ca_file: Path | None, context: ssl.SSLContext | None = None
) -> tuple[Outcome, FaultyCentre]:
    async def go() -> tuple[Outcome, FaultyCentre]:
        async with FaultyCentre(context=context) as centre:
            settings = a_centre(centre.port, tls=True, ca_file=ca_file)
            session = SmppSession(settings, on_receipt=any_receipt)
            outcome = await session.send(a_message(LONG))
            await session.close()
            return outcome, centre

    return asyncio.run(go())


@pytest.mark.parametrize(
    ("name", "expired", "known", "accepted"),
    [
        ("127.0.0.1", False, True, True),
        ("127.0.0.1", False, False, False),
        ("127.0.0.1", True, True, False),
        ("192.0.2.1", False, True, False),
    ],
)
def test_a_centre_over_tls_is_verified(
    tmp_path: Path, name: str, expired: bool, known: bool, accepted: bool
) -> None:
    authority = make_authority(tmp_path)
    context = authority.server(name, expired=expired)
    outcome, centre = sent_over_tls(authority.file if known else None, context)
    if accepted:
        assert (outcome.result, outcome.tls) == (Result.accepted, True)
        assert centre.texts() == {"8613912345678": [LONG]}
    else:
        assert (outcome.result, outcome.stage) == (Result.not_sent, Stage.tls)
        assert centre.binds == []


def test_a_centre_without_tls_gets_no_password_where_tls_is_asked_for(tmp_path: Path) -> None:
    outcome, centre = sent_over_tls(make_authority(tmp_path).file)
    assert outcome.stage is Stage.tls
    assert centre.binds == []


def test_a_file_of_authorities_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    with pytest.raises(BadCentre):
        sent_over_tls(tmp_path / "none.pem")


def test_the_context_of_tls_is_never_one_that_trusts_everybody(tmp_path: Path) -> None:
    context = tls_context(a_centre(1, tls=True, ca_file=make_authority(tmp_path).file))
    assert context.check_hostname and context.verify_mode is ssl.CERT_REQUIRED


async def linked(port: int, last_sequence: int = 0) -> Link:
    async def deliver(deliver: DeliverSm) -> Status:
        return Status.ok

    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    return Link(reader, writer, deliver, last_sequence=last_sequence)


def test_numbers_begin_again_after_the_last_one_and_leave_out_those_that_wait() -> None:
    async def go() -> None:
        async with FaultyCentre([Talk(link=SILENCE)]) as centre:
            link = await linked(centre.port, LAST_SEQUENCE - 1)
            waiting = [link.request(Command.enquire_link) for _ in range(2)]
            link._sequence = LAST_SEQUENCE - 1
            waiting.append(link.request(Command.enquire_link))
            await until(lambda: len(centre.requests) == 3)
            assert [pdu.sequence for pdu in centre.requests] == [LAST_SEQUENCE, 1, 2]
            assert centre.complaints == []
            link.break_off(Break.closed)
            for answer in waiting:
                with pytest.raises(LinkBroken):
                    await answer
            with pytest.raises(LinkBroken):
                link.request(Command.enquire_link)

    asyncio.run(go())


def test_a_centre_that_asks_and_asks_and_reads_no_answer_is_gone() -> None:
    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asking = encode(Pdu(Command.enquire_link, 1)) * 4096
        with suppress(ConnectionError):
            while True:
                writer.write(asking)
                await writer.drain()

    async def go() -> None:
        server = await asyncio.start_server(flood, "127.0.0.1", 0)
        link = await linked(server.sockets[0].getsockname()[1])
        await until(lambda: not link.usable)
        with pytest.raises(LinkBroken) as broken:
            link.request(Command.enquire_link)
        assert broken.value.why is Break.unread
        server.close()

    asyncio.run(go())


def test_a_request_that_no_field_holds_is_not_sent() -> None:
    async def go() -> None:
        async with FaultyCentre() as centre:
            link = await linked(centre.port)
            with pytest.raises(BadPdu):
                link.request(Command.submit_sm, SubmitSm(dest="1" * 21))
            await link.leave(60)
            assert [pdu.command for pdu in centre.requests] == [Command.unbind]
            assert not link.usable

    asyncio.run(go())
