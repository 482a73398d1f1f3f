from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifiers.outcome import NO_COPY_TAKEN, Result, Stage
from notifiers.smpp.statuses import MEANINGS, Status, Verdict, meaning_of


@given(st.integers(0, 0xFFFFFFFF))
def test_every_status_has_a_meaning_and_only_one_is_a_yes(status: int) -> None:
    meaning = meaning_of(status)
    assert (meaning.result is Result.accepted) == (status == Status.ok)
    assert status == Status.ok or meaning.result in NO_COPY_TAKEN
    assert meaning.name in meaning.text


def test_names_and_words_are_told_once() -> None:
    assert len({meaning.name for meaning in MEANINGS.values()}) == len(MEANINGS)
    assert set(Status) <= set(MEANINGS)


@pytest.mark.parametrize(
    ("status", "verdict", "stage"),
    [
        (0x58, Verdict.slow_down, Stage.account),
        (0x14, Verdict.slow_down, Stage.account),
        (0x08, Verdict.slow_down, Stage.account),
        (0x0B, Verdict.permanent, Stage.reply),
        (0x0A, Verdict.permanent, Stage.account),
        (0x15, Verdict.permanent, Stage.account),
        (0x45, Verdict.temporary, Stage.reply),
        (0x64, Verdict.temporary, Stage.reply),
        (0x04, Verdict.unbound, Stage.auth),
        (0x400, Verdict.unknown, Stage.account),
        (0x4FF, Verdict.unknown, Stage.account),
        (0x09, Verdict.unknown, Stage.account),
    ],
)
def test_a_status_is_about_the_recipient_or_about_us(status: int, verdict: Verdict, stage: Stage) -> None:
    meaning = meaning_of(status)
    assert (meaning.verdict, meaning.stage) == (verdict, stage)
