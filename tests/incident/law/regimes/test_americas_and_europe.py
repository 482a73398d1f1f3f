"""Brazil, Canada and Switzerland."""

from __future__ import annotations

import pytest

from incident.law.clocks import Urgency
from incident.law.findings import DutyState, Outcome
from incident.law.regimes import DutyKind
from tests.support.one_law import Law, at, end_of

SAO_PAULO, TORONTO, ZURICH = "America/Sao_Paulo", "America/Toronto", "Europe/Zurich"

BRAZIL = Law(
    "br-lgpd",
    {
        "discovered_at": at(SAO_PAULO, 2026, 11, 16),
        "aware_at": at(SAO_PAULO, 2026, 11, 18),
        "personal_data_breach": "actual",
        "significant_effect_on_rights": True,
        "br_criteria": ("financial",),
        "small_scale_agent": False,
        "disproportionate_effort": False,
    },
)
CANADA = Law(
    "ca-pipeda",
    {
        "discovered_at": at(TORONTO, 2026, 11, 16),
        "aware_at": at(TORONTO, 2026, 11, 17),
        "breach_determined_at": at(TORONTO, 2026, 11, 18),
        "personal_data_breach": "actual",
        "serious_harm_likely": True,
        "disproportionate_effort": False,
    },
)
SWITZERLAND = Law(
    "ch-fadp",
    {
        "discovered_at": at(ZURICH, 2026, 11, 16),
        "aware_at": at(ZURICH, 2026, 11, 17),
        "personal_data_breach": "actual",
        "risk_to_people": "high",
        "notice_needed_for_protection": False,
        "authority_requires_notice": False,
        "disproportionate_effort": False,
    },
)

# -- Brazil --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("duty", ["authority", "people"])
def test_brazil_gives_three_working_days_and_its_holidays_are_none(duty: str) -> None:
    found = BRAZIL.duty(duty)
    assert (found.state, found.assumed) == (DutyState.owed, False)
    assert found.due_at == end_of(SAO_PAULO, 2026, 11, 24)  # 19, 23 and 24; 20 November is a holiday
    assert found.anchor_field == "aware_at"


@pytest.mark.parametrize("duty", ["authority", "people"])
def test_brazil_doubles_the_days_of_a_small_agent(duty: str) -> None:
    doubled = BRAZIL.duty(duty, small_scale_agent=True)
    assert (doubled.due_at, doubled.assumed) == (end_of(SAO_PAULO, 2026, 11, 27), False)
    unknown = BRAZIL.duty(duty, small_scale_agent=None)
    assert (unknown.due_at, unknown.assumed) == (end_of(SAO_PAULO, 2026, 11, 24), True)
    assert unknown.settled_by == {"small_scale_agent"}


def test_the_supplement_in_brazil_runs_from_the_communication_twenty_or_forty_working_days() -> None:
    handed_in = {"authority": at(SAO_PAULO, 2026, 11, 24)}
    waiting = BRAZIL.duty("supplement")
    assert (waiting.due_at, waiting.waits_for_duty) == (None, "br-lgpd/authority")
    assert BRAZIL.duty("supplement", submitted=handed_in).due_at == end_of(SAO_PAULO, 2026, 12, 22)
    doubled = BRAZIL.duty("supplement", submitted=handed_in, small_scale_agent=True)
    assert doubled.due_at == end_of(SAO_PAULO, 2027, 1, 21)


def test_the_declaration_in_brazil_is_due_three_working_days_after_the_time_for_the_notice_ended() -> None:
    found = BRAZIL.duty("declaration")
    assert found.due_at == end_of(SAO_PAULO, 2026, 11, 27)  # the notice: 24 November; then 25, 26, 27
    told_at_once = BRAZIL.duty("declaration", individuals_notified_at=at(SAO_PAULO, 2026, 11, 19))
    assert told_at_once.due_at == found.due_at
    doubled = BRAZIL.duty("declaration", small_scale_agent=True)
    assert doubled.due_at == end_of(SAO_PAULO, 2026, 12, 2)  # the notice: 27 November; then 30, 1 and 2


