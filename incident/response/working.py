"""The job that advances a run: calls what must be called, does the work of the house, fires timers.

It never answers for a person. What waits for people stays where it is until they answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import partial
from typing import Protocol

from incident.durable import Lease, insist
from incident.errors import NotFound
from incident.response import events as e
from incident.response.http_api import Ending, HttpResult, call, outputs_from
from incident.response.runner import (
    OUTSTANDING,
    RUNNING,
    EffectState,
    OpenEffect,
    keep_late,
    mark_intended,
    open_effects,
    run_named,
    tell,
)
from incident.store.store import Store
from incident.store.tables import Run, RunEffect

ENGINE = "engine"


class HouseState(StrEnum):
    DONE = "done"
    WAITING = "waiting"
    FAILED = "failed"


@dataclass(frozen=True)
class HouseAnswer:
    """What became of work in the house: done, failed with a reason, or waiting for something named."""

    state: HouseState
    text: str = ""


class Housework(Protocol):
    """Does the work of our own extensions: the notice and the authority's report."""

    def __call__(self, effect: e.DoInHouse, *, incident_id: str) -> HouseAnswer: ...


@dataclass(frozen=True)
class Surroundings:
    """What advancing a run needs from outside."""

    clock: Callable[[], datetime]
    housework: Housework
    resolve_secret: Callable[[str], str]
    on_step: Callable[[str, e.Effect, str], None] = lambda run_id, effect, result: None


def advance_run(lease: Lease, store: Store, run_id: str, around: Surroundings) -> None:
    """Do everything of a run that needs no person, until it ends, waits, or the worker must stop."""
    _declare_ambiguous(lease, store, run_id, around)
    while not lease.stopping:
        with store.read() as session:
            run = run_named(session, run_id)
            effects = open_effects(session, store, run)
        if run.state != RUNNING or not _one_step(lease, store, run, effects, around):
            break
    _leave(lease, store, run_id, around)


def _one_step(lease: Lease, store: Store, run: Run, effects: list[OpenEffect], around: Surroundings) -> bool:
    """Do one piece of work; False when nothing can be done without a person or a later time."""
    now = around.clock()
    for each in effects:
        if isinstance(each.effect, e.WaitUntil) and _has_come(each, effects, now=now):
            event = e.TimerFired(visit=each.effect.visit, purpose=each.effect.purpose)
            _tell(lease, store, run, event, each, around)
            return True
    for each in effects:
        if isinstance(each.effect, e.RunCommand) and each.row.state == EffectState.OPEN:
            _run_command(lease, store, run, each, each.effect, around)
            return True
    for each in effects:
        if isinstance(each.effect, e.DoInHouse) and _do_in_house(
            lease, store, run, each, each.effect, around
        ):
            return True
    return False


def _has_come(timer: OpenEffect, effects: list[OpenEffect], *, now: datetime) -> bool:
    """Whether a timer fires. A command that no worker has begun yet has not been waited for: it is called first."""
    if timer.row.due_at is None or timer.row.due_at > now:
        return False
    if not isinstance(timer.effect, e.WaitUntil) or timer.effect.purpose is not e.TimerPurpose.timeout:
        return True
    return not any(
        isinstance(each.effect, e.RunCommand)
        and each.row.state == EffectState.OPEN
        and each.row.visit == timer.row.visit
        for each in effects
    )


def _run_command(
    lease: Lease, store: Store, run: Run, asked: OpenEffect, effect: e.RunCommand, around: Surroundings
) -> None:
    with store.write(run.incident_id, kind="run.intent", actor=ENGINE, now=around.clock()) as change:
        lease.fence(change.session)
        change.put(mark_intended(change.session, asked.row.id, now=change.at))
    result = asyncio.run(_call(effect, around))
    event = _event_of(effect, result)
    _tell(lease, store, run, event, asked, around, result=result.detail)


