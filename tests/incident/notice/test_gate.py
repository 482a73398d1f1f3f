from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incident.errors import BadInput
from incident.notice.content import NoticeContent
from incident.notice.findings import Finding, Severity, refusals
from incident.notice.gate import check_notice, words_to_avoid
from incident.notice.house_rules import house_rules
from incident.notice.languages import shipped_languages
from incident.notice.readability import length_of, reading_grade, sentences

LANGUAGES = ("zh-Hans", "en")
BODY = (
    "what_happened", "data_types", "cause", "consequences",
    "measures_taken", "steps_for_person", "remedies", "contact",
)  # fmt: skip
REQUIRED = {element: (("cn-pipl-57", f"第五十七条-{element}"), ("eu-gdpr", "Art. 34(2)")) for element in BODY}
Contents = Callable[..., dict[str, NoticeContent]]


def codes(findings: list[Finding], language: str | None = None) -> set[str]:
    return {finding.code for finding in findings if language in (None, finding.language)}


def with_text(contents: dict[str, NoticeContent], language: str, text: str) -> dict[str, NoticeContent]:
    return contents | {language: replace(contents[language], what_happened=(text,))}


def test_a_typical_notice_passes_without_any_finding(contents: Contents) -> None:
    assert check_notice(contents(), REQUIRED) == []


@pytest.mark.parametrize("element", BODY)
@pytest.mark.parametrize("language", LANGUAGES)
def test_each_element_taken_away_is_refused_with_the_articles_that_ask_for_it(
    contents: Contents, element: str, language: str
) -> None:
    complete = contents()
    emptied: Any = {element: None}
    lacking = complete | {language: replace(complete[language], **emptied)}
    (finding,) = refusals(check_notice(lacking, REQUIRED))
    assert (finding.code, finding.place, finding.language) == ("missing-element", element, language)
    assert finding.articles == REQUIRED[element]
    assert f"第五十七条-{element}" in finding.text("zh-Hans") and "Art. 34(2)" in finding.text("en")


@pytest.mark.parametrize("element", [element for element in BODY if element != "contact"])
def test_an_empty_list_is_as_good_as_none(contents: Contents, element: str) -> None:
    emptied: Any = {element: "" if element == "cause" else ()}
    lacking = {"en": replace(contents()["en"], **emptied)}
    assert [finding.place for finding in refusals(check_notice(lacking, REQUIRED))] == [element]


def test_an_element_that_no_regime_asks_for_may_be_missing(contents: Contents) -> None:
    lacking = {"en": replace(contents()["en"], remedies=None)}
    demanded = {element: articles for element, articles in REQUIRED.items() if element != "remedies"}
    assert refusals(check_notice(lacking, demanded)) == []


def test_a_refusal_asks_the_question_that_would_cure_it(contents: Contents) -> None:
    (finding,) = refusals(check_notice({"en": contents({"cause_kind": None})["en"]}, REQUIRED))
    assert finding.fields == ("cause_kind",)
    assert "What was the likely cause?" in finding.text("en")


def test_an_open_cause_passes_with_a_date_and_is_refused_without(contents: Contents) -> None:
    assert refusals(check_notice(contents({"cause_kind": "unknown"}), REQUIRED)) == []
    undated = check_notice(contents({"cause_kind": "unknown", "next_update_at": None}), REQUIRED)
    assert {(finding.place, finding.fields) for finding in refusals(undated)} == {
        ("cause", ("next_update_at",))
    }


def test_an_open_cause_whose_date_was_cut_out_by_hand_is_refused(contents: Contents) -> None:
    edited = {"en": replace(contents({"cause_kind": "unknown"})["en"], next_update=None)}
    assert [finding.place for finding in refusals(check_notice(edited, REQUIRED))] == ["cause"]


def test_no_language_at_all_is_refused() -> None:
    assert codes(refusals(check_notice({}, REQUIRED))) == {"no-content"}


