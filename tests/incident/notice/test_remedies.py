"""Remedies: suggested to a person, printed once the record holds them, and never before."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from incident.errors import BadInput
from incident.law.categories import category_catalogue
from incident.law.remedies import OWNER_TITLES, remedy_catalogue
from incident.notice.content import NoticeContent
from incident.notice.draft import NoticeInputs, draft
from incident.notice.findings import Severity, refusals
from incident.notice.gate import check_notice
from incident.notice.remedies import MOST_SUGGESTED, suggested_remedies

LANGUAGES = ("zh-Hans", "en")
NOTHING_OFFERED: Mapping[str, None] = {"remedies_offered": None}
Make = Callable[..., NoticeInputs]
OFFERS = [remedy.offer[language] for remedy in remedy_catalogue().values() for language in LANGUAGES]


def drafted(inputs: NoticeInputs) -> dict[str, NoticeContent]:
    return {language: draft(inputs, language) for language in LANGUAGES}


@pytest.mark.parametrize("kind", list(category_catalogue()))
def test_no_remedy_is_told_that_the_record_does_not_hold(inputs: Make, kind: str) -> None:
    for content in drafted(inputs({**NOTHING_OFFERED, "data_categories": [kind]})).values():
        assert content.remedies is None
        told = "\n".join(line for lines in content.texts().values() for line in lines)
        assert [offer for offer in OFFERS if offer in told] == []


def test_a_confirmed_remedy_is_told_in_every_language_before_the_organisations_own_words(
    inputs: Make,
) -> None:
    made = inputs({"remedies_chosen": ["replace_sim", "hotline"]})
    for language, content in drafted(made).items():
        own = inputs().facts["remedies_offered"].value
        assert isinstance(own, Mapping)
        assert content.remedies == (
            remedy_catalogue()["replace_sim"].offer[language],
            remedy_catalogue()["hotline"].offer[language],
            *own[language].split("\n"),
        )


def test_confirmed_remedies_alone_satisfy_the_gate_and_end_the_suggestions(inputs: Make) -> None:
    made = inputs({**NOTHING_OFFERED, "remedies_chosen": ["hotline"]})
    contents = drafted(made)
    asked = {"remedies": (("cn-gbt-35273-10", "10.2 b)"),)}
    assert refusals(check_notice(contents, asked)) == []
    assert suggested_remedies(made, contents) == []


def test_where_nothing_is_offered_the_most_urgent_remedies_are_suggested_with_owner_and_question(
    inputs: Make,
) -> None:
    made = inputs({**NOTHING_OFFERED, "data_categories": ["phone_number", "account_password"]})
    found = suggested_remedies(made, drafted(made))
    kinds = [category_catalogue()[kind] for kind in ("account_password", "phone_number")]
    keys = [key for kind in kinds for key in kind.remedies]
    assert len(found) == len(keys) == 6
    for finding, key in zip(found, keys, strict=True):
        remedy = remedy_catalogue()[key]
        assert (finding.severity, finding.code, finding.place) == (
            Severity.SUGGESTION,
            "remedy-to-offer",
            "remedies",
        )
        assert finding.fields == ("remedies_chosen",)
        for language in LANGUAGES:
            text = finding.text(language)
            assert all(part in text for part in (key, remedy.title[language], remedy.capacity[language]))
            assert OWNER_TITLES[remedy.owner][language] in text


def test_no_more_remedies_are_suggested_than_somebody_can_telephone_for(inputs: Make) -> None:
    made = inputs({**NOTHING_OFFERED, "data_categories": list(category_catalogue())})
    found = suggested_remedies(made, drafted(made))
    assert len(found) == len({finding.text("en") for finding in found}) == MOST_SUGGESTED


def test_an_offer_in_one_language_only_still_suggests(inputs: Make) -> None:
    made = inputs({"remedies_offered": {"en": "Call us."}})
    assert suggested_remedies(made, drafted(made))


@pytest.mark.parametrize("changes", [{"data_categories": None}, {"data_categories": []}])
def test_without_a_kind_of_data_nothing_is_suggested(inputs: Make, changes: dict[str, Any]) -> None:
    made = inputs({**NOTHING_OFFERED, **changes})
    assert suggested_remedies(made, drafted(made)) == []


def test_a_remedy_that_does_not_exist_is_refused(inputs: Make) -> None:
    with pytest.raises(BadInput, match="free_pony"):
        draft(inputs({"remedies_chosen": ["free_pony"]}), "en")


@pytest.mark.parametrize("kind", list(category_catalogue()))
def test_a_notice_about_one_kind_of_data_with_its_remedies_reads_well(inputs: Make, kind: str) -> None:
    remedies = list(category_catalogue()[kind].remedies)
    made = inputs({**NOTHING_OFFERED, "data_categories": [kind], "remedies_chosen": remedies})
    assert check_notice(drafted(made), {}) == []
