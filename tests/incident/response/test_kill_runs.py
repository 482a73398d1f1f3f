"""SIGKILL at every point of a run: every effect happens, and none happens twice but of a step declared repeatable.

Each kill provably lands where its point says: the process stops there by itself and is killed as it stands. A point at
which no process ever stopped fails the test.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.breaches import make_breach
from tests.support.ordeals import (
    CALLS,
    CONFIRM,
    DISABLE,
    ESCALATE,
    FINAL,
    GATE,
    KILLED,
    LOOK_UP,
    NOTIFY,
    PROBE,
    RESET,
    TICKET,
    WAIT,
    Ordeal,
    install,
)
from tests.support.postgres import PostgresServer
from tests.support.services import EffectService

AROUND_A_CALL = (
    "before_intent",
    "in_intent",
    "before_leave_to_act",
    "after_intent",
    "at_server",
    "before_told",
    "in_told",
    "after_told",
)
TIMERS = (f"{WAIT}:delay", f"{PROBE}:timeout")


@pytest.fixture
def service() -> Iterator[EffectService]:
    with EffectService(answer={"ticket": TICKET}) as found:
        yield found


def ordeal(tmp_path: Path, service: EffectService, *, on: PostgresServer | None = None) -> Ordeal:
    breach = make_breach(tmp_path, measures=(), on=on, engine={"stale_seconds": 2})
    install(breach, "killed", KILLED)
    return Ordeal(breach, service)


def test_killed_once_in_each_window_all_is_done_and_nothing_twice(
    tmp_path: Path, service: EffectService
) -> None:
    test = ordeal(tmp_path, service)
    test.start("in_start@", "after_start@")
    points = [
        f"before_intent@{LOOK_UP}",
        f"in_intent@{GATE}",
        f"before_leave_to_act@{GATE}",
        f"after_intent@{RESET}",
        f"at_server@{DISABLE}",
        f"before_told@{PROBE}:timeout",
        f"at_server@{ESCALATE}",
        f"in_told@{WAIT}:delay",
        f"before_told@{NOTIFY}",
        f"in_asking@{NOTIFY}",
        "before_leave@",
        "in_ending@",
    ]
    says = [f"in_answer@{RESET}", f"after_answer@{CONFIRM}", "in_sign@", f"in_answer@{GATE}"]
    assert test.work(points, says=says) == set(), "a window was never hit"
    assert test.asked == {GATE: 1, RESET: 1, ESCALATE: 1, NOTIFY: 1, FINAL: 1}
    test.assert_everything_was_done_once()
