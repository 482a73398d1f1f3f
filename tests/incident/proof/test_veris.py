"""An incident as a VERIS record: valid by the schema of the standard, holding no text, and read back as it was."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings

from incident.proof.veris import veris_document
from incident.record.dossier import Dossier
from incident.record.facts import Certainty, FrozenText, Interval, Value
from incident.record.veris import OWN_FIELDS, VerisRecord, read_veris
from tests.support.dossiers import OPENED, SECRET, dossier_of, dossiers
from tests.support.shared import need_shared, shared_folder

SHANGHAI = ZoneInfo("Asia/Shanghai")
NOW = datetime(2026, 11, 29, tzinfo=UTC)
MANY = settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow])


@cache
def _validator() -> Any:
    jsonschema = pytest.importorskip("jsonschema")
    schema = json.loads((need_shared("schemas/veris") / "verisc-merged.json").read_text("utf-8"))
    return jsonschema.Draft4Validator(schema)


def errors_in(document: Any) -> list[str]:
    return [f"{list(each.path)}: {each.message[:200]}" for each in _validator().iter_errors(document)]


def written(facts: dict[str, Value | None], *, with_text: bool = False, **more: Any) -> dict[str, Any]:
    return veris_document(dossier_of(facts, **more), zone=SHANGHAI, with_text=with_text)


def read(document: Any, *, language: str = "en") -> VerisRecord:
    found = read_veris(
        json.dumps(document).encode(),
        name="f",
        zone=SHANGHAI,
        known_at=NOW,
        said_by="bo",
        language=language,
    )
    assert found is not None
    return found


def test_an_incident_of_which_nothing_is_known_is_a_valid_record() -> None:
    document = written({})
    assert errors_in(document) == []
    assert document["security_incident"] == "Suspected"
    assert document["action"] == document["actor"] == {"unknown": {}}
    assert document["attribute"] == {"confidentiality": {"data_disclosure": "Unknown"}}
    assert "plus" not in document


@MANY
@given(dossiers())
def test_every_incident_is_a_valid_record_without_a_word_that_people_wrote(dossier: Dossier) -> None:
    document = veris_document(dossier, zone=SHANGHAI, with_text=False)
    assert errors_in(document) == []
    text = json.dumps(document, ensure_ascii=False)
    assert not [word for word in (*SECRET.split(), "王小明") if word in text]


@MANY
@given(dossiers())
def test_what_is_typed_is_read_back_as_it_was(dossier: Dossier) -> None:
    back = {fact.field: fact for fact in read(veris_document(dossier, zone=SHANGHAI, with_text=False)).facts}
    for name in OWN_FIELDS:
        known = dossier.current.get(name)
        if known is None or known.fact.value is None:
            continue
        assert back[name].value == known.fact.value
        certain = known.fact.sure in (Certainty.confirmed, Certainty.likely)
        assert back[name].sure == (Certainty.likely if certain else known.fact.sure)


def test_other_readers_find_the_same_in_veris_words() -> None:
    """Without what stands below `plus`, which is ours alone."""
    facts: dict[str, Value | None] = {
        "occurred_at": datetime(2026, 11, 8, 9, 45, tzinfo=UTC),
        "discovered_at": datetime(2026, 11, 10, 9, 45, tzinfo=UTC),
        "ended_at": datetime(2026, 11, 10, 10, 0, 30, tzinfo=UTC),
        "personal_data_breach": "actual",
        "breach_effects": ("confidentiality", "integrity"),
        "cause_kind": "phishing",
        "records": Interval.exactly(1200),
        "data_categories": ("health",),
        "subject_categories": ("员工", "customers", SECRET),
        "found_by": FrozenText({"en": "an employee", "zh-Hans": "本单位员工"}),
        "vulnerabilities": f"{SECRET} CVE-2024-1234",
        "economic_loss": Interval.exactly(5000000),
    }
    document = written(facts, sure={"personal_data_breach": Certainty.confirmed})
    assert errors_in(document) == []
    assert document["timeline"] == {
        "incident": {"year": 2026, "month": 11, "day": 8, "time": "05:45:00 PM"},
        "discovery": {"unit": "Days", "value": 2},
        "containment": {"unit": "Seconds", "value": 930},
    }
    assert (document["security_incident"], document["confidence"]) == ("Confirmed", "High")
    assert document["discovery_method"] == {"internal": {"variety": ["Reported by employee"]}}
    secrecy = document["attribute"]["confidentiality"]
    assert secrecy == {
        "data_disclosure": "Yes",
        "data": [{"variety": "Medical"}],
        "data_total": 1200,
        "data_victim": ["Employee", "Customer", "Other"],
    }
    del document["plus"]
    back = {fact.field: fact.value for fact in read(document).facts}
    for name in ("occurred_at", "personal_data_breach", "breach_effects", "records", "data_categories"):
        assert back[name] == facts[name], name
    assert back["found_by"] == facts["found_by"]
    assert back["vulnerabilities"] == "CVE-2024-1234"
    assert back["economic_loss"] == facts["economic_loss"]
    assert back["subject_categories"] == ("employees", "customers")
    # With a CVE number there are two actions, and VERIS does not say which came first.
    assert "cause_kind" not in back


@pytest.mark.parametrize(
    ("facts", "disclosure"),
    [
        ({"personal_data_breach": "actual", "breach_effects": ("confidentiality",)}, "Yes"),
        ({"personal_data_breach": "actual"}, "Unknown"),
        ({"personal_data_breach": "actual", "breach_effects": ("availability",)}, "No"),
        ({"personal_data_breach": "possible"}, "Potentially"),
        ({"personal_data_breach": "possible", "breach_effects": ("integrity",)}, "No"),
        ({"personal_data_breach": "none"}, "No"),
        ({"breach_effects": ("confidentiality",)}, "Yes"),
        ({}, "Unknown"),
    ],
)
def test_disclosure_is_claimed_only_as_far_as_the_record_goes(
    facts: dict[str, Value | None], disclosure: str
) -> None:
    document = written(facts)
    assert document["attribute"]["confidentiality"]["data_disclosure"] == disclosure


def test_an_interval_has_no_total_in_veris_but_keeps_its_bounds() -> None:
    document = written({"records": Interval(800_000, None, 1_300_000), "persons": Interval(5)})
    assert "data_total" not in document["attribute"]["confidentiality"]
    assert document["plus"]["tocsin"]["records"]["value"] == {
        "min": 800_000,
        "likely": None,
        "max": 1_300_000,
    }
    assert document["plus"]["tocsin"]["persons"]["value"]["min"] == 5


def test_where_the_beginning_is_not_known_only_a_year_is_told() -> None:
    assert written({})["timeline"] == {"incident": {"year": OPENED.year}}
    found = datetime(2024, 12, 31, 20, 0, tzinfo=UTC)
    # The year of the workspace's zone, in which the new one had begun.
    assert written({"discovered_at": found})["timeline"] == {"incident": {"year": 2025}}


def test_times_that_contradict_each_other_make_no_length() -> None:
    facts: dict[str, Value | None] = {
        "occurred_at": OPENED,
        "discovered_at": OPENED - timedelta(days=1),
        "ended_at": OPENED - timedelta(days=2),
    }
    assert set(written(facts)["timeline"]) == {"incident"}


def test_told_by_others_means_found_outside() -> None:
    assert written({"informed_at": OPENED})["discovery_method"] == {"external": {"variety": ["Unknown"]}}
    both: dict[str, Value | None] = {"informed_at": OPENED, "discovered_at": OPENED}
    assert written(both)["discovery_method"] == {"unknown": True}


def test_text_goes_along_only_on_request_and_then_masked() -> None:
    facts: dict[str, Value | None] = {"what_happened": FrozenText({"zh-Hans": "中文", "en": SECRET})}
    assert written(facts)["summary"] == "Incident INC-2026-0001; the summary is withheld."
    assert written(facts, with_text=True)["summary"] == "Wang Xiaoming 138****8000 w***@example.com"
    assert written({}, with_text=True, title="A list was taken")["summary"] == "A list was taken"


def test_records_that_others_wrote_keep_what_our_facts_hold_of_them() -> None:
    folder = shared_folder("samples/veris")
    if folder is None:
        pytest.skip("the shared samples are not beside this checkout")
    files = sorted(folder.glob("*.json"))
    assert files
    for file in files:
        first = read(json.loads(file.read_bytes()))
        taken: dict[str, Value | None] = {fact.field: fact.value for fact in first.facts}
        sure = {fact.field: fact.sure for fact in first.facts}
        document = written(taken, sure=sure, with_text=True, title=first.title)
        assert errors_in(document) == [], file.name
        again = {fact.field: (fact.value, fact.sure) for fact in read(document).facts}
        untold = {"what_happened"} if "what_happened" not in taken else set()
        assert {name: value for name, (value, _) in again.items() if name not in untold} == taken, file.name
        assert {name: sure for name, (_, sure) in again.items() if name not in untold} == sure, file.name
