"""Walking a playbook through the machine: every effect is answered, as a test has it answered.

`Walk.heard` is what happened in order: each effect with the event that answered it, and with the step's short name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from incident.response import events as e
from incident.response.compile import compile_form
from incident.response.form import load
from incident.response.lint import labels_of
from incident.response.machine import advance, start
from incident.response.model import Playbook, PlaybookActionStep
from incident.response.runner import labels_in
from incident.response.state import State
from incident.response.variables import declarations
from tests.support.playbooks import form_of, measures_taken

PLAYBOOKS = Path(__file__).parents[2] / "playbooks"
Answer = Callable[[Any, str], e.Event | None]
"""How an effect is answered, by its step's short name; None leaves it unanswered."""


@cache
def shipped(name: str) -> Playbook:
    """A shipped playbook by its file's name."""
    path = PLAYBOOKS / f"{name}.yaml"
    return load(path.read_text(encoding="utf-8"), name=path.name).playbook


def name_of(playbook_id: str) -> str | None:
    """The name of the shipped playbook with that id; None where it is not shipped."""
    return next((path.stem for path in PLAYBOOKS.glob("*.yaml") if _has_id(path, playbook_id)), None)


def _has_id(path: Path, playbook_id: str) -> bool:
    return f"\nid: {playbook_id}\n" in path.read_text(encoding="utf-8")


@cache
def children_of(name: str) -> Mapping[str, Playbook]:
    """The playbooks that a shipped one calls, by id. For one that is not shipped stands one that asks a person."""
    playbook = shipped(name)
    return {
        step.playbook_id: shipped(here) if (here := name_of(step.playbook_id)) else _stand_in(playbook, step)
        for step in playbook.workflow.values()
        if isinstance(step, PlaybookActionStep)
    }


def _stand_in(playbook: Playbook, step: PlaybookActionStep) -> Playbook:
    declared = declarations(playbook, step)
    variables = {name: {"type": declared[name].type, "external": True, "value": ""} for name in step.in_args}
    variables |= {name: {"type": declared[name].type, "value": None} for name in step.out_args}
    ask = {
        "type": "action",
        "agent": "people",
        "commands": [{"type": "manual", "command": "do it"}],
        "out_args": list(step.out_args),
        "on_completion": "end",
    }
    workflow = {"start": {"type": "start", "on_completion": "ask"}, "ask": ask, "end": {"type": "end"}}
    form = form_of(workflow, id=step.playbook_id, playbook_variables=variables)
    return Playbook.model_validate(compile_form(form))


@dataclass
class Walk:
    """One run of a shipped playbook. `open` is what it waits for now."""

    name: str
    state: State
    open: list[Any]
    heard: list[tuple[str, Any, e.Event]] = field(default_factory=list)
    measures: list[tuple[str, str]] = field(default_factory=list)
    labels: dict[str, str] = field(default_factory=dict)

    def label(self, effect: Any) -> str:
        return self.labels[effect.step]

    def tell(self, effect: Any, event: e.Event) -> None:
        """Answer one effect that is open."""
        self.open.remove(effect)
        before = self.state
        self.state, effects = advance(before, event)
        self.heard.append((self.label(effect), effect, event))
        self.measures += [
            (self.labels[visit.step], measure)
            for visit, measures in measures_taken(before, self.state)
            for measure in measures
        ]
        for each in effects:
            if isinstance(each, e.Withdraw):
                self.open = [one for one in self.open if one.visit != each.visit]
            elif not isinstance(each, e.Finish):
                self.open.append(each)
        waiting = {visit.id for visit in self.state.waiting()}
        self.open = [one for one in self.open if one.visit in waiting or is_time_limit(one)]
        assert self.state.finished or waiting <= {one.visit for one in self.open}, "it waits for nothing"
        assert self.state.finished or waiting, "it has stopped without an end"

    def asked(self, label: str) -> bool:
        return any(found == label for found, _, _ in self.heard)

    def before(self, label: str) -> Iterator[tuple[str, Any, e.Event]]:
        """What was heard before a step was first answered."""
        for each in self.heard:
            if each[0] == label:
                return
            yield each


@cache
def _began(name: str, given: tuple[tuple[str, str], ...]) -> tuple[State, list[e.Effect]]:
    return start(shipped(name), dict(given), run="R", children=children_of(name))


def begin(name: str, given: Mapping[str, str] | None = None) -> Walk:
    """A run that has just begun."""
    state, effects = _began(name, tuple(sorted((given or {}).items())))
    return Walk(name, state, list(effects), labels=labels_in(state) | labels_of(state.playbook))


def is_time_limit(effect: Any) -> bool:
    return isinstance(effect, e.WaitUntil) and effect.purpose is e.TimerPurpose.timeout


def walk(name: str, answer: Answer, given: Mapping[str, str] | None = None) -> Walk:
    """Answer what is open, the oldest first, until the run is over or nothing is answered any more."""
    one = begin(name, given)
    while not one.state.finished:
        for effect in one.open:
            event = answer(effect, one.label(effect))
            if event is not None:
                one.tell(effect, event)
                break
        else:
            break
    return one


def succeed(effect: Any, label: str) -> e.Event | None:
    """Everybody does what they are asked, everything works, and no time limit runs out."""
    return None if is_time_limit(effect) else event_for(effect, yes=True)


def fail(effect: Any, label: str) -> e.Event | None:
    """Whatever can fail fails, and no time limit runs out."""
    return None if is_time_limit(effect) else event_for(effect, yes=False)


def event_for(effect: Any, *, yes: bool, values: Mapping[str, str] | None = None) -> e.Event:
    """The event that says yes or no to an effect."""
    if isinstance(effect, e.WaitUntil):
        return e.TimerFired(visit=effect.visit, purpose=effect.purpose, round=effect.round)
    where: dict[str, Any] = {"visit": effect.visit, "index": effect.index}
    match effect:
        case e.RunCommand():
            where["round"] = effect.round
            return (
                e.CommandSucceeded(**where, values=dict(values or {}))
                if yes
                else e.CommandFailed(**where, reason="no")
            )
        case e.AskOutcome():
            outcome = e.CallOutcome.done if yes else e.CallOutcome.failed
            return e.OutcomeAnswered(**where, round=effect.round, outcome=outcome, by="li")
        case e.DoInHouse():
            return e.InHouseDone(**where) if yes else e.InHouseFailed(**where, reason="no")
        case e.AskApproval():
            by = ["li", "wang", "zhao"][: effect.quorum]
            return e.Approved(**where, by=by) if yes else e.Rejected(**where, by="li")
        case e.AskCondition():
            return e.ConditionAnswered(**where, holds=yes, by="li")
        case e.AskCase():
            return e.CaseAnswered(visit=effect.visit, case=effect.cases[-1] if yes else None, by="li")
        case _:
            taken = dict(values or {}) if yes else {}
            return e.PersonAnswered(**where, success=yes, by="li", values=taken)
