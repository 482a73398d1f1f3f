"""Quiet hours of real sendings: nothing leaves until they end, unless the law's deadline would be missed."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from incident.delivery.resting import rest_now
from incident.delivery.states import CampaignState
from tests.support.breaches import AT_ONCE, Breach, make_breach, some_people
from tests.support.commands import run
from tests.support.lived_in import must_hold
from tests.support.relays import RecordingRelay
from tests.support.workspaces import run_sql

# The clock of these tests stands at 17:00 in Shanghai.
EVENING, MORNING = "16:00-08:00", "08:00-16:00"


def sending(tmp_path: Path, relay: RecordingRelay, quiet_hours: str, **waves: float) -> Breach:
    settings = {**AT_ONCE, **waves, "quiet_hours": quiet_hours}
    breach = make_breach(tmp_path, people=some_people(20), relay_port=relay.port, waves=settings)
    breach.release()
    breach.open_sending()
    return breach


def no_deadline(breach: Breach) -> None:
    run_sql(breach.made.store, "UPDATE duty SET due_at = NULL WHERE kind = 'notify_people'")


def test_nothing_leaves_until_they_end_and_then_everything_does(
    tmp_path: Path, relay: RecordingRelay
) -> None:
    breach = sending(tmp_path, relay, EVENING)
    no_deadline(breach)
    breach.work()
    assert relay.taken == []
    assert breach.account().in_progress == 20
    must_hold(breach.house)
    breach.later(hours=14, minutes=59)
    breach.work()
    assert relay.taken == []
    breach.later(minutes=1)
    breach.work()
    assert len(relay.taken) == 20
    assert breach.account().state == CampaignState.ENDED


def test_outside_of_them_it_goes_on(tmp_path: Path, relay: RecordingRelay) -> None:
    breach = sending(tmp_path, relay, MORNING)
    breach.work()
    assert len(relay.taken) == 20


def test_no_wave_begins_in_them(tmp_path: Path, relay: RecordingRelay) -> None:
    breach = sending(tmp_path, relay, "17:01-08:00", canary=4, watch_minutes=2)
    no_deadline(breach)
    breach.work()
    assert len(relay.taken) == 4
    breach.later(minutes=2)
    breach.work()
    assert len(relay.taken) == 4
    must_hold(breach.house)
    breach.later(hours=15)
    breach.work()
    assert len(relay.taken) == 20


@pytest.mark.parametrize(("hours", "sent"), [(15.5, True), (16.5, False), (-1, True)])
def test_a_deadline_that_would_be_missed_comes_first(
    tmp_path: Path, relay: RecordingRelay, hours: float, sent: bool
) -> None:
    breach = sending(tmp_path, relay, EVENING)
    store, now = breach.made.store, breach.made.clock()
    breach.must_tell_people_within(timedelta(hours=hours))
    with store.read() as session:
        rest = rest_now(session, breach.id, breach.made.settings, now=now)
    assert rest is not None
    assert rest.holds is not sent
    breach.work()
    assert len(relay.taken) == (20 if sent else 0)


def test_status_says_until_when_nothing_leaves(tmp_path: Path, relay: RecordingRelay) -> None:
    breach = sending(tmp_path, relay, "00:00-23:59")
    no_deadline(breach)
    said = run("--workspace", breach.made.workspace.root, "notice", "status", breach.id)
    assert "quiet hours: nothing leaves" in said.out
    answer = run("--workspace", breach.made.workspace.root, "--json", "notice", "status", breach.id)
    assert answer.document["campaigns"][0]["quiet"]["kept"] is True
