"""Sending over a gateway that checks what the service checks, and that can be at fault."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
from datetime import timedelta
from pathlib import Path

import pytest

from notifiers.errors import BadAddress, BadMessage
from notifiers.outcome import Outcome, Result, Stage
from notifiers.sms_gateway.gateway import Timeouts
from tests.support.certificates import make_authority
from tests.support.sms_gateway.account import KEY_ID, SECRET
from tests.support.sms_gateway.sending import (
    CODE,
    DIALECTS,
    NAME,
    a_client,
    a_gateway,
    a_text,
    an_sms,
    now,
    sent,
)
from tests.support.sms_gateway.server import Act, Answer, sms_gateway

both = pytest.mark.parametrize("dialect", DIALECTS)


def proved(outcome: Outcome) -> tuple[Result, Stage]:
    return outcome.result, outcome.stage


@both
def test_people_read_exactly_what_was_released(dialect: str) -> None:
    texts = {f"86139000010{at:02}": a_text(f"张{at}", f"K7-{at}") for at in range(20)}
    messages = [an_sms(text, f"+{number}", own_id=number) for number, text in texts.items()]
    with sms_gateway(dialect) as gateway:
        outcomes = sent(dialect, gateway.port, *messages)
        assert {proved(each) for each in outcomes} == {(Result.accepted, Stage.reply)}
        assert gateway.texts() == {number: [text] for number, text in texts.items()}
        assert [each.references for each in outcomes] == [(taken.reference,) for taken in gateway.taken]
        assert [taken.own_id for taken in gateway.taken] == list(texts)
        assert gateway.connections == 1
        assert not gateway.refusals


@both
def test_many_go_at_once_and_no_more_than_the_window(dialect: str) -> None:
    messages = [an_sms(a_text(f"李{at}"), f"+86139000020{at:02}") for at in range(30)]
    with sms_gateway(dialect) as gateway:

        async def go() -> list[Outcome]:
            async with a_client(dialect, gateway.port, window=4) as client:
                return list(await asyncio.gather(*map(client.send, messages)))

        outcomes = asyncio.run(go())
        assert {each.result for each in outcomes} == {Result.accepted}
        assert len(gateway.taken) == 30
        assert gateway.connections <= 4


AMBIGUOUS = (Result.ambiguous, Stage.submitted)


@both
@pytest.mark.parametrize(
    ("answer", "expected", "copies"),
    [
        (Answer(Act.drop), AMBIGUOUS, 0),
        (Answer(Act.drop, taken=True), AMBIGUOUS, 1),
        (Answer(Act.drop_unread), AMBIGUOUS, 0),
        (Answer(Act.status, status=500), AMBIGUOUS, 0),
        (Answer(Act.status, status=503, taken=True), AMBIGUOUS, 1),
        (Answer(Act.status, status=404), AMBIGUOUS, 0),
        (Answer(Act.status, status=429), (Result.temporary, Stage.account), 0),
        (Answer(Act.html), AMBIGUOUS, 0),
        (Answer(Act.truncated, taken=True), AMBIGUOUS, 1),
        (Answer(Act.cut_off, taken=True), AMBIGUOUS, 1),
        (Answer(Act.huge, taken=True), AMBIGUOUS, 1),
        (Answer(Act.no_reference, taken=True), AMBIGUOUS, 1),
        (Answer(Act.redirect), AMBIGUOUS, 0),
        (Answer(Act.slow, seconds=1.0), AMBIGUOUS, 1),
    ],
)
def test_an_outcome_says_what_was_proved(
    dialect: str, answer: Answer, expected: tuple[Result, Stage], copies: int
) -> None:
    with sms_gateway(dialect) as gateway:
        gateway.answer_with(answer, times=1)
        [outcome] = sent(dialect, gateway.port, timeouts=Timeouts(read=0.3))
        assert proved(outcome) == expected
        assert len(gateway.taken) == copies
        assert len(gateway.requests) <= 1


@pytest.mark.parametrize(
    ("dialect", "code", "expected"),
    [
        ("aliyun", "isv.MOBILE_NUMBER_ILLEGAL", (Result.permanent, Stage.reply)),
        ("aliyun", "isv.BUSINESS_LIMIT_CONTROL", (Result.temporary, Stage.reply)),
        ("aliyun", "isv.AMOUNT_NOT_ENOUGH", (Result.permanent, Stage.account)),
        ("aliyun", "Throttling.User", (Result.temporary, Stage.account)),
        ("aliyun", "isp.SYSTEM_ERROR", AMBIGUOUS),
        ("aliyun", "isv.NOBODY_KNOWS_THIS", (Result.permanent, Stage.account)),
        ("tencent", "FailedOperation.PhoneNumberInBlacklist", (Result.permanent, Stage.reply)),
        ("tencent", "LimitExceeded.PhoneNumberDailyLimit", (Result.temporary, Stage.reply)),
        (
            "tencent",
            "FailedOperation.InsufficientBalanceInSmsPackage",
            (Result.permanent, Stage.account),
        ),
        ("tencent", "RequestLimitExceeded.IPLimitExceeded", (Result.temporary, Stage.account)),
        ("tencent", "InternalError.Timeout", AMBIGUOUS),
        ("tencent", "NobodyKnows.This", (Result.permanent, Stage.account)),
    ],
)
@pytest.mark.parametrize("status", [200, 400])
def test_a_refusal_means_what_its_code_means(
    dialect: str, code: str, expected: tuple[Result, Stage], status: int
) -> None:
    with sms_gateway(dialect) as gateway:
        gateway.answer_with(Answer(Act.code, code=code, status=status, text="不可以"), times=1)
        [outcome] = sent(dialect, gateway.port)
        assert proved(outcome) == expected
        assert outcome.enhanced == code
        assert outcome.text == f"{code}: 不可以"
        assert outcome.references == ()


@both
def test_a_code_in_an_answer_of_500_proves_nothing(dialect: str) -> None:
    with sms_gateway(dialect) as gateway:
        gateway.answer_with(Answer(Act.code, code="Throttling", status=500), times=1)
        [outcome] = sent(dialect, gateway.port)
        assert proved(outcome) == AMBIGUOUS


@both
def test_a_kept_connection_that_dies_under_the_request_leaves_it_open_what_became_of_it(
    dialect: str,
) -> None:
    with sms_gateway(dialect) as gateway:

        async def go() -> list[Outcome]:
            async with a_client(dialect, gateway.port) as client:
                first = await client.send(an_sms())
                gateway.answer_with(Answer(Act.drop_unread), times=1)
                second = await client.send(an_sms(a_text("李四")))
                return [first, second, await client.send(an_sms(a_text("王五")))]

        outcomes = asyncio.run(go())
        assert [each.result for each in outcomes] == [Result.accepted, Result.ambiguous, Result.accepted]
        assert len(gateway.taken) == 2


@both
def test_a_connection_that_was_closed_in_between_is_made_anew(dialect: str) -> None:
    with sms_gateway(dialect) as gateway:
        gateway.answer_with(Answer(Act.close_after), times=1)

        async def go() -> list[Outcome]:
            async with a_client(dialect, gateway.port) as client:
                first = await client.send(an_sms())
                await asyncio.sleep(0.1)
                return [first, await client.send(an_sms(a_text("李四")))]

        assert {each.result for each in asyncio.run(go())} == {Result.accepted}
        assert gateway.connections == 2


@both
def test_nobody_there_means_that_nothing_left(dialect: str) -> None:
    with sms_gateway(dialect) as gateway:
        port = gateway.port
    [outcome] = sent(dialect, port)
    assert proved(outcome) == (Result.not_sent, Stage.connect)
    assert outcome.safe_to_retry
    assert outcome.about_relay


def test_a_certificate_that_does_not_verify_means_that_nothing_left(tmp_path: Path) -> None:
    theirs, others = tmp_path / "theirs", tmp_path / "others"
    theirs.mkdir()
    others.mkdir()
    authority, other = make_authority(theirs), make_authority(others)
    with sms_gateway("aliyun", context=authority.server("127.0.0.1")) as gateway:
        trusting = sent("aliyun", gateway.port, tls=True, ca_file=authority.file)
        assert [(each.result, each.tls) for each in trusting] == [(Result.accepted, True)]
        [doubting] = sent("aliyun", gateway.port, tls=True, ca_file=other.file)
        assert proved(doubting) == (Result.not_sent, Stage.tls)
        [system] = sent("aliyun", gateway.port, tls=True)
        assert proved(system) == (Result.not_sent, Stage.tls)
    with sms_gateway("aliyun", context=authority.server("localhost")) as gateway:
        [named] = sent("aliyun", gateway.port, tls=True, ca_file=authority.file)
        assert proved(named) == (Result.not_sent, Stage.tls)
        assert not gateway.taken


def test_a_server_without_tls_gets_nothing() -> None:
    with sms_gateway("aliyun") as gateway:
        [outcome] = sent("aliyun", gateway.port, tls=True)
        assert proved(outcome) == (Result.not_sent, Stage.tls)
        assert not gateway.requests


@both
@pytest.mark.parametrize("yes", [0, 1])
def test_what_may_not_go_does_not_leave_this_machine(dialect: str, yes: int) -> None:
    """Also when the permission ends while the connection is made."""
    asked: list[bool] = []

    def may_go() -> bool:
        asked.append(len(asked) < yes)
        return asked[-1]

    with sms_gateway(dialect) as gateway:

        async def go() -> tuple[Outcome, Outcome]:
            async with a_client(dialect, gateway.port) as client:
                return await client.send(an_sms(), may_go=may_go), await client.send(an_sms())

        held, after = asyncio.run(go())
        assert held.held_back
        assert proved(held) == (Result.not_sent, Stage.connect)
        assert after.result is Result.accepted
        assert len(gateway.requests) == 1


@both
def test_the_permission_is_asked_when_the_connection_stands(dialect: str) -> None:
    connections: list[int] = []
    with sms_gateway(dialect) as gateway:

        def may_go() -> bool:
            connections.append(gateway.connections)
            return True

        async def go() -> Outcome:
            async with a_client(dialect, gateway.port) as client:
                await client.send(an_sms())
                return await client.send(an_sms(a_text("李四")), may_go=may_go)

        assert asyncio.run(go()).result is Result.accepted
        assert connections == [1, 1]


def test_neither_number_nor_secret_nor_name_is_in_an_outcome_or_a_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Alibaba Cloud shows what it would have signed: the query, which holds them all."""
    caplog.set_level(logging.INFO)
    with sms_gateway("aliyun") as gateway:
        [outcome] = sent("aliyun", gateway.port, secret="another-secret")
        assert gateway.refusals == ["SignatureDoesNotMatch"]
        said = repr(outcome) + caplog.text
        assert "string to sign" in outcome.text
        assert len(outcome.text) <= 500
    # %E5%BC%A0 is 张.
    for hidden in ("13900001234", "another-secret", NAME, CODE, "%E5%BC%A0"):
        assert hidden not in said
    assert proved(outcome) == (Result.permanent, Stage.account)


