from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from incident.errors import BadInput, NotFound
from incident.hooks.library import SHIPPED, BadSource, read_source, read_source_file, read_sources
from incident.hooks.lint import Level, alert_to_json, lint_source, try_samples
from incident.hooks.mapping import map_body

SAMPLES = Path(__file__).parents[3] / ".." / "shared" / "samples" / "alerts"
SOURCES = read_sources([SHIPPED])
SENDER_OF = {
    "alertmanager_v4_firing": "alertmanager",
    "wazuh_integrator": "wazuh",
    "aws_guardduty_eventbridge": "guardduty",
    "falco_http_output": "falco",
    "github_dependabot_alert": "github-dependabot",
    "cloudevents_structured": "cloudevents",
    "standard_webhooks_signed": "standard-webhooks",
    "generic_flat": "generic",
}
GOOD = """\
id: own
title: {zh-Hans: 自有系统, en: Own system}
auth:
  kind: header_token
  secret: env:OWN_TOKEN
fields:
  title: [t]
  severity:
    pick: [s]
    bands: [[9, high], [1, low]]
  occurred_at: [time]
dedupe: [t]
samples: [samples/own.json]
"""


def expectations() -> list[dict[str, Any]]:
    file = SAMPLES / "expected.jsonl"
    return [json.loads(line) for line in file.read_text("utf-8").splitlines()] if file.exists() else []


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="the shared samples are not beside this checkout")
@pytest.mark.parametrize("name", sorted(SENDER_OF))
def test_recorded_alerts_become_what_is_expected(name: str) -> None:
    (expected,) = [one for one in expectations() if one["name"] == name]
    (alert,) = map_body(SOURCES[SENDER_OF[name]], (SAMPLES / f"{name}.json").read_bytes()).alerts
    found = alert_to_json(alert)
    assert str(alert.occurred_at).replace("000+", "+") == str(_time(expected["time"])).replace("000+", "+")
    assert {"dedupe", "dedupe_fields"} & expected.keys()
    if "dedupe_fields" in expected:
        assert found["dedupe"] == expected["dedupe_fields"]
    else:
        assert "#".join(str(one) for _, one in alert.dedupe_values) == expected["dedupe"]
    if "people_estimate" in expected:
        assert alert.people_estimate is not None
        assert alert.people_estimate.count == expected["people_estimate"]
    same = {"status", "severity", "title", "hosts", "users", "ips", "data", "data_types"} & expected.keys()
    assert {field: found[field] for field in same} == {field: expected[field] for field in same}


def _time(text: str) -> object:
    from datetime import datetime

    return datetime.fromisoformat(text)


def test_every_expectation_has_a_sender() -> None:
    assert {one["name"] for one in expectations()} <= SENDER_OF.keys()


@pytest.mark.parametrize("name", sorted(SOURCES))
def test_a_shipped_source_has_no_findings_and_its_samples_come_out_right(name: str) -> None:
    assert lint_source((SHIPPED / f"{name}.yaml").read_text("utf-8"), name=name) == ()
    results = try_samples(SOURCES[name], SHIPPED)
    assert results
    for one in results:
        assert (one.ok, one.differences) == (True, ())
        assert (SHIPPED / one.sample).with_suffix(".expected.json").exists()


@pytest.mark.parametrize(
    ("old", "new", "line", "path"),
    [
        ("id: own", "id: Own Source", 1, "id"),
        ("id: own", "id: own\ncolour: red", 2, "colour"),
        ("  kind: header_token", "  kind: magic", 3, "auth"),
        ("env:OWN_TOKEN", "hunter2", 5, "auth.secret.0"),
        ("env:OWN_TOKEN", "[env:A, env:B, env:C]", 5, "auth.secret"),
        ("  kind: header_token", "  kind: header_token\n  header: 'a b'", 5, "auth.header"),
        ("  kind: header_token\n  secret: env:OWN_TOKEN", "  kind: none", 3, "auth"),
        ("  kind: header_token", "  kind: header_token\n  allow_cidrs: [10.0.0.0/8, 10.0.0.300]", 5, None),
        ("title: [t]", "title: ['a[']", 7, "fields.title.pick.0"),
        ("[[9, high], [1, low]]", "[[1, low], [9, high]]", 8, "fields.severity"),
        ("[[9, high], [1, low]]", "[[9, loud]]", 10, None),
        ("occurred_at: [time]", "occurred_at: {pick: [time], time: h}", 11, "fields.occurred_at.time"),
        ("occurred_at: [time]", "occurred_at: {pick: [time], zone: Mars}", 11, "fields.occurred_at.zone"),
        ("dedupe: [t]", "dedupe: []", 12, "dedupe"),
        ("samples/own.json", "../own.json", 13, "samples.0"),
        ("samples/own.json", "/etc/passwd", 13, "samples.0"),
        ("dedupe: [t]", "dedupe: [t]\nshow: {title: '{{ title }'}", 13, "show"),
        ("dedupe: [t]", "dedupe: [t]\nshow: {title: '{{ titel }}'}", 13, "show"),
        (
            "dedupe: [t]",
            "dedupe: [t]\nstart: {playbook: p, when: {severity: [high], has: data}}",
            13,
            "start.when",
        ),
        ("dedupe: [t]", "dedupe: [t]\nstart: {playbook: p, when: {any: []}}", 13, "start.when"),
        ("dedupe: [t]", "dedupe: [t]\ndedupe: [t]", 13, ""),
        ("title: [t]", "title: [t", None, ""),
        ("{zh-Hans: 自有系统, en: Own system}", "{en: Own system}", 1, ""),
    ],
)
def test_each_mistake_is_found_on_its_line(old: str, new: str, line: int | None, path: str | None) -> None:
    assert old in GOOD
    findings = lint_source(GOOD.replace(old, new, 1), name="own.yaml")
    assert findings
    assert all(one.level is Level.error for one in findings)
    assert all("hunter2" not in one.why for one in findings)
    assert line is None or line in {one.line for one in findings}
    assert path is None or path in {one.path for one in findings}


