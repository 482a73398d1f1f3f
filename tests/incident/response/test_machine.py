import json
from typing import Any

import pytest

from incident.errors import BadInput
from incident.response import events as e
from incident.response.findings import NotRunnable
from incident.response.machine import advance, start
from incident.response.model import Playbook
from incident.response.state import State, from_json, to_json
from tests.support.playbooks import Builder, measures_taken


def manual(text: str = "do it", **more: Any) -> dict[str, Any]:
    return {"type": "action", "agent": "people", "commands": [{"type": "manual", "command": text}], **more}


def http(**more: Any) -> dict[str, Any]:
    commands = [{"type": "http-api", "command": "POST /x HTTP/1.1"}]
    return {"type": "action", "agent": "machine", "commands": commands, **more}


APPROVAL = {"approval": {"approver_roles": ["approver"], "quorum": 2, "subject": "notice"}}
END = {"type": "end"}


def straight(step: dict[str, Any]) -> dict[str, Any]:
    return {
        "start": {"type": "start", "on_completion": "do"},
        "do": {"on_completion": "end", **step},
        "end": END,
    }


def with_failure(step: dict[str, Any]) -> dict[str, Any]:
    return {
        "start": {"type": "start", "on_completion": "do"},
        "do": {**step, "on_success": "end", "on_failure": "repair"},
        "repair": manual("repair", on_completion="end"),
        "end": END,
    }


def kinds(effects: list[e.Effect]) -> list[str]:
    return [each.kind for each in effects]


def only(effects: list[e.Effect]) -> Any:
    assert len(effects) == 1, effects
    return effects[0]


def visit_of(effect: e.Effect) -> str:
    assert not isinstance(effect, e.Finish)
    return effect.visit


def done(ask: Any, **more: Any) -> e.PersonAnswered:
    return e.PersonAnswered(visit=ask.visit, index=ask.index, success=True, by="li", **more)


def refused(ask: Any) -> e.PersonAnswered:
    return e.PersonAnswered(visit=ask.visit, index=ask.index, success=False, by="li")


def run(playbook: Playbook, **given: str) -> tuple[State, list[e.Effect]]:
    return start(playbook, given, run="RUN-1")


def test_a_manual_command_asks_the_agent_where_there_are_no_targets(build: Builder) -> None:
    state, effects = run(build(straight(manual("close it"))))
    ask = only(effects)
    assert isinstance(ask, e.AskPerson)
    assert (ask.text, ask.who, ask.visit) == ({"en": "close it"}, {"en": "People"}, "RUN-1-2")
    state, effects = advance(state, done(ask))
    assert only(effects) == e.Finish(outcome=e.Outcome.succeeded)
    assert state.finished


def test_commands_run_in_order_each_at_every_target(build: Builder) -> None:
    machines = {
        name: {"type": "http-api", "name": name, "address": {"dname": [f"{name}.example"]}}
        for name in ("one", "two")
    }
    step = http(targets=["one", "two"])
    step["commands"].append({"type": "manual", "command": "look"})
    state, effects = run(build(straight(step), target_definitions=machines))
    seen = []
    while isinstance(effects[0], e.RunCommand):
        command = only(effects)
        seen.append((command.index, command.agent.name))
        state, effects = advance(state, e.CommandSucceeded(visit=command.visit, index=command.index))
    assert seen == [(0, "one"), (1, "two")]
    assert only(effects).kind == "ask_person"


def test_a_late_second_answer_does_not_count_for_the_next_command(build: Builder) -> None:
    step = http()
    step["commands"].append({"type": "http-api", "command": "POST /y HTTP/1.1"})
    state, effects = run(build(straight(step)))
    first = e.CommandSucceeded(visit=only(effects).visit, index=0)
    state, effects = advance(state, first)
    assert only(effects).index == 1
    again, effects = advance(state, first)
    assert (again, effects) == (state, [])


@pytest.mark.parametrize("kind", ["person", "command", "rejection", "timeout", "in_house"])
def test_every_kind_of_failure_takes_the_failure_route(build: Builder, kind: str) -> None:
    step = {
        "person": manual(),
        "command": http(),
        "rejection": manual(step_extensions=APPROVAL),
        "timeout": manual(timeout=1000),
        "in_house": manual(step_extensions={"notice": {"task": "draft"}}),
    }[kind]
    state, effects = run(build(with_failure(step)))
    visit = visit_of(effects[0])
    events: dict[str, e.Event] = {
        "person": e.PersonAnswered(visit=visit, success=False, by="li"),
        "command": e.CommandFailed(visit=visit, reason="HTTP 500", ambiguous=True),
        "rejection": e.Rejected(visit=visit, by="li"),
        "timeout": e.TimerFired(visit=visit, purpose=e.TimerPurpose.timeout),
        "in_house": e.InHouseFailed(visit=visit, reason="no record"),
    }
    state, effects = advance(state, events[kind])
    assert isinstance(effects[-1], e.AskPerson)
    assert effects[-1].text == {"en": "repair"}
    assert ("withdraw" in kinds(effects)) == (kind == "timeout")


