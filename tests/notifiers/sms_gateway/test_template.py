"""A registered template against a released text."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifiers.errors import BadGateway, BadMessage
from notifiers.sms_gateway.template import Pattern, parameters_in, pattern_of, without_signature
from notifiers.sms_gateway.terms import SignaturePlace, Syntax

FIXED = st.text("，。ab", min_size=1, max_size=3)
VALUE = st.text("，。abcd张", min_size=1, max_size=6)


@st.composite
def patterns(draw: st.DrawFn) -> Pattern:
    names = draw(st.lists(st.text("xyz", min_size=1, max_size=3), unique=True, max_size=5))
    inner = [draw(FIXED) for _ in names[1:]]
    ends = [draw(st.just("") | FIXED) for _ in range(2)]
    fixed = (ends[0], *inner, ends[1]) if names else (draw(FIXED),)
    return Pattern(fixed, tuple(names))


@given(patterns(), st.data())
def test_what_is_found_gives_the_released_text_again(pattern: Pattern, data: st.DataObject) -> None:
    values = {name: data.draw(VALUE) for name in pattern.names}
    text = pattern.text_with(values)
    found = parameters_in(text, pattern, 6)
    assert found is not None
    assert pattern.text_with(found) == text
    assert list(found) == list(pattern.names)
    assert all(1 <= len(value) <= 6 for value in found.values())


@given(patterns(), st.text("，。abcd张", max_size=20), st.integers(1, 6))
def test_no_text_is_taken_for_what_it_is_not(pattern: Pattern, text: str, longest: int) -> None:
    found = parameters_in(text, pattern, longest)
    if found is None:
        return
    assert pattern.text_with(found) == text
    assert all(1 <= len(value) <= longest for value in found.values())


@pytest.mark.parametrize("syntax", [Syntax.named, Syntax.numbered])
def test_a_template_is_taken_apart_and_put_together(syntax: Syntax) -> None:
    named = syntax is Syntax.named
    text = "${name}您好：核验码${code}。" if named else "{2}您好：核验码{1}。"
    pattern = pattern_of(text, syntax)
    assert pattern.fixed == ("", "您好：核验码", "。")
    assert pattern.names == (("name", "code") if named else ("2", "1"))
    found = parameters_in("张三您好：核验码K7-4M2。", pattern, 35)
    assert found == dict(zip(pattern.names, ("张三", "K7-4M2"), strict=True))


def test_a_limit_chooses_the_way_of_reading_that_keeps_it() -> None:
    pattern = pattern_of("${a}，${b}。", Syntax.named)
    assert parameters_in("x，yyyyyy，z。", pattern, 8) == {"a": "x", "b": "yyyyyy，z"}
    assert parameters_in("xxxxxx，y，z。", pattern, 6) == {"a": "xxxxxx", "b": "y，z"}
    assert parameters_in("yyyyyyyy，z。", pattern, 6) is None


def test_a_template_without_variables_is_its_text() -> None:
    pattern = pattern_of("请登录官网查询。", Syntax.numbered)
    assert parameters_in("请登录官网查询。", pattern, 6) == {}
    assert parameters_in("请登录官网查询。 ", pattern, 6) is None


@pytest.mark.parametrize(
    ("text", "syntax"),
    [
        ("", Syntax.named),
        ("${a}${b}。", Syntax.named),
        ("${a}您好，${a}。", Syntax.named),
        ("{1}{2}", Syntax.numbered),
        ("{1}您好{3}。", Syntax.numbered),
        ("{2}您好。", Syntax.numbered),
        ("{1}您好{0}。", Syntax.numbered),
        ("{100}您好。", Syntax.numbered),
        ("${姓名}您好。", Syntax.named),
        ("${name您好。", Syntax.named),
    ],
)
def test_a_template_that_cannot_be_read_back_is_refused(text: str, syntax: Syntax) -> None:
    with pytest.raises(BadGateway):
        pattern_of(text, syntax)


def test_a_text_made_to_be_slow_is_not() -> None:
    pattern = pattern_of("，".join(f"${{v{at}}}" for at in range(20)) + "。", Syntax.named)
    began = time.process_time()
    assert parameters_in("，" * 500, pattern, 35) is None
    assert time.process_time() - began < 2


def test_the_signature_is_taken_off_where_the_gateway_puts_it() -> None:
    assert without_signature("【示例】您好", "示例", SignaturePlace.front) == "您好"
    assert without_signature("您好【示例】", "示例", SignaturePlace.back) == "您好"
    assert without_signature("您好", "示例", SignaturePlace.nowhere) == "您好"


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("您好", SignaturePlace.front),
        ("您好【示例】", SignaturePlace.front),
        ("[示例]您好", SignaturePlace.front),
        ("【示例公司】您好", SignaturePlace.front),
        ("【示例】您好", SignaturePlace.back),
    ],
)
def test_a_text_without_the_signature_there_would_read_otherwise_and_is_refused(
    text: str, place: SignaturePlace
) -> None:
    with pytest.raises(BadMessage) as refused:
        without_signature(text, "示例", place)
    assert refused.value.where == "template"
