"""The parts of a run's state while one turn is taken: copies that are read and changed, and effects that pile up.

Nothing of the given state is touched. `incident.response.turn` knows how a run goes on.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Mapping

from incident.response import events as e
from incident.response.model import Playbook, Step
from incident.response.state import (
    OPEN,
    WAITING,
    Awaits,
    State,
    Strand,
    StrandState,
    Visit,
    VisitState,
)
from incident.response.variables import outputs


class Parts:
    """What a turn works on, and the small changes that it is made of.

    `below` holds the strands by the visit that opened them, `inside` the visits by their strand: a loop must not look
    through the whole state at each round. `ahead` are the steps to be entered in this turn, `ended` the strands whose
    end is still to be told to the visit above: queues, so that neither a long chain nor a deep nest needs recursion.
    """

    def __init__(self, state: State) -> None:
        self.state = state
        self.visits = dict(state.visits)
        self.strands = dict(state.strands)
        self.called = dict(state.called)
        self.variables = dict(state.variables)
        self.entered = state.entered
        self.outcome = state.outcome
        self.effects: list[e.Effect] = []
        self.ahead: deque[tuple[str, str]] = deque()
        self.ended: deque[str] = deque()
        self.below: dict[str, list[str]] = defaultdict(list)
        self.inside: dict[str, list[str]] = defaultdict(list)
        for strand in state.strands.values():
            if strand.parent is not None:
                self.below[strand.parent].append(strand.id)
        for visit in state.visits.values():
            self.inside[visit.strand].append(visit.id)

    def changed(self) -> State:
        """The state with all changes so far."""
        return self.state.model_copy(
            update={
                "visits": self.visits,
                "strands": self.strands,
                "called": self.called,
                "variables": self.variables,
                "entered": self.entered,
                "outcome": self.outcome,
            }
        )

    # -- reading --------------------------------------------------------------------------------------

    def playbook_in(self, strand_id: str) -> Playbook:
        """The playbook that a strand goes through."""
        called = self.strands[strand_id].called
        return self.state.children[self.called[called].playbook] if called else self.state.playbook

    def playbook(self, visit: Visit) -> Playbook:
        return self.playbook_in(visit.strand)

    def step(self, visit: Visit) -> Step:
        return self.playbook(visit).workflow[visit.step]

    def values(self, visit: Visit) -> dict[str, str | None]:
        """What the step of a visit sees: its own variables stand before its playbook's."""
        called = self.strands[visit.strand].called
        return (self.called[called].variables if called else self.variables) | visit.local

    def strands_below(self, visit: Visit) -> list[Strand]:
        return [self.strands[each] for each in self.below.get(visit.id, ())]

    def running_below(self, visit: Visit) -> list[Strand]:
        return [each for each in self.strands_below(visit) if each.state is StrandState.running]

    def visits_in(self, strand_id: str) -> list[Visit]:
        return [self.visits[each] for each in self.inside.get(strand_id, ())]

    def open_in(self, strand: Strand) -> list[Visit]:
        return [each for each in self.visits_in(strand.id) if each.state in OPEN]

    def why_failed(self, strand_id: str) -> str | None:
        """The reason of the last failure within a strand."""
        failed = [each for each in self.visits_in(strand_id) if each.state is VisitState.failed]
        return failed[-1].reason if failed else None

    def in_exception(self, strand: Strand) -> bool:
        """Whether a strand has fallen into the exception route of its own playbook, or lies within one that has."""
        while not strand.exception:
            if strand.parent is None:
                return False
            above = self.strands[self.visits[strand.parent].strand]
            if above.called != strand.called:
                return False
            strand = above
        return True

    # -- changing -------------------------------------------------------------------------------------

    def change(self, visit: Visit, **changes: object) -> Visit:
        self.visits[visit.id] = visit.model_copy(update=changes)
        return self.visits[visit.id]

    def write(self, visit: Visit, out_args: list[str], returned: Mapping[str, str]) -> Visit:
        """Take values that a step returned: its own variables first, else those of its playbook.

        Raises `BadInput` for a value that does not fit its type, `Refused` for a constant.
        """
        playbook, step = self.playbook(visit), self.step(visit)
        written = outputs(playbook.playbook_variables | step.step_variables, out_args, returned)
        local = {name: value for name, value in written.items() if name in visit.local}
        others = {name: value for name, value in written.items() if name not in local}
        called = self.strands[visit.strand].called
        if called:
            before = self.called[called]
            self.called[called] = before.model_copy(update={"variables": before.variables | others})
        else:
            self.variables |= others
        return self.change(visit, local=visit.local | local)

    def close(self, visit: Visit, state: VisitState, reason: str | None = None) -> None:
        self.change(visit, state=state, awaits=None, reason=reason)

    def enter(self, step_id: str, strand: str) -> None:
        """Go to a step in this turn; queued, so that a long chain of steps needs no deep recursion."""
        self.ahead.append((step_id, strand))

    def branch_off(self, visit: Visit, first_steps: Mapping[str, str], *, called: str | None = None) -> None:
        """Open a strand for each first step, by the end of the strand's id. `called`: the visit that calls a playbook;
        None: the strands go through the playbook that the visit's own goes through."""
        self.change(visit, state=VisitState.branching, awaits=Awaits.branches)
        through = self.strands[visit.strand].called if called is None else called
        for number, first in first_steps.items():
            strand = Strand(id=f"{visit.id}.{number}", parent=visit.id, called=through)
            self.strands[strand.id] = strand
            self.below[visit.id].append(strand.id)
            self.enter(first, strand.id)

    def forget_below(self, visit: Visit) -> None:
        """Forget what has ended below a visit, so that a long loop does not grow the state.

        What was under way when this turn began is kept: whoever keeps its outcome reads it once more.
        """
        wanted = list(self.below.get(visit.id, ()))
        for strand_id in wanted:
            wanted += [
                deeper for each in self.inside.get(strand_id, ()) for deeper in self.below.get(each, ())
            ]
        for strand_id in wanted:
            was = self.state.strands.get(strand_id)
            if was is None or was.state is not StrandState.running:
                self.forget(self.strands[strand_id])

    def forget(self, strand: Strand) -> None:
        for each in self.inside.pop(strand.id, ()):
            del self.visits[each]
            self.called.pop(each, None)
            self.below.pop(each, None)
        del self.strands[strand.id]
        if strand.parent in self.below:
            self.below[strand.parent].remove(strand.id)

    # -- stopping -------------------------------------------------------------------------------------

    def cancel_below(self, visit: Visit, reason: str) -> None:
        stack = self.running_below(visit)[::-1]
        while stack:
            strand = stack.pop()
            self.cancel_strand(strand)
            for each in self.open_in(strand):
                self.withdraw(each, reason)
                self.close(each, VisitState.cancelled, reason)
                stack += self.running_below(each)[::-1]

    def cancel_strand(self, strand: Strand) -> None:
        self.strands[strand.id] = strand.model_copy(update={"state": StrandState.cancelled})

    def cancel_visit(self, visit: Visit, reason: str) -> None:
        self.withdraw(visit, reason)
        self.close(visit, VisitState.cancelled, reason)
        self.cancel_below(visit, reason)

    def withdraw(self, visit: Visit, reason: str) -> None:
        if visit.state in WAITING:
            self.effects.append(e.Withdraw(visit=visit.id, step=visit.step, reason=reason))

    def stop(self, root: str, outcome: e.Outcome, reason: str) -> None:
        """End the run with everything that is open in it."""
        self.ahead.clear()
        self.ended.clear()
        self.cancel_strand(self.strands[root])
        for visit in self.open_in(self.strands[root]):
            self.cancel_visit(visit, reason)
        self.finish(outcome, reason)

    def finish(self, outcome: e.Outcome, reason: str | None = None) -> None:
        self.outcome = outcome
        self.effects.append(e.Finish(outcome=outcome, reason=reason))

    def wait(self, visit: Visit, purpose: e.TimerPurpose, in_ms: int) -> None:
        self.effects.append(
            e.WaitUntil(visit=visit.id, step=visit.step, purpose=purpose, in_ms=in_ms, round=visit.clock)
        )
