from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incident.hooks.jsonbody import MAX_DEPTH, BadJson, JsonTrap, read_json

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


def nested(depth: int, opening: bytes = b"[", closing: bytes = b"]") -> bytes:
    return opening * depth + closing * depth


@pytest.mark.parametrize(
    ("body", "trap"),
    [
        (b"", JsonTrap.syntax),
        (b"{", JsonTrap.syntax),
        (b"{} {}", JsonTrap.syntax),
        (b"title=x", JsonTrap.syntax),
        (b'{"a": "\xff"}', JsonTrap.not_utf8),
        ('{"a": 1}'.encode("utf-16"), JsonTrap.not_utf8),
        (b'{"a": NaN}', JsonTrap.not_a_number),
        (b'{"a": -Infinity}', JsonTrap.not_a_number),
        (b'{"a": 1e999}', JsonTrap.number_too_long),
        (b"9" * 401, JsonTrap.number_too_long),
        (b"9" * 5000, JsonTrap.number_too_long),
        (b'{"a": 1, "a": 2}', JsonTrap.duplicate_key),
        (b'{"x": [{"a": 1, "b": 0, "a": 1}]}', JsonTrap.duplicate_key),
        (nested(MAX_DEPTH + 1), JsonTrap.too_deep),
        (b'{"a":' * (MAX_DEPTH + 1) + b"1" + b"}" * (MAX_DEPTH + 1), JsonTrap.too_deep),
        (nested(2000), JsonTrap.too_deep),
        (nested(500_000), JsonTrap.too_deep),
    ],
)
def test_each_trap_has_its_name(body: bytes, trap: JsonTrap) -> None:
    with pytest.raises(BadJson) as caught:
        read_json(body)
    assert caught.value.trap is trap


def test_what_is_at_the_edge_still_passes() -> None:
    assert read_json(nested(MAX_DEPTH)) is not None
    wide = b"[" + b",".join([b"[]"] * 1000) + b"]"
    assert read_json(wide) == [[]] * 1000
    assert read_json(b"\xef\xbb\xbf[]") == []


def test_integers_keep_every_digit() -> None:
    assert read_json(b"[9007199254740993, 1794902561118250331]") == [2**53 + 1, 1794902561118250331]


def test_half_surrogates_become_replacement_characters_and_pairs_stay() -> None:
    assert read_json(rb'{"\ud800a": ["\uDC00", "\ud83d\ude00"]}') == {"\ufffda": ["\ufffd", "😀"]}
    with pytest.raises(BadJson) as caught:
        read_json(rb'{"\ud800": 1, "\ud801": 2}')
    assert caught.value.trap is JsonTrap.duplicate_key


def test_an_error_never_repeats_the_body() -> None:
    with pytest.raises(BadJson) as caught:
        read_json(b'{"password": "hunter2" "x"}')
    assert "hunter2" not in str(caught.value)
    assert "line 1" in str(caught.value)


@given(values)
def test_all_json_reads_back_as_itself(value: object) -> None:
    assert read_json(json.dumps(value, ensure_ascii=False).encode()) == value


@given(st.binary(max_size=300) | st.text(alphabet='[]{}",:\\ud80123eE+-.Na', max_size=80).map(str.encode))
def test_any_bytes_are_read_or_refused_by_name(body: bytes) -> None:
    try:
        value = read_json(body)
    except BadJson:
        return
    json.dumps(value, ensure_ascii=False, allow_nan=False).encode("utf-8")
