from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incident.notice.sms_text import forcing_characters
from notifiers.errors import BadMessage
from notifiers.sms.alphabet import (
    DEFAULT,
    UCS_2,
    Alphabet,
    concatenation_header,
    is_gsm,
    octets_of,
    parted,
    place_of,
    septets_of,
    text_of,
    text_of_septets,
    ucs2_of,
)

GSM = st.text([character for character in map(chr, range(0x3000)) if is_gsm(character)])


@given(GSM)
def test_a_text_of_the_default_alphabet_reads_as_it_was(text: str) -> None:
    octets = septets_of(text)
    assert text_of_septets(octets) == text
    assert max(octets, default=0) < 128


@given(st.text())
def test_the_default_alphabet_is_the_one_that_texts_are_cut_for(text: str) -> None:
    assert is_gsm(text) == (not forcing_characters(text))


def test_the_tables_hold_what_the_standard_shows() -> None:
    assert septets_of("@£Aa_€[à") == bytes([0x00, 0x01, 0x41, 0x61, 0x11, 0x1B, 0x65, 0x1B, 0x3C, 0x7F])
    assert not is_gsm("\x1b") and not is_gsm("ç") and is_gsm("Ç")


@given(st.binary())
def test_any_octets_read_as_some_text(octets: bytes) -> None:
    for coding in (0, 3, 4, 8, 255):
        for alphabet in Alphabet:
            text_of(octets, coding, alphabet)


def test_what_the_tables_do_not_define_reads_as_the_standard_asks() -> None:
    assert text_of_septets(bytes([0x1B, 0x41, 0x1B, 0x1B, 0x1B])) == "A  "
    assert text_of_septets(bytes([0x80, 0x41])) == "\N{REPLACEMENT CHARACTER}A"


@given(st.text())
def test_ucs_2_carries_every_text(text: str) -> None:
    assert text_of(octets_of(text, UCS_2, Alphabet.gsm), UCS_2, Alphabet.gsm) == text


@given(st.text(st.characters(max_codepoint=255)))
def test_latin_1_reads_as_it_was(text: str) -> None:
    assert text_of(octets_of(text, DEFAULT, Alphabet.latin_1), DEFAULT, Alphabet.latin_1) == text


def test_what_an_alphabet_does_not_hold_is_refused() -> None:
    for text, alphabet in (("你", Alphabet.gsm), ("€", Alphabet.latin_1)):
        with pytest.raises(BadMessage):
            octets_of(text, DEFAULT, alphabet)
    with pytest.raises(BadMessage, match="surrogate"):
        ucs2_of("\ud83d")


@given(st.integers(0, 0xFFFF), st.integers(1, 255), st.integers(1, 255), st.binary())
def test_the_header_of_a_part_says_where_it_belongs(
    reference: int, total: int, number: int, rest: bytes
) -> None:
    header = concatenation_header(reference, total, number)
    assert parted(header + rest) == (header, rest)
    assert len(header) == 6
    joined = place_of(header)
    assert joined is not None and joined[1:] == (total, number)
    assert concatenation_header(reference, total, 1)[3] == joined[0]


def test_a_header_with_a_16_bit_reference_and_other_elements_is_read() -> None:
    assert place_of(bytes([10, 5, 2, 0, 0, 8, 4, 1, 2, 3, 1])) == (0x0102, 3, 1)
    assert place_of(bytes([4, 5, 2, 0, 0])) is None


@given(st.binary(max_size=40))
def test_any_header_is_read(octets: bytes) -> None:
    header, rest = parted(octets)
    place_of(header)
    assert header + rest == octets
