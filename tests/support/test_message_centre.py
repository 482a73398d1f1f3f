"""The message centre of the tests does what its options say; smpplib, which is not ours either, is the other side."""

from __future__ import annotations

import importlib
import socket
import ssl
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support.certificates import make_authority
from tests.support.message_centre import (
    ANSWERS,
    PASSWORD,
    SYSTEM_ID,
    Act,
    Answer,
    MessageCentre,
    Receipts,
    Status,
    centre,
    message_centre,
    refused,
)

smpplib = pytest.importorskip("smpplib", reason="the peers of benchmarks are installed by `make bench`")
for module in ("client", "consts", "exceptions", "gsm", "smpp"):
    importlib.import_module(f"smpplib.{module}")

__all__ = ["centre"]

NUMBER = "8613912345670"
CHINESE = "【示例公司】您好：我们发生了一起信息安全事件。您的以下信息可能已经泄露：姓名、手机号码。" * 3
ENGLISH = (
    "Dear Ada, this costs you {nothing} [really]. " + "We never ask for money, we never ask for codes. " * 7
)
"""Its escaped characters lie where smpplib does not cut, as it would cut an escape in two."""


@contextmanager
def connected(centre: MessageCentre, *, context: ssl.SSLContext | None = None) -> Iterator[Any]:
    """A client that is not bound yet."""
    client = smpplib.client.Client(
        "127.0.0.1", centre.port, timeout=20, ssl_context=context, allow_unknown_opt_params=True
    )
    client.connect()
    try:
        yield client
    finally:
        client.state = smpplib.consts.SMPP_CLIENT_STATE_OPEN
        client.disconnect()


@contextmanager
def bound(centre: MessageCentre) -> Iterator[Any]:
    with connected(centre) as client:
        client.bind_transceiver(system_id=SYSTEM_ID, password=PASSWORD)
        yield client


def send(client: Any, text: str, number: str = NUMBER, *, registered_delivery: int = 1) -> None:
    parts, coding, esm_class = smpplib.gsm.make_parts(text)
    for part in parts:
        client.send_message(
            source_addr_ton=smpplib.consts.SMPP_TON_ALNUM,
            source_addr="Example",
            dest_addr_ton=smpplib.consts.SMPP_TON_INTL,
            dest_addr_npi=smpplib.consts.SMPP_NPI_ISDN,
            destination_addr=number,
            short_message=part,
            data_coding=coding,
            esm_class=esm_class,
            registered_delivery=registered_delivery,
        )


def status_of(client: Any, text: str, number: str = NUMBER) -> int:
    """The status of the answer to a text of one part."""
    send(client, text, number, registered_delivery=0)
    return int(client.read_pdu().status)


@pytest.mark.parametrize(("text", "parts"), [(CHINESE, 2), (ENGLISH, 3), ("您好", 1), ("Hello", 1)])
def test_a_text_arrives_as_it_was_however_many_parts_it_has(
    centre: MessageCentre, text: str, parts: int
) -> None:
    with bound(centre) as client:
        send(client, text)
        ids = {client.read_pdu().message_id for _ in range(parts)}
    assert centre.texts() == {NUMBER: [text]}
    taken = centre.taken()
    assert {message.message_id.encode() for message in taken} == ids
    assert {message.source for message in taken} == {"Example"}
    assert {message.registered_delivery for message in taken} == {1}
    assert len(taken) == parts == len(ids)


def test_a_number_gets_the_answer_of_its_ending(centre: MessageCentre) -> None:
    with bound(centre) as client:
        assert status_of(client, "no such number", "86139000013") == Status.INVALID_DESTINATION
        answers = [status_of(client, "too fast at first", "86139000058") for _ in range(3)]
        assert answers == [Status.THROTTLED, Status.THROTTLED, Status.OK]
        send(client, "never answered", "86139000100")
        assert status_of(client, "answered", "86139000001") == Status.OK
    assert centre.copies() == {"86139000058": 1, "86139000100": 1, "86139000001": 1}
    assert [event["status"] for event in centre.events("refused")] == [
        Status.INVALID_DESTINATION,
        Status.THROTTLED,
        Status.THROTTLED,
    ]


@pytest.mark.parametrize(("number", "copies"), [("86139000098", 1), ("86139000099", 2)])
def test_whoever_is_cut_off_cannot_know_whether_it_was_taken(
    centre: MessageCentre, number: str, copies: int
) -> None:
    with bound(centre) as client:
        send(client, "cut off", number)
        with pytest.raises(smpplib.exceptions.ConnectionError):
            client.read_pdu()
    with bound(centre) as client:
        assert status_of(client, "once more", number) == Status.OK
    assert centre.copies() == {number: copies}


@pytest.mark.parametrize(
    ("who", "word", "status"),
    [("somebody", PASSWORD, Status.INVALID_SYSTEM_ID), (SYSTEM_ID, "guess", Status.INVALID_PASSWORD)],
)
def test_a_bind_with_other_credentials_is_refused(
    centre: MessageCentre, who: str, word: str, status: int
) -> None:
    with connected(centre) as client:
        with pytest.raises(smpplib.exceptions.PDUError) as refusal:
            client.bind_transceiver(system_id=who, password=word)
        assert refusal.value.args[1] == status
    assert [event["status"] for event in centre.events("bind")] == [status]


