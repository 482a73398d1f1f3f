"""Runs on the store: the shipped playbook from alert to sent notice, with people at every gate."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from sqlmodel import select

from incident.durable import JobState
from incident.errors import NotFound, Refused
from incident.record.dossier import load_dossier
from incident.record.measures import MeasureTaken
from incident.record.operators import Role
from incident.response import events as e
from incident.response.effect_states import OUTSTANDING, EffectState
from incident.response.runner import RUN_JOB, cancel_run, poke_runs, questions, run_named, runs_of
from incident.store.tables import Campaign, Job, Notice, Report, RunEffect
from tests.support.breaches import Breach, make_breach, some_people
from tests.support.relays import recording_relay
from tests.support.runs import ENDPOINT, Running, start
from tests.support.services import CalledService
from tests.support.workspaces import all_rows, make_signer


def measures(breach: Breach) -> list[MeasureTaken]:
    return [each for each in load_dossier(breach.made.store, breach.id).measures if each.origin == "run"]


def effects(running: Running) -> list[RunEffect]:
    with running.breach.made.store.read() as session:
        return list(session.exec(select(RunEffect).where(RunEffect.run_id == running.id)).all())


def to_the_gate(running: Running) -> None:
    """Answer everything up to the approval of the release."""
    running.work()
    if "cut-off-by-hand" in running.waiting():
        running.answer("cut-off-by-hand", values={"__contained_at__": "2026-11-23T08:00:00Z"})
        running.work()
    running.answer("preserve-evidence", note="copied the access logs")
    running.answer("verify-scope", note="2 people")
    running.work()
    assert running.waiting() == {"approve-release"}


def test_the_whole_playbook_contains_waits_for_people_and_sends_what_was_released(tmp_path: Path) -> None:
    with CalledService() as service, recording_relay() as relay:
        breach = make_breach(tmp_path, people=some_people(3), relay_port=relay.port, measures=())
        running = start(breach, url=service.url)
        running.work()
        assert service.asked == [{"action": "disable-endpoint", "endpoint": ENDPOINT}]
        assert running.waiting() == {"preserve-evidence", "verify-scope"}
        to_the_gate(running)
        with breach.made.store.read() as session:
            assert session.exec(select(Notice)).all() and session.exec(select(Report)).all()
        assert running.decide("approve-release", "bo") == 1
        running.work()
        assert running.waiting() == {"approve-release"}
        assert running.decide("approve-release", "cy") == 0
        running.work()
        assert (running.row.state, running.waiting(), relay.taken) == ("running", set(), [])
        breach.release()
        running.work()
    assert running.row.state == e.Outcome.succeeded
    assert len(relay.taken) == 3
    assert breach.account().accepted == 3
    assert len(service.asked) == 1
    assert {row.state for row in effects(running)} <= {EffectState.SETTLED, EffectState.WITHDRAWN}


def test_every_measure_is_recorded_once_as_done_by_the_run(tmp_path: Path) -> None:
    with CalledService() as service:
        breach = make_breach(tmp_path, measures=())
        running = start(breach, url=service.url)
        to_the_gate(running)
    found = measures(breach)
    assert Counter(each.action for each in found) == {
        "contain.disable-endpoint": 1,
        "analyse.preserve-evidence": 1,
        "analyse.determine-scope": 1,
    }
    by_action = {each.action: each for each in found}
    assert (by_action["contain.disable-endpoint"].by, by_action["analyse.determine-scope"].by) == ("", "ana")
    assert "HTTP 200" in by_action["contain.disable-endpoint"].text
    # What the run did is what the notice says was done.
    result = breach.sign("bo")
    lines = [line.text for line in result.version.frozen.contents["en"].measures_taken or ()]
    assert any("closed the interface" in line for line in lines)


def test_before_the_release_nothing_leaves_however_often_the_worker_looks(tmp_path: Path) -> None:
    with recording_relay() as relay:
        breach = make_breach(tmp_path, people=some_people(2), relay_port=relay.port)
        running = start(breach)
        to_the_gate(running)
        running.decide("approve-release", "bo")
        running.decide("approve-release", "cy")
        for _ in range(3):
            running.work()
            breach.later(hours=30)
            poke(breach)
        with breach.made.store.read() as session:
            assert session.exec(select(Campaign)).all() == []
        breach.sign("bo")
        poke(breach)
        running.work()
        assert relay.taken == [] and running.row.state == "running"
        breach.sign("cy")  # wakes the run, as the command does
        running.work()
        assert len(relay.taken) == 2
    assert running.row.state == e.Outcome.succeeded


def poke(breach: Breach) -> None:
    with breach.made.store.transaction() as session:
        poke_runs(session, breach.id)


def test_poking_wakes_open_runs_and_no_others(tmp_path: Path) -> None:
    breach = make_breach(tmp_path)
    over, waiting = start(breach), start(breach)
    cancel(over)
    breach.work()
    poke(breach)
    with breach.made.store.read() as session:
        states = {job.key: job.state for job in session.exec(select(Job).where(Job.kind == RUN_JOB)).all()}
        assert [run.id for run in runs_of(session, breach.id)] != []
    assert states == {over.id: JobState.DONE, waiting.id: JobState.OPEN}


def cancel(running: Running) -> None:
    store, breach = running.breach.made.store, running.breach
    with store.write(breach.id, kind="run.cancelled", actor="ana", now=breach.made.clock()) as change:
        cancel_run(change, store, run_named(change.session, running.id), by="ana", reason="false alarm")


# -- signatures --------------------------------------------------------------------------------------


@pytest.fixture
def gate(tmp_path: Path) -> Running:
    breach = make_breach(tmp_path, people=some_people(1))
    running = start(breach, by="di")
    to_the_gate(running)
    return running


def test_one_person_cannot_approve_twice(gate: Running) -> None:
    gate.decide("approve-release", "bo")
    with pytest.raises(Refused, match="bo decided on this step already"):
        gate.decide("approve-release", "bo")
    gate.work()
    assert gate.waiting() == {"approve-release"}


def test_who_started_the_run_does_not_approve_it(gate: Running) -> None:
    with pytest.raises(Refused, match="started this run"):
        gate.decide("approve-release", "di")


def test_an_approval_needs_the_role(gate: Running) -> None:
    gate.breach.signers["ed"] = make_signer(gate.breach.made, "ed", roles=[Role.RESPONDER])
    with pytest.raises(Refused, match="no approver"):
        gate.decide("approve-release", "ed")


def test_an_approval_is_not_an_answer_and_an_answer_no_approval(gate: Running) -> None:
    with pytest.raises(Refused, match="signed decision"):
        gate.answer("approve-release")
    other = start(gate.breach)
    other.work()
    with pytest.raises(Refused, match="asks for work"):
        other.decide("cut-off-by-hand", "bo")


def test_simulated_operators_do_not_pass_a_gate_of_a_live_workspace(tmp_path: Path) -> None:
    breach = make_breach(tmp_path, people=some_people(1), simulated=True)
    running = start(breach)
    to_the_gate(running)
    assert running.decide("approve-release", "bo") == 2
    assert running.decide("approve-release", "cy") == 2
    running.work()
    assert running.waiting() == {"approve-release"}


def test_one_no_ends_the_waiting_and_nothing_is_sent(gate: Running) -> None:
    gate.decide("approve-release", "bo")
    gate.decide("approve-release", "cy", yes=False)
    gate.work()
    assert gate.row.state != e.Outcome.succeeded and gate.row.state != "running"
    with gate.breach.made.store.read() as session:
        assert session.exec(select(Campaign)).all() == []


# -- answers -----------------------------------------------------------------------------------------


def test_a_step_that_waits_for_nobody_is_named_with_those_that_wait(tmp_path: Path) -> None:
    running = start(make_breach(tmp_path))
    running.work()
    with pytest.raises(NotFound, match="waits for nobody") as wrong:
        running.answer("verify-scope")
    assert "cut-off-by-hand" in (wrong.value.next_step or "")


def test_a_failed_containment_is_not_recorded_as_done_and_the_other_way_is_asked_for(tmp_path: Path) -> None:
    with CalledService(status=503) as service:
        breach = make_breach(tmp_path)
        running = start(breach, url=service.url)
        running.work()
    assert running.waiting() == {"cut-off-another-way"}
    assert measures(breach) == [] and len(service.asked) == 1


def test_a_refused_change_leaves_the_run_as_it_was(tmp_path: Path) -> None:
    breach = make_breach(tmp_path)
    running = start(breach)
    running.work()
    before = all_rows(breach.made.store)
    with pytest.raises(Exception, match="__colour__"):
        running.answer("cut-off-by-hand", values={"__colour__": "red"})
    assert all_rows(breach.made.store) == before


def test_a_cancelled_run_asks_nobody_and_says_so(tmp_path: Path) -> None:
    breach = make_breach(tmp_path)
    running = start(breach)
    running.work()
    cancel(running)
    running.work()
    assert (running.row.state, running.waiting()) == (e.Outcome.cancelled, set())
    assert not [row for row in effects(running) if row.state in OUTSTANDING]
    with pytest.raises(Refused, match="is over"):
        running.answer("cut-off-by-hand")
    with pytest.raises(Refused, match="is over"):
        cancel(running)


def test_runs_are_numbered_within_their_incident(tmp_path: Path) -> None:
    breach = make_breach(tmp_path)
    assert [start(breach).id for _ in range(3)] == [f"RUN-2026-0001-{number}" for number in (1, 2, 3)]


def test_what_is_asked_is_bound_to_its_run(tmp_path: Path) -> None:
    breach = make_breach(tmp_path)
    hashes = []
    for running in (start(breach), start(breach)):
        running.work()
        with breach.made.store.read() as session:
            asked = questions(session, breach.made.store, run_named(session, running.id))
            hashes += [each.hash for each in asked]
    assert len(set(hashes)) == len(hashes) == 2
