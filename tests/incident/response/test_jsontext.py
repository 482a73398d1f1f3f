import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incident.errors import BadInput
from incident.response.jsontext import MOST_CHARACTERS, read_json

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)


@given(VALUES, st.sampled_from([None, 0, 2]), st.booleans())
def test_what_is_json_is_read_as_the_standard_library_reads_it(
    value: Any, indent: int | None, ascii_only: bool
) -> None:
    text = json.dumps(value, indent=indent, ensure_ascii=ascii_only)
    assert read_json(text, name="x").data == json.loads(text) == value


@given(st.text(max_size=40) | st.text('{}[]":,0123eE.+-truefalsn\\u ', max_size=40))
def test_any_text_is_json_or_refused_as_the_standard_library_does(text: str) -> None:
    try:
        expected = json.loads(text, parse_constant=_none, object_pairs_hook=_once)
    except ValueError:
        with pytest.raises(BadInput):
            read_json(text, name="x")
        return
    try:
        assert read_json(text, name="x").data == expected
    except BadInput as error:
        assert "surrogate" in error.what or "too large" in error.what or "value was expected" in error.what


def _none(word: str) -> None:
    raise ValueError(word)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) < len(pairs):
        raise ValueError
    return dict(pairs)


def test_each_member_and_entry_has_its_line() -> None:
    text = '{\n "a": [\n  1,\n  {"b": 2,\n   "c": 3}\n ]\n}'
    lines = read_json(text, name="x").lines
    assert lines == {("a",): 2, ("a", 0): 3, ("a", 1): 4, ("a", 1, "b"): 4, ("a", 1, "c"): 5}


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ('{\n"a": 1,\n"a": 2}', "x:3"),
        ('{"a":\nNaN}', "x:2"),
        ('{"a": Infinity}', "x:1"),
        ('{"a": 1e999}', "x:1"),
        ('{"a": "\\ud800"}', "x:1"),
        ('{"a": 1}\n\n{', "x:3"),
        ('{"a" 1}', "x:1"),
        ('{"a": 1,\n}', "x:2"),
        ('{"a": [1\n2]}', "x:2"),
        ('{"a": "', "x:1"),
        ('{"a": 01}', "x:1"),
        ("[" * 100_000, "x:1"),
        ('{"a":' * 100_000, "x:1"),
        ("[" + "1," * 300_000 + "1]", "x:1"),
        (" " * (MOST_CHARACTERS + 1), "x"),
    ],
    ids=range(15),
)
def test_what_is_no_strict_json_is_refused_with_its_line(text: str, where: str) -> None:
    with pytest.raises(BadInput) as caught:
        read_json(text, name="x")
    assert caught.value.where == where
