"""Waves at the terminal: what `incident notice send`, `status`, `resume` and `report-phishing` say and do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from incident.delivery import batching
from tests.support.breaches import Breach, make_breach, some_people
from tests.support.commands import Answer, run
from tests.support.relays import RecordingRelay, recording_relay

WATCHED = {"canary": 6, "growth": 2, "watch_minutes": 60}


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batching, "BATCH_SIZE", 12)


@pytest.fixture
def relay() -> Iterator[RecordingRelay]:
    with recording_relay() as relay:
        yield relay


def released(tmp_path: Path, relay: RecordingRelay, waves: Mapping[str, Any], *, people: int = 60) -> Breach:
    breach = make_breach(tmp_path, people=some_people(people), relay_port=relay.port, waves=waves)
    breach.release()
    return breach


def incident(breach: Breach, *words: str) -> Answer:
    return run("--workspace", breach.made.workspace.root, *words)


def waves_of(breach: Breach) -> Any:
    [campaign] = incident(breach, "notice", "status", breach.id, "--json").document["campaigns"]
    return campaign["waves"]


def test_send_follows_all_waves_to_the_end(tmp_path: Path, relay: RecordingRelay) -> None:
    breach = released(tmp_path, relay, {**WATCHED, "watch_minutes": 1 / 60})
    sent = incident(breach, "notice", "send", breach.id)
    assert sent.code == 0, sent.text
    assert len(relay.taken) == 60
    assert waves_of(breach)["wave"] == waves_of(breach)["waves"] == 4


def test_status_says_which_wave_it_is_and_when_the_next_begins(tmp_path: Path, relay: RecordingRelay) -> None:
    breach = released(tmp_path, relay, WATCHED)
    assert incident(breach, "notice", "send", breach.id, "--detach").code == 0
    assert "the next one when these are settled" in incident(breach, "notice", "status", breach.id).out
    breach.work()
    said = incident(breach, "notice", "status", breach.id).out
    assert "wave 1 of 4" in said
    assert "6 people; the next one at" in said
    assert "unless something is wrong" in said
    told = waves_of(breach)
    assert (told["wave"], told["waves"], told["people"], told["waiting"]) == (1, 4, 6, 54)
    assert told["next_at"] is not None
    assert told["stopped"] is None


def test_without_a_canary_everybody_is_told_at_once_and_the_journal_says_so(
    tmp_path: Path, relay: RecordingRelay
) -> None:
    breach = released(tmp_path, relay, WATCHED)
    sent = incident(breach, "notice", "send", breach.id, "--no-canary")
    assert sent.code == 0, sent.text
    assert len(relay.taken) == 60
    assert waves_of(breach)["waves"] == 1


def test_what_waits_for_a_wave_is_sent_at_once_when_somebody_says_so(
    tmp_path: Path, relay: RecordingRelay
) -> None:
    breach = released(tmp_path, relay, WATCHED)
    incident(breach, "notice", "send", breach.id, "--detach")
    breach.work()
    assert len(relay.taken) == 6
    assert incident(breach, "notice", "send", breach.id, "--no-canary").code == 0
    assert len(relay.taken) == 60


def test_a_sending_that_stopped_says_why_and_goes_on_when_it_is_resumed(
    tmp_path: Path, relay: RecordingRelay
) -> None:
    breach = released(tmp_path, relay, {**WATCHED, "watch_minutes": 0})
    relay.at_rcpt = lambda address: "550 5.1.1 unknown"
    sent = incident(breach, "notice", "send", breach.id)
    assert sent.code == 0, sent.text
    assert "stopped by itself: of 6 people written to, 6 refused, blocked or returned" in sent.out
    assert f"incident notice resume {breach.id}" in sent.out
    assert waves_of(breach)["stopped"]["reason"] == "failed"
    relay.at_rcpt = lambda address: None
    resumed = incident(breach, "notice", "resume", breach.id, "--reason", "the provider lifted the block")
    assert resumed.code == 0, resumed.text
    assert "stopped by itself" not in resumed.out
    assert len(relay.taken) == 54


def test_reports_of_suspicious_messages_are_counted_and_stop_it(
    tmp_path: Path, relay: RecordingRelay
) -> None:
    breach = released(tmp_path, relay, WATCHED)
    refused = incident(breach, "notice", "report-phishing", breach.id)
    assert refused.code == 1
    assert "no sending of this incident counts" in refused.err
    incident(breach, "notice", "send", breach.id, "--detach")
    breach.work()
    first = incident(breach, "notice", "report-phishing", breach.id, "--count", "2")
    assert "2 reports of suspicious messages so far; the sending stops at 5" in first.out
    breach.work()
    assert waves_of(breach)["stopped"] is None
    incident(breach, "notice", "report-phishing", breach.id, "--count", "3", "--reason", "the bank called")
    breach.work()
    assert waves_of(breach)["stopped"] is not None
    assert "5 reports of suspicious messages" in incident(breach, "notice", "status", breach.id).out
