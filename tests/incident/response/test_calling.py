"""A run's calls: none is skipped, none is made twice by itself, and what nobody knows is asked of a person."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlmodel import select

from incident.durable import EVERYTHING, Brakes, Fenced, Lease
from incident.errors import BadInput, NotFound, Refused
from incident.record.dossier import load_dossier
from incident.record.measures import MeasureTaken
from incident.response import events as e
from incident.response.effect_states import EffectState
from incident.response.runner import RUN_JOB, cancel_run, run_named
from incident.response.working import HELD_S, Surroundings, advance_run
from incident.store.tables import LogEntry, RunEffect
from tests.support.breaches import Breach, make_breach
from tests.support.jobs import claim_by_hand, job
from tests.support.runs import CAREFUL, LOOPBACK, PLAYBOOK, Running, install_careful, start
from tests.support.services import CalledService, EffectService
from tests.support.working_process import kill, start_worker
from tests.support.workspaces import START, run_sql

STEP = "cut-off-by-service"
BOTH = pytest.mark.parametrize("playbook", [CAREFUL, PLAYBOOK])


def commands(running: Running) -> list[RunEffect]:
    with running.breach.made.store.read() as session:
        found = select(RunEffect).where(RunEffect.run_id == running.id, RunEffect.kind == "run_command")
        return list(session.exec(found.order_by("asked_at")).all())


def command_row(running: Running) -> RunEffect:
    [row] = commands(running)
    return row


def outcome_of(running: Running) -> dict[str, object]:
    content = running.breach.made.store.open(commands(running)[0], incident_id=running.breach.id)
    event: dict[str, object] = content["event"]
    return event


def run_measures(breach: Breach) -> list[MeasureTaken]:
    return [each for each in load_dossier(breach.made.store, breach.id).measures if each.origin == "run"]


def begin(tmp_path: Path, url: str, *, playbook: str = CAREFUL) -> Running:
    breach = make_breach(tmp_path, measures=())
    install_careful(breach.made.workspace.root)
    return start(breach, url=url, name=playbook)


def left_behind(running: Running) -> None:
    """As a kill right after the commit of the intent leaves it."""
    run_sql(
        running.breach.made.store,
        "UPDATE run_effect SET state = 'intended', intent_at = asked_at WHERE kind = 'run_command'",
    )


# -- a worker that is no more ------------------------------------------------------------------------


def test_killed_while_the_service_works_nothing_is_sent_again_and_a_person_is_asked(tmp_path: Path) -> None:
    with CalledService() as service:
        service.hold.set()
        running = begin(tmp_path, service.url)
        worker = start_worker(running.breach.made.workspace.root)
        try:
            assert service.reached.wait(60)
        finally:
            kill(worker)
        assert command_row(running).state == EffectState.INTENDED
        service.hold.clear()
        assert start_worker(running.breach.made.workspace.root).wait(timeout=30) == 0
        assert len(service.asked) == 1
    asked = running.waits_about_calls()[STEP]
    assert (asked.request, asked.why) == (f"POST {service.url}", e.Uncertain.worker_stopped)
    assert asked.sent_at == command_row(running).intent_at
    assert run_measures(running.breach) == []


def test_an_intent_of_a_repeatable_call_is_taken_up_with_the_same_key_and_bytes(tmp_path: Path) -> None:
    with EffectService(answer={"state": "disabled"}) as service:
        service.hold.add("/")
        running = begin(tmp_path, service.url, playbook=PLAYBOOK)
        worker = start_worker(running.breach.made.workspace.root)
        try:
            assert service.held.get(timeout=60) == "/"
        finally:
            kill(worker)
        assert start_worker(running.breach.made.workspace.root).wait(timeout=30) == 0
        assert list(service.effects.values()) == [2]
        assert [len(bodies) for bodies in service.bodies.values()] == [1]
    assert running.waits_about_calls() == {}
    assert [each.action for each in run_measures(running.breach)] == ["contain.disable-endpoint"]


def test_a_time_limit_never_answers_whether_it_was_done(tmp_path: Path) -> None:
    running = begin(tmp_path, "http://127.0.0.1:9/")
    left_behind(running)
    for hours in (0, 1, 100):
        running.breach.later(hours=hours)
        running.work()
        assert list(running.waits_about_calls()) == [STEP]
        assert running.waiting() == {STEP}


# -- what the person found out -----------------------------------------------------------------------


def test_it_was_done_is_a_measure_of_the_day_it_was_sent_and_names_who_found_out(tmp_path: Path) -> None:
    with CalledService() as service:
        running = begin(tmp_path, service.url)
        left_behind(running)
        running.work()
        running.breach.later(hours=5)
        running.found_out(STEP, e.CallOutcome.done, note="the log of the gateway says so")
        running.work()
        assert service.asked == []
    [taken] = run_measures(running.breach)
    assert (taken.action, taken.at, taken.by) == ("contain.disable-endpoint", START, "")
    assert "as ana found out" in taken.text and "the log of the gateway" in taken.text
    with running.breach.made.store.read() as session:
        [entry] = session.exec(select(LogEntry).where(LogEntry.action == taken.action)).all()
    assert entry.recorded_by == "ana"
    assert running.waiting() == {"preserve-evidence", "verify-scope"}


def test_it_was_not_done_sends_the_very_same_now(tmp_path: Path) -> None:
    with EffectService() as service:
        running = begin(tmp_path, service.url)
        left_behind(running)
        running.work()
        running.found_out(STEP, e.CallOutcome.not_done)
        running.work()
        assert list(service.effects.values()) == [1]
        [key] = service.effects
    first, again = commands(running)
    assert key == f"{first.visit}.0" == f"{again.visit}.0"
    assert [each.action for each in run_measures(running.breach)] == ["contain.disable-endpoint"]


def test_failed_sends_nothing_and_takes_the_failure_route(tmp_path: Path) -> None:
    with CalledService() as service:
        running = begin(tmp_path, service.url)
        left_behind(running)
        running.work()
        running.found_out(STEP, e.CallOutcome.failed, note="nobody can tell")
        running.work()
        assert service.asked == []
    assert running.waiting() == {"cut-off-another-way"}
    assert run_measures(running.breach) == []


def test_a_plain_done_does_not_answer_whether_it_was_done(tmp_path: Path) -> None:
    running = begin(tmp_path, "http://127.0.0.1:9/")
    left_behind(running)
    running.work()
    for success in (True, False):
        with pytest.raises(Refused, match="whether a call was carried out") as wrong:
            running.answer(STEP, success=success)
        assert "--was-done" in (wrong.value.next_step or "")
    with pytest.raises(Refused, match="asks for work"):
        running.decide(STEP, "bo")
    assert list(running.waits_about_calls()) == [STEP]


def test_what_came_of_a_call_answers_no_other_question(tmp_path: Path) -> None:
    running = start(make_breach(tmp_path))
    running.work()
    for outcome in e.CallOutcome:
        with pytest.raises(Refused, match="asks for work"):
            running.found_out("cut-off-by-hand", outcome)
    assert running.waiting() == {"cut-off-by-hand"}


def test_a_wrong_answer_changes_nothing(tmp_path: Path) -> None:
    running = begin(tmp_path, "http://127.0.0.1:9/")
    left_behind(running)
    running.work()
    with pytest.raises(BadInput, match="does not take that value"):
        running.found_out(STEP, e.CallOutcome.done, values={"__colour__": "red"})
    with pytest.raises(NotFound, match="waits for nobody"):
        running.found_out("verify-scope", e.CallOutcome.done)
    assert list(running.waits_about_calls()) == [STEP]


# -- no answer ---------------------------------------------------------------------------------------


def test_a_connection_cut_after_the_request_is_asked_about_too(tmp_path: Path) -> None:
    with EffectService() as service:
        service.cut["/"] = 1
        running = begin(tmp_path, service.url)
        running.work()
        asked = running.waits_about_calls()[STEP]
        assert (asked.why, "broke" in asked.detail) == (e.Uncertain.no_answer, True)
        running.breach.later(minutes=5)
        running.work()
        assert list(service.effects.values()) == [1]
        running.found_out(STEP, e.CallOutcome.done)
        running.work()
    assert running.waiting() == {"preserve-evidence", "verify-scope"}


def test_a_repeatable_call_without_an_answer_is_made_again_after_a_pause(tmp_path: Path) -> None:
    with EffectService() as service:
        service.cut["/"] = 1
        running = begin(tmp_path, service.url, playbook=PLAYBOOK)
        running.work()
        assert list(service.effects.values()) == [1] and running.waiting() == set()
        running.breach.later(seconds=0.5)
        running.work()
        assert list(service.effects.values()) == [1]
        running.breach.later(seconds=1)
        running.work()
        assert list(service.effects.values()) == [2]
        assert [len(bodies) for bodies in service.bodies.values()] == [1]
    assert running.waiting() == {"preserve-evidence", "verify-scope"}


def test_after_three_calls_without_an_answer_a_person_is_asked(tmp_path: Path) -> None:
    with EffectService() as service:
        service.cut["/"] = 9
        running = begin(tmp_path, service.url, playbook=PLAYBOOK)
        for _ in range(5):
            running.work()
            running.breach.later(seconds=6)
        assert list(service.effects.values()) == [3]
        assert running.waits_about_calls()[STEP].sent_at == START + timedelta(seconds=12)


def test_a_call_is_not_repeated_beyond_its_steps_time(tmp_path: Path) -> None:
    with EffectService() as service:
        service.cut["/"] = 1
        running = begin(tmp_path, service.url, playbook=PLAYBOOK)
        running.breach.later(seconds=59.5)  # of the step's minute; the first pause is a second
        running.work()
        assert list(service.effects.values()) == [1]
        assert list(running.waits_about_calls()) == [STEP]


def test_a_call_that_is_to_be_repeated_is_not_timed_out_while_no_worker_lives(tmp_path: Path) -> None:
    with EffectService() as service:
        service.cut["/"] = 1
        running = begin(tmp_path, service.url, playbook=PLAYBOOK)
        running.work()
        running.breach.later(hours=2)
        running.work()
        assert list(service.effects.values()) == [2]
    assert running.waiting() == {"preserve-evidence", "verify-scope"}


# -- leave to act ------------------------------------------------------------------------------------


def held_lease(running: Running, brakes: Brakes) -> Lease:
    claimed = claim_by_hand(running.breach.made.store, running.id, kind=RUN_JOB)
    assert claimed is not None
    return Lease(running.breach.made.store, claimed, threading.Event(), brakes=brakes)


def around(running: Running, *, at_write: Callable[[int], None]) -> Surroundings:
    """Surroundings whose clock tells, at each look, how often it was looked at."""
    looks = iter(range(1, 99))
    breach = running.breach

    def clock() -> datetime:
        at_write(next(looks))
        return breach.made.clock()

    return Surroundings(clock, breach.house, lambda name: "", LOOPBACK)


@BOTH
def test_a_brake_pulled_after_the_intent_takes_the_intent_back(tmp_path: Path, playbook: str) -> None:
    with EffectService() as service:
        running = begin(tmp_path, service.url, playbook=playbook)
        brakes = Brakes()

        def pull(look: int) -> None:
            if look == 2:  # the look that dates the intent
                brakes.seen([EVERYTHING])

        lease = held_lease(running, brakes)
        advance_run(lease, running.breach.made.store, running.id, around(running, at_write=pull))
        row = command_row(running)
        assert (row.state, row.intent_at is not None) == (EffectState.OPEN, True)
        assert service.effects == {}
        assert job(running.breach.made.store, running.id).next_at > 0  # it looks again
        running.breach.later(seconds=HELD_S)
        running.work()
        assert list(service.effects.values()) == [1]
    assert running.waiting() == {"preserve-evidence", "verify-scope"}


def test_under_a_brake_no_intent_is_written(tmp_path: Path) -> None:
    with EffectService() as service:
        running = begin(tmp_path, service.url)
        brakes = Brakes()
        brakes.seen([EVERYTHING])
        lease = held_lease(running, brakes)
        advance_run(lease, running.breach.made.store, running.id, around(running, at_write=lambda _: None))
        assert command_row(running).state == EffectState.OPEN
        assert command_row(running).intent_at is None
        assert service.effects == {}


def test_a_worker_that_was_replaced_after_its_intent_calls_nothing_and_leaves_a_question(
    tmp_path: Path,
) -> None:
    with EffectService() as service:
        running = begin(tmp_path, service.url)
        brakes, store = Brakes(), running.breach.made.store

        def replace(look: int) -> None:
            if look == 2:
                brakes.seen([EVERYTHING])
            if look == 3:
                run_sql(store, "UPDATE job SET attempt = attempt + 1")

        with pytest.raises(Fenced):
            advance_run(held_lease(running, brakes), store, running.id, around(running, at_write=replace))
        assert command_row(running).state == EffectState.INTENDED
        running.breach.later(minutes=1)
        running.work()
        assert service.effects == {}
    assert list(running.waits_about_calls()) == [STEP]


# -- cancelling --------------------------------------------------------------------------------------


def cancel(running: Running) -> list[str]:
    store, now = running.breach.made.store, running.breach.made.clock()
    with store.write(running.breach.id, kind="run.cancelled", actor="ana", now=now) as change:
        row = run_named(change.session, running.id)
        unknown = cancel_run(change, store, row, by="ana", reason="stop")
    return [each.effect.kind for each in unknown]


def test_cancelling_names_the_calls_that_nobody_knows_of(tmp_path: Path) -> None:
    running = begin(tmp_path, "http://127.0.0.1:9/")
    left_behind(running)
    assert cancel(running) == ["run_command"]
    asked_about = start(running.breach, url="http://127.0.0.1:9/", name=CAREFUL)
    left_behind(asked_about)
    asked_about.work()
    assert cancel(asked_about) == ["ask_outcome"]
    fresh = start(running.breach, url="http://127.0.0.1:9/", name=CAREFUL)
    assert cancel(fresh) == []


@BOTH
def test_a_call_cut_off_after_the_run_was_cancelled_is_kept_and_neither_asked_about_nor_repeated(
    tmp_path: Path, playbook: str
) -> None:
    cancelled: list[str] = []

    def cancel_it() -> float:
        cancelled.extend(cancel(running))
        return 0.0

    with EffectService(pause=cancel_it) as service:
        service.cut["/"] = 1
        running = begin(tmp_path, service.url, playbook=playbook)
        running.work()
        running.breach.later(minutes=1)
        running.work()
        assert list(service.effects.values()) == [1]
    assert cancelled == ["run_command"]
    assert outcome_of(running)["kind"] == "command_uncertain"
    assert (running.row.state, running.waiting()) == (e.Outcome.cancelled, set())


# -- as ever -----------------------------------------------------------------------------------------


def test_the_intent_is_committed_before_the_call(tmp_path: Path) -> None:
    with CalledService() as service:
        breach = make_breach(tmp_path)
        running = start(breach, url=service.url)
        seen: list[str] = []
        original = service.asked

        class Watching(list[dict[str, object]]):
            def append(self, item: dict[str, object]) -> None:
                seen.append(command_row(running).state)
                super().append(item)

        service.asked = Watching(original)
        running.work()
    assert seen == [EffectState.INTENDED]
    assert command_row(running).state == EffectState.SETTLED


def test_the_idempotency_key_is_the_same_for_a_visit_and_differs_between_runs(tmp_path: Path) -> None:
    with CalledService() as service:
        breach = make_breach(tmp_path)
        for _ in range(2):
            start(breach, url=service.url).work()
    assert len(set(service.keys)) == 2 and all(service.keys)


def test_a_command_that_comes_back_after_the_run_was_cancelled_is_kept_with_its_measure(
    tmp_path: Path,
) -> None:
    """What was done was done, though nobody waits for it any more."""
    with CalledService() as service:
        breach = make_breach(tmp_path)
        running = start(breach, url=service.url)
        store = breach.made.store

        class Cancelling(list[dict[str, object]]):
            def append(self, item: dict[str, object]) -> None:
                super().append(item)
                now = breach.made.clock()
                with store.write(breach.id, kind="run.cancelled", actor="ana", now=now) as change:
                    cancel_run(change, store, run_named(change.session, running.id), by="ana", reason="stop")

        service.asked = Cancelling()
        running.work()
    assert (running.row.state, command_row(running).state) == (e.Outcome.cancelled, EffectState.WITHDRAWN)
    assert outcome_of(running)["kind"] == "command_succeeded"
    assert [each.action for each in run_measures(breach)] == ["contain.disable-endpoint"]


def test_a_service_that_is_not_there_is_certainly_not_done(tmp_path: Path) -> None:
    breach = make_breach(tmp_path)
    running = start(breach, url="http://127.0.0.1:9/")
    running.work()
    assert outcome_of(running)["ambiguous"] is False
    assert running.waiting() == {"cut-off-another-way"}


def test_a_redirect_is_no_success(tmp_path: Path) -> None:
    with CalledService(status=302) as service:
        running = start(make_breach(tmp_path), url=service.url)
        running.work()
        assert len(service.asked) == 1
    assert running.waiting() == {"cut-off-another-way"}
