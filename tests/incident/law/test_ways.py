"""The ways of one duty: each may count from its own event, bind only some organisations, and be ended by a cap."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from incident.law.data import read_yaml
from incident.law.evaluate import evaluate
from incident.law.findings import Duty
from incident.law.regimes import Regime

MONDAY = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
FRIDAY = datetime(2026, 11, 27, 20, 0, tzinfo=UTC)
SUBMITTED = MONDAY + timedelta(days=2)

LAW = """
id: moon-law
title: {zh-Hans: 月球法, en: Moon law}
authority: {zh-Hans: 月球局, en: Moon office}
country: EU
zone: UTC
working_days: {calendar: XECB}
in_force: {from: 2020-01-01}
applies: {field: significant_incident, is: true}
article: "1"
source: https://example.org/law
confidence: memory
recipients:
  office: {zh-Hans: 月球局, en: Moon office}
duties:
  - id: first
    kind: report_authority
    phase: initial
    title: {zh-Hans: 首次, en: First}
    article: "2"
    confidence: memory
    anchor: {earliest: [classified_major_at]}
    paths:
      - id: some
        title: {zh-Hans: 信任服务, en: Trust service}
        organisations: [trust_service_provider]
        recipients: [office]
        within: PT24H
        article: "2"
      - id: others
        title: {zh-Hans: 其他, en: Others}
        except_organisations: [trust_service_provider]
        recipients: [office]
        within: {period: PT4H, rolls: noon_of_next_working_day}
        caps:
          - anchor: {earliest: [discovered_at]}
            within: {period: PT24H, rolls: noon_of_next_working_day}
            gives_way_to: classified_major_at
            article: "2"
        article: "2"
  - id: last
    kind: report_authority
    phase: final
    title: {zh-Hans: 总结, en: Last}
    article: "3"
    confidence: memory
    anchor: {submission_of: first}
    paths:
      - id: ongoing
        title: {zh-Hans: 仍在持续, en: Still going on}
        only_if: {field: incident_ongoing, is: true}
        anchor: {earliest: [handling_ended_at]}
        recipients: [office]
        within: P1M
        article: "4"
      - id: ended
        title: {zh-Hans: 已经结束, en: Over}
        only_if: {field: incident_ongoing, is: false}
        recipients: [office]
        within: P1M
        article: "3"
"""


def regime(text: str = LAW) -> Regime:
    return Regime.model_validate(read_yaml(text, name="moon-law.yaml"))


def duties(
    *, organisations: Collection[str] = (), submitted: Mapping[str, datetime] | None = None, **facts: Any
) -> dict[str, Duty]:
    [finding] = evaluate(
        [regime()],
        {"significant_incident": True, **facts},
        scope_countries=["EU"],
        now=MONDAY,
        organisations=organisations,
        submitted=submitted,
    )
    return {duty.id.partition("/")[2]: duty for duty in finding.duties}


def test_a_way_for_some_organisations_is_the_only_one_there_and_closed_to_all_others() -> None:
    facts: dict[str, Any] = {"classified_major_at": MONDAY}
    [only] = duties(organisations=["trust_service_provider"], **facts)["first"].branches
    assert (only.path, only.due_at) == ("some", MONDAY + timedelta(hours=24))
    for others in ((), ("nis2_entity",)):
        [only] = duties(organisations=others, **facts)["first"].branches
        assert (only.path, only.due_at) == ("others", MONDAY + timedelta(hours=4))


def test_a_way_may_count_from_its_own_event() -> None:
    facts: dict[str, Any] = {"incident_ongoing": True, "handling_ended_at": MONDAY + timedelta(days=60)}
    last = duties(submitted={"moon-law/first": SUBMITTED}, **facts)["last"]
    assert (last.path, last.anchor_field) == ("ongoing", "handling_ended_at")
    assert last.due_at == datetime(2027, 2, 22, 23, 59, 59, tzinfo=UTC)
    over = duties(submitted={"moon-law/first": SUBMITTED}, incident_ongoing=False)["last"]
    assert (over.path, over.due_at) == ("ended", datetime(2026, 12, 25, 23, 59, 59, tzinfo=UTC))


def test_of_two_ways_the_one_whose_clock_runs_stands_before_the_one_that_still_waits() -> None:
    last = duties(submitted={"moon-law/first": SUBMITTED})["last"]
    assert [branch.path for branch in last.branches] == ["ended", "ongoing"]
    assert last.due_at == datetime(2026, 12, 25, 23, 59, 59, tzinfo=UTC)
    assert (last.assumed, last.settled_by) == (True, frozenset({"incident_ongoing"}))


def test_a_way_that_waits_for_its_own_event_asks_for_it() -> None:
    last = duties(incident_ongoing=True)["last"]
    assert (last.due_at, last.waits_for, last.waits_for_duty) == (
        None,
        frozenset({"handling_ended_at"}),
        None,
    )
    assert duties(incident_ongoing=False)["last"].waits_for_duty == "moon-law/first"


@pytest.mark.parametrize(
    ("classified", "due"),
    [
        (FRIDAY + timedelta(hours=1), datetime(2026, 11, 30, 12, tzinfo=UTC)),  # within the day, both ends moved
        (FRIDAY + timedelta(hours=24), datetime(2026, 11, 30, 12, tzinfo=UTC)),  # at the last moment of the day
        (datetime(2026, 11, 30, 9, tzinfo=UTC), datetime(2026, 11, 30, 13, tzinfo=UTC)),  # too late for the cap
        (None, datetime(2026, 11, 30, 12, tzinfo=UTC)),
    ],
)  # fmt: skip
def test_a_cap_gives_way_by_its_own_end_and_not_by_the_one_that_a_weekend_moved(
    classified: datetime | None, due: datetime
) -> None:
    assert duties(discovered_at=FRIDAY, classified_major_at=classified)["first"].due_at == due


def test_where_the_event_of_a_cap_is_unknown_it_is_asked_for() -> None:
    nothing = duties()["first"]
    assert (nothing.due_at, nothing.waits_for) == (None, frozenset({"classified_major_at", "discovered_at"}))
    classified = duties(classified_major_at=MONDAY)["first"]
    assert classified.due_at == MONDAY + timedelta(hours=4)
    assert (classified.assumed, classified.settled_by) == (True, frozenset({"discovered_at"}))
    both = duties(classified_major_at=MONDAY, discovered_at=MONDAY - timedelta(hours=22))["first"]
    assert (both.due_at, both.assumed) == (MONDAY + timedelta(hours=2), False)


def test_a_duty_none_of_whose_ways_is_open_to_the_organisation_is_not_owed() -> None:
    closed = LAW.replace(
        "except_organisations: [trust_service_provider]", "organisations: [financial_entity]"
    )
    [finding] = evaluate([regime(closed)], {"significant_incident": True}, scope_countries=["EU"], now=MONDAY)
    assert finding.duties[0].state.value == "not_owed"


def test_a_way_that_counts_from_a_duty_that_is_not_there_is_refused() -> None:
    wrong = LAW.replace("anchor: {earliest: [handling_ended_at]}", "anchor: {submission_of: nothing}")
    with pytest.raises(ValidationError, match="runs from the submission of nothing, which is no other duty"):
        regime(wrong)
