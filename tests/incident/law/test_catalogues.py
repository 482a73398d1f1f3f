"""Elements and kinds of data: closed lists with both languages."""

import pytest

from incident.errors import BadInput
from incident.law.categories import IsSensitive, category_catalogue, category_names, check_categories
from incident.law.elements import element_catalogue


def test_the_elements_are_those_that_the_notice_is_built_from() -> None:
    assert set(element_catalogue()) == {
        "what_happened", "breach_date", "discovery_date", "data_types", "cause", "consequences",
        "measures_taken", "steps_for_person", "remedies", "contact",
    }  # fmt: skip


def test_every_kind_of_data_says_in_both_languages_what_may_happen_and_what_to_do() -> None:
    for key, category in category_catalogue().items():
        for text in (category.title, category.harm, category.advice):
            assert set(text) == {"zh-Hans", "en"}, key
        assert category.harm["zh-Hans"].endswith("。") and category.advice["zh-Hans"].endswith("。"), key
        assert category.harm["en"].endswith(".") and category.advice["en"].endswith("."), key
        assert set(category.sensitive) == {"CN", "EU"}, key


def test_english_texts_are_short_enough_to_be_read_in_alarm() -> None:
    for key, category in category_catalogue().items():
        for text in (category.harm["en"], category.advice["en"]):
            for sentence in text.rstrip(".").split(". "):
                assert len(sentence.split()) <= 25, (key, sentence)


@pytest.mark.parametrize(
    ("key", "country", "wanted"),
    [("location_track", "CN", IsSensitive.yes), ("phone_number", "CN", IsSensitive.no), ("id_number", "CN", IsSensitive.review),
     ("health", "EU", IsSensitive.yes), ("payment_card", "EU", IsSensitive.no), ("name", "JP", IsSensitive.review)],
)  # fmt: skip
def test_sensitivity_is_told_by_country_and_left_to_a_person_where_it_is_a_judgement(
    key: str, country: str, wanted: IsSensitive
) -> None:
    assert category_catalogue()[key].sensitive_in(country) is wanted


def test_an_unknown_kind_of_data_is_answered_with_the_nearest() -> None:
    check_categories({"data_categories": ("name", "phone_number")})
    check_categories({"data_categories": None})
    with pytest.raises(BadInput) as refusal:
        check_categories({"data_categories": ("name", "phone_no")})
    assert (refusal.value.next_step or "").startswith("did you mean phone_number")
    assert "phone_number" in category_names()
