"""The United Kingdom: the UK GDPR, and the rule for providers of public electronic communications."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from incident.law.findings import DutyState, Outcome
from incident.law.regimes import Confidence
from tests.support.laws import FOUND, duties, keys, owed, told

LONDON = ZoneInfo("Europe/London")
BRITAIN: dict[str, Any] = {"risk_to_people": "high", "aware_at": FOUND, "people_countries": ("GB",)}
AUTHORITY, PEOPLE = "uk-gdpr/authority", "uk-gdpr/people"
CARRIER: dict[str, Any] = {"organisations": ["telecom_operator"]}


@pytest.mark.parametrize(
    ("risk", "report", "notice"),
    [("unlikely", False, False), ("risk", True, False), ("high", True, True)],
)
def test_the_commissioner_hears_of_any_risk_and_the_people_of_a_high_one(
    risk: str, report: bool, notice: bool
) -> None:
    found = owed("GB", **{**BRITAIN, "risk_to_people": risk})
    assert (AUTHORITY in found, PEOPLE in found) == (report, notice)


def test_the_kingdom_is_not_in_the_union() -> None:
    assert told("EU", **BRITAIN)["uk-gdpr"].outcome is Outcome.out_of_scope
    assert told("GB", **BRITAIN)["eu-gdpr"].outcome is Outcome.out_of_scope


def test_72_hours_run_through_weekend_and_change_of_clock() -> None:
    friday = datetime(2026, 10, 23, 16, tzinfo=LONDON)
    due = duties("GB", **{**BRITAIN, "aware_at": friday})[AUTHORITY].due_at
    assert due == datetime(2026, 10, 26, 15, tzinfo=LONDON)


@settings(max_examples=15, deadline=None)
@given(st.datetimes(datetime(2021, 2, 1), datetime(2035, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001
def test_the_report_is_due_exactly_72_hours_after_awareness(aware: datetime) -> None:
    found = duties("GB", **{**BRITAIN, "aware_at": aware, "discovered_at": aware})
    assert found[AUTHORITY].due_at == aware + timedelta(hours=72)


def test_awareness_that_is_not_recorded_is_assumed_from_discovery() -> None:
    duty = duties("GB", **{**BRITAIN, "aware_at": None})[AUTHORITY]
    assert (duty.due_at, duty.assumed) == (FOUND + timedelta(hours=72), True)


@pytest.mark.parametrize("fact", ["data_unintelligible", "high_risk_removed"])
def test_an_exemption_frees_from_telling_the_people_only(fact: str) -> None:
    found = duties("GB", **{**BRITAIN, fact: True})
    assert (found[PEOPLE].state, found[AUTHORITY].state) == (DutyState.not_owed, DutyState.owed)
    reopened = duties("GB", **{**BRITAIN, fact: True, "authority_requires_notice": True})
    assert reopened[PEOPLE].state is DutyState.owed


def test_the_wording_was_not_read_in_the_text_and_says_so() -> None:
    assert told("GB", **BRITAIN)["uk-gdpr"].confidence is not Confidence.verified
    assert keys(duties("GB", **BRITAIN)[AUTHORITY]) == {"ico"}


def test_a_provider_of_communications_reports_under_its_own_rule_too() -> None:
    assert told("GB", **BRITAIN)["uk-pecr"].outcome is Outcome.out_of_scope
    found = duties("GB", **CARRIER, **BRITAIN)
    assert {AUTHORITY, "uk-pecr/authority"} <= owed("GB", **CARRIER, **BRITAIN)
    assert found["uk-pecr/authority"].due_at == FOUND + timedelta(hours=72)
    assert "delay_reasons" in found["uk-pecr/authority"].late_fields


def test_72_hours_for_providers_since_20_august_2025_and_not_a_day_before() -> None:
    first = datetime(2025, 8, 20, 12, tzinfo=LONDON)
    day_before = first - timedelta(days=1)
    later = duties("GB", **CARRIER, **{**BRITAIN, "aware_at": first, "discovered_at": first})
    assert later["uk-pecr/authority"].due_at == first + timedelta(hours=72)
    before = told("GB", **CARRIER, **{**BRITAIN, "aware_at": day_before, "discovered_at": day_before})
    assert all(duty.due_at != day_before + timedelta(hours=72) for duty in before["uk-pecr"].duties)
