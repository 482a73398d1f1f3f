"""Random playbooks under random events, given late, twice, and out of order."""

import json
import random
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from incident.errors import BadInput
from incident.response import events as e
from incident.response.compile import compile_form
from incident.response.decompile import decompile
from incident.response.lint import lint
from incident.response.machine import advance, start
from incident.response.model import Playbook, dump
from incident.response.state import OPEN, WAITING, Awaits, State, StrandState, VisitState, from_json, to_json

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
CONDITIONS = ["__n__:value > 3", "__n__:value <= 3", "__u__:value = 'x'", "EXISTS __u__:value"]


class Maker:
    """Builds a random form that keeps CACAO's rules. `hurried`: mostly calls, within steps that have time limits."""

    def __init__(self, rng: random.Random, *, hurried: bool = False) -> None:
        self.rng = rng
        self.hurried = hurried
        self.steps: dict[str, Any] = {}

    def name(self, kind: str) -> str:
        return f"{kind}-{len(self.steps)}"

    def level(self, depth: int) -> str:
        """A sequence that ends in an end step of its own; returns its first step."""
        following = self.name("end")
        self.steps[following] = {"type": "end"}
        for _ in range(self.rng.randint(0 if depth else 1, 3)):
            following = self.step(following, depth)
        return following

    def step(self, following: str, depth: int) -> str:
        rng = self.rng
        deep = ["if"] + ["parallel"] * (3 if self.hurried else 1)
        kind = rng.choice(["action"] * 3 + (deep if depth < 3 else []))
        name = self.name(kind)
        self.steps[name] = {}
        step: dict[str, Any] = {"type": "action", "agent": "people"}
        if kind == "action":
            command = {"type": "manual", "command": "do __n__:value"}
            call = {"type": "http-api", "command": "POST /x/__n__:value HTTP/1.1"}
            shape = rng.choice([1, 1, 1, 2, 4]) if self.hurried else rng.randrange(5)
            if shape == 0:
                step["commands"] = [command, command]
            elif shape == 1:
                step |= {"commands": [call, call, command], "agent": "machine", "out_args": ["__n__"]}
            elif shape == 2:
                extension = {"approval": {"approver_roles": ["approver"], "quorum": rng.randint(1, 3)}}
                step |= {"commands": [command, call], "agent": "machine", "step_extensions": extension}
            elif shape == 3:
                step |= {"commands": [command], "step_extensions": {"notice": {"task": "draft"}}}
            else:
                step["commands"] = [command]
        elif kind == "if":
            step = {
                "type": "if-condition",
                "condition": rng.choice(CONDITIONS),
                "on_true": self.level(depth + 1),
            }
            if rng.random() < 0.6:
                step["on_false"] = self.level(depth + 1)
        else:
            step = {
                "type": "parallel",
                "next_steps": [self.level(depth + 1) for _ in range(rng.randint(2, 3))],
            }
        if rng.random() < (0.8 if self.hurried and kind != "action" else 0.2):
            step["timeout"] = rng.randint(1, 1000)
        if rng.random() < 0.15:
            step["delay"] = rng.randint(1, 1000)
        if rng.random() < 0.3:
            step |= {"on_success": following, "on_failure": following}
        else:
            step["on_completion"] = following
        self.steps[name] = step
        return name


def make(seed: int, *, hurried: bool = False) -> Playbook:
    rng = random.Random(seed)
    maker = Maker(rng, hurried=hurried)
    first = maker.level(0)
    command = {"type": "manual", "command": "do __n__:value"}
    maker.steps["action-0"] = {
        "type": "action",
        "agent": "people",
        "commands": [command],
        "on_completion": first,
    }
    first = "action-0"
    maker.steps["start"] = {"type": "start", "on_completion": first}
    form = {
        "name": f"random {seed}",
        "created_by": "identity--92efc06a-8fbe-4c9d-8f66-8f3aef5c2702",
        "created": "2025-11-20T00:00:00.000Z",
        "playbook_variables": {
            "__n__": {"type": "integer", "value": str(rng.randint(0, 6))},
            "__u__": {"type": "string", "value": None},
        },
        "agent_definitions": {
            "people": {"type": "group", "name": "People"},
            "machine": {"type": "http-api", "name": "Machine", "address": {"dname": ["machine.example"]}},
        },
        "workflow": maker.steps,
    }
    if rng.random() < 0.5:
        form["workflow_exception"] = maker.level(2)
    return Playbook.model_validate(compile_form(form))


