"""How long containment interrupted something: counted once where it overlaps, and never less than a person said."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incident.record.facts import Interval
from incident.response.downtime import covered_seconds, joined

START = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
SPANS = st.lists(
    st.tuples(st.integers(0, 200), st.integers(0, 50)).map(lambda each: (each[0], each[0] + each[1]))
)


@given(SPANS)
def test_each_second_that_lies_in_a_span_is_counted_once(spans: list[tuple[int, int]]) -> None:
    counted = covered_seconds((START + timedelta(seconds=a), START + timedelta(seconds=b)) for a, b in spans)
    assert counted == len({second for a, b in spans for second in range(a, b)})


@pytest.mark.parametrize(
    ("measured", "said", "stated"),
    [
        (Interval.exactly(60), None, Interval.exactly(60)),
        (Interval.exactly(60), Interval.exactly(60), None),
        (Interval.exactly(60), Interval.exactly(90), None),
        (Interval.exactly(60), Interval(100), None),
        (Interval.exactly(60), Interval(30), Interval(60)),
        (Interval.exactly(60), Interval(30, 40, 90), Interval(60, None, 90)),
        (Interval.exactly(60), Interval(30, 70, 90), Interval(60, 70, 90)),
        (Interval.exactly(60), Interval.exactly(30), Interval(60)),
    ],
)
def test_what_a_person_said_of_the_whole_is_kept_where_it_says_as_much(
    measured: Interval, said: Interval | None, stated: Interval | None
) -> None:
    assert joined(measured, said) == stated
