"""Conditions: three values over intervals, Kleene's laws, reasons and what decides."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incident.law.conditions import (
    Combined,
    Condition,
    Negated,
    evaluate_condition,
    fields_of,
    parse_condition,
    scales_of,
)
from incident.law.reasons import NOTHING, Answer
from incident.record.facts import Interval, Value, field_named

Sheet = dict[str, Value | None]

THRESHOLD = 1_000_000
PERSONS = parse_condition({"field": "persons", "at_least": THRESHOLD})


def answer(condition: Condition | dict[str, Any], **sheet: Value | None) -> Answer:
    if isinstance(condition, dict):
        condition = parse_condition(condition)
    return evaluate_condition(condition, sheet).answer


@pytest.mark.parametrize(
    ("count", "wanted"),
    [(THRESHOLD - 1, Answer.not_met), (THRESHOLD, Answer.met), (THRESHOLD + 1, Answer.met)],
)
def test_at_least_includes_the_number_itself(count: int, wanted: Answer) -> None:
    assert answer(PERSONS, persons=Interval.exactly(count)) is wanted


@pytest.mark.parametrize(
    ("low", "high", "wanted"),
    [(800_000, 1_300_000, Answer.cannot_tell), (1_000_000, None, Answer.met), (0, None, Answer.cannot_tell),
     (0, 999_999, Answer.not_met), (999_999, 1_000_000, Answer.cannot_tell)],
)  # fmt: skip
def test_a_count_that_straddles_the_threshold_cannot_be_told_yet(
    low: int, high: int | None, wanted: Answer
) -> None:
    assert answer(PERSONS, persons=Interval(low, None, high)) is wanted


def test_the_likely_number_decides_nothing() -> None:
    assert answer(PERSONS, persons=Interval(0, 2_000_000, None)) is Answer.cannot_tell


@pytest.mark.parametrize(
    ("operator", "at", "above", "below"),
    [("at_least", True, True, False), ("more_than", False, True, False), ("at_most", True, False, True), ("less_than", False, False, True)],
)  # fmt: skip
def test_each_comparison_at_just_above_and_just_below_its_bound(
    operator: str, at: bool, above: bool, below: bool
) -> None:
    condition = parse_condition({"field": "persons", operator: 10})
    for count, wanted in ((10, at), (11, above), (9, below)):
        assert answer(condition, persons=Interval.exactly(count)) is (
            Answer.met if wanted else Answer.not_met
        )
    assert answer(condition, persons=Interval(9, None, 11)) is Answer.cannot_tell


def test_ordered_choices_compare_by_their_order() -> None:
    condition = {"field": "threat_level", "at_least": "serious"}
    assert answer(condition, threat_level="relatively_serious") is Answer.not_met
    assert answer(condition, threat_level="serious") is Answer.met
    assert answer(condition, threat_level="especially_serious") is Answer.met
    assert answer(condition) is Answer.cannot_tell


def test_a_choice_may_be_known_and_still_leave_the_question_open() -> None:
    condition = {"field": "personal_data_breach", "is": "actual", "open": ["possible"]}
    assert answer(condition, personal_data_breach="actual") is Answer.met
    assert answer(condition, personal_data_breach="possible") is Answer.cannot_tell
    assert answer(condition, personal_data_breach="none") is Answer.not_met


def test_lists_are_asked_for_what_they_hold() -> None:
    condition = {"field": "breach_effects", "contains_any": ["confidentiality"]}
    assert answer(condition, breach_effects=("integrity", "confidentiality")) is Answer.met
    assert answer(condition, breach_effects=()) is Answer.not_met
    assert answer(condition) is Answer.cannot_tell


def test_a_fact_known_to_be_unknown_counts_as_unknown() -> None:
    assert answer(PERSONS, persons=None) is Answer.cannot_tell


def test_the_reason_reads_line_by_line_in_both_languages() -> None:
    condition = parse_condition(
        {"all": [{"field": "persons", "at_least": THRESHOLD}, {"not": {"field": "cii_involved", "is": True}}]}
    )
    reason = evaluate_condition(
        condition, {"persons": Interval(800_000, None, 1_300_000), "cii_involved": False}
    )
    assert reason.lines("en") == [
        "all of these: cannot tell yet",
        "  Persons affected 800,000–1,300,000 against at least 1,000,000: cannot tell yet",
        "  not this: met",
        "    Critical information infrastructure involved no against yes: not met",
    ]
    assert reason.lines("zh-Hans")[1] == "  涉及人数 800,000–1,300,000，标准：至少 1,000,000：尚不能判断"
    assert reason.decides == {"persons"}


def test_what_decides_an_open_answer_and_what_a_told_one_rests_on() -> None:
    condition = parse_condition(
        {"any": [{"field": "persons", "at_least": 10}, {"field": "cii_involved", "is": True}]}
    )
    held = evaluate_condition(condition, {"cii_involved": True})
    assert (held.answer, held.decides, held.rests_on) == (Answer.met, NOTHING, frozenset({"cii_involved"}))
    open_ = evaluate_condition(condition, {"cii_involved": False})
    assert (open_.answer, open_.decides) == (Answer.cannot_tell, frozenset({"persons"}))


@pytest.mark.parametrize(
    ("data", "word"),
    [
        ("persons > 5", "no condition"),
        ({}, "names a field"),
        ({"field": "prsons", "at_least": 1}, "persons"),
        ({"field": "persons"}, "exactly one comparison"),
        ({"field": "persons", "at_least": 1, "at_most": 2}, "exactly one comparison"),
        ({"field": "persons", "at_least": "many"}, "whole number"),
        ({"field": "persons", "at_least": "1..2"}, "must be one number"),
        ({"field": "persons", "is": 5}, "type count"),
        ({"field": "persons", "at_least": 1, "open": ["x"]}, "does not belong"),
        ({"field": "cii_involved", "is": "true"}, "yes/no fact"),
        ({"field": "cause_kind", "at_least": "phishing"}, "no order"),
        ({"field": "threat_level", "at_least": "terrible"}, "no choice of threat_level"),
        ({"field": "threat_level", "in": "serious"}, "must be a list"),
        ({"field": "persons", "contains_any": ["x"]}, "cannot be asked"),
        ({"all": []}, "not empty"),
        ({"all": [PERSONS], "any": [PERSONS]}, "does not belong"),
        ({"grade": "cn-cac", "field": "persons"}, "does not belong"),
    ],
)
def test_a_condition_that_makes_no_sense_is_refused_with_what_to_write(data: object, word: str) -> None:
    with pytest.raises(ValueError, match=word):
        parse_condition(data)


def test_the_fields_and_scales_of_a_condition() -> None:
    condition = parse_condition(
        {"any": [{"grade": "cn-cac", "at_least": "serious"}, {"not": {"field": "persons", "at_least": 1}}]}
    )
    assert fields_of(condition) == {"persons"}
    assert scales_of(condition) == {("cn-cac", "serious")}


# -- laws ---------------------------------------------------------------------------------------------

COUNTS = ("persons", "persons_sensitive", "records")
FLAGS = ("cii_involved", "central_organ")

atoms = st.one_of(
    st.builds(
        lambda field, operator, bound: parse_condition({"field": field, operator: bound}),
        st.sampled_from(COUNTS),
        st.sampled_from(["at_least", "at_most", "more_than", "less_than"]),
        st.integers(0, 20),
    ),
    st.builds(
        lambda field, value: parse_condition({"field": field, "is": value}),
        st.sampled_from(FLAGS),
        st.booleans(),
    ),
)
conditions = st.recursive(
    atoms,
    lambda inner: st.one_of(
        st.builds(Negated, inner),
        st.builds(
            Combined, st.sampled_from(["all", "any"]), st.lists(inner, min_size=1, max_size=3).map(tuple)
        ),
    ),
    max_leaves=8,
)


@st.composite
def intervals(draw: st.DrawFn) -> Interval:
    low, high = sorted((draw(st.integers(0, 20)), draw(st.integers(0, 20))))
    return Interval(low, None, draw(st.sampled_from([high, high, None])))


sheets = st.fixed_dictionaries(
    {}, optional={**{name: intervals() for name in COUNTS}, **{name: st.booleans() for name in FLAGS}}
)


@st.composite
def refined(draw: st.DrawFn, sheet: Sheet) -> Sheet:
    """The same sheet with some unknowns told and some ranges narrowed to one number."""
    finer = dict(sheet)
    for name in COUNTS:
        if draw(st.booleans()):
            known = sheet.get(name, Interval(0))
            assert isinstance(known, Interval)
            low, top = int(known.min), int(known.max) if known.max is not None else 40
            finer[name] = Interval.exactly(draw(st.integers(low, max(top, low))))
    for name in FLAGS:
        if name not in sheet and draw(st.booleans()):
            finer[name] = draw(st.booleans())
    return finer


NOT = {Answer.met: Answer.not_met, Answer.not_met: Answer.met, Answer.cannot_tell: Answer.cannot_tell}


@given(conditions, conditions, sheets)
def test_kleene_double_negation_de_morgan_and_order(a: Condition, b: Condition, sheet: Sheet) -> None:
    def told(condition: Condition) -> Answer:
        return evaluate_condition(condition, sheet).answer

    assert told(Negated(Negated(a))) is told(a)
    assert told(Negated(Combined("all", (a, b)))) is told(Combined("any", (Negated(a), Negated(b))))
    assert told(Combined("all", (a, b))) is told(Combined("all", (b, a)))
    assert told(Combined("any", (a, a))) is told(a)
    assert told(Negated(a)) is NOT[told(a)]
    if told(a) is Answer.not_met:
        assert told(Combined("all", (a, b))) is Answer.not_met
    if told(a) is Answer.met:
        assert told(Combined("any", (a, b))) is Answer.met
        assert told(Combined("all", (a, b))) is told(b)


@given(conditions, sheets, st.data())
def test_learning_more_never_turns_a_told_answer_round(
    condition: Condition, sheet: Sheet, data: st.DataObject
) -> None:
    before = evaluate_condition(condition, sheet).answer
    after = evaluate_condition(condition, data.draw(refined(sheet))).answer
    assert before in (Answer.cannot_tell, after)


@given(conditions, sheets, st.data())
def test_once_the_deciding_facts_are_exact_the_answer_is_told(
    condition: Condition, sheet: Sheet, data: st.DataObject
) -> None:
    reason = evaluate_condition(condition, sheet)
    assert bool(reason.decides) == (reason.answer is Answer.cannot_tell)
    finer = dict(sheet)
    for name in reason.decides:
        told: st.SearchStrategy[Value] = (
            st.booleans() if name in FLAGS else st.integers(0, 30).map(Interval.exactly)
        )
        finer[name] = data.draw(told)
    assert evaluate_condition(condition, finer).answer is not Answer.cannot_tell


@given(conditions, sheets, sheets)
def test_a_told_answer_changes_only_with_a_fact_it_rests_on(
    condition: Condition, sheet: Sheet, other: Sheet
) -> None:
    reason = evaluate_condition(condition, sheet)
    if reason.answer is Answer.cannot_tell:
        return
    changed = {**other, **{name: sheet[name] for name in reason.rests_on}}
    assert evaluate_condition(condition, changed).answer is reason.answer


def test_a_value_of_the_wrong_type_is_a_fault_and_no_answer() -> None:
    with pytest.raises(TypeError):
        evaluate_condition(PERSONS, {"persons": datetime(2026, 1, 1, tzinfo=UTC)})
    assert field_named("persons").title["en"] == "Persons affected"
