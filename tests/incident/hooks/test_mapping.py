from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incident.hooks.library import SHIPPED, read_source, read_sources
from incident.hooks.mapping import MAX_ITEMS, CompiledSource, compile_source, map_body
from incident.hooks.values import Alert, FieldWarning, PeopleEstimate, Severity, Status, Trouble, WhyUnmapped

SOURCES = read_sources([SHIPPED])
GENERIC = SOURCES["generic"]

HEAD = """\
id: own
title: 自有系统
auth: {kind: header_token, secret: env:OWN}
"""


def source(rest: str) -> CompiledSource:
    return read_source(HEAD + rest, name="own.yaml")


def mapped(compiled: CompiledSource, item: object) -> Alert:
    result = map_body(compiled, json.dumps(item).encode())
    (alert,) = result.alerts
    assert (result.unmapped, result.ignored, result.left_over) == ((), 0, 0)
    return alert


def test_a_full_alert_has_all_its_fields() -> None:
    alert = mapped(
        GENERIC,
        {
            "id": "m-1",
            "title": "T",
            "severity": "High",
            "status": "resolved",
            "time": "2026-11-19T08:30:00+08:00",
        }
        | {
            "host": "h",
            "hosts": ["h", "i"],
            "user": 7,
            "ip": ["10.0.0.1", "x"],
            "data": ["d"],
            "data_types": "name",
        }
        | {"people_estimate": 12000, "link": "https://t.example/1"},
    )
    assert (alert.source, alert.external_id, alert.title) == ("generic", "m-1", "T")
    assert (alert.severity, alert.status) == (Severity.high, Status.resolved)
    assert alert.occurred_at == datetime(2026, 11, 19, 0, 30, tzinfo=UTC)
    assert (alert.hosts, alert.users, alert.ips) == (("h", "i"), ("7",), ("10.0.0.1",))
    assert (alert.data, alert.data_types, alert.link) == (("d",), ("name",), "https://t.example/1")
    assert alert.people_estimate == PeopleEstimate(12000, "people_estimate")
    assert alert.warnings == (FieldWarning("ips", Trouble.unconvertible, "ip"),)


def test_a_bare_alert_is_kept_and_says_what_is_missing() -> None:
    alert = mapped(GENERIC, {"note": "x"})
    empty = {one.field for one in alert.warnings if one.trouble is Trouble.empty}
    assert {"title", "severity", "occurred_at", "hosts", "people_estimate"} <= empty
    assert (alert.title, alert.severity, alert.status) == ("", Severity.unknown, Status.firing)
    assert alert.occurred_at is None


def test_alerts_without_any_dedupe_value_do_not_become_one() -> None:
    one, two = mapped(GENERIC, {"note": "x"}), mapped(GENERIC, {"note": "y"})
    assert one.dedupe_key != two.dedupe_key
    assert one.dedupe_key == mapped(GENERIC, {"note": "x"}).dedupe_key
    assert FieldWarning("dedupe", Trouble.dedupe_by_content) in one.warnings


def test_one_missing_dedupe_value_is_null_and_warned() -> None:
    wazuh = SOURCES["wazuh"]
    item: dict[str, Any] = {"rule": {"id": "1", "level": 12, "description": "d"}, "agent": {"id": "7"}}
    alert = mapped(wazuh, item | {"id": "a"})
    assert alert.dedupe_values == (("rule.id", "1"), ("agent.id", "7"), ("data.srcip", None))
    assert FieldWarning("dedupe", Trouble.dedupe_value_missing, "data.srcip") in alert.warnings
    assert alert.dedupe_key == mapped(wazuh, item | {"id": "b"}).dedupe_key
    assert alert.content_hash != mapped(wazuh, item | {"id": "b"}).content_hash
    assert alert.dedupe_key != mapped(wazuh, item | {"data": {"srcip": "10.0.0.1"}}).dedupe_key


