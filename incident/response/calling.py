"""A run's calls: intent, call, outcome, each in its order, so that none is skipped and none is made twice by itself.

The intent is committed before a call, the outcome after it. A call of which nobody knows whether it was carried out,
because its worker is no more or no answer came, is made again if it is declared repeatable, a few times and within its
step's time; else a person is asked.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from incident.record.holds import HeldBack
from incident.response import events as e
from incident.response.attempt import Attempt, Intended
from incident.response.commands import kind_of
from incident.response.commands.prepared import Call
from incident.response.commands.result import Ending, Result, outputs_from
from incident.response.evidence_first import EvidenceFirst, must_have_evidence
from incident.response.next_piece import PAUSES_S, LeftBehind, ToCall, may_repeat
from incident.response.runner import OpenEffect, SettledMeanwhile
from incident.response.silence import must_be_free

_SLACK_S = 30.0  # beyond a call's own time limit, before its worker is taken to hang


def ask_what_came_of_it(attempt: Attempt, left: LeftBehind) -> Intended | None:
    """Have the machine ask about a call that was left behind."""
    intent_at = left.asked.row.intent_at
    assert intent_at is not None  # noqa: S101 - written with the intent
    return _nobody_knows(attempt, left.asked, left.command, e.Uncertain.worker_stopped, sent_at=intent_at)


def run_command(attempt: Attempt, found: ToCall, effects: list[OpenEffect]) -> Intended | None:
    """Keep the intent, call, and keep what came of it. `effects` are all that the run waits for."""
    incident_id = attempt.run.incident_id
    try:
        with attempt.change("run.intent") as change:
            must_be_free(change.session, attempt.store, incident_id, found.command.measures)
            must_have_evidence(change.session, incident_id, found.command)
            intended = attempt.intend(change, found, effects)
    except (SettledMeanwhile, HeldBack, EvidenceFirst):
        return None
    return make_call(attempt, intended)


def make_call(attempt: Attempt, intended: Intended) -> Intended | None:
    """Call, and keep what came of it; returns the call that is to be made next, if its intent was kept with that."""
    asked, command = intended.asked, intended.command
    if not attempt.may_call(command):
        # Nothing went out. Whoever cannot write even this leaves a question behind, never a second call.
        attempt.call_later(intended, calls=asked.calls, at=intended.was_due_at)
        return None
    attempt.lease.allow(command.timeout_ms / 1000 + _SLACK_S)
    result = _call(attempt, command)
    if result.ending is not Ending.ambiguous:
        return attempt.tell(_event_of(command, result), asked, result=result.detail)
    calls = asked.calls + 1
    at = _time_to_repeat(command, intended.effects, calls=calls, now=attempt.around.clock())
    if at is not None and attempt.call_later(intended, calls=calls, at=at):
        return None
    return _nobody_knows(
        attempt, asked, command, e.Uncertain.no_answer, sent_at=intended.at, detail=result.detail
    )


def _call(attempt: Attempt, command: e.RunCommand) -> Result:
    call = Call(
        command.command,
        command.agent,
        command.variables,
        command.declared,
        timeout_s=command.timeout_ms / 1000,
        idempotency_key=f"{command.visit}.{command.index}",
        authentication=command.authentication,
        resolve_secret=attempt.around.resolve_secret,
    )
    return kind_of(command.command).carry_out(call, attempt.around.going_out)


def _event_of(command: e.RunCommand, result: Result) -> e.Event:
    which = {"visit": command.visit, "index": command.index, "round": command.round}
    if result.ending is Ending.done:
        values = outputs_from(result, command.out_args)
        return e.CommandSucceeded.model_validate({**which, "values": values})
    return e.CommandFailed.model_validate({**which, "reason": result.detail, "ambiguous": result.may_be_done})


def _nobody_knows(
    attempt: Attempt,
    asked: OpenEffect,
    command: e.RunCommand,
    why: e.Uncertain,
    *,
    sent_at: datetime,
    detail: str = "",
) -> Intended | None:
    event = e.CommandUncertain(
        visit=command.visit, index=command.index, round=command.round, sent_at=sent_at, why=why, detail=detail
    )
    return attempt.tell(event, asked, result=detail or "the worker stopped during the call")


def _time_to_repeat(
    command: e.RunCommand, effects: list[OpenEffect], *, calls: int, now: datetime
) -> datetime | None:
    """When to make a call again that had no answer; None if it is not to be, or its step has no time left."""
    if not may_repeat(command, calls=calls):
        return None
    at = now + timedelta(seconds=PAUSES_S[calls - 1])
    limits = {
        each.effect.round: each.row.due_at
        for each in effects
        if isinstance(each.effect, e.WaitUntil)
        and each.effect.purpose is e.TimerPurpose.timeout
        and each.row.visit == command.visit
    }
    latest = limits[max(limits)] if limits else None  # one that began anew stands for those before it
    return None if latest is not None and latest <= at else at
