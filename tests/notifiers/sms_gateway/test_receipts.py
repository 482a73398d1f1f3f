"""Asking a gateway what became of a message, and reading what it posts."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifiers.errors import BadMessage, Unanswered
from notifiers.outcome import Outcome, Result
from notifiers.sms.receipt import MessageState, SmsReceipt
from notifiers.sms_gateway.client import SentSms
from notifiers.sms_gateway.definition import GatewayDefinition, definition_of
from notifiers.sms_gateway.replies import pushed_receipts
from tests.support.sms_gateway.account import Fate
from tests.support.sms_gateway.sending import (
    DIALECTS,
    NUMBER,
    a_client,
    a_text,
    an_sms,
    document_of,
    now,
    sent,
    shipped,
)
from tests.support.sms_gateway.server import Act, Answer, SmsGateway, sms_gateway

both = pytest.mark.parametrize("dialect", DIALECTS)


def receipts(
    dialect: str, gateway: SmsGateway, *asked: SentSms, at: datetime | None = None
) -> list[SmsReceipt]:
    async def go() -> list[SmsReceipt]:
        async with a_client(dialect, gateway.port, at=lambda: at or now()) as client:
            return [receipt for each in asked for receipt in await client.receipts_of(each)]

    return asyncio.run(go())


def a_sent(outcome: Outcome, own_id: str = "a1b2c3") -> SentSms:
    return SentSms(NUMBER, now(), outcome.references[0], own_id)


@both
@pytest.mark.parametrize(
    ("fate", "state"),
    [(Fate.delivered, MessageState.delivered), (Fate.failed, MessageState.undeliverable)],
)
def test_the_gateway_tells_what_became_of_one_message(dialect: str, fate: Fate, state: MessageState) -> None:
    with sms_gateway(dialect) as gateway:
        gateway.settle(fate)
        outcomes = sent(dialect, gateway.port, an_sms(), an_sms(a_text("李四"), own_id="another"))
        [receipt] = receipts(dialect, gateway, a_sent(outcomes[0]))
    assert receipt.state is state
    assert receipt.message_id == outcomes[0].references[0]
    assert receipt.own_id == "a1b2c3"
    assert receipt.number == NUMBER.removeprefix("+")
    assert (receipt.error is None) is (fate is Fate.delivered)
    assert receipt.done_at is not None


@both
def test_what_became_of_a_message_whose_answer_was_lost_is_found_by_our_own_id(dialect: str) -> None:
    with sms_gateway(dialect) as gateway:
        gateway.answer_with(Answer(Act.drop, taken=True), times=1)
        [lost, _] = sent(dialect, gateway.port, an_sms(), an_sms(a_text("李四"), own_id="another"))
        assert lost.result is Result.ambiguous
        [receipt] = receipts(dialect, gateway, SentSms(NUMBER, now(), own_id="a1b2c3"))
        assert (receipt.own_id, receipt.state) == ("a1b2c3", MessageState.delivered)


@both
def test_a_message_that_never_came_has_no_receipt(dialect: str) -> None:
    with sms_gateway(dialect) as gateway:
        gateway.answer_with(Answer(Act.drop), times=1)
        sent(dialect, gateway.port, an_sms(), an_sms(a_text("李四"), own_id="another"))
        assert receipts(dialect, gateway, SentSms(NUMBER, now(), own_id="a1b2c3")) == []


def test_a_message_of_somebody_else_with_the_same_account_is_not_taken_for_ours() -> None:
    """Alibaba Cloud always gives our id back: what has none is not ours."""
    with sms_gateway("aliyun") as gateway:
        sent("aliyun", gateway.port, an_sms(own_id=""))
        assert receipts("aliyun", gateway, SentSms(NUMBER, now(), own_id="a1b2c3")) == []


def test_where_the_provider_keeps_our_id_back_a_receipt_says_neither_yes_nor_no() -> None:
    """Tencent Cloud switches the session context on for an account: until then the caller has to judge."""
    with sms_gateway("tencent", session_in_receipts=False) as gateway:
        [outcome] = sent("tencent", gateway.port)
        [unnamed] = receipts("tencent", gateway, SentSms(NUMBER, now(), own_id="a1b2c3"))
        assert (unnamed.own_id, unnamed.message_id) == ("", outcome.references[0])
        [by_reference] = receipts("tencent", gateway, a_sent(outcome))
        assert by_reference.message_id == outcome.references[0]
        other = dataclasses.replace(a_sent(outcome), reference="5000:another")
        assert receipts("tencent", gateway, other) == []


def test_a_message_that_is_under_way_is_told_so_where_the_provider_does() -> None:
    for dialect, expected in (("aliyun", [MessageState.enroute]), ("tencent", [])):
        with sms_gateway(dialect) as gateway:
            gateway.settle(Fate.waiting)
            [outcome] = sent(dialect, gateway.port)
            assert [each.state for each in receipts(dialect, gateway, a_sent(outcome))] == expected


def test_pages_are_read_to_the_last() -> None:
    # 3 a day are more than enough for a test of pages of one.
    document = document_of("aliyun")
    document["receipt"]["page_size"] = 1
    document["receipt"]["fields"]["PageSize"]["constant"] = 1
    with sms_gateway("aliyun") as gateway:
        sent("aliyun", gateway.port, *[an_sms(a_text(name), own_id=name) for name in "甲乙丙"])

        async def go() -> list[SmsReceipt]:
            definition = definition_of(document)
            async with a_client("aliyun", gateway.port, definition=definition) as client:
                return await client.receipts_of(SentSms(NUMBER, now(), own_id="丙"))

        assert [each.own_id for each in asyncio.run(go())] == ["丙"]


def test_a_message_around_midnight_is_sought_on_both_days() -> None:
    """The provider files it under its own time, which is China's."""
    taken_at = datetime(2026, 12, 1, 16, 0, 2, tzinfo=UTC)  # 00:00:02 on the 2nd
    meant_at = taken_at - timedelta(seconds=5)
    with sms_gateway("aliyun", clock=taken_at.timestamp) as gateway:

        async def go() -> list[SmsReceipt]:
            async with a_client("aliyun", gateway.port, at=lambda: meant_at) as client:
                await client.send(an_sms())
                return await client.receipts_of(SentSms(NUMBER, meant_at, own_id="a1b2c3"))

        assert len(asyncio.run(go())) == 1
        days = [dict(each.parameters)["SendDate"] for each in gateway.requests[1:]]
        assert days == ["20261201", "20261202"]


