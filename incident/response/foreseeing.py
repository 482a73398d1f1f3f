"""Which values a step will find, as far as that is certain before anything has run.

A variable is certain at a step only if no step that may run before it can write it. Everything else is unknown, so that
a dry run never shows a value that may be another one by then.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from incident.errors import TocsinError
from incident.response.conditions import Unreadable, case_of, evaluate
from incident.response.lint_graph import successors
from incident.response.model import (
    ActionStep,
    IfStep,
    ParallelStep,
    Playbook,
    PlaybookActionStep,
    Step,
    SwitchStep,
    WhileStep,
    branches,
)
from incident.response.variables import (
    declarations,
    declared_value,
    first_values,
    references,
    variable_in,
)


@dataclass(frozen=True)
class Foreseen:
    """What a step will see: `values` are certain (None: certain to be unknown then), `open` are the names that are not."""

    values: Mapping[str, str | None]
    open: frozenset[str]

    @property
    def known(self) -> dict[str, str]:
        return {
            name: value for name, value in self.values.items() if value is not None and name not in self.open
        }

    def without(self, names: Iterable[str]) -> Foreseen:
        """The same once these may have been written."""
        return Foreseen(self.values, self.open | (frozenset(names) & self.values.keys()))


@dataclass(frozen=True)
class Decided:
    """What a condition or a switch comes to now. `entered` holds the first steps that would be entered, None where
    that cannot be told; `asks`: a person would be asked."""

    entered: frozenset[str] | None
    reason: str = ""
    asks: bool = False


@dataclass
class Sight:
    """What is foreseen of one playbook, as it is called. `problems` are values that it does not take or lacks."""

    playbook: Playbook
    start: Foreseen
    problems: list[str] = field(default_factory=list)
    passed_over: bool = False
    _before: dict[str, frozenset[str]] = field(default_factory=dict)
    _not_entered: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._before = written_before(self.playbook)

    def at(self, step_id: str) -> Foreseen:
        """What the step of that id sees when it begins."""
        step = self.playbook.workflow[step_id]
        own = {name: declared_value(variable) for name, variable in step.step_variables.items()}
        may_differ = self.start.open | (self._before.get(step_id, frozenset()) & self.start.values.keys())
        return Foreseen({**self.start.values, **own}, may_differ - own.keys())

    def is_entered(self, step_id: str) -> bool:
        """False where conditions that are certain keep the run from it."""
        return not self.passed_over and step_id not in self._not_entered

    def decide(self, step_id: str) -> Decided | None:
        """What a condition or switch comes to now; None for other steps. Ways that are not entered are remembered."""
        step = self.playbook.workflow[step_id]
        decided = _decided(self.playbook, step, self.at(step_id))
        if decided is not None and decided.entered is not None and self.is_entered(step_id):
            for first in branches(step):
                if first not in decided.entered:
                    self._not_entered |= _within(self.playbook, first)
        return decided

    def call(self, step_id: str, child: Playbook) -> Sight:
        """What is foreseen of the playbook that this step calls: only `in_args` go in."""
        step = self.playbook.workflow[step_id]
        assert isinstance(step, PlaybookActionStep)  # noqa: S101 - only these call
        here = self.at(step_id)
        given = {name: here.known[name] for name in step.in_args if name in here.known}
        sight = sight_of(child, given, open_=frozenset(step.in_args) & here.open)
        sight.passed_over = not self.is_entered(step_id)
        return sight


def sight_of(playbook: Playbook, given: Mapping[str, str], *, open_: frozenset[str] = frozenset()) -> Sight:
    """What is foreseen with these values from outside; `open_` are given too, with values that are not known yet."""
    declared = playbook.playbook_variables
    values = {name: declared_value(variable) for name, variable in declared.items()}
    problems = []
    for name, raw in given.items():
        alone = {each: variable for each, variable in declared.items() if each == name}
        try:
            values |= first_values(playbook.model_copy(update={"playbook_variables": alone}), {name: raw})
        except TocsinError as error:
            problems.append(f"{error.what}: {name}")
    missing = {
        name
        for name, variable in declared.items()
        if variable.external
        and "value" not in variable.model_fields_set
        and name not in given
        and name not in open_
    }
    problems += [f"a value is missing: {name}" for name in sorted(missing)]
    return Sight(playbook, Foreseen(values, (open_ | missing) & values.keys()), problems)


def written_before(playbook: Playbook) -> dict[str, frozenset[str]]:
    """For each step, the variables that a step may have written which can run before it, or beside it."""
    below = _written_from(playbook)
    everything = frozenset().union(*(_written_by(step) for step in playbook.workflow.values()))
    by_exception = below.get(playbook.workflow_exception or "", frozenset())
    before: dict[str, frozenset[str]] = {}
    ahead: list[str] = []

    def meet(step_id: str | None, names: frozenset[str]) -> None:
        if step_id is None or step_id not in playbook.workflow:
            return
        if step_id not in before or not names <= before[step_id]:
            before[step_id] = before.get(step_id, frozenset()) | names
            ahead.append(step_id)

    meet(playbook.workflow_start, frozenset())
    meet(playbook.workflow_exception, everything)
    while ahead:
        step_id = ahead.pop()
        step = playbook.workflow[step_id]
        inside = frozenset().union(*(below.get(first, frozenset()) for first in branches(step)))
        after = before[step_id] | _written_by(step) | inside
        meet(step.on_completion, after)
        meet(step.on_success, after)
        # A branch may have ended in the exception route, and its steps may have written.
        meet(step.on_failure, after | by_exception if branches(step) else after)
        beside = inside | by_exception if isinstance(step, ParallelStep) else inside
        again = isinstance(step, ParallelStep | WhileStep)
        for first in branches(step):
            meet(first, before[step_id] | beside if again else before[step_id])
    return {step_id: before.get(step_id, everything) for step_id in playbook.workflow}


def _written_by(step: Step) -> frozenset[str]:
    if not isinstance(step, ActionStep | PlaybookActionStep):
        return frozenset()
    return frozenset(step.out_args) - step.step_variables.keys()


def _written_from(playbook: Playbook) -> dict[str, frozenset[str]]:
    """For each step, all that may be written from it on along its level and in its branches. Without recursion."""
    found: dict[str, frozenset[str]] = {}
    begun: set[str] = set()
    for root in playbook.workflow:
        ahead = [root]
        while ahead:
            step_id = ahead[-1]
            step = playbook.workflow[step_id]
            following = successors(playbook, step)
            if step_id not in begun:
                begun.add(step_id)
                ahead += [each for each in following if each not in begun]
                continue
            ahead.pop()
            if step_id not in found:
                found[step_id] = _written_by(step).union(
                    *(found.get(each, frozenset()) for each in following)
                )
    return found


def _within(playbook: Playbook, first: str) -> set[str]:
    ahead, seen = [first], set[str]()
    while ahead:
        step_id = ahead.pop()
        if step_id in seen or step_id not in playbook.workflow:
            continue
        seen.add(step_id)
        ahead += successors(playbook, playbook.workflow[step_id])
    return seen


def _decided(playbook: Playbook, step: Step, here: Foreseen) -> Decided | None:
    declared = declarations(playbook, step)
    match step:
        case IfStep() | WhileStep():
            if here.open & set(references(step.condition)):
                return Decided(None)
            holds = evaluate(step.condition, here.values, declared)
            if isinstance(holds, Unreadable):
                return Decided(None, holds.reason, asks=True)
            other = step.on_false if isinstance(step, IfStep) else None
            return Decided(frozenset({step.on_true} if holds else {other} - {None}))
        case SwitchStep():
            if variable_in(step.switch) in here.open:
                return Decided(None)
            case = case_of(step.switch, list(step.cases), here.values, declared)
            if isinstance(case, Unreadable):
                return Decided(None, case.reason, asks=True)
            return Decided(frozenset({step.cases[case]}))
        case _:
            return None
