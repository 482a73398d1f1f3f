"""Sessions with real servers: aiosmtpd for TLS and AUTH, Postfix's smtp-sink for what a relay does."""

from __future__ import annotations

import asyncio
import datetime as dt
import ssl
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword

from notifiers.email.message import Address, Envelope, MailTemplate, slot
from notifiers.email.relay import Relay, Timeouts, TlsMode
from notifiers.email.session import SmtpSession
from notifiers.email.skeleton import Skeleton
from notifiers.errors import BadRelay, CarrierUnreachable
from notifiers.outcome import Outcome, Result, Stage
from tests.support.certificates import Authority, make_authority
from tests.support.scratch_postfix import scratch_postfix

USER, PASSWORD = "tocsin", "correct horse 电池"
SKELETON = Skeleton(
    MailTemplate(
        "关于您个人信息的通知",
        f"尊敬的{slot('name')}：\n.\n这是正文。\n",
        f"<p>尊敬的{slot('name')}：</p>",
        Address("notice@example.com", "某某公司"),
        "zh-Hans",
    )
)


def a_message(number: int = 1) -> Envelope:
    data = SKELETON.render(
        {"name": "王小明"},
        to=Address(f"u{number}@example.com", "王小明"),
        message_id=f"<{number}@example.com>",
        date=dt.datetime(2026, 3, 4, tzinfo=dt.UTC),
    )
    return Envelope("b.1@bounce.example.com", f"u{number}@example.com", data, envid=f"d{number}")


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return make_authority(tmp_path_factory.mktemp("ca"))