def test_the_first_pick_that_can_be_read_counts() -> None:
    compiled = source("fields: {title: [a, b], occurred_at: {pick: [t, u], time: s}}\ndedupe: [a]\n")
    alert = mapped(compiled, {"a": {"no": "text"}, "b": "words", "t": "yesterday", "u": 1794902561})
    assert alert.title == "words"
    assert alert.occurred_at is not None
    assert FieldWarning("title", Trouble.unconvertible, "a") in alert.warnings
    assert FieldWarning("occurred_at", Trouble.unconvertible, "t") in alert.warnings


def test_constants_defaults_and_words_apply() -> None:
    compiled = source(
        "fields:\n"
        "  title: {pick: [t], default: untitled}\n"
        "  status: {const: firing}\n"
        "  severity: {pick: [s], default: medium}\n"
        "  external_id: {const: fixed}\n"
        "  data_types: {pick: [kinds], words: {PHONE_NUMBER: phone}}\n"
        "dedupe: [t]\n"
    )
    alert = mapped(compiled, {"s": "loud", "status": "resolved", "kinds": ["phone_number", "shoe size"]})
    assert (alert.title, alert.status, alert.external_id) == ("untitled", Status.firing, "fixed")
    assert (alert.severity, alert.data_types) == (Severity.medium, ("phone", "shoe size"))
    assert FieldWarning("severity", Trouble.default_used) in alert.warnings


def test_a_time_without_zone_is_warned_about() -> None:
    alert = mapped(GENERIC, {"id": 1, "title": "t", "time": "2026-11-19T08:30:00"})
    assert FieldWarning("occurred_at", Trouble.zone_assumed, "time") in alert.warnings


def test_one_body_may_hold_many_alerts_and_odd_ones_do_not_hurt_the_others() -> None:
    compiled = source("items: alerts\nignore_if: [\"kind == 'test'\"]\nfields: {title: [t]}\ndedupe: [t]\n")
    items = [{"t": "a"}, 5, {"t": "b", "kind": "test"}, None, ["x"], {"t": "c"}]
    result = map_body(compiled, json.dumps({"alerts": items}).encode())
    assert [one.title for one in result.alerts] == ["a", "c"]
    assert [one.reason for one in result.unmapped] == [WhyUnmapped.not_an_object] * 2
    assert len({one.dedupe_key for one in result.unmapped}) == 2
    assert result.ignored == 1


def test_items_beyond_the_limit_are_counted() -> None:
    result = map_body(GENERIC, json.dumps([{"id": n, "title": "t"} for n in range(MAX_ITEMS + 7)]).encode())
    assert (len(result.alerts), result.left_over) == (MAX_ITEMS, 7)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"{", WhyUnmapped.not_json),
        (b"[]", WhyUnmapped.no_items),
        (b"null", WhyUnmapped.no_items),
        (b"[null]", WhyUnmapped.no_items),
        (b'"x"', WhyUnmapped.not_an_object),
    ],
)
def test_what_cannot_be_read_is_unmapped_with_its_reason_and_a_steady_key(
    body: bytes, reason: WhyUnmapped
) -> None:
    (one,) = map_body(GENERIC, body).unmapped
    assert one.reason is reason
    assert one == map_body(GENERIC, body).unmapped[0]
    assert one.dedupe_key != map_body(SOURCES["falco"], body).unmapped[0].dedupe_key


