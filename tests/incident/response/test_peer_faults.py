"""What a published CACAO engine gets wrong, fault by fault, and that ours does not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from incident.errors import BadInput, Refused
from incident.response import events as e
from incident.response.compile import compile_form
from incident.response.findings import NotRunnable
from incident.response.machine import advance, start
from incident.response.model import Playbook, StepType, dump
from incident.response.runner import runs_of
from tests.support import runs
from tests.support.breaches import make_breach
from tests.support.playbooks import Builder, form_of
from tests.support.services import CalledService

END = {"type": "end"}
TEXT = {"playbook_variables": {"__t__": {"type": "string", "external": True, "value": "bad"}}}
CHILD = "playbook--5b7d6b5a-0c2f-4f38-9a3c-0d6b2f6f3a11"


def manual(text: str = "do it", **more: Any) -> dict[str, Any]:
    return {"type": "action", "agent": "people", "commands": [{"type": "manual", "command": text}], **more}


def straight(step: dict[str, Any], **more: Any) -> dict[str, Any]:
    routes = {"on_success": "good", "on_failure": "bad"}
    return {
        "start": {"type": "start", "on_completion": "do"},
        "do": {**step, **(more or routes)},
        "good": manual("good", on_completion="end"),
        "bad": manual("bad", on_completion="end"),
        "end": END,
    }


def only(effects: list[e.Effect]) -> Any:
    assert len(effects) == 1, effects
    return effects[0]


def says(effects: list[e.Effect]) -> list[str]:
    return [each.text["en"] for each in effects if isinstance(each, e.AskPerson)]


def answered(effect: Any, *, success: bool) -> e.PersonAnswered:
    return e.PersonAnswered(visit=effect.visit, index=effect.index, success=success, by="li")


def child() -> Playbook:
    steps = {
        "start": {"type": "start", "on_completion": "in"},
        "in": manual("in __t__:value", out_args=["__t__"], on_completion="end"),
        "end": END,
    }
    variables = {
        "__t__": {"type": "string", "external": True, "value": "own"},
        "__u__": {"type": "string", "value": "own"},
    }
    form = form_of(steps, playbook_variables=variables) | {"id": CHILD, "name": "child"}
    return Playbook.model_validate(compile_form(form))


# -- steps -------------------------------------------------------------------------------------------


def test_all_eight_step_types_run_and_none_is_skipped(build: Builder) -> None:
    steps = {
        "start": {"type": "start", "on_completion": "both"},
        "both": {"type": "parallel", "next_steps": ["if", "while"], "on_completion": "switch"},
        "if": {
            "type": "if-condition",
            "condition": "__t__:value = 'bad'",
            "on_true": "in-if",
            "on_completion": "if-end",
        },
        "in-if": manual("in if", on_completion="in-if-end"),
        "in-if-end": END,
        "if-end": END,
        "while": {
            "type": "while-condition",
            "condition": "__t__:value = 'bad'",
            "on_true": "in-while",
            "on_completion": "while-end",
            "step_extensions": {"loop": {"most_rounds": 1}},
            "on_failure": "while-end",
        },
        "in-while": manual("in while", on_completion="in-while-end"),
        "in-while-end": END,
        "while-end": END,
        "switch": {
            "type": "switch-condition",
            "switch": "__t__:value",
            "cases": {"bad": "call"},
            "on_completion": "end",
        },
        "call": {"type": "playbook-action", "playbook_id": CHILD, "on_completion": "call-end"},
        "call-end": END,
        "end": END,
    }
    del steps["while"]["on_completion"]
    steps["while"]["on_success"] = "while-end"
    playbook = build(steps, **TEXT)
    assert {step.type for step in playbook.workflow.values()} == set(StepType)
    state, effects = start(playbook, {}, run="R", children={CHILD: child()})
    seen = []
    while not state.finished:
        asked = next(each for each in effects if isinstance(each, e.AskPerson))
        seen.append(asked.text["en"])
        waiting = [each for each in effects if each is not asked]
        state, effects = advance(state, answered(asked, success=True))
        effects = [*waiting, *effects]
    assert seen == ["in if", "in while", "in own"]
    assert state.outcome is e.Outcome.succeeded


def test_an_unknown_step_type_or_command_is_refused_before_the_start(build: Builder) -> None:
    for step in (
        {"type": "teleport"},
        {"type": "action", "agent": "machine", "commands": [{"type": "caldera-cmd", "command": "x"}]},
    ):
        with pytest.raises(NotRunnable):
            start(build(straight(step)), {}, run="R")


def test_a_called_playbook_sees_only_in_args_and_the_stored_one_keeps_its_values_and_external(
    build: Builder,
) -> None:
    stored, before = child(), dump(child())
    call = {"type": "playbook-action", "playbook_id": CHILD}
    parent = TEXT["playbook_variables"] | {"__u__": {"type": "string", "value": "parent's"}}
    state, effects = start(
        build(straight(call), playbook_variables=parent), {}, run="R", children={CHILD: stored}
    )
    assert says(effects) == ["in own"]
    [called] = state.called.values()
    assert called.variables == {"__t__": "own", "__u__": "own"}
    event = e.PersonAnswered(visit=only(effects).visit, success=True, by="li", values={"__t__": "changed"})
    state, _ = advance(state, event)
    assert state.variables == {"__t__": "bad", "__u__": "parent's"}
    assert dump(stored) == dump(state.children[CHILD]) == before
    assert stored.playbook_variables["__t__"].external


# -- routes ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("success", [True, False])
def test_on_success_and_on_failure_are_each_followed_and_on_completion_only_after_success(
    build: Builder, success: bool
) -> None:
    state, effects = start(build(straight(manual())), {}, run="R")
    _, effects = advance(state, answered(only(effects), success=success))
    assert says(effects) == ["good" if success else "bad"]
    state, effects = start(build(straight(manual(), on_completion="good")), {}, run="R")
    state, effects = advance(state, answered(only(effects), success=success))
    assert says(effects) == (["good"] if success else [])
    assert state.outcome is (None if success else e.Outcome.failed)


def test_the_exception_route_of_the_workflow_is_followed(build: Builder) -> None:
    playbook = build(straight(manual(), on_completion="good"), workflow_exception="bad")
    state, effects = start(playbook, {}, run="R")
    _, effects = advance(state, answered(only(effects), success=False))
    assert says(effects) == ["bad"]


# -- people ------------------------------------------------------------------------------------------


def test_an_action_without_targets_addresses_its_agent(build: Builder) -> None:
    _, effects = start(build(straight(manual())), {}, run="R")
    assert only(effects).who == {"en": "People"}
    call = {"type": "action", "agent": "machine", "commands": [{"type": "http-api", "command": "GET / HTTP/1.1"}]}
    _, effects = start(build(straight(call)), {}, run="R")
    assert only(effects).agent.name == "Machine"


def test_an_approval_without_targets_waits_for_people(build: Builder) -> None:
    gate = manual("agree?", step_extensions={"approval": {"approver_roles": ["approver"]}})
    state, effects = start(build(straight(gate)), {}, run="R")
    assert isinstance(only(effects), e.AskApproval)
    assert [each.awaits for each in state.waiting()] == ["approval"]


def test_a_manual_step_answered_failure_is_no_success(build: Builder) -> None:
    state, effects = start(build(straight(manual())), {}, run="R")
    _, effects = advance(state, answered(only(effects), success=False))
    assert says(effects) == ["bad"]


# -- conditions --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ("__t__:value = 'bad'", True),
        ("__t__:value='bad'", True),
        ("__t__:value = 'good'", False),
        ("__t__:value = 'good' OR __t__:value = 'bad'", True),
        ("__t__:value = 'bad' AND __t__:value != 'bad'", False),
        ("__t__:value LIKE 'b%'", True),
        ("__t__:value IN ('very bad', 'worse')", False),
        ("__t__:value IN ('bad', 'worse')", True),
        ("NOT __t__:value = 'bad'", False),
        ("__n__:value > 9", True),
    ],
)
def test_conditions_are_decided_as_the_standard_writes_them(
    build: Builder, condition: str, holds: bool
) -> None:
    steps = straight({"type": "if-condition", "condition": condition, "on_true": "yes"}, on_completion="good")
    steps |= {"yes": manual("yes", on_completion="yes-end"), "yes-end": END}
    variables = TEXT["playbook_variables"] | {"__n__": {"type": "integer", "value": "10"}}
    _, effects = start(build(steps, playbook_variables=variables), {}, run="R")
    assert says(effects) == (["yes"] if holds else ["good"])


# -- what must not run, or must not change -----------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ("revoked: true", "revoked"),
        ("valid_until: 2026-01-01T00:00:00.000Z", "was valid until"),
        ("valid_from: 2031-01-01T00:00:00.000Z", "is valid from"),
    ],
)
@pytest.mark.parametrize("called", [False, True])
def test_what_is_revoked_expired_or_not_yet_valid_does_not_start_nor_is_it_called(
    tmp_path: Path, words: str, why: str, called: bool
) -> None:
    breach = make_breach(tmp_path)
    text = ASKS.format(id=CHILD, name="Stale", words=words)
    runs.install(breach.made.workspace.root, "stale", text)
    runs.install(breach.made.workspace.root, "calls", CALLS)
    with pytest.raises(NotRunnable, match=why):
        runs.start(breach, name="calls" if called else "stale", given={"__x__": "1"})
    with breach.made.store.read() as session:
        assert runs_of(session) == []


ASKS = """
id: {id}
name: {name}
created_by: identity--92efc06a-8fbe-4c9d-8f66-8f3aef5c2702
created: 2025-11-20
{words}
playbook_variables:
  __x__: {{type: integer, external: true, value: "0"}}
