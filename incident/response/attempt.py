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
from incident.response.runner import OUTSTANDING, Evaluate, OpenEffect, keep_late, run_named, tell
from incident.store.change import Change
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
    """What advancing a run needs from outside. `evaluate` evaluates the duties as a change leaves the record."""

    clock: Callable[[], datetime]
    housework: Housework
    resolve_secret: Callable[[str], str]
    going_out: GoingOut
    on_step: Callable[[str, e.Effect, str], None] = lambda run_id, effect, result: None
    evaluate: Evaluate | None = None


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

    def tell(self, event: e.Event, settled: OpenEffect, *, result: str = "") -> None:
        """Tell the machine what came of an effect. Of one that was withdrawn meanwhile the outcome is only kept."""
        if self.lease.insist(lambda: self._keep(event, settled, result)):
            self.around.on_step(self.run.id, settled.effect, result)

    def _keep(self, event: e.Event, settled: OpenEffect, result: str) -> bool:
        with self.change("run.advanced", progress=True) as change:
            fresh = run_named(change.session, self.run.id)
            row = change.session.get(RunEffect, settled.row.id)
            if row is None:
                raise NotFound("this effect does not exist", where=settled.row.id)
            now = OpenEffect(row, settled.effect)
            if row.state in OUTSTANDING:
                tell(
                    change,
                    self.store,
                    fresh,
                    event,
                    settled=now,
                    result=result,
                    evaluate=self.around.evaluate,
                )
                return True
            if isinstance(settled.effect, e.RunCommand):
                keep_late(change, self.store, fresh, now, event, result=result, evaluate=self.around.evaluate)
            return False
