"""The quick canonical JSON writes the bytes of the standard's library, or says what that says."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from incident.store.canonical import canonical


class Colour(StrEnum):
    red = "red"


leaves = (
    st.none()
    | st.booleans()
    | st.integers(-(2**54), 2**54)
    | st.floats(allow_nan=True, allow_infinity=True)
    | st.text(st.characters(), max_size=12)
    | st.sampled_from(["\x00\x1f\x7f\u2028", '"\\/\b\f\n\r\t', "\U0001f600", "中文", Colour.red, -0.0, 1e21])
)
keys = st.text(st.characters(), max_size=6) | st.sampled_from(["a", "A", "aa", "é", "\ue000", "\U00010000"])
values = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=20,
)


@given(values)
def test_the_quick_form_is_the_form_of_the_standard(value: Any) -> None:
    try:
        wanted = rfc8785.dumps(value)
    except (ValueError, UnicodeError) as error:
        with pytest.raises(type(error)):
            canonical(value)
        return
    assert canonical(value) == wanted


@pytest.mark.parametrize("value", ["\ud800", {"a": "\udfff"}, [float("nan")], {1: 2}, 2**60, {"\ud800": 1}])
def test_what_has_no_canonical_form_is_refused_alike(value: Any) -> None:
    with pytest.raises(Exception) as wanted:
        rfc8785.dumps(value)
    with pytest.raises(type(wanted.value)):
        canonical(value)