agent_definitions:
  people: {{type: group, name: People}}
workflow:
  start: {{type: start, on_completion: look}}
  look:
    type: action
    agent: people
    commands: [{{type: manual, command: look}}]
    on_completion: end
  end: {{type: end}}
"""
CALLS = f"""
name: Calls
created_by: identity--92efc06a-8fbe-4c9d-8f66-8f3aef5c2702
created: 2025-11-20
playbook_variables:
  __x__: {{type: integer, external: true, value: "0"}}
workflow:
  start: {{type: start, on_completion: call}}
  call: {{type: playbook-action, playbook_id: {CHILD}, in_args: [__x__], on_completion: end}}
  end: {{type: end}}
"""


def test_a_constant_is_never_overwritten(build: Builder) -> None:
    constant = {"__t__": {"type": "string", "constant": True, "value": "kept"}}
    playbook = build(straight(manual(out_args=["__t__"])), playbook_variables=constant)
    with pytest.raises(NotRunnable, match="constant"):
        start(playbook, {}, run="R")
    external = {"__t__": {"type": "string", "constant": True, "external": True, "value": "kept"}}
    with pytest.raises(Refused, match="constant"):
        start(build(straight(manual()), playbook_variables=external), {"__t__": "x"}, run="R")


def test_a_variable_cannot_break_out_of_where_it_stands(build: Builder) -> None:
    step = {
        "type": "action",
        "agent": "machine",
        "commands": [
            {
                "type": "http-api",
                "command": "POST /u/__t__:value HTTP/1.1",
                "headers": {"Content-Type": ["application/json"]},
                "content": '{"a": "__t__:value"}',
            }
        ],
    }
    evil = '../x?y=1#", "admin": true'
    state, effects = start(build(straight(step), **TEXT), {"__t__": evil}, run="R")
    from incident.response.commands import kind_of

    call = only(effects)
    prepared = kind_of(call.command).prepare(call.command, call.agent, call.variables, call.declared)
    assert "admin" not in prepared.request.replace("%22admin%22", "") and "?" not in prepared.request
    assert '"admin": true' not in prepared.content.replace('\\"', "")


# -- time, and restarts ------------------------------------------------------------------------------

SLOW = """
name: Slow
created_by: identity--92efc06a-8fbe-4c9d-8f66-8f3aef5c2702
created: 2025-11-20
playbook_variables:
  __url__: {{type: uri, external: true}}
