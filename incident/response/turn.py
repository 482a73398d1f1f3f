"""One turn of the machine: entering steps, asking for work, branching, and going on where something has ended.

See `incident.response.machine` for the rules. `Turn` knows how a run goes on; `incident.response.told` adds what it
is told.
"""

from __future__ import annotations

from collections.abc import Mapping

from incident.errors import TocsinError
from incident.response import events as e
from incident.response.conditions import Unreadable, case_of, evaluate
from incident.response.extensions import loop_of
from incident.response.model import (
    ActionStep,
    EndStep,
    IfStep,
    ParallelStep,
    PlaybookActionStep,
    SwitchStep,
    WhileStep,
)
from incident.response.parts import Parts
from incident.response.state import OPEN, Awaits, Called, State, Strand, StrandState, Visit, VisitState
from incident.response.variables import declarations, declared_value, first_values, references, variable_in
from incident.response.work import effect_for, plan, title_of

ROOT = "root"
TIMED_OUT = "ACTION_TIMEOUT"  # the word of CACAO 2.0 section 4.1, `timeout`
MOST_ROUNDS = 100
"""Rounds of a while-condition that does not say how many it may take."""
MOST_STEPS_ENTERED = 100_000
"""Steps that one run enters before it is taken to go round for ever: loops within loops multiply their caps.

A loop of the most rounds with nine steps stays below it; without any waiting they take some seconds."""
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


