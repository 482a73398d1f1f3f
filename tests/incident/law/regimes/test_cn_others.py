"""The other duties of mainland China: standards, audits, headquarters, police, platforms, Greater Bay Area."""

from __future__ import annotations

from datetime import timedelta

import pytest

from incident.law.clocks import Urgency
from incident.law.findings import DutyState, Outcome
from incident.law.regimes import Channel, Confidence, DutyKind
from incident.record.facts import Interval
from tests.support.laws import FOUND, duties, keys, owed, told


@pytest.mark.parametrize(("persons", "sensitive", "is_owed"), [
    (1_000_000, 0, True), (999_999, 99_999, False), (0, 100_000, True), (999_999, 100_000, True),
])  # fmt: skip
def test_the_authority_may_order_an_audit_from_a_million_or_from_a_hundred_thousand_sensitive_persons(
    persons: int, sensitive: int, is_owed: bool
) -> None:
    duty = duties(persons=persons, persons_sensitive=sensitive)["cn-pi-audit-5/audit"]
    assert duty.kind is DutyKind.prepare
    assert (duty.state is DutyState.owed) == is_owed


def test_records_never_stand_for_persons() -> None:
    assert "cn-pi-audit-5/audit" not in owed(records=50_000_000, persons=10)


def test_a_sensitive_count_that_straddles_leaves_the_audit_open() -> None:
    duty = duties(persons_sensitive=Interval(50_000, None, 150_000))["cn-pi-audit-5/audit"]
    assert (duty.state, duty.assumed, duty.settled_by) == (
        DutyState.owed,
        True,
        frozenset({"persons_sensitive"}),
    )


@pytest.mark.parametrize("law", ["cn-csl-44", "cn-dsl-29", "cn-civil-1038"])
def test_the_general_laws_ask_authority_and_people_without_hours(law: str) -> None:
    found = duties()
    for name in ("authority", "people"):
        duty = found[f"{law}/{name}"]
        assert (duty.state, duty.due_at, duty.within) == (DutyState.owed, None, None)
        assert duty.confidence is Confidence.verified


@pytest.mark.parametrize("law", ["cn-csl-44", "cn-civil-1038"])
def test_the_general_laws_of_personal_information_stay_off_without_any(law: str) -> None:
    found = told(personal_data_breach="none", breach_effects=(), incident_type="attack")
    assert found[law].outcome is Outcome.not_met


def test_the_cybersecurity_law_counts_what_may_have_happened() -> None:
    assert "cn-csl-44/people" in owed(personal_data_breach="possible")


def test_the_recommended_standard_names_its_five_elements_and_its_channels() -> None:
    people = duties(serious_harm_likely=True, harm_to_rights=True, persons_sensitive=1)["cn-gbt-35273-10/people"]  # fmt: skip
    assert people.state is DutyState.owed
    elements = {name for name, _ in people.elements}
    assert elements & {"contact", "dpo"}  # those of the officer and of the body in charge
    assert elements >= {
        "what_happened", "measures_taken", "steps_for_person", "remedies",
    }  # fmt: skip
    assert {Channel.email, Channel.letter, Channel.phone, Channel.push} <= set(people.channels)
    assert people.confidence is Confidence.memory


def test_the_standard_reports_to_the_authority_as_the_national_plan_asks() -> None:
    authority = duties()["cn-gbt-35273-10/authority"]
    assert (authority.state, authority.due_at) == (DutyState.owed, None)


def test_a_central_enterprise_tells_its_headquarters_and_nobody_else_has_one() -> None:
    name = "cn-central-enterprise-hq/headquarters"
    duty = duties(organisations=["central_enterprise"], persons=1_000_000)[name]
    assert (duty.state, duty.kind) == (DutyState.owed, DutyKind.report_headquarters)
    assert keys(duty) == {"group_headquarters"}
    assert duty.due_at is None
    assert name not in owed(persons=1_000_000)


def test_only_a_platform_operator_reports_under_the_e_commerce_law() -> None:
    assert "cn-ecom-30/authority" in owed(organisations=["platform_operator"])
    assert "cn-ecom-30/authority" not in owed()


def test_only_an_operator_of_infrastructure_tells_the_protection_department_under_its_regulation() -> None:
    facts = {
        "cii_involved": True,
        "persons": 10_000_000,
    }  # a serious incident, not only a relatively serious one
    found = duties(organisations=["cii_operator"], **facts)
    assert found["cn-cii-18/authority"].state is DutyState.owed
    assert keys(found["cn-cii-18/authority"]) == {"cii_protection_department"}
    assert keys(found["cn-cii-18/police"]) == {"public_security"}
    assert found["cn-cii-18/authority"].confidence is Confidence.memory
    assert "cn-cii-18/authority" not in owed(**facts)
    smaller = {**facts, "persons": 9_999_999}
    assert "cn-cii-18/authority" not in owed(organisations=["cii_operator"], **smaller)


def test_a_case_in_a_computer_system_reaches_the_police_within_24_hours_through_the_weekend() -> None:
    police = duties(crime_suspected=True)["cn-police-24h/police"]
    assert (police.state, police.due_at) == (DutyState.owed, FOUND + timedelta(hours=24))
    assert (keys(police), police.confidence) == ({"public_security"}, Confidence.memory)
    assert "cn-police-24h/police" not in owed(crime_suspected=False)


def test_data_moved_under_the_greater_bay_contract_is_told_at_once() -> None:
    for place in ("CN-GD", "MO"):
        duty = duties(place, standard_contract_gba=True)["cn-gba-mo-10/authority"]
        assert (duty.state, duty.urgency, duty.due_at) == (DutyState.owed, Urgency.immediately, None)
        assert "cn-gba-mo-10/authority" not in owed(place)
    assert told("CN", standard_contract_gba=True)["cn-gba-mo-10"].outcome is Outcome.out_of_scope


def test_the_draft_for_large_handlers_raises_no_duty() -> None:
    found = told(persons=50_000_000)["cn-large-draft-2026"]
    assert (found.outcome, found.duties) == (Outcome.not_in_force, ())


def test_one_duty_never_closes_another() -> None:
    met = {"cn-pipl-57/authority": FOUND, "cn-cac-incident-2025/initial": FOUND}
    assert owed(persons=1_000_000) == owed(persons=1_000_000, submitted=met)
