"""United States: the SEC, CIRCIA, the FTC, California, New York and the FCC."""

from __future__ import annotations

from datetime import timedelta

import pytest

from incident.law.clocks import Urgency
from incident.law.findings import DutyState, Outcome
from incident.law.hanging import hanging_on
from incident.law.questions import open_questions
from incident.law.regimes import DutyKind, Status
from incident.law.stakes import StakeKind
from tests.support.one_law import NOW, Law, at, end_of, exactly, regime

NEW_YORK = "America/New_York"
LOS_ANGELES = "America/Los_Angeles"
FOUND = at(NEW_YORK, 2026, 11, 2)

SEC = Law(
    "us-sec-8k-105",
    {
        "discovered_at": at(NEW_YORK, 2026, 11, 10),
        "material_incident": True,
        "materiality_determined_at": at(NEW_YORK, 2026, 11, 23),
    },
)
CIRCIA = Law(
    "us-circia",
    {
        "discovered_at": FOUND,
        "aware_at": FOUND,
        "breach_determined_at": FOUND,
        "significant_incident": True,
        "core_function_disrupted": True,
        "ransomware": True,
        "ransom_paid_at": FOUND + timedelta(days=3),
    },
    as_law=True,
)
FTC = Law(
    "us-ftc-safeguards",
    {
        "discovered_at": FOUND,
        "personal_data_breach": "actual",
        "breach_effects": ("confidentiality",),
        "data_unintelligible": False,
        "encryption_key_taken": False,
        "consumers_us": exactly(500),
    },
)
CALIFORNIA = Law(
    "us-ca-1798-82",
    {
        "discovered_at": at(LOS_ANGELES, 2026, 11, 2),
        "personal_data_breach": "actual",
        "breach_effects": ("confidentiality",),
        "listed_elements_us_ca": True,
        "ssn_or_id_exposed": True,
        "data_unintelligible": False,
        "encryption_key_taken": False,
        "acting_as_processor": False,
        "persons_us_ca": exactly(501),
        "persons": exactly(501),
        "persons_without_contact": exactly(0),
        "disproportionate_effort": False,
    },
)
ALBANY = Law(
    "us-ny-899-aa",
    {
        "discovered_at": FOUND,
        "personal_data_breach": "actual",
        "breach_effects": ("confidentiality",),
        "listed_elements_us_ny": True,
        "data_unintelligible": False,
        "encryption_key_taken": False,
        "no_misuse_likely": False,
        "acting_as_processor": False,
        "persons_us_ny": exactly(100),
        "persons": exactly(100),
        "persons_without_contact": exactly(0),
        "disproportionate_effort": False,
    },
)
FCC = Law(
    "us-fcc-64-2011",
    {
        "discovered_at": at(NEW_YORK, 2026, 11, 10),
        "breach_determined_at": at(NEW_YORK, 2026, 11, 20),
        "personal_data_breach": "actual",
        "harm_effectively_avoided": True,
        "data_unintelligible": False,
        "encryption_key_taken": False,
        "persons": exactly(500),
    },
    as_law=True,
)


# -- the SEC -------------------------------------------------------------------------------------------


def test_form_8k_is_due_four_business_days_after_the_determination_and_thanksgiving_is_none() -> None:
    found = SEC.duty("form_8k")
    assert (found.state, found.assumed) == (DutyState.owed, False)
    assert found.due_at == end_of(NEW_YORK, 2026, 11, 30)  # 24, 25, 27, 30 November
    assert found.anchor_field == "materiality_determined_at"


def test_the_day_of_the_determination_is_that_of_new_york() -> None:
    late_evening = at(NEW_YORK, 2026, 11, 23, 23, 30)
    assert SEC.duty("form_8k", materiality_determined_at=late_evening).due_at == end_of(
        NEW_YORK, 2026, 11, 30
    )


def test_without_a_determination_form_8k_waits_for_it_and_not_for_the_discovery() -> None:
    found = SEC.duty("form_8k", materiality_determined_at=None)
    assert (found.due_at, found.waits_for) == (None, frozenset({"materiality_determined_at"}))


def test_an_incident_that_is_not_material_is_not_filed_and_one_not_assessed_is_assumed() -> None:
    assert not SEC.owes("form_8k", material_incident=False)
    unsettled = SEC.duty("form_8k", material_incident=None)
    assert (unsettled.state, unsettled.assumed) == (DutyState.owed, True)
    assert "material_incident" in unsettled.settled_by


