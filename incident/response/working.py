"""The job that advances a run: calls what must be called, does the work of the house, fires timers.

It never answers for a person. What waits for people stays where it is until they answer.
"""

from __future__ import annotations

from datetime import datetime

from incident.durable import Lease
from incident.response import events as e
from incident.response.attempt import (
    ENGINE,
    Attempt,
    HouseAnswer,
    HouseState,
    Housework,
    Intended,
    Surroundings,
)
from incident.response.calling import ask_what_came_of_it, make_call, run_command
from incident.response.evidence_first import LOOKS_AGAIN_S, destroys_evidence
from incident.response.next_piece import (
    LeftBehind,
    Open,
    TimeHasCome,
    ToCall,
    is_held_back_by_a_call,
    look,
    next_piece,
    seconds_until,
)
from incident.response.runner import RUNNING, OpenEffect, run_named
from incident.response.silence import UNDER_A_HOLD_S
from incident.store.store import Store

__all__ = ["ENGINE", "HouseAnswer", "HouseState", "Housework", "Surroundings", "advance_run"]

HELD_S = 1.0  # how soon a run that may not act looks again


def advance_run(lease: Lease, store: Store, run_id: str, around: Surroundings) -> None:
    """Do everything of a run that needs no person, until it ends, waits, or the worker must stop."""
    while not lease.stopping and not lease.let_go:
        with store.read() as session:
            run = run_named(session, run_id)
            found = look(session, store, run)
        if run.state != RUNNING or not _one_step(Attempt(lease, store, run, around), found):
            break
    _leave(lease, store, run_id, around)


def _one_step(attempt: Attempt, found: Open) -> bool:
    """Do one piece of work, and the calls that follow it at once; False when nothing can be done without a person, a
    later time, or leave to act."""
    piece = next_piece(found, now=attempt.around.clock(), may_act=attempt.may_call)
    match piece:
        case LeftBehind():
            following = ask_what_came_of_it(attempt, piece)
        case TimeHasCome(asked, timer):
            event = e.TimerFired(visit=timer.visit, purpose=timer.purpose, round=timer.round)
            following = attempt.tell(event, asked)
        case ToCall():
            following = run_command(attempt, piece, found.effects)
        case None:
            return any(_do_in_house(attempt, each) for each in found.effects)
    _call_on(attempt, following)
    return True


def _call_on(attempt: Attempt, following: Intended | None) -> None:
    while following is not None:
        following = make_call(attempt, following)


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
    _call_on(attempt, attempt.tell(event, asked, result=answer.text))
    return True


def _leave(lease: Lease, store: Store, run_id: str, around: Surroundings) -> None:
    if lease.let_go:  # with the outcome that ended the run
        return
    with store.transaction() as session:
        lease.fence(session)
        run = run_named(session, run_id)
        after = _next_look(look(session, store, run), now=around.clock())
        if run.state == RUNNING and lease.stopping:
            lease.again(session)
        elif run.state == RUNNING and after is not None:
            lease.again(session, after=after)
        else:
            lease.done(session)


def _next_look(found: Open, *, now: datetime) -> float | None:
    """In how many seconds something may be done by itself; None where only people and other jobs can go on."""
    waits = []
    for each in found.effects:
        if each.row.id in found.held_back:
            assert isinstance(each.effect, e.RunCommand)  # noqa: S101 - only calls are held back
            first = destroys_evidence(each.effect.measures)
            waits.append(LOOKS_AGAIN_S if first else UNDER_A_HOLD_S)
        elif isinstance(each.effect, e.RunCommand):
            # One that is due now was held back because this worker may not act.
            waits.append(seconds_until(each.row.due_at, now=now) or HELD_S)
        elif isinstance(each.effect, e.WaitUntil) and not is_held_back_by_a_call(each.effect, found.effects):
            waits.append(seconds_until(each.row.due_at, now=now))
    return min(waits, default=None)
