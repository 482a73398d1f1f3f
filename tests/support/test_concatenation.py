"""Long messages are put together whatever the order of their parts, and copies are told apart."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.concatenation import Part, texts_of, unfinished


def part(text: str, number: int, total: int, *, reference: int = 7, wide: bool = False) -> Part:
    if wide:
        udh = bytes([6, 8, 4, reference >> 8, reference & 255, total, number])
    else:
        udh = bytes([5, 0, 3, reference, total, number])
    return Part("Example", "861390000001", udh, text)


@given(st.permutations(range(1, 5)), st.booleans())
def test_parts_in_any_order_make_one_text(order: list[int], wide: bool) -> None:
    parts = [part(f"<{number}>", number, 4, wide=wide) for number in order]
    assert texts_of(parts) == {"861390000001": ["<1><2><3><4>"]}
    assert unfinished(parts) == 0


def test_a_message_that_comes_twice_is_two_texts_and_one_that_lacks_a_part_is_none() -> None:
    parts = [part("a", 1, 2), part("b", 2, 2), part("a", 1, 2), part("b", 2, 2), part("a", 1, 2)]
    assert texts_of(parts) == {"861390000001": ["ab", "ab"]}
    assert unfinished(parts) == 1


def test_references_of_8_and_of_16_bits_are_of_different_messages() -> None:
    parts = [part("a", 1, 2), part("b", 2, 2, wide=True)]
    assert texts_of(parts) == {}
    assert unfinished(parts) == 2


@pytest.mark.parametrize("udh", [b"", bytes([4, 1, 2, 0, 0]), bytes([3, 0x24, 1, 0])])
def test_a_message_with_no_header_for_concatenation_stands_alone(udh: bytes) -> None:
    assert texts_of([Part("Example", "1", udh, "a")] * 2) == {"1": ["a", "a"]}


def test_parts_may_be_told_by_optional_parameters() -> None:
    parts = [Part("Example", "1", b"", "b", (300, 2, 2)), Part("Example", "1", b"", "a", (300, 2, 1))]
    assert texts_of(parts) == {"1": ["ab"]}
