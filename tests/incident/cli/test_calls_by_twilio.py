"""Calls by machine as a person at the terminal has them made."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from incident.delivery.status import campaigns_of
from tests.support.breaches import Breach
from tests.support.call_sendings import call_breach, hooks_at_hand
from tests.support.commands import run, run_process
from tests.support.relays import RecordingRelay, recording_relay
from tests.support.sms_sendings import by_sms_only
from tests.support.twilio.script import Options
from tests.support.twilio.server import twilio_api

NOBODY_ASKS = "http://127.0.0.1:9/receipts/calls"


@pytest.fixture
def relay() -> Iterator[RecordingRelay]:
    with recording_relay() as running:
        yield running


def test_one_command_has_people_called_and_says_what_must_run_meanwhile(
    tmp_path: Path, relay: RecordingRelay
) -> None:
    with hooks_at_hand() as hooks, twilio_api() as api:
        breach = call_breach(
            tmp_path,
            by_sms_only(3),
            api_port=api.port,
            callbacks=hooks.calls,
            relay_port=relay.port,
            opens=False,
        )
        root = breach.made.workspace.root
        with hooks.served(breach.house):
            answer = run_process("--workspace", root, "notice", "send", breach.id, "--no-canary", "--detach")
            assert answer.code == 0, answer.text
            assert "incident serve hooks" in answer.err
            breach.work()
            api.calls.await_over(3)
            breach.work()
    status = run("--workspace", root, "notice", "status", breach.id)
    assert "told on the phone" in status.out
    assert run("--workspace", root, "check").code == 0


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (Options(account_status="suspended"), "suspended"),
        (Options(account_type="Trial"), "on trial"),
        (Options(incoming={}), "neither one of the account's"),
    ],
)
def test_an_account_that_cannot_call_is_told_before_anything_is_written(
    tmp_path: Path, relay: RecordingRelay, options: Options, says: str
) -> None:
    with twilio_api(options) as api:
        refuse(tmp_path, api.port, relay, says)
        assert api.calls.called == []


def test_abroad_without_a_reference_it_is_refused(tmp_path: Path, relay: RecordingRelay) -> None:
    with twilio_api() as api:
        refuse(tmp_path, api.port, relay, "calls.twilio.transfer", transfer="")
        assert api.requests == []


def has_campaign(breach: Breach) -> bool:
    with breach.made.store.read() as session:
        return bool(campaigns_of(session, breach.id))


def refuse(tmp_path: Path, port: int, relay: RecordingRelay, says: str, **calls: Any) -> None:
    breach = call_breach(
        tmp_path,
        by_sms_only(2),
        api_port=port,
        callbacks=NOBODY_ASKS,
        relay_port=relay.port,
        calls=calls,
        opens=False,
    )
    answer = run("--workspace", breach.made.workspace.root, "notice", "send", breach.id)
    assert answer.code == 1
    assert says in answer.err
    assert not has_campaign(breach)
    assert relay.taken == []
