"""The facts file: what is taken, and what every mistake is answered with."""

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incident.errors import BadInput
from incident.record.facts import Certainty, Fact, Interval, read_facts_file

SHANGHAI = ZoneInfo("Asia/Shanghai")
NOW = datetime(2026, 11, 23, 3, tzinfo=UTC)


def read(text: str | bytes, **more: Any) -> list[Fact]:
    return read_facts_file(text, name="facts.yaml", zone=SHANGHAI, known_at=NOW, **more)


def refused(text: str | bytes, **more: Any) -> BadInput:
    with pytest.raises(BadInput) as refusal:
        read(text, **more)
    return refusal.value


def test_each_fact_knows_who_said_it_how_sure_and_since_when() -> None:
    facts = read(
        "persons: {value: 1200000, said_by: Li Wei, sure: confirmed, known_at: 2026-11-22 02:00}\n"
        "said_by: night shift\nsource: call\nsure: likely\n"
        "discovered_at: 2026-11-21 23:40\n"
    )
    assert [fact.field for fact in facts] == ["persons", "discovered_at"]
    persons, discovered = facts
    assert persons.value == Interval.exactly(1200000)
    assert (persons.said_by, persons.source, persons.sure) == ("Li Wei", "call", Certainty.confirmed)
    assert persons.known_at == datetime(2026, 11, 21, 18, tzinfo=UTC)
    assert discovered.value == datetime(2026, 11, 21, 15, 40, tzinfo=UTC)
    assert (discovered.said_by, discovered.sure, discovered.known_at) == (
        "night shift",
        Certainty.likely,
        NOW,
    )


def test_without_provenance_the_source_is_the_file_and_the_fact_a_claim() -> None:
    [fact] = read("persons: 5", said_by="op1")
    assert (fact.said_by, fact.source, fact.sure, fact.known_at) == (
        "op1",
        "facts.yaml",
        Certainty.claimed,
        NOW,
    )


def test_an_offset_in_a_time_is_kept() -> None:
    [fact] = read("discovered_at: 2026-11-21T23:40:00+01:00")
    assert fact.value == datetime(2026, 11, 21, 22, 40, tzinfo=UTC)


def test_unknown_and_empty_are_recorded_as_unknown() -> None:
    assert [fact.value for fact in read("persons: unknown\ncii_involved:\nransomware: null\n")] == [
        None,
        None,
        None,
    ]


def test_norway_stays_a_word_and_a_range_may_be_written_as_a_mapping() -> None:
    systems, persons = read("systems: [NO, 007]\npersons: {min: 800000, max: 1300000}\n")
    assert systems.value == ("NO", "007")
    assert persons.value == Interval(800000, None, 1300000)


@pytest.mark.parametrize("text", ["", "\n# nothing\n", "---\n", b"", b"\xef\xbb\xbf"])
def test_an_empty_file_is_said_to_be_empty(text: str | bytes) -> None:
    error = refused(text)
    assert error.what == "the file is empty"
    assert error.where == "facts.yaml"


@pytest.mark.parametrize("text", ["- persons: 1", "persons", "42"])
def test_a_file_that_is_no_mapping_is_refused_with_its_line(text: str) -> None:
    assert refused(text).where == "facts.yaml, line 1"


def test_a_file_in_another_encoding_is_refused_and_the_line_named() -> None:
    error = refused("persons: 5\nlocation: 广州\n".encode("gb18030"))
    assert "UTF-8" in error.what and "line 2" in error.what
    assert "UTF-8" in refused("persons: 5\n".encode("utf-16")).what


def test_utf8_with_a_byte_order_mark_is_taken() -> None:
    assert read(b"\xef\xbb\xbfpersons: 5\n")[0].value == Interval.exactly(5)


def test_an_unknown_field_is_answered_with_line_and_nearest_names() -> None:
    error = refused("persons: 5\nprsons: 5\n")
    assert error.where == "facts.yaml, line 2"
    assert "persons" in (error.next_step or "")


def test_a_wrong_value_is_answered_with_line_field_and_what_to_write() -> None:
    error = refused("persons: 5\n\ndiscovered_at: last night\n")
    assert error.where == "facts.yaml, line 3, discovered_at"
    assert "2026-11-21 23:40" in error.what


def test_all_mistakes_are_told_at_once() -> None:
    error = refused("persons: many\nprsons: 3\nsure: perhaps\ncii_involved: {value: maybe}\n")
    for line in ("line 1, persons", "line 2:", "line 3, sure", "line 4, cii_involved"):
        assert line in error.what
    assert error.what.startswith("4 entries")


@pytest.mark.parametrize(
    ("text", "line", "word"),
    [
        ("persons: 1\npersons: 2\n", "line 2", "second time"),
        ("persons: {value: 1, said: me}\n", "line 1", "said"),
        ("persons: {said_by: me}\n", "line 1", "value is missing"),
        ("persons: {value: 1, sure: yes}\n", "line 1", "confirmed, likely"),
        ("persons: {value: 1, said_by: [a]}\n", "line 1", "one short text"),
        ("persons: {value: 1, known_at: soon}\n", "line 1", "soon"),
        ("persons: &x 1\nrecords: *x\n", "line 1", "anchors"),
        ("? [a]\n: 1\n", "line 1", "must be a word"),
        ("a: b: c\n", "line 1", "not valid YAML"),
        ("persons: [1\n", "line", "not valid YAML"),
        ("cause: {a: {b: {c: {d: {e: {f: {g: 1}}}}}}}\n", "line 1", "nested too deep"),
        ("cause: {en: a, en: b}\n", "line 1", "second time"),
        ("persons: !!python/object:os.system 1\nx: 2\n", "line 2", "no fact called"),
    ],
)
def test_every_mistake_has_its_line(text: str, line: str, word: str) -> None:
    error = refused(text)
    assert line in (error.where or "")
    assert word in error.what


def test_a_file_with_provenance_only_holds_no_facts() -> None:
    assert "no facts" in refused("said_by: me\n").what


def test_kinds_of_data_are_held_against_the_list_that_is_given() -> None:
    names = frozenset({"name", "phone_number"})
    assert read("data_categories: [name]", categories=names)[0].value == ("name",)
    error = refused("persons: 1\ndata_categories: [name, phone_numbr]\n", categories=names)
    assert error.where == "facts.yaml, line 2, data_categories"
    assert error.next_step == "did you mean phone_number?"


def test_remedies_are_held_against_the_list_that_is_given_and_a_list_that_is_not_given_holds_anything() -> (
    None
):
    names = frozenset({"hotline", "change_number"})
    assert read("remedies_chosen: [hotline]", remedies=names)[0].value == ("hotline",)
    error = refused("persons: 1\nremedies_chosen: [hotline, change_numbr]\n", remedies=names)
    assert "no remedy called" in error.what and error.where == "facts.yaml, line 2, remedies_chosen"
    assert error.next_step == "did you mean change_number?"
    assert read("remedies_chosen: [anything]\ndata_categories: [x]")[0].value == ("anything",)


@given(st.text(max_size=60) | st.binary(max_size=60))
def test_no_file_breaks_the_reader_in_any_other_way_than_a_clear_refusal(text: str | bytes) -> None:
    try:
        read(text)
    except BadInput as error:
        assert (error.where or "").startswith("facts.yaml")
