"""`incident grade`: which scales are shown, what is said of the severity, and why."""

from __future__ import annotations

from typing import Any

from tests.support.estates import Estate

CHINESE = {"INCIDENT_LANGUAGE": "zh-Hans"}
OTHER_ROWS = (
    "telecom_outage=0h", "radio_interference=0h", "users_offline_area=none", "malware_outbreak_area=none",
    "abnormal_site_reach=none", "abnormal_domain_system=none", "internet_harm=none", "people_disrupted=0",
)  # fmt: skip
SEVERITY = (
    "data_categories=call_records", "breach_effects=confidentiality", "enisa_behavioural=daily_life",
    "enisa_identification=maximum", "enisa_confidentiality=known_recipients", "malicious_intent=no",
)  # fmt: skip


def _telecom(estate: Estate) -> None:
    estate.change_settings(
        'countries = ["cn", "eu"]', 'countries = ["cn", "eu"]\norganisation = ["telecom_operator"]'
    )


def _document(estate: Estate) -> Any:
    return estate.done("grade", estate.id, "--json").document


def test_a_telecom_operator_sees_the_scales_of_its_regulator_beside_that_of_the_cac(estate: Estate) -> None:
    assert [each["scale"] for each in _document(estate)["grades"]] == ["cn-cac"]
    hint = "cn-miit-data, cn-miit-internet: in use for some kinds of organisation only"
    assert hint in estate.done("grade", estate.id).out
    _telecom(estate)
    assert hint not in estate.done("grade", estate.id).out
    estate.done("set", estate.id, "persons=120000", "persons_sensitive=100000", *OTHER_ROWS)
    document = _document(estate)
    assert document["incident"] == estate.id
    grades = {each["scale"]: (each["lowest"], each["highest"]) for each in document["grades"]}
    assert grades == {
        "cn-cac": ("general", "general"),
        "cn-miit-data": ("relatively_serious", "relatively_serious"),
        "cn-miit-internet": ("general", "general"),
    }
    assert all(each["settled"] and each["decides"] == [] for each in document["grades"])


def test_outside_china_no_grading_scale_is_shown_and_the_severity_is(estate: Estate) -> None:
    estate.change_settings('countries = ["cn", "eu"]', 'countries = ["eu"]')
    document = _document(estate)
    assert document["grades"] == []
    assert document["severity"]["scored"]
    told = estate.done("grade", estate.id).out
    assert "cn-cac" not in told
    assert "no grading scale is in use" in told
    assert "enisa-severity" in told


def test_a_number_that_straddles_a_bound_gives_both_grades_and_names_the_fact(estate: Estate) -> None:
    _telecom(estate)
    estate.done("set", estate.id, "persons=99999..100000", *OTHER_ROWS)
    [found] = [each for each in _document(estate)["grades"] if each["scale"] == "cn-miit-internet"]
    assert (found["lowest"], found["highest"], found["decides"]) == ("none", "general", ["persons"])
    told = estate.done("grade", estate.id, **CHINESE).out
    [line] = [line for line in told.splitlines() if line.startswith("cn-miit-internet")]
    assert line.split()[1:4] == ["不构成", "一般", "persons"]


def test_a_severity_that_is_settled_says_its_score_its_band_and_what_it_does_not_decide(
    estate: Estate,
) -> None:
    estate.done("set", estate.id, *SEVERITY)
    severity = _document(estate)["severity"]
    assert (severity["lowest"], severity["highest"], severity["bands"]) == ("3.25", "3.25", ["high"])
    assert (severity["settled"], severity["decides"], severity["edpb"]) == (True, [], "severe")
    assert {each["id"] for each in severity["flags"]} == {"many-persons", "unintelligible"}
    told = estate.done("grade", estate.id).out
    assert "3.25 (high)" in told
    assert "More than 100 people are affected: not met" in told
    assert "does not decide whether Art. 33 or 34 GDPR" in told


def test_a_severity_that_is_open_says_the_facts_and_with_why_what_each_answer_scores(estate: Estate) -> None:
    estate.done("set", estate.id, *SEVERITY, "enisa_behavioural=unknown")
    severity = _document(estate)["severity"]
    assert (severity["lowest"], severity["highest"]) == ("1.25", "4.25")
    assert severity["decides"] == ["enisa_behavioural"]
    told = estate.done("grade", estate.id).out
    assert "1.25 (low)" in told
    assert "4.25 (very high)" in told
    assert "daily_life" not in told
    why = estate.done("grade", estate.id, "--why").out
    assert "3  daily_life: " in why
    assert "call history of a year" in why
    assert "What each answer to enisa_identification" not in why


def test_where_no_personal_data_is_involved_the_severity_says_that_it_is_not_scored(estate: Estate) -> None:
    estate.done("set", estate.id, "personal_data_breach=none")
    severity = _document(estate)["severity"]
    assert not severity["scored"]
    assert "no personal data" in severity["why_not"]["en"]
    assert "no personal data" in " ".join(estate.done("grade", estate.id).out.split())
    assert "未评分" in estate.done("grade", estate.id, "--why", **CHINESE).out


def test_why_shows_every_row_with_its_grades_and_says_which_are_from_memory(estate: Estate) -> None:
    _telecom(estate)
    told = estate.done("grade", estate.id, "--why").out
    assert "  row 5: Personal information leaked: general\n" in told
    assert "  by judgement: Loss of networks and information systems: general\n" in told
    assert "    relatively serious\n      Persons affected 6 against at least 1,000,000: not met\n" in told
    assert "cn-miit-data: " in told
    assert "checked: in a digest)" in told
    [line] = [line for line in told.splitlines() if "Sites or platforms seriously abnormal:" in line]
    assert line.endswith("none to serious (checked: from memory)")


def test_in_chinese_every_line_is_chinese_but_for_names(estate: Estate) -> None:
    _telecom(estate)
    told = estate.done("grade", estate.id, "--why", **CHINESE).out
    assert told.startswith("分级标准")
    for english in ("At least", "not met", "checked", "row ", "for example", "The score", "Beside"):
        assert english not in told