@pytest.mark.parametrize("upper_case", [False, True])
def test_a_receipt_in_words_has_the_form_of_appendix_b(upper_case: bool) -> None:
    receipts = Receipts(by_ending={"45": "UNDELIV"}, upper_case=upper_case)
    with message_centre(receipts=receipts) as running, bound(running) as client:
        send(client, "Hello", "86139000045")
        message_id = client.read_pdu().message_id.decode()
        receipt = client.read_pdu()
    assert receipt.command == "deliver_sm"
    assert receipt.esm_class == 0x04
    assert receipt.source_addr == b"86139000045"
    text = receipt.short_message.decode()
    first, state = ("ID", "STAT:UNDELIV") if upper_case else ("id", "stat:UNDELIV")
    assert text.startswith(f"{first}:{message_id} ")
    assert state in text.split(" ")


def test_a_receipt_in_parameters_has_no_words_and_may_have_the_id_in_decimal() -> None:
    receipts = Receipts(shape="tlv", id_in="decimal")
    with message_centre(receipts=receipts) as running, bound(running) as client:
        send(client, "Hello")
        message_id = client.read_pdu().message_id.decode()
        receipt = client.read_pdu()
    assert not receipt.short_message
    assert int(receipt.receipted_message_id.rstrip(b"\0")) == int(message_id, 16)
    assert receipt.message_state == 2


def test_a_receipt_comes_to_whom_asks_for_it_only() -> None:
    with message_centre(receipts=Receipts()) as running:
        with bound(running) as client:
            send(client, "without", registered_delivery=0)
            send(client, "with", registered_delivery=1)
            client.set_message_received_handler(lambda pdu: None)
            client.set_message_sent_handler(lambda pdu: None)
            for _ in range(3):
                client.read_once()
            [told] = running.await_events("receipted", 1)
        assert told["message_id"] == running.taken()[1].message_id
        assert told["status"] == Status.OK


def test_a_receipt_waits_for_somebody_who_can_receive() -> None:
    with message_centre(receipts=Receipts(delay_ms=50)) as running:
        with bound(running) as client:
            send(client, "Hello")
            client.read_pdu()
        with bound(running) as client:
            assert client.read_pdu().command == "deliver_sm"


def test_a_receipt_may_come_before_the_answer() -> None:
    receipts = Receipts(before_answer=True)
    with message_centre(receipts=receipts, delay_ms=20) as running, bound(running) as client:
        send(client, "Hello")
        assert [client.read_pdu().command for _ in range(2)] == ["deliver_sm", "submit_sm_resp"]


def test_whoever_sends_faster_than_the_centre_allows_is_throttled() -> None:
    with message_centre(most_a_second=3) as running, bound(running) as client:
        for _ in range(5):
            send(client, "Hello")
        statuses = [client.read_pdu().status for _ in range(5)]
    # The others may have come in the next second on a slow machine.
    assert statuses[:3] == [Status.OK] * 3
    assert set(statuses[3:]) <= {Status.OK, Status.THROTTLED}


def test_the_centre_unbinds_after_so_many_messages_and_takes_no_more_in_that_session() -> None:
    with message_centre(unbind_after=2) as running, bound(running) as client:
        for _ in range(3):
            send(client, "Hello")
        said = [client.read_pdu() for _ in range(4)]
        assert [(pdu.command, pdu.status) for pdu in said] == [
            ("submit_sm_resp", Status.OK),
            ("submit_sm_resp", Status.OK),
            ("unbind", Status.OK),
            ("submit_sm_resp", Status.NOT_BOUND),
        ]
        assert running.copies() == {NUMBER: 2}


def test_enquire_link_is_answered_unless_the_centre_is_to_be_silent() -> None:
    with message_centre() as running, bound(running) as client:
        client.send_pdu(smpplib.smpp.make_pdu("enquire_link", client=client))
        assert client.read_pdu().command == "enquire_link_resp"
        running.change(silent_links=True)
        client.send_pdu(smpplib.smpp.make_pdu("enquire_link", client=client))
        assert status_of(client, "answered, and the one before it not") == Status.OK
        assert len(running.events("enquire_link")) == 2


def test_the_centre_asks_by_itself_whether_the_other_side_lives() -> None:
    with message_centre(enquires_ms=20) as running, bound(running) as client:
        client.read_once()
        running.await_events("link_answered", 1)


def test_options_change_while_it_runs_and_connections_can_be_cut(centre: MessageCentre) -> None:
    with bound(centre) as client:
        centre.change(answers={"0": refused(Status.QUEUE_FULL, times=1)})
        assert status_of(client, "full") == Status.QUEUE_FULL
        centre.drop_all()
        with pytest.raises(smpplib.exceptions.ConnectionError):
            client.read_pdu()
    assert centre.taken() == []


def test_over_tls_it_shows_the_certificate_that_it_was_given(tmp_path: Path) -> None:
    authority = make_authority(tmp_path)
    pem = authority.server_file("127.0.0.1")
    context = ssl.create_default_context(cafile=authority.file)
    with (
        message_centre(pem=str(pem)) as running,
        socket.create_connection(("127.0.0.1", running.port), timeout=20) as plain,
        context.wrap_socket(plain, server_hostname="127.0.0.1") as wire,
    ):
        wire.sendall(struct.pack(">IIII", 16, 0x15, 0, 7))
        assert wire.recv(16) == struct.pack(">IIII", 16, 0x80000015, 0, 7)


def test_an_answer_for_a_number_may_hold_always(centre: MessageCentre) -> None:
    centre.change(answers={"7": Answer(Act.REFUSE, Status.SUBMIT_FAILED)})
    with bound(centre) as client:
        answers = [status_of(client, "Hello", "861390000007") for _ in range(3)]
    assert answers == [Status.SUBMIT_FAILED] * 3
    assert ANSWERS.keys().isdisjoint({"7"})
