"""Waves: how large each is, and what a look at a sending decides."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incident.delivery.waves import (
    Counts,
    Look,
    Outlook,
    Stop,
    StopReason,
    Turn,
    Waiting,
    Watch,
    decide,
    next_wave,
    outlook,
    plan_waves,
    reason_to_stop,
)
from incident.settings import WaveSettings

NOW = datetime(2026, 11, 30, 3, 12, tzinfo=UTC)
DEFAULT = WaveSettings()


def full_batches(people: int) -> list[Waiting]:
    sizes = [500] * (people // 500) + ([people % 500] if people % 500 else [])
    return [Waiting(seq, size) for seq, size in enumerate(sizes, start=2)]


def look(
    *,
    settled: int = 50,
    failed: int = 0,
    in_progress: int = 0,
    untried: bool = False,
    waiting: int = 500,
    next_at: datetime | None = None,
    complaints: int = 0,
    reports: int = 0,
) -> Look:
    counts = Counts(settled, failed, complaints, reports)
    return Look(counts, settled + in_progress, in_progress, untried, waiting, next_at)


# -- how large they are ------------------------------------------------------------------------------


def test_a_million_people_are_told_in_six_waves() -> None:
    waves = plan_waves(full_batches(999_950), 50, growth=10)
    assert [each.people for each in waves] == [500, 5_500, 60_500, 665_500, 267_950]


def test_growth_of_one_doubles_what_was_let_go_each_time() -> None:
    waves = plan_waves(full_batches(4_000), 500, growth=1)
    assert [each.people for each in waves] == [500, 1_000, 2_000, 500]


def test_a_wave_is_at_least_one_batch() -> None:
    assert next_wave(full_batches(1_000), 1, growth=1).people == 500


def test_a_wave_is_no_larger_than_most_but_for_its_first_batch() -> None:
    assert [each.people for each in plan_waves(full_batches(3_000), 50, growth=1000, most=1_200)] == [
        1_000
    ] * 3
    assert next_wave(full_batches(1_000), 50, growth=10, most=100).people == 500


def test_batches_in_which_nobody_waits_make_no_wave_of_their_own() -> None:
    waiting = [Waiting(2, 0), Waiting(3, 10), Waiting(4, 0)]
    assert [(each.first, each.last) for each in plan_waves(waiting, 100, growth=10)] == [(2, 4)]
    assert plan_waves([Waiting(2, 0)], 50, growth=10) == []


@pytest.mark.parametrize(
    ("people", "waves", "minutes"), [(0, 0, 0), (50, 1, 0), (51, 2, 2), (6_050, 3, 4), (1_000_000, 6, 10)]
)
def test_what_to_reckon_with_before_a_sending(people: int, waves: int, minutes: int) -> None:
    assert outlook(people, DEFAULT, batch_size=500) == Outlook(waves, timedelta(minutes=minutes))


@given(
    st.lists(st.integers(0, 600), max_size=60),
    st.integers(0, 500),
    st.floats(1, 1000),
    st.none() | st.floats(1, 10_000),
)
def test_waves_follow_each_other_and_hold_everybody_once(
    sizes: list[int], let_go: int, growth: float, most: float | None
) -> None:
    waiting = [Waiting(seq, people) for seq, people in enumerate(sizes, start=2)]
    waves = plan_waves(waiting, let_go, growth=growth, most=most)
    assert sum(each.people for each in waves) == sum(sizes)
    covered = [seq for each in waves for seq in range(each.first, each.last + 1)]
    assert covered == [each.seq for each in waiting][: len(covered)]
    assert all(each.people for each in waves)


# -- what is decided ---------------------------------------------------------------------------------


def test_a_wave_under_way_is_waited_for() -> None:
    assert decide(look(in_progress=30, untried=True), Counts(), DEFAULT, now=NOW) is Turn.UNDER_WAY
    assert decide(look(settled=50, in_progress=20), Counts(), DEFAULT, now=NOW) is Turn.UNDER_WAY


def test_a_wave_that_is_gone_over_is_watched_and_then_the_next_begins() -> None:
    until = NOW + timedelta(minutes=2)
    assert decide(look(), Counts(), DEFAULT, now=NOW) == Watch(until)
    assert decide(look(next_at=until), Counts(), DEFAULT, now=NOW) is Turn.WATCHING
    assert decide(look(next_at=until), Counts(), DEFAULT, now=until) is Turn.GO_ON


def test_with_nothing_to_watch_the_next_one_begins_at_once() -> None:
    assert decide(look(), Counts(), WaveSettings(watch_minutes=0), now=NOW) is Turn.GO_ON


def test_a_few_who_are_put_off_do_not_hold_up_the_others() -> None:
    assert decide(look(settled=45, in_progress=5), Counts(), DEFAULT, now=NOW) == Watch(
        NOW + timedelta(minutes=2)
    )


def test_whom_nobody_has_tried_yet_holds_up_the_next_wave() -> None:
    assert decide(look(in_progress=1, untried=True), Counts(), DEFAULT, now=NOW) is Turn.UNDER_WAY


def test_when_the_last_is_settled_it_has_ended_whatever_came_back() -> None:
    assert decide(look(failed=50, waiting=0), Counts(), DEFAULT, now=NOW) is Turn.ENDED


def test_the_last_wave_is_looked_at_until_its_end() -> None:
    assert decide(look(in_progress=2, waiting=0), Counts(), DEFAULT, now=NOW) is Turn.LAGGING


@pytest.mark.parametrize(
    ("counts", "stops"),
    [
        (Counts(settled=100, failed=5), Stop(StopReason.FAILED, 5, 100)),
        (Counts(settled=101, failed=5), None),
        (Counts(settled=4, failed=4), None),
        (Counts(settled=1_000, complaints=5), Stop(StopReason.COMPLAINTS, 5, 1_000)),
        (Counts(settled=1_000, complaints=4), None),
        (Counts(settled=10_000, complaints=20), None),
        (Counts(settled=10_000, reports=5), Stop(StopReason.REPORTS, 5, 10_000)),
        (Counts(settled=10_000, reports=4), None),
    ],
)
def test_it_stops_at_a_threshold_and_not_below(counts: Counts, stops: Stop | None) -> None:
    assert reason_to_stop(counts, DEFAULT) == stops


def test_a_threshold_of_nought_stops_nothing() -> None:
    never = WaveSettings(stop_percent=0, stop_complaints_percent=0, stop_reports=0)
    assert not never.can_stop
    assert reason_to_stop(Counts(100, 100, 100, 100), never) is None


def test_what_somebody_went_on_in_spite_of_stops_it_no_more() -> None:
    before = Counts(settled=50, failed=10)
    again = look(settled=50, failed=10, next_at=NOW)
    assert decide(again, before, DEFAULT, now=NOW) is Turn.GO_ON
    more = look(settled=150, failed=15, in_progress=20, untried=True)
    assert decide(more, before, DEFAULT, now=NOW) == Stop(StopReason.FAILED, 5, 100)


@given(st.integers(0, 1000), st.integers(0, 1000), st.integers(0, 100), st.integers(0, 50))
def test_nothing_that_is_known_already_stops_it(
    settled: int, failed: int, complaints: int, reports: int
) -> None:
    counts = Counts(settled + failed, failed, complaints, reports)
    assert reason_to_stop(counts.since(counts), DEFAULT) is None
