"""A call of which nobody knows whether it was carried out: a person is asked, and nothing answers in their place."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from incident.errors import BadInput
from incident.response import events as e
from incident.response.machine import advance, start
from incident.response.state import State
from tests.support.playbooks import Builder, measures_taken

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
END = {"type": "end"}
MEASURE = {"containment_action": {"action_ids": ["contain.disable-endpoint"]}}
VARIABLE = {
    "playbook_variables": {
        "__ticket__": {"type": "string", "value": "T-1"},
        "__note__": {"type": "string", "value": None},
    }
}


def manual(text: str, **more: Any) -> dict[str, Any]:
    return {"type": "action", "agent": "people", "commands": [{"type": "manual", "command": text}], **more}


def call(**more: Any) -> dict[str, Any]:
    command = {
        "type": "http-api",
        "command": "POST /close HTTP/1.1",
        "headers": {"Content-Type": ["application/json"], "X-Key": ["k3y"]},
        "content": '{"ticket": "__ticket__:value"}',
    }
    return {"type": "action", "agent": "machine", "commands": [command], **more}


def begin(build: Builder, workflow: dict[str, Any]) -> tuple[State, list[e.Effect]]:
    return start(build(workflow, **VARIABLE), {}, run="R")


def one_call(**more: Any) -> dict[str, Any]:
    return {
        "start": {"type": "start", "on_completion": "close"},
        "close": call(**{"on_success": "after", "on_failure": "repair", **more}),
        "after": manual("after", on_completion="end"),
        "repair": manual("repair", on_completion="end"),
        "end": END,
    }


def of(kind: type[Any], effects: list[e.Effect]) -> Any:
    found = [each for each in effects if isinstance(each, kind)]
    assert len(found) == 1, effects
    return found[0]


def uncertain(command: e.RunCommand, why: e.Uncertain = e.Uncertain.worker_stopped) -> e.CommandUncertain:
    return e.CommandUncertain(
        visit=command.visit, index=command.index, round=command.round, sent_at=NOON, why=why, detail="cut"
    )


def found(asked: e.AskOutcome, outcome: e.CallOutcome, **more: Any) -> e.OutcomeAnswered:
    return e.OutcomeAnswered(
        visit=asked.visit, index=asked.index, round=asked.round, outcome=outcome, by="li", **more
    )


def time_over(state: State, name: str, *, round_: int = 0) -> tuple[State, list[e.Effect]]:
    visit = next(each for each in state.visits.values() if state.playbook.workflow[each.step].name == name)
    return advance(state, e.TimerFired(visit=visit.id, purpose=e.TimerPurpose.timeout, round=round_))


def asked_about(build: Builder, workflow: dict[str, Any]) -> tuple[State, e.AskOutcome, e.RunCommand]:
    state, effects = begin(build, workflow)
    command = of(e.RunCommand, effects)
    state, effects = advance(state, uncertain(command))
    return state, of(e.AskOutcome, effects), command


def test_the_question_says_what_was_sent_to_whom_and_when_and_no_header(build: Builder) -> None:
    _, asked, _ = asked_about(build, one_call(step_extensions=MEASURE))
    assert asked.request == "POST https://machine.example:443/close"
    assert asked.content == '{"ticket": "T-1"}'
    assert (asked.who, asked.sent_at, asked.why) == ({"en": "Machine"}, NOON, e.Uncertain.worker_stopped)
    assert asked.measures == ["contain.disable-endpoint"]
    assert "k3y" not in e.EFFECT.dump_json(asked).decode()


def test_a_long_body_is_shown_by_its_beginning(build: Builder) -> None:
    steps = one_call()
    steps["close"]["commands"][0]["content"] = '{"text": "' + "x" * 5000 + '"}'
    _, asked, _ = asked_about(build, steps)
    assert len(asked.content) < 1000 and asked.content.endswith("x…")


def test_it_was_done_goes_on_as_a_success_with_its_measure(build: Builder) -> None:
    before, asked, _ = asked_about(build, one_call(step_extensions=MEASURE))
    state, effects = advance(before, found(asked, e.CallOutcome.done))
    assert of(e.AskPerson, effects).text == {"en": "after"}
    assert [names for _, names in measures_taken(before, state)] == [["contain.disable-endpoint"]]


def test_it_was_not_done_makes_the_very_same_call_though_variables_moved_on(build: Builder) -> None:
    steps = {
        "start": {"type": "start", "on_completion": "both"},
        "both": {"type": "parallel", "next_steps": ["close", "rename"], "on_completion": "end"},
        "close": call(on_completion="closed"),
        "closed": END,
        "rename": manual("rename", out_args=["__ticket__"], on_completion="renamed"),
        "renamed": END,
        "end": END,
    }
    state, effects = begin(build, steps)
    command, rename = of(e.RunCommand, effects), of(e.AskPerson, effects)
    state, effects = advance(state, uncertain(command))
    asked = of(e.AskOutcome, effects)
    renamed = e.PersonAnswered(visit=rename.visit, success=True, by="li", values={"__ticket__": "T-2"})
    state, _ = advance(state, renamed)
    state, effects = advance(state, found(asked, e.CallOutcome.not_done))
    again = of(e.RunCommand, effects)
    assert again == command.model_copy(update={"round": 1})
    state, effects = advance(state, uncertain(again, e.Uncertain.no_answer))
    assert of(e.AskOutcome, effects).content == '{"ticket": "T-1"}'
    assert advance(state, uncertain(command)) == (state, []), "a late word on the first call counted"


def test_failed_takes_the_failure_route(build: Builder) -> None:
    state, asked, _ = asked_about(build, one_call(step_extensions=MEASURE))
    after, effects = advance(state, found(asked, e.CallOutcome.failed, note="the service is gone"))
    assert of(e.AskPerson, effects).text == {"en": "repair"}
    assert measures_taken(state, after) == []
    assert after.visits[asked.visit].reason == "the service is gone"


def test_a_person_may_give_the_values_that_the_answer_would_have_brought(build: Builder) -> None:
    state, asked, _ = asked_about(build, one_call(out_args=["__note__"]))
    assert list(asked.wanted) == ["__note__"]
    after, _ = advance(state, found(asked, e.CallOutcome.done, values={"__note__": "ok"}))
    assert after.variables["__note__"] == "ok"
    for outcome, values in (
        (e.CallOutcome.done, {"__ticket__": "T-3"}),
        (e.CallOutcome.not_done, {"__note__": "ok"}),
        (e.CallOutcome.failed, {"__note__": "ok"}),
    ):
        with pytest.raises(BadInput):
            advance(state, found(asked, outcome, values=values))


def test_what_cannot_be_a_request_was_never_sent_and_nobody_is_asked(build: Builder) -> None:
    steps = one_call()
    steps["close"]["commands"][0]["content"] = '{"ticket": __ticket__:value}'  # a text outside quotes
    state, effects = begin(build, steps)
    _, effects = advance(state, uncertain(of(e.RunCommand, effects)))
    assert of(e.AskPerson, effects).text == {"en": "repair"}


def test_5xx_still_takes_the_failure_route_and_says_that_it_may_have_been_done(build: Builder) -> None:
    state, effects = begin(build, one_call())
    command = of(e.RunCommand, effects)
    after, effects = advance(state, e.CommandFailed(visit=command.visit, reason="HTTP 503", ambiguous=True))
    assert of(e.AskPerson, effects).text == {"en": "repair"}
    assert "may have been done" in (after.visits[command.visit].reason or "")


# -- time limits -------------------------------------------------------------------------------------


def test_the_steps_time_limit_rests_while_it_is_asked_and_begins_anew_with_the_answer(build: Builder) -> None:
    state, asked, _ = asked_about(build, one_call(name="close", timeout=5000))
    assert time_over(state, "close") == (state, [])
    again, effects = advance(state, found(asked, e.CallOutcome.not_done))
    limit = of(e.WaitUntil, effects)
    assert (limit.in_ms, limit.round) == (5000, 1)
    assert time_over(again, "close", round_=0) == (again, []), "the old limit ended the new call"
    _, effects = time_over(again, "close", round_=1)
    assert of(e.AskPerson, effects).text == {"en": "repair"}


def test_no_new_time_limit_is_set_for_a_step_that_the_answer_ends(build: Builder) -> None:
    state, asked, _ = asked_about(build, one_call(timeout=5000))
    for outcome in (e.CallOutcome.done, e.CallOutcome.failed):
        _, effects = advance(state, found(asked, outcome))
        assert [each.kind for each in effects] == ["ask_person"]


def within_limits() -> dict[str, Any]:
    """outer (limit) > inner (limit) > close, beside it a person; beside inner a person too."""
    return {
        "start": {"type": "start", "on_completion": "outer"},
        "outer": {
            "type": "parallel",
            "name": "outer",
            "timeout": 9000,
            "next_steps": ["inner", "watch"],
            "on_success": "after",
            "on_failure": "repair",
        },
        "inner": {
            "type": "parallel",
            "name": "inner",
            "timeout": 5000,
            "next_steps": ["close", "look"],
            "on_success": "inner-end",
            "on_failure": "mend",
        },
        "close": call(step_extensions=MEASURE, on_completion="close-more"),
        "close-more": manual("more", on_completion="close-end"),
        "close-end": END,
        "look": manual("look", on_completion="look-end"),
        "look-end": END,
        "mend": manual("mend", on_completion="inner-end"),
        "inner-end": END,
        "watch": manual("watch", on_completion="watch-end"),
        "watch-end": END,
        "after": manual("after", on_completion="end"),
        "repair": manual("repair", on_completion="end"),
        "end": END,
    }


def texts(effects: list[e.Effect]) -> list[str]:
    return [each.text["en"] for each in effects if isinstance(each, e.AskPerson)]


@pytest.mark.parametrize("outcome", list(e.CallOutcome))
def test_a_time_limit_around_the_question_stops_the_others_and_falls_with_the_answer(
    build: Builder, outcome: e.CallOutcome
) -> None:
    state, asked, _ = asked_about(build, within_limits())
    state, effects = time_over(state, "inner")
    assert [each.kind for each in effects] == ["withdraw"]  # “look” is taken back, the question is not
    assert state.out_of_time(state.visits[asked.visit])
    assert time_over(state, "inner") == (state, [])
    after, effects = advance(state, found(asked, outcome))
    assert texts(effects) == ["mend"], "it is not called again, and the branch does not go on"
    measures = [names for _, names in measures_taken(state, after)]
    assert measures == ([["contain.disable-endpoint"]] if outcome is e.CallOutcome.done else [])


def test_two_time_limits_around_it_take_the_outer_ones_failure_route_once(build: Builder) -> None:
    state, asked, _ = asked_about(build, within_limits())
    state, _ = time_over(state, "inner")
    state, effects = time_over(state, "outer")
    assert [each.kind for each in effects] == ["withdraw"]  # “watch”
    assert [each.id for each in state.waiting()] == [asked.visit]
    state, effects = advance(state, found(asked, e.CallOutcome.done))
    assert texts(effects) == ["repair"]


def test_two_questions_are_both_waited_for(build: Builder) -> None:
    steps = within_limits()
    steps["look"] = call(on_completion="look-end")
    state, effects = begin(build, steps)
    first, second = (each for each in effects if isinstance(each, e.RunCommand))
    questions = []
    for command in (first, second):
        state, effects = advance(state, uncertain(command))
        questions.append(of(e.AskOutcome, effects))
    state, effects = time_over(state, "inner")
    assert effects == []
    state, effects = advance(state, found(questions[0], e.CallOutcome.done))
    assert effects == []
    state, effects = advance(state, found(questions[1], e.CallOutcome.not_done))
    assert texts(effects) == ["mend"]


def test_a_call_under_way_elsewhere_does_not_keep_a_time_limit_from_falling(build: Builder) -> None:
    state, _ = begin(build, within_limits())
    _, effects = time_over(state, "inner")
    assert texts(effects) == ["mend"]


def test_cancelling_takes_the_question_back(build: Builder) -> None:
    state, asked, _ = asked_about(build, one_call())
    state, effects = advance(state, e.Cancelled(by="li"))
    assert [each.kind for each in effects] == ["withdraw", "finish"]
    assert advance(state, found(asked, e.CallOutcome.done)) == (state, [])


# -- approvals ---------------------------------------------------------------------------------------


def test_what_was_approved_may_be_called_again_without_a_new_approval(build: Builder) -> None:
    """The approval was given for this very step and call."""
    step = call(step_extensions={"approval": {"approver_roles": ["approver"], "quorum": 2}})
    step["commands"].insert(0, {"type": "manual", "command": "may it be closed?"})
    steps = one_call() | {"close": {**step, "on_success": "after", "on_failure": "repair"}}
    state, effects = begin(build, steps)
    gate = of(e.AskApproval, effects)
    state, effects = advance(state, e.Approved(visit=gate.visit, by=["li", "wang"]))
    command = of(e.RunCommand, effects)
    state, effects = advance(state, uncertain(command))
    state, effects = advance(state, found(of(e.AskOutcome, effects), e.CallOutcome.not_done))
    assert of(e.RunCommand, effects) == command.model_copy(update={"round": 1})


def test_an_answer_about_a_call_approves_nothing(build: Builder) -> None:
    step = call(step_extensions={"approval": {"approver_roles": ["approver"]}})
    step["commands"].insert(0, {"type": "manual", "command": "may it be closed?"})
    steps = one_call() | {"close": {**step, "on_success": "after", "on_failure": "repair"}}
    state, effects = begin(build, steps)
    gate = of(e.AskApproval, effects)
    for outcome in e.CallOutcome:
        answer = e.OutcomeAnswered(visit=gate.visit, index=gate.index, outcome=outcome, by="li")
        assert advance(state, answer) == (state, [])
