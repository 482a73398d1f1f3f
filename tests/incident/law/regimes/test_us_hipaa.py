"""HIPAA: sixty days, the five hundred that move the report to the Secretary, and the year's end."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from incident.law.findings import Duty, DutyState, Outcome
from incident.law.regimes import load_regimes
from incident.record.facts import Interval
from tests.support.laws import duties, keys, told

[ZONE] = (regime.zone for regime in load_regimes() if regime.id == "us-hipaa")
NEW_YORK = ZoneInfo("America/New_York")
FOUND = datetime(2026, 11, 20, 10, tzinfo=NEW_YORK)
HEALTH: dict[str, Any] = {
    "discovered_at": FOUND,
    "phi_unsecured": True,
    "persons_phi": 1_000,
    "persons": 1_000,
    "people_countries": ("US",),
}
PEOPLE, MEDIA, HHS, PARTNER = (f"us-hipaa/{name}" for name in ("people", "media", "hhs", "partner"))


def clinic(**facts: Any) -> dict[str, Duty]:
    return duties("US", organisations=["health_care_entity"], **{**HEALTH, **facts})


def last_day(duty: Duty) -> date:
    assert duty.due_at is not None
    end = duty.due_at.astimezone(ZONE)
    assert (end.hour, end.minute, end.second) == (23, 59, 59)
    return end.date()


def test_it_binds_health_care_and_its_partners_only() -> None:
    assert told("US", **HEALTH)["us-hipaa"].outcome is Outcome.out_of_scope
    assert clinic()[PEOPLE].state is DutyState.owed


def test_protected_information_that_was_encrypted_raises_nothing() -> None:
    assert clinic(phi_unsecured=False)[PEOPLE].state is DutyState.not_owed
    unknown = clinic(phi_unsecured=None)[PEOPLE]
    assert (unknown.state, unknown.assumed) == (DutyState.owed, True)


def test_a_breach_is_presumed_until_the_assessment_shows_a_low_probability() -> None:
    assert clinic(low_probability_of_compromise=None)[PEOPLE].state is DutyState.owed
    for name in (PEOPLE, HHS):
        assert clinic(low_probability_of_compromise=True)[name].state is DutyState.not_owed


def test_the_individuals_hear_within_60_calendar_days_of_discovery() -> None:
    assert last_day(clinic()[PEOPLE]) == date(2027, 1, 19)
    leap = clinic(discovered_at=datetime(2028, 1, 15, 10, tzinfo=NEW_YORK))
    assert last_day(leap[PEOPLE]) == date(2028, 3, 15)


@pytest.mark.parametrize(("residents", "told_them"), [(500, False), (501, True)])
def test_the_media_hear_of_more_than_500_residents_of_one_state(residents: int, told_them: bool) -> None:
    media = clinic(persons_us_one_state=residents)[MEDIA]
    assert (media.state is DutyState.owed) == told_them
    if told_them:
        assert last_day(media) == date(2027, 1, 19)


@pytest.mark.parametrize(
    ("persons", "due"), [(499, date(2027, 3, 1)), (500, date(2027, 1, 19)), (501, date(2027, 1, 19))]
)
def test_from_500_persons_the_secretary_hears_with_the_people_below_after_the_year(
    persons: int, due: date
) -> None:
    hhs = clinic(persons_phi=persons, persons=persons)[HHS]
    assert (hhs.state, last_day(hhs)) == (DutyState.owed, due)
    assert keys(hhs) == {"hhs"}


@pytest.mark.parametrize(
    ("found", "due"),
    [
        (datetime(2027, 1, 1, 12, tzinfo=NEW_YORK), date(2028, 2, 29)),
        (datetime(2027, 12, 31, 12, tzinfo=NEW_YORK), date(2028, 2, 29)),
        (datetime(2028, 1, 1, 12, tzinfo=NEW_YORK), date(2029, 3, 1)),
    ],
)
def test_the_year_of_discovery_counts_and_leap_days_are_days(found: datetime, due: date) -> None:
    assert last_day(clinic(discovered_at=found, persons_phi=12, persons=12)[HHS]) == due


def test_a_number_that_straddles_500_runs_to_the_earlier_end_as_assumed() -> None:
    hhs = clinic(persons_phi=Interval(400, None, 600))[HHS]
    assert (last_day(hhs), hhs.assumed) == (date(2027, 1, 19), True)
    assert "persons_phi" in hhs.settled_by


@settings(max_examples=20, deadline=None)
@given(st.dates(date(2014, 1, 1), date(2034, 12, 31)))
def test_sixty_days_are_calendar_days_on_any_date(day: date) -> None:
    found = clinic(discovered_at=datetime(day.year, day.month, day.day, 13, tzinfo=ZONE))
    assert last_day(found[PEOPLE]) == day + timedelta(days=60)
    small = clinic(
        discovered_at=datetime(day.year, day.month, day.day, 13, tzinfo=ZONE), persons_phi=1, persons=1
    )
    assert last_day(small[HHS]) == date(day.year, 12, 31) + timedelta(days=60)


def test_a_business_associate_tells_the_covered_entity_within_60_days() -> None:
    partner = clinic(business_associate=True)[PARTNER]
    assert (partner.state, last_day(partner)) == (DutyState.owed, date(2027, 1, 19))
    assert clinic(business_associate=False)[PARTNER].state is DutyState.not_owed


@pytest.mark.parametrize(("without", "public"), [(9, False), (10, True)])
def test_from_ten_people_who_cannot_be_reached_a_posting_takes_the_place_of_letters(
    without: int, public: bool
) -> None:
    people = clinic(persons_without_contact=without)[PEOPLE]
    assert (people.state, people.public_notice_instead) == (DutyState.owed, public)


def test_the_notice_holds_what_the_rule_lists() -> None:
    elements = dict(clinic()[PEOPLE].elements)
    assert {"what_happened", "data_types", "steps_for_person", "measures_taken", "contact"} <= elements.keys()
    assert {"breach_date", "discovery_date"} <= elements.keys()
    assert all("164.404" in article for article in elements.values())
