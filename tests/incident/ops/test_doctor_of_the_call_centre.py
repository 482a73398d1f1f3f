"""What the call centre needs is known before the day, and what lies there afterwards is not forgotten."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from incident.carrier_settings import CallSettings
from incident.delivery.call_lists import DELETED, call_list, say_deleted
from incident.ops.doctor_call_centre import examine_call_centre
from incident.ops.examined import State
from incident.response.housework import House
from incident.settings import Fallback, Promises
from tests.support.breaches import make_breach
from tests.support.call_lists import CENTRE, by_phone_only, close, make_list, sent


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> House:
    return make_breach(tmp_path_factory.mktemp("house"), scope={"countries": ["cn"]}).house


def declared(
    house: House,
    *,
    means: tuple[str, ...] = ("email", "phone"),
    promises: Promises | None = None,
    **more: Any,
) -> House:
    settings = house.settings.model_copy(
        update={
            "calls": CallSettings.model_validate({"centre": {**CENTRE["centre"], **more}}),
            "fallback": Fallback.model_validate({"means": means}),
            "promises": promises or Promises(),
        }
    )
    return House(house.workspace, settings, house.store, house.clock)


def said(house: House) -> dict[str, tuple[State, str]]:
    return {each.what: (each.state, each.finding) for each in examine_call_centre(house)}


def test_without_a_call_centre_nothing_is_said(house: House) -> None:
    assert said(house) == {}


def test_one_that_is_ready_is_told_with_its_scripts(house: House) -> None:
    found = said(declared(house))
    assert {state for state, _ in found.values()} == {State.OK}
    assert "3 days" in found["call centre"][1]
    assert "zh-Hans" in found["call scripts"][1] and "en" in found["call scripts"][1]


def test_one_that_nothing_goes_to_is_told(house: House) -> None:
    [(state, finding)] = said(declared(house, means=("email",))).values()
    assert state is State.WARN and "no list is made" in finding


def test_one_without_a_contract_or_abroad_fails_with_the_promise(house: House) -> None:
    promises = Promises(keep_in=["cn"], wording={"en": "Your data stays in the country."})
    state, finding = said(declared(house, promises=promises, country="ph"))["call centre"]
    assert state is State.FAIL and "Your data stays in the country." in finding
    state, finding = said(declared(house, relation="entrusted"))["call centre"]
    assert state is State.FAIL and "no contract is named" in finding
    state, finding = said(declared(house, processor=""))["call centre"]
    assert state is State.FAIL and "calls.centre.processor" in finding


def test_a_language_without_a_script_is_told(house: House) -> None:
    workspace = house.settings.workspace.model_copy(update={"languages": ["en", "fr"]})
    asked = declared(house)
    asked = House(
        asked.workspace, asked.settings.model_copy(update={"workspace": workspace}), asked.store, asked.clock
    )
    findings = [each for each in examine_call_centre(asked) if each.what == "call scripts"]
    assert State.OK in {each.state for each in findings} and len(findings) == 2


def test_a_closed_list_is_told_until_it_is_deleted_there(tmp_path: Path) -> None:
    with sent(tmp_path, by_phone_only(1)) as breach:
        make_list(breach)
        assert "call lists" not in said(breach.house)
        close(breach)
        state, finding = said(breach.house)["call lists"]
        assert state is State.WARN and breach.id in finding
        made = breach.made
        with made.store.write(breach.id, kind=DELETED, actor="ana", now=made.clock()) as change:
            say_deleted(change, call_list(change.session, breach.id, 1), by="Li Na")
        assert "call lists" not in said(breach.house)