def test_what_the_form_left_open_is_amended_four_business_days_after_it_is_known() -> None:
    waiting = SEC.duty("amendment", sec_information_available_at=None)
    assert (waiting.due_at, waiting.waits_for) == (None, frozenset({"sec_information_available_at"}))
    known = SEC.duty("amendment", sec_information_available_at=at(NEW_YORK, 2026, 12, 18))
    assert known.due_at == end_of(NEW_YORK, 2026, 12, 24)  # 21, 22, 23, 24 December
    over_christmas = SEC.duty("amendment", sec_information_available_at=at(NEW_YORK, 2026, 12, 21))
    assert over_christmas.due_at == end_of(NEW_YORK, 2026, 12, 28)
    assert known.needs_first == "us-sec-8k-105/form_8k"


def test_the_sec_binds_listed_companies_only_and_nobody_else_is_told() -> None:
    assert SEC.finding(organisations=()).outcome is Outcome.out_of_scope
    assert SEC.finding(organisations=("listed_company",)).outcome is Outcome.met
    assert {duty.kind for duty in SEC.finding().duties} == {DutyKind.report_authority}


def test_form_8k_says_nature_and_impact_and_what_is_still_missing() -> None:
    assert len(SEC.duty("form_8k").items) in (2, 3)


# -- CIRCIA --------------------------------------------------------------------------------------------


def test_circia_is_a_proposal_and_raises_no_duty() -> None:
    rules = regime("us-circia")
    assert (rules.status, rules.in_force) == (Status.proposed, None)
    found = Law("us-circia", CIRCIA.facts).finding()
    assert (found.outcome, found.duties) == (Outcome.not_in_force, ())


def test_as_proposed_an_incident_has_72_hours_and_a_ransom_24_from_its_payment() -> None:
    assert CIRCIA.duty("authority").due_at == FOUND + timedelta(hours=72)
    paid = FOUND + timedelta(days=3)
    assert CIRCIA.duty("ransom").due_at == paid + timedelta(hours=24)
    assert CIRCIA.duty("ransom").anchor_field == "ransom_paid_at"


def test_as_proposed_no_ransom_paid_means_no_ransom_clock() -> None:
    assert CIRCIA.duty("ransom", ransom_paid_at=None).due_at is None


# -- the FTC -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("count", "owed"), [(499, False), (500, True), (501, True)])
def test_five_hundred_consumers_make_a_notification_event(count: int, owed: bool) -> None:
    assert FTC.owes("authority", consumers_us=exactly(count)) is owed


def test_a_count_of_consumers_that_is_not_known_leaves_the_duty_assumed() -> None:
    found = FTC.duty("authority", consumers_us=None)
    assert (found.state, found.assumed, found.settled_by) == (
        DutyState.owed,
        True,
        frozenset({"consumers_us"}),
    )


def test_the_ftc_is_told_within_thirty_days_of_discovery() -> None:
    assert FTC.duty("authority").due_at == end_of(NEW_YORK, 2026, 12, 2)
    assert FTC.duty("authority", aware_at=FOUND + timedelta(days=9)).due_at == end_of(NEW_YORK, 2026, 12, 2)


def test_encrypted_information_counts_only_where_the_key_was_accessed_too() -> None:
    assert not FTC.owes("authority", data_unintelligible=True, encryption_key_taken=False)
    assert FTC.owes("authority", data_unintelligible=True, encryption_key_taken=True)
    assert FTC.duty("authority", data_unintelligible=True, encryption_key_taken=None).state is DutyState.owed


def test_the_ftc_asks_six_things_on_its_own_site_and_no_notice_to_people() -> None:
    found = FTC.duty("authority")
    assert len(found.items) == 6
    assert found.channels == ("web",)
    assert not [duty for duty in FTC.finding().duties if duty.kind is DutyKind.notify_people]
    assert FTC.finding(organisations=("telecom_operator",)).outcome is Outcome.out_of_scope


# -- California ----------------------------------------------------------------------------------------


def test_californians_are_told_within_thirty_calendar_days_of_discovery() -> None:
    found = CALIFORNIA.duty("people")
    assert (found.state, found.assumed) == (DutyState.owed, False)
    assert found.due_at == end_of(LOS_ANGELES, 2026, 12, 2)


def test_the_law_of_california_needs_california_in_scope_and_not_the_country() -> None:
    assert CALIFORNIA.finding(scope=("US",)).outcome is Outcome.out_of_scope
    assert CALIFORNIA.finding(scope=("US-CA",)).outcome is Outcome.met


