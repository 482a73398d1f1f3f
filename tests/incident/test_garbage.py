"""The garbage collector looks seldom for a while, and is left as it was."""

from __future__ import annotations

import gc

import pytest

from incident.garbage import collecting_seldom


@pytest.mark.parametrize("standing_aside", [True, False])
def test_it_looks_seldom_meanwhile_and_is_left_as_it_was_also_after_an_error(standing_aside: bool) -> None:
    before, frozen = gc.get_threshold(), gc.get_freeze_count()
    with pytest.raises(KeyError), collecting_seldom(standing_aside=standing_aside):
        assert gc.get_threshold()[0] >= 20_000
        assert (gc.get_freeze_count() > frozen) is standing_aside
        raise KeyError
    assert (gc.get_threshold(), gc.get_freeze_count()) == (before, frozen)


def test_somebody_who_looks_even_less_often_is_not_overruled() -> None:
    before = gc.get_threshold()
    gc.set_threshold(1_000_000)
    try:
        with collecting_seldom():
            assert gc.get_threshold()[0] == 1_000_000
    finally:
        gc.set_threshold(*before)
