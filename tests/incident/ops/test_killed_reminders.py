"""A worker that is killed around the transaction of a reminder: it is told once, never twice and never not at all."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlmodel import select

from incident.record.summons import Reason, all_summons
from incident.store.tables import DutyReminder
from tests.support.breaches import Breach, make_breach
from tests.support.journals import sound
from tests.support.lived_in import must_hold
from tests.support.postgres import PostgresServer
from tests.support.stopping_reminder import ReminderWindow, StoppingReminder
from tests.support.working_process import kill, start_worker


@pytest.fixture
def breach(tmp_path: Path, store_killed_on: PostgresServer | None) -> Breach:
    """Its duties ran out days ago by the clock of the machine, and nobody worked since."""
    return make_breach(
        tmp_path, on=store_killed_on, scope={"countries": ["eu"]}, reminders={"after_times": 1}
    )


def told(breach: Breach) -> list[str]:
    with breach.made.store.read() as session:
        return sorted(f"{row.duty_id} {row.moment}" for row in session.exec(select(DutyReminder)).all())


def calls(breach: Breach) -> list[str]:
    with breach.made.store.read() as session:
        return [row.reason for row in all_summons(session, breach.id)]


def another_does_the_rest(breach: Breach) -> None:
    worker = start_worker(breach.made.workspace.root, stale=2.0)
    try:
        assert worker.wait(timeout=60) == 0
    finally:
        if worker.poll() is None:
            kill(worker)


@pytest.mark.parametrize("window", ReminderWindow)
def test_killed_in_a_window_each_reminder_is_told_once(breach: Breach, window: ReminderWindow) -> None:
    for _ in range(1 if window is ReminderWindow.AFTER else 2):
        worker = StoppingReminder(breach.made.workspace.root, window)
        try:
            worker.stopped()
        finally:
            kill(worker.process)
        assert bool(told(breach)) is (window is ReminderWindow.AFTER)
    another_does_the_rest(breach)
    assert told(breach), "nobody was reminded"
    assert len(set(told(breach))) == len(told(breach)), "a reminder was told twice"
    assert calls(breach) == [Reason.DUTY_PASSED]
    assert sound(breach.made.store)
    must_hold(breach.house)
