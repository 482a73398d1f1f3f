"""What a session makes of every way a relay can answer, refuse, stall and die."""

from __future__ import annotations

import asyncio
import itertools
import time
from base64 import b64encode
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifiers.email.message import Envelope
from notifiers.email.relay import Relay, Timeouts, TlsMode
from notifiers.email.session import SmtpSession, dot_stuffed
from notifiers.errors import CarrierUnreachable
from notifiers.outcome import Outcome, Result, Stage

CLOSE, STALL = b"", b"\x00"
IMPATIENT = Timeouts(connect=0.5, tls=0.5, auth=0.5, mail=0.5, rcpt=0.5, data=0.5, body=0.5, after_dot=0.5)
MESSAGE = b"Subject: test\r\n\r\n.hidden\r\n..\r\nlast line\r\n"
ENVELOPE = Envelope("b.1@bounce.example.com", "person@example.com", MESSAGE, envid="id+1")
LOCKSTEP: tuple[str, ...] = ()
PIPELINED = ("PIPELINING", "ENHANCEDSTATUSCODES")
BOTH_WAYS = pytest.mark.parametrize("extensions", [LOCKSTEP, PIPELINED], ids=["lockstep", "pipelined"])


def a_relay(port: int, **changes: Any) -> Relay:
    return replace(Relay("127.0.0.1", port, TlsMode.none, timeouts=IMPATIENT), **changes)


def sent_to(scripted: Any, *envelopes: Envelope, extensions: tuple[str, ...], **answers: list[bytes]) -> Any:
    """Send these over one session; gives the outcomes, the server, and the session."""

    async def go() -> tuple[list[Outcome], Any, SmtpSession]:
        async with scripted(extensions=extensions, **answers) as server:
            async with SmtpSession(a_relay(server.port)) as session:
                outcomes = [await session.send(envelope) for envelope in envelopes or (ENVELOPE,)]
            return outcomes, server, session

    return asyncio.run(go())


@BOTH_WAYS
def test_an_accepted_message_arrives_as_it_was_given(scripted: Any, extensions: tuple[str, ...]) -> None:
    outcomes, server, session = sent_to(scripted, ENVELOPE, ENVELOPE, extensions=extensions)
    assert (
        outcomes
        == [
            Outcome(
                Result.accepted,
                Stage.reply,
                250,
                "2.0.0",
                "2.0.0 Ok: queued as ABC",
                peer=f"127.0.0.1[127.0.0.1]:{server.port}",
                tls=False,
            )
        ]
        * 2
    )
    assert server.messages == [dot_stuffed(MESSAGE)] * 2
    assert b"\r\n..hidden\r\n...\r\nlast line\r\n" in server.messages[0]
    assert server.connections == session.connections == 1
    assert server.commands == [
        "EHLO [127.0.0.1]",
        *["MAIL FROM:<b.1@bounce.example.com>", "RCPT TO:<person@example.com>", "DATA"] * 2,
        "QUIT",
    ]


def test_what_the_relay_offers_is_used(scripted: Any) -> None:
    offers = ("SIZE 1000000", "DSN", "PIPELINING")
    _, server, _ = sent_to(scripted, extensions=offers)
    assert f"MAIL FROM:<b.1@bounce.example.com> SIZE={len(MESSAGE)} RET=HDRS ENVID=id+2B1" in server.commands
    assert "RCPT TO:<person@example.com> NOTIFY=FAILURE,DELAY" in server.commands


REFUSALS = [
    ("mail", b"450 4.7.1 later", Result.temporary, Stage.mail, 450, "4.7.1"),
    ("mail", b"553 5.1.8 bad sender", Result.permanent, Stage.mail, 553, "5.1.8"),
    ("rcpt", b"451 4.3.0 try again", Result.temporary, Stage.rcpt, 451, "4.3.0"),
    ("rcpt", b"550 5.1.1 unknown", Result.permanent, Stage.rcpt, 550, "5.1.1"),
    ("rcpt", b"550-5.7.1 spam\r\n550 5.7.1 go away", Result.permanent, Stage.rcpt, 550, "5.7.1"),
    ("rcpt", b"550 unknown", Result.permanent, Stage.rcpt, 550, None),
    ("data", b"452 4.3.1 full", Result.temporary, Stage.data, 452, "4.3.1"),
    ("data", b"554 5.5.1 no", Result.permanent, Stage.data, 554, "5.5.1"),
    ("dot", b"451 4.7.0 greylisted", Result.temporary, Stage.reply, 451, "4.7.0"),
    ("dot", b"552 5.3.4 too big", Result.permanent, Stage.reply, 552, "5.3.4"),
]


