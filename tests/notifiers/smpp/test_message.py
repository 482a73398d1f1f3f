from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incident.notice.sms_text import SmsEncoding, sms_text
from notifiers.errors import BadAddress, BadMessage
from notifiers.smpp.centre import Centre
from notifiers.smpp.message import submits_of
from notifiers.smpp.pdu import Command, Pdu, SubmitSm, encode
from notifiers.sms.alphabet import Alphabet, parted, place_of, text_of
from notifiers.sms.message import SmsMessage

NUMBER = "+8613912345678"
CHINESE = "【示例公司】您好：我们发生了一起信息安全事件。您的以下信息可能已经泄露。" * 4


def a_centre(alphabet: Alphabet = Alphabet.gsm) -> Centre:
    return Centre("127.0.0.1", 2775, "tocsin", "geheim", "Example", alphabet=alphabet)


def a_message(text: str, reference: int = 7) -> SmsMessage:
    cut = sms_text(text)
    return SmsMessage(NUMBER, cut.segments, cut.encoding is SmsEncoding.UCS_2, reference)


def shown(submits: tuple[SubmitSm, ...], alphabet: Alphabet) -> str:
    return "".join(
        text_of(
            parted(each.short_message)[1] if each.esm_class & 0x40 else each.short_message,
            each.data_coding,
            alphabet,
        )
        for each in submits
    )


@given(st.text(min_size=1, max_size=900), st.sampled_from(Alphabet), st.integers(0, 0xFFFF))
def test_every_text_that_was_cut_arrives_whole_in_parts_that_fit(
    text: str, alphabet: Alphabet, reference: int
) -> None:
    submits = submits_of(a_message(text, reference), a_centre(alphabet))
    assert shown(submits, alphabet) == text
    for number, submit in enumerate(submits, start=1):
        encode(Pdu(Command.submit_sm, 1, body=submit))
        if submit.data_coding == 8:
            assert len(submit.short_message) <= 140
        if len(submits) > 1:
            place = place_of(parted(submit.short_message)[0])
            assert place is not None and place[1:] == (len(submits), number)


def test_a_short_text_is_one_part_that_asks_for_its_receipt() -> None:
    [submit] = submits_of(a_message("Hello @ €"), a_centre())
    assert submit == SubmitSm(
        source_ton=5,
        source="Example",
        dest_ton=1,
        dest_npi=1,
        dest="8613912345678",
        registered_delivery=1,
        short_message=b"Hello \x00 \x1b\x65",
    )


def test_a_long_text_says_by_its_header_which_parts_belong_together() -> None:
    submits = submits_of(a_message(CHINESE, reference=0x0107), a_centre())
    assert [submit.short_message[:6].hex() for submit in submits] == [
        "050003060301",
        "050003060302",
        "050003060303",
    ]
    assert {(submit.esm_class, submit.data_coding) for submit in submits} == {(0x40, 8)}
    assert submits == submits_of(a_message(CHINESE, reference=0x0107), a_centre())


@pytest.mark.parametrize(
    ("alphabet", "text", "coding", "octets"),
    [
        (Alphabet.latin_1, "à@", 0, b"\xe0@"),
        (Alphabet.latin_1, "€", 8, b"\x20\xac"),
        (Alphabet.ucs_2, "a", 8, b"\x00a"),
        (Alphabet.gsm, "à@", 0, b"\x7f\x00"),
        (Alphabet.latin_1, "你", 8, b"\x4f\x60"),
    ],
)
def test_the_alphabet_is_the_centres(alphabet: Alphabet, text: str, coding: int, octets: bytes) -> None:
    [submit] = submits_of(a_message(text), a_centre(alphabet))
    assert (submit.data_coding, submit.short_message) == (coding, octets)


def test_a_text_that_was_cut_for_septets_and_goes_as_ucs_2_is_cut_anew() -> None:
    assert len(submits_of(a_message("a" * 160), a_centre(Alphabet.ucs_2))) == 3
    assert len(submits_of(a_message("a" * 159 + "¡"), a_centre(Alphabet.latin_1))) == 1


def test_a_text_with_too_many_parts_is_refused() -> None:
    long = SmsMessage(NUMBER, ("a" * 153,) * 255, False, 0)
    with pytest.raises(BadMessage, match="255"):
        submits_of(long, a_centre(Alphabet.ucs_2))


@pytest.mark.parametrize(
    "changes",
    [
        {"to": "13912345678"},
        {"to": ""},
        {"segments": ()},
        {"segments": ("",)},
        {"segments": ("a", "")},
        {"segments": ("a" * 161,)},
        {"segments": ("a" * 154, "b")},
        {"segments": ("€" * 81,)},
        {"segments": ("你",)},
        {"segments": ("你" * 71,), "ucs2": True},
        {"segments": ("你" * 68, "好"), "ucs2": True},
        {"segments": ("\U0001f600" * 36,), "ucs2": True},
        {"segments": ("\ud83d",), "ucs2": True},
        {"segments": ("a",) * 256},
        {"reference": -1},
        {"reference": 65536},
    ],
)
def test_a_message_that_no_network_carries_is_refused(changes: dict[str, Any]) -> None:
    settings: dict[str, Any] = {"to": NUMBER, "segments": ("a",), "ucs2": False, "reference": 0}
    with pytest.raises(BadAddress if "to" in changes else BadMessage):
        SmsMessage(**(settings | changes))