def test_on_completion_is_not_followed_after_a_failure(build: Builder) -> None:
    state, effects = run(build(straight(manual())))
    state, effects = advance(state, refused(only(effects)))
    assert only(effects) == e.Finish(outcome=e.Outcome.failed, reason="li answered: failure")


def test_the_exception_route_runs_once_and_the_run_is_then_handled(build: Builder) -> None:
    steps = straight(manual()) | {"tell": manual("tell the lead", on_completion="told"), "told": END}
    playbook = build(steps, workflow_exception="tell")
    state, effects = run(playbook)
    state, effects = advance(state, refused(only(effects)))
    tell = only(effects)
    assert tell.text == {"en": "tell the lead"}
    _, effects = advance(state, done(tell))
    assert only(effects).outcome is e.Outcome.handled
    _, effects = advance(state, refused(tell))
    assert only(effects).outcome is e.Outcome.failed


def branches(**more: Any) -> dict[str, Any]:
    return {
        "start": {"type": "start", "on_completion": "both"},
        "both": {"type": "parallel", "next_steps": ["left", "right"], **(more or {"on_completion": "after"})},
        "left": manual("left", on_completion="left-end"),
        "left-end": END,
        "right": manual("right", step_extensions=APPROVAL, on_completion="right-end"),
        "right-end": END,
        "after": manual("after", on_completion="end"),
        "end": END,
    }


def test_a_parallel_step_waits_for_all_branches_also_with_a_gate_in_one(build: Builder) -> None:
    state, effects = run(build(branches()))
    left, right = effects
    assert isinstance(right, e.AskApproval)
    state, effects = advance(state, done(left))
    assert effects == []
    assert [visit.id for visit in state.waiting()] == [right.visit]
    state, effects = advance(state, e.Approved(visit=right.visit, by=["li", "wang"]))
    assert only(effects).text == {"en": "after"}


def test_a_parallel_step_with_a_failed_branch_still_waits_and_then_fails(build: Builder) -> None:
    playbook = build(branches(on_success="end", on_failure="after"))
    state, (left, right) = run(playbook)
    state, effects = advance(state, refused(left))
    assert effects == []
    state, effects = advance(state, e.Approved(visit=visit_of(right), by=["li", "wang"]))
    assert only(effects).text == {"en": "after"}


def test_the_exception_route_is_not_told_twice_of_one_failure(build: Builder) -> None:
    steps = branches() | {"tell": manual("tell", on_completion="told"), "told": END}
    state, (left, right) = run(build(steps, workflow_exception="tell"))
    state, effects = advance(state, refused(left))
    tell = only(effects)
    state, effects = advance(state, done(tell))
    assert effects == []
    state, effects = advance(state, e.Approved(visit=visit_of(right), by=["li", "wang"]))
    assert only(effects).outcome is e.Outcome.handled


def test_a_timeout_of_a_parallel_step_takes_its_branches_back(build: Builder) -> None:
    state, effects = run(build(branches(timeout=5, on_success="end", on_failure="after")))
    timer, left, right = effects
    assert isinstance(timer, e.WaitUntil)
    assert (timer.kind, timer.in_ms) == ("wait_until", 5)
    state, effects = advance(state, e.TimerFired(visit=timer.visit, purpose=e.TimerPurpose.timeout))
    assert [each.visit for each in effects if isinstance(each, e.Withdraw)] == [
        visit_of(left),
        visit_of(right),
    ]
    assert only([each for each in effects if isinstance(each, e.AskPerson)]).text == {"en": "after"}
    assert advance(state, done(left)) == (state, [])


