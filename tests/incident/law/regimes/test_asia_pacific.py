"""Asia and the Pacific without Japan and Korea: Singapore, Australia, India, Indonesia, Thailand, Vietnam and Taiwan."""

from __future__ import annotations

from datetime import datetime

import pytest

from incident.law.clocks import Urgency
from incident.law.findings import DutyState, Outcome
from incident.law.regimes import DutyKind
from tests.support.one_law import Law, at, end_of, exactly

SINGAPORE, SYDNEY = "Asia/Singapore", "Australia/Sydney"
KOLKATA, JAKARTA, BANGKOK, HANOI = "Asia/Kolkata", "Asia/Jakarta", "Asia/Bangkok", "Asia/Ho_Chi_Minh"

SINGAPORE_LAW = Law(
    "sg-pdpa",
    {
        "discovered_at": at(SINGAPORE, 2025, 12, 20),
        "suspected_at": at(SINGAPORE, 2025, 12, 22),
        "notifiable_determined_at": at(SINGAPORE, 2026, 1, 1),
        "personal_data_breach": "actual",
        "internal_only": False,
        "deemed_significant_harm_sg": True,
        "serious_harm_likely": True,
        "persons_sg": exactly(10),
        "remedial_action_effective": False,
        "data_unintelligible": False,
        "encryption_key_taken": False,
        "acting_as_processor": False,
    },
)
AUSTRALIA = Law(
    "au-ndb",
    {
        "discovered_at": at(SYDNEY, 2026, 11, 1),
        "suspected_at": at(SYDNEY, 2026, 11, 3),
        "aware_at": at(SYDNEY, 2026, 11, 10),
        "notifiable_determined_at": at(SYDNEY, 2026, 11, 10),
        "personal_data_breach": "actual",
        "serious_harm_likely": True,
        "remedial_action_effective": False,
        "disproportionate_effort": False,
    },
)
INDIA = Law(
    "in-dpdp",
    {
        "discovered_at": at(KOLKATA, 2027, 6, 1),
        "aware_at": at(KOLKATA, 2027, 6, 1, 9),
        "personal_data_breach": "actual",
    },
)
CERT_IN = Law(
    "in-cert-in",
    {
        "noticed_at": at(KOLKATA, 2026, 11, 21, 23),
        "discovered_at": at(KOLKATA, 2026, 11, 22, 9),
        "cert_in_incident": True,
    },
)
INDONESIA = Law(
    "id-pdp",
    {
        "discovered_at": at(JAKARTA, 2026, 11, 20, 9),
        "aware_at": at(JAKARTA, 2026, 11, 20, 9),
        "personal_data_breach": "actual",
        "public_service_disrupted": False,
    },
)
THAILAND = Law(
    "th-pdpa",
    {
        "discovered_at": at(BANGKOK, 2026, 11, 19),
        "aware_at": at(BANGKOK, 2026, 11, 20, 9),
        "personal_data_breach": "actual",
        "risk_to_people": "risk",
        "disproportionate_effort": False,
    },
)
VIETNAM = Law(
    "vn-pdpl",
    {
        "discovered_at": at(HANOI, 2026, 11, 20, 9),
        "personal_data_breach": "actual",
        "harm_under_vn_law": True,
        "acting_as_processor": False,
    },
)
TAIWAN = Law(
    "tw-pdpa",
    {
        "discovered_at": at("Asia/Taipei", 2026, 11, 20),
        "aware_at": at("Asia/Taipei", 2026, 11, 21),
        "personal_data_breach": "actual",
    },
)

# -- Singapore -----------------------------------------------------------------------------------------


def test_singapore_counts_three_calendar_days_from_the_day_after_the_assessment() -> None:
    found = SINGAPORE_LAW.duty("authority")
    assert (found.state, found.assumed, found.due_at) == (
        DutyState.owed,
        False,
        end_of(SINGAPORE, 2026, 1, 4),
    )


def test_weekends_count_in_singapore() -> None:
    found = SINGAPORE_LAW.duty("authority", notifiable_determined_at=at(SINGAPORE, 2026, 11, 26, 23, 59))
    assert found.due_at == end_of(SINGAPORE, 2026, 11, 29)  # a Sunday


def test_an_assessment_not_finished_leaves_the_clock_of_singapore_waiting() -> None:
    found = SINGAPORE_LAW.duty("authority", notifiable_determined_at=None)
    assert (found.due_at, found.waits_for) == (None, frozenset({"notifiable_determined_at"}))