agent_definitions:
  machine: {{type: http-api, name: Machine, address: {{url: ["__url__:value"]}}}}
  people: {{type: group, name: People}}
workflow:
  start: {{type: start, on_completion: close}}
  close:
    type: action
    agent: machine
    {limit}
    commands:
      - type: http-api
        command: POST / HTTP/1.1
        headers: {{Content-Type: [application/json]}}
        content: '{{"close": true}}'
    on_success: good
    on_failure: bad
  good:
    type: action
    agent: people
    commands: [{{type: manual, command: good}}]
    on_completion: end
  bad:
    type: action
    agent: people
    commands: [{{type: manual, command: bad}}]
    on_completion: end
  end: {{type: end}}
"""


def test_the_time_limit_of_a_step_holds_for_a_call_over_http_and_a_slow_one_is_no_success(
    tmp_path: Path,
) -> None:
    breach = make_breach(tmp_path)
    runs.install(breach.made.workspace.root, "slow", SLOW.format(limit="timeout: 200"))
    with CalledService() as service:
        service.hold.set()
        running = runs.start(breach, name="slow", given={"__url__": service.url})
        running.work()
        # It may have been carried out, so a person says; until then nothing goes on.
        asked = running.waits_about_calls()["close"]
    assert "0.2 s" in asked.detail
    running.found_out("close", e.CallOutcome.failed)
    running.work()
    assert running.waiting() == {"bad"}


def test_a_delay_is_waited_for(tmp_path: Path) -> None:
    breach = make_breach(tmp_path)
    runs.install(breach.made.workspace.root, "slow", SLOW.format(limit="delay: 60000"))
    with CalledService() as service:
        running = runs.start(breach, name="slow", given={"__url__": service.url})
        running.work()
        assert service.asked == []
        breach.later(seconds=61)
        running.work()
        assert len(service.asked) == 1
    assert running.waiting() == {"good"}


def test_runs_that_are_not_finished_go_on_after_a_restart_and_none_is_lost(tmp_path: Path) -> None:
    from incident.ops.worker import Worker
    from incident.response.housework import House
    from incident.store.opening import open_store
    from tests.support.breaches import QUICK

    breach = make_breach(tmp_path)
    runs.install(breach.made.workspace.root, "slow", SLOW.format(limit="delay: 1000"))
    with CalledService() as service:
        started = [runs.start(breach, name="slow", given={"__url__": service.url}) for _ in range(5)]
        breach.later(seconds=2)
        # Nothing is taken over but the workspace: another store, another house, another worker.
        made = breach.made
        store = open_store(made.workspace, made.settings)
        house = House(made.workspace, made.settings, store, made.clock)
        calls: list[str] = []
        worker = Worker(house, patience=QUICK, on_step=lambda run, effect, result: calls.append(effect.kind))
        worker.work_until(lambda: calls.count("run_command") == len(started))
        assert len(service.asked) == len(started)
    assert [each.waiting() for each in started] == [{"good"}] * len(started)


def test_a_value_that_does_not_fit_is_refused_at_the_start(build: Builder) -> None:
    with pytest.raises(BadInput):
        start(build(straight(manual())), {"__nowhere__": "1"}, run="R")
