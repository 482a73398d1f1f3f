"""The traps of breach laws: from which event each clock runs, in which unit, and what triggers it at all."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from incident.law.findings import Outcome
from incident.law.regimes import Status
from tests.support.one_law import Law, at, end_of, exactly, regime

BRUSSELS, NEW_YORK = "Europe/Brussels", "America/New_York"

# Every time a law may count from, each at its own moment: the earliest come first, so that a clock that counts from
# the wrong one shows it. All lie after the last date on which a law here came into force.
TIMES = (
    "occurred_at",
    "noticed_at",
    "discovered_at",
    "informed_at",
    "suspected_at",
    "aware_at",
    "exploitation_aware_at",
    "significant_incident_aware_at",
    "classified_major_at",
    "breach_determined_at",
    "notifiable_determined_at",
    "materiality_determined_at",
    "ransom_paid_at",
    "individuals_notified_at",
)
FIRST = datetime(2027, 6, 7, 9, tzinfo=UTC)
EVERY_TIME = {name: FIRST + timedelta(minutes=7 * place) for place, name in enumerate(TIMES)}
BITES = {
    "personal_data_breach": "actual",
    "breach_effects": ("confidentiality",),
    "eu_data_subjects": True,
    "risk_to_people": "high",
    "serious_harm_likely": True,
    "significant_incident": True,
    "critical_services_affected": True,
    "malicious_data_access": True,
    "exploited_vulnerability": True,
    "severe_product_incident": True,
    "material_incident": True,
    "cert_in_incident": True,
    "phi_unsecured": True,
    "persons_phi": exactly(10_000),
    "listed_elements_us_ca": True,
    "listed_elements_us_ny": True,
    "persons": exactly(10_000),
    "persons_us_ca": exactly(10_000),
    "persons_us_ny": exactly(10_000),
    "persons_us_one_state": exactly(10_000),
    "persons_sg": exactly(10_000),
    "consumers_us": exactly(10_000),
}


# -- each clock runs from its own event ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("law", "duty", "field"),
    [
        ("in-cert-in", "authority", "noticed_at"),
        ("au-ndb", "assess", "suspected_at"),
        ("sg-pdpa", "assess", "suspected_at"),
        ("eu-gdpr", "authority", "aware_at"),
        ("uk-gdpr", "authority", "aware_at"),
        ("eu-nis2", "early_warning", "significant_incident_aware_at"),
        ("eu-nis2", "notification", "significant_incident_aware_at"),
        ("eu-dora", "initial", "classified_major_at"),
        ("us-sec-8k-105", "form_8k", "materiality_determined_at"),
        ("sg-pdpa", "authority", "notifiable_determined_at"),
        ("ca-pipeda", "authority", "breach_determined_at"),  # “determines that the breach has occurred”
        ("us-fcc-64-2011", "agencies", "breach_determined_at"),
        ("us-hipaa", "people", "discovered_at"),
        ("us-ftc-safeguards", "authority", "discovered_at"),
        ("us-ca-1798-82", "people", "discovered_at"),
        ("us-ny-899-aa", "people", "discovered_at"),
        ("us-circia", "ransom", "ransom_paid_at"),
        ("us-ca-1798-82", "attorney_general", "individuals_notified_at"),
        ("eu-cra", "vulnerability_early_warning", "exploitation_aware_at"),
        ("eu-cra", "vulnerability_notification", "exploitation_aware_at"),
    ],
)
def test_each_clock_runs_from_the_event_of_its_law(law: str, duty: str, field: str) -> None:
    not_law_yet = regime(law).status is not Status.in_force
    facts = {**BITES, **EVERY_TIME}
    if law == "us-ny-899-aa":
        facts["no_misuse_likely"] = False
    found = Law(law, facts, as_law=not_law_yet).duty(duty)
    assert found.anchor_field == field
    assert found.anchor_at == EVERY_TIME[field]


@pytest.mark.parametrize(
    ("law", "duty", "earlier"),
    [
        ("eu-nis2", "final", "notification"),
        ("eu-dora", "intermediate", "initial"),
        ("eu-dora", "final", "intermediate"),
        ("eu-cra", "incident_final", "incident_notification"),
        ("br-lgpd", "supplement", "authority"),
    ],
)
def test_a_clock_that_runs_from_an_earlier_submission_waits_for_it(law: str, duty: str, earlier: str) -> None:
    facts = {
        **BITES,
        **EVERY_TIME,
        "incident_ongoing": False,
        "significant_effect_on_rights": True,
        "br_criteria": ("sensitive",),
        "small_scale_agent": False,
        "dora_no_weekend_relief": False,
    }
    waiting = Law(law, facts).duty(duty)
    assert (waiting.due_at, waiting.waits_for_duty) == (None, f"{law}/{earlier}")
    handed_in = FIRST + timedelta(days=2)
    running = Law(law, facts).duty(duty, submitted={earlier: handed_in})
    assert running.anchor_at == handed_in
    assert running.due_at is not None


# -- units ---------------------------------------------------------------------------------------------

NIS2 = Law(
    "eu-nis2",
    {**BITES, "significant_incident_aware_at": at(BRUSSELS, 2026, 1, 29), "incident_ongoing": False},
)
DORA = Law(
    "eu-dora",
    {
        **BITES,
        "aware_at": at(BRUSSELS, 2026, 11, 25, 9),
        "classified_major_at": at(BRUSSELS, 2026, 11, 25, 10),
        "dora_no_weekend_relief": False,
    },
)


def test_trap_the_month_of_nis2_runs_from_the_notification_and_is_a_calendar_month() -> None:
    found = NIS2.duty("final", submitted={"notification": at(BRUSSELS, 2026, 1, 31, 11)})
    assert found.due_at == end_of(BRUSSELS, 2026, 2, 28)
    assert NIS2.duty("final", submitted={"notification": at(BRUSSELS, 2026, 7, 1)}).due_at == end_of(
        BRUSSELS, 2026, 8, 1
    )


def test_trap_the_72_hours_of_dora_run_from_the_initial_notification() -> None:
    handed_in = at(BRUSSELS, 2026, 11, 23, 15)
    assert DORA.duty("intermediate", submitted={"initial": handed_in}).due_at == handed_in + timedelta(
        hours=72
    )


def test_trap_the_month_of_dora_runs_from_the_intermediate_report() -> None:
    submitted = {"initial": at(BRUSSELS, 2026, 11, 25, 12), "intermediate": at(BRUSSELS, 2026, 11, 26, 12)}
    # 26 December 2026 is a Saturday and a closing day of TARGET.
    assert DORA.duty("final", submitted=submitted).due_at == at(BRUSSELS, 2026, 12, 28, 12)
    submitted["intermediate"] = at(BRUSSELS, 2026, 11, 30, 12)
    assert DORA.duty("final", submitted=submitted).due_at == end_of(BRUSSELS, 2026, 12, 30)


def test_trap_a_weekend_moves_dora_to_noon_of_the_next_working_day() -> None:
    friday = at(BRUSSELS, 2026, 11, 27, 22)
    found = DORA.duty("initial", aware_at=friday, classified_major_at=friday)
    assert (found.due_at, found.assumed) == (at(BRUSSELS, 2026, 11, 30, 12), False)
    handed_in = {"initial": at(BRUSSELS, 2026, 11, 25, 12)}
    assert DORA.duty("intermediate", submitted=handed_in).due_at == at(BRUSSELS, 2026, 11, 30, 12)


def test_trap_banks_and_essential_entities_have_no_weekend_under_dora_but_for_the_final_report() -> None:
    friday = at(BRUSSELS, 2026, 11, 27, 22)
    bank = {"aware_at": friday, "classified_major_at": friday, "dora_no_weekend_relief": True}
    assert DORA.duty("initial", **bank).due_at == at(BRUSSELS, 2026, 11, 28, 2)
    handed_in = at(BRUSSELS, 2026, 11, 25, 12)
    assert DORA.duty("intermediate", submitted={"initial": handed_in}, **bank).due_at == at(
        BRUSSELS, 2026, 11, 28, 12
    )
    moved = DORA.duty("final", submitted={"intermediate": at(BRUSSELS, 2026, 11, 26)}, **bank)
    assert moved.due_at == at(BRUSSELS, 2026, 12, 28, 12)


def test_trap_not_knowing_whether_the_weekend_counts_keeps_the_earlier_end_as_assumed() -> None:
    friday = at(BRUSSELS, 2026, 11, 27, 22)
    found = DORA.duty("initial", aware_at=friday, classified_major_at=friday, dora_no_weekend_relief=None)
    assert (found.due_at, found.assumed) == (at(BRUSSELS, 2026, 11, 28, 2), True)
    assert "dora_no_weekend_relief" in found.settled_by


@pytest.mark.parametrize(
    ("classified_after", "due_after"),
    [
        (timedelta(hours=2), timedelta(hours=6)),
        (timedelta(hours=20), timedelta(hours=24)),
        (timedelta(hours=21), timedelta(hours=24)),
        (timedelta(hours=24), timedelta(hours=24)),
        (timedelta(hours=30), timedelta(hours=34)),
    ],
)
def test_trap_a_late_classification_under_dora_has_four_hours_of_its_own(
    classified_after: timedelta, due_after: timedelta
) -> None:
    aware = at(BRUSSELS, 2026, 11, 23, 9)
    found = DORA.duty("initial", aware_at=aware, classified_major_at=aware + classified_after)
    assert found.due_at == aware + due_after


@pytest.mark.parametrize(
    ("determined", "last"), [((2026, 1, 1), (2026, 1, 4)), ((2026, 2, 26), (2026, 3, 1))]
)
def test_trap_the_day_after_the_determination_is_day_one_in_singapore(
    determined: tuple[int, int, int], last: tuple[int, int, int]
) -> None:
    facts = {**BITES, "internal_only": False, "notifiable_determined_at": at("Asia/Singapore", *determined)}
    assert Law("sg-pdpa", facts).duty("authority").due_at == end_of("Asia/Singapore", *last)


@pytest.mark.parametrize(
    ("purpose", "known", "last"),
    [
        (False, (2026, 11, 2), (2026, 12, 1)),
        (True, (2026, 10, 6), (2026, 12, 4)),
        (False, (2026, 11, 30), (2027, 1, 4)),
        (True, (2026, 11, 2), (2027, 1, 4)),
    ],
)
def test_trap_the_day_of_knowing_is_day_one_in_japan_and_the_new_year_is_closed(
    purpose: bool, known: tuple[int, int, int], last: tuple[int, int, int]
) -> None:
    facts = {
        "personal_data_breach": "actual",
        "special_care_data": True,
        "property_damage_possible": False,
        "improper_purpose": purpose,
        "discovered_at": at("Asia/Tokyo", *known),
    }
    assert Law("jp-appi", facts).duty("final").due_at == end_of("Asia/Tokyo", *last)


@pytest.mark.parametrize("law", ["eu-gdpr", "uk-gdpr"])
@pytest.mark.parametrize(
    "aware", [at("UTC", 2026, 12, 24, 17), at("UTC", 2026, 3, 27, 17), at("UTC", 2026, 11, 27, 9)]
)
def test_trap_the_72_hours_of_the_gdpr_run_through_weekends_holidays_and_changed_clocks(
    law: str, aware: datetime
) -> None:
    facts = {**BITES, "aware_at": aware}
    assert Law(law, facts).duty("authority").due_at == aware + timedelta(hours=72)


def test_trap_brazil_counts_business_days_and_doubles_them_for_small_agents() -> None:
    facts = {
        "personal_data_breach": "actual",
        "aware_at": at("America/Sao_Paulo", 2026, 12, 23),
        "significant_effect_on_rights": True,
        "br_criteria": ("sensitive",),
    }
    law = Law("br-lgpd", facts)
    zone = "America/Sao_Paulo"
    assert law.duty("authority", small_scale_agent=False).due_at == end_of(zone, 2026, 12, 29)  # 24, 28, 29
    assert law.duty("authority", small_scale_agent=True).due_at == end_of(zone, 2027, 1, 4)  # 30, 31, then 4
    handed_in = {"authority": at(zone, 2026, 12, 29)}
    ordinary = law.duty("supplement", small_scale_agent=False, submitted=handed_in)
    small = law.duty("supplement", small_scale_agent=True, submitted=handed_in)
    assert (ordinary.due_at, small.due_at) == (end_of(zone, 2027, 1, 27), end_of(zone, 2027, 2, 24))


def test_trap_the_sec_and_the_fcc_count_business_days() -> None:
    sec = Law("us-sec-8k-105", {**BITES, "materiality_determined_at": at(NEW_YORK, 2026, 12, 30)})
    assert sec.duty("form_8k").due_at == end_of(NEW_YORK, 2027, 1, 6)  # 31 December, 4, 5, 6 January
    fcc = Law("us-fcc-64-2011", {**BITES, "breach_determined_at": at(NEW_YORK, 2026, 12, 30)}, as_law=True)
    assert fcc.duty("agencies").due_at == end_of(NEW_YORK, 2027, 1, 11)


HIPAA = Law(
    "us-hipaa", {"phi_unsecured": True, "low_probability_of_compromise": False, "business_associate": False}
)


@pytest.mark.parametrize(("month", "day"), [(1, 1), (12, 31)])
def test_trap_under_five_hundred_hipaa_counts_sixty_days_from_the_end_of_the_year(
    month: int, day: int
) -> None:
    found = HIPAA.duty("hhs", persons_phi=exactly(499), discovered_at=at(NEW_YORK, 2026, month, day))
    assert found.due_at == end_of(NEW_YORK, 2027, 3, 1)


def test_trap_from_five_hundred_on_hipaa_counts_sixty_days_from_discovery() -> None:
    found = HIPAA.duty("hhs", persons_phi=exactly(500), discovered_at=at(NEW_YORK, 2026, 1, 2))
    assert found.due_at == end_of(NEW_YORK, 2026, 3, 3)


@pytest.mark.parametrize(("count", "owed"), [(500, False), (501, True)])
def test_trap_california_wants_a_sample_fifteen_days_after_the_notice_only_above_five_hundred(
    count: int, owed: bool
) -> None:
    zone = "America/Los_Angeles"
    facts = {
        **BITES,
        "discovered_at": at(zone, 2026, 11, 2),
        "individuals_notified_at": at(zone, 2026, 11, 12),
        "persons_us_ca": exactly(count),
    }
    found = Law("us-ca-1798-82", facts).duty("attorney_general")
    assert found.is_standing is owed
    assert found.due_at == (end_of(zone, 2026, 11, 27) if owed else None)


def test_trap_three_times_24_hours_in_indonesia_are_running_hours() -> None:
    friday = at("Asia/Jakarta", 2026, 11, 27, 21)
    law = Law("id-pdp", {"personal_data_breach": "actual", "discovered_at": friday, "aware_at": friday})
    assert law.duty("people").due_at == friday + timedelta(hours=72)


# -- what triggers a law at all ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("law", "duty", "field"),
    [
        ("sg-pdpa", "people", "deemed_significant_harm_sg"),
        ("us-ca-1798-82", "people", "listed_elements_us_ca"),
        ("us-ny-899-aa", "people", "listed_elements_us_ny"),
    ],
)
def test_trap_closed_lists_of_data_trigger_singapore_california_and_new_york(
    law: str, duty: str, field: str
) -> None:
    facts = {
        **BITES,
        **EVERY_TIME,
        "serious_harm_likely": False,
        "deemed_significant_harm_sg": False,
        "risk_to_people": "high",
    }
    assert not Law(law, {**facts, field: False}).duty(duty).is_standing
    assert Law(law, {**facts, field: True}).duty(duty).is_standing


@pytest.mark.parametrize("law", ["eu-gdpr", "uk-gdpr", "th-pdpa"])
def test_trap_risk_triggers_the_gdpr_and_its_family(law: str) -> None:
    facts = {**BITES, **EVERY_TIME}
    assert not Law(law, facts).owes("authority", risk_to_people="unlikely")
    assert Law(law, facts).duty("authority", risk_to_people="risk").is_standing
    assert not Law(law, facts).duty("people", risk_to_people="risk").is_standing
    assert Law(law, facts).duty("people", risk_to_people="high").is_standing


@pytest.mark.parametrize(
    ("law", "duty", "count", "enough", "categories"),
    [
        (
            "jp-appi",
            "preliminary",
            "persons_jp",
            1_001,
            ("special_care_data", "property_damage_possible", "improper_purpose"),
        ),
        ("kr-pipa", "authority", "persons_kr", 1_000, ("unique_identifiers_kr", "unlawful_external_access")),
    ],
)
def test_trap_a_category_or_a_head_count_triggers_japan_and_korea(
    law: str, duty: str, count: str, enough: int, categories: tuple[str, ...]
) -> None:
    quiet = {**EVERY_TIME, "personal_data_breach": "actual", **dict.fromkeys(categories, False)}
    assert not Law(law, quiet).duty(duty, **{count: exactly(enough - 1)}).is_standing
    assert Law(law, quiet).duty(duty, **{count: exactly(enough)}).is_standing
    for category in categories:
        assert Law(law, {**quiet, category: True}).duty(duty, **{count: exactly(1)}).is_standing


def test_trap_an_effect_and_one_of_six_criteria_trigger_brazil() -> None:
    law = Law("br-lgpd", {**EVERY_TIME, "personal_data_breach": "actual"})
    effect, criterion = {"significant_effect_on_rights": True}, {"br_criteria": ("secrecy",)}
    assert law.duty("authority", **effect, **criterion).is_standing
    assert not law.duty("authority", **effect, br_criteria=("none",)).is_standing
    assert not law.duty("authority", significant_effect_on_rights=False, **criterion).is_standing


@pytest.mark.parametrize("law", ["us-circia", "us-fcc-64-2011", "eu-gdpr-omnibus", "cn-large-draft-2026"])
def test_trap_what_is_announced_is_not_law(law: str) -> None:
    found = Law(law, {**BITES, **EVERY_TIME}).finding()
    assert (found.outcome, found.duties) == (Outcome.not_in_force, ())