def test_only_enough_different_people_approve(build: Builder) -> None:
    state, effects = run(build(straight(manual("agree?", step_extensions=APPROVAL))))
    ask = only(effects)
    assert (ask.kind, ask.roles, ask.quorum, ask.subject) == ("ask_approval", ["approver"], 2, "notice")
    for by in (["li"], ["li", "li"], []):
        with pytest.raises(BadInput, match="2 different people"):
            advance(state, e.Approved(visit=ask.visit, by=by))
    for event in (done(ask), e.CommandSucceeded(visit=ask.visit), e.InHouseDone(visit=ask.visit)):
        assert advance(state, event) == (state, [])
    state, effects = advance(state, e.Approved(visit=ask.visit, by=["li", "wang"]))
    assert only(effects).outcome is e.Outcome.succeeded


def test_nothing_runs_before_the_approval_of_its_step(build: Builder) -> None:
    step = http(step_extensions=APPROVAL)
    step["commands"].insert(0, {"type": "manual", "command": "Shut it down?"})
    state, effects = run(build(straight(step)))
    ask = only(effects)
    assert (ask.kind, ask.text) == ("ask_approval", {"en": "Shut it down?"})
    state, effects = advance(state, e.Approved(visit=ask.visit, by=["li", "wang"]))
    assert (only(effects).kind, only(effects).index) == ("run_command", 1)


def test_in_house_work_takes_the_place_of_its_manual_wording(build: Builder) -> None:
    state, effects = run(build(straight(manual(step_extensions={"notice": {"task": "send"}}))))
    work = only(effects)
    assert (work.kind, work.extension, work.params) == ("do_in_house", "notice", {"task": "send"})
    assert advance(state, done(work)) == (state, [])
    state, effects = advance(state, e.InHouseDone(visit=work.visit))
    assert state.outcome is e.Outcome.succeeded


def test_a_delay_waits_before_the_step_begins_and_the_timeout_counts_from_then(build: Builder) -> None:
    state, effects = run(build(straight(manual(delay=10, timeout=20))))
    timer = only(effects)
    assert (timer.purpose, timer.in_ms) == ("delay", 10)
    assert advance(state, e.TimerFired(visit=timer.visit, purpose=e.TimerPurpose.timeout)) == (state, [])
    fired = e.TimerFired(visit=timer.visit, purpose=e.TimerPurpose.delay)
    state, effects = advance(state, fired)
    assert kinds(effects) == ["wait_until", "ask_person"]
    assert advance(state, fired) == (state, [])


def condition(source: str, **more: Any) -> dict[str, Any]:
    return {
        "start": {"type": "start", "on_completion": "if"},
        "if": {"type": "if-condition", "condition": source, "on_true": "yes", "on_completion": "end", **more},
        "yes": manual("yes", on_completion="yes-end"),
        "yes-end": END,
        "end": END,
    }


VARIABLE = {"playbook_variables": {"__v__": {"type": "integer", "external": True, "value": None}}}


@pytest.mark.parametrize(("value", "branch"), [("10", True), ("3", False)])
def test_a_condition_chooses_its_branch_by_the_declared_type(
    build: Builder, value: str, branch: bool
) -> None:
    _, effects = run(build(condition("__v__:value > 9"), **VARIABLE), __v__=value)
    assert kinds(effects) == (["ask_person"] if branch else ["finish"])


@pytest.mark.parametrize("source", ["__v__:value > 9", "verdict == 'malicious'"])
def test_a_condition_that_cannot_be_decided_is_asked_of_a_person(build: Builder, source: str) -> None:
    state, effects = run(build(condition(source), **VARIABLE))
    ask = only(effects)
    assert (ask.kind, ask.condition) == ("ask_condition", source)
    assert ask.reason
    assert advance(state, done(ask)) == (state, [])
    _, effects = advance(state, e.ConditionAnswered(visit=ask.visit, holds=True, by="li"))
    assert only(effects).text == {"en": "yes"}
    _, effects = advance(state, e.ConditionAnswered(visit=ask.visit, holds=False, by="li"))
    assert only(effects).outcome is e.Outcome.succeeded


def test_a_steps_output_goes_to_its_out_args_and_on_to_the_next_step(build: Builder) -> None:
    steps = {
        "start": {"type": "start", "on_completion": "look"},
        "look": manual("how many?", out_args=["__v__"], on_completion="tell"),
        "tell": manual("there are __v__:value", on_completion="end"),
        "end": END,
    }
    state, effects = run(build(steps, **VARIABLE))
    ask = only(effects)
    assert list(ask.wanted) == ["__v__"]
    for values in ({"__w__": "1"}, {"__v__": "many"}):
        with pytest.raises(BadInput):
            advance(state, done(ask, values=values))
    state, effects = advance(state, done(ask, values={"__v__": "7"}))
    assert state.variables["__v__"] == "7"
    assert only(effects).text == {"en": "there are 7"}