def possible(state: State, rng: random.Random) -> list[e.Event]:
    """The events that may come: answers of both kinds for each open visit, and timers."""
    found: list[e.Event] = []
    for visit in state.visits.values():
        where: dict[str, Any] = {"visit": visit.id, "index": visit.index}
        of_call: dict[str, Any] = {"round": visit.round}
        people = ["a", "b", "c"]
        answers: dict[Awaits, list[e.Event]] = {
            Awaits.command: [
                e.CommandSucceeded(**where, **of_call, values={"__n__": str(rng.randint(0, 9))}),
                e.CommandFailed(**where, **of_call, reason="no"),
                e.CommandUncertain(**where, **of_call, sent_at=NOON, why=e.Uncertain.no_answer),
                e.CommandUncertain(**where, **of_call, sent_at=NOON, why=e.Uncertain.worker_stopped),
            ],
            Awaits.outcome: [
                e.OutcomeAnswered(**where, **of_call, outcome=outcome, by="a") for outcome in e.CallOutcome
            ],
            Awaits.person: [e.PersonAnswered(**where, success=yes, by="a") for yes in (True, True, False)],
            Awaits.approval: [e.Approved(**where, by=people), e.Rejected(**where, by="a")],
            Awaits.condition: [e.ConditionAnswered(**where, holds=yes, by="a") for yes in (True, False)],
            Awaits.in_house: [e.InHouseDone(**where), e.InHouseFailed(**where, reason="no")],
            Awaits.timer: [e.TimerFired(visit=visit.id, purpose=e.TimerPurpose.delay)],
        }
        found += answers.get(visit.awaits, []) if visit.awaits else []
        begun = visit.state in OPEN - {VisitState.delayed}
        if begun and state.playbook.workflow[visit.step].timeout and rng.random() < 0.2:
            limit = e.TimerFired(visit=visit.id, purpose=e.TimerPurpose.timeout, round=visit.round)
            # What the machine does not take must be no way out either: an overdue step has no limit any more.
            found += [] if visit.awaits is Awaits.outcome or visit.overdue else [limit]
    return found


def identity(effect: e.Effect) -> tuple[Any, ...]:
    return (
        effect.kind,
        getattr(effect, "visit", None),
        getattr(effect, "index", None),
        getattr(effect, "purpose", None),
        getattr(effect, "round", None),
    )


def same_call(call: e.RunCommand) -> e.RunCommand:
    return call.model_copy(update={"round": 0})


def check_calls(state: State, seen: list[e.Effect], taken: list[e.Event]) -> None:
    """A call is made once, and once more after each answer that it was not carried out; always the same call."""
    calls: dict[tuple[str, int], list[e.RunCommand]] = {}
    for effect in seen:
        if isinstance(effect, e.RunCommand):
            calls.setdefault((effect.visit, effect.index), []).append(effect)
    for (visit, index), made in calls.items():
        said_no = sum(
            isinstance(event, e.OutcomeAnswered)
            and (event.visit, event.index, event.outcome) == (visit, index, e.CallOutcome.not_done)
            for event in taken
        )
        assert len(made) <= 1 + said_no, (
            "a call was made again though nobody said that it was not carried out"
        )
        assert all(same_call(each) == same_call(made[0]) for each in made), "it was not the same call again"


def check_nothing_answers_for_people(state: State) -> None:
    """No time limit, of the step or of a step around it, ends a question about a call."""
    for visit in state.visits.values():
        if visit.awaits is not Awaits.outcome:
            continue
        for step in state.visits.values():
            for number in range(step.round + 1):
                limit = e.TimerFired(visit=step.id, purpose=e.TimerPurpose.timeout, round=number)
                after, _ = advance(state, limit)
                assert after.visits[visit.id] == visit
                assert not after.finished


