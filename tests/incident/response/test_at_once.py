"""Runs that several people start, and steps that they decide on, at the same moment."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from incident.errors import NotFound, Refused
from incident.response.housework import House
from incident.response.runner import runs_of
from tests.support.at_once import at_once
from tests.support.breaches import Breach, make_breach
from tests.support.journals import sound
from tests.support.postgres import PostgresServer
from tests.support.runs import Running, start


@pytest.fixture
def breach(tmp_path: Path, store_on: PostgresServer | None) -> Breach:
    return make_breach(tmp_path, measures=(), on=store_on)


def at_another_desk(breach: Breach) -> Breach:
    made = breach.made.another()
    return replace(breach, made=made, house=House(made.workspace, made.settings, made.store, made.clock))


def test_runs_started_at_once_have_numbers_of_their_own(breach: Breach) -> None:
    desks = [at_another_desk(breach) for _ in range(3)]
    started = at_once(*(lambda desk=desk: start(desk).id for desk in desks))
    assert sorted(map(str, started)) == [f"RUN-2026-0001-{number}" for number in (1, 2, 3)]
    with breach.made.store.read() as session:
        assert {run.id for run in runs_of(session)} == set(started)
    assert sound(breach.made.store, *breach.made.store.heads())


def test_of_two_answers_to_one_step_at_once_one_counts(breach: Breach) -> None:
    running = start(breach)
    running.work()
    assert "cut-off-by-hand" in running.waiting()
    desks = [replace(running, breach=at_another_desk(breach)) for _ in range(2)]
    values = {"__contained_at__": "2026-11-23T08:00:00Z"}
    outcomes = at_once(*(lambda desk=desk: desk.answer("cut-off-by-hand", values=values) for desk in desks))
    assert sorted(str(type(each)) for each in outcomes) == sorted([str(type(None)), str(NotFound)])


def test_two_who_approve_a_step_at_once_let_it_go_on_exactly_once(breach: Breach) -> None:
    running = at_the_gate(breach)
    desks = [(replace(running, breach=at_another_desk(breach)), name) for name in ("bo", "cy")]
    missing = at_once(
        *(lambda desk=desk, name=name: desk.decide("approve-release", name) for desk, name in desks)
    )
    assert sorted(missing, key=str) == [0, 1]
    assert "approve-release" not in running.waiting()
    with pytest.raises((NotFound, Refused)):
        running.decide("approve-release", "di")
    assert sound(breach.made.store, *breach.made.store.heads())


def at_the_gate(breach: Breach) -> Running:
    running = start(breach)
    running.work()
    running.answer("cut-off-by-hand", values={"__contained_at__": "2026-11-23T08:00:00Z"})
    running.work()
    running.answer("preserve-evidence", note="copied the access logs")
    running.answer("verify-scope", note="2 people")
    running.work()
    assert running.waiting() == {"approve-release"}
    return running
