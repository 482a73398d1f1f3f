"""Every sentence of a notice knows where it is from, and one whose fact is gone is gone too."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from incident.law.elements import element_catalogue
from incident.notice.content import NoticeContent
from incident.notice.draft import NoticeInputs, draft
from incident.notice.sources import Source
from incident.notice.why import place_title, sentences_with_sources, source_in_words, told_as_document
from incident.record.facts import field_catalogue

LANGUAGES = ("zh-Hans", "zh-Hant", "en")
Make = Callable[..., NoticeInputs]


def both(chinese: str, english: str) -> dict[str, str]:
    return {"zh-Hans": chinese, "zh-Hant": chinese, "en": english}


# Every part of a notice that a record can fill.
FULL: Mapping[str, Any] = {
    "what_happened": both("有人复制了一份名单。", "Somebody copied a list."),
    "remedies_offered": both("我们为您更换号码。", "We change your number."),
    "impact_so_far": both("已有12人接到诈骗电话。", "12 people had calls from fraudsters."),
    "planned_measures": both("我们将更换这个接口。", "We will replace this interface."),
    "remedies_chosen": ["hotline"],
    **{
        element.text: both(f"关于{name}的说明。", f"A sentence on {name}.")
        for name, element in element_catalogue().items()
        if element.text is not None
    },
}


def bare(text: str) -> str:
    return re.sub(r"\s", "", text)


def drawn_from(content: NoticeContent, field: str) -> list[str]:
    return [source.text for listed in content.sources.values() for source in listed if field in source.facts]


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_line_of_a_full_notice_is_without_a_source(inputs: Make, language: str) -> None:
    content = draft(inputs(FULL), language)
    assert all(content.texts()[place] for place in FULL if place in element_catalogue())
    for place, lines in content.texts().items():
        sources = content.sources.get(place, ())
        assert bare("".join(source.text for source in sources)) == bare("".join(lines)), place
        assert all(source.facts or source.entries or source.written for source in sources), place
    shown = {
        "subject": content.subject, "effects": content.effects, "next_update": content.next_update,
        "breach_date": content.breach_date, "discovery_date": content.discovery_date,
    }  # fmt: skip
    for place, text in shown.items():
        assert [source.text for source in content.sources[place]] == [text]


@pytest.mark.parametrize(
    "changes",
    [{}, {"occurred_at": None, "ended_at": None, "persons": None, "cause_kind": "unknown"}, {"discovered_at": None,
     "informed_at": "2026-11-22 08:00", "persons": {"min": 5}}, {"cause": both("接口配置有误。", "A gateway was open.")}],
)  # fmt: skip
@pytest.mark.parametrize("language", LANGUAGES)
def test_each_fact_that_is_named_is_one_of_the_list_and_each_line_has_its_sources_whatever_is_known(
    inputs: Make, language: str, changes: dict[str, Any]
) -> None:
    content = draft(inputs(changes), language)
    for place, lines in content.texts().items():
        assert bare("".join(source.text for source in content.sources.get(place, ()))) == bare("".join(lines))
    named = {field for listed in content.sources.values() for source in listed for field in source.facts}
    assert named <= set(field_catalogue())


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    "field",
    ["occurred_at", "ended_at", "persons", "impact_so_far", "planned_measures", "remedies_chosen", "agency_info"],
)  # fmt: skip
def test_a_sentence_whose_fact_is_taken_back_disappears(inputs: Make, language: str, field: str) -> None:
    before, after = draft(inputs(FULL), language), draft(inputs({**FULL, field: None}), language)
    sentences = drawn_from(before, field)
    assert sentences
    # What is left to say of the field is only that nobody knows it.
    assert set(drawn_from(after, field)) <= set(after.not_known)
    told = "\n".join(line for lines in after.texts().values() for line in lines)
    assert not any(sentence in told for sentence in sentences)


def test_a_sentence_names_its_facts_its_phrase_and_its_entry_of_a_catalogue(inputs: Make) -> None:
    content = draft(inputs(), "en")
    by_text = {source.text: source for listed in content.sources.values() for source in listed}
    assert by_text["It began on 19 November 2026."] == Source(
        "It began on 19 November 2026.", ("occurred_at",), ("phrases/began",)
    )
    assert by_text["We believe that one of our systems was set up wrongly."].entries == (
        "phrases/cause_likely",
        "phrases/causes.misconfiguration",
    )
    [advice, *_] = content.sources["steps_for_person"]
    assert (advice.facts, advice.entries) == (("data_categories",), ("categories/account_password",))
    [first, *_] = content.sources["measures_taken"]
    assert first.entries == ("measures/contain.disable-endpoint",)


def test_only_the_steps_that_are_told_have_a_source(inputs: Make) -> None:
    from incident.law.categories import category_catalogue

    content = draft(inputs({"data_categories": list(category_catalogue())}), "en")
    assert content.steps_for_person == tuple(source.text for source in content.sources["steps_for_person"])


def test_sources_are_hashed_and_survive_being_stored(inputs: Make) -> None:
    content = draft(inputs(FULL), "zh-Hans")
    again = NoticeContent.from_document(content.as_document())
    assert again.sources == content.sources
    assert again.fingerprint() == content.fingerprint()


def test_a_version_of_before_there_were_sources_keeps_its_document_and_hash(inputs: Make) -> None:
    document = draft(inputs(), "en").as_document()
    del document["sources"]
    old = NoticeContent.from_document(document)
    assert old.sources == {}
    assert old.as_document() == document


def test_where_a_sentence_is_from_is_told_in_words(inputs: Make) -> None:
    made = inputs({"ended_at": None})
    contents = {language: draft(made, language) for language in LANGUAGES}
    told = {
        (each.language, each.source.text): source_in_words(each.source, made.facts, each.language, str)
        for each in sentences_with_sources(contents)
    }
    assert told["en", "It began on 19 November 2026."] == "Time it began (zhang.wei); shipped phrase: began"
    assert told["zh-Hans", "事件开始于2026年11月19日。"] == "事件发生时间（zhang.wei）；固定句式：began"
    assert told["en", "We cannot yet say that it has fully stopped."].startswith(
        "Time the leak stopped: nobody recorded"
    )
    assert told["en", "Notice of a personal data breach (Example Mobile Guangdong)"].endswith(
        "settings: organisation"
    )
    assert "measure taken: " in "\n".join(told.values())
    assert place_title("not_known", "en") == "What is not known yet"


def test_what_a_person_wrote_is_told_with_who_and_when() -> None:
    source = Source("Call us.", by="wang.fang", at="2026-11-22T01:00:00+00:00")

    def show(moment: datetime) -> str:
        return f"{moment.astimezone(UTC):%d %b %H:%M}"

    assert source_in_words(source, {}, "en", show) == "written by wang.fang, 22 Nov 01:00"
    assert source_in_words(source, {}, "zh-Hans", show) == "wang.fang于22 Nov 01:00撰写"


def test_a_fact_said_to_be_unknown_is_told_apart_from_one_that_nobody_recorded(inputs: Make) -> None:
    made = inputs({"ended_at": "unknown", "occurred_at": None})
    content = draft(made, "en")
    listed = [told_as_document(each, made.facts) for each in sentences_with_sources({"en": content})]
    facts = {fact["field"]: fact for each in listed for fact in each["facts"]}
    assert facts["ended_at"]["recorded"] and not facts["ended_at"]["known"]
    assert facts["occurred_at"] == {"field": "occurred_at", "recorded": False}
    assert facts["cause_kind"]["said_by"] == "zhang.wei"
    words = [
        source_in_words(each.source, made.facts, "en", str)
        for each in sentences_with_sources({"en": content})
    ]
    assert any("Time the leak stopped: recorded as not known" in each for each in words)
