"""Three workers on one PostgreSQL share runs of a big playbook while they and the database are killed under them.

The test is their supervisor, and the one who finds out what came of a call; each approval comes from a process of its
own. Runs are started as long as something happens, so that it happens to runs at every stage.
"""

from __future__ import annotations

import random
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from incident.errors import StoreUnavailable
from incident.response import events as e
from tests.chaos.conftest import Tell
from tests.support.big_playbook import (
    CALLS_OF_A_RUN,
    MEASURES_OF_A_RUN,
    ONCE,
    REPEATABLE,
    Services,
    SharedRuns,
)
from tests.support.breaches import make_breach
from tests.support.crew import Crew
from tests.support.halting import make_ready
from tests.support.ledgers import assert_the_check_holds
from tests.support.postgres import PostgresServer
from tests.support.workspaces import START

WORKERS, STALE = 3, 6.0
RUNS, A_RUN_EVERY = 8, 2.5
KILLS, FREEZES = 6, 2
FROZEN_SECONDS = (STALE + 1, STALE + 3)
FIRST, LAST = 2.0, 22.0
DATABASE_STOPS_AT, DATABASE_AWAY_SECONDS = 13.0, 2.0
STANDS_STILL = 90.0
STOP = "stop the database"
EVENTS = KILLS + FREEZES + 1
OF_ONE = 8  # runs that a worker has under way at a time


@pytest.mark.chaos
def test_killed_frozen_and_without_a_database_three_workers_end_every_run(
    own_postgres: PostgresServer, tmp_path: Path, tell: Tell
) -> None:
    dice, pauses = random.Random(6), random.Random(7)
    with Services(pause=lambda: pauses.random() / 3) as services:
        breach = make_breach(tmp_path, measures=(), on=own_postgres, engine={"stale_seconds": STALE})
        # The clock of the machine: the workers go by it.
        runs = SharedRuns(breach, services, real_began=START.timestamp())
        crew = Crew(breach.made.workspace.root, tmp_path, size=WORKERS)
        with crew.at_work(breach.made.store):
            make_ready()
            crew.began = time.monotonic()
            live_through_it(runs, crew, own_postgres, dice)
            took = crew.elapsed
            assert crew.end() == [0] * WORKERS
        services.settle()
    doubled = assert_every_call_was_made(runs, services)
    assert runs.measures() == {name: count * RUNS for name, count in MEASURES_OF_A_RUN.items()}
    signed = runs.assert_every_gate_was_signed()
    runs.assert_the_record_is_whole()
    assert_the_check_holds(breach.made.workspace.root)
    tell(f"{KILLS} kills, {FREEZES} freezes, the database stopped at once; {took:.0f} s")
    tell(
        f"{RUNS} runs ended, {signed} gates passed by two signatures each, {sum(runs.asked.values())} calls in doubt"
        f" found out by a person, {sum(doubled.values())} of {sum(map(len, services.paths.values()))} calls made twice"
    )


def live_through_it(runs: SharedRuns, crew: Crew, server: PostgresServer, dice: random.Random) -> None:
    """Let everything happen at its time, start runs meanwhile, answer what waits for people, until all is over."""
    events = [(dice.uniform(FIRST, LAST), "kill") for _ in range(KILLS)]
    events += [(dice.uniform(FIRST, LAST), "freeze") for _ in range(FREEZES)]
    events += [(DATABASE_STOPS_AT, STOP)]
    events.sort(reverse=True)
    moved = Moved(crew.elapsed)
    while events or len(runs.cases) < RUNS or not runs.all_over():
        crew.supervise()
        due = bool(events) and crew.elapsed >= events[-1][0]
        # Nobody signs while the database stops: a command that cannot write says so, and is called again.
        free = due and not (runs.signing and events[-1][1] == STOP)
        # Who has only just been started has nothing to lose yet.
        if free and (working := crew.working(runs.store)):
            runs.service.wait_for_a_call(seconds=2)
            happen(events.pop()[1], crew, dice.choice(working), server, dice)
        with suppress(StoreUnavailable):  # the pool's connections died with the server
            if len(runs.cases) < RUNS and crew.elapsed >= A_RUN_EVERY * len(runs.cases):
                runs.start_here()
            runs.signatures_end()
            if not (due and events and events[-1][1] == STOP):
                runs.answer()
            moved.must_move(runs, crew.elapsed)
        time.sleep(0.2)


@dataclass
class Moved:
    """When something was last seen to move."""

    at: float
    steps: int = 0

    def must_move(self, runs: SharedRuns, now: float) -> None:
        if (steps := runs.steps()) != self.steps:
            self.at, self.steps = now, steps
        assert now - self.at < STANDS_STILL, "the work stands still"


def happen(what: str, crew: Crew, number: int, server: PostgresServer, dice: random.Random) -> None:
    match what:
        case "kill":
            crew.kill(number)
        case "freeze":
            crew.freeze(number, seconds=dice.uniform(*FROZEN_SECONDS))
        case _:
            server.stop_at_once()
            time.sleep(DATABASE_AWAY_SECONDS)
            server.start()


def assert_every_call_was_made(runs: SharedRuns, services: Services) -> dict[str, int]:
    """Every run ended well, and no call was lost or made more often than allowed; returns how many were made twice."""
    assert [run.state for run in runs.runs()] == [e.Outcome.succeeded] * RUNS
    made = {path.strip("/"): calls for path, calls in services.paths.items()}
    assert {step: len(calls) for step, calls in made.items()} == {
        step: times * RUNS for step, times in CALLS_OF_A_RUN.items()
    }
    assert {key: bodies for key, bodies in services.bodies.items() if len(bodies) != 1} == {}
    assert set(services.refused.values()) == {1} and len(services.refused) == RUNS
    doubled = {step: sum(calls.values()) - len(calls) for step, calls in made.items()}
    # Between the last question whether it may and the call itself a worker can be frozen for long: once more, and told.
    assert all(times <= 2 for step in ONCE for times in made[step].values())
    assert sum(doubled[step] for step in ONCE) <= FREEZES * OF_ONE
    # What was under way is made once more: with one worker at each kill and freeze, with all when the database stops.
    assert sum(doubled[step] for step in REPEATABLE) <= (KILLS + FREEZES + WORKERS) * OF_ONE
    assert all(times <= 1 + EVENTS for step in REPEATABLE for times in made[step].values())
    return doubled
