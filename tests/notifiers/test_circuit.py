"""A relay that fails is left alone, for longer each time, and tried again when the pause is over."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from notifiers.circuit import FIRST_PAUSE, LONGEST_PAUSE, Circuit


def test_a_relay_is_tried_until_it_fails_and_again_after_the_pause() -> None:
    circuit = Circuit()
    assert circuit.may_try(0)
    circuit.failed(100)
    assert [circuit.may_try(at) for at in (100, 100 + FIRST_PAUSE - 1, 100 + FIRST_PAUSE)] == [
        False,
        False,
        True,
    ]


def test_pauses_grow_while_it_fails_and_begin_anew_once_it_worked() -> None:
    circuit = Circuit(first_pause=10, longest_pause=35)
    pauses = []
    for _ in range(4):
        now = circuit.open_until
        circuit.failed(now)
        pauses.append(circuit.open_until - now)
    assert pauses == [10, 20, 35, 35]
    circuit.worked()
    assert circuit.may_try(0)
    circuit.failed(1000)
    assert circuit.open_until == 1010


def test_many_messages_that_fail_together_count_as_one_failure() -> None:
    circuit = Circuit(first_pause=10)
    for now in (0.0, 0.1, 5.0, 9.9):
        circuit.failed(now)
    assert circuit.open_until == 10
    circuit.failed(10)
    assert circuit.open_until == 30


@given(st.lists(st.tuples(st.floats(0, 400), st.booleans()), max_size=200))
def test_nobody_waits_longer_than_the_longest_pause_for_another_try(steps: list[tuple[float, bool]]) -> None:
    circuit, now = Circuit(), 0.0
    for later, works in steps:
        now += later
        if works:
            circuit.worked()
            assert circuit.may_try(now)
        else:
            circuit.failed(now)
            assert not circuit.may_try(now)
        assert circuit.may_try(now + LONGEST_PAUSE)