def test_the_assessment_in_singapore_has_thirty_days_from_credible_grounds() -> None:
    found = SINGAPORE_LAW.duty("assess")
    assert (found.kind, found.anchor_field) == (DutyKind.assess, "suspected_at")
    assert found.due_at == end_of(SINGAPORE, 2026, 1, 21)


QUIET_SG = {"deemed_significant_harm_sg": False, "serious_harm_likely": False}


@pytest.mark.parametrize(("count", "owed"), [(499, False), (500, True)])
def test_five_hundred_people_are_significant_scale_in_singapore(count: int, owed: bool) -> None:
    assert SINGAPORE_LAW.owes("authority", persons_sg=exactly(count), **QUIET_SG) is owed


def test_scale_alone_does_not_reach_the_people_in_singapore() -> None:
    assert not SINGAPORE_LAW.owes("people", persons_sg=exactly(500), **QUIET_SG)
    assert SINGAPORE_LAW.owes("people", persons_sg=exactly(1))


def test_the_listed_data_is_deemed_harm_in_singapore() -> None:
    assert SINGAPORE_LAW.owes("people", deemed_significant_harm_sg=True, serious_harm_likely=False)
    assert SINGAPORE_LAW.owes("people", deemed_significant_harm_sg=False, serious_harm_likely=True)


def test_a_breach_inside_the_organisation_is_not_notifiable_in_singapore() -> None:
    assert not SINGAPORE_LAW.owes("authority", internal_only=True)
    assert not SINGAPORE_LAW.owes("people", internal_only=True)


@pytest.mark.parametrize(
    "excuse",
    [
        {"remedial_action_effective": True},
        {"data_unintelligible": True, "encryption_key_taken": False},
    ],
)
def test_remedies_and_encryption_excuse_only_the_notice_to_people_in_singapore(
    excuse: dict[str, bool],
) -> None:
    assert SINGAPORE_LAW.duty("people", **excuse).state is not DutyState.owed
    assert SINGAPORE_LAW.owes("authority", **excuse)


def test_people_in_singapore_are_never_told_before_the_commission() -> None:
    found = SINGAPORE_LAW.duty("people")
    assert (found.needs_first, found.due_at) == ("sg-pdpa/authority", None)
    assert found.urgency is Urgency.promptly
    assert len(SINGAPORE_LAW.duty("authority").items) == 9


# -- Australia -----------------------------------------------------------------------------------------


def test_the_assessment_in_australia_has_thirty_days_from_suspicion() -> None:
    found = AUSTRALIA.duty("assess")
    assert (found.kind, found.due_at) == (DutyKind.assess, end_of(SYDNEY, 2026, 12, 3))
    assert AUSTRALIA.duty("assess", serious_harm_likely=None).is_standing


def test_the_statement_in_australia_is_as_soon_as_practicable_and_people_come_after_it() -> None:
    statement, people = AUSTRALIA.duty("authority"), AUSTRALIA.duty("people")
    for duty in (statement, people):
        assert (duty.state, duty.urgency, duty.due_at) == (DutyState.owed, Urgency.promptly, None)
    assert people.needs_first == "au-ndb/authority"
    assert len(statement.items) == 4


def test_serious_harm_that_remedies_prevent_is_no_eligible_breach_in_australia() -> None:
    assert not AUSTRALIA.owes("authority", serious_harm_likely=False)
    assert not AUSTRALIA.owes("authority", remedial_action_effective=True)
    assert not AUSTRALIA.owes("people", remedial_action_effective=True)
    unsettled = AUSTRALIA.duty("authority", serious_harm_likely=None)
    assert (unsettled.state, unsettled.settled_by) == (DutyState.owed, frozenset({"serious_harm_likely"}))


# -- India ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("known", "outcome"),
    [
        (at(KOLKATA, 2026, 11, 20), Outcome.not_in_force),
        (at(KOLKATA, 2027, 5, 12, 23, 59), Outcome.not_in_force),
        (at(KOLKATA, 2027, 5, 13, 0, 0), Outcome.met),
    ],
)
def test_the_rules_of_india_bite_from_may_2027(known: datetime, outcome: Outcome) -> None:
    found = INDIA.finding(discovered_at=known, aware_at=known)
    assert found.outcome is outcome
    assert bool(found.duties) is (outcome is Outcome.met)


def test_india_asks_a_description_without_delay_and_the_detail_in_72_hours() -> None:
    first, detail, people = (INDIA.duty(name) for name in ("authority", "detailed", "people"))
    for duty in (first, people):
        assert (duty.state, duty.within, duty.due_at) == (DutyState.owed, None, None)
    assert detail.due_at == at(KOLKATA, 2027, 6, 4, 9)
    assert (len(first.items), len(detail.items)) == (5, 6)


