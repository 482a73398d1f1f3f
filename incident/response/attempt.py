"""One attempt at advancing a run, and what it needs from outside."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from incident.durable import Lease
from incident.errors import NotFound
from incident.response import events as e
from incident.response.commands.going_out import GoingOut
from incident.response.next_piece import ToCall, look_among, next_piece
from incident.response.run_rows import effect_row
from incident.response.runner import (
    RUNNING,
    Evaluate,
    OpenEffect,
    SettledMeanwhile,
    call_later,
    keep_late,
    mark_intended,
    open_effects,
    run_named,
    tell,
)
from incident.response.silence import brakes_over
from incident.store.change import Change
from incident.store.store import Store
from incident.store.tables import Run

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
    """What advancing a run needs from outside. `evaluate` evaluates the duties as a change leaves the record."""

    clock: Callable[[], datetime]
    housework: Housework
    resolve_secret: Callable[[str], str]
    going_out: GoingOut
    on_step: Callable[[str, e.Effect, str], None] = lambda run_id, effect, result: None
    evaluate: Evaluate | None = None


@dataclass(frozen=True)
class Intended:
    """A call whose intent is kept since `at`. `effects` are all that its run waits for, `was_due_at` is when it was due."""

    asked: OpenEffect
    command: e.RunCommand
    effects: list[OpenEffect]
    at: datetime
    was_due_at: datetime | None


@dataclass(frozen=True)
class Attempt:
    """A run as it was read, worked on under a lease. Every change of it is fenced."""

    lease: Lease
    store: Store
    run: Run
    around: Surroundings

    @contextmanager
    def change(self, kind: str, *, progress: bool = False) -> Iterator[Change]:
        """A change of the run's incident. Raises `Fenced`, and as `Store.write`."""
        with self.store.write(
            self.run.incident_id, kind=kind, actor=ENGINE, now=self.around.clock()
        ) as change:
            self.lease.fence(change.session, progress=progress)
            yield change

    def may_call(self, command: e.RunCommand) -> bool:
        """Whether the worker may make this call now: its lease is good, and no brake is on."""
        return self.lease.may_act(*brakes_over(self.run.incident_id, command.measures))

    def intend(self, change: Change, found: ToCall, effects: list[OpenEffect]) -> Intended:
        """Keep that a call is about to be made. Raises `SettledMeanwhile`."""
        due_at = found.asked.row.due_at
        mark_intended(change, self.store, found.asked)
        return Intended(found.asked, found.command, effects, at=change.at, was_due_at=due_at)

    def tell(self, event: e.Event, settled: OpenEffect, *, result: str = "") -> Intended | None:
        """Tell the machine what came of an effect. Of one that was withdrawn meanwhile the outcome is only kept.

        The same transaction keeps the intent of the call that follows, which is returned and must be made or taken back
        now, and closes the job when the run is over.
        """
        taken, following = self.lease.insist(lambda: self._keep(event, settled, result))
        if taken:
            self._tell_who_watches(settled.effect, result, following)
        return following

    def call_later(self, intended: Intended, *, calls: int, at: datetime | None) -> bool:
        """Take an intent back, to call at `at`; False when the command was withdrawn meanwhile."""

        def keep() -> None:
            with self.change("run.call_again") as change:
                call_later(change, self.store, intended.asked, calls=calls, at=at)

        try:
            self.lease.insist(keep)
        except SettledMeanwhile:
            return False
        return True

    def _tell_who_watches(self, effect: e.Effect, result: str, following: Intended | None) -> None:
        try:
            self.around.on_step(self.run.id, effect, result)
        except BaseException:
            # What was not called is not left behind as a question: only who watches failed.
            if following is not None:
                self.call_later(following, calls=following.asked.calls, at=following.was_due_at)
            raise

    def _keep(self, event: e.Event, settled: OpenEffect, result: str) -> tuple[bool, Intended | None]:
        with self.change("run.advanced", progress=True) as change:
            run = run_named(change.session, self.run.id)
            waiting = open_effects(change.session, self.store, run)
            now = next((each for each in waiting if each.row.id == settled.row.id), None)
            if now is None:
                self._keep_late(change, run, event, settled, result)
                return False, None
            following = _Following(self, change, run)
            # Its own job goes on with what follows, and need not be asked to.
            tell(
                change,
                self.store,
                run,
                event,
                settled=now,
                result=result,
                evaluate=self.around.evaluate,
                poke=False,
                waiting=waiting,
                choose=following.choose,
            )
            if run.state != RUNNING:
                self.lease.done(change.session)
            return True, following.intended

    def _keep_late(self, change: Change, run: Run, event: e.Event, settled: OpenEffect, result: str) -> None:
        row = effect_row(change.session, settled.row.id)
        if row is None:
            raise NotFound("this effect does not exist", where=settled.row.id)
        if isinstance(settled.effect, e.RunCommand):
            withdrawn = OpenEffect(row, settled.effect)
            keep_late(change, self.store, run, withdrawn, event, result=result, evaluate=self.around.evaluate)


class _Following:
    """Chooses the call that comes next, if it may be made now: as a transaction of its own after this one would."""

    def __init__(self, attempt: Attempt, change: Change, run: Run) -> None:
        self._attempt = attempt
        self._change = change
        self._run = run
        self.intended: Intended | None = None

    def choose(self, waiting: list[OpenEffect]) -> OpenEffect | None:
        attempt, now = self._attempt, self._change.at
        if attempt.lease.stopping:
            return None
        found = look_among(self._change.session, self._run, waiting)
        piece = next_piece(found, now=now, may_act=attempt.may_call)
        if not isinstance(piece, ToCall):
            return None
        asked = piece.asked
        self.intended = Intended(asked, piece.command, waiting, at=now, was_due_at=asked.row.due_at)
        return asked
