"""The rules of the Ministry of Industry and Information Technology, and its grades beside those of the CAC."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from incident.law.clocks import Urgency
from incident.law.findings import DutyState, Outcome
from incident.law.regimes import Confidence
from incident.record.facts import Interval
from tests.support.laws import HOUR, SHANGHAI, duties, fact, keys, owed, told

CARRIER: dict[str, Any] = {"organisations": ["telecom_operator"]}
PLAN, INTERNET = "cn-miit-data-plan-2024", "cn-miit-internet-plan-2017"
ORDER, MEASURES = "cn-miit-order24-14", "cn-miit-data-measures-28"


@pytest.mark.parametrize("regime", [PLAN, INTERNET, ORDER, MEASURES])
def test_without_an_organisation_in_the_scope_the_sectors_rules_stay_off_and_say_whom_they_bind(
    regime: str,
) -> None:
    facts: dict[str, Any] = {"persons": 100_000_000, "serious_consequences": True, "data_class": "core"}
    for kinds in ((), ("financial_entity",)):
        found = told(organisations=kinds, **facts)[regime]
        assert (found.outcome, found.duties) == (Outcome.out_of_scope, ())
    assert told(**CARRIER, **facts)[regime].outcome is Outcome.met


# -- the data plan of 2024 -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "bound", "with_facts"),
    [
        ("persons", 1_000_000, {}),
        ("persons_sensitive", 100_000, {}),
        ("economic_loss", 50_000_000, {}),
        ("telecom_outage", 8 * HOUR, {"telecom_facility_class": "other"}),
        ("radio_interference", 8 * HOUR, {}),
    ],
)
def test_the_plan_is_reported_under_from_relatively_serious_on(
    field: str, bound: int, with_facts: dict[str, Any]
) -> None:
    authority = duties(**CARRIER, **with_facts, **fact(field, bound))[f"{PLAN}/authority"]
    assert (authority.state, authority.assumed) == (DutyState.owed, False)
    assert (authority.urgency, authority.due_at) == (Urgency.immediately, None)
    assert keys(authority) == {"provincial_comms_admin"}
    assert authority.confidence is not Confidence.memory
    below = duties(**CARRIER, **with_facts, **fact(field, bound - 1))[f"{PLAN}/authority"]
    assert below.state is DutyState.not_owed


@pytest.mark.parametrize(
    ("field", "bound"),
    [("persons", 10_000_000), ("persons_sensitive", 1_000_000), ("economic_loss", 100_000_000)],
)
def test_the_summary_is_owed_from_serious_on(field: str, bound: int) -> None:
    ended = datetime(2026, 9, 8, 10, 0, tzinfo=SHANGHAI)
    name = f"{PLAN}/final"
    assert duties(**CARRIER, emergency_ended_at=ended, **fact(field, bound))[name].state is DutyState.owed
    assert (
        duties(**CARRIER, emergency_ended_at=ended, **fact(field, bound - 1))[name].state
        is DutyState.not_owed
    )


@pytest.mark.parametrize(
    ("ended", "due"),
    [
        ((2026, 9, 29), (2026, 10, 12)),  # 1-7 October off, Saturday the 10th is worked
        ((2026, 9, 17), (2026, 9, 23)),  # Sunday the 20th is worked
        ((2026, 11, 27), (2026, 12, 4)),  # an ordinary weekend
        ((2026, 11, 28), (2026, 12, 4)),  # ended on a Saturday
    ],
)
def test_the_summary_is_due_on_the_fifth_chinese_working_day(
    ended: tuple[int, int, int], due: tuple[int, int, int]
) -> None:
    moment = datetime(*ended, 18, 0, tzinfo=SHANGHAI)
    found = duties(**CARRIER, persons=10_000_000, emergency_ended_at=moment, discovered_at=datetime(2026, 9, 1, tzinfo=SHANGHAI))  # fmt: skip
    assert found[f"{PLAN}/final"].due_at == datetime(*due, 23, 59, 59, tzinfo=SHANGHAI)


def test_the_summary_waits_for_the_end_of_the_emergency_response() -> None:
    final = duties(**CARRIER, persons=10_000_000)[f"{PLAN}/final"]
    assert (final.due_at, final.waits_for) == (None, frozenset({"emergency_ended_at"}))


def test_a_larger_incident_that_may_come_is_warned_of_at_once() -> None:
    warning = duties(**CARRIER, larger_incident_possible=True)[f"{PLAN}/warning"]
    assert (warning.state, warning.urgency) == (DutyState.owed, Urgency.immediately)
    assert keys(warning) == {"provincial_comms_admin"}
    assert duties(**CARRIER)[f"{PLAN}/warning"].state is DutyState.not_owed


def test_the_ministrys_grade_stands_beside_the_cacs_and_neither_decides_the_other() -> None:
    facts: dict[str, Any] = {"persons": 100_000, "persons_sensitive": 100_000}
    found = told(**CARRIER, **facts)
    assert found["cn-cac-incident-2025"].outcome is Outcome.not_met
    assert f"{PLAN}/authority" in owed(**CARRIER, **facts)
    loss = told(**CARRIER, economic_loss=5_000_000)
    assert loss["cn-cac-incident-2025"].outcome is Outcome.met
    assert f"{PLAN}/authority" not in owed(**CARRIER, economic_loss=5_000_000)
    both = owed(**CARRIER, persons=1_000_000)
    assert {"cn-cac-incident-2025/initial", f"{PLAN}/authority"} <= both


def test_a_count_that_straddles_the_bound_is_reported_as_assumed() -> None:
    duty = duties(**CARRIER, persons=500_000, persons_sensitive=Interval(90_000, None, 110_000))[
        f"{PLAN}/authority"
    ]
    assert (duty.state, duty.assumed, duty.settled_by) == (
        DutyState.owed,
        True,
        frozenset({"persons_sensitive"}),
    )


# -- the internet plan of 2017 ------------------------------------------------------------------------------


@pytest.mark.parametrize("organisation", ["telecom_operator", "internet_service"])
def test_the_internet_plan_begins_at_a_hundred_thousand(organisation: str) -> None:
    kinds = [organisation]
    authority = duties(organisations=kinds, persons=100_000)[f"{INTERNET}/authority"]
    assert (authority.state, authority.urgency, authority.due_at) == (DutyState.owed, Urgency.immediately, None)  # fmt: skip
    assert "provincial_comms_admin" in keys(authority)
    assert authority.items == ("1", "2", "3", "4")
    assert f"{INTERNET}/authority" not in owed(organisations=kinds, persons=99_999)


# -- order 24 and the data measures ---------------------------------------------------------------------------


@pytest.mark.parametrize("organisation", ["telecom_operator", "internet_service"])
def test_order_24_asks_for_serious_consequences_and_for_no_notice_to_people(organisation: str) -> None:
    found = told(organisations=[organisation], serious_consequences=True)[ORDER]
    [authority] = found.duties
    assert (authority.state, authority.urgency) == (DutyState.owed, Urgency.immediately)
    assert keys(authority) == {"provincial_comms_admin"}
    assert authority.confidence is Confidence.memory
    assert f"{ORDER}/authority" not in owed(organisations=[organisation], serious_consequences=False)


@pytest.mark.parametrize("organisation", ["telecom_operator", "industry_data_handler"])
@pytest.mark.parametrize(("data_class", "is_owed"), [("general", False), ("important", True), ("core", True)])
def test_the_data_measures_report_important_and_core_data(
    organisation: str, data_class: str, is_owed: bool
) -> None:
    found = owed(organisations=[organisation], data_class=data_class)
    assert (f"{MEASURES}/authority" in found) == is_owed


def test_the_data_measures_tell_users_whose_rights_may_be_harmed_and_how_to_reduce_it() -> None:
    name = f"{MEASURES}/people"
    people = duties(**CARRIER, harm_to_rights_possible=True)[name]
    assert (people.state, people.due_at) == (DutyState.owed, None)
    assert "steps_for_person" in {element for element, _ in people.elements}
    assert duties(**CARRIER)[name].state is DutyState.not_owed
