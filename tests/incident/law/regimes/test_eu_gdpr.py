"""The GDPR: what is reported and told at which risk, 72 running hours, and exemptions that must be shown."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from incident.law.clocks import Urgency
from incident.law.findings import STANDING, DutyState, Outcome
from tests.support.laws import FOUND, duties, keys, owed, told

BRUSSELS = ZoneInfo("Europe/Brussels")
EUROPE: dict[str, Any] = {"eu_data_subjects": True, "risk_to_people": "high", "aware_at": FOUND}
AUTHORITY, PEOPLE, SUPPLEMENT = "eu-gdpr/authority", "eu-gdpr/people", "eu-gdpr/supplement"


def europe(*scope: str, **facts: Any) -> dict[str, Any]:
    return dict(duties(*(scope or ("EU",)), **{**EUROPE, **facts}))


def test_the_union_or_a_member_state_brings_it_into_play_and_nothing_else_does() -> None:
    assert AUTHORITY in europe("EU") and AUTHORITY in europe("DE") and AUTHORITY in europe("NO")
    assert told("GB", **EUROPE)["eu-gdpr"].outcome is Outcome.out_of_scope
    assert told("EU", **{**EUROPE, "eu_data_subjects": False})["eu-gdpr"].outcome is Outcome.not_met


@pytest.mark.parametrize(
    ("risk", "report", "notice"),
    [("unlikely", False, False), ("risk", True, False), ("high", True, True)],
)
def test_the_authority_hears_of_any_risk_and_the_people_of_a_high_one(
    risk: str, report: bool, notice: bool
) -> None:
    found = owed("EU", **{**EUROPE, "risk_to_people": risk})
    assert (AUTHORITY in found, PEOPLE in found) == (report, notice)


def test_a_risk_that_nobody_has_judged_frees_nobody() -> None:
    found = europe(risk_to_people=None)
    assert (found[AUTHORITY].state, found[AUTHORITY].assumed) == (DutyState.owed, False)
    assert (found[PEOPLE].state, found[PEOPLE].assumed) == (DutyState.owed, True)
    assert "risk_to_people" in found[PEOPLE].settled_by


def test_the_hours_run_through_the_weekend() -> None:
    friday = datetime(2026, 11, 20, 17, 30, tzinfo=BRUSSELS)
    due = europe(aware_at=friday)[AUTHORITY].due_at
    assert due == datetime(2026, 11, 23, 17, 30, tzinfo=BRUSSELS)


def test_the_hours_are_running_hours_when_the_clock_is_changed() -> None:
    before_winter = datetime(2026, 10, 24, 12, tzinfo=BRUSSELS)
    assert europe(aware_at=before_winter)[AUTHORITY].due_at == datetime(2026, 10, 27, 11, tzinfo=BRUSSELS)
    before_summer = datetime(2027, 3, 27, 12, tzinfo=BRUSSELS)
    assert europe(aware_at=before_summer)[AUTHORITY].due_at == datetime(2027, 3, 30, 13, tzinfo=BRUSSELS)


def test_a_leap_day_is_three_times_twenty_four_hours_as_any_other() -> None:
    aware = datetime(2028, 2, 27, 9, tzinfo=BRUSSELS)
    assert europe(aware_at=aware)[AUTHORITY].due_at == datetime(2028, 3, 1, 9, tzinfo=BRUSSELS)


@settings(max_examples=20, deadline=None)
@given(st.datetimes(datetime(2019, 1, 1), datetime(2035, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001
def test_the_report_is_due_exactly_72_hours_after_awareness(aware: datetime) -> None:
    duty = europe(aware_at=aware, discovered_at=aware)[AUTHORITY]
    assert duty.due_at == aware + timedelta(hours=72)


def test_until_awareness_is_recorded_the_clock_runs_from_discovery_and_says_so() -> None:
    assumed = europe(aware_at=None)[AUTHORITY]
    assert (assumed.due_at, assumed.assumed) == (FOUND + timedelta(hours=72), True)
    assert "aware_at" in assumed.settled_by
    told_first = europe(aware_at=None, informed_at=FOUND - timedelta(hours=5))[AUTHORITY]
    assert told_first.due_at == FOUND + timedelta(hours=67)
    certain = europe(aware_at=FOUND + timedelta(hours=30))[AUTHORITY]
    assert (certain.due_at, certain.assumed) == (FOUND + timedelta(hours=102), False)


def test_a_breach_that_is_only_possible_is_not_yet_one_and_its_clock_runs_as_assumed() -> None:
    found = told("EU", **{**EUROPE, "personal_data_breach": "possible"})["eu-gdpr"]
    assert found.outcome is Outcome.cannot_tell
    assert all(duty.assumed for duty in found.duties if duty.state in STANDING)
    assert told("EU", **{**EUROPE, "personal_data_breach": "none"})["eu-gdpr"].outcome is Outcome.not_met


def test_the_people_are_told_without_undue_delay_and_no_hours_are_invented() -> None:
    people = europe()[PEOPLE]
    assert (people.due_at, people.within) == (None, None)
    assert people.urgency in (Urgency.promptly, Urgency.immediately)


@pytest.mark.parametrize("fact", ["data_unintelligible", "high_risk_removed"])
def test_an_exemption_frees_from_telling_the_people_and_never_from_the_report(fact: str) -> None:
    found = europe(**{fact: True})
    assert found[PEOPLE].state is DutyState.not_owed
    assert found[AUTHORITY].state is DutyState.owed
    reopened = europe(**{fact: True, "authority_requires_notice": True})
    assert reopened[PEOPLE].state is DutyState.owed
    assert europe(**{fact: None})[PEOPLE].state is DutyState.owed


def test_a_disproportionate_effort_puts_a_public_notice_in_the_place_of_letters() -> None:
    people = europe(disproportionate_effort=True)[PEOPLE]
    assert (people.state, people.public_notice_instead) == (DutyState.owed, True)
    assert not europe(disproportionate_effort=False)[PEOPLE].public_notice_instead
    assert not europe(disproportionate_effort=None)[PEOPLE].public_notice_instead


def test_report_and_notice_hold_what_the_articles_list() -> None:
    found = europe()
    assert keys(found[AUTHORITY]) == {"supervisory_authority"}
    assert len(found[AUTHORITY].items) >= 4
    assert "delay_reasons" in found[AUTHORITY].late_fields
    elements = dict(found[PEOPLE].elements)
    assert {"what_happened", "consequences", "measures_taken"} <= elements.keys()
    assert {"contact", "dpo"} & elements.keys()
    assert all(article.startswith("Art. 34") for article in elements.values())


def test_further_information_follows_a_first_notification() -> None:
    assert europe()[SUPPLEMENT].needs_first == AUTHORITY
    assert europe()[SUPPLEMENT].due_at is None


def test_a_processor_tells_the_controller_with_no_number_of_hours() -> None:
    partner = europe(acting_as_processor=True)["eu-gdpr/partner"]
    assert (partner.state, partner.due_at) == (DutyState.owed, None)
    assert "eu-gdpr/partner" not in owed("EU", **EUROPE)


def test_the_omnibus_proposal_is_no_law_and_the_72_hours_stay() -> None:
    found = told("EU", **EUROPE)
    assert (found["eu-gdpr-omnibus"].outcome, found["eu-gdpr-omnibus"].duties) == (Outcome.not_in_force, ())
    assert europe()[AUTHORITY].due_at == FOUND + timedelta(hours=72)
