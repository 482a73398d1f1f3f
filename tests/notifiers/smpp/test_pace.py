from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from notifiers.smpp.pace import FIRST_PAUSE, LONGEST_PAUSE, Pace


def leave(pace: Pace, now: float) -> float:
    """When the next one left."""
    while wait := pace.wait(now):
        now += wait
    return now


@given(st.floats(0.1, 1000), st.integers(2, 30), st.floats(0, 1e9))
def test_messages_keep_their_distance_also_after_a_quiet_time(rate: float, count: int, start: float) -> None:
    pace, left = Pace(rate), list[float]()
    for _ in range(count):
        left.append(leave(pace, left[-1] if left else start))
    between = [later - earlier for earlier, later in pairwise(left)]
    assert min(between) >= 1 / rate - 1e-5


def test_without_a_rate_nothing_waits() -> None:
    pace = Pace(None)
    assert [pace.wait(5.0) for _ in range(3)] == [0, 0, 0]


def test_pauses_grow_with_each_refusal_and_have_a_bound() -> None:
    pace, now, pauses = Pace(None), 100.0, list[float]()
    for _ in range(8):
        pace.slower(now)
        pauses.append(pace.wait(now))
        now += pauses[-1]
    assert pauses == [0.5, 1, 2, 4, 8, 16, 30, 30]
    assert (pauses[0], pauses[-1]) == (FIRST_PAUSE, LONGEST_PAUSE)


def test_of_several_that_are_refused_in_one_pause_the_first_counts() -> None:
    pace = Pace(None)
    for _ in range(5):
        pace.slower(100.0)
    assert pace.wait(100.0) == FIRST_PAUSE


def test_pauses_shrink_again_while_messages_are_taken() -> None:
    pace, now = Pace(None), 0.0
    for _ in range(3):
        pace.slower(now)
        now = leave(pace, now)
    pace.taken()
    pace.slower(now)
    assert pace.wait(now) == 2
    for _ in range(3):
        pace.taken()
    now = leave(pace, now)
    pace.slower(now)
    assert pace.wait(now) == FIRST_PAUSE
