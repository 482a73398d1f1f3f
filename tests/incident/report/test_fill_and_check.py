from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from incident.notice.findings import refusals
from incident.record.facts import Certainty, Fact
from incident.report.check import check_report
from incident.report.fill import ReportInputs, fill
from incident.report.filled import FilledItem, FilledLine, FilledReport, State, Status
from incident.report.forms import load_form

Make = Callable[..., ReportInputs]


def item(report: FilledReport, name: str) -> FilledItem:
    return next(each for each in report.items if each.id == name)


def line(report: FilledReport, label: str) -> FilledLine:
    return next(each for one in report.items for each in one.lines if each.label == label)


def refused_items(report: FilledReport) -> list[str]:
    return [finding.place for finding in refusals(check_report(report))]


def cac(inputs: ReportInputs, phase: str) -> FilledReport:
    return fill(load_form("cn-cac-incident"), phase, inputs)


def test_the_initial_report_passes_with_items_one_and_two_and_says_that_the_rest_follows(
    inputs: Make,
) -> None:
    report = cac(inputs(), "initial")
    assert refused_items(report) == []
    assert [(each.id, each.status) for each in report.items[:2]] == [
        ("1", Status.COMPLETE),
        ("2", Status.COMPLETE),
    ]
    assert item(report, "6").to_follow == "后续补报"
    assert item(report, "3").to_follow == "其余内容后续补报"


@pytest.mark.parametrize(
    ("missing", "place"),
    [
        ("systems", "1"),
        ("system_facts", "1"),
        ("location", "2"),
        ("incident_type", "2"),
        ("impact_so_far", "2"),
    ],
)
def test_the_initial_report_is_refused_without_a_part_of_its_minimum(
    inputs: Make, missing: str, place: str
) -> None:
    findings = refusals(check_report(cac(inputs({missing: None}), "initial")))
    assert [(finding.place, finding.fields) for finding in findings] == [(place, (missing,))]
    assert "cn-cac-incident-2025 第七条第" in findings[0].text("zh-Hans")


def test_one_time_is_enough_and_none_is_refused(inputs: Make) -> None:
    assert refused_items(cac(inputs({"occurred_at": None}), "initial")) == []
    assert refused_items(cac(inputs({"occurred_at": None, "discovered_at": None}), "initial")) == ["2"]


def test_without_grade_or_measures_item_two_is_refused(inputs: Make) -> None:
    assert refused_items(cac(inputs(graded=False), "initial")) == ["2"]
    assert refused_items(cac(inputs(measures=()), "initial")) == ["2"]


def test_ransomware_asks_for_amount_way_and_date(inputs: Make) -> None:
    (finding,) = refusals(check_report(cac(inputs({"ransomware": True}), "initial")))
    assert finding.fields == ("ransom_amount", "ransom_method", "ransom_date")
    told = {"ransomware": True, "ransom_amount": "2 BTC", "ransom_method": "BTC", "ransom_date": "2026-12-01"}
    report = cac(
        inputs({name: {"zh-Hans": v} if isinstance(v, str) else v for name, v in told.items()}), "initial"
    )
    assert refused_items(report) == []
    assert line(report, "要求支付赎金的金额").text == ("2 BTC",)
    assert "ransom" not in str(cac(inputs({"ransomware": False}), "initial").as_document()).replace(
        "ransomware", ""
    )


def test_the_supplement_needs_items_three_to_eight(inputs: Make) -> None:
    assert refused_items(cac(inputs(), "supplement")) == ["3", "4", "5", "6", "7"]
    assert refused_items(cac(inputs(later=True), "supplement")) == []


@pytest.mark.parametrize(
    ("missing", "place"),
    [("cause", "1"), ("handling_ended_at", "2"), ("impact_so_far", "3"), ("accountability", "4"),
     ("remediation", "5"), ("lessons", "6")],
)  # fmt: skip
def test_the_final_report_needs_each_of_its_six_items(inputs: Make, missing: str, place: str) -> None:
    assert refused_items(cac(inputs(later=True), "final")) == []
    assert refused_items(cac(inputs({missing: None}, later=True), "final")) == [place]


def test_nothing_recorded_is_said_as_such_and_not_as_none(inputs: Make) -> None:
    assert line(cac(inputs(), "initial"), "其他应当报告的情况").text == ("记录中没有其他情况",)


def test_known_to_be_unknown_shows_as_unknown_and_is_only_a_warning(inputs: Make) -> None:
    given = inputs()
    unknown = Fact("location", None, "li.na", "call", Certainty.confirmed, datetime(2026, 11, 22, tzinfo=UTC))
    known = replace(given, record=replace(given.record, facts={**given.record.facts, "location": unknown}))
    report = cac(known, "initial")
    assert line(report, "地点").text == ("尚不清楚",)
    assert line(report, "地点").state is State.UNKNOWN
    assert refused_items(report) == []
    assert [finding.code for finding in check_report(report)] == ["unknown"]


def test_a_value_that_is_not_confirmed_says_who_said_it_and_how_sure(inputs: Make) -> None:
    report = cac(inputs(), "initial")
    assert line(report, "涉及人数").note == "初步统计；提供人：zhang.wei"
    assert line(report, "地点").note == "初步判断；提供人：zhang.wei"
    confirmed = cac(inputs({"persons": 128430}, sure=Certainty.confirmed), "initial")
    assert line(confirmed, "涉及人数").note == "" and line(confirmed, "涉及人数").state is State.KNOWN
    claimed = fill(load_form("eu-gdpr-33"), "initial", inputs(sure=Certainty.claimed))
    assert line(claimed, "What happened").note == "claimed, not yet verified; said by zhang.wei"


