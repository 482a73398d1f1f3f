"""The answers that are tried: one for all that no rule can tell apart."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incident.law.conditions import Bound, Contains, evaluate_condition
from incident.law.possible import possible_answers, title_of
from incident.record.facts import Interval, field_catalogue

FIELDS = field_catalogue()
NOW = datetime(2026, 11, 21, 18, 0, tzinfo=UTC)
BOUNDS = st.lists(
    st.builds(
        Bound,
        st.just("persons"),
        st.sampled_from(["at_least", "at_most", "more_than", "less_than"]),
        st.integers(0, 30),
    ),
    max_size=5,
)


@given(BOUNDS, st.integers(0, 40), st.integers(0, 40), st.integers(0, 40))
def test_no_rule_tells_a_number_of_a_band_from_the_one_that_was_tried(
    bounds: list[Bound], low: int, width: int, chosen: int
) -> None:
    known = Interval(low, None, low + width)
    number = min(low + chosen, low + width)
    answers = possible_answers(FIELDS["persons"], known, bounds, [])
    [band] = [
        answer
        for answer in answers
        if isinstance(answer.value, Interval)
        and answer.value.min <= number
        and (answer.last is None or number <= answer.last)
    ]
    for bound in bounds:
        exact = evaluate_condition(bound, {"persons": Interval.exactly(number)}).answer
        tried = evaluate_condition(bound, {"persons": band.value}).answer
        assert exact is tried


@given(BOUNDS)
def test_the_bands_cover_every_number_once(bounds: list[Bound]) -> None:
    answers = possible_answers(FIELDS["persons"], None, bounds, [])
    for number in range(40):
        held = [
            answer
            for answer in answers
            if isinstance(answer.value, Interval)
            and answer.value.min <= number
            and (answer.last is None or number <= answer.last)
        ]
        assert len(held) == 1


def test_a_bound_of_another_field_makes_no_band() -> None:
    answers = possible_answers(FIELDS["persons"], None, [Bound("records", "at_least", 7)], [])
    assert [answer.value for answer in answers] == [Interval.exactly(0)]


def test_a_choice_that_is_known_is_not_tried_again() -> None:
    values = [answer.value for answer in possible_answers(FIELDS["personal_data_breach"], "possible", [], [])]
    assert values == ["actual", "none"]


def test_a_list_without_choices_is_tried_with_what_rules_look_for_and_with_anything_else() -> None:
    wanted = Contains("data_categories", ("name", "phone"))
    answers = possible_answers(FIELDS["data_categories"], None, [wanted], [])
    assert [answer.value for answer in answers[:2]] == [("name",), ("phone",)]
    assert title_of(FIELDS["data_categories"], answers[2:], answers)["en"] == "anything else"


def test_a_moment_is_tried_once_however_it_is_written() -> None:
    there = NOW.astimezone(timezone(timedelta(hours=8)))
    assert len(possible_answers(FIELDS["aware_at"], None, [], [NOW, there])) == 1


@pytest.mark.parametrize(
    ("name", "chosen", "english", "chinese"),
    [
        ("cii_involved", (0,), "yes", "是"),
        ("cii_involved", (0, 1), "any answer", "任何一种回答"),
        ("threat_level", (2, 3, 4), "relatively serious or more", "较严重及以上"),
        ("threat_level", (0, 1), "none to some", "无至一定"),
        ("threat_level", (0, 4), "none / especially serious", "无 或 特别严重"),
        ("persons", (0,), "less than 10", "不足 10"),
        ("persons", (1,), "10 to 19", "10 至 19"),
        ("persons", (1, 2), "10 or more", "10 以上"),
    ],
)
def test_answers_are_said_as_people_say_them(
    name: str, chosen: tuple[int, ...], english: str, chinese: str
) -> None:
    bounds = [Bound("persons", "at_least", 10), Bound("persons", "more_than", 19)]
    answers = possible_answers(FIELDS[name], None, bounds, [])
    title = title_of(FIELDS[name], [answers[place] for place in chosen], answers)
    assert (title["en"], title["zh-Hans"]) == (english, chinese)