@dataclass
class Inbox:
    """What aiosmtpd took, and with which passwords."""

    envelopes: list[Any] = field(default_factory=list)
    logins: int = 0

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        self.envelopes.append(envelope)
        return "250 2.0.0 Ok: queued as INBOX1"

    def authenticate(self, server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        self.logins += 1
        right = isinstance(data, LoginPassword) and data == LoginPassword(USER.encode(), PASSWORD.encode())
        return AuthResult(success=right, handled=False)


@asynccontextmanager
async def aiosmtpd_at(
    inbox: Inbox, *, implicit: ssl.SSLContext | None = None, **options: Any
) -> AsyncIterator[int]:
    loop = asyncio.get_running_loop()
    options.setdefault("hostname", "localhost")
    server = await loop.create_server(
        lambda: SMTP(inbox, loop=loop, authenticator=inbox.authenticate, **options),
        "127.0.0.1",
        0,
        ssl=implicit,
    )
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


def sent_over(relay: Relay, *envelopes: Envelope) -> Any:
    async def go() -> list[Outcome]:
        async with SmtpSession(relay) as session:
            return [await session.send(envelope) for envelope in envelopes]

    return go()


@pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")
@pytest.mark.parametrize("method", ["PLAIN", "LOGIN"])
@pytest.mark.parametrize("mode", [TlsMode.starttls, TlsMode.implicit])
def test_a_message_travels_over_verified_tls_with_a_password(
    authority: Authority, mode: TlsMode, method: str
) -> None:
    inbox = Inbox()
    context = authority.server("127.0.0.1")
    others = {"PLAIN": ["LOGIN"], "LOGIN": ["PLAIN"]}[method]
    options: dict[str, Any] = (
        {"tls_context": context, "require_starttls": True, "auth_required": True}
        if mode is TlsMode.starttls
        # aiosmtpd does not see that the server around it speaks TLS already.
        else {"implicit": context, "auth_require_tls": False, "auth_required": True}
    )

    async def go() -> list[Outcome]:
        async with aiosmtpd_at(inbox, auth_exclude_mechanism=others, **options) as port:
            relay = Relay("127.0.0.1", port, mode, USER, PASSWORD, ca_file=authority.file)
            outcomes: list[Outcome] = await sent_over(relay, a_message(1), a_message(2))
            return outcomes

    outcomes = asyncio.run(go())
    assert [(o.result, o.stage, o.tls, o.text) for o in outcomes] == [
        (Result.accepted, Stage.reply, True, "2.0.0 Ok: queued as INBOX1")
    ] * 2
    assert inbox.logins == 1
    taken = inbox.envelopes[0]
    assert (taken.mail_from, taken.rcpt_tos) == ("b.1@bounce.example.com", ["u1@example.com"])
    assert taken.content == a_message(1).data
    assert any(option.startswith("SIZE=") for option in taken.mail_options)
    assert PASSWORD not in repr(outcomes)


@pytest.mark.parametrize("mode", [TlsMode.starttls, TlsMode.implicit])
@pytest.mark.parametrize("wrong", ["name", "authority", "dates"])
def test_a_certificate_that_does_not_verify_is_refused(
    authority: Authority, mode: TlsMode, wrong: str
) -> None:
    name = "relay.example.net" if wrong == "name" else "127.0.0.1"
    context = authority.server(name, expired=wrong == "dates")
    ca_file = None if wrong == "authority" else authority.file
    inbox = Inbox()

    async def go() -> CarrierUnreachable:
        options = {"tls_context": context} if mode is TlsMode.starttls else {"implicit": context}
        async with aiosmtpd_at(inbox, **options) as port:
            relay = Relay("127.0.0.1", port, mode, USER, PASSWORD, ca_file=ca_file)
            with pytest.raises(CarrierUnreachable) as refused:
                await SmtpSession(relay).connect()
            return refused.value

    refused = asyncio.run(go())
    assert refused.stage is Stage.tls
    assert "certificate" in refused.text
    assert inbox.logins == 0
    assert PASSWORD not in str(refused)


def test_a_wrong_password_is_told_with_the_relays_code(authority: Authority) -> None:
    wrong = "another password 错"

    async def go() -> CarrierUnreachable:
        async with aiosmtpd_at(Inbox(), tls_context=authority.server("127.0.0.1")) as port:
            relay = Relay("127.0.0.1", port, TlsMode.starttls, USER, wrong, ca_file=authority.file)
            with pytest.raises(CarrierUnreachable) as refused:
                await SmtpSession(relay).connect()
            return refused.value

    refused = asyncio.run(go())
    assert (refused.stage, refused.code, refused.enhanced) == (Stage.auth, 535, "5.7.8")
    for text in (str(refused), repr(refused), repr(refused.outcome)):
        assert wrong not in text


def test_a_message_over_the_relays_limit_is_a_permanent_refusal() -> None:
    async def go() -> list[Outcome]:
        async with aiosmtpd_at(Inbox(), data_size_limit=500) as port:
            outcomes: list[Outcome] = await sent_over(Relay("127.0.0.1", port, TlsMode.none), a_message())
            return outcomes

    (outcome,) = asyncio.run(go())
    assert (outcome.result, outcome.stage, outcome.code) == (Result.permanent, Stage.mail, 552)


def test_nobody_listening_is_an_unreachable_carrier() -> None:
    async def go() -> int:
        async with aiosmtpd_at(Inbox()) as port:
            return port

    with pytest.raises(CarrierUnreachable) as refused:
        asyncio.run(sent_over(Relay("127.0.0.1", asyncio.run(go()), TlsMode.none)))
    assert refused.value.stage is Stage.connect


def test_a_file_of_authorities_that_holds_none_is_said_to_be_wrong(tmp_path: Path) -> None:
    broken = tmp_path / "ca.pem"
    broken.write_text("not a certificate")
    for path in (broken, tmp_path / "missing.pem"):
        with pytest.raises(BadRelay, match=path.name):
            asyncio.run(sent_over(Relay("127.0.0.1", 25, TlsMode.implicit, ca_file=path)))


QUICK = Timeouts(connect=5, mail=2, rcpt=2, data=1, after_dot=1)


def of_sink(smtp_sink: Any, *flags: str, messages: int = 2, **changes: Any) -> tuple[list[Outcome], int]:
    async def go(port: int) -> tuple[list[Outcome], int]:
        async with SmtpSession(Relay("127.0.0.1", port, TlsMode.none, timeouts=QUICK, **changes)) as session:
            outcomes = [await session.send(a_message(number)) for number in range(messages)]
        return outcomes, session.connections

    with smtp_sink(*flags) as port:
        return asyncio.run(go(port))


@pytest.mark.parametrize("flags", [(), ("-p",), ("-e",), ("-E",)], ids=["usual", "lockstep", "helo", "plain"])
def test_postfix_takes_many_messages_over_few_connections(smtp_sink: Any, flags: tuple[str, ...]) -> None:
    outcomes, connections = of_sink(smtp_sink, *flags, messages=60, max_messages=20)
    assert {(o.result, o.stage, o.code) for o in outcomes} == {(Result.accepted, Stage.reply, 250)}
    assert connections == 3


def test_what_postfix_stored_is_what_was_sent(smtp_sink: Any) -> None:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o777)  # smtp-sink gives up root and writes as nobody
        outcomes, _ = of_sink(smtp_sink, "-d", f"{folder}/m.", messages=3)
        stored = b"".join(path.read_bytes() for path in Path(folder).iterdir())
    assert [o.result for o in outcomes] == [Result.accepted] * 3
    for number in range(3):
        body = a_message(number).data.replace(b"\r\n", b"\n").partition(b"\n\n")[2]
        assert body in stored
        assert stored.count(f"Message-ID: <{number}@example.com>".encode()) == 1


