"""The yardstick of published notices: what their readers missed and stumbled over, and our own drafts held against it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from incident.law.categories import category_catalogue
from incident.law.remedies import remedy_catalogue
from incident.law.rights import rights_catalogue
from incident.notice.content import NoticeContent
from incident.notice.draft import draft
from incident.notice.findings import Finding, Severity
from incident.notice.gate import check_notice
from incident.notice.inputs import NoticeInputs
from incident.notice.languages import shipped_languages
from incident.notice.readability import grade_of, length_of, sentences, yardstick
from incident.notice.render import render_email
from incident.record.edits import Edit, EditKind
from incident.record.measures import MeasureTaken, measure_catalogue

LANGUAGES = ("zh-Hans", "en")
Make = Callable[..., NoticeInputs]
Contents = Callable[..., dict[str, NoticeContent]]


def words(place: str, text: str, *, kind: EditKind = EditKind.WORDS) -> Edit:
    return Edit(1, place, "en", kind, text, "wang.fang", datetime(2026, 11, 22, 3, 0, tzinfo=UTC))


def found_in(contents: Contents, text: str, language: str = "en") -> list[Finding]:
    content = replace(contents()[language], cause=text)
    return [each for each in check_notice({language: content}, {}) if each.place == "cause"]


@pytest.mark.parametrize(
    ("language", "code", "text"),
    [
        ("en", "self-praise", "The privacy of our customers is our top priority."),
        ("en", "self-praise", "As a leading provider of care, we value your trust."),
        ("zh-Hans", "self-praise", "我公司始终把用户的利益放在首位。"),
        ("en", "blame", "Our vendor let somebody in."),
        ("en", "blame", "There was no incident within our systems."),
        ("zh-Hans", "blame", "这件事系供应商管理不当。"),
        ("en", "alarm", "Answer within 24 hours or you lose your account."),
        ("zh-Hans", "alarm", "请立即点击领取补偿，过期作废。"),
        ("en", "asks-for-data", "Please provide your bank card to get your money."),
        ("zh-Hans", "asks-for-data", "请上传您的身份证。"),
        ("en", "passive", "The server has been secured."),
        ("en", "passive", "Steps were taken to stop it."),
        ("zh-Hans", "passive", "该接口已被关闭。"),
        ("en", "no-evidence", "We have no evidence that your data was misused."),
        ("en", "unlike-link", "Read [www.example-mobile.cn](http://example-mobile.cn.help.io/x)."),
        ("en", "unlike-link", 'See <a href="http://example-mobile.cn">this page</a>.'),
        ("zh-Hans", "unlike-link", "请看[官网](http://example-mobile.cn/a)。"),
        ("en", "unknown-name", "Somebody got into BSS-2 at night."),
        ("zh-Hans", "unknown-name", "有人进入了CRM3。"),
    ],
)
def test_what_readers_of_published_notices_stumbled_over_is_warned_of_with_something_better(
    contents: Contents, language: str, code: str, text: str
) -> None:
    found = {each.code: each for each in found_in(contents, text, language)}
    assert code in found, found
    finding = found[code]
    assert (finding.severity, finding.place) == (Severity.WARNING, "cause")
    for screen in LANGUAGES:
        assert "“" in finding.text(screen), "a better phrase is shown"


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "The logs show every access, and we have no evidence of any other."),
        ("zh-Hans", "日志记录了每次访问，没有证据表明有其他读取。"),
        ("en", "Somebody got into BSS-2 (our system for member look-ups)."),
        ("en", "Our look-up system (BSS-2) was open."),
        ("en", "Somebody got into BSS-2, our system for look-ups."),
        ("zh-Hans", "有人进入了CRM3（会员查询系统）。"),
        ("en", "A SIM card and an SMS are no names. See INC-2026-0001."),
        ("en", "A company that works for us held the data. We answer for it."),
        ("en", "We closed the interface, and reset every password."),
    ],
)
def test_what_says_it_plainly_is_let_through(contents: Contents, language: str, text: str) -> None:
    assert found_in(contents, text, language) == []


def test_a_link_whose_text_is_where_it_leads_is_not_taken_for_a_trick(contents: Contents) -> None:
    found = found_in(contents, "Read [www.example-mobile.cn/a](http://example-mobile.cn/a).")
    assert "unlike-link" not in {each.code for each in found}


def test_a_name_is_warned_of_once_in_a_part(contents: Contents) -> None:
    assert len(found_in(contents, "BSS-2 was open. We closed BSS-2.")) == 1


def test_neither_a_number_nor_a_reason_for_none_is_warned_of(inputs: Make) -> None:
    silent = inputs({"persons": None, "occurred_at": None}, edits=(words("not_known", "We look for more."),))
    found = {each.code: each for each in check_notice({"en": draft(silent, "en")}, {})}
    assert {"no-number", "no-start-date"} <= set(found)
    assert found["no-number"].fields == ("persons",) and found["no-start-date"].fields == ("occurred_at",)
    told = draft(inputs({"persons": None, "occurred_at": None}), "en")
    assert not {"no-number", "no-start-date"} & {each.code for each in check_notice({"en": told}, {})}


def test_the_day_it_began_without_the_day_it_was_found_is_warned_of(contents: Contents) -> None:
    assert "no-discovery-date" in {each.code for each in check_notice(contents({"discovered_at": None}), {})}


def test_a_left_out_part_makes_no_noise_of_style(inputs: Make) -> None:
    made = inputs(edits=(words("cause", "", kind=EditKind.LEAVE_OUT),))
    assert check_notice({"en": draft(made, "en")}, {}) == []


CASES: dict[str, dict[str, Any]] = {
    "typical": {},
    "little known": {"cause_kind": "unknown", "persons": None, "occurred_at": None, "ended_at": None},
    "told by others": {"discovered_at": None, "informed_at": "2026-11-22 09:00", "persons": {"min": 900}},
    "possible": {"personal_data_breach": "possible", "breach_effects": None},
    "four kinds": {"data_categories": list(category_catalogue())[:4]},
}


@pytest.mark.parametrize("language", sorted(shipped_languages()))
@pytest.mark.parametrize("case", CASES)
def test_our_own_drafts_pass_our_own_yardstick(
    inputs: Make, templates: list[Path], case: str, language: str
) -> None:
    changes = {**CASES[case], "what_happened": {language: TOLD[language]}, "remedies_offered": None}
    made = inputs({**changes, "remedies_chosen": ["hotline"]}, regimes=["cn-pipl-57", "eu-gdpr"])
    content = draft(made, language)
    style = [each for each in check_notice({language: content}, {}) if each.place != "contact"]
    assert [each for each in style if each.code not in LEFT_TO_THE_CASE] == []
    mail = render_email(content, templates=templates)
    read = [line for line in mail.text.splitlines() if line.strip()]
    limit, size = yardstick(language).longest_sentence, sum(length_of(line, language) for line in read)
    assert max(length_of(each, language) for line in read for each in sentences(line, language)) <= limit
    assert grade_of(read, language) <= 9
    shortest, longest = (250, 500) if language == "en" else (500, 1200)
    assert shortest <= size <= longest


# Whoever was told by others has no day of finding; the number of words is the case's own.
LEFT_TO_THE_CASE = frozenset({"no-discovery-date", "one-language"})
TOLD = {
    "en": "Somebody read customer records through one of our query interfaces without permission.",
    "zh-Hans": "有人未经许可，通过我们的一个查询接口读取了用户资料。",
    "zh-Hant": "有人未經許可，透過我們的一個查詢介面讀取了用戶資料。",
}


@pytest.mark.parametrize("language", LANGUAGES)
def test_everything_that_is_shipped_passes_it_too(inputs: Make, language: str) -> None:
    """Each measure, remedy and right that a notice can tell, in one long notice: its length aside."""
    written = inputs().written_at
    everything = inputs(
        {"remedies_chosen": list(remedy_catalogue()), "data_categories": list(category_catalogue())},
        measures=[MeasureTaken(each, written, "", "", "run") for each in measure_catalogue()],
        regimes=list(rights_catalogue()),
    )
    found = check_notice({language: draft(everything, language)}, {})
    assert {each.code for each in found} <= {"long-notice"}, found
