import json
from urllib.parse import parse_qs, unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incident.errors import BadInput, Refused
from incident.response.model import Variable
from incident.response.variables import (
    Sink,
    checked,
    first_values,
    outputs,
    references,
    substitute,
    substitute_json,
)
from tests.support.playbooks import Builder

V = "__v__:value"
TEXT = {"__v__": Variable(type="string")}


@given(st.text(min_size=1).filter(lambda v: v not in {".", ".."}))
def test_a_value_in_a_path_stays_one_segment(value: str) -> None:
    filled = substitute(f"/a/{V}/b", {"__v__": value}, Sink.url_path)
    assert filled.count("/") == 3
    assert unquote(filled.split("/")[2]) == value
    assert "?" not in filled
    assert "#" not in filled


@given(st.text())
def test_a_value_in_a_query_adds_no_parameter(value: str) -> None:
    for sink in (Sink.url_query, Sink.form):
        filled = substitute(f"a={V}&b=1", {"__v__": value}, sink)
        assert parse_qs(filled, keep_blank_values=True) == {"a": [value], "b": ["1"]}


@pytest.mark.parametrize("value", ["..", "."])
def test_a_value_cannot_climb_folders(value: str) -> None:
    with pytest.raises(BadInput, match="folders"):
        substitute(f"/a/{V}/b", {"__v__": value}, Sink.url_path)


@pytest.mark.parametrize("value", ["a\r\nX-Admin: 1", "a\nb", "a\x00", "中"])
def test_a_value_cannot_add_a_header(value: str) -> None:
    with pytest.raises(BadInput, match="header"):
        substitute(V, {"__v__": value}, Sink.header)


@pytest.mark.parametrize("value", ["evil.example/", "a@b", "a:80", "", "a b", "-a"])
def test_a_host_is_a_host_and_nothing_more(value: str) -> None:
    with pytest.raises(BadInput, match="host"):
        substitute(V, {"__v__": value}, Sink.host)


@given(st.text())
def test_a_text_in_json_stays_inside_its_quotes(value: str) -> None:
    filled = substitute_json('{"a": "x\\"' + V + '", "b": 1}', {"__v__": value}, TEXT)
    assert json.loads(filled) == {"a": 'x"' + value, "b": 1}


def test_outside_quotes_only_numbers_bools_and_objects_stand() -> None:
    number = {"__v__": Variable(type="integer")}
    assert json.loads(substitute_json('{"n": __v__:value}', {"__v__": "007"}, number)) == {"n": 7}
    with pytest.raises(BadInput, match="quotes"):
        substitute_json('{"n": __v__:value}', {"__v__": '1, "admin": true'}, TEXT)
    with pytest.raises(BadInput, match="type"):
        substitute_json('{"n": __v__:value}', {"__v__": '1, "admin": true'}, number)


def test_a_person_reads_no_control_characters() -> None:
    shown = substitute(V, {"__v__": "a\x1b[2Jb\u202ec\nd"}, Sink.text)
    assert shown == "a\ufffd[2Jb\ufffdc\nd"


def test_an_unknown_or_undeclared_variable_is_never_filled_with_nothing() -> None:
    with pytest.raises(BadInput, match="no value"):
        substitute(V, {"__v__": None}, Sink.text)
    with pytest.raises(BadInput, match="not declared"):
        substitute(V, {}, Sink.text)


def test_a_value_is_not_read_again_for_variables() -> None:
    assert substitute(V, {"__v__": "__w__:value", "__w__": "x"}, Sink.text) == "__w__:value"
    assert references("__a__:value and __b_2__:value, not __c__") == ["__a__", "__b_2__"]


@pytest.mark.parametrize(
    ("kind", "raw", "stored"),
    [
        ("integer", "+12", "12"),
        ("bool", "True", "true"),
        ("ipv4-addr", "10.0.0.1", "10.0.0.1"),
        ("ipv4-addr", "10.0.0.0/8", "10.0.0.0/8"),
        ("uuid", "11036B97-0D3C-4922-9A9C-D3AE649C1D33", "11036b97-0d3c-4922-9a9c-d3ae649c1d33"),
        ("uri", "https://a.example/x", "https://a.example/x"),
        ("integer", "", ""),
    ],
)
def test_values_are_checked_by_type(kind: str, raw: str, stored: str) -> None:
    assert checked("__v__", Variable(type=kind), raw) == stored


@pytest.mark.parametrize(
    ("kind", "raw"),
    [
        ("integer", "1.5"),
        ("float", "inf"),
        ("bool", "yes"),
        ("ipv4-addr", "10.0.0.256"),
        ("sha256-hash", "ab"),
        ("uri", "not a uri"),
        ("dictionary", "[1]"),
        ("mac-addr", "00:11"),
    ],
)
def test_a_value_of_another_type_is_refused(kind: str, raw: str) -> None:
    with pytest.raises(BadInput) as caught:
        checked("__v__", Variable(type=kind), raw)
    assert caught.value.where == "__v__"


STEPS = {
    "start": {"type": "start", "on_completion": "do"},
    "do": {
        "type": "action",
        "agent": "people",
        "commands": [{"type": "manual", "command": "do it"}],
        "on_completion": "end",
    },
    "end": {"type": "end"},
}


def test_only_external_variables_come_from_outside(build: Builder) -> None:
    playbook = build(
        STEPS,
        playbook_variables={
            "__out__": {"type": "integer", "external": True},
            "__open__": {"type": "string", "external": True, "value": None},
            "__in__": {"type": "string", "value": "x"},
            "__const__": {"type": "string", "value": "x", "constant": True, "external": True},
        },
    )
    values = first_values(playbook, {"__out__": "3"})
    assert values == {"__out__": "3", "__open__": None, "__in__": "x", "__const__": "x"}
    with pytest.raises(Refused):
        first_values(playbook, {"__out__": "3", "__in__": "y"})
    with pytest.raises(Refused, match="constant"):
        first_values(playbook, {"__out__": "3", "__const__": "y"})
    with pytest.raises(BadInput, match="no such variable"):
        first_values(playbook, {"__out__": "3", "__new__": "y"})
    with pytest.raises(BadInput, match="missing") as caught:
        first_values(playbook, {})
    assert caught.value.where == "__out__"


def test_a_step_writes_its_out_args_only_and_never_a_constant() -> None:
    declared = {"__a__": Variable(type="integer"), "__c__": Variable(type="string", constant=True)}
    assert outputs(declared, ["__a__"], {"__a__": "1", "__b__": "2"}) == {"__a__": "1"}
    with pytest.raises(Refused):
        outputs(declared, ["__c__"], {"__c__": "x"})
    with pytest.raises(BadInput):
        outputs(declared, ["__a__"], {"__a__": "x"})
