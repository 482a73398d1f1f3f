"""The grades of the industry and telecom regulator, at each bound exactly, and where its scales are in use."""

from typing import Any

import pytest

from incident.law.grading import Confidence, GradeResult, grade, scales_in_scope, shipped_scales
from incident.law.reasons import Answer
from incident.record.facts import Interval, Value

CAC = shipped_scales()["cn-cac"]
DATA = shipped_scales()["cn-miit-data"]
INTERNET = shipped_scales()["cn-miit-internet"]
GENERAL, RELATIVELY, SERIOUS, ESPECIALLY = DATA.grades
NONE = next(iter(INTERNET.grades))
HOUR = 3600

Sheet = dict[str, Value | None]

HARMLESS: Sheet = {
    "personal_data_breach": "actual",
    "breach_effects": ("confidentiality",),
    "persons": Interval.exactly(0),
    "persons_sensitive": Interval.exactly(0),
    "data_class": "general",
    "threat_level": "some",
    "economic_loss": Interval.exactly(0),
    "telecom_outage": Interval.exactly(0),
    "telecom_facility_class": "core",
    "radio_interference": Interval.exactly(0),
    "users_offline_area": "none",
    "malware_outbreak_area": "none",
    "abnormal_site_reach": "none",
    "abnormal_domain_system": "none",
    "internet_harm": "none",
}


def result(scale: Any, facts: dict[str, Any]) -> GradeResult:
    exact = {
        name: Interval.exactly(value) if isinstance(value, int) else value for name, value in facts.items()
    }
    return grade(scale, {**HARMLESS, **exact})


def graded(scale: Any, **facts: Any) -> str:
    found = result(scale, facts)
    assert found.is_settled, (found.lowest, found.highest, found.decides)
    return found.lowest


@pytest.mark.parametrize(
    ("field", "bounds"),
    [
        ("persons", (1_000_000, 10_000_000, 100_000_000)),
        ("persons_sensitive", (100_000, 1_000_000, 10_000_000)),
        ("economic_loss", (50_000_000, 100_000_000, 1_000_000_000)),
        ("telecom_outage", (8 * HOUR, 12 * HOUR, 24 * HOUR)),
        ("radio_interference", (8 * HOUR, 12 * HOUR, 24 * HOUR)),
    ],
)
def test_each_bound_of_the_data_plan_includes_its_own_number_and_nothing_below(
    field: str, bounds: tuple[int, int, int]
) -> None:
    # Nobody is sensitive who is not affected: a number of all persons too small would rule the row out.
    beside = {"persons": None} if field == "persons_sensitive" else {}
    below = GENERAL
    for bound, name in zip(bounds, (RELATIVELY, SERIOUS, ESPECIALLY), strict=True):
        for number, wanted in ((bound - 1, below), (bound, name), (bound + 1, name)):
            found = result(DATA, {**beside, field: number})
            assert found.lowest == wanted, (field, number)
            assert found.is_settled or beside
        below = name


@pytest.mark.parametrize("least", [100_000, 1_000_000, 10_000_000, 100_000_000])
def test_each_bound_of_the_internet_plan_includes_its_own_number_and_nothing_below(least: int) -> None:
    grades = list(INTERNET.grades)
    place = {100_000: 1, 1_000_000: 2, 10_000_000: 3, 100_000_000: 4}[least]
    assert graded(INTERNET, persons=least - 1) == grades[place - 1]
    assert graded(INTERNET, persons=least) == grades[place]
    assert graded(INTERNET, persons=least + 1) == grades[place]


def test_below_its_lowest_bound_the_internet_plan_gives_no_grade_at_all() -> None:
    assert INTERNET.grades[graded(INTERNET, persons=99_999)] == {"zh-Hans": "不构成", "en": "none"}
    assert INTERNET.grades[graded(INTERNET)]["zh-Hans"] == "不构成"
    assert DATA.grades[graded(DATA)]["zh-Hans"] == "一般"


