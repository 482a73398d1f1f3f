"""Random playbooks that keep CACAO's rules: every step type, every way to fail, and playbooks that call others.

A playbook's depth is how many calls lie above it. Its numbers are between 1000 x depth and 1000 x depth + 9, so that
a number tells whose it is, and `__own__` is passed to nobody.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from incident.response import events as e
from incident.response.compile import compile_form
from incident.response.model import Playbook, PlaybookActionStep, SwitchStep
from incident.response.state import OPEN, Awaits, State, VisitState

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
CONDITIONS = [
    "__n__:value > 3",
    "__n__:value <= 3",
    "__u__:value = 'x'",
    "EXISTS __u__:value",
    "__own__:value LIKE '0%'",
    "verdict == 'malicious'",
]
DEEPEST = 2
MOST_ROUNDS = 3


class Maker:
    """Builds a random form. `hurried`: mostly calls, within steps that have time limits; `calls`: whom it may call."""

    def __init__(self, rng: random.Random, *, hurried: bool = False, calls: Sequence[Playbook] = ()) -> None:
        self.rng = rng
        self.hurried = hurried
        self.calls = calls
        self.steps: dict[str, Any] = {}

    def name(self, kind: str) -> str:
        return f"{kind}-{len(self.steps)}"

    def level(self, depth: int) -> str:
        """A sequence that ends in an end step of its own; returns its first step."""
        following = self.name("end")
        self.steps[following] = {"type": "end"}
        for _ in range(self.rng.randint(0 if depth else 1, 3 if depth < 2 else 2)):
            following = self.step(following, depth)
        return following

    def step(self, following: str, depth: int) -> str:
        rng = self.rng
        deep = ["if", "while", "switch"] + ["parallel"] * (3 if self.hurried else 1)
        kinds = ["action"] * 4 + (deep if depth < 3 else []) + (["call", "call"] if self.calls else [])
        kind = rng.choice(kinds)
        name = self.name(kind)
        self.steps[name] = {}
        step: dict[str, Any] = {
            "action": self.action,
            "if": lambda: self.condition(depth),
            "while": lambda: self.loop(depth),
            "switch": lambda: self.switch(depth),
            "parallel": lambda: self.parallel(depth),
            "call": self.call,
        }[kind]()
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

    def action(self) -> dict[str, Any]:
        rng = self.rng
        command = {"type": "manual", "command": "do __n__:value"}
        call = {"type": "http-api", "command": "POST /x/__n__:value HTTP/1.1"}
        at_machine = {"type": "action", "agent": "machine"}
        at_people = {"type": "action", "agent": "people"}
        shape = rng.choice([1, 1, 1, 2, 4]) if self.hurried else rng.randrange(5)
        if shape == 0:
            return {**at_people, "commands": [command, command]}
        if shape == 1:
            extensions: dict[str, Any] = {}
            if rng.random() < 0.5:
                extensions["retries"] = {"most": rng.randint(1, 2), "pause": rng.choice([0, 1000])}
            if rng.random() < 0.3:
                extensions["repeatable"] = {"because": "twice is as once"}
            more = {"step_extensions": extensions} if extensions else {}
            return {**at_machine, "commands": [call, call, command], "out_args": ["__n__"], **more}
        if shape == 2:
            extension = {"approval": {"approver_roles": ["approver"], "quorum": rng.randint(1, 3)}}
            return {**at_machine, "commands": [command, call], "step_extensions": extension}
        if shape == 3:
            return {**at_people, "commands": [command], "step_extensions": {"notice": {"task": "draft"}}}
        return {**at_people, "commands": [command]}

    def condition(self, depth: int) -> dict[str, Any]:
        step = {
            "type": "if-condition",
            "condition": self.rng.choice(CONDITIONS),
            "on_true": self.level(depth + 1),
        }
        if self.rng.random() < 0.6:
            step["on_false"] = self.level(depth + 1)
        return step

    def loop(self, depth: int) -> dict[str, Any]:
        return {
            "type": "while-condition",
            "condition": self.rng.choice(CONDITIONS),
            "on_true": self.level(depth + 1),
            "step_extensions": {"loop": {"most_rounds": self.rng.randint(1, MOST_ROUNDS)}},
        }

    def switch(self, depth: int) -> dict[str, Any]:
        cases = self.rng.sample(["0", "1", "4", "default"], self.rng.randint(1, 3))
        return {
            "type": "switch-condition",
            "switch": self.rng.choice(["__n__:value", "__u__"]),
            "cases": {case: self.level(depth + 1) for case in cases},
        }

    def parallel(self, depth: int) -> dict[str, Any]:
        return {
            "type": "parallel",
            "next_steps": [self.level(depth + 1) for _ in range(self.rng.randint(2, 3))],
        }

    def call(self) -> dict[str, Any]:
        given = [name for name in ("__n__", "__u__") if self.rng.random() < 0.5]
        taken = ["__n__"] if self.rng.random() < 0.3 else []
        child = self.rng.choice(list(self.calls))
        return {
            "type": "playbook-action",
            "playbook_id": child.id,
            **({"in_args": given} if given else {}),
            **({"out_args": taken} if taken else {}),
        }


def make(seed: int, *, hurried: bool = False, depth: int = 0, calls: Sequence[Playbook] = ()) -> Playbook:
    """A random playbook of a depth, which may call those of `calls`."""
    rng = random.Random(seed)
    maker = Maker(rng, hurried=hurried, calls=calls)
    first = maker.level(1 if depth else 0)
    command = {"type": "manual", "command": "do __n__:value"}
    maker.steps["action-0"] = {
        "type": "action",
        "agent": "people",
        "commands": [command],
        "on_completion": first,
    }
    maker.steps["start"] = {"type": "start", "on_completion": "action-0"}
    form = {
        "name": f"random {seed} at depth {depth}",
        "created_by": "identity--92efc06a-8fbe-4c9d-8f66-8f3aef5c2702",
        "created": "2025-11-20T00:00:00.000Z",
        "playbook_variables": {
            "__n__": {"type": "integer", "external": True, "value": str(1000 * depth + rng.randint(0, 6))},
            "__u__": {"type": "string", "external": True, "value": f"own of {depth}" if depth else None},
            "__own__": {"type": "string", "value": f"{depth}: nobody else's"},
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


def make_family(seed: int, *, hurried: bool = False) -> tuple[Playbook, dict[str, Playbook]]:
    """A random playbook and those it may call, at any depth, by id; for some seeds it calls none."""
    rng = random.Random(seed)
    below: list[Playbook] = []
    children: dict[str, Playbook] = {}
    for depth in range(rng.randint(0, DEEPEST), 0, -1):
        below = [
            make(seed * 10 + depth * 3 + number, hurried=hurried, depth=depth, calls=below)
            for number in range(2)
        ]
        children |= {each.id: each for each in below}
    root = make(seed, hurried=hurried, calls=below)
    return root, children


def depth_of(playbook: Playbook) -> int:
    return int(playbook.name.rpartition(" ")[2])


def takes_numbers_back(playbook: Playbook) -> bool:
    """Whether a step of it takes a number from a playbook that it calls."""
    return any(
        isinstance(step, PlaybookActionStep) and "__n__" in step.out_args
        for step in playbook.workflow.values()
    )


def size_of(playbook: Playbook, children: dict[str, Playbook]) -> int:
    """Its steps and those of every playbook it calls, once for each step that calls one."""
    called = [step.playbook_id for step in playbook.workflow.values() if isinstance(step, PlaybookActionStep)]
    return len(playbook.workflow) + sum(size_of(children[each], children) for each in called)


def possible(state: State, rng: random.Random) -> list[e.Event]:
    """The events that may come: answers of both kinds for each open visit, and timers."""
    found: list[e.Event] = []
    for visit in state.visits.values():
        where: dict[str, Any] = {"visit": visit.id, "index": visit.index}
        of_call: dict[str, Any] = {"round": visit.round}
        step = state.step_of(visit)
        number = str(1000 * depth_of(state.playbook_of(visit)) + rng.randint(0, 9))
        cases = [*step.cases, None] if isinstance(step, SwitchStep) else []
        people = ["a", "b", "c"]
        answers: dict[Awaits, list[e.Event]] = {
            Awaits.command: [
                e.CommandSucceeded(**where, **of_call, values={"__n__": number, "__own__": "stolen"}),
                e.CommandFailed(**where, **of_call, reason="no", ambiguous=rng.random() < 0.3),
                e.CommandUncertain(**where, **of_call, sent_at=NOON, why=e.Uncertain.no_answer),
                e.CommandUncertain(**where, **of_call, sent_at=NOON, why=e.Uncertain.worker_stopped),
            ],
            Awaits.outcome: [
                e.OutcomeAnswered(**where, **of_call, outcome=outcome, by="a") for outcome in e.CallOutcome
            ],
            Awaits.person: [e.PersonAnswered(**where, success=yes, by="a") for yes in (True, True, False)],
            Awaits.approval: [e.Approved(**where, by=people), e.Rejected(**where, by="a")],
            Awaits.condition: [e.ConditionAnswered(**where, holds=yes, by="a") for yes in (True, False)],
            Awaits.case: [e.CaseAnswered(**where, case=case, by="a") for case in cases],
            Awaits.in_house: [e.InHouseDone(**where), e.InHouseFailed(**where, reason="no")],
            Awaits.timer: [e.TimerFired(visit=visit.id, purpose=e.TimerPurpose.delay)],
        }
        found += answers.get(visit.awaits, []) if visit.awaits else []
        begun = visit.state in OPEN - {VisitState.delayed}
        if begun and step.timeout and rng.random() < 0.2:
            limit = e.TimerFired(visit=visit.id, purpose=e.TimerPurpose.timeout, round=visit.clock)
            # What the machine does not take must be no way out either: an overdue step has no limit any more.
            found += [] if visit.awaits is Awaits.outcome or visit.overdue else [limit]
    return found
