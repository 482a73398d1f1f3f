"""Waves that follow the call centre: no larger than what it can answer, and no sooner, but for a deadline."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from incident.delivery import batching
from incident.delivery.forecast import CallCentre
from incident.delivery.pacing import people_an_hour, time_to_answer
from tests.support.breaches import AT_ONCE, Breach, make_breach, some_people
from tests.support.lived_in import must_hold
from tests.support.relays import RecordingRelay
from tests.support.workspaces import run_sql

WAVES = {**AT_ONCE, "canary": 8, "watch_minutes": 0, "follow_call_centre": True}
# One seat, six minutes a call, every second person calls: twenty people an hour.
PLAN = {"seats": 1, "minutes_per_call": 6.0, "callers_percent": 50.0}


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batching, "BATCH_SIZE", 10)


def sending(tmp_path: Path, relay: RecordingRelay, *, due_in: timedelta | None = None) -> Breach:
    breach = make_breach(tmp_path, people=some_people(60), relay_port=relay.port, waves=WAVES, plan=PLAN)
    breach.release()
    run_sql(breach.made.store, "UPDATE duty SET due_at = NULL WHERE kind = 'notify_people'")
    if due_in is not None:
        breach.must_tell_people_within(due_in)
    breach.open_sending()
    return breach


def test_ten_seats_bear_what_the_document_says() -> None:
    assert people_an_hour(CallCentre(10, 8, 12, 0.05)) == pytest.approx(1_500)
    assert time_to_answer(750, 1_500) == timedelta(minutes=30)


def test_a_wave_is_what_can_be_answered_in_an_hour_and_the_next_waits_for_it(
    tmp_path: Path, relay: RecordingRelay
) -> None:
    breach = sending(tmp_path, relay)
    breach.work()
    assert len(relay.taken) == 8
    breach.later(minutes=23)
    breach.work()
    assert len(relay.taken) == 8
    breach.later(minutes=1)
    breach.work()
    assert len(relay.taken) == 28
    must_hold(breach.house)
    breach.later(minutes=59)
    breach.work()
    assert len(relay.taken) == 28
    breach.later(minutes=1)
    breach.work()
    assert len(relay.taken) == 48


def test_a_deadline_that_would_be_missed_comes_first(tmp_path: Path, relay: RecordingRelay) -> None:
    breach = sending(tmp_path, relay, due_in=timedelta(hours=2))
    breach.work()
    assert len(relay.taken) == 60
