"""Receipts in the shapes that centres send, and what is none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifiers.smpp.pdu import DeliverSm, Tag, Tlv
from notifiers.smpp.receipts import (
    id_forms,
    is_marked_receipt,
    receipt_of,
    same_id,
)
from notifiers.sms.receipt import MessageState, SmsReceipt

APPENDIX_B = "id:1234567890 sub:001 dlvrd:001 submit date:2611302201 done date:2611302205 stat:DELIVRD err:000 text:Hello"
RECEIPT = 0x04
NUMBER = "8613912345678"


def a_deliver(text: str | bytes, *tlvs: Tlv, esm_class: int = RECEIPT, data_coding: int = 0) -> DeliverSm:
    octets = text.encode("latin-1") if isinstance(text, str) else text
    return DeliverSm(
        source=NUMBER, esm_class=esm_class, data_coding=data_coding, short_message=octets, tlvs=tlvs
    )


def read(text: str | bytes, *tlvs: Tlv, esm_class: int = RECEIPT, data_coding: int = 0) -> SmsReceipt:
    receipt = receipt_of(a_deliver(text, *tlvs, esm_class=esm_class, data_coding=data_coding))
    assert receipt is not None
    return receipt


def test_the_receipt_of_the_standard_is_read() -> None:
    assert read(APPENDIX_B) == SmsReceipt(
        "1234567890", MessageState.delivered, None, "2611302205", NUMBER, APPENDIX_B
    )


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("id:7 stat:DELIVRD", ("7", MessageState.delivered, None, None)),
        ("ID:7 SUB:001 DLVRD:000 STAT:UNDELIV ERR:001", ("7", MessageState.undeliverable, "001", None)),
        ("id: 7 stat: delivrd err: 0", ("7", MessageState.delivered, None, None)),
        ("id:7 stat:DELIVERED err:000", ("7", MessageState.delivered, None, None)),
        ("id:7 stat:Undeliverable", ("7", MessageState.undeliverable, None, None)),
        ("id:7 stat:EXPIRED err:0x21", ("7", MessageState.expired, "0x21", None)),
        ("id:7 stat:REJECTD err:00B", ("7", MessageState.rejected, "00B", None)),
        ("id:7 stat:ENROUTE", ("7", MessageState.enroute, None, None)),
        ("id:7 stat:ACCEPTD", ("7", MessageState.accepted, None, None)),
        ("id:7 stat:DELETED", ("7", MessageState.deleted, None, None)),
        ("id:7 stat:UNKNOWN", ("7", MessageState.unknown, None, None)),
        (
            "stat:DELIVRD err:000 id:7 done date:261130220501",
            ("7", MessageState.delivered, None, "261130220501"),
        ),
        ("id:7 done_date:2611302205 stat:EXPIRED", ("7", MessageState.expired, None, "2611302205")),
        ("id:7 donedate:2611302205 status:EXPIRED error:5", ("7", MessageState.expired, "5", "2611302205")),
        (
            "id:7,sub:1,dlvrd:1,done date:2611302205,stat:DELIVRD",
            ("7", MessageState.delivered, None, "2611302205"),
        ),
        ("id:7 smsc:3 stat:DELIVRD mccmnc:46000 err:000 text:", ("7", MessageState.delivered, None, None)),
        ("id:7 stat:MK:0012 err:000", ("7", MessageState.unknown, "MK:0012", None)),
        ("id:7 stat:ID:0076", ("7", MessageState.unknown, "ID:0076", None)),
        ("id:7\r\nstat:DELIVRD\r\nerr:000", ("7", MessageState.delivered, None, None)),
        ("id:a-b-c", ("a-b-c", MessageState.unknown, None, None)),
        ("id:7 stat:DELIVRD text:id:8 stat:UNDELIV err:9", ("7", MessageState.delivered, None, None)),
        ("text:hello id:7 stat:DELIVRD", ("7", MessageState.delivered, None, None)),
    ],
)
def test_receipts_with_a_way_of_their_own_are_read(
    text: str, told: tuple[str, MessageState, str | None, str | None]
) -> None:
    receipt = read(text)
    assert (receipt.message_id, receipt.state, receipt.error, receipt.done_at) == told


@pytest.mark.parametrize("esm_class", [0x04, 0x08, 0x20, 0x44])
def test_a_receipt_is_known_by_its_class(esm_class: int) -> None:
    text = b"\x05\x00\x03\x07\x02\x01" * bool(esm_class & 0x40) + b"id:7 stat:DELIVRD"
    assert read(text, esm_class=esm_class).message_id == "7"


def test_a_receipt_that_is_not_marked_is_known_by_its_shape_or_its_parameter() -> None:
    assert read(APPENDIX_B, esm_class=0).message_id == "1234567890"
    assert read("", Tlv(Tag.receipted_message_id, b"7\0"), esm_class=0).message_id == "7"


@pytest.mark.parametrize(
    "text", ["Thank you", "id:7", "id:7 stat:DELIVRD", "my id:7 done date:1 stat:DELIVRD", "", "text: stat:"]
)
def test_what_a_person_writes_is_no_receipt(text: str) -> None:
    assert receipt_of(a_deliver(text, esm_class=0)) is None


def test_a_receipt_of_no_message_is_none_and_still_no_persons_message() -> None:
    nameless = a_deliver("stat:DELIVRD err:000")
    assert receipt_of(nameless) is None
    assert is_marked_receipt(nameless) and not is_marked_receipt(a_deliver("hi", esm_class=0x40))


@pytest.mark.parametrize("octets", [APPENDIX_B.encode("utf-16-be"), APPENDIX_B.encode()])
def test_a_receipt_may_come_as_ucs_2_or_only_say_so(octets: bytes) -> None:
    receipt = read(octets, data_coding=8)
    assert (receipt.message_id, receipt.raw_text) == ("1234567890", APPENDIX_B)


def test_a_receipt_may_stand_in_the_payload() -> None:
    assert read("", Tlv(Tag.message_payload, APPENDIX_B.encode())).state is MessageState.delivered


def test_a_receipt_may_be_parameters_alone() -> None:
    receipt = read(
        "",
        Tlv(Tag.receipted_message_id, b"00000a1b\0"),
        Tlv(Tag.message_state, b"\5"),
        Tlv(Tag.network_error_code, b"\3\0\x11"),
    )
    assert receipt == SmsReceipt("00000a1b", MessageState.undeliverable, "3:17", None, NUMBER, "")


def test_parameters_count_before_the_text() -> None:
    receipt = read(
        APPENDIX_B,
        Tlv(Tag.receipted_message_id, b"499602D2"),
        Tlv(Tag.message_state, b"\3"),
        Tlv(Tag.network_error_code, b"\3\0\1"),
    )
    assert (receipt.message_id, receipt.state, receipt.error) == ("499602D2", MessageState.expired, "3:1")


@pytest.mark.parametrize("value", [b"", b"\x0a", b"\2\2"])
def test_a_state_that_no_standard_has_leaves_the_text(value: bytes) -> None:
    assert read(APPENDIX_B, Tlv(Tag.message_state, value)).state is MessageState.delivered


def test_the_number_is_that_of_the_person_in_digits() -> None:
    deliver = DeliverSm(source="+86-139 1234", esm_class=RECEIPT, short_message=b"id:7 stat:DELIVRD")
    receipt = receipt_of(deliver)
    assert receipt is not None and receipt.number == "861391234"


PIECES = st.sampled_from(
    ["id:", "stat:", "done date:", "err:", "text:", "DELIVRD", "7", " ", ",", ":", "\0", "你", "STAT:", "x"]
)


@given(
    st.lists(PIECES).map("".join).map(str.encode) | st.binary(max_size=254),
    st.integers(0, 255),
    st.integers(0, 255),
    st.lists(st.builds(Tlv, st.sampled_from(Tag), st.binary(max_size=80)), max_size=4).map(tuple),
)
def test_whatever_comes_is_a_receipt_or_none(
    octets: bytes, esm_class: int, coding: int, tlvs: tuple[Tlv, ...]
) -> None:
    receipt = receipt_of(a_deliver(octets[:254], *tlvs, esm_class=esm_class, data_coding=coding))
    if receipt is not None:
        assert receipt.message_id and receipt.message_id in id_forms(receipt.message_id)


@given(st.integers(0, 2**64), st.integers(0, 6), st.booleans())
def test_an_id_in_hexadecimal_and_in_decimal_is_the_same(number: int, zeros: int, upper: bool) -> None:
    hexadecimal = "0" * zeros + (f"{number:X}" if upper else f"{number:x}")
    decimal = "0" * zeros + str(number)
    assert same_id(hexadecimal, decimal) and same_id(decimal, hexadecimal)
    assert f"{number:x}" in id_forms(decimal) and f"{number:X}" in id_forms(decimal)
    assert str(number) in id_forms(hexadecimal)
    assert f"{number:08X}" in id_forms(decimal) and f"{number:010}" in id_forms(hexadecimal)


@given(st.text(max_size=70), st.text(max_size=70))
def test_an_id_is_itself_and_the_same_in_both_directions(a: str, b: str) -> None:
    assert id_forms(a)[0] == a
    assert same_id(a, a)
    assert same_id(a, b) == same_id(b, a)
    assert len(set(id_forms(a))) == len(id_forms(a))


def test_ids_that_are_no_numbers_differ_only_by_case() -> None:
    assert same_id("Ab-12", "aB-12") and not same_id("ab-12", "ab-13")
    assert not same_id("7", "8")
