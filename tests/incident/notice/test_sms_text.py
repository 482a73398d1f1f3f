"""Segments of an SMS beside a plain reference that only counts."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from incident.errors import BadInput
from incident.notice.graphemes import graphemes
from incident.notice.sms_text import PART, SINGLE, SmsEncoding, forcing_characters, shorten_sms, sms_text

# By their codes, 3GPP TS 23.038 table 6.2.1 row by row; None is the escape.
BASIC_BY_CODE = (
    "@£$¥èéùìòÇ\nØø\rÅå" "Δ_ΦΓΛΩΠΨΣΘΞ\x1bÆæßÉ" " !\"#¤%&'()*+,-./" "0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNO" "PQRSTUVWXYZÄÖÑÜ§" "¿abcdefghijklmno" "pqrstuvwxyzäöñüà"
)  # fmt: skip
EXTENSION_BY_CODE = {
    0x0A: "\f", 0x14: "^", 0x28: "{", 0x29: "}", 0x2F: "\\", 0x3C: "[", 0x3D: "~", 0x3E: "]", 0x40: "|", 0x65: "€",
}  # fmt: skip
FAMILY = "👨‍👩‍👧‍👦"
GSM = st.text(
    st.sampled_from(BASIC_BY_CODE.replace("\x1b", "") + "".join(EXTENSION_BY_CODE.values())), max_size=900
)
MIXED = st.lists(
    st.sampled_from([FAMILY, "🇨🇳", "e\u0301", "张", "a", "€", " ", "𠮷", "\r\n", "é"]), max_size=300
).map("".join)
ANY = st.text(st.characters(exclude_categories=["Cs"]), max_size=400)


def septets(text: str) -> bytes:
    """A text as the codes of the alphabet, an extended one behind its escape. Raises ValueError for any other."""
    codes = bytearray()
    extended = {character: code for code, character in EXTENSION_BY_CODE.items()}
    for character in text:
        if character in extended:
            codes += bytes([0x1B, extended[character]])
        elif character != "\x1b":
            codes.append(BASIC_BY_CODE.index(character))
        else:
            raise ValueError(character)
    return bytes(codes)


def reference_units(text: str) -> tuple[SmsEncoding, int]:
    try:
        return SmsEncoding.GSM_7, len(septets(text))
    except ValueError:
        return SmsEncoding.UCS_2, len(text.encode("utf-16-be")) // 2


def units_of(part: str, encoding: SmsEncoding) -> int:
    return len(septets(part)) if encoding is SmsEncoding.GSM_7 else len(part.encode("utf-16-be")) // 2


def test_the_alphabet_has_the_size_that_the_table_has() -> None:
    assert len(BASIC_BY_CODE) == len(set(BASIC_BY_CODE)) == 128


@given(GSM | MIXED | ANY)
@example("")
@example("€" * 80)
@example("a" * 152 + "€" + "a" * 10)
@example("\x1b")
def test_rejoined_segments_are_the_text_and_none_is_above_its_limit(text: str) -> None:
    found = sms_text(text)
    assert "".join(found.segments) == text
    assert (found.encoding, found.units) == reference_units(text)
    limit = (SINGLE if len(found.segments) <= 1 else PART)[found.encoding]
    assert all(0 < units_of(part, found.encoding) <= limit for part in found.segments)
    assert bool(found.forcing) == (found.encoding is SmsEncoding.UCS_2)


@given(GSM | MIXED | ANY)
def test_no_grapheme_is_split_between_two_segments(text: str) -> None:
    found = sms_text(text)
    if any(units_of(each, found.encoding) > PART[found.encoding] for each in graphemes(text)):
        return
    assert [each for part in found.segments for each in graphemes(part)] == graphemes(text)


@given(GSM | MIXED | ANY)
def test_no_segment_could_have_taken_the_next_character_too(text: str) -> None:
    found = sms_text(text)
    for part, after in pairwise(found.segments):
        following = graphemes(after)[0]
        if units_of(following, found.encoding) <= PART[found.encoding]:
            assert units_of(part + following, found.encoding) > PART[found.encoding]


@pytest.mark.parametrize(
    ("text", "encoding", "segments"),
    [
        ("a" * 160, SmsEncoding.GSM_7, 1),
        ("a" * 161, SmsEncoding.GSM_7, 2),
        ("a" * 306, SmsEncoding.GSM_7, 2),
        ("a" * 307, SmsEncoding.GSM_7, 3),
        ("€" * 80, SmsEncoding.GSM_7, 1),
        ("€" * 81, SmsEncoding.GSM_7, 2),
        ("€" * 77, SmsEncoding.GSM_7, 1),
        ("a" + "€" * 152, SmsEncoding.GSM_7, 2),
        ("€" * 153, SmsEncoding.GSM_7, 3),
        ("张" * 70, SmsEncoding.UCS_2, 1),
        ("张" * 71, SmsEncoding.UCS_2, 2),
        ("张" * 134, SmsEncoding.UCS_2, 2),
        ("张" * 135, SmsEncoding.UCS_2, 3),
        ("𠮷" * 35, SmsEncoding.UCS_2, 1),
        ("𠮷" * 36, SmsEncoding.UCS_2, 2),
        ("𠮷" * 67, SmsEncoding.UCS_2, 3),
        (FAMILY * 6, SmsEncoding.UCS_2, 1),
        (FAMILY * 7, SmsEncoding.UCS_2, 2),
    ],
)
def test_the_borders_are_those_of_the_standard(text: str, encoding: SmsEncoding, segments: int) -> None:
    found = sms_text(text)
    assert (found.encoding, len(found.segments)) == (encoding, segments)


def test_what_forces_ucs_2_is_named_once_each() -> None:
    assert forcing_characters("Dear “Zoë”, it’s €5 for “you”") == ("“", "ë", "”", "’")
    assert forcing_characters("Dear Zoé, it's €5 {all}") == ()


def test_a_character_that_no_segment_holds_is_divided_between_code_points() -> None:
    text = "a" + "\u0301" * 200
    found = sms_text(text)
    assert "".join(found.segments) == text
    assert [len(part) for part in found.segments] == [67, 67, 67]


def test_half_a_surrogate_pair_is_no_text() -> None:
    with pytest.raises(BadInput, match="surrogate"):
        sms_text("a\ud83d")


@given(GSM | MIXED | ANY, st.integers(1, 4))
def test_a_shortened_text_fits_and_is_the_beginning_in_whole_characters(text: str, most: int) -> None:
    short = shorten_sms(text, most, ending="...")
    assert len(sms_text(short).segments) <= most
    if short == text:
        return
    kept = short.removesuffix("...")
    assert text.startswith(kept)
    assert graphemes(text)[: len(graphemes(kept))] == graphemes(kept)
    following = graphemes(text)[len(graphemes(kept))]
    if following.strip():
        assert len(sms_text(kept + following + "...").segments) > most


def test_an_ending_that_does_not_fit_is_refused() -> None:
    with pytest.raises(BadInput, match="0 segments"):
        shorten_sms("abc", 0)
