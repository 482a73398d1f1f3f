from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from notifiers.smpp.incoming import SmsFromPerson, message_of
from notifiers.smpp.pdu import DeliverSm, Tag, Tlv
from notifiers.sms.alphabet import Alphabet, concatenation_header


def test_what_a_person_wrote_is_read_with_its_place() -> None:
    deliver = DeliverSm(
        source="8613912345678",
        dest="106912345",
        esm_class=0x40,
        data_coding=8,
        short_message=concatenation_header(9, 2, 1) + "谢谢".encode("utf-16-be"),
    )
    assert message_of(deliver, Alphabet.gsm) == SmsFromPerson("8613912345678", "106912345", "谢谢", (9, 2, 1))


def test_a_text_may_stand_in_the_payload() -> None:
    deliver = DeliverSm(tlvs=(Tlv(Tag.message_payload, b"\x00 STOP"),))
    assert message_of(deliver, Alphabet.gsm).text == "@ STOP"


@given(st.integers(0, 255), st.integers(0, 255), st.binary(max_size=254))
def test_whatever_comes_is_read(esm_class: int, coding: int, octets: bytes) -> None:
    message_of(DeliverSm(esm_class=esm_class, data_coding=coding, short_message=octets), Alphabet.latin_1)
