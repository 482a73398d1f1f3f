"""Containment that can be trusted: who owns it, how it is verified and taken back, and evidence before what destroys it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

from pydantic import ValidationError

from incident.response.commands import KINDS
from incident.response.evidence_first import PRESERVED
from incident.response.extensions import measures_of, verification_of
from incident.response.lint_graph import Complaint
from incident.response.model import (
    MANUAL,
    ActionStep,
    Command,
    EndStep,
    IfStep,
    ParallelStep,
    Playbook,
    Step,
    SwitchStep,
    branches,
)
from incident.response.variables import declarations, references

_DEEPEST = 100
"""Branches within branches that are looked into; what lies deeper waits for the evidence when it is run."""


@dataclass(frozen=True)
class Catalogue:
    """What a check needs to know of the record: measures that may destroy evidence, and facts that are durations."""

    evidence_first: frozenset[str] = frozenset()
    durations: frozenset[str] = frozenset()


def containment(
    playbook: Playbook, step_id: str, step: ActionStep, catalogue: Catalogue | None
) -> Iterator[Complaint]:
    """What keeps a step's containment from being owned, verified, taken back or counted."""
    if (checks := verification_of(step)) is not None:
        for each in checks.verifies:
            checked = playbook.workflow.get(each)
            if checked is None or measures_of(checked) is None:
                yield "verifies-nothing", step_id, f"it verifies “{each}”, which is no step with measures"
    action = measures_of(step)
    if action is None:
        return
    if action.owner is not None and action.owner not in playbook.agent_definitions:
        yield "unknown-owner", step_id, f"its owner “{action.owner}” is not in agent_definitions"
    for number, raw in enumerate(action.undo_commands, start=1):
        for code, message in _undo_command(playbook, step, raw):
            yield code, step_id, f"undo command {number}: {message}"
    calls = any(command.type != MANUAL for command in step.commands)
    if action.undo_ids and calls and not action.undo_commands:
        yield "undone-by-hand", step_id, "nothing takes this back by itself: a person is asked to, at an undo"
    if (
        action.interrupts is not None
        and catalogue is not None
        and action.interrupts not in catalogue.durations
    ):
        yield "unknown-interruption", step_id, f"“{action.interrupts}” is no fact that is a duration"


def _undo_command(playbook: Playbook, step: ActionStep, raw: object) -> Iterator[tuple[str, str]]:
    try:
        command = Command.model_validate(_in_one_language(raw))
    except ValidationError as error:
        yield "undo-command", f"it is no command: {error.errors()[0]['msg']}"
        return
    declared = declarations(playbook, step)
    for name in dict.fromkeys(references(json.dumps(raw))):
        if name not in declared:
            yield "undeclared-variable", f"{name} is used but not declared"
    if command.type in KINDS:
        # What it needs of the step is the step's own agent, targets and variables.
        yield from KINDS[command.type].problems(playbook, step, command)
    elif command.type != MANUAL:
        yield (
            "command-type-not-run",
            f"a “{command.type}” command cannot be run: this engine runs manual, {', '.join(KINDS)}",
        )
    elif not (command.command or command.command_b64 or "").strip():
        yield "manual-text", "it says nothing to the person"


def _in_one_language(raw: object) -> object:
    if isinstance(raw, dict) and isinstance(raw.get("command"), dict):
        return {**raw, "command": next(iter(raw["command"].values()), "")}
    return raw


# -- evidence first ------------------------------------------------------------------------------------


def evidence(playbook: Playbook, catalogue: Catalogue) -> Iterator[Complaint]:
    """Steps that may destroy evidence before every way to them has preserved it. The steps must not go in a circle."""
    walk = _Walk(playbook)
    walk.level(playbook.workflow_start, preserved=False)
    if playbook.workflow_exception:
        walk.level(playbook.workflow_exception, preserved=False)
    for step_id, preserved in walk.before.items():
        step = playbook.workflow[step_id]
        action = measures_of(step)
        if action is None or preserved:
            continue
        if found := sorted(catalogue.evidence_first & set(action.action_ids)):
            yield (
                "evidence-first",
                step_id,
                f"{', '.join(found)} may destroy evidence, and a way leads here on which none was preserved; "
                f"put a step with {PRESERVED} before it (until then it waits when it is run)",
            )


class _Walk:
    """Whether the evidence is surely preserved before each step, over every way that leads to it."""

    def __init__(self, playbook: Playbook) -> None:
        self.workflow = playbook.workflow
        self.before: dict[str, bool] = {}
        self.depth = 0

    def level(self, first: str, *, preserved: bool) -> bool:
        """Walk one level in the order in which its steps can follow; whether it is preserved at every end."""
        arriving: dict[str, bool] = {first: preserved}
        at_end: list[bool] = []
        for step_id in self.in_order(first):
            step, here = self.workflow[step_id], arriving.get(step_id, preserved)
            self.before[step_id] = self.before.get(step_id, True) and here
            if isinstance(step, EndStep):
                at_end.append(here)
                continue
            after = self.after(step, here)
            for following, value in (
                (step.on_completion, after),
                (step.on_success, after),
                (step.on_failure, here),
            ):
                if following in self.workflow and following is not None:
                    arriving[following] = arriving.get(following, True) and value
        return bool(at_end) and all(at_end)

    def in_order(self, first: str) -> list[str]:
        """The steps of a level, each after all that lead to it. Iterative, so that depth is no limit."""
        done: dict[str, None] = {}
        stack: list[tuple[str, bool]] = [(first, False)]
        entered: set[str] = set()
        while stack:
            step_id, left = stack.pop()
            if left:
                done[step_id] = None
                continue
            if step_id in entered or step_id not in self.workflow:
                continue
            entered.add(step_id)
            stack.append((step_id, True))
            step = self.workflow[step_id]
            follows = (step.on_completion, step.on_success, step.on_failure)
            stack += [(each, False) for each in follows if each]
        return list(reversed(done))

    def after(self, step: Step, here: bool) -> bool:
        """Whether it is preserved after the step has succeeded."""
        if self.depth >= _DEEPEST:
            return here
        self.depth += 1
        ends = [self.level(each, preserved=here) for each in branches(step) if each in self.workflow]
        self.depth -= 1
        match step:
            case ParallelStep():
                return here or any(ends)
            case IfStep():
                return here or (step.on_false is not None and all(ends))
            case SwitchStep():
                return here or (bool(ends) and all(ends))
            case ActionStep():
                action = measures_of(step)
                return here or (action is not None and PRESERVED in action.action_ids)
            case _:
                return here