@both
def test_what_the_provider_has_forgotten_is_not_asked(dialect: str) -> None:
    with sms_gateway(dialect) as gateway:
        old = SentSms(NUMBER, now() - timedelta(days=40), own_id="a1b2c3")
        assert receipts(dialect, gateway, old) == []
        assert not gateway.requests


@both
@pytest.mark.parametrize(
    "answer",
    [
        Answer(Act.drop),
        Answer(Act.html),
        Answer(Act.status, status=500),
        Answer(Act.code, code="Throttling.User", text="慢一点"),
        Answer(Act.truncated),
    ],
)
def test_no_answer_is_no_receipt_but_an_error(dialect: str, answer: Answer) -> None:
    with sms_gateway(dialect) as gateway:
        sent(dialect, gateway.port)
        gateway.answer_with(answer, action="receipt")
        with pytest.raises(Unanswered) as silent:
            receipts(dialect, gateway, SentSms(NUMBER, now(), own_id="a1b2c3"))
        assert silent.value.code == answer.code
        assert "13900001234" not in str(silent.value)


@both
def test_what_the_gateway_posts_is_read_and_answered_as_it_wants(dialect: str) -> None:
    definition = shipped(dialect)
    with sms_gateway(dialect) as gateway, desk(definition) as posted:
        gateway.settle(Fate.failed, ending="77")
        messages = [an_sms(number="+8613900001234"), an_sms(number="+8613900000077", own_id="z")]
        outcomes = sent(dialect, gateway.port, *messages)
        assert gateway.push(posted.url)
        [body] = posted.bodies
    found = pushed_receipts(definition, body)
    assert [each.state for each in found] == [MessageState.delivered, MessageState.undeliverable]
    assert [each.number for each in found] == ["8613900001234", "8613900000077"]
    assert [each.message_id for each in found] == [each.references[0] for each in outcomes]
    assert [each.own_id for each in found] == (["a1b2c3", "z"] if dialect == "aliyun" else ["", ""])
    assert found[0].error is None
    assert found[1].error in ("MOBILE_NOT_ON_SERVICE", "UNDELIV")