@pytest.mark.parametrize(
    ("flags", "result", "stage", "code", "connections"),
    [
        (("-q", "MAIL"), Result.not_sent, Stage.mail, None, 2),
        (("-q", "RCPT"), Result.not_sent, Stage.rcpt, None, 2),
        (("-q", "DATA"), Result.not_sent, Stage.data, None, 2),
        (("-q", "."), Result.ambiguous, Stage.after_dot, None, 2),
        (("-Q", "RCPT"), Result.temporary, Stage.rcpt, 421, 2),
        (("-Q", "."), Result.temporary, Stage.reply, 421, 2),
        (("-r", "."), Result.temporary, Stage.reply, 450, 1),
        (("-r", "RCPT"), Result.temporary, Stage.rcpt, 450, 1),
        (("-f", "RCPT"), Result.permanent, Stage.rcpt, 500, 1),
        (("-f", "MAIL"), Result.permanent, Stage.mail, 500, 1),
        (("-f", "."), Result.permanent, Stage.reply, 500, 1),
        (("-f", "RCPT", "-B", "550 5.7.1 blocked by policy"), Result.permanent, Stage.rcpt, 550, 1),
        (("-p", "-W", "DATA:3:0"), Result.not_sent, Stage.data, None, 2),
        (("-W", ".:3:0"), Result.ambiguous, Stage.after_dot, None, 2),
    ],
)
def test_every_fault_of_postfix_gets_its_name(
    smtp_sink: Any, flags: tuple[str, ...], result: Result, stage: Stage, code: int | None, connections: int
) -> None:
    outcomes, opened = of_sink(smtp_sink, *flags)
    assert [(o.result, o.stage, o.code) for o in outcomes] == [(result, stage, code)] * 2
    assert opened == connections
    assert all(o.blocked == ("policy" in o.text) for o in outcomes)


def test_a_postfix_that_forbids_wrong_pipelining_takes_what_is_begun_ahead() -> None:
    strict = {
        "smtpd_forbid_unauth_pipelining": "yes",
        "smtpd_forbid_bare_newline": "yes",
        "smtpd_data_restrictions": "reject_unauth_pipelining",
        "defer_transports": "smtp",
    }
    outcomes: list[Outcome] = []

    async def go(port: int) -> int:
        async with SmtpSession(Relay("127.0.0.1", port, TlsMode.none, timeouts=Timeouts())) as session:
            await session.send_each([a_message(number) for number in range(50)], outcomes)
            return session.connections

    with scratch_postfix(strict) as postfix:
        assert asyncio.run(go(postfix.port)) == 1
        assert "improper command pipelining" not in postfix.log
    assert {(o.result, o.stage, o.code) for o in outcomes} == {(Result.accepted, Stage.reply, 250)}
    assert len({o.text for o in outcomes}) == len(outcomes) == 50
