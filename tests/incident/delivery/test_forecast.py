"""How long a sending takes, and what holds: the slowest rate decides, and what would hold is worked out exactly."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incident.delivery.forecast import (
    CallCentre,
    Mailing,
    PaceKind,
    Rate,
    RateSource,
    paces,
    seats_needed,
)

START = datetime(2026, 11, 30, 9, 0, tzinfo=UTC)
ROOMY = CallCentre(seats=100, minutes_per_call=6, hours_a_day=10, callers=0.1)


def mailing(
    *,
    people: int = 100_000,
    messages: int | None = None,
    hours: float | None = None,
    rates: tuple[float, ...] = (),
    centre: CallCentre | None = None,
) -> Mailing:
    sources = list(RateSource)
    return Mailing(
        people=people,
        messages=people if messages is None else messages,
        starts_at=START,
        deadline=None if hours is None else START + timedelta(hours=hours),
        rates=[Rate(rate, sources[at % 3]) for at, rate in enumerate(rates)],
        call_centre=centre,
    )


def test_the_slowest_of_the_known_rates_decides() -> None:
    asked = mailing(people=7200, rates=(50, 2, 10), hours=2)
    [pace] = paces(asked)
    assert (pace.kind, pace.per_second, pace.takes) == (PaceKind.AS_SET, 2, timedelta(hours=1))
    assert (pace.spare, pace.deadline_holds, pace.holds) == (timedelta(hours=1), True, True)
    assert asked.rate == Rate(2, RateSource.CONTRACT)


def test_messages_take_the_time_and_people_make_the_calls() -> None:
    [pace] = paces(mailing(people=1000, messages=3600, rates=(1,), centre=ROOMY))
    assert (pace.takes, pace.calls_a_day) == (timedelta(hours=1), 100)


def test_a_deadline_that_is_missed_is_told_with_the_pace_that_holds_it() -> None:
    as_set, needed = paces(mailing(people=7200, rates=(1,), hours=1))
    assert (as_set.spare, as_set.holds) == (timedelta(hours=-1), False)
    assert (needed.kind, needed.per_second, needed.spare) == (PaceKind.FOR_DEADLINE, 2, timedelta(0))
    assert needed.holds


def test_a_deadline_that_is_over_cannot_be_held_by_any_pace() -> None:
    [pace] = paces(mailing(rates=(10,), hours=-1))
    assert pace.deadline_holds is False


def test_without_a_known_rate_it_says_what_the_deadline_needs_and_what_the_calls_bear() -> None:
    slow, fast = paces(mailing(people=720_000, hours=10, centre=ROOMY))
    assert (fast.kind, fast.per_second) == (PaceKind.FOR_DEADLINE, 20)
    # 10,000 calls a day are answered, so 100,000 people may be told in a day.
    assert (slow.kind, slow.takes) == (PaceKind.FOR_CALLS, timedelta(days=7.2))
    assert paces(mailing()) == ()


def test_whoever_is_told_within_a_day_calls_within_a_day() -> None:
    centre = CallCentre(seats=10, minutes_per_call=6, hours_a_day=10, callers=0.02)
    pace, slower = paces(mailing(people=100_000, rates=(1000,), centre=centre))
    assert (pace.calls_a_day, pace.calls_hold) == (2000, False)
    assert (slower.kind, slower.calls_a_day, slower.takes) == (PaceKind.FOR_CALLS, 1000, timedelta(days=2))


def test_where_no_pace_holds_both_it_says_how_many_seats_do() -> None:
    centre = CallCentre(seats=10, minutes_per_call=6, hours_a_day=10, callers=0.05)
    asked = mailing(people=100_000, hours=24, rates=(1000,), centre=centre)
    assert seats_needed(asked) == 50
    assert seats_needed(mailing(people=100_000, hours=24, rates=(1000,), centre=ROOMY)) is None
    assert seats_needed(mailing(people=100_000, centre=centre)) is None


@pytest.mark.parametrize("nobody", [{"people": 0}, {"people": 3, "messages": 0}])
def test_where_nothing_is_to_be_sent_there_is_nothing_to_plan(nobody: dict[str, int]) -> None:
    asked = mailing(**nobody, rates=(1,), hours=1, centre=ROOMY)
    assert (paces(asked), seats_needed(asked)) == ((), None)


def test_nobody_who_calls_never_slows_a_sending_down() -> None:
    silent = CallCentre(seats=1, minutes_per_call=8, hours_a_day=12, callers=0)
    [pace] = paces(mailing(people=10**8, rates=(1000,), centre=silent))
    assert (pace.calls_a_day, pace.calls_hold) == (0, True)


@given(
    people=st.integers(1, 10**10),
    more=st.floats(0.5, 3),
    hours=st.none() | st.floats(-100, 10_000),
    rates=st.lists(st.floats(0.001, 1_000_000), max_size=3).map(tuple),
    centre=st.none()
    | st.builds(
        CallCentre,
        seats=st.integers(1, 10_000),
        minutes_per_call=st.floats(0.1, 240),
        hours_a_day=st.floats(0.1, 24),
        callers=st.floats(0, 1),
    ),
)
def test_each_way_that_is_offered_holds_what_it_is_offered_for(
    people: int,
    more: float,
    hours: float | None,
    rates: tuple[float, ...],
    centre: CallCentre | None,
) -> None:
    asked = mailing(
        people=people, messages=max(int(people * more), 1), hours=hours, rates=rates, centre=centre
    )
    found = {pace.kind: pace for pace in paces(asked)}
    assert (PaceKind.AS_SET in found) == bool(rates)
    if (for_deadline := found.get(PaceKind.FOR_DEADLINE)) is not None:
        assert for_deadline.deadline_holds
        assert for_deadline.spare == timedelta(0)
    if (for_calls := found.get(PaceKind.FOR_CALLS)) is not None:
        # A century is the end of all reckoning.
        assert for_calls.calls_hold or for_calls.takes >= timedelta(days=36525)
    seats = seats_needed(asked)
    if seats is not None and centre is not None:
        assert seats > centre.seats
        enough = CallCentre(seats, centre.minutes_per_call, centre.hours_a_day, centre.callers)
        bigger = mailing(people=people, messages=asked.messages, hours=hours, rates=rates, centre=enough)
        assert seats_needed(bigger) is None
