"""Reading the law's YAML: the fast way and the way of YAML give the same, or the same error."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incident.errors import BadInput
from incident.law.data import _quickly, read_lines, read_yaml

NAMES = st.from_regex(r"[A-Za-z][A-Za-z0-9_-]{0,8}", fullmatch=True).filter(
    lambda name: name.lower() not in ("true", "false", "null")
)
NAME = re.compile(r"(?!(?i:true|false|null)$)[A-Za-z][A-Za-z0-9_-]*")
TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), max_size=20)
PLAIN = st.one_of(
    TEXTS,
    st.none(),
    st.booleans(),
    st.integers(),
    st.lists(TEXTS, max_size=3),
    st.dictionaries(TEXTS, TEXTS, min_size=1, max_size=3),
)
DATA = st.dictionaries(
    NAMES,
    st.one_of(PLAIN, st.dictionaries(NAMES, PLAIN, min_size=1, max_size=3)),
    min_size=1,
    max_size=4,
)


def written(data: dict[str, Any], depth: int = 0) -> str:
    """The data as names with JSON behind them; mappings of names one level deeper."""
    lines = ["# a remark"] if depth == 0 else []
    for name, value in data.items():
        if isinstance(value, dict) and all(NAME.fullmatch(key) for key in value):
            lines += [f"{'  ' * depth}{name}:", written(value, depth + 1)]
        else:
            lines.append(f"{'  ' * depth}{name}: {json.dumps(value, ensure_ascii=False)}")
    return "\n".join(lines)


@given(DATA)
def test_names_with_json_behind_them_are_read_as_yaml_reads_them(data: dict[str, Any]) -> None:
    text = written(data)
    assert read_lines(text, name="x.yaml") == read_yaml(text, name="x.yaml") == data


@given(DATA)
def test_the_fast_way_is_the_one_that_is_taken(data: dict[str, Any]) -> None:
    text = written(data)
    assert _quickly(text) == read_yaml(text, name="x.yaml")


@pytest.mark.parametrize(
    "text",
    [
        "a: plain words",
        "a: {b: c}",
        "a:\n  - 1\n  - 2",
        "a:\n    b: 1",
        "a:",
        "a:\nb: 1",
        "a: NO",
        "a: NaN",
        "a: 1e5",
        "a: 1.50",
        "true: 1",
        "a: 'x'  # said aside",
        'a: "x" # said aside',
        "a:\n  b: 1\nc: 2",
        "- a",
        "",
        "# nothing",
        "---\na: 1",
        "a: |\n  long\n  text",
    ],
)
def test_what_is_written_in_another_way_is_read_as_the_yaml_it_is(text: str) -> None:
    assert repr(read_lines(text, name="x.yaml")) == repr(read_yaml(text, name="x.yaml"))


@pytest.mark.parametrize(
    "text", ['a: "1"\nb: "2"\na: "3"', 'a:\n  b: {"c": 1, "c": 2}', 'a: "1"\n  b: "2"', "a: [1", "\ta: 1"]
)
def test_what_is_no_yaml_is_refused_as_it_is_otherwise(text: str) -> None:
    with pytest.raises(BadInput) as slow:
        read_yaml(text, name="x.yaml")
    with pytest.raises(BadInput) as fast:
        read_lines(text, name="x.yaml")
    assert str(fast.value) == str(slow.value)
