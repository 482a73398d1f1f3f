"""Our canonical JSON is the library's, byte for byte, and refuses what that refuses."""

from __future__ import annotations

import enum
from typing import Any

import pytest
import rfc8785
from hypothesis import example, given
from hypothesis import strategies as st

from incident.store.canonical import canonical

_ANY_TEXT = st.text(st.characters(codec=None, categories=None))  # halves of characters too
_SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | _ANY_TEXT
_VALUES = st.recursive(
    _SCALARS,
    lambda inner: (
        st.lists(inner) | st.dictionaries(_ANY_TEXT, inner) | st.lists(inner, max_size=2).map(tuple)
    ),
    max_leaves=20,
)


class Word(enum.StrEnum):
    ONE = "one"


def outcome_of(dumps: Any, value: Any) -> bytes | type[BaseException]:
    try:
        made: bytes = dumps(value)
    except Exception as error:
        return type(error)
    return made


@given(_VALUES)
@example({"\ue000": 1, "\U00010000": 2})  # the order of UTF-16 is another than that of code points
@example({"é": 1, "e": 2, "Z": 3, "": 4})
@example(['\x00\x1f\x7f\u2028\u2029\\"/\b\f\n\r\t', "\ud800", "\U0001f600"])
@example([2**53 - 1, -(2**53) + 1, 2**53, -(2**53), -0.0, 1e21, 1e-7, 1.0, float("nan"), float("inf")])
@example({1: "a number as a name"})
@example({"a": {"b": [True, 1, None, Word.ONE, b"bytes", {1, 2}]}})
def test_it_is_what_the_library_makes(value: Any) -> None:
    assert outcome_of(canonical, value) == outcome_of(rfc8785.dumps, value)


@pytest.mark.parametrize(
    ("value", "made"),
    [
        ({"b": [1, "ü", None], "a": True}, '{"a":true,"b":[1,"ü",null]}'),
        ({"a": '\x1f\x7f\u2028"\\/'}, '{"a":"\\u001f\x7f\u2028\\"\\\\/"}'),
        ([1e21, 0.5, 10.0], "[1e+21,0.5,10]"),
    ],
)
def test_the_bytes_are_those_of_the_standard(value: Any, made: str) -> None:
    assert canonical(value) == made.encode()
