"""SMS by Twilio as a person at the terminal sends them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from incident.delivery.status import campaigns_of
from tests.support.breaches import Breach
from tests.support.commands import run, run_process
from tests.support.relays import RecordingRelay, recording_relay
from tests.support.sms_sendings import by_sms_only
from tests.support.twilio.script import Options
from tests.support.twilio.server import twilio_api
from tests.support.twilio_sendings import twilio_breach


@pytest.fixture
def relay() -> Iterator[RecordingRelay]:
    with recording_relay() as running:
        yield running


def has_campaign(breach: Breach) -> bool:
    with breach.made.store.read() as session:
        return bool(campaigns_of(session, breach.id))


def test_one_command_tells_people_by_twilio(tmp_path: Path, relay: RecordingRelay) -> None:
    with twilio_api() as api:
        breach = twilio_breach(
            tmp_path, by_sms_only(3), twilio_port=api.port, relay_port=relay.port, opens=False
        )
        root = breach.made.workspace.root
        answer = run_process("--workspace", root, "notice", "send", breach.id)
        assert answer.code == 0, answer.text
        assert len(api.taken) == 3
    assert run("--workspace", root, "check").code == 0


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (Options(account_status="suspended"), "suspended"),
        (Options(account_type="Trial"), "on trial"),
        (Options(service=False), "Messaging Service"),
        (Options(numbers=0), "no senders"),
    ],
)
def test_an_account_that_cannot_send_is_told_before_anything_is_written(
    tmp_path: Path, relay: RecordingRelay, options: Options, says: str
) -> None:
    with twilio_api(options) as api:
        refuse(tmp_path, api.port, relay, says)
        assert api.taken == []


def test_a_twilio_that_is_away_is_told_before_anything_is_written(
    tmp_path: Path, relay: RecordingRelay
) -> None:
    with twilio_api() as gone:
        port = gone.port
    refuse(tmp_path, port, relay, "Twilio cannot be used")


def test_abroad_without_a_reference_it_is_refused(tmp_path: Path, relay: RecordingRelay) -> None:
    with twilio_api() as api:
        refuse(tmp_path, api.port, relay, "sms.twilio.transfer", transfer="")
        assert api.requests == []


def refuse(tmp_path: Path, port: int, relay: RecordingRelay, says: str, **twilio: Any) -> None:
    breach = twilio_breach(
        tmp_path, by_sms_only(2), twilio_port=port, relay_port=relay.port, twilio=twilio, opens=False
    )
    answer = run("--workspace", breach.made.workspace.root, "notice", "send", breach.id)
    assert answer.code == 1
    assert says in answer.err
    assert not has_campaign(breach)
    assert relay.taken == []
