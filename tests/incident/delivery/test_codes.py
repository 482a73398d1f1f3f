"""Codes survive being read aloud and typed, and a wrong character is always noticed."""

from __future__ import annotations

import string

from hypothesis import assume, given
from hypothesis import strategies as st

from incident.delivery.codes import code_mac, code_of, read_code

KEYS = st.binary(min_size=32, max_size=32)
IDS = st.text(string.hexdigits, min_size=1, max_size=32)
ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


@given(KEYS, IDS)
def test_a_code_reads_back_as_itself(key: bytes, delivery_id: str) -> None:
    code = code_of(key, delivery_id)
    assert read_code(code) == code.replace("-", "")


@given(KEYS, IDS, st.randoms(use_true_random=False))
def test_what_people_misread_and_how_they_type_makes_no_difference(
    key: bytes, delivery_id: str, dice: object
) -> None:
    code = code_of(key, delivery_id)
    misread = code.replace("0", "O").replace("1", "l").replace("V", "u").lower().replace("-", " ")
    assert read_code(misread) == read_code(code)


@given(KEYS, IDS)
def test_full_width_letters_of_a_chinese_keyboard_are_read(key: bytes, delivery_id: str) -> None:
    code = code_of(key, delivery_id)
    wide = "".join(chr(ord(character) + 0xFEE0) for character in code)
    assert read_code(wide) == read_code(code)


@given(KEYS, IDS, st.integers(0, 10), st.sampled_from(ALPHABET))
def test_one_wrong_character_is_noticed(key: bytes, delivery_id: str, place: int, other: str) -> None:
    plain = code_of(key, delivery_id).replace("-", "")
    assume(plain[place] != other)
    assert read_code(plain[:place] + other + plain[place + 1 :]) is None


def test_every_wrong_character_at_every_place_is_noticed() -> None:
    plain = code_of(b"k" * 32, "a delivery").replace("-", "")
    wrong = [
        plain[:place] + other + plain[place + 1 :]
        for place in range(len(plain))
        for other in ALPHABET
        if other != plain[place]
    ]
    assert [text for text in wrong if read_code(text) is not None] == []


@given(KEYS, IDS, st.integers(0, 9))
def test_two_swapped_characters_are_noticed(key: bytes, delivery_id: str, place: int) -> None:
    plain = code_of(key, delivery_id).replace("-", "")
    assume(plain[place] != plain[place + 1])
    swapped = plain[:place] + plain[place + 1] + plain[place] + plain[place + 2 :]
    assert read_code(swapped) is None


@given(st.text())
def test_nothing_that_people_type_is_an_error(text: str) -> None:
    code = read_code(text)
    assert code is None or (len(code) == 11 and set(code) <= set(ALPHABET))


@given(KEYS, KEYS, IDS)
def test_another_incident_s_key_gives_another_code_and_mac(one: bytes, two: bytes, delivery_id: str) -> None:
    assume(one != two)
    assert code_mac(one, code_of(one, delivery_id)) != code_mac(two, code_of(one, delivery_id))


@given(KEYS, IDS)
def test_the_ledger_finds_a_code_with_and_without_its_dashes(key: bytes, delivery_id: str) -> None:
    code = code_of(key, delivery_id)
    assert code_mac(key, code) == code_mac(key, code.replace("-", ""))
