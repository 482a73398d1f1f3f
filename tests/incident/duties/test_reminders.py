"""When to remind of a duty: once for each moment, the last of those that passed, and never before its time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incident.duties.reminders import DutyEnd, Pace, Plan, Told, moments_of, plan_reminders

END = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
PACE = Pace(before=(1440, 240, 60), after=240, times=3)


def ends_at(end: datetime = END, *, hours: float | None = 72) -> DutyEnd:
    return DutyEnd("r/d", end, None if hours is None else end - timedelta(hours=hours))


def at(minutes: float) -> datetime:
    return END + timedelta(minutes=minutes)


def planned(minutes: float, told: Sequence[Told] = (), *, pace: Pace = PACE, hours: float = 72) -> Plan:
    return plan_reminders([ends_at(hours=hours)], told, pace, now=at(minutes))


def told(minutes: int, *, when: float | None = None, end: datetime = END) -> Told:
    return Told("r/d", end, minutes, at(minutes if when is None else when))


@pytest.mark.parametrize(
    ("hours", "moments"),
    [
        (72, [-1440, -240, -60, 0, 240, 480]),
        (24, [-240, -60, 0, 240, 480]),
        (4, [-60, 0, 240, 480]),
        (1, [0, 240, 480]),
        (None, [-1440, -240, -60, 0, 240, 480]),
    ],
)
def test_leads_as_long_as_the_period_or_longer_are_left_out(hours: float | None, moments: list[int]) -> None:
    assert moments_of(ends_at(hours=hours), PACE) == moments


def test_nothing_is_told_before_the_first_moment_and_that_is_when_to_look_next() -> None:
    assert planned(-1441) == Plan((), at(-1440))


@pytest.mark.parametrize("minutes", [-1440, -240, -60, 0, 240, 480])
def test_each_moment_is_told_at_its_time_and_once(minutes: int) -> None:
    earlier = [told(each) for each in (-1440, -240, -60, 0, 240, 480) if each < minutes]
    assert [each.minutes for each in planned(minutes, earlier).now] == [minutes]
    assert planned(minutes, [*earlier, told(minutes)]).now == ()


def test_of_several_moments_that_passed_only_the_last_is_told() -> None:
    [reminder] = planned(300).now
    assert (reminder.minutes, reminder.has_run_out) == (240, True)
    assert planned(300, [told(240, when=300)]) == Plan((), at(480))


def test_after_the_last_moment_nothing_more_is_told() -> None:
    assert planned(100_000, [told(480)]) == Plan((), None)


def test_an_end_that_moved_forgets_what_was_told_of_the_old_one() -> None:
    old = END - timedelta(hours=10)
    [reminder] = planned(-30, [told(0, when=-600, end=old)]).now
    assert reminder.minutes == -60


def test_with_nothing_asked_for_nothing_is_told() -> None:
    assert planned(500, pace=Pace((), 240, 0)) == Plan((), None)


def test_what_a_clock_that_ran_ahead_told_does_not_count_once_it_is_set_right() -> None:
    by_the_wrong_clock = [told(0, when=10)]
    assert planned(-1441, by_the_wrong_clock) == Plan((), at(-1440))
    assert [each.minutes for each in planned(-239, by_the_wrong_clock).now] == [-240]


def test_clocks_that_differ_by_a_minute_do_not_make_two_reminders_of_one() -> None:
    assert planned(-61, [told(-60, when=-60)]).now == ()


_MOMENTS = st.lists(st.integers(1, 3000), max_size=4, unique=True).map(tuple)
_PACES = st.builds(Pace, before=_MOMENTS, after=st.integers(5, 600), times=st.integers(0, 5))


@given(
    pace=_PACES,
    hours=st.none() | st.integers(1, 100),
    looks=st.lists(st.integers(-4000, 4000), min_size=1, max_size=12).map(sorted),
)
def test_whenever_somebody_looks_each_moment_is_told_once_at_most_in_order_and_never_too_early(
    pace: Pace, hours: int | None, looks: list[int]
) -> None:
    end = ends_at(hours=hours)
    kept: list[Told] = []
    for minutes in looks:
        plan = plan_reminders([end], kept, pace, now=at(minutes))
        assert len(plan.now) <= 1
        for reminder in plan.now:
            assert reminder.minutes <= minutes
            assert not kept or reminder.minutes > kept[-1].minutes
            passed = [each for each in moments_of(end, pace) if each <= minutes]
            assert reminder.minutes == passed[-1]
            kept.append(Told(end.duty_id, end.end_at, reminder.minutes, at(minutes)))
        assert plan.next_at is None or plan.next_at > at(minutes)
        again = plan_reminders([end], kept, pace, now=at(minutes))
        assert (again.now, again.next_at) == ((), plan.next_at)


@given(pace=_PACES, hours=st.none() | st.integers(1, 100))
def test_who_always_looks_when_told_to_tells_every_moment(pace: Pace, hours: int | None) -> None:
    end = ends_at(hours=hours)
    kept: list[Told] = []
    now: datetime | None = at(-5000)
    while now is not None:
        plan = plan_reminders([end], kept, pace, now=now)
        kept += [Told(end.duty_id, end.end_at, each.minutes, now) for each in plan.now]
        now = plan.next_at
    assert [each.minutes for each in kept] == moments_of(end, pace)
