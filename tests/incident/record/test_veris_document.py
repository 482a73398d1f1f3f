"""A VERIS record as it lies in its file: other files are left to others, and what is wrong is named by its path."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import reduce
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incident.errors import BadInput
from incident.record.facts import field_catalogue
from incident.record.veris import read_veris
from tests.support.veris_records import NOW, SHANGHAI, read, record, secrecy

Change = Callable[[dict[str, Any]], None]


@pytest.mark.parametrize(
    "content",
    [
        b"persons: 1200\n",
        b'{"persons": 1200}',
        b"{persons: 1200}",
        b"[1, 2]",
        b"",
        b"\xff\xfe{",
        b'{"action": 1}',
    ],
)
def test_what_is_not_veris_is_left_to_others(content: bytes) -> None:
    found = read_veris(content, name="f", zone=SHANGHAI, known_at=NOW, said_by="anna", language="en")
    assert found is None


@pytest.mark.parametrize("version", ["1.3", "1.3.2", "1.4.0", "1.4.1"])
def test_known_versions_are_read_without_a_warning(version: str) -> None:
    assert not read(record(schema_version=version)).newer


def test_a_newer_version_is_read_with_a_warning() -> None:
    assert read(record(schema_version="1.5.0")).newer


def without(path: str) -> Change:
    *places, last = path.split(".")

    def change(document: dict[str, Any]) -> None:
        del reduce(lambda part, place: part[place], places, document)[last]

    return change


def putting(path: str, new: Any) -> Change:
    *places, last = path.split(".")

    def change(document: dict[str, Any]) -> None:
        part: Any = document
        for place in places:
            part = part.setdefault(place, {})
        part[last] = new

    return change


@pytest.mark.parametrize(
    ("change", "where", "says"),
    [
        (without("schema_version"), "schema_version", "missing"),
        (putting("schema_version", 1.4), "schema_version", "no version"),
        (putting("schema_version", "new"), "schema_version", "no version"),
        (putting("schema_version", "1.2.1"), "schema_version", "too old"),
        (putting("schema_version", "2.0.0"), "schema_version", "newer"),
        (without("action"), "action", "is missing"),
        (without("incident_id"), "incident_id", "is missing"),
        (without("timeline.incident"), "timeline.incident", "is missing"),
        (without("timeline.incident.year"), "timeline.incident.year", "is missing"),
        (putting("timeline.incident.year", "2026"), "timeline.incident.year", "whole number"),
        (putting("timeline.incident.month", 13), "timeline.incident.month", "12"),
        (
            putting("timeline.incident", {"year": 2026, "month": 2, "day": 30}),
            "timeline.incident.day",
            "no date",
        ),
        (
            putting("timeline.incident", {"year": 2027, "month": 2, "day": 3, "time": "01:00:00 AM"}),
            "timeline.incident",
            "still to come",
        ),
        (putting("action", ["hacking"]), "action", "must be an object"),
        (putting("action.hacking", {"variety": "SQLi"}), "action.hacking.variety", "must be a list"),
        (putting("asset.assets", [{"variety": 5}]), "asset.assets[0].variety", "must be a text"),
        (
            putting("attribute", secrecy("Yes", data_total="many")),
            "attribute.confidentiality.data_total",
            "whole number",
        ),
        (
            putting("attribute", secrecy("Yes", data_total=-1)),
            "attribute.confidentiality.data_total",
            "greater",
        ),
        (
            putting("attribute", {"confidentiality": {"data_disclosure": "Yes", "data": [{"amount": 5}]}}),
            "attribute.confidentiality.data[0].variety",
            "is missing",
        ),
        (putting("security_incident", "Perhaps"), "security_incident", "none of: Confirmed"),
        (
            putting("attribute", secrecy("Perhaps")),
            "attribute.confidentiality.data_disclosure",
            "none of: Yes",
        ),
        (putting("summary", "bell\a"), "summary", "control characters"),
        (putting("summary", "x" * 30_000), "summary", "20,000"),
        (putting("notes", json.loads("[" * 40 + "]" * 40)), "notes", "too deep"),
        (putting("plus", {"tocsin": {"persons": 5}}), "plus.tocsin.persons", "not written by this tool"),
        (
            putting("plus", {"tocsin": {"cause_kind": {"value": "magic", "sure": "likely"}}}),
            "plus.tocsin.cause_kind",
            "not written by this tool",
        ),
    ],
)
def test_what_is_wrong_is_named_by_its_path(change: Change, where: str, says: str) -> None:
    told = record()
    change(told)
    with pytest.raises(BadInput) as refused:
        read(told)
    assert refused.value.where is not None
    assert refused.value.where.startswith("veris.json")
    assert where in str(refused.value)
    assert says in str(refused.value)
    assert refused.value.next_step


def test_all_that_is_wrong_is_told_at_once() -> None:
    told = record(incident_id=5, attribute=secrecy("Yes", data_total="many"))
    with pytest.raises(BadInput) as refused:
        read(told)
    assert "2 places" in refused.value.what
    assert "incident_id: must be a text" in refused.value.what
    assert "attribute.confidentiality.data_total: must be a whole number" in refused.value.what


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b'{"schema_version": "1.4.1", ', "not valid JSON"),
        (b'{"schema_version": "1.4.1", "schema_version": "1.3"}', "stands twice"),
        (b'{"schema_version": "1.4.1", "plus": NaN}', "NaN"),
        (b'{"schema_version": "1.4.1", "plus": "\xff"}', "not valid JSON"),
        (b'[{"schema_version": "1.4.1"}, {"schema_version": "1.4.1"}]', "a list of 2 records"),
        (b'{"schema_version": ' + b"[" * 100_000, "not valid JSON"),
    ],
)
def test_a_damaged_file_is_told_as_such(content: bytes, says: str) -> None:
    with pytest.raises(BadInput, match=says):
        read_veris(content, name="f", zone=SHANGHAI, known_at=NOW, said_by="anna", language="en")


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(st.sampled_from(sorted(record())), _JSON)
def test_whatever_stands_in_a_record_it_is_read_or_refused(part: str, something: Any) -> None:
    try:
        found = read(record(**{part: something}))
    except BadInput as refused:
        assert refused.next_step
        return
    assert {fact.field for fact in found.facts} <= set(field_catalogue())