@pytest.mark.parametrize(("count", "owed"), [(500, False), (501, True)])
def test_the_attorney_general_has_a_sample_above_five_hundred_residents(count: int, owed: bool) -> None:
    assert CALIFORNIA.owes("attorney_general", persons_us_ca=exactly(count)) is owed


def test_the_sample_is_due_fifteen_calendar_days_after_the_people_were_told() -> None:
    waiting = CALIFORNIA.duty("attorney_general")
    assert (waiting.due_at, waiting.waits_for) == (None, frozenset({"individuals_notified_at"}))
    told = CALIFORNIA.duty("attorney_general", individuals_notified_at=at(LOS_ANGELES, 2026, 11, 20))
    assert told.due_at == end_of(LOS_ANGELES, 2026, 12, 5)  # a Saturday: nothing moves it


def test_listed_elements_are_the_trigger_and_encryption_without_the_key_lifts_it() -> None:
    assert not CALIFORNIA.owes("people", listed_elements_us_ca=False)
    assert not CALIFORNIA.owes("people", data_unintelligible=True, encryption_key_taken=False)
    assert CALIFORNIA.owes("people", data_unintelligible=True, encryption_key_taken=True)
    unsettled = CALIFORNIA.duty("people", listed_elements_us_ca=None)
    assert (unsettled.state, unsettled.assumed) == (DutyState.owed, True)
    assert unsettled.settled_by == {"listed_elements_us_ca"}


@pytest.mark.parametrize(("exposed", "held"), [(True, True), (False, False), (None, True)])
def test_credit_agencies_and_identity_protection_belong_in_the_notice_unless_no_number_was_exposed(
    exposed: bool | None, held: bool
) -> None:
    elements = dict(CALIFORNIA.duty("people", ssn_or_id_exposed=exposed).elements)
    assert ("credit_bureau_info" in elements, "id_protection_offer" in elements) == (held, held)
    assert "data_types" in elements


def test_whether_a_number_was_exposed_is_asked_for_the_sake_of_the_notice() -> None:
    facts = {"people_countries": ("US-CA",), **CALIFORNIA.facts, "ssn_or_id_exposed": None}
    asked = open_questions([regime("us-ca-1798-82")], facts, scope_countries=["US-CA"], now=NOW)
    [question] = [each for each in asked if each.field.name == "ssn_or_id_exposed"]
    assert [stake.kind for stake in question.stakes] == [StakeKind.content]
    [hanging] = hanging_on(question, {})
    assert hanging.text["en"].startswith(
        "whether the notice must say: Credit reporting agencies; Free identity protection ("
    )


def test_who_only_holds_the_data_tells_its_owner_at_once() -> None:
    held = CALIFORNIA.duty("partner", acting_as_processor=True)
    assert (held.kind, held.is_standing) == (DutyKind.report_partner, True)
    assert (held.urgency, held.due_at) == (Urgency.immediately, None)
    assert not CALIFORNIA.owes("partner", acting_as_processor=False)


@pytest.mark.parametrize(("count", "instead"), [(500_000, False), (500_001, True)])
def test_california_lets_a_public_notice_stand_in_above_half_a_million(count: int, instead: bool) -> None:
    found = CALIFORNIA.duty("people", persons_us_ca=exactly(count), persons=exactly(count))
    assert found.is_standing
    assert found.public_notice_instead is instead


@pytest.mark.parametrize(
    ("law", "state", "count"),
    [
        ("us-ca-1798-82", "US-CA", "persons_us_ca"),
        ("us-ny-899-aa", "US-NY", "persons_us_ny"),
    ],
)
def test_people_in_the_united_states_may_live_in_a_state_until_their_number_there_is_known(
    law: str, state: str, count: str
) -> None:
    facts = (CALIFORNIA if state == "US-CA" else ALBANY).facts
    somewhere = Law(law, {**facts, "people_countries": ("CN", "US")})
    assert somewhere.finding(**{count: exactly(1)}).outcome is Outcome.met
    assert somewhere.finding(**{count: exactly(0)}).outcome is Outcome.not_met
    unsettled = somewhere.finding(**{count: None})
    assert (unsettled.outcome, unsettled.decides) == (Outcome.cannot_tell, frozenset({count}))
    assert somewhere.finding(people_countries=("CN", "JP"), **{count: None}).outcome is Outcome.not_met


# -- New York ------------------------------------------------------------------------------------------