def test_an_error_of_ours_is_unmapped_too(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(_: object) -> str:
        raise ZeroDivisionError("private words")

    monkeypatch.setattr("incident.hooks.mapping.content_hash", fails)
    (one,) = map_body(GENERIC, b'{"title": "t"}').unmapped
    assert (one.reason, one.detail) == (WhyUnmapped.mapping_failed, "ZeroDivisionError")


def test_a_function_that_refuses_its_type_finds_nothing() -> None:
    compiled = source("fields: {title: [t], external_id: \"join('#', [a, b])\"}\ndedupe: [t]\n")
    assert mapped(compiled, {"t": "x", "a": 1}).external_id is None
    assert mapped(compiled, {"t": "x", "a": "1", "b": "2"}).external_id == "1#2"


def test_integers_beyond_2_to_53_survive() -> None:
    alert = mapped(GENERIC, {"id": 9007199254740993, "title": "t"})
    assert alert.external_id == "9007199254740993"
    assert alert.dedupe_key != mapped(GENERIC, {"id": 9007199254740992, "title": "t"}).dedupe_key
    assert "9007199254740993" in alert.raw


def test_texts_are_one_plain_line_and_bounded() -> None:
    alert = mapped(
        GENERIC, {"id": "a\u0000b", "title": "one\r\n two\u202e\u001b[31m " + "x" * 900, "host": "h\nost"}
    )
    assert alert.external_id == "ab"
    assert alert.title.startswith("one two[31m x")
    assert len(alert.title) == 500
    assert alert.hosts == ("h ost",)
    assert FieldWarning("title", Trouble.cut_short) in alert.warnings


def test_a_dangerous_link_is_left_out() -> None:
    alert = mapped(GENERIC, {"id": 1, "title": "t", "link": "javascript:alert(1)"})
    assert alert.link is None
    assert FieldWarning("link", Trouble.unconvertible) in alert.warnings


def test_secrets_in_the_raw_alert_are_redacted_and_its_length_is_bounded() -> None:
    compiled = source("fields: {title: [t]}\ndedupe: [t]\nkeep_raw: {redact: [pass], max_bytes: 1024}\n")
    alert = mapped(compiled, {"t": "x", "in": [{"userPASSword": {"deep": "hunter2"}, "port": 1}]})
    assert alert.raw == '{"t":"x","in":[{"userPASSword":"[redacted]","port":1}]}'
    long = mapped(compiled, {"t": "x", "long": "界" * 1000})
    assert len(long.raw.encode()) <= 1024
    assert FieldWarning("raw", Trouble.cut_short) in long.warnings


def test_a_workspaces_own_secrets_and_addresses_replace_the_sources() -> None:
    own = GENERIC.with_settings(secrets=["file:/run/secret", "env:NEXT"], allow_cidrs=["10.0.0.0/8"])
    assert own.source.secret_references == ("file:/run/secret", "env:NEXT")
    assert [str(one) for one in own.source.networks] == ["10.0.0.0/8"]
    assert GENERIC.source.secret_references == ("env:GENERIC_HOOK_TOKEN",)
    assert GENERIC.with_settings().source == GENERIC.source
    with pytest.raises(ValueError, match="env:NAME"):
        GENERIC.with_settings(secrets=["hunter2"])


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
# Documents with the keys that the sources look for, so that the converters see odd values.
_keys = st.sampled_from(
    [
        "id",
        "title",
        "severity",
        "time",
        "timestamp",
        "host",
        "ip",
        "data",
        "people_estimate",
        "link",
        "rule",
        "level",
        "agent",
        "alerts",
        "labels",
        "startsAt",
        "detail",
        "service",
        "action",
        "alert",
        "number",
        "status",
        "output_fields",
        "evt.time",
        "priority",
        "resource",
        "s3BucketDetails",
        "commonLabels",
        "repository",
    ]
)
_documents = st.recursive(
    _json,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_keys, inner, max_size=6),
    max_leaves=15,
)


@given(st.sampled_from(sorted(SOURCES)), _documents)
def test_no_json_makes_the_mapping_raise_fail_or_lose_anything(name: str, document: Any) -> None:
    result = map_body(SOURCES[name], json.dumps(document).encode())
    assert len(result.alerts) + len(result.unmapped) + result.ignored >= 1
    assert all(one.reason is not WhyUnmapped.mapping_failed for one in result.unmapped)
    for alert in result.alerts:
        assert alert.occurred_at is None or alert.occurred_at.tzinfo is UTC
        repr(alert).encode()
        alert.title.encode()


@given(st.sampled_from(sorted(SOURCES)), st.binary(max_size=200))
def test_no_bytes_make_the_mapping_raise(name: str, body: bytes) -> None:
    result = map_body(SOURCES[name], body)
    assert len(result.alerts) + len(result.unmapped) + result.ignored >= 1


def test_compiling_a_source_again_gives_the_same_alerts() -> None:
    again = compile_source(GENERIC.source)
    assert mapped(again, {"id": 1, "title": "t"}) == mapped(GENERIC, {"id": 1, "title": "t"})
