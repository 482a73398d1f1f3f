"""The machine: `start` and `advance`, pure functions from a state and an event to a state and effects.

Rules it keeps:
- A step's failure (a command's, a person's "failure", a rejection, a timeout) goes to `on_failure`, else to
  the playbook's `workflow_exception`, else up to the branching step, else the run has failed. `on_completion`
  is never followed after a failure.
- A parallel step waits until all its branches have ended, however they ended; it fails if one did. A failure
  that the exception route has dealt with is not brought there again on its way up.
- Only `Approved`, with enough different people, is a yes.
- An event for a visit that is closed, or for other work than the visit waits for, changes nothing.
- A piece of work is asked for once a visit.
"""

from __future__ import annotations

from collections.abc import Mapping

from incident.errors import BadInput, TocsinError
from incident.response import events as e
from incident.response.conditions import Unreadable, evaluate
from incident.response.extensions import approval_of
from incident.response.lint import require_runnable
from incident.response.model import ActionStep, EndStep, IfStep, ParallelStep, Playbook, Step, branches
from incident.response.state import OPEN, WAITING, Awaits, State, Strand, StrandState, Visit, VisitState
from incident.response.variables import declarations, declared_value, first_values, outputs, references
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
_ANSWERS: Mapping[type[e.Event], Awaits] = {
    e.CommandSucceeded: Awaits.command,
    e.CommandFailed: Awaits.command,
    e.PersonAnswered: Awaits.person,
    e.Approved: Awaits.approval,
    e.Rejected: Awaits.approval,
    e.ConditionAnswered: Awaits.condition,
    e.InHouseDone: Awaits.in_house,
    e.InHouseFailed: Awaits.in_house,
}


def start(playbook: Playbook, given: Mapping[str, str], *, run: str) -> tuple[State, list[e.Effect]]:
    """Begin a run. `given` are values of external variables; visits are named `<run>-1`, `<run>-2`...

    Raises BadInput where the playbook cannot be run or a value is missing or does not fit.
    """
    require_runnable(playbook)
    state = State(run=run, playbook=playbook, variables=first_values(playbook, given))
    turn = _Turn(state)
    turn.strands[ROOT] = Strand(id=ROOT, parent=None)
    turn.enter(playbook.workflow_start, ROOT)
    return turn.result()


def advance(state: State, event: e.Event) -> tuple[State, list[e.Effect]]:
    """Take one event. Raises BadInput, and changes nothing, where an answer of a person does not fit."""
    if state.finished:
        return state, []
    turn = _Turn(state)
    if isinstance(event, e.Cancelled):
        turn.cancel_run(event)
        return turn.result()
    visit = state.visits.get(event.visit)
    if visit is None or visit.state not in OPEN:
        return state, []
    if isinstance(event, e.TimerFired):
        turn.timer(visit, event.purpose)
        return turn.result()
    if visit.state not in WAITING or event.index != visit.index or visit.awaits is not _ANSWERS[type(event)]:
        return state, []
    turn.answer(visit, event)
    return turn.result()