@BOTH_WAYS
@pytest.mark.parametrize(("verb", "answer", "result", "stage", "code", "enhanced"), REFUSALS)
def test_a_refusal_is_told_by_its_code_and_the_connection_is_kept(
    scripted: Any,
    extensions: tuple[str, ...],
    verb: str,
    answer: bytes,
    result: Result,
    stage: Stage,
    code: int,
    enhanced: str | None,
) -> None:
    usual = {"mail": b"250 ok", "rcpt": b"250 ok", "data": b"354 go", "dot": b"250 2.0.0 ok"}
    script: dict[str, list[bytes]] = {verb: [answer, usual[verb]]}
    pipelined = extensions == PIPELINED
    if pipelined and verb in ("mail", "rcpt"):
        script["data"] = [b"554 5.5.1 no valid recipients", usual["data"]]
        if verb == "mail":
            script["rcpt"] = [b"503 5.5.1 need MAIL", usual["rcpt"]]
    (first, second), server, session = sent_to(scripted, ENVELOPE, ENVELOPE, extensions=extensions, **script)
    assert (first.result, first.stage, first.code, first.enhanced) == (result, stage, code, enhanced)
    assert first.blocked == (enhanced == "5.7.1")
    assert second.result is Result.accepted
    assert session.connections == 1
    assert server.commands.count("RSET") == (0 if verb == "dot" else 1)


def test_a_refused_recipient_whose_data_is_taken_gets_no_message(scripted: Any) -> None:
    script = {"rcpt": [b"550 5.1.1 unknown", b"250 ok"], "dot": [b"554 5.5.1 no recipients", b"250 ok"]}
    (first, second), server, session = sent_to(scripted, ENVELOPE, ENVELOPE, extensions=PIPELINED, **script)
    assert (first.result, first.stage, first.code) == (Result.permanent, Stage.rcpt, 550)
    assert second.result is Result.accepted
    assert server.messages == [b"", dot_stuffed(MESSAGE)]
    assert session.connections == 1


@BOTH_WAYS
@pytest.mark.parametrize(
    ("verb", "fault"),
    [
        *itertools.product(
            ["mail", "rcpt", "data"], [CLOSE, STALL, b"what is this?", b"250-a\r\n354 b", b"999 x", b"334 x"]
        ),
        ("data", b"250 taken already"),
    ],
)
def test_what_breaks_before_the_message_is_safe_to_retry(
    scripted: Any, extensions: tuple[str, ...], verb: str, fault: bytes
) -> None:
    usual = {"mail": b"250 ok", "rcpt": b"250 ok", "data": b"354 go"}
    (first, second), server, session = sent_to(
        scripted, ENVELOPE, ENVELOPE, extensions=extensions, **{verb: [fault, usual[verb]]}
    )
    assert (first.result, first.stage) == (Result.not_sent, Stage(verb))
    assert first.safe_to_retry
    assert first.text
    assert second.result is Result.accepted
    assert server.messages == [dot_stuffed(MESSAGE)]
    assert session.connections == 2


@BOTH_WAYS
@pytest.mark.parametrize("fault", [CLOSE, STALL, b"what is this?", b"354 more"])
def test_what_breaks_after_the_final_dot_is_ambiguous(
    scripted: Any, extensions: tuple[str, ...], fault: bytes
) -> None:
    (first, second), server, session = sent_to(
        scripted, ENVELOPE, ENVELOPE, extensions=extensions, dot=[fault, b"250 2.0.0 ok"]
    )
    assert (first.result, first.stage) == (Result.ambiguous, Stage.after_dot)
    assert not first.safe_to_retry
    assert second.result is Result.accepted
    assert len(server.messages) == session.connections == 2


