"""Elements, kinds of data and remedies: closed lists with both languages."""

from collections.abc import Callable, Mapping
from importlib.resources import files
from typing import Any

import pytest
from ruamel.yaml import YAML

from incident.errors import BadInput
from incident.law.categories import (
    EEA,
    EnisaType,
    IsSensitive,
    category_catalogue,
    category_names,
    check_categories,
)
from incident.law.elements import element_catalogue
from incident.law.grading import Confidence
from incident.law.regimes import load_regimes
from incident.law.remedies import OWNER_TITLES, Owner, check_remedies, remedy_catalogue, remedy_names
from incident.record.facts import FieldType, field_named

KEPT = {
    "name", "phone_number", "email_address", "postal_address", "date_of_birth", "id_number", "id_document_image",
    "passport_number", "account_name", "account_password", "bank_account", "payment_card", "payment_credentials",
    "billing_records", "order_records", "call_records", "message_content", "contacts", "location", "location_track",
    "browsing_history", "search_history", "device_identifier", "ip_address", "biometric_face", "biometric_voice",
    "biometric_fingerprint", "health", "religion", "specific_identity", "credit_information", "criminal_record",
    "employment", "family",
}  # fmt: skip
"""Keys that records hold already."""


@pytest.mark.parametrize(
    ("name", "catalogue"),
    [("categories", category_catalogue), ("remedies", remedy_catalogue), ("elements", element_catalogue)],
)
def test_a_catalogue_holds_all_that_its_file_says(
    name: str, catalogue: Callable[[], Mapping[str, Any]]
) -> None:
    text = files("incident.law").joinpath(f"{name}.yaml").read_text("utf-8")
    listed = YAML(typ="safe", pure=True).load(text)
    assert list(catalogue()) == list(listed)
    for key, entry in catalogue().items():
        kept = entry.model_dump(mode="json", by_alias=True, exclude_unset=True, fallback=dict)
        assert kept == listed[key], key


def test_the_elements_are_the_canonical_list_of_notices() -> None:
    assert set(element_catalogue()) == {
        "what_happened", "breach_date", "discovery_date", "data_types", "individual_specific_data", "consequences",
        "measures_taken", "steps_for_person", "contact", "dpo", "regulator_or_agency_info", "credit_bureau_info",
        "id_protection_offer", "le_delay_statement", "rights_and_remedies", "delay_reason", "cause", "remedies",
        "guardian_advice", "protection_in_place", "next_update", "notice_date", "data_not_taken", "authority_informed",
    }  # fmt: skip


def test_an_element_in_a_persons_words_has_a_text_fact_of_its_own() -> None:
    written = [element.text for element in element_catalogue().values() if element.text is not None]
    assert len(written) == len(set(written)) == 8
    assert {field_named(name).type for name in written} == {FieldType.text}


def test_no_key_that_records_hold_is_lost() -> None:
    assert category_names() >= KEPT


def test_every_kind_of_data_says_in_both_languages_what_may_happen_and_what_to_do() -> None:
    for key, category in category_catalogue().items():
        for text in (category.title, category.harm, category.advice):
            assert set(text) == {"zh-Hans", "en"}, key
        assert category.harm["zh-Hans"].endswith("。") and category.advice["zh-Hans"].endswith("。"), key
        assert category.harm["en"].endswith(".") and category.advice["en"].endswith("."), key
        assert set(category.sensitive) >= {"CN", "EU"}, key


def test_every_kind_of_data_has_its_words_in_the_forms_and_methods_of_others() -> None:
    for key, category in category_catalogue().items():
        assert category.edpb and category.veris, key
    without_type = {key for key, category in category_catalogue().items() if category.enisa is None}
    opens_an_account = {key for key, each in category_catalogue().items() if each.edpb == "s"}
    assert without_type == {"minor_data", *opens_an_account}
    assert {category.enisa for category in category_catalogue().values()} == {None, *EnisaType}


def test_every_kind_of_data_suggests_a_remedy_and_every_remedy_is_suggested() -> None:
    suggested = {key for category in category_catalogue().values() for key in category.remedies}
    assert all(category.remedies for category in category_catalogue().values())
    assert suggested == remedy_names()


def test_every_owner_of_a_remedy_has_a_name_in_both_languages() -> None:
    assert set(OWNER_TITLES) == set(Owner)
    assert all(set(title) == {"zh-Hans", "en"} for title in OWNER_TITLES.values())