def test_the_shape_of_a_push_as_alibaba_clouds_documentation_shows_it() -> None:
    body = """[{"phone_number": "13811110000", "send_time": "2017-01-01 00:00:00", "report_time":
        "2017-01-01 00:00:01", "success": true, "err_code": "DELIVERED", "err_msg": "用户接收成功",
        "sms_size": "1", "biz_id": "12345", "out_id": "67890"}]"""
    [receipt] = pushed_receipts(shipped("aliyun"), body.encode())
    assert receipt.number == "8613811110000"
    assert (receipt.message_id, receipt.own_id) == ("12345", "67890")
    assert (receipt.state, receipt.done_at) == (MessageState.delivered, "2017-01-01 00:00:01")


def test_the_shape_of_a_push_as_tencent_clouds_documentation_shows_it() -> None:
    body = """[{"user_receive_time": "2015-10-17 08:03:04", "nationcode": "86", "mobile": "13811110000",
        "report_status": "SUCCESS", "errmsg": "DELIVRD", "description": "用户短信送达成功", "sid": "xxx"}]"""
    [receipt] = pushed_receipts(shipped("tencent"), body.encode())
    assert (receipt.number, receipt.message_id) == ("8613811110000", "xxx")
    assert receipt.state is MessageState.delivered


def test_a_word_that_nobody_knows_is_an_unknown_state_and_is_kept() -> None:
    body = json.dumps([{"phone_number": "13811110000", "success": "perhaps", "biz_id": "1", "out_id": "a"}])
    [receipt] = pushed_receipts(shipped("aliyun"), body.encode())
    assert (receipt.state, receipt.error) == (MessageState.unknown, "perhaps")


@pytest.mark.parametrize("body", [b"", b"{}", b'"x"', b"null", b"\xff", b"[" * 100_000])
def test_a_body_that_is_no_list_of_receipts_is_refused(body: bytes) -> None:
    for dialect in DIALECTS:
        with pytest.raises(BadMessage):
            pushed_receipts(shipped(dialect), body)


def test_a_gateway_that_pushes_nothing_has_nothing_to_read() -> None:
    quiet = shipped("aliyun").model_copy(update={"pushed": None})
    with pytest.raises(BadMessage):
        pushed_receipts(quiet, b"[]")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["phone_number", "success", "biz_id", "sid", "mobile", "nationcode", "x"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=10,
)


@given(st.lists(JSON, max_size=4))
def test_anything_that_is_posted_is_read_or_refused(document: list[object]) -> None:
    for dialect in DIALECTS:
        for receipt in pushed_receipts(shipped(dialect), json.dumps(document).encode()):
            assert receipt.message_id or receipt.own_id
            assert receipt.number == "" or receipt.number.isdigit()


class Desk:
    def __init__(self) -> None:
        self.url = ""
        self.bodies: list[bytes] = []


@contextmanager
def desk(definition: GatewayDefinition) -> Iterator[Desk]:
    """Somebody who takes what the gateway posts, and answers as the definition says."""
    open_desk = Desk()
    assert definition.pushed is not None
    answer = json.dumps(dict(definition.pushed.answer)).encode()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            open_desk.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    open_desk.url = f"http://127.0.0.1:{server.server_address[1]}/receipts"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield open_desk
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
