"""What of all that a run waits for is to be done next, without a person. Pure but for reading holds and evidence."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session

from incident.response import events as e
from incident.response.effect_states import EffectState
from incident.response.evidence_first import waits_for_evidence
from incident.response.runner import OpenEffect, open_effects
from incident.response.silence import is_held_back
from incident.store.store import Store
from incident.store.tables import Run

PAUSES_S = (1.0, 5.0)
"""Seconds before a repeatable call that had no answer is made again; after the last one a person is asked."""


@dataclass(frozen=True)
class Open:
    """All that a run waits for; `held_back` are the ids of the calls that wait for the lifting of a hold, or for the
    evidence to be preserved."""

    effects: list[OpenEffect]
    held_back: frozenset[str]


@dataclass(frozen=True)
class LeftBehind:
    """A call under way of which nobody knows whether it was carried out."""

    asked: OpenEffect
    command: e.RunCommand


@dataclass(frozen=True)
class TimeHasCome:
    asked: OpenEffect
    timer: e.WaitUntil


@dataclass(frozen=True)
class ToCall:
    asked: OpenEffect
    command: e.RunCommand


Piece = LeftBehind | TimeHasCome | ToCall


def look(session: Session, store: Store, run: Run) -> Open:
    """What a run waits for, as this session sees it."""
    return look_among(session, run, open_effects(session, store, run))


def look_among(session: Session, run: Run, effects: list[OpenEffect]) -> Open:
    """The same for one whose effects were read already."""
    held_back = frozenset(
        each.row.id
        for each in effects
        if isinstance(each.effect, e.RunCommand)
        and (
            is_held_back(session, run.incident_id, each.effect.measures)
            or waits_for_evidence(session, run.incident_id, each.effect)
        )
    )
    return Open(effects, held_back)


def next_piece(found: Open, *, now: datetime, may_act: Callable[[e.RunCommand], bool]) -> Piece | None:
    """The first of: a call that was left behind, a timer whose time has come, a call that may be made now."""
    commands = [(each, each.effect) for each in found.effects if isinstance(each.effect, e.RunCommand)]
    for each, command in commands:
        if _left_behind(each, command):
            return LeftBehind(each, command)
    for each in found.effects:
        if isinstance(each.effect, e.WaitUntil) and _has_come(each, each.effect, found.effects, now=now):
            return TimeHasCome(each, each.effect)
    for each, command in commands:
        if each.row.id in found.held_back or seconds_until(each.row.due_at, now=now) > 0:
            continue
        if may_act(command):
            return ToCall(each, command)
    return None


def may_repeat(command: e.RunCommand, *, calls: int) -> bool:
    """Whether a call is made again by itself after so many of which nobody knows what came."""
    return command.repeatable and calls <= len(PAUSES_S)


def is_held_back_by_a_call(wait: e.WaitUntil, effects: list[OpenEffect]) -> bool:
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


def seconds_until(due_at: datetime | None, *, now: datetime) -> float:
    """Seconds until then; 0 where it has come, or there is no such time."""
    return 0.0 if due_at is None else max((due_at - now).total_seconds(), 0.0)


def _left_behind(asked: OpenEffect, command: e.RunCommand) -> bool:
    """Whether a worker that is no more called, or was about to, and a person must find out which."""
    return asked.row.state == EffectState.INTENDED and not may_repeat(command, calls=asked.calls)


def _has_come(timer: OpenEffect, wait: e.WaitUntil, effects: list[OpenEffect], *, now: datetime) -> bool:
    return seconds_until(timer.row.due_at, now=now) <= 0 and not is_held_back_by_a_call(wait, effects)
