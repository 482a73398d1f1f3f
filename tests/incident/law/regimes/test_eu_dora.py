"""DORA: what makes an incident major, four hours and their cap, chains of submissions, and days off."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from incident.law.findings import Duty, DutyState, Outcome
from incident.record.facts import Interval
from tests.support.laws import HOUR, duties, told

BRUSSELS = ZoneInfo("Europe/Brussels")
AWARE = datetime(2026, 11, 24, 8, tzinfo=BRUSSELS)  # a Tuesday
MAJOR: dict[str, Any] = {
    "discovered_at": AWARE,
    "aware_at": AWARE,
    "classified_major_at": AWARE + timedelta(hours=2),
    "critical_services_affected": True,
    "malicious_data_access": True,
    "dora_no_weekend_relief": True,
}
INITIAL, INTERMEDIATE = "eu-dora/initial", "eu-dora/intermediate"
FINAL, PEOPLE = "eu-dora/final", "eu-dora/people"


def bank(submitted: dict[str, datetime] | None = None, **facts: Any) -> dict[str, Duty]:
    return duties("EU", organisations=["financial_entity"], submitted=submitted, **{**MAJOR, **facts})


def is_major(**facts: Any) -> bool:
    known = {"critical_services_affected": True, "classified_major_at": None, "aware_at": AWARE, **facts}
    found = told("EU", organisations=["financial_entity"], **known)["eu-dora"]
    assert found.outcome in (Outcome.met, Outcome.not_met)
    return any(duty.id == INITIAL and duty.state is DutyState.owed for duty in found.duties)


# -- what is major -----------------------------------------------------------------------------------------


def test_it_binds_financial_entities_only() -> None:
    assert told("EU", **MAJOR)["eu-dora"].outcome is Outcome.out_of_scope


def test_malicious_access_to_critical_services_is_enough_and_critical_services_are_needed() -> None:
    assert is_major(malicious_data_access=True)
    assert not is_major(malicious_data_access=True, critical_services_affected=False)
    assert not is_major()


THRESHOLDS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"clients_affected": 100_000}, {"clients_affected": 100_001}),
    ({"clients_share": 10}, {"clients_share": 11}),
    ({"counterparts_share": 30}, {"counterparts_share": 31}),
    ({"transactions_share": 10}, {"transactions_share": 11}),
    ({"relevant_clients": False}, {"relevant_clients": True}),
    ({"incident_duration": 24 * HOUR}, {"incident_duration": 24 * HOUR + 1}),
    ({"critical_downtime": 2 * HOUR}, {"critical_downtime": 2 * HOUR + 1}),
    ({"member_states_affected": 1}, {"member_states_affected": 2}),
    ({"data_loss_hurts_business": False}, {"data_loss_hurts_business": True}),
    ({"incident_costs_eur": 100_000}, {"incident_costs_eur": 100_001}),
]


@pytest.mark.parametrize(("below", "above"), THRESHOLDS, ids=lambda facts: next(iter(facts)))
def test_each_criterion_counts_from_above_its_bound_beside_one_other(
    below: dict[str, Any], above: dict[str, Any]
) -> None:
    assert not is_major(reputational_impact=True, **below)
    assert is_major(reputational_impact=True, **above)
    assert not is_major(**above)


def test_two_measures_of_one_criterion_are_one_criterion() -> None:
    assert not is_major(clients_affected=200_000, clients_share=50, relevant_clients=True)
    assert not is_major(incident_duration=48 * HOUR, critical_downtime=5 * HOUR)


def test_incidents_of_one_cause_that_recur_count_together() -> None:
    assert is_major(recurring_incidents_major=True)


def test_a_share_that_straddles_the_bound_cannot_be_told_yet_and_runs_as_assumed() -> None:
    initial = bank(malicious_data_access=False, reputational_impact=True, clients_share=Interval(5, None, 20))
    assert (initial[INITIAL].state, initial[INITIAL].assumed) == (DutyState.owed, True)
    assert "clients_share" in initial[INITIAL].settled_by


# -- the first report --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("classified_after", "due_after"),
    [(2, 6), (19, 23), (20, 24), (22, 24), (24, 24), (30, 34)],
)
def test_four_hours_from_classification_and_no_later_than_24_from_awareness_unless_classified_later(
    classified_after: int, due_after: int
) -> None:
    found = bank(classified_major_at=AWARE + timedelta(hours=classified_after))
    assert found[INITIAL].due_at == AWARE + timedelta(hours=due_after)


def test_a_second_after_the_24_hours_the_four_hours_count_alone() -> None:
    late = AWARE + timedelta(hours=24, seconds=1)
    assert bank(classified_major_at=late)[INITIAL].due_at == late + timedelta(hours=4)


def test_what_was_not_classified_yet_is_due_24_hours_after_awareness() -> None:
    found = bank(classified_major_at=None)[INITIAL]
    assert (found.state, found.due_at) == (DutyState.owed, AWARE + timedelta(hours=24))


@settings(max_examples=20, deadline=None)
@given(
    st.datetimes(datetime(2025, 2, 1), datetime(2034, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    st.integers(0, 72 * 60),
)
def test_the_first_report_is_never_later_than_four_hours_after_classification(
    aware: datetime, minutes: int
) -> None:
    classified = aware + timedelta(minutes=minutes)
    found = bank(aware_at=aware, discovered_at=aware, classified_major_at=classified)
    four, day = classified + timedelta(hours=4), aware + timedelta(hours=24)
    assert found[INITIAL].due_at == (four if classified > day else min(four, day))


# -- what follows --------------------------------------------------------------------------------------------


def test_each_report_waits_for_the_one_before_it() -> None:
    found = bank()
    assert (found[INTERMEDIATE].due_at, found[INTERMEDIATE].waits_for_duty) == (None, INITIAL)
    assert (found[FINAL].due_at, found[FINAL].waits_for_duty) == (None, INTERMEDIATE)


def test_72_hours_run_from_the_submission_of_the_first_report_and_not_from_awareness() -> None:
    sent = AWARE + timedelta(hours=3)
    assert bank({INITIAL: sent})[INTERMEDIATE].due_at == sent + timedelta(hours=72)


def test_a_month_runs_from_the_submission_of_the_intermediate_report() -> None:
    sent = datetime(2026, 11, 30, 9, tzinfo=BRUSSELS)
    due = bank({INITIAL: AWARE, INTERMEDIATE: sent})[FINAL].due_at
    assert due == datetime(2026, 12, 30, 23, 59, 59, tzinfo=BRUSSELS)
    end_of_january = datetime(2028, 1, 31, 9, tzinfo=BRUSSELS)
    due = bank({INITIAL: AWARE, INTERMEDIATE: end_of_january})[FINAL].due_at
    assert due == datetime(2028, 2, 29, 23, 59, 59, tzinfo=BRUSSELS)


# -- weekends and bank holidays ------------------------------------------------------------------------------

THURSDAY = datetime(2026, 11, 26, 10, tzinfo=BRUSSELS)


def test_an_end_on_a_sunday_moves_to_noon_of_monday_where_the_relief_is_given() -> None:
    relieved = bank({INITIAL: THURSDAY}, dora_no_weekend_relief=False)[INTERMEDIATE]
    assert relieved.due_at == datetime(2026, 11, 30, 12, tzinfo=BRUSSELS)


def test_banks_trading_venues_and_their_like_have_no_relief_for_the_first_two_reports() -> None:
    strict = bank({INITIAL: THURSDAY}, dora_no_weekend_relief=True)[INTERMEDIATE]
    assert strict.due_at == datetime(2026, 11, 29, 10, tzinfo=BRUSSELS)
    saturday = datetime(2026, 11, 28, 9, tzinfo=BRUSSELS)
    first: dict[str, Any] = {"aware_at": saturday, "discovered_at": saturday, "classified_major_at": saturday}
    assert bank(**first)[INITIAL].due_at == datetime(2026, 11, 28, 13, tzinfo=BRUSSELS)
    relieved = bank(**first, dora_no_weekend_relief=False)[INITIAL]
    assert relieved.due_at == datetime(2026, 11, 30, 12, tzinfo=BRUSSELS)


def test_while_nobody_says_whether_the_relief_is_given_the_earlier_end_runs_as_assumed() -> None:
    unknown = bank({INITIAL: THURSDAY}, dora_no_weekend_relief=None)[INTERMEDIATE]
    assert (unknown.due_at, unknown.assumed) == (datetime(2026, 11, 29, 10, tzinfo=BRUSSELS), True)
    assert "dora_no_weekend_relief" in unknown.settled_by


def test_easter_moves_an_end_to_noon_of_tuesday() -> None:
    tuesday = datetime(2027, 3, 23, 10, tzinfo=BRUSSELS)  # 72 hours later is Good Friday
    found = bank({INITIAL: tuesday}, dora_no_weekend_relief=False)[INTERMEDIATE]
    assert found.due_at == datetime(2027, 3, 30, 12, tzinfo=BRUSSELS)


@pytest.mark.parametrize("strict", [True, False])
def test_the_final_report_has_the_relief_for_everybody(strict: bool) -> None:
    sent = datetime(2027, 4, 30, 9, tzinfo=BRUSSELS)  # a month later is a Sunday
    found = bank({INITIAL: AWARE, INTERMEDIATE: sent}, dora_no_weekend_relief=strict)[FINAL]
    assert found.due_at == datetime(2027, 5, 31, 12, tzinfo=BRUSSELS)


def test_clients_are_told_where_their_money_is_concerned() -> None:
    people = bank(financial_interest_impact=True)[PEOPLE]
    assert (people.state, people.due_at) == (DutyState.owed, None)
    assert {"what_happened", "measures_taken"} <= dict(people.elements).keys()
    assert bank(financial_interest_impact=False)[PEOPLE].state is DutyState.not_owed