class Turn(Parts):
    """One turn over copies of the state's parts; nothing of the given state is touched."""

    def result(self) -> tuple[State, list[e.Effect]]:
        while self.ended or self.ahead:
            if self.ended:
                self.tell_above(self.ended.popleft())
            elif self.entered >= MOST_STEPS_ENTERED:
                self.stop(
                    ROOT, e.Outcome.failed, f"the run entered {MOST_STEPS_ENTERED} steps: it goes round"
                )
            else:
                self.arrive(*self.ahead.popleft())
        return self.changed(), [each for each in self.effects if not self.came_to_nothing(each)]

    def came_to_nothing(self, effect: e.Effect) -> bool:
        """Whether it is a timer of a visit that this very turn has closed."""
        if not isinstance(effect, e.WaitUntil):
            return False
        visit = self.visits.get(effect.visit)
        return visit is None or visit.state not in OPEN

    # -- entering steps -------------------------------------------------------------------------------

    def open_root(self) -> None:
        self.strands[ROOT] = Strand(id=ROOT, parent=None)
        self.enter(self.state.playbook.workflow_start, ROOT)

    def arrive(self, step_id: str, strand: str) -> None:
        step = self.playbook_in(strand).workflow[step_id]
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
        self.inside[strand].append(visit.id)
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
            case IfStep() | WhileStep():
                self.decide(visit, step)
            case SwitchStep():
                self.choose(visit, step)
            case ParallelStep():
                self.branch_off(visit, {str(n): first for n, first in enumerate(step.next_steps, start=1)})
            case PlaybookActionStep():
                self.call(visit, step)
            case _:
                self.succeed(visit)

    # -- asking for work ------------------------------------------------------------------------------

    def ask(self, visit: Visit, index: int) -> None:
        """Ask for piece `index` of an action; without one, the step has succeeded."""
        step = self.step(visit)
        assert isinstance(step, ActionStep)  # noqa: S101 - only actions have pieces
        if index >= len(plan(step)):
            self.succeed(visit)
            return
        try:
            effect = self.piece(visit, index, self.values(visit))
        except TocsinError as error:
            self.fail(visit, str(error))
            return
        sent_with = effect.variables if isinstance(effect, e.RunCommand) else {}
        self.change(
            visit,
            state=VisitState.working,
            index=index,
            tries=0,
            awaits=_ASKED[type(effect)],
            sent_with=sent_with,
        )
        self.effects.append(effect)

    def piece(self, visit: Visit, index: int, values: Mapping[str, str | None]) -> e.Piece:
        step = self.step(visit)
        assert isinstance(step, ActionStep)  # noqa: S101 - only actions have pieces
        effect = effect_for(self.playbook(visit), visit.step, step, visit.id, index, values)
        if isinstance(effect, e.RunCommand):
            return effect.model_copy(update={"round": visit.round})
        return effect

    def same_call(self, visit: Visit) -> e.RunCommand:
        """The call that a visit made last, byte for byte, whatever became of the variables since."""
        effect = self.piece(visit, visit.index, self.values(visit) | visit.sent_with)
        assert isinstance(effect, e.RunCommand)  # noqa: S101 - only calls are made again
        return effect

    # -- branching ------------------------------------------------------------------------------------

    def decide(self, visit: Visit, step: IfStep | WhileStep) -> None:
        values = self.values(visit)
        holds = evaluate(step.condition, values, declarations(self.playbook(visit), step))
        if not isinstance(holds, Unreadable):
            self.branch_on(visit, step, holds)
            return
        self.change(visit, state=VisitState.deciding, awaits=Awaits.condition)
        self.effects.append(
            e.AskCondition(
                visit=visit.id,
                step=visit.step,
                index=visit.index,
                title=title_of(visit.step, step),
                condition=step.condition,
                reason=holds.reason,
                variables={name: values.get(name) for name in references(step.condition)},
            )
        )

    def branch_on(self, visit: Visit, step: IfStep | WhileStep, holds: bool) -> None:
        if isinstance(step, WhileStep):
            self.next_round(visit, step, holds)
            return
        branch = step.on_true if holds else step.on_false
        if branch is None:
            self.succeed(visit)
            return
        self.branch_off(visit, {"1": branch})

    def next_round(self, visit: Visit, step: WhileStep, holds: bool) -> None:
        if not holds:
            self.succeed(visit)
            return
        loop = loop_of(step)
        most = loop.most_rounds if loop else MOST_ROUNDS
        if visit.index >= most:
            self.fail(visit, f"the condition still holds after {most} rounds")
            return
        visit = self.change(visit, index=visit.index + 1)
        self.branch_off(visit, {str(visit.index): step.on_true})

    def choose(self, visit: Visit, step: SwitchStep) -> None:
        values = self.values(visit)
        case = case_of(step.switch, list(step.cases), values, declarations(self.playbook(visit), step))
        if not isinstance(case, Unreadable):
            self.branch_off(visit, {"1": step.cases[case]})
            return
        self.change(visit, state=VisitState.deciding, awaits=Awaits.case)
        name = variable_in(step.switch)
        self.effects.append(
            e.AskCase(
                visit=visit.id,
                step=visit.step,
                title=title_of(visit.step, step),
                switch=step.switch,
                value=values.get(name) if name else None,
                reason=case.reason,
                cases=list(step.cases),
            )
        )

    def call(self, visit: Visit, step: PlaybookActionStep) -> None:
        """Begin another playbook: only `in_args` go in, and what is unknown here stays as it is declared there."""
        child = self.state.children[step.playbook_id]
        values = self.values(visit)
        given = {name: value for name in step.in_args if (value := values.get(name)) is not None}
        try:
            variables = first_values(child, given)
        except TocsinError as error:
            self.fail(visit, str(error))
            return
        self.called[visit.id] = Called(playbook=step.playbook_id, variables=variables)
        self.branch_off(visit, {"1": child.workflow_start}, called=visit.id)

    def come_back(self, visit: Visit, step: PlaybookActionStep) -> None:
        """Take from a playbook that has ended what `out_args` name, and nothing else."""
        variables = self.called[visit.id].variables
        returned = {name: value for name in step.out_args if (value := variables.get(name)) is not None}
        try:
            visit = self.write(visit, step.out_args, returned)
        except TocsinError as error:
            self.fail(visit, str(error))
            return
        self.succeed(visit)

    # -- going on -------------------------------------------------------------------------------------

    def succeed(self, visit: Visit) -> None:
        step = self.step(visit)
        self.close(visit, VisitState.succeeded)
        following = step.on_success or step.on_completion
        assert following is not None  # noqa: S101 - lint refuses a step that leads nowhere
        self.enter(following, visit.strand)

    def fail(self, visit: Visit, reason: str, *, brought: StrandState | None = None) -> None:
        """`brought`: how the branches ended that made a branching step fail."""
        step, playbook = self.step(visit), self.playbook(visit)
        self.close(visit, VisitState.failed, reason)
        self.cancel_below(visit, reason)
        strand = self.strands[visit.strand]
        if step.on_failure:
            self.enter(step.on_failure, visit.strand)
        elif playbook.workflow_exception and not self.in_exception(strand) and brought is None:
            self.strands[strand.id] = strand.model_copy(update={"exception": True})
            self.enter(playbook.workflow_exception, visit.strand)
        else:
            self.end_strand(visit.strand, brought or StrandState.failed)

    def end_strand(self, strand_id: str, state: StrandState) -> None:
        self.strands[strand_id] = self.strands[strand_id].model_copy(update={"state": state})
        self.ended.append(strand_id)

    def tell_above(self, strand_id: str) -> None:
        """Go on above a strand that has ended: the run, or the visit that opened it once all its strands have."""
        strand = self.strands[strand_id]
        if strand.parent is None:
            outcome = _CLOSED_STRANDS[strand.state]
            self.finish(outcome, None if outcome is e.Outcome.succeeded else self.why_failed(strand_id))
            return
        parent = self.visits[strand.parent]
        branches = self.strands_below(parent)
        states = {each.state for each in branches}
        if parent.state is not VisitState.branching or StrandState.running in states:
            return
        worst = next((each for each in (StrandState.failed, StrandState.handled) if each in states), None)
        step = self.step(parent)
        match step:
            case PlaybookActionStep() if worst:
                self.fail(parent, self.why_it_failed(strand_id, step))
            case _ if worst:
                why = next(self.why_failed(each.id) for each in branches if each.state is worst)
                self.fail(parent, why or "a branch failed", brought=worst)
            case PlaybookActionStep():
                self.come_back(parent, step)
            case WhileStep():
                self.forget_below(parent)
                self.decide(parent, step)
            case _:
                self.succeed(parent)

    def why_it_failed(self, strand_id: str, step: PlaybookActionStep) -> str:
        name = self.state.children[step.playbook_id].name
        reason = self.why_failed(strand_id)
        return f"the playbook “{name}” failed" + (f": {reason}" if reason else "")