def test_all_mistakes_are_listed_at_once_and_the_error_names_the_first() -> None:
    text = GOOD.replace("id: own", "id: Own").replace("[t]\nsamples", "['[']\nsamples")
    with pytest.raises(BadSource) as caught:
        read_source(text, name="own.yaml")
    assert [one.line for one in caught.value.problems] == [1, 12]
    assert caught.value.where == "own.yaml:1"
    assert "(1 more)" in str(caught.value)


@pytest.mark.parametrize("text", ["", "- a\n", "5\n", "\x00", "a: !!python/object:os.system x\n", "{" * 5000])
def test_what_is_no_source_at_all_is_refused(text: str) -> None:
    with pytest.raises(BadSource):
        read_source(text, name="own.yaml")


def test_a_good_source_has_no_findings_and_no_stays_norway() -> None:
    assert lint_source(GOOD, name="own.yaml") == ()
    compiled = read_source(GOOD.replace("pick: [s]", "pick: [s]\n    words: {NO: high}"), name="own.yaml")
    assert list(compiled.source.fields.severity.words) == ["NO"]


@pytest.mark.parametrize(
    ("old", "new", "path", "line"),
    [
        ("kind: header_token", "kind: url_token", "auth", 3),
        ("kind: header_token\n  secret: env:OWN_TOKEN", "kind: none\n  allow_cidrs: [10.0.0.1]", "auth", 3),
        ("  occurred_at: [time]\n", "", "fields", 6),
        ("samples: [samples/own.json]\n", "", "samples", 1),
    ],
)
def test_weak_points_are_warnings(old: str, new: str, path: str, line: int) -> None:
    text = GOOD.replace(old, new)
    (finding,) = lint_source(text, name="own.yaml")
    assert (finding.level, finding.path, finding.line) == (Level.warning, path, line)
    assert read_source(text, name="own.yaml").source.weak_auth is (path == "auth")


def test_the_workspaces_copy_wins_over_the_shipped_one(tmp_path: Path) -> None:
    (tmp_path / "wazuh.yaml").write_text(GOOD.replace("id: own", "id: wazuh"), "utf-8")
    found = read_sources([tmp_path, tmp_path / "nowhere", SHIPPED])
    assert found["wazuh"].source.title["en"] == "Own system"
    assert found.keys() == SOURCES.keys()


def test_a_file_is_named_after_its_source(tmp_path: Path) -> None:
    (tmp_path / "other.yaml").write_text(GOOD, "utf-8")
    with pytest.raises(BadSource, match="its id own"):
        read_sources([tmp_path])
    with pytest.raises(NotFound):
        read_source_file(tmp_path / "none.yaml")
    (tmp_path / "latin.yaml").write_bytes("id: ü".encode("latin-1"))
    with pytest.raises(BadSource, match="UTF-8"):
        read_source_file(tmp_path / "latin.yaml")


def test_samples_show_what_differs_and_what_came_out_empty(tmp_path: Path) -> None:
    compiled = read_source(GOOD, name="own.yaml")
    with pytest.raises(NotFound):
        try_samples(compiled, tmp_path)
    sample = tmp_path / "samples" / "own.json"
    sample.parent.mkdir()
    sample.write_text('{"t": "words", "time": 1794902561}')
    (result,) = try_samples(compiled, tmp_path)
    assert (result.ok, result.empty) == (True, ("severity",))

    expected = sample.with_suffix(".expected.json")
    expected.write_text('[{"title": "other", "severity": "unknown"}]')
    (result,) = try_samples(compiled, tmp_path)
    assert result.differences == ('title: "other" expected, "words" found',)
    expected.write_text("[]")
    (result,) = try_samples(compiled, tmp_path)
    assert result.differences == ("0 alerts expected, 1 found",)
    expected.write_text("[1]")
    with pytest.raises(BadInput):
        try_samples(compiled, tmp_path)
    sample.write_text("{")
    expected.unlink()
    assert not try_samples(compiled, tmp_path)[0].ok