def check_invariants(state: State, seen: list[e.Effect]) -> None:
    names = [identity(effect) for effect in seen]
    assert len(names) == len(set(names)), "an effect was asked for twice"
    asked = {each.visit for each in seen if not isinstance(each, e.Finish)}
    for visit in state.visits.values():
        if visit.state in WAITING:
            assert visit.awaits is not None, "a visit waits for nothing that has a name"
            assert visit.id in asked, "a visit waits for what nobody was asked"
    for strand in state.strands.values():
        here = [visit for visit in state.visits.values() if visit.strand == strand.id and visit.state in OPEN]
        assert len(here) == (1 if strand.state is StrandState.running else 0)
    for visit in state.visits.values():
        below = [strand.state for strand in state.strands.values() if strand.parent == visit.id]
        if visit.state is VisitState.branching:
            assert StrandState.running in below, "a branching step waits though its branches have ended"
        else:
            assert StrandState.running not in below, "a branching step went on before its branches ended"
        if visit.state in OPEN and state.out_of_time(visit):
            late = visit.awaits is Awaits.outcome or visit.state is VisitState.branching
            assert late, "something was begun or goes on though the time of a step around it is over"
    assert state.finished == any(isinstance(each, e.Finish) for each in seen)
    assert state.finished or state.waiting(), "the run neither ended nor waits for anything"


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 10**9))
def test_random_runs_keep_every_promise(seed: int) -> None:
    rng = random.Random(seed + 1)
    run_through(make(seed), rng, lambda state: rng.choice(possible(state, rng)))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 10**9))
def test_runs_full_of_uncertain_calls_and_time_limits_keep_every_promise(seed: int) -> None:
    rng = random.Random(seed + 1)

    def mostly_uncertain(state: State) -> e.Event:
        found = possible(state, rng)
        unclear = [each for each in found if isinstance(each, e.CommandUncertain)]
        limits = [each for each in found if isinstance(each, e.TimerFired)]
        if unclear and rng.random() < 0.8:
            return rng.choice(unclear)
        return rng.choice(limits if limits and rng.random() < 0.5 else found)

    run_through(make(seed, hurried=True), rng, mostly_uncertain)


def run_through(playbook: Playbook, rng: random.Random, choose: Callable[[State], e.Event]) -> None:
    """One run to its end, with every promise checked after every event."""
    assert [each for each in lint(playbook) if each.severity == "error"] == []
    state, effects = start(playbook, {}, run="R")
    seen = list(effects)
    told: list[e.Event] = []
    check_invariants(state, seen)
    for _ in range(600):
        if state.finished:
            break
        copy = from_json(json.loads(json.dumps(to_json(state))))
        assert copy == state
        event = choose(state)
        assert e.EVENT.validate_json(e.EVENT.dump_json(event)) == event
        before = to_json(state)
        after, effects = advance(state, event)
        assert to_json(state) == before, "the given state was changed"
        assert advance(copy, event) == (after, effects), "a state read from JSON goes on differently"
        assert advance(after, event) == (after, []), "the same event counted twice"
        state, told = after, [*told, event]
        seen += effects
        for old in rng.sample(told, min(3, len(told))):
            assert advance(state, old) == (state, []), "an old event counted again"
        check_invariants(state, seen)
        check_calls(state, seen, told)
        check_nothing_answers_for_people(state)
    assert state.finished


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 10**9), st.integers(0, 30))
def test_no_yes_ever_comes_of_too_few_people_or_of_cancelling(seed: int, steps: int) -> None:
    rng = random.Random(seed)
    state, _ = start(make(seed), {}, run="R")
    for _ in range(steps):
        if state.finished:
            return
        for visit in state.waiting():
            if visit.awaits is not Awaits.approval:
                continue
            try:
                after, effects = advance(state, e.Approved(visit=visit.id, index=visit.index, by=[]))
            except BadInput:
                continue
            raise AssertionError((after, effects))
        state, _ = advance(state, rng.choice(possible(state, rng)))
    state, effects = advance(state, e.Cancelled(by="a"))
    assert state.waiting() == []
    assert not effects or isinstance(effects[-1], e.Finish)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 10**9))
def test_random_playbooks_survive_the_way_to_the_form_and_back(seed: int) -> None:
    data = dump(make(seed))
    assert compile_form(decompile(data)) == data
