"""A worker that is killed around a wave's decision: no wave begins twice, none is forgotten, and a stop stays."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from sqlmodel import col, select

from incident.delivery import batching
from incident.delivery.states import CampaignState
from incident.store.tables import JournalEntry, Waves
from tests.support.breaches import Breach, make_breach, some_people
from tests.support.journals import sound
from tests.support.lived_in import must_hold
from tests.support.postgres import PostgresServer
from tests.support.relays import RecordingRelay
from tests.support.stopping_wave import StoppingWave, WaveWindow
from tests.support.working_process import kill, start_worker

PEOPLE = 60
# Two seconds, so that a wave is seen settled before the next begins.
WAVES = {"canary": 6, "growth": 2, "watch_minutes": 2 / 60}


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batching, "BATCH_SIZE", 12)


def sending(tmp_path: Path, relay: RecordingRelay, on: PostgresServer | None) -> Breach:
    breach = make_breach(tmp_path, people=some_people(PEOPLE), relay_port=relay.port, on=on, waves=WAVES)
    breach.release()
    breach.open_sending()
    return breach


def decisions(breach: Breach) -> Counter[str]:
    found = select(JournalEntry.kind).where(JournalEntry.chain == breach.id).order_by(col(JournalEntry.seq))
    with breach.made.store.read() as session:
        kinds = session.exec(found).all()
    return Counter(each for each in kinds if each.startswith("wave.") or each == "campaign.stopped")


def killed_at(breach: Breach, window: WaveWindow, decision: str) -> None:
    worker = StoppingWave(breach.made.workspace.root, window, decision)
    try:
        worker.stopped()
    finally:
        kill(worker.process)
    assert decisions(breach)[decision] == (window is WaveWindow.AFTER)


def another_does_the_rest(breach: Breach) -> None:
    """Workers come and go until nobody is in progress, or the sending stopped."""
    for _ in range(20):
        worker = start_worker(breach.made.workspace.root, stale=2.0)
        try:
            assert worker.wait(timeout=60) == 0
        finally:
            if worker.poll() is None:
                kill(worker)
        if breach.account().state != CampaignState.SENDING:
            return
    raise AssertionError("it never came to its end")


@pytest.mark.parametrize("decision", ["wave.settled", "wave.opened"])
@pytest.mark.parametrize("window", WaveWindow)
def test_killed_in_a_window_each_wave_begins_once(
    tmp_path: Path,
    relay: RecordingRelay,
    store_killed_on: PostgresServer | None,
    window: WaveWindow,
    decision: str,
) -> None:
    breach = sending(tmp_path, relay, store_killed_on)
    killed_at(breach, window, decision)
    must_hold(breach.house)
    another_does_the_rest(breach)
    assert Counter(mail.to for mail in relay.taken) == {
        f"p{n:05d}@example.org": 1 for n in range(1, PEOPLE + 1)
    }
    # 6, 12, 36 and the last 6.
    assert decisions(breach) == {"wave.settled": 3, "wave.opened": 3}
    assert breach.account().state == CampaignState.ENDED
    assert sound(breach.made.store)
    must_hold(breach.house)


@pytest.mark.parametrize("window", WaveWindow)
def test_killed_in_a_window_it_stops_once_and_stays_stopped(
    tmp_path: Path, relay: RecordingRelay, store_killed_on: PostgresServer | None, window: WaveWindow
) -> None:
    relay.at_rcpt = lambda address: "550 5.7.1 blocked"
    breach = sending(tmp_path, relay, store_killed_on)
    killed_at(breach, window, "campaign.stopped")
    another_does_the_rest(breach)
    assert decisions(breach) == {"campaign.stopped": 1}
    assert breach.account().state == CampaignState.PAUSED
    with breach.made.store.read() as session:
        assert session.exec(select(Waves.number)).one() == 1
    must_hold(breach.house)