@pytest.mark.parametrize(
    ("key", "country", "wanted"),
    [("location_track", "CN", IsSensitive.yes), ("phone_number", "CN", IsSensitive.no), ("id_number", "CN", IsSensitive.review),
     ("health", "EU", IsSensitive.yes), ("payment_card", "EU", IsSensitive.no), ("name", "JP", IsSensitive.review),
     # law-cn.md 2: Art. 28 by name; Appendix A as the CAC tells it; what neither names is left to a person or is not.
     ("biometric_face", "CN", IsSensitive.yes), ("biometric_voice", "CN", IsSensitive.yes),
     ("genetic", "CN", IsSensitive.yes), ("religion", "CN", IsSensitive.yes), ("health", "CN", IsSensitive.yes),
     ("specific_identity", "CN", IsSensitive.yes), ("bank_account", "CN", IsSensitive.yes),
     ("payment_credentials", "CN", IsSensitive.yes), ("vehicle_track", "CN", IsSensitive.yes),
     ("id_document_image", "CN", IsSensitive.yes), ("credit_information", "CN", IsSensitive.yes),
     ("criminal_record", "CN", IsSensitive.yes), ("minor_data", "CN", IsSensitive.review),
     ("call_records", "CN", IsSensitive.review), ("message_content", "CN", IsSensitive.review),
     ("location", "CN", IsSensitive.review), ("imei", "CN", IsSensitive.no), ("contacts", "CN", IsSensitive.no),
     # law-world.md A11, A12, A14, A16, A23: the lists that trigger a duty.
     ("social_security_number", "US-CA", IsSensitive.yes), ("driving_licence_number", "US-CA", IsSensitive.yes),
     ("passport_number", "US-CA", IsSensitive.yes), ("health", "US-CA", IsSensitive.yes),
     ("health_insurance", "US-CA", IsSensitive.yes), ("genetic", "US-CA", IsSensitive.yes),
     ("biometric_face", "US-CA", IsSensitive.yes), ("account_password", "US-CA", IsSensitive.review),
     ("payment_card_full", "US-CA", IsSensitive.yes), ("phone_number", "US-CA", IsSensitive.review),
     ("social_security_number", "US-NY", IsSensitive.yes), ("biometric_fingerprint", "US-NY", IsSensitive.yes),
     ("payment_card", "JP", IsSensitive.yes), ("account_password", "SG", IsSensitive.yes),
     ("minor_data", "BR", IsSensitive.yes), ("bank_account", "BR", IsSensitive.yes)],
)  # fmt: skip
def test_sensitivity_is_told_by_country_and_left_to_a_person_where_it_is_a_judgement(
    key: str, country: str, wanted: IsSensitive
) -> None:
    assert category_catalogue()[key].sensitive_in(country) is wanted


def test_the_members_of_the_european_economic_area_have_the_labels_of_the_union() -> None:
    health = category_catalogue()["health"]
    assert health.sensitive_in("DE") is health.sensitive_in("NO") is IsSensitive.yes
    assert health.sensitive_in("CH") is IsSensitive.review
    assert set(health.labels_in(["cn", "de"])) == {"CN", "EU"}
    assert set(health.labels_in(["US"])) == {"US-CA", "US-NY"}
    assert set(health.labels_in(["US-NY"])) == {"US-NY"}
    assert health.labels_in([]) == health.labels_in(["CH"]) == {}
    gdpr = next(regime for regime in load_regimes() if regime.id == "eu-gdpr")
    assert gdpr.countries() == EEA | {"EU"}


def test_what_the_law_was_read_for_is_not_said_to_rest_on_memory() -> None:
    for key, category in category_catalogue().items():
        label = category.sensitive["CN"]
        if "第二十八条" in label.basis and label.answer is IsSensitive.yes:
            assert label.confidence is Confidence.verified, key
        if label.basis.startswith("GB/T 45574-2025 附录 A（"):
            assert label.confidence is Confidence.secondary, key
        assert category.sensitive["EU"].confidence is Confidence.memory, key


def test_an_unknown_remedy_is_answered_with_the_nearest() -> None:
    check_remedies({"remedies_chosen": ("change_number", "hotline")})
    check_remedies({"remedies_chosen": None})
    with pytest.raises(BadInput) as refusal:
        check_remedies({"remedies_chosen": ("hotline", "change_numbers")})
    assert (refusal.value.next_step or "").startswith("did you mean change_number")
    with pytest.raises(BadInput) as far_off:
        check_remedies({"remedies_chosen": ("zzzz",)})
    assert "hotline" in (far_off.value.next_step or "")


def test_an_unknown_kind_of_data_is_answered_with_the_nearest() -> None:
    check_categories({"data_categories": ("name", "phone_number")})
    check_categories({"data_categories": None})
    with pytest.raises(BadInput) as refusal:
        check_categories({"data_categories": ("name", "phone_no")})
    assert (refusal.value.next_step or "").startswith("did you mean phone_number")
    assert "phone_number" in category_names()