@both
@pytest.mark.parametrize("minutes", [-60, 60])
def test_a_clock_that_is_wrong_is_our_matter(dialect: str, minutes: int) -> None:
    with sms_gateway(dialect) as gateway:
        wrong = now() + timedelta(minutes=minutes)

        async def go() -> Outcome:
            async with a_client(dialect, gateway.port, at=lambda: wrong) as client:
                return await client.send(an_sms())

        assert proved(asyncio.run(go())) == (Result.permanent, Stage.account)
        assert not gateway.taken


@both
@pytest.mark.parametrize(
    "text",
    [
        "您好，本公司发生数据泄露。",
        a_text().removeprefix("【示例移动】"),
        a_text().replace("核验码", "验证码"),
        a_text(name="长" * 36),
        a_text() + "。",
        a_text(name="${code}"),
        a_text(name="{3}"),
    ],
)
def test_a_text_that_the_gateway_would_write_otherwise_is_not_sent(dialect: str, text: str) -> None:
    with sms_gateway(dialect) as gateway:
        with pytest.raises(BadMessage) as refused:
            sent(dialect, gateway.port, an_sms(text))
        assert refused.value.where == "template"
        assert NAME not in str(refused.value)
        assert "长" * 36 not in str(refused.value)
        assert not gateway.requests


