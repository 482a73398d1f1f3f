"""Random playbooks under random events, given late, twice, and out of order."""

import json
import random
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

CONDITIONS = ["__n__:value > 3", "__n__:value <= 3", "__u__:value = 'x'", "EXISTS __u__:value"]


class Maker:
    """Builds a random form that keeps CACAO's rules."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
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
        kind = rng.choice(["action"] * 3 + (["if", "parallel"] if depth < 3 else []))
        name = self.name(kind)
        self.steps[name] = {}
        step: dict[str, Any] = {"type": "action", "agent": "people"}
        if kind == "action":
            command = {"type": "manual", "command": "do __n__:value"}
            call = {"type": "http-api", "command": "POST /x HTTP/1.1"}
            shape = rng.randrange(5)
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
        if rng.random() < 0.2:
            step["timeout"] = rng.randint(1, 1000)
        if rng.random() < 0.15:
            step["delay"] = rng.randint(1, 1000)
        if rng.random() < 0.3:
            step |= {"on_success": following, "on_failure": following}
        else:
            step["on_completion"] = following
        self.steps[name] = step
        return name


def make(seed: int) -> Playbook:
    rng = random.Random(seed)
    maker = Maker(rng)
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
        people = ["a", "b", "c"]
        answers: dict[Awaits, list[e.Event]] = {
            Awaits.command: [
                e.CommandSucceeded(**where, values={"__n__": "5"}),
                e.CommandFailed(**where, reason="no"),
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
            found.append(e.TimerFired(visit=visit.id, purpose=e.TimerPurpose.timeout))
    return found


def identity(effect: e.Effect) -> tuple[Any, ...]:
    return (
        effect.kind,
        getattr(effect, "visit", None),
        getattr(effect, "index", None),
        getattr(effect, "purpose", None),
    )


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
    assert state.finished == any(isinstance(each, e.Finish) for each in seen)
    assert state.finished or state.waiting(), "the run neither ended nor waits for anything"


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 10**9))
def test_random_runs_keep_every_promise(seed: int) -> None:
    playbook = make(seed)
    assert [each for each in lint(playbook) if each.severity == "error"] == []
    rng = random.Random(seed + 1)
    state, effects = start(playbook, {}, run="R")
    seen = list(effects)
    told: list[e.Event] = []
    check_invariants(state, seen)
    for _ in range(300):
        if state.finished:
            break
        copy = from_json(json.loads(json.dumps(to_json(state))))
        assert copy == state
        event = rng.choice(possible(state, rng))
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