def test_a_commands_answer_that_does_not_fit_fails_the_step(build: Builder) -> None:
    step = http(out_args=["__v__"])
    state, effects = run(build(with_failure(step), **VARIABLE))
    visit = only(effects).visit
    _, effects = advance(state, e.CommandSucceeded(visit=visit, values={"__v__": "many"}))
    assert only(effects).text == {"en": "repair"}
    kept, _ = advance(state, e.CommandSucceeded(visit=visit, values={"__v__": "7", "__w__": "8"}))
    assert kept.variables == {"__v__": "7"}


def test_a_steps_own_variable_stands_before_the_playbooks_and_ends_with_the_step(build: Builder) -> None:
    own = {"__v__": {"type": "integer", "value": "1"}}
    step = manual("it is __v__:value", step_variables=own, out_args=["__v__"])
    step["commands"].append({"type": "manual", "command": "now __v__:value"})
    state, effects = run(build(straight(step), **VARIABLE), __v__="5")
    assert only(effects).text == {"en": "it is 1"}
    state, effects = advance(state, done(only(effects), values={"__v__": "2"}))
    assert only(effects).text == {"en": "now 2"}
    assert state.variables == {"__v__": "5"}


def test_a_command_without_a_value_it_needs_fails_instead_of_running(build: Builder) -> None:
    _, effects = run(build(with_failure(manual("close __v__:value")), **VARIABLE))
    assert only(effects).text == {"en": "repair"}


def test_a_command_effect_holds_all_that_the_call_needs(build: Builder) -> None:
    step = http(
        step_extensions={"containment_action": {"action_ids": ["contain.disable-endpoint"]}}, timeout=5000
    )
    step["commands"][0]["content"] = '{"n": __v__:value}'
    state, effects = run(build(straight(step), **VARIABLE), __v__="5")
    assert kinds(effects) == ["wait_until", "run_command"]
    command = effects[1]
    assert isinstance(command, e.RunCommand)
    assert (command.variables, command.timeout_ms) == ({"__v__": "5"}, 5000)
    assert command.measures == ["contain.disable-endpoint"]
    assert e.EFFECT.validate_json(e.EFFECT.dump_json(command)) == command
    after, _ = advance(state, e.CommandSucceeded(visit=command.visit))
    assert measures_taken(None, state) == []
    assert [(visit.id, names) for visit, names in measures_taken(state, after)] == [
        (command.visit, ["contain.disable-endpoint"])
    ]
    assert measures_taken(after, after) == []
    failed, _ = advance(state, e.CommandFailed(visit=command.visit, reason="x"))
    assert measures_taken(state, failed) == []


def test_cancelling_takes_back_what_is_open_and_nothing_more_happens(build: Builder) -> None:
    state, (left, _) = run(build(branches()))
    state, effects = advance(state, e.Cancelled(by="li", reason="false alarm"))
    assert kinds(effects) == ["withdraw", "withdraw", "finish"]
    assert effects[-1] == e.Finish(outcome=e.Outcome.cancelled, reason="false alarm")
    assert advance(state, done(left)) == (state, [])
    assert advance(state, e.Cancelled(by="li")) == (state, [])
    assert state.waiting() == []


def test_what_cannot_be_run_does_not_start(build: Builder) -> None:
    with pytest.raises(NotRunnable):
        run(build(straight({"type": "while-condition", "condition": "__v__:value = 1", "on_true": "end"})))


def test_the_state_goes_to_json_with_the_playbook_or_beside_it(build: Builder) -> None:
    playbook = build(branches())
    state, _ = run(playbook)
    whole = json.loads(json.dumps(to_json(state)))
    assert from_json(whole) == state
    small = json.loads(json.dumps(to_json(state, with_playbook=False)))
    assert "playbook" not in small
    assert from_json(small, playbook=playbook) == state


def test_a_thousand_steps_that_need_nobody_run_in_one_turn(build: Builder) -> None:
    steps: dict[str, Any] = {"start": {"type": "start", "on_completion": "s0"}, "end": END}
    for number in range(1000):
        following = f"s{number + 1}" if number < 999 else "do"
        steps[f"s{number}"] = {
            "type": "if-condition",
            "condition": "__v__:value > 9",
            "on_true": f"t{number}",
            "on_completion": following,
        }
        steps[f"t{number}"] = END
    steps["do"] = manual(on_completion="end")
    _, effects = run(build(steps, **VARIABLE), __v__="3")
    assert only(effects).kind == "ask_person"
