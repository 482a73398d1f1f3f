"""Many messages over one session: the next one is begun with the end of the one before, and each is told of as if alone."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from notifiers.email.message import Envelope
from notifiers.email.relay import Relay, Timeouts, TlsMode
from notifiers.email.session import SmtpSession, dot_stuffed
from notifiers.outcome import Outcome, Result, Stage
from tests.notifiers.conftest import CLOSE, ScriptedRelay
from tests.support.certificates import make_authority

IMPATIENT = Timeouts(connect=0.5, tls=0.5, auth=0.5, mail=0.5, rcpt=0.5, data=0.5, body=0.5, after_dot=0.5)
PIPELINED = ("PIPELINING",)


def envelope(number: int, text: bytes = b"to you") -> Envelope:
    return Envelope(
        f"b.{number}@bounce.example.com", f"p{number}@example.com", b"Subject: test\r\n\r\n" + text + b"\r\n"
    )


def a_relay(port: int, **changes: Any) -> Relay:
    return replace(Relay("127.0.0.1", port, TlsMode.none, timeouts=IMPATIENT), **changes)


def sent_together(
    scripted: Any, envelopes: list[Envelope], extensions: tuple[str, ...] = PIPELINED, **changes: Any
) -> tuple[list[Outcome], Any, SmtpSession]:
    """Send these by as many calls as it takes; gives the outcomes, the server, and the session."""

    async def go() -> tuple[list[Outcome], Any, SmtpSession]:
        async with scripted(extensions=extensions) as server:
            outcomes: list[Outcome] = []
            async with SmtpSession(a_relay(server.port, **changes)) as session:
                while len(outcomes) < len(envelopes):
                    await session.send_each(envelopes[len(outcomes) :], outcomes)
            return outcomes, server, session

    return asyncio.run(go())


@pytest.mark.parametrize(
    ("extensions", "more_came"), [(PIPELINED, [True, True, False]), ((), [False, False, False])]
)
def test_where_the_relay_pipelines_the_next_message_is_begun_with_the_end_of_the_one_before(
    scripted: Any, extensions: tuple[str, ...], more_came: list[bool]
) -> None:
    outcomes, server, session = sent_together(scripted, [envelope(n) for n in range(3)], extensions)
    assert [each.result for each in outcomes] == [Result.accepted] * 3
    assert server.more_came == more_came
    assert server.messages == [dot_stuffed(envelope(n).data) for n in range(3)]
    assert server.connections == session.connections == 1
    begins = [
        (f"MAIL FROM:<b.{n}@bounce.example.com>", f"RCPT TO:<p{n}@example.com>", "DATA") for n in range(3)
    ]
    assert server.commands[1:-1] == [command for each in begins for command in each]


def test_a_worn_out_connection_carries_no_beginning_of_a_message_that_goes_over_the_next(
    scripted: Any,
) -> None:
    _, server, session = sent_together(scripted, [envelope(n) for n in range(5)], max_messages=2)
    assert server.more_came == [True, False, True, False, False]
    assert server.connections == session.connections == 3


def test_a_big_message_leaves_before_the_next_is_begun(scripted: Any) -> None:
    big = envelope(0, b"\r\n".join([b"x" * 70] * 2000))
    outcomes, server, _ = sent_together(scripted, [big, envelope(1)])
    assert [each.result for each in outcomes] == [Result.accepted] * 2
    assert server.more_came == [False, False]


@pytest.mark.parametrize("extensions", [PIPELINED, ()])
def test_what_may_not_go_any_more_gets_no_text_although_it_was_begun(
    scripted: Any, extensions: tuple[str, ...]
) -> None:
    async def go() -> None:
        async with scripted(extensions=extensions) as server:
            outcomes: list[Outcome] = []
            async with SmtpSession(a_relay(server.port)) as session:
                envelopes = [envelope(n) for n in range(4)]
                await session.send_each(envelopes, outcomes, may_go=lambda: len(outcomes) < 2)
                assert [each.result for each in outcomes] == [Result.accepted] * 2
                await session.send_each(envelopes[2:], outcomes)
            assert [each.result for each in outcomes] == [Result.accepted] * 4
            assert server.messages == [dot_stuffed(each.data) for each in envelopes]

    asyncio.run(go())


def test_a_send_that_is_cancelled_tells_of_those_before_and_how_far_the_next_came(scripted: Any) -> None:
    async def go() -> None:
        async with (
            scripted(extensions=PIPELINED, mail=[b"250 ok", b"250 ok", b"\x00"]) as server,
            SmtpSession(a_relay(server.port, timeouts=Timeouts())) as session,
        ):
            outcomes: list[Outcome] = []
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(session.send_each([envelope(n) for n in range(3)], outcomes), 0.3)
            assert [each.result for each in outcomes] == [Result.accepted] * 2
            assert session.stage is Stage.mail

    asyncio.run(go())


def test_over_tls_every_reply_is_read_however_many_come_at_once(tmp_path: Path) -> None:
    """Each reply is a record of its own, and those to commands that travelled together arrive together."""
    authority = make_authority(tmp_path)

    async def go() -> None:
        relay = ScriptedRelay({}, PIPELINED)

        async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await relay.converse(reader, writer)
            writer.close()

        server = await asyncio.start_server(converse, "127.0.0.1", 0, ssl=authority.server("127.0.0.1"))
        async with server:
            port = server.sockets[0].getsockname()[1]
            over_tls = a_relay(port, tls=TlsMode.implicit, ca_file=authority.file)
            outcomes: list[Outcome] = []
            async with SmtpSession(over_tls) as session:
                await session.send_each([envelope(number) for number in range(100)], outcomes)
                assert session.connections == 1
        assert {(each.result, each.tls) for each in outcomes} == {(Result.accepted, True)}
        assert len(outcomes) == len(relay.messages) == 100

    asyncio.run(go())


Plan = dict[tuple[int, str], bytes]


@dataclass
class MindfulRelay(ScriptedRelay):
    """Answers by the message that a command is for: `plan` has its number, the verb, and the answer."""

    plan: Plan = field(default_factory=dict)
    number: int = -1

    def answer_to(self, verb: str) -> bytes:
        if verb == "mail":
            self.number = int(self.commands[-1].partition("<b.")[2].partition("@")[0])
        planned = self.plan.get((self.number, verb))
        return super().answer_to(verb) if planned is None else planned


MESSAGES = 4
_ANSWERS = {
    "mail": [b"450 4.1.8 later", b"550 5.7.1 not you", b"421 4.3.2 closing", CLOSE],
    "rcpt": [b"450 4.2.2 full", b"550 5.1.1 unknown", b"421 4.3.2 closing", CLOSE],
    "data": [b"451 4.3.0 later", b"554 5.5.1 no recipients", CLOSE],
    "dot": [b"451 4.3.0 later", b"554 5.7.1 spam", b"421 4.3.2 closing", CLOSE],
}
plans = st.dictionaries(
    st.tuples(st.integers(0, MESSAGES - 1), st.sampled_from(sorted(_ANSWERS))), st.integers(0, 3), max_size=5
).map(lambda drawn: {key: _ANSWERS[key[1]][at % len(_ANSWERS[key[1]])] for key, at in drawn.items()})


async def told_of(plan: Plan, *, together: bool) -> tuple[list[object], int]:
    """What becomes of each message by this plan, and how many the relay took."""
    relay = MindfulRelay({}, PIPELINED, plan=plan)

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await relay.converse(reader, writer)
        finally:
            writer.close()

    async with await asyncio.start_server(converse, "127.0.0.1", 0) as server:
        envelopes = [envelope(n) for n in range(MESSAGES)]
        outcomes: list[Outcome] = []
        async with SmtpSession(a_relay(server.sockets[0].getsockname()[1])) as session:
            while len(outcomes) < MESSAGES:
                left = envelopes[len(outcomes) :]
                await session.send_each(left if together else left[:1], outcomes)
    told = [(each.result, each.stage, each.code, each.text) for each in outcomes]
    return [*told], sum(b"Subject" in each for each in relay.messages)


@settings(max_examples=60, deadline=None)
@given(plans)
def test_each_message_is_told_of_as_if_it_had_been_sent_alone(plan: Plan) -> None:
    together, taken = asyncio.run(told_of(plan, together=True))
    alone, as_many = asyncio.run(told_of(plan, together=False))
    assert together == alone
    assert taken == as_many
