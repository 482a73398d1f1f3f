"""A worker that is killed in the middle of calling people: nobody is forgotten, and a page is doubled at most."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from incident.ops.escalation import MOST_TRIES
from incident.record.operators import operator_named
from incident.record.reaches import put_reach
from incident.record.summons import CallState, all_summons, calls_of
from incident.store.journal import WORKSPACE_CHAIN
from tests.support.breaches import Breach, make_breach
from tests.support.chat_desks import ChatDesk, chat_desk
from tests.support.journals import sound
from tests.support.lived_in import must_hold
from tests.support.postgres import PostgresServer
from tests.support.runs import start
from tests.support.stopping_caller import CallWindow, StoppingCaller
from tests.support.working_process import kill, start_worker
from tests.support.workspaces import run_sql

# What the service was told in all when the worker was killed once in a window, and another did the rest.
TOLD = {
    CallWindow.BEFORE_INTENT: 1,
    CallWindow.AFTER_INTENT: 1,
    CallWindow.TAKEN: 2,
    CallWindow.BEFORE_OUTCOME: 2,
}


@pytest.fixture
def service() -> Iterator[ChatDesk]:
    with chat_desk() as made:
        yield made


@pytest.fixture
def breach(tmp_path: Path, store_killed_on: PostgresServer | None, service: ChatDesk) -> Breach:
    """A run whose first step needs somebody; bo can be called."""
    breach = make_breach(tmp_path, on=store_killed_on)
    made = breach.made
    with made.store.write(WORKSPACE_CHAIN, kind="operator.reach", actor="ana", now=made.clock()) as change:
        put_reach(
            change, made.store, operator_named(change.session, "bo"), urls=[service.url("/bo")], deputy=None
        )
    start(breach)
    return breach


def calls(breach: Breach) -> list[tuple[int, str, int]]:
    """Round, outcome and tries of each call."""
    store = breach.made.store
    with store.read() as session:
        [asked] = all_summons(session, breach.id)
        return [
            (row.level, row.outcome, store.open(row, incident_id=breach.id)["tries"])
            for row in calls_of(session, asked.id)
        ]


def killed(breach: Breach, window: CallWindow) -> None:
    caller = StoppingCaller(breach.made.workspace.root, window)
    try:
        caller.stopped()
    finally:
        kill(caller.process)


def another_does_the_rest(breach: Breach) -> None:
    # What waits for a time by its own clock is due now; who is dead must be seen to be, on several machines.
    worker = start_worker(breach.made.workspace.root, stale=2.0)
    try:
        assert worker.wait(timeout=60) == 0
    finally:
        if worker.poll() is None:
            kill(worker)


@pytest.mark.parametrize("window", TOLD)
def test_killed_in_a_window_the_call_is_made_and_doubled_at_most(
    breach: Breach, service: ChatDesk, window: CallWindow
) -> None:
    killed(breach, window)
    another_does_the_rest(breach)
    assert service.paths == ["/bo"] * TOLD[window]
    [(level, outcome, tries)] = calls(breach)
    assert (level, outcome) == (1, CallState.ACCEPTED)
    assert tries == (1 if window is CallWindow.BEFORE_INTENT else 2)
    assert sound(breach.made.store)
    must_hold(breach.house)


def test_killed_again_and_again_it_is_not_called_again_and_again(breach: Breach, service: ChatDesk) -> None:
    for _ in range(MOST_TRIES):
        killed(breach, CallWindow.TAKEN)
    another_does_the_rest(breach)
    assert service.paths == ["/bo"] * MOST_TRIES
    assert calls(breach) == [(1, CallState.UNKNOWN, MOST_TRIES)]
    assert sound(breach.made.store)


def test_after_the_kill_the_next_round_comes_at_its_time(breach: Breach, service: ChatDesk) -> None:
    killed(breach, CallWindow.TAKEN)
    another_does_the_rest(breach)
    run_sql(breach.made.store, "UPDATE summons SET next_at = '2020-01-01 00:00:00.000000'")
    run_sql(breach.made.store, "UPDATE job SET next_at = 0 WHERE kind = 'summons'")
    another_does_the_rest(breach)
    assert [(level, outcome) for level, outcome, _ in calls(breach)] == [
        (1, CallState.ACCEPTED),
        (3, CallState.ACCEPTED),
    ]