def test_a_grade_that_may_still_rise_is_provisional(inputs: Make) -> None:
    assert line(cac(inputs(), "initial"), "事件级别").text == ("一般（暂定，最高可能为特别重大）",)
    severe = cac(inputs({"persons": "100000000..200000000"}), "initial")
    assert line(severe, "事件级别").text == ("特别重大",)


def test_measures_stand_with_their_time_and_their_author(inputs: Make) -> None:
    assert line(cac(inputs(), "initial"), "已采取的措施").text == (
        "2026-11-22 00:25 (UTC+08:00)：关闭接口；HTTP 204；处置剧本执行",
        "2026-11-22 01:05 (UTC+08:00)：作废凭据；AK-77；wang.fang执行",
        "2026-11-22 01:09 (UTC+08:00)：作废凭据；li.na按处置剧本执行",
    )


def test_a_text_in_another_language_does_not_fill_the_report(inputs: Make) -> None:
    report = cac(inputs({"location": {"en": "Guangzhou"}}), "initial")
    assert line(report, "地点").state is State.OTHER_LANGUAGE
    assert refused_items(report) == ["2"]


def test_harm_comes_from_the_record_before_it_comes_from_the_kinds_of_data(inputs: Make) -> None:
    from_kinds = line(cac(inputs(), "initial"), "可能造成的危害")
    assert from_kinds.note == "告知当事人的内容" and "用户接到诈骗电话。" not in from_kinds.text
    own = line(cac(inputs({"possible_harm": {"zh-Hans": "可能被跟踪。"}}), "initial"), "可能造成的危害")
    assert own.text == ("可能被跟踪。",) and own.note == "初步判断；提供人：zhang.wei"


def test_the_pipl_notice_has_its_three_items(inputs: Make) -> None:
    form = load_form("cn-pipl-57")
    assert refused_items(fill(form, "initial", inputs({"cause_kind": "misconfiguration"}))) == []
    assert refused_items(fill(form, "initial", inputs())) == ["1"]
    bare = inputs({"cause_kind": "misconfiguration"})
    no_way = bare.record.organisation.model_copy(update={"phone": "", "email": ""})
    unreachable = replace(bare, record=replace(bare.record, organisation=no_way))
    assert refused_items(fill(form, "initial", unreachable)) == ["3"]


def test_the_gdpr_report_needs_reasons_only_when_it_is_late(inputs: Make) -> None:
    form = load_form("eu-gdpr-33")
    assert refused_items(fill(form, "initial", inputs())) == []
    assert "33(1)" not in [each.id for each in fill(form, "initial", inputs()).items]
    (finding,) = refusals(check_report(fill(form, "initial", inputs(late=True))))
    assert (finding.place, finding.fields, finding.articles) == (
        "33(1)", ("delay_reasons",), (("eu-gdpr", "Art. 33(1)"),),
    )  # fmt: skip
    reasoned = inputs({"delay_reasons": {"en": "Logs had to be restored first."}}, late=True)
    assert refused_items(fill(form, "initial", reasoned)) == []


def test_gdpr_numbers_are_asked_for_where_possible_but_never_invented(inputs: Make) -> None:
    report = fill(load_form("eu-gdpr-33"), "initial", inputs({"persons": None}))
    assert line(report, "Persons affected").text == ()
    assert refused_items(report) == []
    assert {finding.fields for finding in check_report(report)} == {
        ("persons",),
        ("subject_categories",),
        ("records",),
    }
    assert {"persons", "records"} <= {question.field for question in report.questions}


def test_a_form_can_be_filled_in_the_other_language(inputs: Make) -> None:
    report = fill(load_form("cn-cac-incident"), "initial", inputs(), language="en")
    assert report.organisation == "Example Mobile Guangdong"
    assert line(report, "Place").text == ("Guangzhou",)
    assert refused_items(report) == []


def test_the_document_tells_every_source_and_its_hash_covers_what_it_says(inputs: Make) -> None:
    first = cac(inputs(), "initial").as_document()
    persons = next(one for each in first["items"] for one in each["lines"] if one["label"] == "涉及人数")
    assert persons["sources"] == [
        {"field": "persons", "value": {"min": 118000, "likely": 128430, "max": 131000}, "said_by": "zhang.wei",
         "source": "access log", "sure": "likely", "known_at": "2026-11-22T01:00:00Z"}
    ]  # fmt: skip
    assert (first["regime"], first["phase"], first["released"]) == ("cn-cac-incident-2025", "initial", False)
    assert first["grade"]["settled"] is False
    later = inputs(written_at=datetime(2026, 11, 24, tzinfo=UTC))
    assert cac(later, "initial").as_document(released=True)["sha256"] == first["sha256"]
    assert (
        cac(inputs({"location": {"zh-Hans": "深圳市"}}), "initial").as_document()["sha256"] != first["sha256"]
    )


def test_an_organisation_without_a_name_is_refused(inputs: Make) -> None:
    given = inputs()
    nameless = replace(
        given,
        record=replace(given.record, organisation=given.record.organisation.model_copy(update={"name": {}})),
    )
    assert "head" in refused_items(cac(nameless, "initial"))
