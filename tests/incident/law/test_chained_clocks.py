"""Clocks that start at an earlier submission, a second clock of one duty, texts not in force, laws that bind only some."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from incident.errors import BadInput
from incident.law.conditions import parse_condition
from incident.law.evaluate import evaluate
from incident.law.findings import Duty, Finding, Outcome
from incident.law.regimes import Regime, load_regime
from incident.record.facts import Interval

NOW = datetime(2026, 11, 23, 3, tzinfo=UTC)
AWARE = datetime(2026, 11, 20, 9, tzinfo=UTC)
BOTH = {"zh-Hans": "甲", "en": "a"}

RULES: dict[str, Any] = {
    "id": "xx-chain",
    "title": BOTH,
    "authority": BOTH,
    "country": "EU",
    "zone": "Europe/Brussels",
    "in_force": {"from": "2020-01-01"},
    "applies": {"field": "crime_suspected", "is": True},
    "article": "Art. 1",
    "source": "https://example.org/law",
    "confidence": "memory",
    "recipients": {"office": BOTH},
    "duties": [
        {
            "id": "initial",
            "kind": "report_authority",
            "phase": "initial",
            "title": BOTH,
            "article": "Art. 2",
            "confidence": "memory",
            "anchor": {"earliest": ["classified_major_at"]},
            "within": "PT4H",
            "caps": [
                {
                    "anchor": {"earliest": ["aware_at"]},
                    "within": "PT24H",
                    "gives_way_to": "classified_major_at",
                    "article": "Art. 2",
                }
            ],
            "recipients": ["office"],
        },
        {
            "id": "final",
            "kind": "report_authority",
            "phase": "final",
            "title": BOTH,
            "article": "Art. 3",
            "confidence": "memory",
            "anchor": {"submission_of": "initial"},
            "within": "P1M",
            "recipients": ["office"],
        },
    ],
}


def regime(**changes: Any) -> Regime:
    return Regime.model_validate({**RULES, **changes})


def finding(
    rules: Regime | None = None,
    *,
    submitted: Mapping[str, datetime] | None = None,
    organisations: tuple[str, ...] = (),
    scope: tuple[str, ...] = ("EU",),
    **facts: Any,
) -> Finding:
    sheet = {"crime_suspected": True, **facts}
    [found] = evaluate(
        [rules or regime()],
        sheet,
        scope_countries=scope,
        organisations=organisations,
        now=NOW,
        submitted=submitted,
    )
    return found


def duty(name: str, **given: Any) -> Duty:
    return {each.id: each for each in finding(**given).duties}[f"xx-chain/{name}"]


# -- a second clock ------------------------------------------------------------------------------------


def test_four_hours_after_the_classification_where_that_is_earlier() -> None:
    found = duty("initial", aware_at=AWARE, classified_major_at=AWARE + timedelta(hours=2))
    assert (found.due_at, found.assumed) == (AWARE + timedelta(hours=6), False)
    assert found.anchor_field == "classified_major_at"


def test_never_later_than_a_day_after_awareness_where_it_was_classified_in_that_day() -> None:
    found = duty("initial", aware_at=AWARE, classified_major_at=AWARE + timedelta(hours=22))
    assert (found.due_at, found.anchor_field) == (AWARE + timedelta(hours=24), "aware_at")


@pytest.mark.parametrize(("late", "hours"), [(timedelta(0), 24), (timedelta(seconds=1), 28)])
def test_classified_after_that_day_it_is_due_four_hours_after_the_classification(
    late: timedelta, hours: int
) -> None:
    found = duty("initial", aware_at=AWARE, classified_major_at=AWARE + timedelta(hours=24) + late)
    assert found.due_at == AWARE + timedelta(hours=hours) + (late if hours == 28 else timedelta(0))


def test_until_it_is_classified_the_day_after_awareness_runs_as_assumed() -> None:
    found = duty("initial", aware_at=AWARE)
    assert (found.due_at, found.assumed) == (AWARE + timedelta(hours=24), True)
    assert found.settled_by == {"classified_major_at"}
    assert found.waits_for == frozenset()


def test_with_neither_time_known_it_waits_for_both() -> None:
    found = duty("initial")
    assert found.due_at is None
    assert found.waits_for == {"classified_major_at", "aware_at"}


# -- from a submission ---------------------------------------------------------------------------------


def test_a_clock_from_a_submission_waits_for_it_and_for_no_fact() -> None:
    found = duty("final", aware_at=AWARE)
    assert (found.due_at, found.anchor_at, found.waits_for_duty) == (None, None, "xx-chain/initial")
    assert found.waits_for == frozenset()
    assert not found.assumed


def test_it_runs_a_calendar_month_from_the_submission_and_not_from_awareness() -> None:
    handed_in = datetime(2026, 1, 31, 10, tzinfo=UTC)
    found = duty("final", aware_at=AWARE, submitted={"xx-chain/initial": handed_in})
    assert found.due_at == datetime(2026, 2, 28, 22, 59, 59, tzinfo=UTC)
    assert (found.anchor_at, found.waits_for_duty) == (handed_in, None)


def test_what_another_regime_handed_in_starts_nothing() -> None:
    assert duty("final", submitted={"yy-other/initial": AWARE}).anchor_at is None


# -- scope and status ----------------------------------------------------------------------------------


def test_a_law_that_binds_only_some_is_off_until_the_workspace_says_that_it_is_one_of_them() -> None:
    rules = regime(organisations=["financial_entity", "nis2_entity"])
    off = finding(rules)
    assert (off.outcome, off.duties) == (Outcome.out_of_scope, ())
    assert "financial_entity" in off.lines("en")[0]
    on = finding(rules, organisations=("nis2_entity", "telecom_operator"))
    assert on.outcome is Outcome.met


@pytest.mark.parametrize("status", ["proposed", "adopted_not_effective", "repealed"])
def test_what_is_not_in_force_raises_no_duty_and_says_so(status: str) -> None:
    found = finding(regime(status=status, in_force=None))
    assert (found.outcome, found.duties) == (Outcome.not_in_force, ())


def test_a_part_of_a_country_is_brought_in_by_its_own_name_only() -> None:
    rules = regime(country="US-CA")
    assert finding(rules, scope=("US",)).outcome is Outcome.out_of_scope
    assert finding(rules, scope=("us-ca",)).outcome is Outcome.met


def test_counsels_approval_counts_through_its_last_day() -> None:
    last = NOW.date()
    for until, reviewed in ((last, True), (last - timedelta(days=1), False)):
        [found] = evaluate([regime()], {}, scope_countries=("EU",), now=NOW, reviewed={"xx-chain": until})
        assert found.is_reviewed is reviewed


# -- at least so many of them --------------------------------------------------------------------------

TWO_OF = {
    "at_least": 2,
    "of": [
        {"field": "persons", "at_least": 100},
        {"field": "crime_suspected", "is": True},
        {"field": "ransomware", "is": True},
    ],
}


@pytest.mark.parametrize(
    ("facts", "outcome"),
    [
        ({"persons": Interval.exactly(100), "crime_suspected": True}, Outcome.met),
        ({"persons": Interval.exactly(99), "crime_suspected": True}, Outcome.cannot_tell),
        ({"persons": Interval.exactly(99), "crime_suspected": True, "ransomware": False}, Outcome.not_met),
        ({"persons": Interval.exactly(99), "crime_suspected": False}, Outcome.not_met),
        ({"persons": Interval(50, 150), "crime_suspected": True, "ransomware": False}, Outcome.cannot_tell),
        ({"crime_suspected": None}, Outcome.cannot_tell),
    ],
)
def test_two_of_three_are_counted_in_three_values(facts: dict[str, Any], outcome: Outcome) -> None:
    assert finding(regime(applies=TWO_OF), **facts).outcome is outcome


def test_only_what_bears_on_the_answer_is_asked() -> None:
    found = finding(regime(applies=TWO_OF), persons=Interval.exactly(99), crime_suspected=True)
    assert found.decides == {"ransomware"}


@pytest.mark.parametrize(
    "written",
    [
        {"at_least": 4, "of": TWO_OF["of"]},
        {"at_least": 0, "of": TWO_OF["of"]},
        {"of": TWO_OF["of"]},
        {"at_least": True, "of": TWO_OF["of"]},
        {"at_least": 1, "of": {}},
    ],
)
def test_a_number_that_can_never_be_reached_is_refused(written: object) -> None:
    with pytest.raises(ValueError, match=r"never|write"):
        parse_condition(written)


# -- elements that only some notices hold ----------------------------------------------------------------


def test_a_condition_on_an_element_that_the_notice_has_not_is_refused() -> None:
    notice = {**RULES["duties"][0], "kind": "notify_people", "elements": {"contact": "Art. 2"}}
    only_if = {"dpo": {"field": "crime_suspected", "is": True}}
    with pytest.raises(ValidationError, match="elements that the duty initial has not: dpo"):
        regime(duties=[{**notice, "elements_only_if": only_if}])


# -- files ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ("submission_of: initial", "submission_of: nothing", "no other duty"),
        ("submission_of: initial", "submission_of: final", "no other duty"),
        ("within: P1M", "within: {working_days: 3}", "say whose"),
        ("confidence: memory\nworking", "confidence: memory\nworking", "no calendar"),
    ],
)
def test_a_file_that_cannot_be_meant_is_refused_with_its_line(
    tmp_path: Path, before: str, after: str, told: str
) -> None:
    text = FILE.replace("CALENDAR", "XX" if told == "no calendar" else "CN").replace(before, after)
    if told == "say whose":
        text = text.replace("working_days: {calendar: CN}\n", "")
    (tmp_path / "xx-chain.yaml").write_text(text, "utf-8")
    with pytest.raises(BadInput, match=told) as refused:
        load_regime(tmp_path / "xx-chain.yaml")
    assert "line" in str(refused.value.where)


FILE = """\
id: xx-chain
title: {zh-Hans: 甲, en: a}
authority: {zh-Hans: 甲, en: a}
country: EU
zone: Europe/Brussels
in_force: {from: 2020-01-01}
applies: {field: crime_suspected, is: true}
article: Art. 1
source: https://example.org/law
confidence: memory
working_days: {calendar: CALENDAR}
recipients:
  office: {zh-Hans: 甲, en: a}
duties:
  - id: initial
    kind: report_authority
    phase: initial
    title: {zh-Hans: 甲, en: a}
    article: Art. 2
    confidence: memory
    anchor: {earliest: [aware_at]}
    within: PT72H
    recipients: [office]
  - id: final
    kind: report_authority
    phase: final
    title: {zh-Hans: 甲, en: a}
    article: Art. 3
    confidence: memory
    anchor: {submission_of: initial}
    within: P1M
    recipients: [office]
"""