@pytest.mark.parametrize(
    ("facts", "wanted"),
    [
        ({"telecom_facility_class": "other", "telecom_outage": 8 * HOUR}, RELATIVELY),
        ({"telecom_facility_class": "other", "telecom_outage": 48 * HOUR}, RELATIVELY),
        ({"telecom_facility_class": "important", "telecom_outage": 12 * HOUR}, SERIOUS),
        ({"telecom_facility_class": "important", "telecom_outage": 24 * HOUR}, ESPECIALLY),
        ({"telecom_facility_class": "core", "telecom_outage": 24 * HOUR}, ESPECIALLY),
        ({"data_class": "general", "threat_level": "relatively_serious"}, RELATIVELY),
        ({"data_class": "general", "threat_level": "especially_serious"}, RELATIVELY),
        ({"data_class": "important", "threat_level": "some"}, GENERAL),
        ({"data_class": "important", "threat_level": "relatively_serious"}, RELATIVELY),
        ({"data_class": "important", "threat_level": "serious"}, SERIOUS),
        ({"data_class": "core", "threat_level": "especially_serious"}, ESPECIALLY),
        ({"persons": 2_000_000, "breach_effects": ("availability",)}, RELATIVELY),
        ({"persons": 2_000_000, "breach_effects": ("integrity",)}, RELATIVELY),
        ({"persons": 2_000_000, "personal_data_breach": "none"}, GENERAL),
        ({"persons": 200_000, "persons_sensitive": 200_000, "personal_data_breach": "none"}, GENERAL),
    ],
)
def test_the_other_rows_of_the_data_plan(facts: dict[str, Any], wanted: str) -> None:
    assert graded(DATA, **facts) == wanted


@pytest.mark.parametrize(
    ("facts", "wanted"),
    [
        ({"users_offline_area": "part"}, NONE),
        ({"users_offline_area": "prefecture"}, GENERAL),
        ({"users_offline_area": "province"}, RELATIVELY),
        ({"users_offline_area": "several_provinces"}, SERIOUS),
        ({"users_offline_area": "nationwide"}, ESPECIALLY),
        ({"malware_outbreak_area": "part"}, NONE),
        ({"malware_outbreak_area": "province"}, RELATIVELY),
        ({"malware_outbreak_area": "several_provinces"}, SERIOUS),
        ({"malware_outbreak_area": "nationwide"}, ESPECIALLY),
        ({"abnormal_site_reach": "other"}, NONE),
        ({"abnormal_site_reach": "province"}, RELATIVELY),
        ({"abnormal_site_reach": "country"}, SERIOUS),
        ({"abnormal_domain_system": "other"}, NONE),
        ({"abnormal_domain_system": "large_resolver"}, SERIOUS),
        ({"abnormal_domain_system": "cn_top_level"}, ESPECIALLY),
        ({"internet_harm": "general"}, GENERAL),
        ({"internet_harm": "relatively_serious"}, RELATIVELY),
        ({"internet_harm": "serious"}, SERIOUS),
        ({"internet_harm": "especially_serious"}, ESPECIALLY),
        ({"persons": 2_000_000, "breach_effects": ("availability",)}, NONE),
        ({"persons": 2_000_000, "personal_data_breach": "none"}, NONE),
    ],
)
def test_the_other_rows_of_the_internet_plan(facts: dict[str, Any], wanted: str) -> None:
    assert graded(INTERNET, **facts) == wanted


def test_one_event_can_be_relatively_serious_to_one_authority_and_below_the_threshold_of_another() -> None:
    facts = {"persons": 100_000, "persons_sensitive": 100_000}
    assert graded(DATA, **facts) == RELATIVELY
    assert graded(INTERNET, **facts) == "general"
    assert result(CAC, facts).at_least("relatively_serious").answer is not Answer.met
    assert CAC.rank(result(CAC, {**facts, **{name: "none" for name in ("threat_level", "system_loss")}}).lowest) == 0  # fmt: skip