def test_a_number_that_is_none_is_refused() -> None:
    with pytest.raises(BadAddress):
        a_gateway().number_of("13900001234")


def test_a_slow_trickle_of_an_answer_ends_with_the_whole_time() -> None:
    async def go() -> Outcome:
        async def trickle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
            while not writer.is_closing():
                writer.write(b" ")
                await asyncio.sleep(0.05)

        server = await asyncio.start_server(trickle, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        async with a_client("aliyun", port, timeouts=Timeouts(read=1, whole=0.4)) as client:
            outcome = await client.send(an_sms())
        server.close()
        return outcome

    assert proved(asyncio.run(go())) == AMBIGUOUS


@both
def test_a_gateway_that_takes_connections_and_says_nothing_in_tls_gets_nothing(dialect: str) -> None:
    async def go() -> Outcome:
        async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read()

        server = await asyncio.start_server(silent, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        async with a_client(dialect, port, tls=True, timeouts=Timeouts(connect=0.2)) as client:
            outcome = await client.send(an_sms())
        server.close()
        return outcome

    assert proved(asyncio.run(go())) == (Result.not_sent, Stage.tls)


@both
def test_no_proxy_of_the_environment_is_used(dialect: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with sms_gateway(dialect) as gateway:
        assert sent(dialect, gateway.port)[0].result is Result.accepted


def test_the_secret_is_in_no_repr() -> None:
    gateway = a_gateway()
    assert SECRET not in repr(gateway)
    assert KEY_ID in repr(gateway)
    assert dataclasses.replace(gateway, window=3).window == 3
    chosen = gateway.chosen_for(a_text())
    assert NAME not in repr(chosen)