@BOTH_WAYS
@pytest.mark.parametrize(
    ("verb", "stage"),
    [("mail", Stage.mail), ("rcpt", Stage.rcpt), ("data", Stage.data), ("dot", Stage.reply)],
)
def test_421_is_temporary_and_the_next_message_opens_a_new_connection(
    scripted: Any, extensions: tuple[str, ...], verb: str, stage: Stage
) -> None:
    usual = {"mail": b"250 ok", "rcpt": b"250 ok", "data": b"354 go", "dot": b"250 ok"}
    (first, second), _, session = sent_to(
        scripted, ENVELOPE, ENVELOPE, extensions=extensions, **{verb: [b"421 4.3.2 closing", usual[verb]]}
    )
    assert (first.result, first.stage, first.code) == (Result.temporary, stage, 421)
    assert second.result is Result.accepted
    assert session.connections == 2


def test_an_answer_nobody_asked_for_never_counts_for_a_later_command(scripted: Any) -> None:
    (first, second), server, session = sent_to(
        scripted,
        ENVELOPE,
        ENVELOPE,
        extensions=LOCKSTEP,
        dot=[b"250 2.0.0 one\r\n250 2.0.0 two", b"250 2.0.0 three"],
    )
    assert (first.result, first.text) == (Result.accepted, "2.0.0 one")
    assert (second.result, second.text) == (Result.accepted, "2.0.0 three")
    assert session.connections == 2
    assert len(server.messages) == 2


def test_a_connection_the_relay_closed_in_between_is_opened_again(scripted: Any) -> None:
    async def go() -> None:
        async with scripted(dot=[b"250 ok\r\n421 4.4.2 idle too long", b"250 ok"]) as server:
            async with SmtpSession(a_relay(server.port)) as session:
                first = await session.send(ENVELOPE)
                await asyncio.sleep(0.05)
                second = await session.send(ENVELOPE)
            assert first.result is second.result is Result.accepted
            assert server.connections == 2

    asyncio.run(go())


@pytest.mark.parametrize("changes", [{"max_messages": 2}, {"max_idle": 0.0}])
def test_a_connection_is_renewed_when_it_is_worn_out(scripted: Any, changes: dict[str, Any]) -> None:
    async def go() -> tuple[int, list[str]]:
        async with scripted() as server:
            async with SmtpSession(a_relay(server.port, **changes)) as session:
                for _ in range(5):
                    assert (await session.send(ENVELOPE)).result is Result.accepted
                    await asyncio.sleep(0.001)
            return server.connections, server.commands

    connections, commands = asyncio.run(go())
    assert connections == (3 if "max_messages" in changes else 6)
    assert commands.count("QUIT") == connections


def test_a_relay_that_is_gone_in_between_raises_and_nothing_was_sent(scripted: Any) -> None:
    async def go() -> CarrierUnreachable:
        async with scripted() as server:
            session = SmtpSession(a_relay(server.port, max_messages=1))
            await session.connect()
            await session.send(ENVELOPE)
        with pytest.raises(CarrierUnreachable) as gone:
            await session.send(ENVELOPE)
        await session.close()
        return gone.value

    gone = asyncio.run(go())
    assert gone.stage is Stage.connect
    assert gone.outcome.result is Result.not_sent


@pytest.mark.parametrize(
    ("answers", "code"),
    [
        ({"greeting": [b"554 5.7.1 not you"]}, 554),
        ({"greeting": [STALL]}, None),
        ({"greeting": [CLOSE]}, None),
        ({"greeting": [b"gibberish"]}, None),
        ({"ehlo": [b"gibberish"]}, None),
        ({"ehlo": [STALL]}, None),
        ({"ehlo": [CLOSE]}, None),
        ({"ehlo": [b"502 no"], "helo": [b"550 5.7.1 no"]}, 550),
    ],
)
def test_a_relay_that_does_not_greet_is_unreachable(
    scripted: Any, answers: dict[str, list[bytes]], code: int | None
) -> None:
    with pytest.raises(CarrierUnreachable) as failed:
        sent_to(scripted, extensions=LOCKSTEP, **answers)
    assert failed.value.stage is Stage.connect
    assert failed.value.code == code


