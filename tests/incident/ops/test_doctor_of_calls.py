"""What calls by machine need is known before the day: the account, the number, words and voices, and hours that come."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from incident.carrier_settings import CallSettings
from incident.ops.doctor_calls import examine_calls
from incident.ops.examined import Examined, State
from incident.response.housework import House
from incident.settings import Fallback, Promises
from tests.support.breaches import make_breach
from tests.support.call_sendings import voice_settings
from tests.support.twilio.api import TwilioApi
from tests.support.twilio.script import CALLER, KEY_SECRET, Options
from tests.support.twilio.server import twilio_api

CALLBACKS = "https://notices.example/receipts/calls"


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> House:
    return make_breach(tmp_path_factory.mktemp("house"), scope={"countries": ["cn"]}).house


@pytest.fixture
def api() -> Iterator[TwilioApi]:
    with twilio_api(balance="99") as running:
        yield running


def declared(
    house: House,
    port: int,
    folder: Path,
    *,
    means: tuple[str, ...] = ("email", "phone"),
    promises: Promises | None = None,
    languages: tuple[str, ...] = (),
    quiet_hours: str = "",
    **more: Any,
) -> House:
    table = voice_settings(port, CALLBACKS, folder, **more)
    settings = house.settings
    workspace = settings.workspace.model_copy(update={"languages": languages or settings.workspace.languages})
    settings = settings.model_copy(
        update={
            "calls": CallSettings.model_validate(table),
            "fallback": Fallback.model_validate({"means": means}),
            "promises": promises or Promises(),
            "workspace": workspace,
            "waves": settings.waves.model_copy(update={"quiet_hours": quiet_hours}),
        }
    )
    return House(house.workspace, settings, house.store, house.clock)


def found(house: House, what: str) -> list[Examined]:
    return [each for each in examine_calls(house) if each.what == what]


def faults(house: House) -> list[Examined]:
    return [each for each in examine_calls(house) if each.state is not State.OK]


def test_an_account_that_is_ready_is_no_finding_and_calls_nobody(
    house: House, api: TwilioApi, tmp_path: Path
) -> None:
    looked_at = declared(house, api.port, tmp_path)
    assert faults(looked_at) == []
    [one] = found(looked_at, "calls by machine")
    assert one.finding.endswith("Twilio Inc., us: the account is active, the number is its own")
    [callbacks] = found(looked_at, "call callbacks")
    assert CALLBACKS in callbacks.finding and "not looked at" in callbacks.finding
    assert api.calls.called == []


@pytest.mark.parametrize(
    ("options", "state", "says"),
    [
        (Options(account_status="suspended"), State.FAIL, "suspended"),
        (Options(account_type="Trial"), State.WARN, "on trial"),
        (Options(incoming={}), State.FAIL, "neither one of the account's"),
        (Options(incoming={CALLER: False}), State.FAIL, "neither one of the account's"),
        (Options(balance="0"), State.FAIL, "nobody is called"),
    ],
)
def test_what_keeps_people_from_being_called_is_said(
    house: House, tmp_path: Path, options: Options, state: State, says: str
) -> None:
    with twilio_api(**vars_of(options)) as api:
        [one] = faults(declared(house, api.port, tmp_path))
    assert (one.state, says in one.finding) == (state, True)
    assert one.next_step


def vars_of(options: Options) -> dict[str, Any]:
    usual = Options()
    return {
        name: getattr(options, name)
        for name in ("account_status", "account_type", "incoming", "balance")
        if getattr(options, name) != getattr(usual, name)
    }


def test_a_key_that_is_told_nothing_is_no_finding(house: House, tmp_path: Path) -> None:
    with twilio_api(forbidden=("IncomingPhoneNumbers",)) as api:
        looked_at = declared(house, api.port, tmp_path)
        assert faults(looked_at) == []
        [one] = found(looked_at, "calls by machine")
    assert "may not ask of the number" in one.finding


def test_a_secret_that_is_missing_is_said_and_twilio_is_not_asked(
    house: House, api: TwilioApi, tmp_path: Path
) -> None:
    for missing in (None, "env:NOT_SET_ANYWHERE"):
        [one] = faults(declared(house, api.port, tmp_path, secret=missing))
        assert one.state is State.FAIL
        assert KEY_SECRET not in one.finding
    assert api.requests == []


def test_settings_that_contradict_each_other_are_said(house: House, api: TwilioApi, tmp_path: Path) -> None:
    [one] = faults(declared(house, api.port, tmp_path, region="ie1"))
    assert "region and edge" in one.finding
    [one] = faults(declared(house, api.port, tmp_path, ca_file="nowhere.pem"))
    assert "nowhere.pem" in one.finding


def test_a_promise_that_calls_would_break_is_quoted(house: House, api: TwilioApi, tmp_path: Path) -> None:
    promises = Promises(keep_in=["cn"], wording={"en": "We keep your data in China."})
    [one] = faults(declared(house, api.port, tmp_path, promises=promises))
    assert (one.state, "We keep your data in China." in one.finding) == (State.FAIL, True)
    assert api.requests == []


def test_a_missing_library_is_named(
    house: House, api: TwilioApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "twilio", None)
    [one] = faults(declared(house, api.port, tmp_path))
    assert "tocsin[twilio]" in one.next_step


def test_twilio_that_does_not_answer_is_said(house: House, tmp_path: Path) -> None:
    [one] = faults(declared(house, 9, tmp_path))
    assert (one.what, one.state) == ("calls by machine", State.FAIL)


def test_a_language_that_no_voice_speaks_is_left_to_people(
    house: House, api: TwilioApi, tmp_path: Path
) -> None:
    [one] = faults(declared(house, api.port, tmp_path, voices={"xx": "Polly.Joanna"}))
    assert "xx" in one.finding
    [texts] = found(declared(house, api.port, tmp_path, voices={"en": "Polly.Amy"}), "call texts")
    assert texts.state is State.OK


def test_hours_that_never_come_are_said(house: House, api: TwilioApi, tmp_path: Path) -> None:
    looked_at = declared(house, api.port, tmp_path, hours="23:00-07:00", quiet_hours="22:00-08:00")
    [one] = faults(looked_at)
    assert (one.what, one.state) == ("calling hours", State.FAIL)
    assert faults(declared(house, api.port, tmp_path, hours="23:00-08:01", quiet_hours="22:00-08:00")) == []


def test_what_is_declared_and_not_used_is_said(house: House, api: TwilioApi, tmp_path: Path) -> None:
    [one] = examine_calls(declared(house, api.port, tmp_path, means=("email", "letter")))
    assert (one.state, "nobody is called" in one.finding) == (State.WARN, True)


def test_where_people_call_there_is_nothing_to_mend(house: House) -> None:
    assert faults(house) == []
