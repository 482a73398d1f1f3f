"""What each law wants in a notice to people, side by side, and where a public notice may stand in for it."""

from __future__ import annotations

import pytest

from incident.law.regimes import DutyKind, DutyRule, Effect, load_regimes
from tests.support.one_law import regime

COLUMNS = (
    "what_happened", "breach_date", "discovery_date", "data_types", "consequences", "measures_taken",
    "steps_for_person", "contact", "dpo",
)  # fmt: skip

# X: the text requires it; a: where it applies or is known; o: recommended or optional; -: not prescribed.
TABLE: dict[str, tuple[str, tuple[str, ...]]] = {
    "eu-gdpr/people": ("X - - o X X o X X", ()),
    "uk-gdpr/people": ("X - - o X X o X X", ()),
    "eu-dora/people": ("X - - - - X a - -", ()),
    "us-hipaa/people": ("X a a X - X X X -", ()),
    "us-ca-1798-82/people": (
        "X a - X - o o X -",
        ("notice_date", "le_delay_statement", "credit_bureau_info", "id_protection_offer"),
    ),
    "us-ny-899-aa/people": ("- - - X - - - X -", ("regulator_or_agency_info",)),
    "us-fcc-64-2011/people": ("X X - - - - o o -", ()),
    "jp-appi/people": ("X - - X X - o o -", ("cause",)),
    "kr-pipa/people": ("X X - X - X X X -", ("rights_and_remedies", "remedies")),
    "sg-pdpa/people": ("X - X X X X X X -", ()),
    "au-ndb/people": ("X - - X - - X X -", ()),
    "in-dpdp/people": ("X X - - X X X X -", ()),
    "id-pdp/people": ("X X - X - X - - -", ()),
    "th-pdpa/people": ("X - - - X X X X X", ()),
    "br-lgpd/people": ("X - X X X X o X X", ("protection_in_place", "delay_reason")),
    "ca-pipeda/people": ("X X - X - X X X -", ()),
    "ch-fadp/people": ("X - - - X X a X -", ()),
}
NOTHING_PRESCRIBED = ("us-sec-8k-105", "us-circia", "us-ftc-safeguards", "in-cert-in")
ONE_CONTACT_IS_ENOUGH = {"eu-gdpr/people", "uk-gdpr/people", "th-pdpa/people"}

INSTEAD = {
    "eu-gdpr", "uk-gdpr", "us-hipaa", "us-ca-1798-82", "us-ny-899-aa", "jp-appi", "kr-pipa", "au-ndb", "ca-pipeda",
    "br-lgpd", "ch-fadp", "th-pdpa",
}  # fmt: skip


def rule(name: str) -> DutyRule:
    law, _, duty = name.partition("/")
    [found] = [each for each in regime(law).duties if each.id == duty]
    return found


@pytest.mark.parametrize("name", TABLE)
def test_a_notice_holds_what_its_law_requires(name: str) -> None:
    marks, others = TABLE[name]
    required = {column for column, mark in zip(COLUMNS, marks.split(), strict=True) if mark == "X"}
    held = set(rule(name).elements)
    if name in ONE_CONTACT_IS_ENOUGH:
        required -= {"dpo", "contact"}
        assert held & {"dpo", "contact"}
    assert required - held == set()
    assert set(others) - held == set()


@pytest.mark.parametrize("name", TABLE)
def test_a_notice_is_not_held_up_by_what_its_law_does_not_prescribe(name: str) -> None:
    marks, _ = TABLE[name]
    strange = {column for column, mark in zip(COLUMNS, marks.split(), strict=True) if mark == "-"}
    assert strange & set(rule(name).elements) == set()


@pytest.mark.parametrize("law", NOTHING_PRESCRIBED)
def test_a_law_that_prescribes_no_content_asks_for_none(law: str) -> None:
    assert not [duty.id for duty in regime(law).duties if duty.elements]


def test_singapore_tells_each_person_which_of_their_own_data_is_concerned() -> None:
    assert "individual_specific_data" in rule("sg-pdpa/people").elements


def test_nis2_prescribes_no_more_than_that_people_hear_of_the_incident() -> None:
    assert set(rule("eu-nis2/people").elements) <= {"what_happened"}


def test_every_element_of_a_law_names_its_article() -> None:
    for law in load_regimes():
        if law.id == "hk-pcpd-dbn":  # guidance, which has none
            continue
        for duty in law.duties:
            for element, article in duty.elements.items():
                named = any(sign.isdigit() for sign in article) or ("第" in article and "条" in article)
                assert named, (law.id, duty.id, element)


@pytest.mark.parametrize(
    "law", sorted({each.id for each in load_regimes() if each.country not in ("CN", "HK", "MO")})
)
def test_a_public_notice_stands_in_exactly_where_the_law_says_so(law: str) -> None:
    has = any(
        exemption.effect is Effect.public_notice_instead
        for duty in regime(law).duties
        for exemption in duty.exemptions
    )
    assert has is (law in INSTEAD)


@pytest.mark.parametrize("law", sorted(INSTEAD))
def test_only_the_notice_to_people_is_replaced_by_a_public_one(law: str) -> None:
    replaced = {
        duty.kind
        for duty in regime(law).duties
        for exemption in duty.exemptions
        if exemption.effect is Effect.public_notice_instead
    }
    assert replaced == {DutyKind.notify_people}
