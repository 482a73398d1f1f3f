"""`open --facts` with a VERIS record: taken over, said what it cannot say, and refused without a trace."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.commands import sql
from tests.support.estates import Estate

NO_SECRET = "--not-state-secret"
RECORD: dict[str, Any] = {
    "schema_version": "1.4.1",
    "incident_id": "7f1c",
    "source_id": "partner",
    "security_incident": "Confirmed",
    "confidence": "High",
    "summary": "A list of patients was taken. It was sold.",
    "action": {"hacking": {"variety": ["SQLi"], "vector": ["Web application"]}},
    "actor": {"external": {"variety": ["Unknown"], "motive": ["Financial"]}},
    "asset": {"assets": [{"variety": "S - Database"}], "cloud": ["Unknown"]},
    "attribute": {
        "confidentiality": {
            "data_disclosure": "Yes",
            "data": [{"variety": "Personal", "amount": 1200}],
            "data_total": 1200,
            "data_victim": ["Patient"],
        }
    },
    "timeline": {"incident": {"year": 2026, "month": 3}, "discovery": {"unit": "Days", "value": 3}},
    "discovery_method": {"external": {"variety": ["Law enforcement"]}},
    "victim": {"country": ["US"], "employee_count": "Large", "industry": "622110", "government": ["NA"]},
}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "veris.json"
    path.write_text(json.dumps(RECORD), "utf-8")
    return path


def _opened(estate: Estate, *words: str | Path, **environment: str) -> tuple[dict[str, Any], str]:
    answer = estate.done("open", *words, NO_SECRET, "--json", **environment)
    return answer.document, answer.err


def test_a_record_becomes_an_incident_with_its_summary_as_title(estate: Estate, file: Path) -> None:
    document, _ = _opened(estate, "--facts", file)
    shown = estate.done("show", document["incident"], "--json").document
    assert shown["title"] == "A list of patients was taken."
    facts = {each["field"]: each for each in shown["facts"]}
    assert {each["source"] for each in facts.values()} == {"VERIS"}
    assert {each["said_by"] for each in facts.values()} == {"partner"}
    assert facts["records"]["value"] == {"min": 1200, "likely": None, "max": 1200}
    assert facts["personal_data_breach"]["value"] == "actual"
    assert facts["cause_kind"]["value"] == "vulnerability"
    assert facts["subject_categories"]["value"] == ["患者"]
    assert not {"persons", "aware_at", "discovered_at", "occurred_at", "data_categories"} & facts.keys()
    assert document["veris"]["facts"] == list(facts)


def test_the_title_of_the_person_who_opens_wins(estate: Estate, file: Path) -> None:
    document, _ = _opened(estate, "--facts", file, "--title", "Patients' list", "--found-at", "-10m")
    shown = estate.done("show", document["incident"], "--json").document
    assert shown["title"] == "Patients' list"
    assert "discovered_at" in {each["field"] for each in shown["facts"]}


def test_what_it_cannot_say_is_told_and_asked_for(estate: Estate, file: Path) -> None:
    document, said = _opened(estate, "--facts", file)
    cannot = document["veris"]["cannot_say"]
    assert {"aware_at", "persons", "data_categories", "possible_harm", "planned_measures"} <= set(cannot)
    for field in cannot:
        assert f"  {field}: " in said
    assert "records, not people" in said
    assert "handle it for somebody else" in said
    questions = estate.done("ask", document["incident"], "--all", "--json").document["questions"]
    asked = {name for each in questions for name in (each["field"], *each.get("instead", []))}
    assert {"discovered_at", "aware_at", "persons", "eu_data_subjects", "risk_to_people"} <= asked
    estate.done("answer", document["incident"], "persons", "900")
    estate.done("answer", document["incident"], "possible_harm", "fraud calls")


def test_a_chinese_desk_reads_it_in_chinese(estate: Estate, file: Path) -> None:
    _, said = _opened(estate, "--facts", file, INCIDENT_LANGUAGE="zh-Hans")
    assert "VERIS 统计的是记录条数，不是人数" in said
    assert "受他人委托处理" in said


def test_its_own_words_stand_in_the_log(estate: Estate, file: Path) -> None:
    document, _ = _opened(estate, "--facts", file)
    events = estate.done("timeline", document["incident"], "--json").document["events"]
    [note] = [each["text"] for each in events if each["kind"] == "log"]
    assert "victim.country: US" in note
    assert "timeline.discovery.value: 3" in note


def test_a_newer_record_is_taken_with_a_warning(estate: Estate, tmp_path: Path) -> None:
    path = tmp_path / "new.json"
    path.write_text(json.dumps({**RECORD, "schema_version": "1.9"}), "utf-8")
    _, said = _opened(estate, "--facts", path)
    assert "newer than what is known" in said


def test_a_record_comes_over_standard_input_too(estate: Estate) -> None:
    answer = estate.done("open", "--facts", "-", NO_SECRET, "--json", stdin=json.dumps(RECORD))
    assert answer.document["veris"]["record"] == "7f1c"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"schema_version": "1.2"}, ["schema_version", "too old"]),
        ({"action": 5}, ["action", "must be an object"]),
        ({"security_incident": "Perhaps"}, ["security_incident", "none of"]),
        ({"timeline": {"incident": {}}}, ["timeline.incident.year", "missing"]),
    ],
)
def test_a_record_that_is_wrong_opens_nothing(
    estate: Estate, tmp_path: Path, change: dict[str, Any], says: list[str]
) -> None:
    path = tmp_path / "veris.json"
    path.write_text(json.dumps({**RECORD, **change}), "utf-8")
    estate.refused("open", "--facts", path, NO_SECRET, says=["veris.json", *says])


def test_an_incident_that_stands_is_not_overwritten_by_a_record(estate: Estate, file: Path) -> None:
    estate.refused("set", estate.id, "--facts", file, says=["VERIS", "incident open"])


def test_a_record_still_asks_about_state_secrets(estate: Estate, file: Path) -> None:
    estate.refused("open", "--facts", file, stdin="y\n", says=["state secret"])


def test_what_is_taken_over_is_sealed(estate: Estate, file: Path) -> None:
    _opened(estate, "--facts", file)
    tables = [name for (name,) in sql(estate.root, "SELECT name FROM sqlite_master WHERE type = 'table'")]
    rows = repr([sql(estate.root, f'SELECT * FROM "{name}"') for name in tables])  # noqa: S608
    assert "list of patients" not in rows
    assert "622110" not in rows
