"""The job that advances a run: calls what must be called, does the work of the house, fires timers.

It never answers for a person. What waits for people stays where it is until they answer.
"""

from __future__ import annotations

from datetime import datetime

from sqlmodel import Session

from incident.durable import Lease
from incident.response import events as e
from incident.response.attempt import ENGINE, Attempt, HouseAnswer, HouseState, Housework, Surroundings
from incident.response.calling import ask_what_came_of_it, left_behind, run_command
from incident.response.evidence_first import LOOKS_AGAIN_S, destroys_evidence, waits_for_evidence
from incident.response.runner import RUNNING, OpenEffect, open_effects, run_named
from incident.response.silence import UNDER_A_HOLD_S, brakes_over, is_held_back
from incident.store.store import Store
from incident.store.tables import Run

__all__ = ["ENGINE", "HouseAnswer", "HouseState", "Housework", "Surroundings", "advance_run"]

HELD_S = 1.0  # how soon a run that may not act looks again


def advance_run(lease: Lease, store: Store, run_id: str, around: Surroundings) -> None:
    """Do everything of a run that needs no person, until it ends, waits, or the worker must stop."""
    while not lease.stopping:
        with store.read() as session:
            run = run_named(session, run_id)
            effects = open_effects(session, store, run)
            held_back = _held_back(session, run, effects)
        if run.state != RUNNING or not _one_step(Attempt(lease, store, run, around), effects, held_back):
            break
    _leave(lease, store, run_id, around)


def _held_back(session: Session, run: Run, effects: list[OpenEffect]) -> frozenset[str]:
    """The ids of the calls that wait for the lifting of a hold, or for the evidence to be preserved."""
    return frozenset(
        each.row.id
        for each in effects
        if isinstance(each.effect, e.RunCommand)
        and (
            is_held_back(session, run.incident_id, each.effect.measures)
            or waits_for_evidence(session, run.incident_id, each.effect)
        )
    )


def _one_step(attempt: Attempt, effects: list[OpenEffect], held_back: frozenset[str]) -> bool:
    """Do one piece of work; False when nothing can be done without a person, a later time, or leave to act."""
    now = attempt.around.clock()
    commands = [(each, each.effect) for each in effects if isinstance(each.effect, e.RunCommand)]
    for each, command in commands:
        if left_behind(each, command):
            ask_what_came_of_it(attempt, each, command)
            return True
    for each in effects:
        if isinstance(each.effect, e.WaitUntil) and _has_come(each, each.effect, effects, now=now):
            timer = each.effect
            event = e.TimerFired(visit=timer.visit, purpose=timer.purpose, round=timer.round)
            attempt.tell(event, each)
            return True
    for each, command in commands:
        if each.row.id in held_back or _seconds_until(each.row.due_at, now=now) > 0:
            continue
        if attempt.lease.may_act(*brakes_over(attempt.run.incident_id, command.measures)):
            run_command(attempt, each, command, effects)
            return True
    return any(_do_in_house(attempt, each) for each in effects)


def _has_come(timer: OpenEffect, wait: e.WaitUntil, effects: list[OpenEffect], *, now: datetime) -> bool:
    return _seconds_until(timer.row.due_at, now=now) <= 0 and not _is_held_back(wait, effects)


def _is_held_back(wait: e.WaitUntil, effects: list[OpenEffect]) -> bool:
    """Whether a time limit must wait.

    A call that no worker has begun yet has not been waited for: it is made first. And while a call is to be made
    again because nobody knows its outcome, no time limit of the run decides instead. A retry after a failure has had
    its call, and waits only as long as the step has time.
    """
    if wait.purpose is not e.TimerPurpose.timeout:
        return False
    return any(
        isinstance(each.effect, e.RunCommand)
        and (each.calls > 0 or (each.row.visit == wait.visit and not each.effect.tries))
        for each in effects
    )


def _do_in_house(attempt: Attempt, asked: OpenEffect) -> bool:
    effect = asked.effect
    if not isinstance(effect, e.DoInHouse):
        return False
    answer = attempt.around.housework(effect, incident_id=attempt.run.incident_id)
    if answer.state is HouseState.WAITING:
        return False
    if answer.state is HouseState.DONE:
        event: e.Event = e.InHouseDone(visit=effect.visit, index=effect.index)
    else:
        event = e.InHouseFailed(visit=effect.visit, index=effect.index, reason=answer.text)
    attempt.tell(event, asked, result=answer.text)
    return True


def _leave(lease: Lease, store: Store, run_id: str, around: Surroundings) -> None:
    with store.transaction() as session:
        lease.fence(session)
        run = run_named(session, run_id)
        effects = open_effects(session, store, run)
        after = _next_look(effects, _held_back(session, run, effects), now=around.clock())
        if run.state == RUNNING and lease.stopping:
            lease.again(session)
        elif run.state == RUNNING and after is not None:
            lease.again(session, after=after)
        else:
            lease.done(session)


def _next_look(effects: list[OpenEffect], held_back: frozenset[str], *, now: datetime) -> float | None:
    """In how many seconds something may be done by itself; None where only people and other jobs can go on."""
    waits = []
    for each in effects:
        if each.row.id in held_back:
            assert isinstance(each.effect, e.RunCommand)  # noqa: S101 - only calls are held back
            first = destroys_evidence(each.effect.measures)
            waits.append(LOOKS_AGAIN_S if first else UNDER_A_HOLD_S)
        elif isinstance(each.effect, e.RunCommand):
            # One that is due now was held back because this worker may not act.
            waits.append(_seconds_until(each.row.due_at, now=now) or HELD_S)
        elif isinstance(each.effect, e.WaitUntil) and not _is_held_back(each.effect, effects):
            waits.append(_seconds_until(each.row.due_at, now=now))
    return min(waits, default=None)


def _seconds_until(due_at: datetime | None, *, now: datetime) -> float:
    return 0.0 if due_at is None else max((due_at - now).total_seconds(), 0.0)
