"""A provider's words, as people get to see them."""

from __future__ import annotations

from urllib.parse import quote

from hypothesis import given
from hypothesis import strategies as st

from notifiers.sms_gateway.replies import LONGEST_TEXT, document_of, shown, word_of

WORD = st.text(st.characters(codec="utf-8", exclude_characters="… "), min_size=2, max_size=6)


@given(st.lists(st.text(st.characters(codec="utf-8"), max_size=5)), WORD, st.integers(0, 2))
def test_what_is_hidden_is_in_no_text_however_it_is_written(parts: list[str], word: str, quoted: int) -> None:
    written = word
    for _ in range(quoted):
        written = quote(written, safe="~")
    text = shown(written.join(["", *parts, ""]), {word})
    bare = " ".join(word.split())
    assert len(bare) < 2 or bare not in text


@given(st.text(max_size=1000))
def test_words_are_one_line_and_bounded(text: str) -> None:
    line = shown(text, ())
    assert len(line) <= LONGEST_TEXT
    assert not set(line) & set("\r\n\t\0")


def test_values_of_json_are_words_as_json_writes_them() -> None:
    values: list[object] = [True, False, 3, "a ", None, [], {}]
    assert [word_of(each) for each in values] == ["true", "false", "3", "a", "", "", ""]


@given(st.binary(max_size=50))
def test_any_octets_are_a_document_or_none(body: bytes) -> None:
    document_of(body)
