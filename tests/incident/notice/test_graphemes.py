from __future__ import annotations

import unicodedata
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incident.errors import BadInput
from incident.notice.graphemes import graphemes, shorten

FAMILY = "👨‍👩‍👧‍👦"
FLAG = "🇨🇳"
WHOLE = [FAMILY, FLAG, "e\u0301", "각", "நி", "क्षि", "👍🏽", "\r\n", "❤️"]
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=40) | st.lists(
    st.sampled_from([*WHOLE, "a", "张", " "]), max_size=40
).map("".join)


@pytest.mark.parametrize("character", WHOLE, ids=lambda each: "-".join(f"{ord(part):04X}" for part in each))
def test_what_is_seen_as_one_character_is_one(character: str) -> None:
    assert graphemes(character) == [character]


def test_two_flags_are_two_and_not_four_letters() -> None:
    assert graphemes(FLAG + "🇩🇪") == [FLAG, "🇩🇪"]


@given(TEXTS)
def test_joined_again_they_are_the_text_and_none_begins_with_a_mark(text: str) -> None:
    parts = graphemes(text)
    assert "".join(parts) == text
    # A mark belongs to what stands before it, except behind a control or line end.
    for before, part in pairwise(parts):
        if unicodedata.combining(part[0]):
            assert unicodedata.category(before[-1]) in ("Cc", "Zl", "Zp", "Cf", "Cs", "Cn")


@given(TEXTS, st.integers(1, 45))
def test_a_shortened_text_is_its_beginning_in_whole_characters(text: str, most: int) -> None:
    short = shorten(text, most)
    assert len(graphemes(short)) <= most or short == text
    if short != text:
        kept = short.removesuffix("…")
        assert text.startswith(kept)
        assert graphemes(text)[: len(graphemes(kept))] == graphemes(kept)
    else:
        assert len(graphemes(text)) <= most


def test_an_ending_without_room_is_refused() -> None:
    with pytest.raises(BadInput, match="does not fit"):
        shorten("abcdef", 2, ending="...")
