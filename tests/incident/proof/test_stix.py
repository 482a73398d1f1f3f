"""An incident as a STIX bundle: it keeps the rules of the standard, holds no text, and is the same each time."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from incident.proof.stix import Producer, Tlp, stix_bundle
from incident.record.dossier import Dossier
from incident.record.facts import Certainty, FrozenText, Interval, Value
from incident.record.measures import measure_named
from tests.support.dossiers import OPENED, SECRET, dossier_of, dossiers
from tests.support.stix_rules import objections_to_bundle

PRODUCER = Producer("Example Mobile", "a" * 64, datetime(2026, 1, 1, tzinfo=UTC))
ORIGIN = "b" * 64
MANY = settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow])


def bundle_of(
    dossier: Dossier, *, tlp: Tlp = Tlp.AMBER, with_text: bool = False, **more: Any
) -> dict[str, Any]:
    return stix_bundle(
        dossier,
        more.get("producer", PRODUCER),
        origin=more.get("origin", ORIGIN),
        tlp=tlp,
        with_text=with_text,
    )


def of_type(bundle: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return [each for each in bundle["objects"] if each["type"] == kind]


def extension_of(bundle: dict[str, Any]) -> dict[str, Any]:
    [incident] = of_type(bundle, "incident")
    [extension] = incident["extensions"].values()
    return {key: value for key, value in extension.items() if key != "extension_type"}


@MANY
@given(dossiers(), st.sampled_from(Tlp), st.booleans())
def test_every_incident_keeps_the_rules_of_the_standard(dossier: Dossier, tlp: Tlp, with_text: bool) -> None:
    bundle = json.loads(json.dumps(bundle_of(dossier, tlp=tlp, with_text=with_text)))
    assert objections_to_bundle(bundle) == []


@MANY
@given(dossiers())
def test_no_export_holds_a_word_that_people_wrote(dossier: Dossier) -> None:
    text = json.dumps(bundle_of(dossier), ensure_ascii=False)
    assert not [word for word in (*SECRET.split(), "王小明") if word in text]


def test_what_is_known_stands_in_the_incident() -> None:
    facts: dict[str, Value | None] = {
        "personal_data_breach": "possible",
        "breach_effects": ("confidentiality",),
        "cause_kind": "phishing",
        "persons": Interval(800_000, None, 1_300_000),
        "records": Interval(5),
        "data_categories": ("name", "id_number"),
        "ransomware": False,
        "occurred_at": datetime(2026, 11, 8, 9, 45, 1, 999_999, tzinfo=UTC),
        "cii_involved": True,
        "threat_level": "serious",
        "crime_suspected": True,
        "systems": (SECRET,),
    }
    bundle = bundle_of(dossier_of(facts, sure={"personal_data_breach": Certainty.likely}))
    assert extension_of(bundle) == {
        "breach": "possible",
        "effects": ["confidentiality"],
        "cause": "phishing",
        "ransomware": False,
        "data_kinds": ["name", "id_number"],
        "persons": {"min": 800_000, "max": 1_300_000},
        "records": {"min": 5},
        "occurred_at": "2026-11-08T09:45:01.999Z",
    }
    [incident] = of_type(bundle, "incident")
    assert (incident["labels"], incident["confidence"]) == (["personal-data-breach"], 85)
    [pattern] = of_type(bundle, "attack-pattern")
    assert pattern["external_references"] == [{"source_name": "mitre-attack", "external_id": "T1566"}]


def test_an_incident_of_which_nothing_is_known_is_not_called_a_breach() -> None:
    bundle = bundle_of(dossier_of({"personal_data_breach": None}))
    [incident] = of_type(bundle, "incident")
    assert not {"labels", "confidence", "extensions"} & set(incident)
    assert objections_to_bundle(bundle) == []


def test_a_measure_is_told_in_the_words_of_the_catalogue() -> None:
    bundle = bundle_of(dossier_of({}, measures=["contain.lock-account", "contain.lock-account"]))
    [course] = of_type(bundle, "course-of-action")
    measure = measure_named("contain.lock-account")
    assert (course["name"], course["description"]) == (measure.title["en"], measure.public["en"])
    assert [each["external_id"] for each in course["external_references"]] == list(measure.d3fend)
    [relation] = of_type(bundle, "relationship")
    [incident] = of_type(bundle, "incident")
    assert (relation["source_ref"], relation["target_ref"]) == (course["id"], incident["id"])
    assert relation["start_time"] == "2026-11-20T02:02:03.456Z"


def test_of_weaknesses_only_their_numbers_are_told() -> None:
    text = FrozenText({"en": f"{SECRET}: CVE-2024-1234", "zh-Hans": "cve-2024-1234、CVE-2023-11111"})
    bundle = bundle_of(dossier_of({"vulnerabilities": text}))
    assert [each["name"] for each in of_type(bundle, "vulnerability")] == ["CVE-2024-1234", "CVE-2023-11111"]
    assert SECRET.split()[0] not in json.dumps(bundle)


@pytest.mark.parametrize("cause", ["misconfiguration", "insider", "supplier", "unknown", None])
def test_what_is_no_way_of_attacking_is_no_attack_pattern(cause: str | None) -> None:
    assert of_type(bundle_of(dossier_of({"cause_kind": cause})), "attack-pattern") == []


def test_text_goes_along_only_on_request_and_then_masked() -> None:
    dossier = dossier_of({"what_happened": f"They took it. {SECRET}"})
    assert of_type(bundle_of(dossier), "note") == []
    [note] = of_type(bundle_of(dossier, with_text=True), "note")
    assert note["content"] == "They took it. Wang Xiaoming 138****8000 w***@example.com"
    assert note["lang"] == "en"
    assert note["abstract"] == "Wang Xiaoming 138****8000 w***@example.com"


def test_a_text_in_chinese_is_marked_as_such() -> None:
    told = FrozenText({"zh-Hans": "名单被人拿走。", "fr": "x"})
    for facts in ({"what_happened": told}, {"what_happened": "名单被人拿走。"}):
        [note] = of_type(bundle_of(dossier_of(facts), with_text=True), "note")
        assert (note["lang"], note["content"]) == ("zh-Hans", "名单被人拿走。")


# -- ids ----------------------------------------------------------------------------------------------


def _by_id(bundle: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    return {(each["id"], each.get("modified", "")): each for each in bundle["objects"]}


def test_the_same_record_gives_the_same_bundle() -> None:
    dossier = dossier_of({"cause_kind": "phishing"}, measures=["contain.lock-account"])
    assert bundle_of(dossier) == bundle_of(dossier)


@MANY
@given(dossiers(), st.sampled_from(Tlp))
def test_exports_of_one_record_never_contradict_each_other(dossier: Dossier, tlp: Tlp) -> None:
    """Of one id and one time of change there is one content, whatever was asked for."""
    first = _by_id(bundle_of(dossier))
    for other in (bundle_of(dossier, with_text=True), bundle_of(dossier, tlp=tlp)):
        second = _by_id(other)
        assert [key for key in first.keys() & second.keys() if first[key] != second[key]] == []


def test_a_later_fact_makes_a_later_version_of_the_same_incident() -> None:
    before = dossier_of({"cause_kind": "unknown"})
    stated = before.history[0]
    after = replace(
        before,
        history=(
            *before.history,
            replace(stated, seq=2, recorded_at=stated.recorded_at + timedelta(seconds=1)),
        ),
    )
    [old], [new] = (of_type(bundle_of(each), "incident") for each in (before, after))
    assert old["id"] == new["id"]
    assert old["modified"] < new["modified"]
    closed = replace(after, closed_at=OPENED + timedelta(days=1))
    [last] = of_type(bundle_of(closed), "incident")
    assert last["modified"] == "2026-11-21T01:02:03.456Z"


def test_two_houses_with_incidents_of_one_number_share_no_id() -> None:
    dossier = dossier_of({}, measures=["contain.lock-account"])
    ours = bundle_of(dossier)
    theirs = bundle_of(dossier, producer=replace(PRODUCER, origin="c" * 64), origin="d" * 64)
    everybody = {"marking-definition", "extension-definition"}
    shared = {key for key, _ in _by_id(ours)} & {key for key, _ in _by_id(theirs)}
    kinds = [each["type"] for each in ours["objects"] if each["id"] in shared]
    assert set(kinds) - {"identity"} == everybody
    assert kinds.count("identity") == 1, "who made the extension"
    assert ours["id"] != theirs["id"]


# -- the checker itself ---------------------------------------------------------------------------------

Change = Callable[[dict[str, Any]], None]


def _first(bundle: dict[str, Any], kind: str) -> dict[str, Any]:
    return of_type(bundle, kind)[0]


@pytest.mark.parametrize(
    "change",
    [
        lambda bundle: bundle.update(id="bundle--1"),
        lambda bundle: bundle["objects"].append(bundle["objects"][-1]),
        lambda bundle: _first(bundle, "incident").pop("name"),
        lambda bundle: _first(bundle, "incident").update(id="incident--x"),
        lambda bundle: _first(bundle, "incident").update(severity="high"),
        lambda bundle: _first(bundle, "incident").update(confidence=101),
        lambda bundle: _first(bundle, "incident").update(labels=[]),
        lambda bundle: _first(bundle, "incident").update(description=None),
        lambda bundle: _first(bundle, "incident").update(created="2026-11-08T09:45:01Z"),
        lambda bundle: _first(bundle, "incident").update(modified="2020-11-08T09:45:01.000Z"),
        lambda bundle: _first(bundle, "incident").update(object_marking_refs=["marking-definition--1"]),
        lambda bundle: bundle["objects"].remove(_first(bundle, "extension-definition")),
        lambda bundle: bundle["objects"].remove(_first(bundle, "marking-definition")),
        lambda bundle: _first(bundle, "marking-definition").update(definition={"tlp": "red"}),
        lambda bundle: _first(bundle, "relationship").update(relationship_type="mitigates"),
        lambda bundle: _first(bundle, "report").pop("published"),
        lambda bundle: _first(bundle, "attack-pattern").update(external_references=[{"source_name": "x"}]),
    ],
    ids=range(17),
)
def test_the_checker_sees_what_breaks_the_standard(change: Change) -> None:
    facts: dict[str, Value | None] = {"cause_kind": "phishing", "personal_data_breach": "actual"}
    bundle = copy.deepcopy(bundle_of(dossier_of(facts)))
    assert objections_to_bundle(bundle) == []
    change(bundle)
    assert objections_to_bundle(bundle) != []