def test_an_element_that_does_not_exist_is_bad_input(contents: Contents) -> None:
    with pytest.raises(BadInput, match="horoscope"):
        check_notice(contents(), {"horoscope": (("eu-gdpr", "Art. 34"),)})


@pytest.mark.parametrize(
    ("language", "text", "code"),
    [
        ("en", "Out of an abundance of caution we tell you this.", "stock-phrase"),
        ("en", "There is no evidence of misuse.", "no-evidence"),
        ("en", "We take your privacy VERY SERIOUSLY.", "self-praise"),
        ("en", "Certain information was read.", "vague"),
        ("en", "This was a sophisticated attack.", "blame"),
        ("en", "Click here to check your account.", "alarm"),
        ("en", "Confirm your identity by phone.", "asks-for-data"),
        ("en", "See https://bit.ly/3xyz for more.", "short-link"),
        ("en", "See https://other-site.org/help for more.", "foreign-domain"),
        ("en", " ".join(["word"] * 26) + ".", "long-sentence"),
        ("en", "It may be so. It might be so. It could possibly be so.", "hedges"),
        ("en", "Notwithstanding organisational considerations, unauthorised individuals exfiltrated. " * 8, "reading-grade"),
        ("zh-Hans", "出于谨慎，现告知您。", "stock-phrase"),
        ("zh-Hans", "目前没有证据表明信息被滥用。", "no-evidence"),
        ("zh-Hans", "我们高度重视您的信息安全。", "self-praise"),
        ("zh-Hans", "部分信息被读取。", "vague"),
        ("zh-Hans", "请点击链接查看。", "alarm"),
        ("zh-Hans", "详情见 https://t.cn/A6abc。", "short-link"),
        ("zh-Hans", "我们" * 16 + "。", "long-sentence"),
        ("zh-Hans", "信息可能被读取，也可能被复制，不排除已经外传。", "hedges"),
    ],
)  # fmt: skip
def test_words_that_hide_praise_or_alarm_are_shown_but_not_refused(
    contents: Contents, language: str, text: str, code: str
) -> None:
    findings = check_notice(with_text(contents(), language, text), REQUIRED)
    assert code in codes(findings, language)
    assert refusals(findings) == []


@pytest.mark.parametrize(
    ("language", "text", "stands", "instead"),
    [
        (
            "en",
            "We closed it. We take your privacy very seriously. We are sorry.",
            'It stands in "We take your privacy very seriously."',
            "Write instead what was done, and when",
        ),
        (
            "zh-Hans",
            "我们已经关闭该接口。我们高度重视您的信息安全。",
            "原文：“我们高度重视您的信息安全。”",
            "可改写为：写做了什么、哪一天做的",
        ),
    ],
)
def test_a_finding_shows_the_sentence_and_what_to_write_instead(
    contents: Contents, language: str, text: str, stands: str, instead: str
) -> None:
    findings = check_notice(with_text(contents(), language, text), REQUIRED)
    [said] = [each.text(language) for each in findings if each.code == "self-praise"]
    assert stands in said and instead in said


def test_what_to_write_instead_is_no_phrase_to_avoid_itself() -> None:
    lint = house_rules().lint
    advice = [*(group.instead for group in lint.groups), lint.hedges.instead]
    found = [
        (text, word)
        for each in advice
        for language, text in each.items()
        for word, _ in words_to_avoid(text, shipped_languages()[language])
    ]
    assert found == []


@pytest.mark.parametrize(
    "text",
    [
        "Mayor May met at.com people.",
        "Look at www.example-mobile.cn/help.",
        "Write to help@example-mobile.cn.",
    ],
)
def test_harmless_text_is_left_alone(contents: Contents, text: str) -> None:
    findings = check_notice(with_text(contents(), "en", text), REQUIRED)
    assert not codes(findings) & {"short-link", "hedges"}
    assert ("foreign-domain" in codes(findings)) == ("at.com" in text)