def test_india_knows_no_threshold_of_risk() -> None:
    for risk in ("unlikely", "risk", "high", None):
        assert INDIA.owes("people", risk_to_people=risk)


def test_cert_in_is_told_six_hours_after_the_incident_was_noticed() -> None:
    found = CERT_IN.duty("authority")
    assert (found.state, found.assumed) == (DutyState.owed, False)
    assert (found.anchor_field, found.due_at) == ("noticed_at", at(KOLKATA, 2026, 11, 22, 5))
    told = CERT_IN.duty("authority", informed_at=at(KOLKATA, 2026, 11, 21, 20))
    assert told.due_at == at(KOLKATA, 2026, 11, 22, 2)


def test_cert_in_lists_twenty_types_and_hears_of_no_other() -> None:
    assert not CERT_IN.owes("authority", cert_in_incident=False)
    assert CERT_IN.duty("authority", cert_in_incident=None).settled_by == {"cert_in_incident"}
    assert {duty.kind for duty in CERT_IN.finding().duties} == {DutyKind.report_authority}
    assert len(CERT_IN.duty("authority").items) == 9


# -- Indonesia, Thailand, Vietnam, Taiwan --------------------------------------------------------------


def test_indonesia_gives_three_times_24_hours_to_authority_and_people() -> None:
    for duty in ("authority", "people"):
        found = INDONESIA.duty(duty)
        assert (found.state, found.due_at) == (DutyState.owed, at(JAKARTA, 2026, 11, 23, 9))
    assert len(INDONESIA.duty("authority").items) == 3


def test_indonesia_tells_the_public_besides_the_people_where_public_services_suffer() -> None:
    assert not INDONESIA.owes("public", public_service_disrupted=False)
    assert INDONESIA.owes("public", public_service_disrupted=True)
    assert INDONESIA.owes("people", public_service_disrupted=True)
    assert not INDONESIA.duty("people", disproportionate_effort=True).public_notice_instead


@pytest.mark.parametrize(
    ("risk", "authority", "people"),
    [("unlikely", False, False), ("risk", True, False), ("high", True, True)],
)
def test_thailand_tells_its_office_of_a_risk_and_people_of_a_high_risk(
    risk: str, authority: bool, people: bool
) -> None:
    assert THAILAND.owes("authority", risk_to_people=risk) is authority
    assert THAILAND.owes("people", risk_to_people=risk) is people


def test_thailand_gives_72_hours_from_awareness_and_asks_why_a_report_is_late() -> None:
    found = THAILAND.duty("authority")
    assert found.due_at == at(BANGKOK, 2026, 11, 23, 9)
    assert "delay_reasons" in found.late_fields
    assert len(found.items) == 4
    assert THAILAND.duty("people", risk_to_people="high").within is None


def test_vietnam_tells_its_authority_72_hours_after_detection() -> None:
    found = VIETNAM.duty("authority")
    assert (found.state, found.due_at) == (DutyState.owed, at(HANOI, 2026, 11, 23, 9))
    assert not VIETNAM.owes("authority", harm_under_vn_law=False)
    assert VIETNAM.duty("authority", harm_under_vn_law=None).settled_by == {"harm_under_vn_law"}


def test_vietnam_has_no_general_duty_to_tell_people() -> None:
    assert not VIETNAM.duty("people", organisations=("telecom_operator",)).is_standing
    assert VIETNAM.duty("people", organisations=("financial_entity",)).is_standing
    told = dict(VIETNAM.duty("people", organisations=("financial_entity",)).elements)
    assert set(told) == {"what_happened"}  # its contents were not verified


def test_a_processor_in_vietnam_tells_the_controller_and_not_the_authority() -> None:
    assert not VIETNAM.owes("authority", acting_as_processor=True)
    assert VIETNAM.owes("partner", acting_as_processor=True)
    assert not VIETNAM.owes("partner", acting_as_processor=False)


def test_the_law_of_vietnam_is_in_force_since_2026() -> None:
    before = at(HANOI, 2025, 12, 31, 23)
    assert VIETNAM.finding(discovered_at=before).outcome is Outcome.not_in_force
    assert VIETNAM.finding(discovered_at=at(HANOI, 2026, 1, 1, 0)).outcome is Outcome.met


def test_taiwan_tells_people_after_ascertaining_and_no_authority() -> None:
    [found] = TAIWAN.finding().duties
    assert (found.kind, found.state, found.within) == (DutyKind.notify_people, DutyState.owed, None)
