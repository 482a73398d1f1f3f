"""People answering a run: doing a step, deciding on one. A decision is signed; silence is never an answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

from incident.duties.evaluating import evaluate_duties
from incident.errors import Refused
from incident.record.decisions import Signer, Subject, Verdict, approvals, decide, rejections, voices
from incident.response import events as e
from incident.response.housework import House
from incident.response.runner import RUNNING, question_at, run_named, tell
from incident.response.summoning import roles_of_approval

STEP_SUBJECT = "run-step"


def answer_question(
    house: House,
    run_id: str,
    step: str,
    *,
    success: bool,
    by: str,
    values: Mapping[str, str],
    note: str,
    at: datetime | None = None,
    case: str | None = None,
) -> None:
    """Say how a step went that a person carried out, whether a condition holds, or which `case` of a switch does.

    `at` is when it was done, if not just now. Raises `NotFound` for a step that waits for nobody, `Refused` for one
    that needs a signed decision, for one that asks whether a call was carried out (see `answer_outcome`) and for a
    time that is still to come, `BadInput` for a value that the step does not ask for.
    """

    def event_for(effect: e.Effect) -> tuple[e.Event, str]:
        if isinstance(effect, e.AskOutcome):
            raise Refused(
                f"the step {step} asks whether a call was carried out; plain “done” could mean either",
                next_step=f"incident done {run_id} {step} --was-done, or --not-done, or --failed",
            )
        if isinstance(effect, e.AskCondition):
            _no_case(case, step)
            return e.ConditionAnswered(visit=effect.visit, index=effect.index, holds=success, by=by), note
        if isinstance(effect, e.AskCase):
            if success == (case is None):
                raise Refused(
                    f"the step {step} asks which case holds",
                    next_step=f"incident done {run_id} {step} --case NAME (one of: {', '.join(effect.cases)}), or "
                    "--failed where none does",
                )
            answered = e.CaseAnswered(
                visit=effect.visit, index=effect.index, case=case if success else None, by=by
            )
            return answered, note
        _no_case(case, step)
        assert isinstance(effect, e.AskPerson)  # noqa: S101 - the only other kind that is no decision
        answer = e.PersonAnswered(
            visit=effect.visit,
            index=effect.index,
            success=success,
            by=by,
            values=dict(values),
            note=note or None,
        )
        return answer, note

    _answer(house, run_id, step, by=by, at=at, event_for=event_for)


def _no_case(case: str | None, step: str) -> None:
    if case is not None:
        raise Refused(f"the step {step} does not ask for a case", next_step="leave --case out")


def answer_outcome(
    house: House,
    run_id: str,
    step: str,
    outcome: e.CallOutcome,
    *,
    by: str,
    values: Mapping[str, str],
    note: str,
    at: datetime | None = None,
) -> None:
    """Say what came of a call whose outcome nobody knew: its measure is taken, it is called again, or it failed.

    `at` is when it was carried out, if not when it was sent. Raises as `answer_question`, and `Refused` for a step
    that asks for something else.
    """

    def event_for(effect: e.Effect) -> tuple[e.Event, str]:
        if not isinstance(effect, e.AskOutcome):
            raise Refused(
                f"the step {step} asks for work, not whether a call was carried out",
                next_step=f"incident done {run_id} {step}, or with --failed",
            )
        answer = e.OutcomeAnswered(
            visit=effect.visit,
            index=effect.index,
            round=effect.round,
            outcome=outcome,
            by=by,
            values=dict(values),
            note=note or None,
        )
        found = {
            e.CallOutcome.done: f"carried out, as {by} found out; the call itself had no answer",
            e.CallOutcome.not_done: f"not carried out, as {by} found out",
            e.CallOutcome.failed: f"given up by {by}; the call had no answer",
        }[outcome]
        return answer, f"{found}: {note}" if note else found

    _answer(house, run_id, step, by=by, at=at, event_for=event_for)


def asks_for_outcome(house: House, run_id: str, step: str) -> bool:
    """Whether a step waits for somebody to say whether a call was carried out. Raises `NotFound`."""
    with house.store.read() as session:
        run = run_named(session, run_id)
        return isinstance(question_at(session, house.store, run, step).effect, e.AskOutcome)


def _answer(
    house: House,
    run_id: str,
    step: str,
    *,
    by: str,
    at: datetime | None,
    event_for: Callable[[e.Effect], tuple[e.Event, str]],
) -> None:
    store = house.store
    if at is not None and at > house.clock():
        raise Refused(
            "this time is still to come",
            where=at.isoformat(timespec="minutes"),
            next_step="say when it was done; check the date and the zone",
        )
    with store.read() as session:
        incident_id = run_named(session, run_id).incident_id
    with store.write(incident_id, kind="run.answered", actor=by, now=house.clock()) as change:
        run = run_named(change.session, run_id)
        _must_run(run.state, run_id)
        asked = question_at(change.session, store, run, step)
        if isinstance(asked.effect, e.AskApproval):
            raise Refused(
                f"the step {step} needs a signed decision",
                next_step=f"incident --as NAME approve {run_id} {step}",
            )
        event, result = event_for(asked.effect)
        sent_at = asked.effect.sent_at if isinstance(asked.effect, e.AskOutcome) else None
        tell(
            change,
            store,
            run,
            event,
            settled=asked,
            result=result,
            at=at or sent_at,
            evaluate=lambda change, incident_id: evaluate_duties(
                change, store, house.workspace, house.settings, incident_id
            ),
        )


def decide_step(house: House, run_id: str, step: str, *, signer: Signer, yes: bool, reason: str) -> int:
    """Sign for or against a step; returns how many more people must still sign (0: the run goes on).

    Any of the roles that the step names may sign. Its separation of duties keeps out who started the run; who answered
    another step of it may sign. Raises `NotFound` for a step that waits for nobody, `Refused` where no decision is
    asked, where this person decided already, started the run and may not approve it, or has none of the roles.
    """
    store = house.store
    with store.read() as session:
        incident_id = run_named(session, run_id).incident_id
    with store.write(incident_id, kind="run.decided", actor=signer.name, now=house.clock()) as change:
        run = run_named(change.session, run_id)
        _must_run(run.state, run_id)
        asked = question_at(change.session, store, run, step)
        effect = asked.effect
        if not isinstance(effect, e.AskApproval):
            raise Refused(
                f"the step {step} asks for work, not for a decision",
                next_step=f"incident done {run_id} {step}",
            )
        if effect.separation_of_duties and run.started_by == signer.name:
            raise Refused(
                f"{signer.name} started this run and may not approve it", next_step="let somebody else decide"
            )
        subject = Subject(STEP_SUBJECT, asked.row.id, asked.hash)
        before = voices(change.session, subject, drill=house.drill)
        if any(voice.operator.name == signer.name for voice in before):
            raise Refused(
                f"{signer.name} decided on this step already", next_step=f"it takes {effect.quorum} people"
            )
        decide(
            change,
            incident_id,
            subject,
            Verdict.APPROVED if yes else Verdict.REJECTED,
            signer=signer,
            needs=frozenset(roles_of_approval(effect.roles)),
            reason=reason,
            decision_id=store.new_id(),
        )
        heard = voices(change.session, subject, drill=house.drill)
        if no := rejections(heard):
            event: e.Event = e.Rejected(
                visit=effect.visit, index=effect.index, by=no[0].operator.name, reason=reason or None
            )
            tell(change, store, run, event, settled=asked, result=f"rejected by {no[0].operator.name}")
            return 0
        names = sorted(voice.operator.name for voice in approvals(heard))
        if len(names) < effect.quorum:
            return effect.quorum - len(names)
        event = e.Approved(visit=effect.visit, index=effect.index, by=names)
        tell(change, store, run, event, settled=asked, result=f"approved by {', '.join(names)}")
        return 0


def _must_run(state: str, run_id: str) -> None:
    if state != RUNNING:
        raise Refused(f"the run {run_id} is over ({state})")
