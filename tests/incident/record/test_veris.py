"""A VERIS record as facts: what it says is carried over, and what it leaves open stays open."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from incident.record.facts import Certainty, Fact, Interval
from incident.record.veris_words import UNKNOWN
from tests.support.shared import shared_folder
from tests.support.veris_records import NOW, SHANGHAI, read, record, secrecy


def facts(**more: Any) -> dict[str, Fact]:
    return {fact.field: fact for fact in read(record(**more)).facts}


def value(field: str, **more: Any) -> Any:
    found = facts(**more).get(field)
    return found.value if found is not None else None


# -- what it says ------------------------------------------------------------------------------------


def test_a_record_that_knows_nothing_states_nothing_but_its_summary() -> None:
    assert list(facts()) == ["what_happened"]
    assert list(facts(summary="")) == []


def test_every_fact_names_veris_as_its_source_and_who_coded_it() -> None:
    fact = facts()["what_happened"]
    assert (fact.source, fact.said_by, fact.known_at) == ("VERIS", "anna", NOW)
    assert facts(source_id="vcdb")["what_happened"].said_by == "vcdb"
    assert facts(source_id="one\nline")["what_happened"].said_by == "one line"


@pytest.mark.parametrize(
    ("incident", "disclosure", "kinds", "breach"),
    [
        ("Confirmed", "Yes", ["Personal"], "actual"),
        ("Confirmed", "Yes", ["Medical", "Source code"], "actual"),
        ("Confirmed", "Potentially", ["Personal"], "possible"),
        ("Suspected", "Yes", ["Personal"], "possible"),
        ("Confirmed", "Yes", ["Payment"], "possible"),
        ("Confirmed", "Yes", ["Credentials"], "possible"),
        ("Confirmed", "Yes", ["Source code"], None),
        ("Confirmed", "Yes", [], None),
        ("Confirmed", "Yes", [UNKNOWN], None),
        ("Confirmed", "No", ["Personal"], None),
        ("Confirmed", UNKNOWN, ["Personal"], None),
        ("Near miss", "Yes", ["Personal"], None),
        ("False positive", "Yes", ["Personal"], "none"),
    ],
)
def test_a_breach_of_personal_data_is_stated_only_as_far_as_the_words_go(
    incident: str, disclosure: str, kinds: list[str], breach: str | None
) -> None:
    told = {"security_incident": incident, "attribute": secrecy(disclosure, *kinds)}
    assert value("personal_data_breach", **told) == breach


@pytest.mark.parametrize(
    ("confidence", "sure"),
    [("High", "likely"), ("Medium", "claimed"), ("Low", "assumed"), ("None", "assumed"), (None, "claimed")],
)
def test_nothing_is_confirmed_because_a_record_says_so(confidence: str | None, sure: str) -> None:
    told = {"confidence": confidence} if confidence else {}
    breach = facts(attribute=secrecy("Yes", "Personal"), **told)["personal_data_breach"]
    assert breach.sure == sure


def test_records_are_records_and_never_people() -> None:
    found = facts(attribute=secrecy("Yes", "Personal", data_total=1200))
    assert found["records"].value == Interval.exactly(1200)
    assert not {"persons", "persons_sensitive"} & found.keys()


@pytest.mark.parametrize(
    ("amounts", "known"),
    [
        ([10], Interval.exactly(10)),
        ([10, 30], Interval(30, None, 40)),
        ([10, None], Interval(10, None, None)),
        ([None], None),
    ],
)
def test_without_a_total_the_amounts_of_the_kinds_bound_the_records(
    amounts: list[int | None], known: Interval | None
) -> None:
    data = [{"variety": "Personal", **({"amount": each} if each is not None else {})} for each in amounts]
    told = {"confidentiality": {"data_disclosure": "Yes", "data": data}}
    assert value("records", attribute=told) == known


@pytest.mark.parametrize(
    ("kinds", "known"),
    [
        (["Medical"], ("health",)),
        (["Medical", "Payment", "Bank"], ("health", "payment_card", "bank_account")),
        (["Medical", "Personal"], None),
        (["Personal"], None),
        (["Sensitive Personal"], None),
        (["Credentials"], None),
        (["Medical", UNKNOWN], None),
    ],
)
def test_a_list_of_kinds_that_is_not_whole_is_not_stated(
    kinds: list[str], known: tuple[str, ...] | None
) -> None:
    found = facts(attribute=secrecy("Yes", *kinds)).get("data_categories")
    assert (found.value if found else None) == known
    assert found is None or found.sure is Certainty.assumed


def test_the_groups_are_named_in_the_language_of_the_record() -> None:
    told = record(attribute=secrecy("Yes", "Personal", data_victim=["Customer", "Other", "Student"]))
    by_language = {
        language: {fact.field: fact.value for fact in read(told, language=language).facts}
        for language in ("en", "zh-Hans")
    }
    assert by_language["en"]["subject_categories"] == ("customers", "students")
    assert by_language["zh-Hans"]["subject_categories"] == ("用户", "学生")


@pytest.mark.parametrize(
    ("attribute", "effects"),
    [
        (secrecy("Yes"), ("confidentiality",)),
        (secrecy("No"), None),
        (secrecy(UNKNOWN), None),
        ({"integrity": {"variety": ["Modify data"]}}, ("integrity",)),
        ({"integrity": {"variety": ["Software installation"]}}, None),
        ({"availability": {"variety": ["Loss"]}}, ("availability",)),
        ({"availability": {"variety": ["Obscuration"]}}, ("availability",)),
        ({"availability": {"variety": ["Interruption", "Degradation"]}}, None),
        (
            {**secrecy("Yes"), "availability": {"variety": ["Destruction"]}},
            ("confidentiality", "availability"),
        ),
    ],
)
def test_what_happened_to_the_data_is_told_and_an_interruption_is_no_loss(
    attribute: dict[str, Any], effects: tuple[str, ...] | None
) -> None:
    assert value("breach_effects", attribute=attribute) == effects


def test_what_may_have_happened_to_the_data_is_only_assumed() -> None:
    assert facts(attribute=secrecy("Potentially"))["breach_effects"].sure is Certainty.assumed
    told = {"security_incident": "Suspected", "attribute": secrecy("Yes")}
    assert facts(**told)["breach_effects"].sure is Certainty.assumed
    assert facts(attribute=secrecy("Yes"))["breach_effects"].sure is Certainty.claimed


@pytest.mark.parametrize(
    ("action", "actor", "cause"),
    [
        ({"hacking": {"variety": ["Use of stolen creds"]}}, "external", "stolen_credentials"),
        ({"hacking": {"variety": ["SQLi", "Exploit vuln"]}}, "external", "vulnerability"),
        ({"hacking": {"variety": ["SQLi", "Use of stolen creds"]}}, "external", None),
        ({"hacking": {"variety": ["SQLi", UNKNOWN]}}, "external", None),
        ({"hacking": {"variety": [UNKNOWN]}}, "external", None),
        ({"hacking": {"variety": ["A word of tomorrow"]}}, "external", None),
        ({"social": {"variety": ["Phishing"]}}, "external", "phishing"),
        (
            {"social": {"variety": ["Phishing"]}, "hacking": {"variety": ["Use of stolen creds"]}},
            "external",
            None,
        ),
        ({"malware": {"variety": [UNKNOWN]}}, "external", "malware"),
        ({"malware": {}}, "external", "malware"),
        ({"malware": {"variety": ["Trojan"]}, "unknown": {}}, "external", None),
        ({"misuse": {"variety": ["Privilege abuse"]}}, "internal", "insider"),
        ({"misuse": {"variety": ["Privilege abuse"]}}, "external", None),
        ({"error": {"variety": ["Misdelivery"]}}, "internal", "misdelivery"),
        ({"error": {"variety": ["Disposal error"]}}, "internal", None),
        ({"error": {"variety": ["Disposal error"]}}, "partner", "supplier"),
        ({"environmental": {"variety": ["Fire"]}}, "unknown", None),
        ({}, "unknown", None),
    ],
)
def test_a_cause_is_stated_where_all_actions_amount_to_one(
    action: dict[str, Any], actor: str, cause: str | None
) -> None:
    assert value("cause_kind", action=action, actor={actor: {}}) == cause


def test_ransomware_is_stated_where_it_is_named_and_never_denied() -> None:
    assert value("ransomware", action={"malware": {"variety": ["Ransomware"]}}) is True
    assert value("ransomware", action={"malware": {"variety": ["Worm"]}}) is None


def test_of_a_weakness_only_its_number_is_taken() -> None:
    action = {
        "hacking": {"variety": ["Exploit vuln"], "cve": "cve-2024-1234; found by Li Wei, CVE-2023-11111"}
    }
    assert value("vulnerabilities", action=action) == "CVE-2024-1234, CVE-2023-11111"
    assert value("vulnerabilities", action={"hacking": {"cve": "the old one"}}) is None


@pytest.mark.parametrize(
    ("impact", "known"),
    [
        ({"iso_currency_code": "CNY", "overall_amount": 5000000}, Interval.exactly(5000000)),
        (
            {"iso_currency_code": "CNY", "overall_min_amount": 1, "overall_max_amount": 9},
            Interval(1, None, 9),
        ),
        ({"iso_currency_code": "CNY", "overall_amount": 5, "overall_max_amount": 9}, Interval(0, 5, 9)),
        ({"iso_currency_code": "USD", "overall_amount": 5000000}, None),
        ({"overall_amount": 5000000}, None),
        ({"iso_currency_code": "CNY"}, None),
    ],
)
def test_a_loss_counts_only_in_yuan(impact: dict[str, Any], known: Interval | None) -> None:
    assert value("economic_loss", impact={"overall_rating": UNKNOWN, **impact}) == known


# -- times -------------------------------------------------------------------------------------------


def began(**parts: Any) -> dict[str, Any]:
    return {"timeline": {"incident": {"year": 2026, **parts}}}


def test_a_time_of_day_makes_a_moment_and_a_date_alone_does_not() -> None:
    moment = value("occurred_at", **began(month=11, day=8, time="05:45:00 PM"))
    assert moment == datetime(2026, 11, 8, 17, 45, tzinfo=SHANGHAI)
    assert value("occurred_at", **began(month=11, day=8, time="12:05:00 AM")).astimezone(SHANGHAI).hour == 0
    assert value("occurred_at", **began(month=11, day=8)) is None
    assert value("occurred_at", **began(month=11)) is None
    assert value("occurred_at", **began(month=11, day=8, time="17:45")) is None
    assert value("occurred_at", **began(month=11, day=8, time="00:45:00 PM")) is None


def test_lengths_of_time_become_no_moments() -> None:
    timeline = {
        "incident": {"year": 2026, "month": 11, "day": 8, "time": "05:45:00 PM"},
        "discovery": {"unit": "Days", "value": 3},
        "containment": {"unit": "Hours", "value": 2},
    }
    found = facts(timeline=timeline)
    assert not {"discovered_at", "informed_at", "aware_at", "ended_at"} & found.keys()


@pytest.mark.parametrize(
    ("method", "text"),
    [
        ({"external": {"variety": ["Customer"]}}, "a customer"),
        ({"external": {"variety": ["Customer", "Audit"]}}, "somebody outside the organisation"),
        ({"external": {"variety": ["Fraud detection"]}}, "somebody outside the organisation"),
        ({"internal": {"variety": ["Log review"]}}, "a review of the logs"),
        ({"partner": {"variety": [UNKNOWN]}}, "a partner"),
        ({"internal": {"variety": ["Log review"]}, "partner": {"variety": ["Audit"]}}, None),
        ({"unknown": True}, None),
        ({"other": True}, None),
        ("Ext - customer", "a customer"),
        ("Ext - unknown", "somebody outside the organisation"),
        ("Int - reported by employee", "an employee"),
        ("Unknown", None),
    ],
)
def test_who_found_it_is_told_in_both_languages(method: Any, text: str | None) -> None:
    found = value("found_by", discovery_method=method)
    assert (found["en"] if found else None) == text
    assert found is None or set(found) == {"en", "zh-Hans"}


# -- what it leaves open, and its own words ------------------------------------------------------------


def test_what_no_record_can_say_is_a_gap() -> None:
    gaps = {gap.field for gap in read(record(attribute=secrecy("Yes", "Personal"))).gaps}
    assert {"aware_at", "persons", "data_categories", "possible_harm", "planned_measures"} <= gaps
    assert "eu_data_subjects" in gaps
    # A kind that is stated does not close the question of which others there are.
    assert "data_categories" in {gap.field for gap in read(record(attribute=secrecy("Yes", "Medical"))).gaps}


def test_its_own_words_are_kept_and_no_analyst_is_named() -> None:
    told = record(
        action={"error": {"variety": ["A word of tomorrow", "Loss"], "notes": "by hand"}},
        plus={"analyst": "Spitler", "timeline": {"notification": {"year": 2026}}},
        victim={"country": ["US"], "victim_id": "Hospital"},
        source_id="vcdb",
    )
    note = read(told).note
    assert note.startswith("VERIS 1.4.1 record a-1 of vcdb, read from veris.json.")
    assert "action.error.variety: A word of tomorrow, Loss" in note
    assert "action.error.notes: by hand" in note
    assert "victim.country: US" in note
    assert "plus.timeline.notification.year: 2026" in note
    assert "Spitler" not in note
    assert "读自 veris.json" in read(told, language="zh-Hans").note


def test_a_long_record_leaves_a_note_that_says_what_it_left_out() -> None:
    note = read(record(notes=[{"line": "x" * 900} for _ in range(50)])).note
    assert len(note) < 20_000
    assert note.endswith("more lines are left out")


@pytest.mark.parametrize(
    ("summary", "title"),
    [
        ("Somebody took a list. It was sold.", "Somebody took a list."),
        ("名单被人拿走。后来被出售。", "名单被人拿走。"),
        ("two\n lines", "two lines"),
        ("x" * 300, "x" * 99 + "…"),
        ("", "VERIS a-1"),
        (None, "VERIS a-1"),
    ],
)
def test_the_first_sentence_of_the_summary_is_the_title(summary: str | None, title: str) -> None:
    told = record()
    told["summary"] = summary
    assert read(told).title == title


# -- the samples of others -----------------------------------------------------------------------------


def _samples() -> list[Path]:
    folder = shared_folder("samples/veris")
    return sorted(folder.glob("*.json")) if folder is not None else []


@pytest.mark.parametrize("file", _samples(), ids=lambda file: file.stem)
def test_records_that_others_wrote_are_read(file: Path) -> None:
    document = json.loads(file.read_bytes())
    found = {fact.field: fact.value for fact in read(document).facts}
    total = document["attribute"]["confidentiality"].get("data_total")
    assert found.get("records") == (Interval.exactly(total) if total is not None else None)
    disclosed = document["attribute"]["confidentiality"]["data_disclosure"]
    assert (
        found["personal_data_breach"]
        in {"Yes": ("actual", "possible"), "Potentially": ("possible",)}[disclosed]
    )
    assert "persons" not in found
