from __future__ import annotations

import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incident.hooks.library import read_source
from incident.hooks.mapping import CompiledSource, map_body
from incident.hooks.rules import playbook_to_start
from incident.hooks.show import incident_title, plain_text, unmapped_title
from incident.hooks.values import Alert

BASE = """\
id: own
title: {zh-Hans: 自有系统, en: Own system}
auth: {kind: header_token, secret: env:OWN_TOKEN}
fields: {title: [t], status: [st], severity: [s], hosts: [h], data_types: [d], people_estimate: [n]}
dedupe: [t]
"""


def source(rest: str = "") -> CompiledSource:
    return read_source(BASE + rest, name="own.yaml")


def alert(compiled: CompiledSource, **item: object) -> Alert:
    return map_body(compiled, json.dumps(item).encode()).alerts[0]


def test_a_title_is_the_alerts_own_and_never_empty() -> None:
    own = source()
    assert incident_title(own.source, alert(own, t="Leak"), language="zh-Hans") == "Leak"
    assert incident_title(own.source, alert(own), language="zh-Hans") == "自有系统告警（未附标题）"
    assert incident_title(own.source, alert(own), language="en") == "Own system: alert without a title"
    assert incident_title(own.source, alert(own), language="fr") == "Own system: alert without a title"
    assert unmapped_title(own.source, language="en") == "Own system: alert that could not be read"
    assert unmapped_title(own.source, language="zh-Hans") == "自有系统告警（内容无法解析）"


def test_a_template_words_the_title_and_treats_what_was_sent_as_data() -> None:
    own = source("show: {title: \"[{{ severity }}] {{ title }} ({{ hosts | join(', ') }})\"}\n")
    evil = alert(own, t="{{ 7 * 7 }}{% for x in [] %}", s="high", h=["a", "{{ self }}"])
    title = incident_title(own.source, evil, language="en")
    assert title == "[high] {{ 7 * 7 }}{% for x in [] %} (a, {{ self }})"
    bare = source()
    assert incident_title(bare.source, alert(bare, t="{{ 7 * 7 }}"), language="en") == "{{ 7 * 7 }}"


@pytest.mark.parametrize(
    "template", ["{{ hosts[3].upper() }}", "{{ 1 // (hosts | length) }}", "{{ title.__class__.__mro__ }}"]
)
def test_a_template_that_fails_gives_way_to_the_alerts_title(template: str) -> None:
    own = source(f'show: {{title: "{template}"}}\n')
    assert incident_title(own.source, alert(own, t="Leak"), language="en") == "Leak"


@given(st.text(st.characters(), max_size=300), st.integers(1, 60))
def test_plain_text_is_one_clean_bounded_line(text: str, limit: int) -> None:
    plain = plain_text(text, limit)
    assert len(plain) <= limit
    assert plain == plain.strip()
    assert all(unicodedata.category(char) not in {"Cc", "Cs", "Zl", "Zp"} for char in plain)
    assert not set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f") & set(plain)
    plain.encode()


def test_plain_text_leaves_words_of_all_languages_as_they_are() -> None:
    assert plain_text("客户资料  外泄\t😀 naïve", 50) == "客户资料 外泄 😀 naïve"
    assert plain_text("x" * 11, 10) == "x" * 9 + "…"


@pytest.mark.parametrize(
    ("when", "item", "starts"),
    [
        ("{severity: [high, critical]}", {"s": "high"}, True),
        ("{severity: [high, critical]}", {"s": "medium"}, False),
        ("{severity: [high, critical]}", {}, False),
        ("{severity: [unknown]}", {}, True),
        ("{has: data_types}", {"d": ["name"]}, True),
        ("{has: data_types}", {"d": []}, False),
        ("{has: people_estimate}", {"n": 0}, True),
        ("{has: people_estimate}", {"n": "many"}, False),
        ("{any: [{severity: [high]}, {has: data_types}]}", {"d": ["name"]}, True),
        ("{any: [{severity: [high]}, {has: data_types}]}", {"s": "low"}, False),
        ("{all: [{severity: [high]}, {has: data_types}]}", {"s": "high"}, False),
        ("{all: [{severity: [high]}, {has: data_types}]}", {"s": "high", "d": "name"}, True),
        ("{severity: [high]}", {"s": "high", "st": "resolved"}, False),
    ],
)
def test_a_playbook_starts_only_where_its_condition_holds(
    when: str, item: dict[str, object], starts: bool
) -> None:
    own = source(f"start: {{playbook: triage, when: {when}}}\n")
    assert playbook_to_start(own.source, alert(own, t="x", **item)) == ("triage" if starts else None)


def test_a_source_without_a_rule_starts_nothing() -> None:
    own = source()
    assert playbook_to_start(own.source, alert(own, t="x", s="critical")) is None
