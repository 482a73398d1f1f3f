"""One turn of the machine: entering steps, asking for work, and closing what has ended.

See `incident.response.machine` for the rules. `Turn` knows how a run goes on; `incident.response.told` adds what it
is told.
"""

from __future__ import annotations

from collections.abc import Mapping

from incident.errors import TocsinError
from incident.response import events as e
from incident.response.conditions import Unreadable, evaluate
from incident.response.model import ActionStep, EndStep, IfStep, ParallelStep, Step, branches
from incident.response.state import OPEN, WAITING, Awaits, State, Strand, StrandState, Visit, VisitState
from incident.response.variables import declarations, declared_value, references
from incident.response.work import effect_for, plan, title_of

ROOT = "root"
TIMED_OUT = "ACTION_TIMEOUT"  # the word of CACAO 2.0 section 4.1, `timeout`
_CLOSED_STRANDS = {
    StrandState.ended: e.Outcome.succeeded,
    StrandState.handled: e.Outcome.handled,
    StrandState.failed: e.Outcome.failed,
}
_ASKED: Mapping[type[e.Effect], Awaits] = {
    e.RunCommand: Awaits.command,
    e.AskPerson: Awaits.person,
    e.AskApproval: Awaits.approval,
    e.DoInHouse: Awaits.in_house,
}


