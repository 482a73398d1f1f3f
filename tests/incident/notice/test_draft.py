from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from incident.errors import BadInput, NotFound
from incident.law.categories import category_catalogue
from incident.law.elements import element_catalogue
from incident.notice.content import Element, NoticeContent
from incident.notice.draft import MOST_STEPS, NoticeInputs, draft
from incident.notice.house_rules import house_rules
from incident.notice.languages import shipped_languages
from incident.record.facts import Certainty, field_catalogue
from incident.record.measures import MeasureTaken

LANGUAGES = ("zh-Hans", "en")
Make = Callable[..., NoticeInputs]


def asked_for(content: NoticeContent, element: str) -> list[str]:
    return [gap.field for gap in content.missing if gap.element == element]


def test_every_element_of_the_law_is_drawn_from_the_record_or_written_by_a_person() -> None:
    drawn = {name for name, element in element_catalogue().items() if element.text is None}
    assert {str(element) for element in Element} == drawn


def test_every_kind_of_cause_and_effect_has_its_words() -> None:
    catalogue = field_catalogue()
    for language in shipped_languages().values():
        assert set(language.spoken.causes) == set(catalogue["cause_kind"].choices) - {"unknown"}
        assert set(language.spoken.effects) == {*catalogue["breach_effects"].choices, "unknown"}
    assert set(house_rules().urgent_first) <= set(category_catalogue())


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_typical_record_fills_every_element(inputs: Make, language: str) -> None:
    content = draft(inputs(), language)
    assert content.missing == ()
    assert all(content.element(element) for element in Element)


@pytest.mark.parametrize(
    ("taken_away", "element", "question"),
    [
        ({"what_happened": None}, "what_happened", "what_happened"),
        ({"data_categories": None}, "data_types", "data_categories"),
        ({"data_categories": None}, "consequences", "possible_harm"),
        ({"data_categories": None}, "steps_for_person", "self_protection"),
        ({"cause_kind": None}, "cause", "cause_kind"),
        ({"remedies_offered": None}, "remedies", "remedies_offered"),
        ({"occurred_at": None}, "breach_date", "occurred_at"),
        ({"discovered_at": None}, "discovery_date", "discovered_at"),
    ],
)
@pytest.mark.parametrize("language", LANGUAGES)
def test_what_nobody_said_stays_empty_and_is_asked_for(
    inputs: Make, language: str, taken_away: dict[str, None], element: str, question: str
) -> None:
    content = draft(inputs(taken_away), language)
    assert content.element(element) is None
    assert asked_for(content, element) == [question]


def test_without_a_measure_or_a_contact_these_elements_are_asked_for(inputs: Make) -> None:
    bare = inputs(
        measures=(), organisation=inputs().organisation.model_copy(update={"phone": "", "email": ""})
    )
    content = draft(bare, "en")
    assert content.measures_taken is None and content.contact is None
    assert asked_for(content, "measures_taken") and asked_for(content, "contact")


def test_a_text_given_in_one_language_never_stands_in_for_the_other(inputs: Make) -> None:
    given = inputs(
        {"remedies_offered": "我们免费为您更换号码。", "cause": {"en": "A gateway rule was too wide."}}
    )
    chinese, english = draft(given, "zh-Hans"), draft(given, "en")
    assert english.remedies is None and "remedies_offered" in english.only_elsewhere
    assert chinese.remedies == ("我们免费为您更换号码。",)
    assert chinese.cause == "据初步判断，我们的一个系统配置有误。"
    assert english.cause == "A gateway rule was too wide."


def test_an_open_cause_needs_a_date_for_the_next_message(inputs: Make) -> None:
    dated = draft(inputs({"cause_kind": "unknown"}), "en")
    assert dated.cause == "We are still investigating the cause. We will write again by 1 December 2026."
    assert dated.cause_open
    undated = draft(inputs({"cause_kind": "unknown", "next_update_at": None}), "en")
    assert undated.cause is None
    assert asked_for(undated, "cause") == ["next_update_at"]


def test_only_a_confirmed_cause_is_told_as_certain(inputs: Make) -> None:
    assert (
        draft(inputs(sure=Certainty.confirmed), "en").cause
        == "The cause: one of our systems was set up wrongly."
    )
    assert draft(inputs(sure=Certainty.claimed), "zh-Hans").cause == "据初步判断，我们的一个系统配置有误。"


