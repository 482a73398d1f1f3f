"""Who is alive: judged by what changes, never by a clock that somebody sets."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from incident.durable.jobs import Held
from incident.durable.watching import Moment, Watcher, elapsed_clock

STALE, GAP = 30.0, 10.0


def held(beats: int = 1, *, attempt: int = 1) -> Held:
    return Held("work", "k", attempt, beats)


def test_who_gives_no_sign_for_long_enough_is_silent() -> None:
    watcher = Watcher(stale=STALE, gap=GAP)
    for at in range(0, 30, 5):
        assert watcher.silent([held()], now=at) == []
    assert watcher.silent([held()], now=30) == [held()]


def test_a_sign_of_life_begins_the_wait_anew() -> None:
    watcher = Watcher(stale=STALE, gap=GAP)
    for at in range(0, 120, 5):
        assert watcher.silent([held(beats=at // 25)], now=at) == []


def test_a_new_attempt_is_somebody_else() -> None:
    watcher = Watcher(stale=STALE, gap=GAP)
    for at in range(0, 30, 5):
        watcher.silent([held()], now=at)
    assert watcher.silent([held(attempt=2)], now=30) == []


def test_who_did_not_look_has_not_seen_silence() -> None:
    watcher = Watcher(stale=STALE, gap=GAP)
    watcher.silent([held()], now=0)
    assert watcher.silent([held()], now=500) == [], "it was frozen, or the database was away"
    for at in range(505, 530, 5):
        assert watcher.silent([held()], now=at) == []
    assert watcher.silent([held()], now=530) == [held()]


def test_after_a_look_that_failed_the_observation_begins_anew() -> None:
    watcher = Watcher(stale=STALE, gap=GAP)
    for at in range(0, 30, 5):
        watcher.silent([held()], now=at)
    watcher.forget()
    assert watcher.silent([held()], now=30) == []


@given(
    signs=st.lists(st.floats(0, 29, allow_nan=False), min_size=1, max_size=40),
    looks=st.floats(0.1, 9.9, allow_nan=False),
)
def test_a_holder_that_beats_more_often_than_the_patience_is_never_called_silent(
    signs: list[float], looks: float
) -> None:
    watcher = Watcher(stale=STALE, gap=GAP)
    times = [sum(signs[:number]) for number in range(len(signs) + 1)]
    now = 0.0
    while now < times[-1]:
        beats = sum(time <= now for time in times)
        assert watcher.silent([held(beats)], now=now) == []
        now += looks


def test_elapsed_time_goes_on_and_a_moment_counts_the_longer_of_two_clocks() -> None:
    assert elapsed_clock() <= elapsed_clock()
    begun = Moment(elapsed=100.0, wall=1_000.0)
    assert begun.seconds_until(Moment(105.0, 1_005.0)) == 5
    assert begun.seconds_until(Moment(105.0, 1_900.0)) == 900, (
        "the machine was paused, or the clock set forward"
    )
    assert begun.seconds_until(Moment(105.0, -2_600.0)) == 5, "a clock that was set back proves nothing"
