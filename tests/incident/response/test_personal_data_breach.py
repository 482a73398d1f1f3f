from pathlib import Path
from typing import Any

import pytest

from incident.ops.house import containment_catalogue
from incident.response import events as e
from incident.response.form import check, load
from incident.response.machine import advance, start
from incident.response.state import State
from tests.support.playbooks import measures_taken

SHIPPED = Path(__file__).parents[3] / "playbooks" / "personal-data-breach.yaml"
TEXT = SHIPPED.read_text(encoding="utf-8")


def begin(**given: str) -> tuple[State, list[e.Effect]]:
    return start(load(TEXT, name="p.yaml").playbook, given, run="R")


def answer(state: State, effect: Any, success: bool = True) -> tuple[State, list[e.Effect]]:
    where = {"visit": effect.visit, "index": effect.index}
    match effect:
        case e.RunCommand():
            event: e.Event = (
                e.CommandSucceeded(**where)
                if success
                else e.CommandFailed(**where, reason="no answer", ambiguous=True)
            )
        case e.DoInHouse():
            event = e.InHouseDone(**where)
        case e.AskApproval():
            event = e.Approved(**where, by=["li", "wang"]) if success else e.Rejected(**where, by="li")
        case _:
            event = e.PersonAnswered(**where, success=success, by="li")
    return advance(state, event)


def work(effects: list[e.Effect]) -> list[Any]:
    return [each for each in effects if not isinstance(each, e.WaitUntil | e.Withdraw)]


def test_it_has_nothing_to_complain_of() -> None:
    measures = pytest.importorskip(
        "incident.record.measures", reason="the catalogue of measures is not here yet"
    )
    found = check(
        TEXT,
        name="p.yaml",
        known_measures=frozenset(measures.measure_catalogue()),
        catalogue=containment_catalogue(),
    )
    assert [each.code for each in found] == ["undone-by-hand"], (
        "how the service opens an interface is not known"
    )


def test_every_text_that_people_read_is_in_both_languages() -> None:
    state, effects = begin()
    seen = []
    while not state.finished:
        effect = work(effects).pop(0)
        seen.append(effect)
        effects = [*work(effects)[1:]]
        state, more = answer(state, effect)
        effects += more
    for effect in seen:
        for texts in (
            effect.title,
            getattr(effect, "text", effect.title),
            getattr(effect, "who", effect.title),
        ):
            assert set(texts) == {"en", "zh-Hans"}
            assert all(texts.values())


def test_with_a_containment_service_the_whole_way_goes_through() -> None:
    state, effects = begin(__containment_url__="http://127.0.0.1:9/disable", __endpoint__="/v1/bills")
    before = state
    (call,) = work(effects)
    assert isinstance(call, e.RunCommand)
    assert call.variables == {
        "__containment_url__": "http://127.0.0.1:9/disable",
        "__endpoint__": "/v1/bills",
    }
    state, effects = answer(state, call)
    assert [names for _, names in measures_taken(before, state)] == [["contain.disable-endpoint"]]
    evidence, scope = effects
    state, effects = answer(state, evidence)
    assert effects == []
    state, (draft,) = answer(state, scope)
    assert isinstance(draft, e.DoInHouse)
    assert draft.params == {"task": "draft"}
    state, (report,) = answer(state, draft)
    assert isinstance(report, e.DoInHouse)
    assert report.extension == "regulator_report"
    state, (gate,) = answer(state, report)
    assert isinstance(gate, e.AskApproval)
    assert (gate.kind, gate.roles, gate.quorum, gate.separation_of_duties) == (
        "ask_approval",
        ["approver"],
        2,
        True,
    )
    state, (send,) = answer(state, gate)
    assert isinstance(send, e.DoInHouse)
    assert send.params == {"task": "send"}
    state, (finish,) = answer(state, send)
    assert finish == e.Finish(outcome=e.Outcome.succeeded)


def test_without_one_people_cut_it_off() -> None:
    _, (ask,) = begin()
    assert isinstance(ask, e.AskPerson)
    assert ask.measures == ["contain.disable-endpoint"]
    assert list(ask.wanted) == ["__contained_at__"]


@pytest.mark.parametrize("stopped", [True, False])
def test_a_failed_containment_is_tried_another_way_and_never_stops_the_notice(stopped: bool) -> None:
    state, effects = begin(__containment_url__="http://127.0.0.1:9/disable", __endpoint__="/v1/bills")
    state, effects = answer(state, work(effects)[0], success=False)
    (another,) = work(effects)
    assert "another way" in another.title["en"]
    before = state
    state, effects = answer(state, another, success=stopped)
    assert len(work(effects)) == 2
    assert measures_taken(before, state) == []


def test_a_rejected_release_sends_nothing() -> None:
    state, effects = begin()
    while not isinstance(effects[0], e.AskApproval):
        for effect in effects:
            state, more = answer(state, effect)
        effects = more
    state, (finish,) = answer(state, effects[0], success=False)
    assert isinstance(finish, e.Finish)
    assert finish.outcome is e.Outcome.failed
