from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incident.hooks.dedupe import Arrival, Earlier, content_hash, dedupe_key, judge_arrival, severity_after
from incident.hooks.values import Alert, Severity, Status

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
ALERT = Alert(
    source="wazuh",
    external_id=None,
    dedupe_key="k",
    dedupe_values=(),
    content_hash="c1",
    status=Status.firing,
    title="t",
    severity=Severity.high,
    occurred_at=None,
    hosts=(),
    users=(),
    ips=(),
    data=(),
    data_types=(),
    people_estimate=None,
    link=None,
    warnings=(),
    raw="{}",
)


def test_the_key_is_the_hash_of_the_canonical_json() -> None:
    expected = hashlib.sha256(b'["wazuh",[["rule.id","31533"],["agent.id",null]]]').hexdigest()
    assert dedupe_key("wazuh", [("rule.id", "31533"), ("agent.id", None)]) == expected


def test_borders_names_types_and_gaps_all_count() -> None:
    keys = [
        dedupe_key("s", [("a", "a"), ("b", "bc")]),
        dedupe_key("s", [("a", "ab"), ("b", "c")]),
        dedupe_key("s", [("b", "a"), ("a", "bc")]),
        dedupe_key("s2", [("a", "a"), ("b", "bc")]),
        dedupe_key("s", [("a", None), ("b", "bc")]),
        dedupe_key("s", [("a", ""), ("b", "bc")]),
        dedupe_key("s", [("a", 1), ("b", "bc")]),
        dedupe_key("s", [("a", "1"), ("b", "bc")]),
        dedupe_key("s", [("a", True), ("b", "bc")]),
    ]
    assert len(set(keys)) == len(keys)


def test_integers_beyond_what_a_double_holds_stay_apart() -> None:
    assert dedupe_key("s", [("a", 2**53)]) != dedupe_key("s", [("a", 2**53 + 1)])
    assert dedupe_key("s", [("a", [{"b": -(2**70)}])]) != dedupe_key("s", [("a", [{"b": -(2**70) - 1}])])


@given(st.dictionaries(st.text(), st.integers() | st.text() | st.booleans(), min_size=2))
def test_the_order_of_keys_is_no_content(item: dict[str, int | str | bool]) -> None:
    assert content_hash(dict(item)) == content_hash(dict(reversed(item.items())))


@pytest.mark.parametrize(
    ("earlier", "status", "arrival"),
    [
        (None, Status.firing, Arrival.opens),
        (None, Status.resolved, Arrival.opens),
        (Earlier("c1", None), Status.firing, Arrival.repeats),
        (Earlier("c1", None), Status.resolved, Arrival.repeats),
        (Earlier("c0", None), Status.firing, Arrival.changes),
        (Earlier("c0", None), Status.resolved, Arrival.resolves),
        (Earlier("c1", NOW - timedelta(hours=24)), Status.firing, Arrival.asks_reopen),
        (Earlier("c1", NOW - timedelta(hours=24, seconds=1)), Status.firing, Arrival.opens),
        (Earlier("c0", NOW - timedelta(days=9)), Status.resolved, Arrival.resolves),
    ],
)
def test_what_one_more_alert_means(earlier: Earlier | None, status: Status, arrival: Arrival) -> None:
    assert judge_arrival(replace(ALERT, status=status), earlier, now=NOW) is arrival


@given(st.sampled_from(Severity), st.sampled_from(Severity))
def test_an_alert_never_lowers_a_severity(current: Severity, arriving: Severity) -> None:
    order = [Severity.unknown, Severity.low, Severity.medium, Severity.high, Severity.critical]
    after = severity_after(current, arriving)
    assert order.index(after) == max(order.index(current), order.index(arriving))