def test_new_yorkers_are_told_within_thirty_days_after_discovery() -> None:
    found = ALBANY.duty("people")
    assert (found.state, found.assumed, found.due_at) == (
        DutyState.owed,
        False,
        end_of(NEW_YORK, 2026, 12, 2),
    )


def test_the_state_agencies_are_told_for_any_number_of_residents() -> None:
    found = ALBANY.duty("agencies", persons_us_ny=exactly(1))
    assert (found.kind, found.is_standing) == (DutyKind.report_authority, True)
    assert len(found.items) == 5
    assert [recipient.key for recipient in found.recipients] == [
        "attorney_general_ny",
        "department_of_state_ny",
        "state_police_ny",
    ]


@pytest.mark.parametrize(("count", "owed"), [(5_000, False), (5_001, True)])
def test_credit_agencies_are_told_above_five_thousand_residents(count: int, owed: bool) -> None:
    assert ALBANY.owes("credit_agencies", persons_us_ny=exactly(count)) is owed
    assert ALBANY.duty("credit_agencies").kind is DutyKind.report_partner


def test_a_slip_of_an_authorised_person_without_likely_misuse_may_free_from_telling_people() -> None:
    assert (
        ALBANY.duty("people", no_misuse_likely=True).state is DutyState.may_be_waived
    )  # a decision in writing
    assert ALBANY.duty("people", no_misuse_likely=None).state is DutyState.owed


@pytest.mark.parametrize(("count", "owed"), [(500, False), (501, True)])
def test_that_determination_goes_to_the_attorney_general_in_ten_days_above_five_hundred(
    count: int, owed: bool
) -> None:
    facts = {"no_misuse_likely": True, "persons_us_ny": exactly(count)}
    told = ALBANY.duty(
        "agencies",
        **facts,
        no_misuse_determined_at=at(NEW_YORK, 2026, 11, 9),
    )
    assert told.is_standing is owed
    if owed:
        assert told.due_at == end_of(NEW_YORK, 2026, 11, 19)
        assert [recipient.key for recipient in told.recipients] == ["attorney_general_ny"]


def test_the_trigger_in_new_york_is_private_information_as_it_lists_it() -> None:
    assert not ALBANY.owes("people", listed_elements_us_ny=False)
    assert ALBANY.duty("people", listed_elements_us_ny=None).settled_by == {"listed_elements_us_ny"}


def test_who_only_holds_the_data_tells_its_owner_in_new_york_too() -> None:
    held = ALBANY.duty("partner", acting_as_processor=True)
    assert (held.kind, held.due_at) == (DutyKind.report_partner, end_of(NEW_YORK, 2026, 12, 2))
    assert not ALBANY.owes("partner", acting_as_processor=False)


# -- the FCC -------------------------------------------------------------------------------------------


def test_the_amended_fcc_rule_is_adopted_and_raises_no_duty_yet() -> None:
    rules = regime("us-fcc-64-2011")
    assert rules.status is Status.adopted_not_effective
    found = Law("us-fcc-64-2011", FCC.facts).finding()
    assert (found.outcome, found.duties) == (Outcome.not_in_force, ())


def test_once_effective_agencies_are_told_seven_business_days_after_the_determination() -> None:
    found = FCC.duty("agencies")
    assert found.due_at == end_of(NEW_YORK, 2026, 12, 2)  # 23-25, 27, 30 November, 1, 2 December
    assert found.anchor_field == "breach_determined_at"
    assert len(found.items) == 7


@pytest.mark.parametrize(
    ("count", "harm", "owed"), [(499, False, False), (500, False, True), (499, True, True)]
)
def test_once_effective_agencies_hear_of_five_hundred_customers_or_of_likely_harm(
    count: int, harm: bool, owed: bool
) -> None:
    assert FCC.owes("agencies", persons=exactly(count), harm_effectively_avoided=not harm) is owed


def test_once_effective_customers_are_told_thirty_days_after_the_determination() -> None:
    found = FCC.duty("people", harm_effectively_avoided=False)
    assert (found.is_standing, found.due_at) == (True, end_of(NEW_YORK, 2026, 12, 20))
    assert found.needs_first == "us-fcc-64-2011/agencies"


@pytest.mark.parametrize("ground", [{"harm_effectively_avoided": True}, {"data_unintelligible": True}])
def test_what_is_from_memory_frees_nobody_without_a_decision_of_the_fcc_s_carrier(
    ground: dict[str, bool],
) -> None:
    facts = {"harm_effectively_avoided": False, **ground}
    assert FCC.duty("people", **facts).state is DutyState.may_be_waived