def test_a_relay_that_only_knows_helo_is_good_enough(scripted: Any) -> None:
    (outcome,), server, _ = sent_to(scripted, extensions=LOCKSTEP, ehlo=[b"502 what?"], helo=[b"250 hello"])
    assert outcome.result is Result.accepted
    assert server.commands[:2] == ["EHLO [127.0.0.1]", "HELO [127.0.0.1]"]


def test_starttls_that_is_not_offered_stops_everything_before_the_password(scripted: Any) -> None:
    async def go() -> tuple[CarrierUnreachable, list[str]]:
        async with scripted(extensions=("AUTH PLAIN LOGIN",)) as server:
            relay = a_relay(server.port, tls=TlsMode.starttls, username="user", password="geheim-77")
            with pytest.raises(CarrierUnreachable) as refused:
                await SmtpSession(relay).connect()
            return refused.value, server.commands

    refused, commands = asyncio.run(go())
    assert refused.stage is Stage.tls
    assert not any(command.startswith(("AUTH", "MAIL")) for command in commands)


@pytest.mark.parametrize("method", ["PLAIN", "LOGIN", "CRAM-MD5"])
def test_a_password_the_relay_echoes_stays_out_of_the_error(scripted: Any, method: str) -> None:
    password = "geheim-77"
    plain = b64encode(f"\0user\0{password}".encode())
    echo = b"535 5.7.8 bad: " + plain + b" " + b64encode(password.encode()) + b" " + password.encode()
    first = [b"334 PDE4OTZAbG9jYWw+"] if method != "PLAIN" else [echo]

    async def go() -> CarrierUnreachable:
        async with scripted(extensions=(f"AUTH {method}",), auth=first) as server:
            server.otherwise = echo
            relay = a_relay(server.port, username="user", password=password)
            assert password not in repr(relay)
            with pytest.raises(CarrierUnreachable) as refused:
                await SmtpSession(relay).connect()
            assert any(command.startswith(f"AUTH {method}") for command in server.commands)
            return refused.value

    refused = asyncio.run(go())
    assert (refused.stage, refused.code, refused.enhanced) == (Stage.auth, 535, "5.7.8")
    assert refused.__cause__ is None and refused.__context__ is None
    for text in (str(refused), repr(refused), repr(refused.outcome), refused.text):
        assert password not in text
        assert plain.decode() not in text
        assert b64encode(password.encode()).decode() not in text
    assert "[removed]" in refused.text


BIG = Envelope("", "person@example.com", b"Subject: big\r\n\r\n" + (b"a" * 76 + b"\r\n") * 200_000)


def test_a_big_message_arrives_whole(scripted: Any) -> None:
    envelope = Envelope("", "person@example.com", BIG.data[: 16 + 78 * 20_000])

    async def go() -> tuple[Outcome, list[bytes]]:
        async with scripted(extensions=PIPELINED) as server:
            async with SmtpSession(a_relay(server.port, timeouts=Timeouts())) as session:
                outcome = await session.send(envelope)
            return outcome, server.messages

    outcome, messages = asyncio.run(go())
    assert outcome.result is Result.accepted
    assert messages == [envelope.data]


Conversation = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def sent_big_to(rest: Conversation) -> Outcome:
    """Send BIG to a server that says 354 and goes on with `rest`."""

    async def go() -> Outcome:
        finished = asyncio.Event()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"220 hi\r\n")
            for answer in (b"250 hi\r\n", b"250 ok\r\n", b"250 ok\r\n", b"354 go\r\n"):
                await reader.readline()
                writer.write(answer)
            await rest(reader, writer)
            writer.transport.abort()
            finished.set()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        async with SmtpSession(a_relay(server.sockets[0].getsockname()[1])) as session:
            outcome = await session.send(BIG)
        await finished.wait()
        server.close()
        await asyncio.sleep(0)
        return outcome

    return asyncio.run(go())


