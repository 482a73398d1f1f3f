"""What gateways post of messages that they took: kept before it is answered, and nothing for who has no token."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from sqlmodel import select

from incident.delivery.sms_parts import take_sms_receipts
from incident.errors import BadInput
from incident.server.receipts import SHORTEST_TOKEN, receipt_routes
from incident.server.running import hooks_server, listen
from incident.settings import resolve_secret
from incident.store.tables import Receipt
from notifiers.sms.receipt import MessageState, SmsReceipt
from tests.support.breaches import Breach
from tests.support.gateway_sendings import gateway_at_hand, gateway_breach
from tests.support.postgres import PostgresServer
from tests.support.sms_gateway.account import Fate
from tests.support.sms_gateway.server import Act, Answer, SmsGateway
from tests.support.sms_sendings import by_sms_only, number

TOKEN = "a" * SHORTEST_TOKEN


def token_in(tmp_path: Path, token: str = TOKEN) -> dict[str, str]:
    file = tmp_path / "token"
    file.write_text(token, encoding="utf-8")
    return {"receipts_token": f"file:{file}"}


@contextmanager
def served(breach: Breach) -> Iterator[str]:
    """The address that receipts are posted to, without the token."""
    server = hooks_server(
        breach.house, {}, resolve_secret, log_level="error", receipts=receipt_routes(breach.house)
    )
    listener = listen("127.0.0.1", 0)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/receipts/sms/"
    finally:
        server.should_exit = True
        thread.join(timeout=10)
        listener.close()


@contextmanager
def told(
    tmp_path: Path, dialect: str = "aliyun", *, people: int = 3, on: PostgresServer | None = None
) -> Iterator[tuple[Breach, SmsGateway, str]]:
    """A sending whose messages the gateway took, and where it may post."""
    with gateway_at_hand(dialect) as gateway:
        breach = gateway_breach(
            tmp_path,
            by_sms_only(people),
            gateway_port=gateway.port,
            dialect=dialect,
            gateway=token_in(tmp_path),
            on=on,
        )
        breach.work()
        with served(breach) as url:
            yield breach, gateway, url


def kept(breach: Breach) -> list[Receipt]:
    with breach.made.store.read() as session:
        return list(session.exec(select(Receipt)).all())


@pytest.mark.parametrize("dialect", ["aliyun", "tencent"])
def test_what_a_gateway_posts_counts_once_however_often_it_comes(tmp_path: Path, dialect: str) -> None:
    with told(tmp_path, dialect) as (breach, gateway, url):
        gateway.settle(Fate.failed, ending="21")
        assert gateway.push(url + TOKEN) and gateway.push(url + TOKEN)
        account = breach.account()
        assert (account.delivered, account.returned) == (2, 1)
        assert len(kept(breach)) == 3


def test_a_receipt_that_is_posted_settles_a_lost_answer(tmp_path: Path) -> None:
    with gateway_at_hand() as gateway:
        gateway.answer_with(Answer(Act.drop, taken=True), times=1)
        breach = gateway_breach(
            tmp_path, by_sms_only(1), gateway_port=gateway.port, gateway=token_in(tmp_path)
        )
        breach.work(until=lambda: breach.account().doubled_at_most == 1)
        assert breach.account().in_progress == 1
        with served(breach) as url:
            assert gateway.push(url + TOKEN)
        assert (breach.account().accepted, breach.account().delivered) == (1, 1)
        assert len(gateway.taken) == 1


@pytest.mark.parametrize("token", ["", "b" * SHORTEST_TOKEN, TOKEN[:-1], TOKEN + "a", "%00", "é"])
def test_without_the_token_nothing_is_taken(tmp_path: Path, token: str) -> None:
    with told(tmp_path, people=1) as (breach, gateway, url):
        answer = httpx.post(url + token, content=pushed_by(gateway))
        assert answer.status_code == 404
        assert kept(breach) == []


def pushed_by(gateway: SmsGateway) -> bytes:
    [message] = gateway.taken
    return json.dumps(
        [
            {
                "phone_number": message.number.removeprefix("86"),
                "success": False,
                "biz_id": message.reference,
                "out_id": message.own_id,
                "report_time": "2026-11-23 17:00:00",
            }
        ]
    ).encode()


def test_a_receipt_that_names_another_number_changes_nothing(tmp_path: Path) -> None:
    with told(tmp_path, people=1) as (breach, gateway, url):
        [record] = json.loads(pushed_by(gateway))
        forged = json.dumps([{**record, "phone_number": "13900000000"}]).encode()
        assert httpx.post(url + TOKEN, content=forged).status_code == 200
        assert kept(breach) == []


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"{}", b"null", b"[" * 100_000, b"\xff\xfe", b'{"phone_number": NaN}', b'"text"'],
    ids=["nothing", "cut off", "no list", "null", "deep", "no text", "not a number", "a string"],
)
def test_what_is_no_receipt_is_refused_and_the_next_one_counts(tmp_path: Path, body: bytes) -> None:
    with told(tmp_path, people=1) as (breach, gateway, url):
        assert httpx.post(url + TOKEN, content=body).status_code == 400
        assert httpx.post(url + TOKEN, content=pushed_by(gateway)).status_code == 200
        assert len(kept(breach)) == 1


def test_odd_records_among_receipts_are_passed_over(tmp_path: Path) -> None:
    with told(tmp_path, people=1) as (breach, gateway, url):
        [record] = json.loads(pushed_by(gateway))
        odd = [
            None,
            [],
            7,
            {},
            {"out_id": "no/such"},
            {"out_id": "x/9999999999999", "phone_number": "1"},
            record,
        ]
        assert httpx.post(url + TOKEN, content=json.dumps(odd).encode()).status_code == 200
        assert len(kept(breach)) == 1


def test_a_body_that_is_too_large_is_refused(tmp_path: Path) -> None:
    with told(tmp_path, people=1) as (_, _, url):
        assert httpx.post(url + TOKEN, content=b" " * (1024 * 1024 + 1)).status_code == 413


def test_without_a_token_in_the_settings_there_is_nowhere_to_post(tmp_path: Path) -> None:
    with gateway_at_hand() as gateway:
        breach = gateway_breach(tmp_path, by_sms_only(1), gateway_port=gateway.port)
        assert receipt_routes(breach.house) == []
        with served(breach) as url:
            assert httpx.post(url + TOKEN, content=b"[]").status_code == 404


@pytest.mark.parametrize("token", ["short", "a" * (SHORTEST_TOKEN - 1), "a/" * SHORTEST_TOKEN])
def test_a_token_that_can_be_guessed_or_is_no_part_of_a_path_is_refused(tmp_path: Path, token: str) -> None:
    with gateway_at_hand() as gateway:
        breach = gateway_breach(
            tmp_path, by_sms_only(1), gateway_port=gateway.port, gateway=token_in(tmp_path, token)
        )
        with pytest.raises(BadInput) as raised:
            receipt_routes(breach.house)
    assert raised.value.where == "sms.gateway.receipts_token"
    assert token not in str(raised.value)


def test_what_cannot_be_written_is_asked_for_again(tmp_path: Path, own_postgres: PostgresServer) -> None:
    with told(tmp_path, people=1, on=own_postgres) as (breach, gateway, url):
        own_postgres.stop()
        answer = httpx.post(url + TOKEN, content=pushed_by(gateway), timeout=60)
        assert answer.status_code == 503 and answer.headers["retry-after"]
        own_postgres.start()
        assert kept(breach) == []
        assert gateway.push(url + TOKEN)
        assert len(kept(breach)) == 1


@pytest.mark.parametrize("theirs", [{}, {"out_id": ""}, {"out_id": "order-77"}, {"out_id": "no-such/1"}])
def test_a_message_that_somebody_else_sent_over_the_account_settles_no_doubt_of_ours(
    tmp_path: Path, theirs: dict[str, str]
) -> None:
    with gateway_at_hand() as gateway:
        gateway.answer_with(Answer(Act.drop), times=1)
        breach = gateway_breach(
            tmp_path, by_sms_only(1), gateway_port=gateway.port, gateway=token_in(tmp_path)
        )
        breach.work(until=lambda: breach.account().doubled_at_most == 1)
        password = {
            "phone_number": number(20).removeprefix("+86"),
            "success": True,
            "biz_id": "900",
            **theirs,
        }
        with served(breach) as url:
            assert httpx.post(url + TOKEN, content=json.dumps([password]).encode()).status_code == 200
    assert kept(breach) == []
    assert breach.account().in_progress == 1


def test_a_receipt_of_another_carrier_settles_no_doubt_about_the_one_before(tmp_path: Path) -> None:
    with gateway_at_hand("tencent") as gateway:
        gateway.answer_with(Answer(Act.drop), times=1)
        breach = gateway_breach(tmp_path, by_sms_only(1), gateway_port=gateway.port, dialect="tencent")
        breach.work(until=lambda: breach.account().doubled_at_most == 1)
    said = SmsReceipt(
        message_id="900",
        state=MessageState.delivered,
        error=None,
        done_at=None,
        number=number(20).removeprefix("+"),
        raw_text="",
    )
    for centre, found in (("sms.elsewhere.example:443", False), (f"127.0.0.1:{gateway.port}", True)):
        taken = take_sms_receipts(
            breach.house.store,
            [said],
            centre=centre,
            now=breach.made.clock(),
            go_on=lambda change, delivery_ids: None,
        )
        assert taken == [found]


_LONG = "".join(hashlib.sha256(str(at).encode()).hexdigest() for at in range(200))


@pytest.mark.parametrize(
    ("field", "word"),
    [("err_code", "\ud800"), ("biz_id", "\ud800"), ("biz_id", "\0"), ("biz_id", _LONG), ("out_id", "\0")],
    ids=["half a character", "half a character as id", "zero", "long", "zero as our id"],
)
def test_words_that_no_database_holds_keep_no_receipt_from_being_taken(
    tmp_path: Path, field: str, word: str, store_on: PostgresServer | None
) -> None:
    with told(tmp_path, people=1, on=store_on) as (breach, gateway, url):
        [record] = json.loads(pushed_by(gateway))
        odd = json.dumps([{**record, field: word}]).encode()
        assert httpx.post(url + TOKEN, content=odd).status_code == 200
        assert len(kept(breach)) == 1
