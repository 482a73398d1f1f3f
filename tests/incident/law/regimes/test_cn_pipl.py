"""Personal Information Protection Law, Article 57, and the network data regulation, Articles 10 and 11."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from incident.law.clocks import Urgency
from incident.law.findings import DutyState, Outcome
from incident.law.regimes import Channel
from tests.support.laws import SHANGHAI, duties, keys, owed, told

AUTHORITY, PEOPLE = "cn-pipl-57/authority", "cn-pipl-57/people"


@pytest.mark.parametrize("breach", ["actual", "possible"])
@pytest.mark.parametrize("persons", [1, 0, 50_000_000])
def test_article_57_has_no_headcount_and_covers_what_may_have_happened(breach: str, persons: int) -> None:
    found = duties(personal_data_breach=breach, persons=persons)
    for duty in (found[AUTHORITY], found[PEOPLE]):
        assert (duty.state, duty.assumed) == (DutyState.owed, False)
        assert (duty.urgency, duty.within, duty.due_at) == (Urgency.immediately, None, None)


def test_without_personal_information_article_57_asks_nothing() -> None:
    assert told(personal_data_breach="none")["cn-pipl-57"].outcome is Outcome.not_met


def test_both_are_told_the_same_three_items() -> None:
    found = duties()
    assert found[AUTHORITY].items == ("1", "2", "3")
    assert {name for name, _ in found[PEOPLE].elements} == {
        "data_types", "cause", "consequences", "measures_taken", "steps_for_person", "contact",
    }  # fmt: skip


def test_harm_that_is_effectively_avoided_lets_only_the_people_be_left_out_by_a_decision() -> None:
    found = duties(harm_effectively_avoided=True)
    assert found[PEOPLE].state is DutyState.may_be_waived
    assert found[AUTHORITY].state is DutyState.owed


def test_the_department_can_ask_for_the_notice_all_the_same() -> None:
    assert duties(harm_effectively_avoided=True, authority_requires_notice=True)[PEOPLE].state is DutyState.owed  # fmt: skip
    assert duties(harm_effectively_avoided=True, reopened=[PEOPLE])[PEOPLE].state is DutyState.owed


@pytest.mark.parametrize("unknown", ["harm_effectively_avoided", "authority_requires_notice"])
def test_a_waiver_of_which_half_is_unknown_does_not_count(unknown: str) -> None:
    facts = {"harm_effectively_avoided": True, "authority_requires_notice": False, unknown: None}
    assert duties(**facts)[PEOPLE].state is DutyState.owed


# -- the network data regulation ------------------------------------------------------------------------


def test_article_11_tells_the_department_of_any_incident_and_those_concerned_only_of_harm() -> None:
    quiet, harmed = duties(), duties(harm_to_rights=True)
    assert quiet["cn-netdata-reg-11/authority"].state is DutyState.owed
    assert quiet["cn-netdata-reg-11/people"].state is DutyState.not_owed
    people = harmed["cn-netdata-reg-11/people"]
    assert (people.state, people.urgency, people.due_at) == (DutyState.owed, Urgency.promptly, None)
    assert keys(people) == {"individuals", "interested_organisations"}
    assert {name for name, _ in people.elements} == {"what_happened", "consequences", "measures_taken"}
    assert set(people.channels) == {
        Channel.phone, Channel.sms, Channel.instant_message, Channel.email, Channel.public_notice,
    }  # fmt: skip


def test_article_11_follows_the_waiver_of_article_57() -> None:
    found = duties(harm_to_rights=True, harm_effectively_avoided=True)
    assert found["cn-netdata-reg-11/people"].state is DutyState.may_be_waived
    assert found["cn-netdata-reg-11/authority"].state is DutyState.owed


def test_leads_to_a_crime_go_to_the_police() -> None:
    assert duties(crime_suspected=True)["cn-netdata-reg-11/police"].state is DutyState.owed
    assert duties()["cn-netdata-reg-11/police"].state is DutyState.not_owed


def test_the_regulation_bites_from_2025() -> None:
    last = datetime(2024, 12, 31, 23, 59, tzinfo=SHANGHAI)
    assert told(discovered_at=last)["cn-netdata-reg-11"].outcome is Outcome.not_in_force
    assert told(discovered_at=last + timedelta(minutes=1))["cn-netdata-reg-11"].outcome is Outcome.met


def test_a_flaw_of_an_own_product_that_endangers_the_public_has_a_clock_of_24_hours() -> None:
    found = datetime(2026, 11, 20, 18, 0, tzinfo=SHANGHAI)
    duty = duties(product_vulnerability_risk=True, flaw_found_at=found)["cn-netdata-reg-10/authority"]
    assert (duty.state, duty.due_at) == (DutyState.owed, found + timedelta(hours=24))
    assert "cn-netdata-reg-10/authority" not in owed()


def test_one_breach_raises_all_general_laws_beside_each_other() -> None:
    assert {
        "cn-pipl-57/authority", "cn-pipl-57/people", "cn-netdata-reg-11/authority", "cn-csl-44/authority",
        "cn-csl-44/people", "cn-dsl-29/authority", "cn-dsl-29/people", "cn-civil-1038/authority",
        "cn-civil-1038/people",
    } <= owed(harm_to_rights=True)  # fmt: skip
