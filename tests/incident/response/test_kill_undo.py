"""SIGKILL during an undo: what was taken back is known, nothing is sent twice by itself, and a person is asked in doubt."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from incident.ops.check import check
from incident.proof.verify import verify
from incident.response import events as e
from incident.response.containment import containment_of
from incident.response.deciding import answer_outcome
from incident.response.housework import House
from incident.response.runner import questions, run_named
from incident.response.undoing import start_undo
from tests.support.accounts import CONTAINING, AccountService
from tests.support.breaches import Breach, make_breach
from tests.support.halting import PATIENCE, Halting, Order, clock_from
from tests.support.runs import install, start
from tests.support.workspaces import START

ACCOUNT = "mallory"


@pytest.fixture
def service() -> Iterator[AccountService]:
    with AccountService() as found:
        yield found


class Undoing:
    """An undo of a locked account, worked on by processes that are killed."""

    def __init__(self, folder: Path, service: AccountService) -> None:
        self.service = service
        self.breach: Breach = make_breach(folder, measures=(), engine={"stale_seconds": 2})
        install(self.breach.made.workspace.root, "contain", CONTAINING.replace("RADIUS", "one-account"))
        running = start(
            self.breach, name="contain", given={"__account__": ACCOUNT, "__service__": service.url}
        )
        running.work()
        self.began = time.time()
        self.house: House = replace(self.breach.house, clock=clock_from(START, self.began))
        store = self.breach.made.store
        with store.write(self.breach.id, kind="run.undone", actor="ana", now=self.house.clock()) as change:
            self.run, _ = start_undo(change, store, running.id, step="lock")

    def worked_until(self, *points: str) -> str | None:
        """Work in a process that is killed where it stops, or while the service keeps its call; None: it ended.

        A point names no step: the stations know those of the playbook's file, and an undo has none.
        """
        process = Halting(
            Order(
                workspace=str(self.breach.made.workspace.root),
                playbook="contain",
                incident=self.breach.id,
                points=points,
                began=START.isoformat(),
                real_began=self.began,
            )
        )
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            point = process.halted()
            if point is None and not self.service.held.empty():
                point = f"at_server@{self.service.held.get()}"
            if point is not None:
                process.kill()
                return point
            if process.ended:
                process.wait()
                return None
        process.kill()
        raise AssertionError("it neither stopped nor ended")

    def state(self) -> tuple[str, str]:
        with self.breach.made.store.read() as session:
            row = containment_of(session, self.breach.id)[0]
            return run_named(session, self.run).state, row.state

    def asks(self) -> list[str]:
        store = self.breach.made.store
        with store.read() as session:
            return [each.row.kind for each in questions(session, store, run_named(session, self.run))]

    def answer(self, outcome: e.CallOutcome) -> None:
        answer_outcome(self.house, self.run, "c1", outcome, by="ana", values={}, note="looked there")

    def assert_whole(self) -> None:
        assert verify(self.breach.made.store).sound
        assert [each.invariant.name for each in check(self.house).broken] == []


@pytest.mark.parametrize("point", ["before_intent", "in_told"])
def test_killed_beside_the_call_it_goes_on_or_asks_and_never_claims_what_is_not_known(
    tmp_path: Path, service: AccountService, point: str
) -> None:
    undoing = Undoing(tmp_path, service)
    point = f"{point}@"
    assert undoing.worked_until(point) == point
    assert undoing.state() == ("running", "undoing")
    undoing.assert_whole()
    assert undoing.worked_until() is None
    if point.startswith("in_told"):
        assert undoing.asks() == ["ask_outcome"]
        undoing.answer(e.CallOutcome.done)
    assert undoing.state() == ("succeeded", "undone")
    assert service.paths().count("/unlock") == 1
    undoing.assert_whole()


@pytest.mark.parametrize("arrived", [True, False])
def test_killed_during_the_call_a_person_is_asked_whether_it_was_taken_back(
    tmp_path: Path, service: AccountService, arrived: bool
) -> None:
    undoing = Undoing(tmp_path, service)
    point = "after_intent@"
    if arrived:
        service.hold, point = {"/unlock"}, "at_server@/unlock"
    assert undoing.worked_until(*([] if arrived else [point])) == point
    assert undoing.worked_until() is None
    assert undoing.asks() == ["ask_outcome"]
    assert undoing.state() == ("running", "undoing")
    undoing.assert_whole()
    undoing.answer(e.CallOutcome.done if arrived else e.CallOutcome.not_done)
    assert undoing.worked_until() is None
    assert undoing.state() == ("succeeded", "undone")
    assert service.paths().count("/unlock") == 1
    assert service.session_works(ACCOUNT)
    undoing.assert_whole()
