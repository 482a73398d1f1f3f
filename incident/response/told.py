"""What a run is told: timers and answers, and what follows from each.

See `incident.response.machine` for the rules.
"""

from __future__ import annotations

from incident.errors import BadInput, TocsinError
from incident.response import events as e
from incident.response.extensions import approval_of, is_repeatable, retries_of
from incident.response.model import ActionStep, IfStep, SwitchStep, WhileStep
from incident.response.state import WAITING, Awaits, Visit, VisitState, around
from incident.response.turn import ROOT, TIMED_OUT, Turn
from incident.response.work import outcome_question, plan


class Told(Turn):
    """A turn that begins with an event."""

    def timer(self, visit: Visit, event: e.TimerFired) -> None:
        if event.purpose is e.TimerPurpose.delay:
            if visit.state is VisitState.delayed:
                self.begin(self.change(visit, state=VisitState.working, awaits=None))
            return
        if visit.state is VisitState.delayed or self.step(visit).timeout is None:
            return
        if visit.awaits is Awaits.outcome or visit.overdue or event.round != visit.clock:
            return
        if self.asks_below(visit):
            self.change(visit, overdue=True)
            self.stop_others(visit)
            return
        self.withdraw(visit, TIMED_OUT)
        self.fail(visit, TIMED_OUT)

    def answer(self, visit: Visit, event: e.Event) -> None:
        match event:
            case e.CommandSucceeded():
                self.take_output(visit, event)
            case e.CommandFailed():
                self.call_failed(visit, event)
            case e.CommandUncertain():
                self.ask_outcome(visit, event)
            case e.OutcomeAnswered():
                self.outcome_answered(visit, event)
            case e.PersonAnswered():
                self.person_answered(visit, event)
            case e.Approved():
                self.approved(visit, event)
            case e.Rejected():
                visit = self.change(visit, by=[event.by])
                self.fail(visit, event.reason or f"rejected by {event.by}")
            case e.ConditionAnswered():
                step = self.step(visit)
                assert isinstance(step, IfStep | WhileStep)  # noqa: S101 - only these ask this
                by = list(dict.fromkeys([*visit.by, event.by]))  # each round of a loop may ask
                self.branch_on(self.change(visit, by=by), step, event.holds)
            case e.CaseAnswered():
                self.case_answered(visit, event)
            case e.InHouseDone():
                self.ask(visit, visit.index + 1)
            case e.InHouseFailed():
                self.fail(visit, event.reason)

    def take_output(self, visit: Visit, event: e.CommandSucceeded) -> None:
        try:
            visit = self.take(visit, event.values)
        except TocsinError as error:
            self.fail(visit, str(error))
            return
        self.ask(visit, visit.index + 1)

    def take(self, visit: Visit, returned: dict[str, str]) -> Visit:
        step = self.step(visit)
        return self.write(visit, step.out_args if isinstance(step, ActionStep) else [], returned)

    def call_failed(self, visit: Visit, event: e.CommandFailed) -> None:
        step = self.step(visit)
        retries = retries_of(step)
        if retries and visit.tries < retries.most and (is_repeatable(step) or not event.ambiguous):
            visit = self.change(visit, tries=visit.tries + 1, round=visit.round + 1)
            again = {"in_ms": retries.pause, "tries": visit.tries}
            self.effects.append(self.same_call(visit).model_copy(update=again))
            return
        unclear = " (it may have been done all the same)" if event.ambiguous else ""
        self.fail(visit, f"{event.reason}{unclear}")

    def case_answered(self, visit: Visit, event: e.CaseAnswered) -> None:
        step = self.step(visit)
        assert isinstance(step, SwitchStep)  # noqa: S101 - only a switch asks this
        if event.case is not None and event.case not in step.cases:
            raise BadInput(
                "this is no case of the step",
                where=event.case,
                next_step=f"these are: {', '.join(step.cases)}",
            )
        visit = self.change(visit, by=[event.by])
        if event.case is None:
            self.fail(visit, f"none of the cases holds, as {event.by} says")
            return
        self.branch_off(visit, {"1": step.cases[event.case]})

    def cancel_run(self, event: e.Cancelled) -> None:
        self.stop(ROOT, e.Outcome.cancelled, event.reason or f"cancelled by {event.by}")

    def only_wanted(self, visit: Visit, event: e.PersonAnswered | e.OutcomeAnswered) -> None:
        step = self.step(visit)
        allowed = step.out_args if isinstance(step, ActionStep) else []
        foreign = sorted(set(event.values) - set(allowed))
        if foreign:
            raise BadInput(
                "this step does not take that value",
                where=", ".join(foreign),
                next_step=f"it takes: {', '.join(allowed) or 'none'}",
            )

    def person_answered(self, visit: Visit, event: e.PersonAnswered) -> None:
        self.only_wanted(visit, event)
        visit = self.change(visit, by=[*visit.by, event.by])
        if event.success:
            self.ask(self.take(visit, event.values), visit.index + 1)
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

    # -- nobody knows whether it was done -------------------------------------------------------------

    def ask_outcome(self, visit: Visit, event: e.CommandUncertain) -> None:
        try:
            question = outcome_question(self.same_call(visit), event)
        except TocsinError as error:  # a request that cannot be made was never sent
            self.fail(visit, f"the request could not be made: {error.what}")
            return
        self.change(visit, awaits=Awaits.outcome)
        self.effects.append(question)

    def outcome_answered(self, visit: Visit, event: e.OutcomeAnswered) -> None:
        self.only_wanted(visit, event)
        if event.values and event.outcome is not e.CallOutcome.done:
            raise BadInput(
                "values belong to a call that was carried out", where=", ".join(sorted(event.values))
            )
        visit = self.change(visit, by=[*visit.by, event.by], round=visit.round + 1, clock=visit.clock + 1)
        said = event.note or f"{event.by} answered: {event.outcome.replace('_', ' ')}"
        if event.outcome is e.CallOutcome.done:
            visit = self.take(visit, event.values)
        if self.out_of_time(visit):
            self.close_late(visit, event.outcome, said)
            return
        match event.outcome:
            case e.CallOutcome.done:
                self.ask(visit, visit.index + 1)
            case e.CallOutcome.not_done:
                self.change(visit, awaits=Awaits.command)
                self.effects.append(self.same_call(visit))
            case e.CallOutcome.failed:
                self.fail(visit, said)
        step, visit = self.step(visit), self.visits[visit.id]
        if visit.state in WAITING and step.timeout is not None:
            self.wait(visit, e.TimerPurpose.timeout, step.timeout)

    def close_late(self, visit: Visit, outcome: e.CallOutcome, said: str) -> None:
        """Close a visit whose outcome is known now, where the time of a step around it is over."""
        step = self.step(visit)
        assert isinstance(step, ActionStep)  # noqa: S101 - only an action calls
        if outcome is not e.CallOutcome.done:
            self.close(visit, VisitState.failed, said)
        elif visit.index + 1 < len(plan(step)):
            self.close(visit, VisitState.cancelled, TIMED_OUT)
        else:
            self.close(visit, VisitState.succeeded)
        self.leave_late(visit)

    def leave_late(self, visit: Visit) -> None:
        """Leave the strand of a visit that was closed late, and each step around it up to the one whose time is over."""
        while True:
            self.cancel_strand(self.strands[visit.strand])
            visit = next(around(visit, self.visits, self.strands))
            if self.running_below(visit):
                return
            if visit.overdue and not self.out_of_time(visit):
                self.fail(visit, TIMED_OUT)
                return
            self.close(visit, VisitState.cancelled, TIMED_OUT)

    def out_of_time(self, visit: Visit) -> bool:
        return any(each.overdue for each in around(visit, self.visits, self.strands))

    def asks_below(self, visit: Visit) -> bool:
        """Whether somebody is asked, anywhere within a visit's branches, whether a call was carried out."""
        stack = [visit]
        while stack:
            inside = [each for strand in self.running_below(stack.pop()) for each in self.open_in(strand)]
            if any(each.awaits is Awaits.outcome for each in inside):
                return True
            stack += inside
        return False

    def stop_others(self, visit: Visit) -> None:
        """Cancel what goes on below, but for those who wait for such an answer and the steps around them."""
        stack = [visit]
        while stack:
            for strand in self.running_below(stack.pop()):
                for each in self.open_in(strand):
                    if each.awaits is Awaits.outcome:
                        continue
                    if self.asks_below(each):
                        stack.append(each)
                        continue
                    self.cancel_strand(strand)
                    self.cancel_visit(each, TIMED_OUT)