@pytest.mark.parametrize(
    "criterion", ["sensitive", "vulnerable", "financial", "authentication", "secrecy", "large_scale"]
)
def test_each_of_the_six_criteria_in_brazil_is_enough_beside_the_effect(criterion: str) -> None:
    assert BRAZIL.owes("authority", br_criteria=(criterion,))
    assert not BRAZIL.owes("authority", br_criteria=(criterion,), significant_effect_on_rights=False)


def test_no_criterion_means_no_duty_in_brazil_and_an_unknown_one_is_assumed() -> None:
    assert not BRAZIL.owes("authority", br_criteria=("none",))
    unsettled = BRAZIL.duty("authority", br_criteria=None)
    assert (unsettled.state, unsettled.settled_by) == (DutyState.owed, frozenset({"br_criteria"}))
    unsettled = BRAZIL.duty("authority", significant_effect_on_rights=None)
    assert (unsettled.state, unsettled.settled_by) == (
        DutyState.owed,
        frozenset({"significant_effect_on_rights"}),
    )


def test_encryption_is_no_exemption_in_brazil() -> None:
    assert BRAZIL.owes("authority", data_unintelligible=True)
    assert BRAZIL.owes("people", data_unintelligible=True)


def test_the_report_in_brazil_has_twelve_items() -> None:
    assert len(BRAZIL.duty("authority").items) == 12
    assert BRAZIL.duty("declaration").kind is DutyKind.report_authority


def test_who_cannot_reach_each_person_in_brazil_publishes() -> None:
    assert BRAZIL.duty("people", disproportionate_effort=True).public_notice_instead
    assert not BRAZIL.duty("people", disproportionate_effort=None).public_notice_instead


# -- Canada --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("duty", "kind"),
    [
        ("authority", DutyKind.report_authority),
        ("people", DutyKind.notify_people),
        ("partner", DutyKind.report_partner),
    ],
)
def test_canada_asks_all_three_as_soon_as_feasible(duty: str, kind: DutyKind) -> None:
    found = CANADA.duty(duty)
    assert (found.kind, found.urgency, found.due_at) == (kind, Urgency.promptly, None)
    assert (found.is_standing, found.anchor_field) == (True, "breach_determined_at")


def test_canada_asks_for_a_real_risk_of_significant_harm() -> None:
    for duty in ("authority", "people", "partner"):
        assert not CANADA.owes(duty, serious_harm_likely=False)
    unsettled = CANADA.duty("authority", serious_harm_likely=None)
    assert (unsettled.state, unsettled.settled_by) == (DutyState.owed, frozenset({"serious_harm_likely"}))


def test_the_report_in_canada_has_seven_items() -> None:
    assert len(CANADA.duty("authority").items) == 7
    assert {channel.value for channel in CANADA.duty("people").channels} >= {
        "in_person",
        "phone",
        "letter",
        "email",
    }


# -- Switzerland ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("risk", "owed"), [("unlikely", False), ("risk", False), ("high", True)])
def test_switzerland_reports_a_high_risk_only(risk: str, owed: bool) -> None:
    assert SWITZERLAND.owes("authority", risk_to_people=risk) is owed


def test_switzerland_names_no_hours() -> None:
    for duty in ("authority", "people"):
        found = SWITZERLAND.duty(duty, notice_needed_for_protection=True)
        assert (found.is_standing, found.urgency, found.due_at) == (True, Urgency.promptly, None)
    assert len(SWITZERLAND.duty("authority").items) == 7


def test_people_in_switzerland_are_told_where_it_protects_them_or_the_commissioner_asks() -> None:
    assert not SWITZERLAND.owes("people")
    assert SWITZERLAND.owes("people", notice_needed_for_protection=True)
    assert SWITZERLAND.owes("people", authority_requires_notice=True)
    assert SWITZERLAND.owes("people", notice_needed_for_protection=True, risk_to_people="risk")
    unsettled = SWITZERLAND.duty("people", notice_needed_for_protection=None)
    assert (unsettled.state, unsettled.settled_by) == (
        DutyState.owed,
        frozenset({"notice_needed_for_protection"}),
    )


def test_the_swiss_law_is_in_force_since_september_2023() -> None:
    before = at(ZURICH, 2023, 8, 31, 23)
    assert SWITZERLAND.finding(discovered_at=before, aware_at=before).outcome is Outcome.not_in_force
