"""The catalogues of the law at the terminal: listed, linted, and what they suggest for a notice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from incident.law.lint_catalogues import catalogue_files
from incident.law.remedies import OWNER_TITLES, remedy_catalogue
from tests.support.estates import Estate


def findings(estate: Estate) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = estate.run("notice", "check", estate.id, "--json").document["findings"]
    return found


def suggestions(estate: Estate) -> list[str]:
    return [each["message"]["en"] for each in findings(estate) if each["code"] == "remedy-to-offer"]


def test_a_check_suggests_remedies_until_one_is_confirmed_and_then_the_notice_offers_it(
    estate: Estate,
) -> None:
    assert suggestions(estate) == []
    estate.done("set", estate.id, "remedies_offered=unknown")
    assert any(each["place"] == "remedies" and each["severity"] == "refused" for each in findings(estate))
    [first, *_] = suggestions(estate)
    assert "Once confirmed, add" in first and "(" in first
    offer = remedy_catalogue()["change_number"].offer
    assert offer["en"] not in estate.done("notice", "preview", estate.id, "--language", "en").out
    estate.done(
        "set", estate.id, "remedies_chosen=change_number,hotline", "--said-by", "Zhao, customer service"
    )
    assert suggestions(estate) == []
    assert offer["en"] in estate.done("notice", "preview", estate.id, "--language", "en").out
    assert offer["zh-Hans"] in estate.done("notice", "preview", estate.id, "--language", "zh-Hans").out


@pytest.mark.parametrize(
    "words",
    [["set", "{id}", "remedies_chosen=change_numbr"], ["answer", "{id}", "remedies_chosen", "change_numbr"]],
)
def test_a_remedy_that_is_not_listed_is_refused_with_the_nearest(estate: Estate, words: list[str]) -> None:
    estate.refused(
        *(word.format(id=estate.id) for word in words), says=["change_numbr", "did you mean change_number"]
    )


def test_a_facts_file_with_a_strange_remedy_is_refused_with_its_line(estate: Estate) -> None:
    facts = "persons: 5\nremedies_chosen: [hotlin]\n"
    estate.refused("set", estate.id, "--facts", "-", stdin=facts, says=["line 2", "did you mean hotline"])


def test_what_a_person_wrote_for_an_element_is_in_the_notice(estate: Estate) -> None:
    estate.done("set", estate.id, "rights_of_people=You may claim damages.")
    assert (
        "YOUR RIGHTS\nYou may claim damages."
        in estate.done("notice", "preview", estate.id, "--language", "en").out
    )


def test_an_element_that_is_promised_is_refused_until_it_is_written(estate: Estate) -> None:
    with estate.settings_file.open("a", encoding="utf-8") as settings:
        settings.write('\n[promises]\nnotice_contains = ["regulator_or_agency_info"]\n')
    missing = [each for each in findings(estate) if each["place"] == "regulator_or_agency_info"]
    assert [each["facts"] for each in missing] == [["agency_info"]] * 2
    assert all(each["articles"] == [["promise", "promises.notice_contains"]] for each in missing)
    facts = 'agency_info: {en: "Consumer line 12315.", zh-Hans: "消费者投诉电话12315。"}\n'
    estate.done("set", estate.id, "--facts", "-", stdin=facts)
    assert [each for each in findings(estate) if each["place"] == "regulator_or_agency_info"] == []


def test_the_kinds_of_data_are_listed_with_the_labels_of_the_countries_in_scope(estate: Estate) -> None:
    rows = estate.done("law", "categories", "--json").document
    assert {row["country"] for row in rows} == {"CN", "EU"}
    track = [row for row in rows if (row["kind"], row["country"]) == ("location_track", "CN")]
    assert [(row["sensitive"], row["confidence"]) for row in track] == [("yes", "verified")]
    only = estate.done("law", "categories", "--country", "us-ca", "--json").document
    assert {row["country"] for row in only} == {"US-CA"}
    assert "行踪轨迹" in estate.done("law", "categories", INCIDENT_LANGUAGE="zh-Hans").out
    estate.refused(
        "law", "categories", "--country", "ZZ", says=["no kind of data has a label for ZZ", "US-CA"]
    )


def test_the_remedies_are_listed_with_their_owners(estate: Estate) -> None:
    rows = estate.done("law", "remedies", "--json").document
    assert {row["remedy"]: row["owner"] for row in rows} == {
        key: remedy.owner for key, remedy in remedy_catalogue().items()
    }
    said = estate.done("law", "remedies", INCIDENT_LANGUAGE="zh-Hans").out
    assert all(OWNER_TITLES[remedy.owner]["zh-Hans"] in said for remedy in remedy_catalogue().values())


def test_the_lint_reads_the_catalogues_by_their_names_and_fails_on_a_fault(
    estate: Estate, tmp_path: Path
) -> None:
    assert "categories.yaml" in estate.done("law", "lint").out
    for file in catalogue_files():
        (tmp_path / file.name).write_text(file.read_text("utf-8"), "utf-8")
    copies = [tmp_path / file.name for file in catalogue_files()]
    estate.done("law", "lint", *copies)
    broken = tmp_path / "remedies.yaml"
    broken.write_text(broken.read_text("utf-8").replace("您可以免费更换手机号码。", "请点击链接。"), "utf-8")
    answer = estate.run("law", "lint", *copies, "--json")
    assert answer.code == 1
    [fault] = [row for row in answer.document if row["severity"] == "error"]
    assert fault["file"] == "remedies.yaml" and "点击链接" in fault["what"]
    wanted = next(n for n, line in enumerate(broken.read_text("utf-8").splitlines(), 1) if "点击链接" in line)
    assert fault["line"] == wanted
