import pytest
from hypothesis import given
from hypothesis import strategies as st

from incident.response.conditions import Unreadable, check, evaluate, like, parse
from incident.response.model import Variable

DECLARED = {
    "__n__": Variable(type="integer"),
    "__f__": Variable(type="float"),
    "__s__": Variable(type="string"),
    "__b__": Variable(type="bool"),
    "__ip__": Variable(type="ipv4-addr"),
    "__h__": Variable(type="sha256-hash"),
    "__u__": Variable(type="string"),
}
VALUES = {
    "__n__": "10",
    "__f__": "1.50",
    "__s__": "it's malicious",
    "__b__": "true",
    "__ip__": "10.1.2.3",
    "__h__": "AB" * 32,
    "__u__": None,
}


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("__n__:value > 3", True),
        ("__n__:value > '3'", True),
        ("__n__:value < 9", False),
        ("__n__:value <= 10 AND __n__:value >= 10", True),
        ("__n__:value <> 10", False),
        ("__n__:value NOT = 10", False),
        ("__f__:value == 1.5", True),
        ("__s__:value = 'it\\'s malicious'", True),
        ("__s__:value LIKE '%mal_cious'", True),
        ("__s__:value NOT LIKE 'it%'", False),
        ("__s__:value IN ('a', 'it\\'s malicious')", True),
        ("__s__:value NOT IN ('a', 'b')", True),
        ("__s__:value != ''", True),
        ("__b__:value = true", True),
        ("__b__:value != 'true'", False),
        ("__ip__:value ISSUBSET '10.0.0.0/8'", True),
        ("__ip__:value = '10.1.2.3/32'", True),
        ("__h__:value = '" + "ab" * 32 + "'", True),
        ("EXISTS __u__:value", False),
        ("EXISTS __s__:value", True),
        ("[__n__:value = 10]", True),
        ("__n__:value = 1 OR __n__:value = 2 AND __n__:value = 10 OR __n__:value = 10", True),
        ("(__n__:value = 10 OR __n__:value = 2) AND __n__:value = 3", False),
        ("NOT (__n__:value = 10)", False),
        ("__n__:value = 10 OR __u__:value = 'x'", True),
        ("__n__:value = 11 AND __u__:value = 'x'", False),
    ],
)
def test_a_condition_is_decided_by_the_declared_type(source: str, expected: bool) -> None:
    assert evaluate(source, VALUES, DECLARED) is expected


@pytest.mark.parametrize(
    "source",
    [
        "verdict == 'malicious'",
        "attacker_IP != None",
        "$$x$$ > 5",
        "__n__:value",
        "__n__:value =",
        "__n__:value = 3 4",
        "__n__:value = 3abc",
        "__n__:value = 'three'",
        "__s__:value = 3",
        "__s__:value = 'open",
        "__b__:value > false",
        "__ip__:value = 'nowhere'",
        "__missing__:value = 'x'",
        "__u__:value = 'x'",
        "__n__:value = 11 OR __u__:value = 'x'",
        "NOT (__u__:value = 'x')",
        "__s__:value MATCHES '(a+)+$'",
        "(" * 200 + "__n__:value = 1" + ")" * 200,
        "",
    ],
)
def test_what_cannot_be_decided_is_unreadable_and_never_false(source: str) -> None:
    found = evaluate(source, VALUES, DECLARED)
    assert isinstance(found, Unreadable)
    assert found.reason


@given(st.text(max_size=60) | st.text(alphabet="()'=<>!_n:valueANDORTI 1,[]", max_size=60))
def test_no_text_makes_the_parser_fall_over(source: str) -> None:
    assert isinstance(evaluate(source, VALUES, DECLARED), bool | Unreadable)


@given(st.text(alphabet="ab%_", max_size=12), st.text(alphabet="ab", max_size=12))
def test_like_agrees_with_its_definition(pattern: str, value: str) -> None:
    def slow(p: str, v: str) -> bool:
        if not p:
            return not v
        if p[0] == "%":
            return any(slow(p[1:], v[n:]) for n in range(len(v) + 1))
        return bool(v) and p[0] in {"_", v[0]} and slow(p[1:], v[1:])

    assert like(value, pattern) == slow(pattern, value)


def test_check_names_what_can_never_be_decided() -> None:
    assert check("__n__:value > 3", DECLARED) == []
    assert "not declared" in check("__x__:value = 'a'", DECLARED)[0]
    assert "integer" in check("__n__:value = 'three'", DECLARED)[0]
    assert "cannot be read" in check("x == 'a'", DECLARED)[0]


@given(st.text(alphabet="ab\n", max_size=12), st.text(alphabet="ab%_\n", max_size=8))
def test_like_means_what_a_simple_reading_of_it_means(value: str, pattern: str) -> None:
    def matches(text: str, rest: str) -> bool:
        if not rest:
            return not text
        if rest[0] == "%":
            return any(matches(text[at:], rest[1:]) for at in range(len(text) + 1))
        return bool(text) and rest[0] in {"_", text[0]} and matches(text[1:], rest[1:])

    assert like(value, pattern) == matches(value, pattern)


@pytest.mark.parametrize("literal", ["'NaN'", "'Infinity'", "'sNaN'"])
@pytest.mark.parametrize("operator", ["<", "=", ">=", "!="])
def test_what_is_no_finite_number_decides_nothing(literal: str, operator: str) -> None:
    declared = {"__n__": Variable(type="float", value="1")}
    assert isinstance(evaluate(f"__n__:value {operator} {literal}", {"__n__": "1"}, declared), Unreadable)


def test_a_condition_without_end_is_asked_of_a_person() -> None:
    assert isinstance(parse(" OR ".join(["__n__:value = 1"] * 500)), Unreadable)