class _Turn:
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
        values = self.variables | visit.local
        try:
            effect = effect_for(self.playbook, visit.step, step, visit.id, index, values)
        except TocsinError as error:
            self.fail(visit, str(error))
            return
        self.change(visit, state=VisitState.working, index=index, awaits=_ASKED[type(effect)])
        self.effects.append(effect)

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

    def cancel_below(self, visit: Visit, reason: str) -> None:
        for strand in [each for each in self.strands.values() if each.parent == visit.id]:
            if strand.state is not StrandState.running:
                continue
            self.strands[strand.id] = strand.model_copy(update={"state": StrandState.cancelled})
            for each in [v for v in self.visits.values() if v.strand == strand.id and v.state in OPEN]:
                self.cancel_visit(each, reason)

    def cancel_visit(self, visit: Visit, reason: str) -> None:
        self.withdraw(visit, reason)
        self.close(visit, VisitState.cancelled, reason)
        self.cancel_below(visit, reason)

    def withdraw(self, visit: Visit, reason: str) -> None:
        if visit.state in WAITING:
            self.effects.append(e.Withdraw(visit=visit.id, step=visit.step, reason=reason))

    def cancel_run(self, event: e.Cancelled) -> None:
        reason = event.reason or f"cancelled by {event.by}"
        root = self.strands[ROOT]
        self.strands[ROOT] = root.model_copy(update={"state": StrandState.cancelled})
        for visit in [v for v in self.visits.values() if v.strand == ROOT and v.state in OPEN]:
            self.cancel_visit(visit, reason)
        self.finish(e.Outcome.cancelled, reason)

    def finish(self, outcome: e.Outcome, reason: str | None = None) -> None:
        self.outcome = outcome
        if reason is None and outcome is not e.Outcome.succeeded:
            reason = next((v.reason for v in self.visits.values() if v.state is VisitState.failed), None)
        self.effects.append(e.Finish(outcome=outcome, reason=reason))

    # -- being told -----------------------------------------------------------------------------------

    def wait(self, visit: Visit, purpose: e.TimerPurpose, in_ms: int) -> None:
        self.effects.append(e.WaitUntil(visit=visit.id, step=visit.step, purpose=purpose, in_ms=in_ms))

    def timer(self, visit: Visit, purpose: e.TimerPurpose) -> None:
        if purpose is e.TimerPurpose.delay:
            if visit.state is VisitState.delayed:
                self.begin(self.change(visit, state=VisitState.working, awaits=None))
            return
        if visit.state is VisitState.delayed or self.step(visit).timeout is None:
            return
        self.withdraw(visit, TIMED_OUT)
        self.fail(visit, TIMED_OUT)

    def answer(self, visit: Visit, event: e.Event) -> None:
        match event:
            case e.CommandSucceeded():
                self.take_output(visit, event)
            case e.CommandFailed():
                unclear = " (it may have been done all the same)" if event.ambiguous else ""
                self.fail(visit, f"{event.reason}{unclear}")
            case e.PersonAnswered():
                self.person_answered(visit, event)
            case e.Approved():
                self.approved(visit, event)
            case e.Rejected():
                visit = self.change(visit, by=[event.by])
                self.fail(visit, event.reason or f"rejected by {event.by}")
            case e.ConditionAnswered():
                step = self.step(visit)
                assert isinstance(step, IfStep)  # noqa: S101 - only an if-condition asks this
                self.branch_on(self.change(visit, by=[event.by]), step, event.holds)
            case e.InHouseDone():
                self.ask(visit, visit.index + 1)
            case e.InHouseFailed():
                self.fail(visit, event.reason)

    def take_output(self, visit: Visit, event: e.CommandSucceeded) -> None:
        try:
            visit = self.write(visit, event.values)
        except TocsinError as error:
            self.fail(visit, str(error))
            return
        self.ask(visit, visit.index + 1)

    def person_answered(self, visit: Visit, event: e.PersonAnswered) -> None:
        step = self.step(visit)
        allowed = step.out_args if isinstance(step, ActionStep) else []
        foreign = sorted(set(event.values) - set(allowed))
        if foreign:
            raise BadInput(
                "this step does not take that value",
                where=", ".join(foreign),
                next_step=f"it takes: {', '.join(allowed) or 'none'}",
            )
        visit = self.change(visit, by=[*visit.by, event.by])
        if event.success:
            self.ask(self.write(visit, event.values), visit.index + 1)
        else:
            self.fail(visit, event.note or f"{event.by} answered: failure")

    def approved(self, visit: Visit, event: e.Approved) -> None:
        approval = approval_of(self.step(visit))
        needed = approval.quorum if approval else 1
        if len(set(event.by)) < needed:
            raise BadInput(
                f"{needed} different people must approve, {len(set(event.by))} did",
                where=visit.step,
                next_step="send Approved once enough people have signed",
            )
        self.ask(self.change(visit, by=list(event.by)), visit.index + 1)

    def write(self, visit: Visit, returned: Mapping[str, str]) -> Visit:
        step = self.step(visit)
        out_args = step.out_args if isinstance(step, ActionStep) else []
        written = outputs(declarations(self.playbook, step), out_args, returned)
        local = {name: value for name, value in written.items() if name in visit.local}
        self.variables |= {name: value for name, value in written.items() if name not in local}
        return self.change(visit, local=visit.local | local)