def test_consequences_may_say_may(contents: Contents) -> None:
    typical = contents()["en"]
    softened = replace(typical, consequences=("It may be. It may be. It may be. It may be.",))
    assert "hedges" not in codes(check_notice({"en": softened}, REQUIRED))


@pytest.mark.parametrize("mark", ["\ue000name\ue001", "\ufdd0code\ufdd1", "a\u202eb", "a\x1bb"])
def test_text_that_could_pass_for_a_slot_or_hides_characters_is_refused(
    contents: Contents, mark: str
) -> None:
    findings = refusals(check_notice(with_text(contents(), "en", mark), REQUIRED))
    assert codes(findings) == {"strange-characters"}


def test_what_is_given_in_one_language_only_is_shown(contents: Contents) -> None:
    findings = check_notice(contents({"planned_measures": {"zh-Hans": "我们将更换接口。"}}), REQUIRED)
    assert [(finding.code, finding.language, finding.fields) for finding in findings] == [
        ("one-language", "en", ("planned_measures",))
    ]


def test_something_unknown_without_a_next_date_is_shown(contents: Contents) -> None:
    assert "no-next-update" in codes(
        check_notice(contents({"persons": None, "next_update_at": None}), REQUIRED)
    )


def test_refusals_stand_first(contents: Contents) -> None:
    mixed = with_text(contents({"remedies_offered": None}), "en", "There is no evidence.")
    severities = [finding.severity for finding in check_notice(mixed, REQUIRED)]
    assert severities[0] is Severity.REFUSED and severities[-1] is Severity.WARNING
    assert severities == sorted(severities, key=lambda severity: severity is not Severity.REFUSED)


def test_sentences_are_told_apart() -> None:
    assert sentences("It cost 3.5 yuan. We paid. 2 people came.", "en") == [
        "It cost 3.5 yuan.",
        "We paid.",
        "2 people came.",
    ]
    assert sentences("第一句。第二句！第三句；第四", "zh-Hans") == [
        "第一句。",
        "第二句！",
        "第三句；",
        "第四",
    ]


def test_numbers_and_latin_words_count_once_in_chinese() -> None:
    assert length_of("共涉及128,430人，见example.cn。", "zh-Hans") == 7


def test_hard_words_read_harder_than_easy_ones() -> None:
    assert reading_grade(["We shut the door. It was open."]) < 3
    assert reading_grade(["Organisational considerations necessitated interdepartmental communication."]) > 15
    assert reading_grade([]) == 0


@given(st.text(max_size=200), st.sampled_from(LANGUAGES))
def test_splitting_loses_nothing_that_is_counted(text: str, language: str) -> None:
    whole = length_of(text.replace("\n", " "), language)
    assert sum(length_of(part, language) for part in sentences(text, language)) >= whole


def test_a_day_that_is_not_known_yet_is_enough_where_the_law_lets_it_follow(contents: Contents) -> None:
    lenient, strict = ("kr-pipa", "Art. 34(1)2"), ("id-pdp", "Art. 46(2)(b)")
    unknown = contents({"occurred_at": None})
    assert refusals(check_notice(unknown, {"breach_date": [lenient]})) == []
    both = refusals(check_notice(unknown, {"breach_date": [lenient, strict]}))
    assert {finding.articles for finding in both} == {(strict,)}
    undated = contents({"occurred_at": None, "next_update_at": None})
    assert {each.articles for each in refusals(check_notice(undated, {"breach_date": [lenient]}))} == {
        (lenient,)
    }


def test_a_day_that_nobody_says_to_be_unknown_is_refused_everywhere(contents: Contents) -> None:
    silent = {
        tag: replace(each, not_known=(), sources={}) for tag, each in contents({"occurred_at": None}).items()
    }
    asked = {"breach_date": [("kr-pipa", "Art. 34(1)2")]}
    assert len(refusals(check_notice(silent, asked))) == len(silent)