async def stall(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(1)


async def die(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readexactly(1000)


async def refuse_early(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readexactly(1000)
    writer.write(b"552 5.3.4 too much\r\n")
    await asyncio.sleep(0.2)


async def accept_early(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readexactly(1000)
    writer.write(b"250 2.0.0 queued before its end\r\n")
    await asyncio.sleep(0.2)


@pytest.mark.parametrize("rest", [stall, die, accept_early])
def test_a_body_whose_dot_never_left_was_not_sent(rest: Conversation) -> None:
    outcome = sent_big_to(rest)
    assert (outcome.result, outcome.stage) == (Result.not_sent, Stage.data)


def test_a_refusal_in_the_middle_of_the_body_is_heard() -> None:
    outcome = sent_big_to(refuse_early)
    assert (outcome.result, outcome.stage, outcome.code) == (Result.permanent, Stage.data, 552)


def test_a_cancelled_send_closes_the_connection(scripted: Any) -> None:
    async def go() -> None:
        async with (
            scripted(dot=[STALL, b"250 ok"]) as server,
            SmtpSession(a_relay(server.port, timeouts=Timeouts())) as session,
        ):
            sending = asyncio.create_task(session.send(ENVELOPE))
            await asyncio.wait_for(server.taken.wait(), 5)
            with pytest.raises(RuntimeError):
                await session.send(ENVELOPE)
            sending.cancel()
            with pytest.raises(asyncio.CancelledError):
                await sending
            assert session.stage is Stage.after_dot
            assert (await session.send(ENVELOPE)).result is Result.accepted
            assert session.connections == 2

    asyncio.run(go())


@BOTH_WAYS
@pytest.mark.parametrize("verb", ["mail", "rcpt", "data"])
def test_a_cancelled_send_says_how_far_it_came(scripted: Any, extensions: tuple[str, ...], verb: str) -> None:
    async def go() -> None:
        async with (
            scripted(extensions=extensions, **{verb: [STALL]}) as server,
            SmtpSession(a_relay(server.port, timeouts=Timeouts())) as session,
        ):
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(session.send(ENVELOPE), 0.2)
            assert session.stage is Stage(verb)

    asyncio.run(go())


def test_a_relay_text_is_one_printable_line_of_bounded_length(scripted: Any) -> None:
    (outcome,), _, _ = sent_to(
        scripted, extensions=LOCKSTEP, rcpt=[b"550-5.1.1 \x1b[31mred\r\n550 5.1.1 " + "无".encode() * 1200]
    )
    assert outcome.result is Result.permanent
    assert outcome.text.isprintable()
    assert outcome.text.startswith("5.1.1 [31mred 5.1.1 无无")
    assert len(outcome.text) == 1000


@given(st.lists(st.sampled_from([b".", b"..", b"", b"a", b".a", b"a.", b" ."]), min_size=1))
def test_a_stuffed_message_never_ends_early_and_unstuffs_to_itself(body: list[bytes]) -> None:
    data = b"\r\n".join(body) + b"\r\n"
    lines = dot_stuffed(data).split(b"\r\n")
    assert b"." not in lines
    assert b"\r\n".join(line[1:] if line.startswith(b".") else line for line in lines) == data


@BOTH_WAYS
@pytest.mark.parametrize(
    ("verb", "patient", "ends"),
    [
        ("dot", ("mail", "rcpt", "data"), Stage.after_dot),
        ("mail", ("rcpt", "data", "after_dot"), Stage.mail),
    ],
)
def test_each_stage_has_its_own_patience_whatever_those_before_had(
    scripted: Any, extensions: tuple[str, ...], verb: str, patient: tuple[str, ...], ends: Stage
) -> None:
    """The second message stalls where the relay may take half a second; the other stages may take minutes."""
    timeouts = replace(IMPATIENT, **dict.fromkeys(patient, 300.0))
    answers = {verb: [b"250 2.0.0 Ok", STALL]}

    async def go() -> Outcome:
        async with (
            scripted(extensions=extensions, **answers) as server,
            SmtpSession(a_relay(server.port, timeouts=timeouts)) as session,
        ):
            assert (await session.send(ENVELOPE)).result is Result.accepted
            return await session.send(ENVELOPE)

    began = time.monotonic()
    assert asyncio.run(go()).stage is ends
    assert time.monotonic() - began < 60
