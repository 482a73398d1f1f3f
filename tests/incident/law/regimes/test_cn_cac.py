"""The CAC's measures of 2025: thresholds of the annex, paths, hours, contents."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incident.law.clocks import Urgency
from incident.law.findings import DutyState, Outcome
from incident.law.regimes import Channel, Confidence
from incident.record.facts import Interval
from tests.support.laws import FOUND, HOUR, MINUTE, SHANGHAI, duties, fact, keys, told

REGIME = "cn-cac-incident-2025"
INITIAL, POLICE, SUPPLEMENT, FINAL = (f"{REGIME}/{name}" for name in ("initial", "police", "supplement", "final"))  # fmt: skip
MILLION: dict[str, Any] = {"persons": 1_000_000}


@pytest.mark.parametrize(
    ("field", "bound", "with_facts"),
    [
        ("persons", 1_000_000, {}),
        ("economic_loss", 5_000_000, {}),
        ("people_disrupted", 100_000, {}),
        ("prefecture_share", 30, {}),
        ("cii_outage_whole", 10 * MINUTE, {"cii_involved": True}),
        ("cii_outage_main", 30 * MINUTE, {"cii_involved": True}),
        ("site_down", 2 * HOUR, {"site_class": "city"}),
        ("site_down", 2 * HOUR, {"site_class": "top"}),
        ("defacement_home", 30 * MINUTE, {"defacement": True}),
        ("defacement_other", 2 * HOUR, {"defacement": True}),
        ("defacement_reposts", 1_000, {"defacement": True}),
        ("defacement_views", 10_000, {"defacement": True}),
    ],
)
def test_each_number_of_the_annex_raises_the_duty_exactly_from_its_bound_on(
    field: str, bound: int, with_facts: dict[str, Any]
) -> None:
    assert told(**with_facts, **fact(field, bound))[REGIME].outcome is Outcome.met
    assert told(**with_facts, **fact(field, bound - 1))[REGIME].outcome is Outcome.not_met


@pytest.mark.parametrize(
    ("facts", "outcome"),
    [
        ({"threat_level": "relatively_serious"}, Outcome.met),
        ({"threat_level": "some"}, Outcome.not_met),
        ({"system_loss": "relatively_large"}, Outcome.met),
        ({"data_class": "important", "threat_level": "relatively_serious"}, Outcome.met),
        ({"data_class": "important", "threat_level": "some"}, Outcome.not_met),
        ({"site_down": 24 * HOUR, "site_class": "other"}, Outcome.not_met),
        ({"persons": 999_999, "threat_level": None}, Outcome.cannot_tell),
        ({"persons": Interval(800_000, None, 1_300_000)}, Outcome.cannot_tell),
        ({"persons": Interval(1_000_000, None, None)}, Outcome.met),
    ],
)
def test_the_qualitative_tests_count_beside_the_numbers(facts: dict[str, Any], outcome: Outcome) -> None:
    assert told(**facts)[REGIME].outcome is outcome


@pytest.mark.parametrize(
    ("facts", "hours", "recipients"),
    [
        ({"cii_involved": True}, 1, {"cii_protection_department"}),
        ({"cii_involved": True, "central_organ": True}, 1, {"cii_protection_department"}),
        ({"central_organ": True}, 2, {"own_cac_office"}),
        ({}, 4, {"provincial_cac"}),
    ],
)
def test_each_path_has_its_hours_and_runs_through_the_weekend(
    facts: dict[str, Any], hours: int, recipients: set[str]
) -> None:
    duty = duties(**MILLION, **facts)[INITIAL]
    assert (duty.due_at, duty.assumed) == (FOUND + timedelta(hours=hours), False)
    assert keys(duty) == recipients
    assert duty.confidence is Confidence.verified


@pytest.mark.parametrize("organisation", ["telecom_operator", "central_enterprise", "cii_operator"])
def test_what_the_company_is_called_does_not_choose_the_path_only_what_the_incident_touches(
    organisation: str,
) -> None:
    assert duties(organisations=[organisation], **MILLION)[INITIAL].due_at == FOUND + timedelta(hours=4)


def test_the_police_hear_within_the_hour_of_infrastructure_and_promptly_of_a_crime() -> None:
    infrastructure = duties(**MILLION, cii_involved=True)[POLICE]
    assert (infrastructure.due_at, keys(infrastructure)) == (FOUND + timedelta(hours=1), {"public_security"})
    crime = duties(**MILLION, crime_suspected=True)[POLICE]
    assert (crime.urgency, crime.due_at, crime.state) == (Urgency.promptly, None, DutyState.owed)
    assert duties(**MILLION)[POLICE].state is DutyState.not_owed


def test_the_earlier_of_discovery_and_being_told_starts_the_clock() -> None:
    earlier = FOUND - timedelta(hours=3)
    assert duties(**MILLION, informed_at=earlier)[INITIAL].due_at == earlier + timedelta(hours=4)
    assert duties(**MILLION, aware_at=earlier)[INITIAL].due_at == FOUND + timedelta(hours=4)


def test_the_first_report_holds_eight_items_and_may_begin_with_two() -> None:
    initial = duties(**MILLION)[INITIAL]
    assert (initial.items, initial.minimum) == (tuple("12345678"), ("1", "2"))
    supplement = duties(**MILLION)[SUPPLEMENT]
    assert (supplement.items, supplement.urgency, supplement.due_at) == (tuple("345678"), Urgency.promptly, None)  # fmt: skip
    assert set(initial.channels) == {Channel.phone, Channel.web, Channel.wechat, Channel.email, Channel.fax}
    assert {"12387", "12387@cert.org.cn", "010-82992387"} <= {point.value for point in initial.report_points}


def test_ransomware_adds_the_ransom_to_the_report() -> None:
    [extra] = duties(**MILLION, ransomware=True)[INITIAL].extra_fields
    assert set(extra.fields) == {"ransom_amount", "ransom_method", "ransom_date"}
    assert not extra.assumed
    assert duties(**MILLION)[INITIAL].extra_fields == ()
    assert duties(**MILLION, ransomware=None)[INITIAL].extra_fields[0].assumed


def test_the_final_report_is_due_thirty_calendar_days_after_the_handling_ended_holidays_or_not() -> None:
    ended = datetime(2026, 9, 5, 15, 0, tzinfo=SHANGHAI)
    final = duties(**MILLION, handling_ended_at=ended)[FINAL]
    assert final.due_at == datetime(
        2026, 10, 5, 23, 59, 59, tzinfo=SHANGHAI
    )  # within the National Day holiday
    assert (final.items, keys(final)) == (tuple("123456"), {"provincial_cac"})
    waiting = duties(**MILLION)[FINAL]
    assert (waiting.due_at, waiting.waits_for) == (None, frozenset({"handling_ended_at"}))


@given(st.datetimes(min_value=datetime(2025, 11, 2), max_value=datetime(2026, 12, 1)))  # noqa: DTZ001
def test_the_final_report_always_ends_with_the_thirtieth_day_in_china(ended: datetime) -> None:
    local = ended.replace(tzinfo=SHANGHAI)
    due = duties(**MILLION, handling_ended_at=local)[FINAL].due_at
    assert due is not None
    last = due.astimezone(SHANGHAI)
    assert (last.date() - local.date()).days == 30
    assert (last.hour, last.minute, last.second) == (23, 59, 59)


@pytest.mark.parametrize(
    ("found", "outcome"),
    [
        (datetime(2025, 10, 31, 23, 59, 59, tzinfo=SHANGHAI), Outcome.not_in_force),
        (datetime(2025, 11, 1, 0, 0, tzinfo=SHANGHAI), Outcome.met),
    ],
)
def test_the_measures_bite_from_the_first_of_november_2025(found: datetime, outcome: Outcome) -> None:
    finding = told(**MILLION, discovered_at=found)[REGIME]
    assert finding.outcome is outcome
    assert bool(finding.duties) == (outcome is Outcome.met)
    if outcome is Outcome.not_in_force:
        assert "not in force on 2025-10-31 (from 2025-11-01)" in finding.lines("en")[0]
        assert "2025-11-01" in finding.lines("zh-Hans")[0]