class Turn:
    """One turn over copies of the state's parts; nothing of the given state is touched."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.playbook = state.playbook
        self.visits = dict(state.visits)
        self.strands = dict(state.strands)
        self.variables = dict(state.variables)
        self.entered = state.entered
        self.outcome = state.outcome
        self.effects: list[e.Effect] = []
        self.ahead: list[tuple[str, str]] = []

    def result(self) -> tuple[State, list[e.Effect]]:
        while self.ahead:
            self.arrive(*self.ahead.pop(0))
        changed = {
            "visits": self.visits,
            "strands": self.strands,
            "variables": self.variables,
            "entered": self.entered,
            "outcome": self.outcome,
        }
        return self.state.model_copy(update=changed), self.effects

    def step(self, visit: Visit) -> Step:
        return self.playbook.workflow[visit.step]

    def change(self, visit: Visit, **changes: object) -> Visit:
        self.visits[visit.id] = visit.model_copy(update=changes)
        return self.visits[visit.id]

    # -- going on -------------------------------------------------------------------------------------

    def open_root(self) -> None:
        self.strands[ROOT] = Strand(id=ROOT, parent=None)
        self.enter(self.playbook.workflow_start, ROOT)

    def enter(self, step_id: str, strand: str) -> None:
        """Go to a step in this turn; queued, so that a long chain of steps needs no deep recursion."""
        self.ahead.append((step_id, strand))

    def arrive(self, step_id: str, strand: str) -> None:
        step = self.playbook.workflow[step_id]
        self.entered += 1
        visit = Visit(
            id=f"{self.state.run}-{self.entered}",
            step=step_id,
            strand=strand,
            state=VisitState.delayed if step.delay else VisitState.working,
            awaits=Awaits.timer if step.delay else None,
            local={name: declared_value(variable) for name, variable in step.step_variables.items()},
        )
        self.visits[visit.id] = visit
        if step.delay:
            self.wait(visit, e.TimerPurpose.delay, step.delay)
            return
        self.begin(visit)

    def begin(self, visit: Visit) -> None:
        step = self.step(visit)
        if isinstance(step, EndStep):
            self.close(visit, VisitState.succeeded)
            fell = self.strands[visit.strand].exception
            self.end_strand(visit.strand, StrandState.handled if fell else StrandState.ended)
            return
        if step.timeout is not None:
            self.wait(visit, e.TimerPurpose.timeout, step.timeout)
        match step:
            case ActionStep():
                self.ask(visit, 0)
            case IfStep():
                self.decide(visit, step)
            case ParallelStep():
                self.open_branches(visit, branches(step))
            case _:
                self.succeed(visit)

    def ask(self, visit: Visit, index: int) -> None:
        """Ask for piece `index` of an action; without one, the step has succeeded."""
        step = self.step(visit)
        assert isinstance(step, ActionStep)  # noqa: S101 - only actions have pieces
        if index >= len(plan(step)):
            self.succeed(visit)
            return
        try:
            effect = self.piece(visit, index, self.variables | visit.local)
        except TocsinError as error:
            self.fail(visit, str(error))
            return
        sent_with = effect.variables if isinstance(effect, e.RunCommand) else {}
        self.change(
            visit, state=VisitState.working, index=index, awaits=_ASKED[type(effect)], sent_with=sent_with
        )
        self.effects.append(effect)

    def piece(self, visit: Visit, index: int, values: Mapping[str, str | None]) -> e.Piece:
        step = self.step(visit)
        assert isinstance(step, ActionStep)  # noqa: S101 - only actions have pieces
        effect = effect_for(self.playbook, visit.step, step, visit.id, index, values)
        if isinstance(effect, e.RunCommand):
            return effect.model_copy(update={"round": visit.round})
        return effect

    def decide(self, visit: Visit, step: IfStep) -> None:
        values = self.variables | visit.local
        holds = evaluate(step.condition, values, declarations(self.playbook, step))
        if not isinstance(holds, Unreadable):
            self.branch_on(visit, step, holds)
            return
        self.change(visit, state=VisitState.deciding, awaits=Awaits.condition)
        self.effects.append(
            e.AskCondition(
                visit=visit.id,
                step=visit.step,
                title=title_of(visit.step, step),
                condition=step.condition,
                reason=holds.reason,
                variables={name: values.get(name) for name in references(step.condition)},
            )
        )

    def branch_on(self, visit: Visit, step: IfStep, holds: bool) -> None:
        branch = step.on_true if holds else step.on_false
        if branch is None:
            self.succeed(visit)
            return
        self.open_branches(visit, [branch])

    def open_branches(self, visit: Visit, first_steps: list[str]) -> None:
        self.change(visit, state=VisitState.branching, awaits=Awaits.branches)
        opened = [
            Strand(id=f"{visit.id}.{number}", parent=visit.id) for number in range(1, len(first_steps) + 1)
        ]
        self.strands |= {strand.id: strand for strand in opened}
        for strand, first in zip(opened, first_steps, strict=True):
            self.enter(first, strand.id)

    # -- closing --------------------------------------------------------------------------------------

    def close(self, visit: Visit, state: VisitState, reason: str | None = None) -> None:
        self.change(visit, state=state, awaits=None, reason=reason)

    def succeed(self, visit: Visit) -> None:
        step = self.step(visit)
        self.close(visit, VisitState.succeeded)
        following = step.on_success or step.on_completion
        assert following is not None  # noqa: S101 - lint refuses a step that leads nowhere
        self.enter(following, visit.strand)

    def fail(self, visit: Visit, reason: str, *, brought: StrandState | None = None) -> None:
        """`brought`: how the branches ended that made a branching step fail."""
        step = self.step(visit)
        self.close(visit, VisitState.failed, reason)
        self.cancel_below(visit, reason)
        strand = self.strands[visit.strand]
        if step.on_failure:
            self.enter(step.on_failure, visit.strand)
        elif self.playbook.workflow_exception and not self.in_exception(strand) and brought is None:
            self.strands[strand.id] = strand.model_copy(update={"exception": True})
            self.enter(self.playbook.workflow_exception, visit.strand)
        else:
            self.end_strand(visit.strand, brought or StrandState.failed)

    def in_exception(self, strand: Strand) -> bool:
        if strand.exception:
            return True
        return strand.parent is not None and self.in_exception(
            self.strands[self.visits[strand.parent].strand]
        )

    def end_strand(self, strand_id: str, state: StrandState) -> None:
        strand = self.strands[strand_id].model_copy(update={"state": state})
        self.strands[strand_id] = strand
        if strand.parent is None:
            self.finish(_CLOSED_STRANDS[state])
            return
        parent = self.visits[strand.parent]
        children = [each.state for each in self.strands.values() if each.parent == parent.id]
        if parent.state is not VisitState.branching or StrandState.running in children:
            return
        worst = next((each for each in (StrandState.failed, StrandState.handled) if each in children), None)
        if worst is None:
            self.succeed(parent)
            return
        self.fail(parent, "a branch failed", brought=worst)

    def running_below(self, visit: Visit) -> list[Strand]:
        strands = [each for each in self.strands.values() if each.parent == visit.id]
        return [each for each in strands if each.state is StrandState.running]

    def open_in(self, strand: Strand) -> list[Visit]:
        return [each for each in self.visits.values() if each.strand == strand.id and each.state in OPEN]

    def cancel_below(self, visit: Visit, reason: str) -> None:
        for strand in self.running_below(visit):
            self.cancel_strand(strand)
            for each in self.open_in(strand):
                self.cancel_visit(each, reason)

    def cancel_strand(self, strand: Strand) -> None:
        self.strands[strand.id] = strand.model_copy(update={"state": StrandState.cancelled})

    def cancel_visit(self, visit: Visit, reason: str) -> None:
        self.withdraw(visit, reason)
        self.close(visit, VisitState.cancelled, reason)
        self.cancel_below(visit, reason)

    def withdraw(self, visit: Visit, reason: str) -> None:
        if visit.state in WAITING:
            self.effects.append(e.Withdraw(visit=visit.id, step=visit.step, reason=reason))

    def cancel_run(self, event: e.Cancelled) -> None:
        reason = event.reason or f"cancelled by {event.by}"
        self.cancel_strand(self.strands[ROOT])
        for visit in self.open_in(self.strands[ROOT]):
            self.cancel_visit(visit, reason)
        self.finish(e.Outcome.cancelled, reason)

    def finish(self, outcome: e.Outcome, reason: str | None = None) -> None:
        self.outcome = outcome
        if reason is None and outcome is not e.Outcome.succeeded:
            reason = next((v.reason for v in self.visits.values() if v.state is VisitState.failed), None)
        self.effects.append(e.Finish(outcome=outcome, reason=reason))

    def wait(self, visit: Visit, purpose: e.TimerPurpose, in_ms: int) -> None:
        self.effects.append(
            e.WaitUntil(visit=visit.id, step=visit.step, purpose=purpose, in_ms=in_ms, round=visit.round)
        )
