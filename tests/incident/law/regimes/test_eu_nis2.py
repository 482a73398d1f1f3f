"""NIS2: three phases, each with its own start; the month of the last one runs from the submission before it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from incident.law.findings import Duty, DutyState, Outcome
from tests.support.laws import FOUND, duties, keys, owed, told

BRUSSELS = ZoneInfo("Europe/Brussels")
AWARE = FOUND + timedelta(hours=6)
SIGNIFICANT: dict[str, Any] = {"significant_incident": True, "significant_incident_aware_at": AWARE}
WARNING, NOTIFICATION = "eu-nis2/early_warning", "eu-nis2/notification"
FINAL, PEOPLE = "eu-nis2/final", "eu-nis2/people"


def entity(*kinds: str, submitted: dict[str, datetime] | None = None, **facts: Any) -> dict[str, Duty]:
    organisations = ("nis2_entity", *kinds)
    return duties("EU", organisations=organisations, submitted=submitted, **{**SIGNIFICANT, **facts})


def last_second(year: int, month: int, day: int) -> datetime:
    return datetime(year, month, day, 23, 59, 59, tzinfo=BRUSSELS)


def test_it_binds_entities_only_and_significant_incidents_only() -> None:
    assert told("EU", **SIGNIFICANT)["eu-nis2"].outcome is Outcome.out_of_scope
    assert entity()[WARNING].state is DutyState.owed
    assert entity(significant_incident=False)[WARNING].state is DutyState.not_owed
    unknown = entity(significant_incident=None)[WARNING]
    assert (unknown.state, unknown.assumed) == (DutyState.owed, True)
    assert "significant_incident" in unknown.settled_by


def test_an_incident_without_personal_data_counts_as_well() -> None:
    assert entity(personal_data_breach="none", breach_effects=())[WARNING].state is DutyState.owed


def test_24_and_72_hours_run_from_when_it_was_known_to_be_significant() -> None:
    found = entity()
    assert found[WARNING].due_at == AWARE + timedelta(hours=24)
    assert found[NOTIFICATION].due_at == AWARE + timedelta(hours=72)
    assert not found[WARNING].assumed
    assert {"csirt"} & keys(found[WARNING])


def test_a_trust_service_has_24_hours_for_the_notification_too() -> None:
    found = entity("trust_service_provider")
    assert found[NOTIFICATION].due_at == AWARE + timedelta(hours=24)
    assert not found[NOTIFICATION].assumed


def test_until_that_time_is_recorded_discovery_stands_in() -> None:
    found = entity(significant_incident_aware_at=None)
    assert (found[WARNING].due_at, found[WARNING].assumed) == (FOUND + timedelta(hours=24), True)
    assert "significant_incident_aware_at" in found[WARNING].settled_by


@settings(max_examples=15, deadline=None)
@given(st.datetimes(datetime(2025, 1, 1), datetime(2035, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001
def test_the_hours_are_running_hours_on_any_day(aware: datetime) -> None:
    found = entity(significant_incident_aware_at=aware, discovered_at=aware)
    assert found[WARNING].due_at == aware + timedelta(hours=24)
    assert found[NOTIFICATION].due_at == aware + timedelta(hours=72)


def test_the_final_report_has_no_clock_before_the_notification_is_submitted() -> None:
    final = entity()[FINAL]
    assert (final.due_at, final.waits_for_duty) == (None, NOTIFICATION)


@pytest.mark.parametrize(
    ("submitted", "due"),
    [
        (datetime(2026, 11, 24, 10, tzinfo=BRUSSELS), last_second(2026, 12, 24)),
        (datetime(2027, 1, 31, 10, tzinfo=BRUSSELS), last_second(2027, 2, 28)),
        (datetime(2028, 1, 30, 10, tzinfo=BRUSSELS), last_second(2028, 2, 29)),
        (datetime(2027, 2, 28, 10, tzinfo=BRUSSELS), last_second(2027, 3, 28)),
    ],
)
def test_one_month_is_a_calendar_month_from_the_submission_and_not_30_days(
    submitted: datetime, due: datetime
) -> None:
    found = entity(submitted={NOTIFICATION: submitted}, incident_ongoing=False)
    assert found[FINAL].due_at == due


def test_the_submission_counts_and_not_the_awareness() -> None:
    late = AWARE + timedelta(days=20)
    found = entity(submitted={NOTIFICATION: late}, incident_ongoing=False)
    due = found[FINAL].due_at
    assert due is not None and due > AWARE + timedelta(days=45)


def test_an_incident_that_goes_on_has_its_final_report_a_month_after_the_handling() -> None:
    ended = datetime(2027, 3, 31, 18, tzinfo=BRUSSELS)
    submitted = {NOTIFICATION: datetime(2026, 11, 24, 10, tzinfo=BRUSSELS)}
    found = entity(submitted=submitted, incident_ongoing=True, handling_ended_at=ended)
    assert found[FINAL].due_at == last_second(2027, 4, 30)


def test_recipients_of_the_service_are_told_without_a_number_of_hours() -> None:
    people = entity(service_recipients_affected=True)[PEOPLE]
    assert (people.state, people.due_at) == (DutyState.owed, None)
    assert PEOPLE not in owed("EU", organisations=["nis2_entity"], **SIGNIFICANT)