async def _call(effect: e.RunCommand, around: Surroundings) -> HttpResult:
    import httpx

    async with httpx.AsyncClient(follow_redirects=False, trust_env=False) as client:
        return await call(
            effect.command,
            effect.agent,
            effect.variables,
            client=client,
            timeout_s=effect.timeout_ms / 1000,
            idempotency_key=f"{effect.visit}.{effect.index}",
            declared=effect.declared,
            authentication=effect.authentication,
            resolve_secret=around.resolve_secret,
        )


def _event_of(effect: e.RunCommand, result: HttpResult) -> e.Event:
    if result.ending is Ending.done:
        values = outputs_from(result, effect.out_args)
        return e.CommandSucceeded(visit=effect.visit, index=effect.index, values=values)
    return e.CommandFailed(
        visit=effect.visit, index=effect.index, reason=result.detail, ambiguous=result.may_be_done
    )


def _do_in_house(
    lease: Lease, store: Store, run: Run, asked: OpenEffect, effect: e.DoInHouse, around: Surroundings
) -> bool:
    answer = around.housework(effect, incident_id=run.incident_id)
    if answer.state is HouseState.WAITING:
        return False
    if answer.state is HouseState.DONE:
        event: e.Event = e.InHouseDone(visit=effect.visit, index=effect.index)
    else:
        event = e.InHouseFailed(visit=effect.visit, index=effect.index, reason=answer.text)
    _tell(lease, store, run, event, asked, around, result=answer.text)
    return True


def _tell(
    lease: Lease,
    store: Store,
    run: Run,
    event: e.Event,
    settled: OpenEffect,
    around: Surroundings,
    *,
    result: str = "",
) -> None:
    told = insist(partial(_keep, lease, store, run, event, settled, around, result))
    if told:
        around.on_step(run.id, settled.effect, result)


def _keep(
    lease: Lease,
    store: Store,
    run: Run,
    event: e.Event,
    settled: OpenEffect,
    around: Surroundings,
    result: str,
) -> bool:
    """Tell the machine; False when the effect was withdrawn meanwhile, whose outcome is then only kept."""
    with store.write(run.incident_id, kind="run.advanced", actor=ENGINE, now=around.clock()) as change:
        lease.fence(change.session, progress=True)
        fresh = run_named(change.session, run.id)
        row = change.session.get(RunEffect, settled.row.id)
        if row is None:
            raise NotFound("this effect does not exist", where=settled.row.id)
        if row.state in OUTSTANDING:
            tell(change, store, fresh, event, settled=OpenEffect(row, settled.effect), result=result)
            return True
        if isinstance(settled.effect, e.RunCommand):
            keep_late(change, store, fresh, OpenEffect(row, settled.effect), event, result=result)
        return False


def _declare_ambiguous(lease: Lease, store: Store, run_id: str, around: Surroundings) -> None:
    """A command with intent and no outcome is one that a dead worker sent or was about to send."""
    with store.read() as session:
        run = run_named(session, run_id)
        left = [each for each in open_effects(session, store, run) if each.row.state == EffectState.INTENDED]
    for each in left:
        if isinstance(each.effect, e.RunCommand):
            reason = "the worker stopped while it called; the command may have been carried out"
            event = e.CommandFailed(
                visit=each.effect.visit, index=each.effect.index, reason=reason, ambiguous=True
            )
            _tell(lease, store, run, event, each, around, result=reason)


def _leave(lease: Lease, store: Store, run_id: str, around: Surroundings) -> None:
    with store.transaction() as session:
        lease.fence(session)
        run = run_named(session, run_id)
        timers = [
            each.row.due_at
            for each in open_effects(session, store, run)
            if isinstance(each.effect, e.WaitUntil) and each.row.due_at is not None
        ]
        if run.state == RUNNING and lease.stopping:
            lease.again(session)
        elif run.state == RUNNING and timers:
            lease.again(session, after=max((min(timers) - around.clock()).total_seconds(), 0.0))
        else:
            lease.done(session)
