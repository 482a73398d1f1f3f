"""`incident export`: what leaves is typed, marked, journalled with the hash of its bytes, and stays out on request."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from tests.support.estates import Estate, with_people
from tests.support.stix_rules import objections_to_bundle

NO_SECRET = "--not-state-secret"


def test_the_screen_shows_the_bytes_that_the_journal_names(estate: Estate) -> None:
    answer = estate.done("export", estate.id, "--format", "veris")
    sha256 = hashlib.sha256(answer.out.encode()).hexdigest()
    events = estate.done("timeline", estate.id, "--json").document["events"]
    [told] = [each["text"] for each in events if each["kind"] == "export"]
    assert told == f"exported as veris, SHA-256 {sha256[:12]}"
    assert estate.done("verify").code == 0


def test_a_file_holds_the_same_bytes_as_the_screen(estate: Estate, tmp_path: Path) -> None:
    for form in ("veris", "stix"):
        file = tmp_path / f"{form}.json"
        on_screen = estate.done("export", estate.id, "--format", form).out
        document = estate.done("export", estate.id, "--format", form, "-o", file, "--json").document
        assert file.read_text("utf-8") == on_screen
        assert document["sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()
        assert document["file"] == str(file)


def test_a_bundle_bears_its_marking(estate: Estate) -> None:
    bundle = estate.done("export", estate.id, "--format", "stix").document
    assert objections_to_bundle(bundle) == []
    assert bundle["objects"][0]["name"] == "TLP:AMBER"
    red = estate.done("export", estate.id, "--format", "stix", "--tlp", "TLP:RED").document
    assert red["objects"][0]["name"] == "TLP:RED"
    events = estate.done("timeline", estate.id, "--json", INCIDENT_LANGUAGE="zh-Hans").document["events"]
    told = [each["text"] for each in events if each["kind"] == "export"]
    assert [text.split("，")[:2] for text in told] == [["导出 stix", "TLP:AMBER"], ["导出 stix", "TLP:RED"]]


def test_nothing_of_the_people_concerned_and_no_title_leaves(estate: Estate) -> None:
    with_people(estate)
    people = (estate.keys.parent / "people-6.csv").read_text("utf-8").splitlines()
    words = {cell for line in people[1:] for cell in line.split(",") if len(cell) > 5}
    assert words
    for form in ("veris", "stix"):
        plain = estate.done("export", estate.id, "--format", form).out
        assert "Member look-up" not in plain
        for text in (plain, estate.done("export", estate.id, "--format", form, "--with-text").out):
            assert [word for word in words if word in text] == []


@pytest.mark.parametrize("form", ["veris", "stix"])
def test_with_text_it_is_said_that_the_text_must_be_read(estate: Estate, form: str) -> None:
    answer = estate.done("export", estate.id, "--format", form, "--with-text")
    assert "before you hand it on" in answer.err
    told = estate.done("timeline", estate.id).out
    assert "with title and summary" in told
    chinese = estate.done("export", estate.id, "--format", form, "--with-text", INCIDENT_LANGUAGE="zh-Hans")
    assert "请先通读" in chinese.err


def test_an_export_is_opened_again_as_it_was(estate: Estate, tmp_path: Path) -> None:
    file = tmp_path / "veris.json"
    estate.done("export", estate.id, "--format", "veris", "-o", file)
    opened = estate.done("open", "--facts", file, NO_SECRET, "--json").document
    again = tmp_path / "again.json"
    estate.done("export", opened["incident"], "--format", "veris", "-o", again)
    first, second = (json.loads(each.read_bytes()) for each in (file, again))

    def values(record: dict[str, dict[str, dict[str, dict[str, object]]]]) -> dict[str, object]:
        return {name: fact["value"] for name, fact in record["plus"]["tocsin"].items()}

    assert values(first)
    assert values(second) == values(first)
    for part in ("timeline", "action", "actor", "attribute", "discovery_method", "security_incident"):
        assert second[part] == first[part], part


def test_where_the_file_cannot_be_written_nothing_says_that_it_was_handed_out(estate: Estate) -> None:
    estate.refused(
        *("export", estate.id, "--format", "veris", "-o", estate.settings_file / "x.json"),
        says=["cannot be written"],
    )


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["--format", "docx"], 2, "veris, stix"),
        (["--format", "stix", "--tlp", "purple"], 2, "white, green, amber, red"),
        (["--format", "veris", "--tlp", "amber"], 2, "no place for a marking"),
    ],
)
def test_words_that_are_off_export_nothing(estate: Estate, words: list[str], code: int, says: str) -> None:
    estate.refused("export", estate.id, *words, code=code, says=[says])


def test_an_incident_that_is_not_there_is_told(estate: Estate) -> None:
    estate.refused("export", "INC-1999-0001", "--format", "veris", says=["no incident"])


def test_a_closed_incident_is_exported_too(estate: Estate) -> None:
    estate.done("close", estate.id, "--reason", "done")
    assert estate.done("export", estate.id, "--format", "veris").document["incident_id"] == estate.id


def test_two_workspaces_give_their_first_incident_different_ids(estate: Estate, tmp_path: Path) -> None:
    from tests.support.estates import build_estate

    other = build_estate(tmp_path / "other")
    ours, theirs = (each.done("export", each.id, "--format", "stix").document for each in (estate, other))
    assert ours["id"] != theirs["id"]
    ids = [
        {each["id"] for each in bundle["objects"] if each["type"] in ("incident", "course-of-action")}
        for bundle in (ours, theirs)
    ]
    assert ids[0]
    assert not ids[0] & ids[1]