@pytest.mark.parametrize(
    ("persons", "told"),
    [
        (128430, "It concerns 128,430 people."),
        ({"min": 1000}, "By our count so far, it concerns at least 1,000 people."),
        ("1000..2000", "By our count so far, it concerns between 1,000 and 2,000 people."),
        ({"min": 1000, "likely": 1500}, "By our count so far, it concerns about 1,500 people."),
    ],
)
def test_the_number_of_people_is_told_as_well_as_it_is_known(inputs: Make, persons: Any, told: str) -> None:
    content = draft(inputs({"persons": persons}, sure=Certainty.confirmed), "en")
    assert content.what_happened is not None and content.what_happened[-1] == told


def test_an_unconfirmed_exact_number_is_told_as_a_count_so_far(inputs: Make) -> None:
    content = draft(inputs({"persons": 500}), "zh-Hans")
    assert (
        content.what_happened is not None and content.what_happened[-1] == "据初步统计，此次事件约涉及500人。"
    )


def test_what_is_not_known_is_said(inputs: Make) -> None:
    content = draft(inputs({"occurred_at": None, "ended_at": None, "persons": None}), "en")
    assert content.not_known == (
        "We do not yet know when it began.",
        "We cannot yet say that it has fully stopped.",
        "We do not yet know how many people it concerns.",
    )


def test_a_measure_logged_and_run_appears_once(inputs: Make) -> None:
    lines = draft(inputs(), "zh-Hans").measures_taken
    assert lines is not None
    assert [(line.when, line.text) for line in lines] == [
        ("2026年11月22日", "我们关闭了发生泄露的接口。"),
        ("2026年11月22日", "我们作废了可能被盗用的密钥和登录凭据。"),
    ]


def test_what_a_person_noted_about_a_measure_never_reaches_the_public(inputs: Make) -> None:
    for language in LANGUAGES:
        assert "AK-77" not in str(draft(inputs(), language).as_document())


def test_a_measure_that_does_not_exist_is_refused(inputs: Make) -> None:
    strange = MeasureTaken("contain.magic", inputs().written_at, "x", "", "log")
    with pytest.raises(NotFound, match=r"contain\.magic"):
        draft(inputs(measures=(strange,)), "en")


def test_a_category_that_does_not_exist_is_refused(inputs: Make) -> None:
    with pytest.raises(BadInput, match="shoe_size"):
        draft(inputs({"data_categories": ["shoe_size"]}), "en")


def test_the_most_urgent_advice_stands_first_and_the_list_is_short(inputs: Make) -> None:
    everything = draft(inputs({"data_categories": list(category_catalogue())}), "zh-Hans").steps_for_person
    assert everything is not None and len(everything) == MOST_STEPS
    typical = draft(inputs(), "zh-Hans").steps_for_person
    assert typical is not None
    assert typical[0] == "登录密码：" + category_catalogue()["account_password"].advice["zh-Hans"]


def test_of_several_kinds_of_data_each_is_named_with_its_harm_and_of_one_alone_it_is_not(
    inputs: Make,
) -> None:
    several = draft(inputs({"data_categories": ["phone_number", "browsing_history", "search_history"]}), "en")
    assert several.consequences is not None and several.consequences[0].startswith(
        "Phone number: You may get"
    )
    assert several.steps_for_person is not None
    first, second = (
        category_catalogue()[kind].title["en"] for kind in ("browsing_history", "search_history")
    )
    shared = f"{first[0].upper()}{first[1:]}, {second}: "
    assert any(step.startswith(shared) for step in several.steps_for_person)
    alone = draft(inputs({"data_categories": ["phone_number"]}), "zh-Hans")
    assert alone.consequences == (category_catalogue()["phone_number"].harm["zh-Hans"],)


def test_own_advice_replaces_that_of_the_categories_and_loses_its_numbers(inputs: Make) -> None:
    own = {"en": "1. Change your password.\n- Call us.\n2.5 per cent pay more."}
    assert draft(inputs({"self_protection": own}), "en").steps_for_person == (
        "Change your password.",
        "Call us.",
        "2.5 per cent pay more.",
    )


def test_content_survives_being_stored(inputs: Make) -> None:
    for language in LANGUAGES:
        content = draft(inputs({"cause_kind": None}), language)
        again = NoticeContent.from_document(content.as_document())
        assert again == content
        assert again.fingerprint() == content.fingerprint()


def test_a_document_of_another_shape_is_refused() -> None:
    with pytest.raises(BadInput, match="no notice content"):
        NoticeContent.from_document({"language": "en"})


def test_any_edit_changes_the_fingerprint(inputs: Make) -> None:
    one, other = draft(inputs(), "en"), draft(inputs({"persons": 5}), "en")
    assert one.fingerprint() != other.fingerprint()