@pytest.mark.parametrize(
    ("scale", "field", "least", "most", "grades"),
    [
        ("cn-cac", "persons", 800_000, 1_300_000, ("general", "relatively_serious")),
        ("cn-miit-data", "persons", 800_000, 1_300_000, ("general", "relatively_serious")),
        ("cn-miit-data", "economic_loss", 49_999_999, 50_000_000, ("general", "relatively_serious")),
        ("cn-miit-data", "radio_interference", 11 * HOUR, 13 * HOUR, ("relatively_serious", "serious")),
        ("cn-miit-internet", "persons", 99_999, 100_000, ("none", "general")),
        ("cn-miit-internet", "persons", 50_000, 20_000_000, ("none", "serious")),
    ],
)
def test_a_range_that_straddles_a_bound_cannot_be_told_yet(
    scale: str, field: str, least: int, most: int, grades: tuple[str, str]
) -> None:
    settled = {"system_loss": "none", "people_disrupted": 0, "province_share": 0, "prefecture_share": 0}
    settled |= {"cii_involved": False, "site_class": "none", "defacement": False}
    found = result(shipped_scales()[scale], {**settled, field: Interval(least, None, most)})
    assert (found.lowest, found.highest) == grades
    assert found.decides == {field}
    assert found.at_least(grades[1]).answer is Answer.cannot_tell


def test_where_all_persons_are_too_few_nobody_is_asked_how_many_have_sensitive_data() -> None:
    found = result(DATA, {"persons": 99_999, "persons_sensitive": None})
    assert found.is_settled
    assert found.lowest == GENERAL
    [row] = [each for each in found.criteria if each.id == "sensitive-personal-information"]
    assert row.answers["relatively_serious"].rests_on == {"persons"}


def test_as_many_persons_as_the_bound_may_all_have_sensitive_data() -> None:
    found = result(DATA, {"persons": 100_000, "persons_sensitive": None})
    assert (found.lowest, found.highest) == (GENERAL, RELATIVELY)
    assert found.decides == {"persons_sensitive"}
    above = result(DATA, {"persons": 1_000_000, "persons_sensitive": None})
    assert (above.lowest, above.highest) == (RELATIVELY, SERIOUS)


def test_a_number_of_sensitive_data_above_that_of_all_persons_is_not_overruled_by_it() -> None:
    assert graded(DATA, persons=50_000, persons_sensitive=200_000) == RELATIVELY


@pytest.mark.parametrize(
    ("countries", "organisations", "wanted"),
    [
        (["cn"], [], ["cn-cac"]),
        (["CN", "EU"], ["health_care_entity"], ["cn-cac"]),
        (["cn"], ["telecom_operator"], ["cn-cac", "cn-miit-data", "cn-miit-internet"]),
        (["cn"], ["industry_data_handler"], ["cn-cac", "cn-miit-data"]),
        (["cn"], ["central_enterprise", "internet_service"], ["cn-cac", "cn-miit-internet"]),
        (["eu"], ["telecom_operator"], []),
    ],
)
def test_a_scale_is_in_use_in_its_country_and_where_it_names_kinds_of_organisation_for_these(
    countries: list[str], organisations: list[str], wanted: list[str]
) -> None:
    assert [scale.id for scale in scales_in_scope(countries, organisations)] == wanted


def test_what_was_not_read_in_the_text_says_so_row_by_row() -> None:
    assert {row.id: row.confidence for row in result(INTERNET, {}).criteria} == {
        "user-information-leaked": Confidence.secondary,
        "users-offline": Confidence.secondary,
        "malware-outbreak": Confidence.secondary,
        "sites-abnormal": Confidence.memory,
        "domain-systems-abnormal": Confidence.memory,
        "other-harm": Confidence.memory,
    }
    assert (CAC.confidence, DATA.confidence) == (Confidence.verified, Confidence.secondary)
