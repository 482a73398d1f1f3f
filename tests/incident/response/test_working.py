"""The job that advances a run: a command is called at most once, whatever happens to the worker."""

from __future__ import annotations

from pathlib import Path

from sqlmodel import select

from incident.durable import Runner
from incident.ops.worker import Worker, WorksOn
from incident.record.dossier import load_dossier
from incident.response import events as e
from incident.response.runner import RUN_JOB, EffectState, cancel_run, run_named
from incident.response.working import Surroundings, advance_run
from incident.store.tables import RunEffect
from tests.support.breaches import QUICK, Breach, make_breach
from tests.support.runs import Running, start
from tests.support.services import CalledService
from tests.support.working_process import kill, start_worker
from tests.support.workspaces import run_sql


def command_row(running: Running) -> RunEffect:
    with running.breach.made.store.read() as session:
        found = select(RunEffect).where(RunEffect.run_id == running.id, RunEffect.kind == "run_command")
        return session.exec(found).one()


def outcome_of(running: Running) -> dict[str, object]:
    content = running.breach.made.store.open(command_row(running), incident_id=running.breach.id)
    event: dict[str, object] = content["event"]
    return event


def run_measures(breach: Breach) -> list[str]:
    return [
        each.action for each in load_dossier(breach.made.store, breach.id).measures if each.origin == "run"
    ]


def test_killed_while_the_service_works_a_repeatable_command_is_sent_again_under_its_key(
    tmp_path: Path,
) -> None:
    with CalledService() as service:
        service.hold.set()
        breach = make_breach(tmp_path)
        running = start(breach, url=service.url)
        worker = start_worker(breach.made.workspace.root)
        try:
            assert service.reached.wait(20)
        finally:
            kill(worker)
        assert command_row(running).state == EffectState.INTENDED
        service.hold.clear()
        assert start_worker(breach.made.workspace.root).wait(timeout=30) == 0
        assert len(service.asked) == 2 and service.asked[0] == service.asked[1]
        assert len(set(service.keys)) == 1, "the service can tell that it is the same call"
    assert outcome_of(running)["kind"] == "command_succeeded"
    assert run_measures(breach) == ["contain.disable-endpoint"]


def test_an_intent_that_was_never_sent_is_sent_after_all_where_the_step_is_repeatable(tmp_path: Path) -> None:
    """Between the intent's commit and the wire nobody can tell; of other steps a person is asked (`test_told`)."""
    with CalledService() as service:
        breach = make_breach(tmp_path)
        running = start(breach, url=service.url)
        # As a kill right after the commit leaves it.
        run_sql(
            breach.made.store,
            "UPDATE run_effect SET state = 'intended', intent_at = asked_at WHERE kind = 'run_command'",
        )
        running.work()
        assert len(service.asked) == 1
    assert outcome_of(running)["kind"] == "command_succeeded"


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
    assert run_measures(breach) == ["contain.disable-endpoint"]


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


DELAYED = """\
id: playbook--6f3d7c52-2a6e-4e0c-9a53-0c9a1b1d2e3f
name: {en: Waiting, zh-Hans: 等待}
created_by: identity--92efc06a-8fbe-4c9d-8f66-8f3aef5c2702
created: 2025-11-20T00:00:00.000Z
modified: 2025-11-20T00:00:00.000Z
playbook_types: [mitigation]
agent_definitions:
  team: {type: group, name: {en: Team, zh-Hans: 小组}}
workflow:
  start: {type: start, on_completion: look}
  look:
    type: action
    name: {en: Look, zh-Hans: 查看}
    agent: team
    delay: 3600000
    timeout: 7200000
    commands:
      - type: manual
        command: {en: Look again., zh-Hans: 请再次查看。}
    on_success: end
    on_failure: end
  end: {type: end}
"""


def test_a_timer_fires_when_its_time_has_come_and_not_before(tmp_path: Path) -> None:
    breach = make_breach(tmp_path)
    folder = breach.made.workspace.root / "playbooks"
    folder.mkdir()
    (folder / "waiting.yaml").write_text(DELAYED, encoding="utf-8")
    running = start(breach, name="waiting")
    running.work()
    assert running.waiting() == set()
    breach.later(minutes=59)
    running.work()
    assert running.waiting() == set()
    breach.later(minutes=2)
    running.work()
    assert running.waiting() == {"look"}
    breach.later(hours=3)
    running.work()
    assert running.waiting() == set()
    assert running.row.state != "running"  # no answer in time took the failure route, and is no yes


def test_a_command_that_no_worker_came_to_is_called_late_rather_than_never(tmp_path: Path) -> None:
    with CalledService() as service:
        breach = make_breach(tmp_path)
        running = start(breach, url=service.url)
        breach.later(hours=1)  # the step's timeout is a minute
        running.work()
        assert len(service.asked) == 1
    assert running.waiting() == {"preserve-evidence", "verify-scope"}


def test_a_worker_that_stops_leaves_the_run_due(tmp_path: Path) -> None:
    with CalledService() as service:
        breach = make_breach(tmp_path)
        running = start(breach, url=service.url)
        runners: list[WorksOn] = []
        worker = Worker(breach.house, on_step=lambda run, effect, result: runners[0].stop(), patience=QUICK)
        worker.work_forever(until_stopped=runners.append)
        assert len(service.asked) == 1 and running.row.state == "running"
        running.work()
    assert len(service.asked) == 1
    assert running.waiting() == {"preserve-evidence", "verify-scope"}


def test_each_step_is_told_to_who_watches_after_it_is_on_record(tmp_path: Path) -> None:
    told: list[tuple[str, str]] = []
    with CalledService() as service:
        breach = make_breach(tmp_path)
        running = start(breach, url=service.url)

        def watch(run_id: str, effect: e.Effect, result: str) -> None:
            told.append((effect.kind, command_row(running).state))

        around = Surroundings(breach.made.clock, breach.house, lambda name: "", watch)
        runner = Runner(
            breach.made.store,
            {RUN_JOB: lambda lease: advance_run(lease, breach.made.store, lease.claim.key, around)},
            patience=QUICK,
        )
        runner.work(until=lambda: len(told) > 0)
    assert told == [("run_command", EffectState.SETTLED)]
