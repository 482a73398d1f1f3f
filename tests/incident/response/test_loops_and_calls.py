"""Loops, switches, calls of playbooks and retries, step by step, and what is too much of any of them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from incident.errors import BadInput
from incident.response import events as e
from incident.response import turn
from incident.response.compile import compile_form
from incident.response.findings import NotRunnable
from incident.response.lint import lint
from incident.response.lint_graph import DEEPEST, MOST_STEPS
from incident.response.machine import advance, start
from incident.response.model import Playbook
from incident.response.state import State
from incident.response.variables import LONGEST_VALUE
from tests.support.playbooks import Builder, form_of

END = {"type": "end"}
NUMBER = {"playbook_variables": {"__v__": {"type": "integer", "external": True, "value": "1"}}}


def manual(text: str = "do it", **more: Any) -> dict[str, Any]:
    return {"type": "action", "agent": "people", "commands": [{"type": "manual", "command": text}], **more}


def call(**more: Any) -> dict[str, Any]:
    commands = [{"type": "http-api", "command": "POST /x HTTP/1.1"}]
    return {"type": "action", "agent": "machine", "commands": commands, **more}


def loop(first: str, *, rounds: int | None = None, **more: Any) -> dict[str, Any]:
    extensions = {"step_extensions": {"loop": {"most_rounds": rounds}}} if rounds else {}
    return {
        "type": "while-condition",
        "condition": "__v__:value > 0",
        "on_true": first,
        **extensions,
        **more,
    }


def one_loop(**more: Any) -> dict[str, Any]:
    return {
        "start": {"type": "start", "on_completion": "again"},
        "again": loop("look", **{"on_success": "end", "on_failure": "give-up", **more}),
        "look": manual("look", timeout=1000, out_args=["__v__"], on_completion="look-end"),
        "look-end": END,
        "give-up": manual("give up", on_completion="end"),
        "end": END,
    }


def answer(effects: list[e.Effect], *, success: bool = True, **values: str) -> e.PersonAnswered:
    [asked] = [each for each in effects if isinstance(each, e.AskPerson)]
    return e.PersonAnswered(visit=asked.visit, index=asked.index, success=success, by="li", values=values)


def texts(effects: list[e.Effect]) -> list[str]:
    return [each.text["en"] for each in effects if isinstance(each, e.AskPerson)]


# -- while -------------------------------------------------------------------------------------------


def test_a_loop_looks_at_its_condition_anew_after_each_round(build: Builder) -> None:
    state, effects = start(build(one_loop(), **NUMBER), {}, run="R")
    for _ in range(3):
        assert texts(effects) == ["look"]
        state, effects = advance(state, answer(effects, __v__="1"))
    state, effects = advance(state, answer(effects, __v__="0"))
    assert state.outcome is e.Outcome.succeeded


@pytest.mark.parametrize(("said", "rounds"), [(3, 3), (None, turn.MOST_ROUNDS)])
def test_a_loop_takes_its_failure_route_after_the_most_rounds(
    build: Builder, said: int | None, rounds: int
) -> None:
    state, effects = start(build(one_loop(rounds=said), **NUMBER), {}, run="R")
    sizes = set()
    for number in range(rounds):
        assert texts(effects) == ["look"]
        state, effects = advance(state, answer(effects))
        if number > 1:
            sizes.add(len(state.visits))
    assert texts(effects) == ["give up"]
    assert len(sizes) <= 2, "the state grows with the rounds"
    [reason] = [each.reason for each in state.visits.values() if each.reason]
    assert f"after {rounds} rounds" in reason


def test_a_time_limit_around_a_loop_ends_it_in_any_round(build: Builder) -> None:
    state, effects = start(build(one_loop(timeout=5000), **NUMBER), {}, run="R")
    [limit] = [each for each in effects if isinstance(each, e.WaitUntil) and each.in_ms == 5000]
    state, effects = advance(state, answer(effects))
    state, effects = advance(state, e.TimerFired(visit=limit.visit, purpose=e.TimerPurpose.timeout))
    assert texts(effects) == ["give up"]
    assert [each.kind for each in effects] == ["withdraw", "ask_person"]


def test_a_loop_that_a_person_decides_names_them_once(build: Builder) -> None:
    steps = one_loop(condition="status == 'open'")
    steps["look"] = END
    state, effects = start(build(steps, **NUMBER), {}, run="R")
    for number in range(5):
        [asked] = effects
        assert isinstance(asked, e.AskCondition) and asked.index == number
        state, effects = advance(
            state, e.ConditionAnswered(visit=asked.visit, index=asked.index, holds=True, by="li")
        )
    assert [each.by for each in state.visits.values() if each.by] == [["li"]]


def test_loops_within_loops_that_wait_for_nothing_end(
    build: Builder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turn, "MOST_STEPS_ENTERED", 3000)
    steps = {
        "start": {"type": "start", "on_completion": "a"},
        "a": loop("b", rounds=10_000, on_completion="end"),
        "b": loop("c", rounds=10_000, on_completion="b-end"),
        "b-end": END,
        "c": loop("c-end", rounds=10_000, on_completion="b-end-2"),
        "c-end": END,
        "b-end-2": END,
        "end": END,
        "unreached": manual(on_completion="end"),
    }
    steps["b"]["on_completion"] = "b-end"
    state, effects = start(build(steps, **NUMBER), {}, run="R")
    assert state.outcome is e.Outcome.failed
    [finish] = effects
    assert isinstance(finish, e.Finish) and "3000 steps" in (finish.reason or "")
    assert len(state.visits) < 10


def test_a_timer_of_a_step_that_ended_in_the_same_turn_is_never_set(build: Builder) -> None:
    steps = one_loop(timeout=1000)
    state, effects = start(build(steps, **NUMBER), {"__v__": "0"}, run="R")
    assert [each.kind for each in effects] == ["finish"]
    assert state.outcome is e.Outcome.succeeded


# -- switch ------------------------------------------------------------------------------------------


def switch(**cases: str) -> dict[str, Any]:
    ends = {first: manual(first, on_completion=f"{first}-end") for first in cases.values()}
    return {
        "start": {"type": "start", "on_completion": "which"},
        "which": {
            "type": "switch-condition",
            "switch": "__v__:value",
            "cases": {key.removeprefix("_"): first for key, first in cases.items()},
            "on_success": "end",
            "on_failure": "repair",
        },
        **ends,
        **{f"{first}-end": END for first in cases.values()},
        "repair": manual("repair", on_completion="end"),
        "end": END,
    }


@pytest.mark.parametrize(
    ("value", "branch"), [("1", "one"), ("2", "two"), ("3", "other"), ("-1", "other"), ("01", "one")]
)
def test_a_switch_takes_the_case_of_its_value_by_type_or_the_default(
    build: Builder, value: str, branch: str
) -> None:
    playbook = build(switch(_1="one", _2="two", default="other"), **NUMBER)
    _, effects = start(playbook, {"__v__": value}, run="R")
    assert texts(effects) == [branch]


def test_a_switch_without_a_case_for_its_value_asks_and_takes_only_a_case(build: Builder) -> None:
    state, [asked] = start(build(switch(_1="one", _2="two"), **NUMBER), {"__v__": "7"}, run="R")
    assert isinstance(asked, e.AskCase)
    assert (asked.value, asked.cases) == ("7", ["1", "2"]) and "none of the cases" in asked.reason
    with pytest.raises(BadInput, match="no case"):
        advance(state, e.CaseAnswered(visit=asked.visit, case="7", by="li"))
    _, effects = advance(state, e.CaseAnswered(visit=asked.visit, case="2", by="li"))
    assert texts(effects) == ["two"]
    _, effects = advance(state, e.CaseAnswered(visit=asked.visit, case=None, by="li"))
    assert texts(effects) == ["repair"]


# -- retries -----------------------------------------------------------------------------------------


def retried(**more: Any) -> dict[str, Any]:
    extensions = {"retries": {"most": 2, "pause": 500}, **more}
    return {
        "start": {"type": "start", "on_completion": "close"},
        "close": call(step_extensions=extensions, timeout=9000, on_success="end", on_failure="repair"),
        "repair": manual("repair", on_completion="end"),
        "end": END,
    }


def the_call(effects: list[e.Effect]) -> e.RunCommand:
    [found] = [each for each in effects if isinstance(each, e.RunCommand)]
    return found


def failed(command: e.RunCommand, **more: Any) -> e.CommandFailed:
    return e.CommandFailed(
        visit=command.visit, index=command.index, round=command.round, reason="HTTP 503", **more
    )


def test_a_failed_call_is_made_again_as_often_as_said_and_no_more(build: Builder) -> None:
    state, effects = start(build(retried()), {}, run="R")
    first = the_call(effects)
    for number in (1, 2):
        state, effects = advance(state, failed(the_call(effects)))
        assert the_call(effects) == first.model_copy(
            update={"round": number, "tries": number, "in_ms": 500}
        )
        assert len(effects) == 1
    assert advance(state, failed(first)) == (state, [])
    _, effects = advance(state, failed(the_call(effects)))
    assert texts(effects) == ["repair"]


def test_a_failure_that_may_have_been_done_is_retried_only_where_twice_is_as_once(build: Builder) -> None:
    state, effects = start(build(retried()), {}, run="R")
    _, effects = advance(state, failed(the_call(effects), ambiguous=True))
    assert texts(effects) == ["repair"]
    state, effects = start(build(retried(repeatable={"because": "closed stays closed"})), {}, run="R")
    _, effects = advance(state, failed(the_call(effects), ambiguous=True))
    assert the_call(effects).tries == 1


def test_the_steps_time_limit_counts_over_all_its_retries(build: Builder) -> None:
    state, effects = start(build(retried()), {}, run="R")
    [limit] = [each for each in effects if isinstance(each, e.WaitUntil)]
    state, effects = advance(state, failed(the_call(effects)))
    _, effects = advance(state, e.TimerFired(visit=limit.visit, purpose=e.TimerPurpose.timeout))
    assert [each.kind for each in effects] == ["withdraw", "ask_person"]


# -- calls of playbooks ------------------------------------------------------------------------------

CHILD_ID = "playbook--5b7d6b5a-0c2f-4f38-9a3c-0d6b2f6f3a11"


def child(workflow: dict[str, Any] | None = None, **more: Any) -> Playbook:
    steps = workflow or {
        "start": {"type": "start", "on_completion": "inner"},
        "inner": manual("inner __v__:value __only__:value", out_args=["__v__"], on_completion="end"),
        "end": END,
    }
    variables = {
        "__v__": {"type": "integer", "external": True, "value": "5"},
        "__only__": {"type": "string", "value": "theirs"},
    }
    form = form_of(steps, **{"playbook_variables": variables, **more}) | {"id": CHILD_ID, "name": "child"}
    return Playbook.model_validate(compile_form(form))


def calling(*, exception: str | None = None, **more: Any) -> dict[str, Any]:
    return {
        "start": {"type": "start", "on_completion": "call"},
        "call": {"type": "playbook-action", "playbook_id": CHILD_ID, "on_completion": "after", **more},
        "after": manual("after __v__:value", on_completion="end"),
        "tell": manual("tell", on_completion="told"),
        "told": END,
        "end": END,
    }


def begin(
    build: Builder, workflow: dict[str, Any], playbook: Playbook, **more: Any
) -> tuple[State, list[e.Effect]]:
    return start(build(workflow, **{**NUMBER, **more}), {}, run="R", children={playbook.id: playbook})


@pytest.mark.parametrize(
    ("given", "taken", "seen", "after"),
    [([], [], "5", "1"), (["__v__"], [], "1", "1"), ([], ["__v__"], "5", "9"), (["__v__"], ["__v__"], "1", "9")],
)
def test_only_in_args_go_in_and_only_out_args_come_back(
    build: Builder, given: list[str], taken: list[str], seen: str, after: str
) -> None:
    words = {**({"in_args": given} if given else {}), **({"out_args": taken} if taken else {})}
    state, effects = begin(build, calling(**words), child())
    assert texts(effects) == [f"inner {seen} theirs"]
    state, effects = advance(state, answer(effects, __v__="9"))
    assert texts(effects) == [f"after {after}"]
    assert set(state.variables) == {"__v__"}
    assert state.children[CHILD_ID] == child()


@pytest.mark.parametrize("own_route", [False, True])
def test_a_called_playbook_that_fails_fails_its_step_even_where_its_own_exception_route_dealt_with_it(
    build: Builder, own_route: bool
) -> None:
    steps = {
        "start": {"type": "start", "on_completion": "inner"},
        "inner": manual("inner", on_completion="end"),
        "mend": manual("mend", on_completion="mended"),
        "mended": END,
        "end": END,
    }
    playbook = child(steps, **({"workflow_exception": "mend"} if own_route else {}))
    state, effects = begin(build, calling(), playbook, workflow_exception="tell")
    state, effects = advance(state, answer(effects, success=False))
    if own_route:
        assert texts(effects) == ["mend"]
        state, effects = advance(state, answer(effects))
    assert texts(effects) == ["tell"], "the caller's own route decides"
    state, effects = advance(state, answer(effects))
    assert state.outcome is e.Outcome.handled
    [finish] = effects
    assert isinstance(finish, e.Finish) and "“child” failed: li answered: failure" in (finish.reason or "")


def test_a_time_limit_around_a_called_playbook_takes_its_questions_back(build: Builder) -> None:
    state, effects = begin(build, calling(timeout=100), child(), workflow_exception="tell")
    [limit] = [each for each in effects if isinstance(each, e.WaitUntil)]
    state, effects = advance(state, e.TimerFired(visit=limit.visit, purpose=e.TimerPurpose.timeout))
    assert [each.kind for each in effects] == ["withdraw", "ask_person"]
    assert texts(effects) == ["tell"]


def codes(playbook: Playbook, *children: Playbook) -> set[str]:
    found = lint(playbook, children={each.id: each for each in children})
    return {each.code for each in found if each.severity == "error"}


def test_what_comes_back_must_be_of_the_same_type(build: Builder) -> None:
    texts_ = {"__v__": {"type": "string", "value": "x"}}
    steps = calling(out_args=["__v__"])
    assert codes(build(steps, **NUMBER), child(playbook_variables=texts_ | {
        "__only__": {"type": "string", "value": "theirs"}
    })) == {"argument"}


def test_a_playbook_that_calls_itself_or_too_many_in_a_row_are_refused(build: Builder) -> None:
    def link(number: int) -> str:
        return f"playbook--5b7d6b5a-0c2f-4f38-9a3c-{number:012d}"

    def calls(number: int, *others: int) -> Playbook:
        steps: dict[str, Any] = {"start": {"type": "start", "on_completion": "c0"}, "end": END}
        for place, other in enumerate(others):
            following = f"c{place + 1}" if place + 1 < len(others) else "end"
            steps[f"c{place}"] = {
                "type": "playbook-action",
                "playbook_id": link(other),
                "on_completion": following,
            }
        return Playbook.model_validate(
            compile_form(form_of(steps) | {"id": link(number), "name": f"p{number}"})
        )

    itself = calls(1, 1)
    assert codes(itself, itself) == {"playbook-cycle"}
    pair = calls(1, 2), calls(2, 1)
    assert codes(pair[0], *pair) == {"playbook-cycle"}
    # The short way to 9 is taken first; the long one is too long all the same.
    row = [calls(number, number + 1) for number in range(1, 14)]
    assert "playbook-cycle" in codes(calls(0, 1, 9), *row, calls(14, 15))
    assert "playbook-cycle" in codes(calls(0, 9, 1), *row, calls(14, 15))


# -- too much ----------------------------------------------------------------------------------------


def in_a_row(count: int) -> dict[str, Any]:
    steps: dict[str, Any] = {"start": {"type": "start", "on_completion": "s0"}}
    for number in range(count):
        steps[f"s{number}"] = manual(on_completion=f"s{number + 1}")
    return steps | {f"s{count}": END}


def nested(count: int, kind: str) -> dict[str, Any]:
    steps: dict[str, Any] = {"start": {"type": "start", "on_completion": "b0"}, "end": END}
    for number in range(count):
        inner = f"b{number + 1}"
        steps[f"b{number}"] = {
            "if-condition": {"condition": "__v__:value > 0", "on_true": inner},
            "parallel": {"next_steps": [inner, f"x{number}"]},
            "while-condition": {"condition": "__v__:value > 0", "on_true": inner},
            "switch-condition": {"switch": "__v__", "cases": {"1": inner, "default": f"x{number}"}},
        }[kind] | {"type": kind, "on_completion": f"e{number}" if number else "end"}
        steps |= {f"e{number}": END} if number else {}
        if kind in {"parallel", "switch-condition"}:
            steps[f"x{number}"] = END
    return steps | {f"b{count}": manual(on_completion="last"), "last": END}


def test_ten_thousand_steps_are_refused_before_the_start(build: Builder) -> None:
    with pytest.raises(NotRunnable, match=f"{MOST_STEPS} at most"):
        start(build(in_a_row(10_000)), {}, run="R")


@pytest.mark.parametrize("kind", ["if-condition", "parallel", "while-condition", "switch-condition"])
def test_two_thousand_branches_within_one_another_are_refused_before_the_start(
    build: Builder, kind: str
) -> None:
    playbook = build(nested(1_600, kind), **NUMBER)
    with pytest.raises(NotRunnable, match="within one another"):
        start(playbook, {}, run="R")


@pytest.mark.parametrize("kind", ["if-condition", "parallel", "while-condition", "switch-condition"])
def test_the_deepest_nest_that_may_start_fails_and_is_cancelled_whole(build: Builder, kind: str) -> None:
    state, effects = start(build(nested(DEEPEST, kind), **NUMBER), {}, run="R")
    assert advance(state, answer(effects, success=False))[0].outcome is e.Outcome.failed
    assert advance(state, e.Cancelled(by="li"))[0].outcome is e.Outcome.cancelled
    if kind != "while-condition":
        assert advance(state, answer(effects))[0].outcome is e.Outcome.succeeded


def test_a_switch_with_endless_cases_is_refused(build: Builder) -> None:
    steps = switch(_1="one")
    steps["which"]["cases"] = dict.fromkeys(map(str, range(30_000)), "one")
    with pytest.raises(NotRunnable, match="20000 at most"):
        start(build(steps, **NUMBER), {}, run="R")


@pytest.mark.parametrize(
    ("kind", "value"),
    [("string", "x" * (LONGEST_VALUE + 1)), ("dictionary", '{"a":' * 50_000), ("float", "9" * 200_000)],
)
def test_a_giant_value_fails_the_step_that_returns_it(build: Builder, kind: str, value: str) -> None:
    steps = retried()
    del steps["close"]["step_extensions"]
    steps["close"]["out_args"] = ["__v__"]
    playbook = build(steps, playbook_variables={"__v__": {"type": kind, "value": ""}})
    state, effects = start(playbook, {}, run="R")
    command = the_call(effects)
    _, effects = advance(state, e.CommandSucceeded(visit=command.visit, values={"__v__": value}))
    assert texts(effects) == ["repair"]


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_playbook_with_anything_anywhere_is_refused_or_runs(data: st.DataObject) -> None:
    """Words of steps replaced by junk and by references to any step: never another error, never a run that hangs."""
    form = switch(_1="one", default="two")
    form["one"] = loop("repair", rounds=2, on_completion="one-end")
    compiled = compile_form(form_of(form, **NUMBER))
    steps = compiled["workflow"]
    references = st.sampled_from([*steps, "end--nowhere"])
    for _ in range(data.draw(st.integers(1, 4))):
        step = steps[data.draw(st.sampled_from(list(steps)))]
        words = [*step, "on_completion", "on_success", "on_failure", "on_true", "next_steps", "timeout"]
        step[data.draw(st.sampled_from(words))] = data.draw(
            references | st.lists(references, max_size=3) | JUNK
        )
    try:
        playbook = Playbook.model_validate(compiled)
    except ValidationError:
        return
    try:
        state, _ = start(playbook, {}, run="R")
    except BadInput:
        return
    assert state.finished or state.waiting()
