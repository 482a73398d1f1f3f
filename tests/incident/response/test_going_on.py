"""From call to call: the outcome of one and the intent of the next are kept together, and what forbids a call forbids it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlmodel import select

from incident.durable import open_jobs
from incident.ops.worker import Worker
from incident.record.holds import Cover
from incident.response import events as e
from incident.response.effect_states import EffectState
from incident.response.runner import RUN_JOB
from incident.store.tables import Job, RunEffect
from tests.support.breaches import QUICK, Breach, make_breach
from tests.support.holds import hold, lift
from tests.support.runs import Running, install, start
from tests.support.services import EffectService

STEPS = ("one", "two", "three")
SECOND_TELLS = "    step_extensions: {containment_action: {action_ids: [inform.people]}}\n"


def playbook(url: str, *, second: str = "") -> str:
    text = f"""\
id: playbook--7f0a0d0e-51a2-4d0b-9a2e-3b6b9f4f6a21
name: Three calls
created_by: identity--92efc06a-8fbe-4c9d-8f66-8f3aef5c2702
created: 2025-11-20T00:00:00.000Z
agent_definitions:
  service: {{type: http-api, name: Service, address: {{url: ["{url.rstrip("/")}"]}}}}
workflow:
  start: {{type: start, on_completion: one}}
"""
    for step, following in zip(STEPS, (*STEPS[1:], "end"), strict=True):
        text += f"  {step}:\n    type: action\n    agent: service\n    on_completion: {following}\n"
        text += f"    commands: [{{type: http-api, command: POST /{step} HTTP/1.1, content: '{{}}'}}]\n"
        text += second if step == "two" else ""
    return text + "  end: {type: end}\n"


@pytest.fixture
def service() -> Iterator[EffectService]:
    with EffectService() as found:
        yield found


@pytest.fixture
def breach(tmp_path: Path, service: EffectService) -> Breach:
    return make_breach(tmp_path, measures=())


def begin(breach: Breach, service: EffectService, *, second: str = "") -> Running:
    install(breach.made.workspace.root, "calls", playbook(service.url, second=second))
    return start(breach, name="calls")


def work(breach: Breach, on_step: Callable[[str, e.Effect, str], None]) -> None:
    def idle() -> bool:
        with breach.made.store.read() as session:
            return open_jobs(session) == 0

    Worker(breach.house, on_step=on_step, patience=QUICK).work_until(idle)


def called(service: EffectService) -> dict[str, int]:
    return {path.strip("/"): sum(keys.values()) for path, keys in service.paths.items()}


def states(breach: Breach) -> list[str]:
    with breach.made.store.read() as session:
        return [row.state for row in session.exec(select(RunEffect)).all()]


def test_a_run_of_three_calls_takes_five_changes_and_one_start_of_its_job(
    breach: Breach, service: EffectService
) -> None:
    running = begin(breach, service)
    running.work()
    assert running.row.state == e.Outcome.succeeded
    kinds = Counter(entry.kind for entry in breach.made.store.entries(breach.id))
    assert {kind: kinds[kind] for kind in kinds if kind.startswith("run.")} == {
        "run.started": 1,
        "run.intent": 1,
        "run.advanced": 3,
    }
    with breach.made.store.read() as session:
        job = session.get(Job, (RUN_JOB, running.id))
    assert job is not None
    assert (job.attempt, job.state) == (1, "done")
    assert called(service) == dict.fromkeys(STEPS, 1)


def test_a_hold_that_came_during_a_call_keeps_the_next_one_from_being_made(
    breach: Breach, service: EffectService
) -> None:
    placed: list[str] = []
    service.before_answer = lambda path: placed.append(hold(breach, Cover.PEOPLE)) if path == "/one" else None
    running = begin(breach, service, second=SECOND_TELLS)
    running.work()
    assert called(service) == {"one": 1}
    assert EffectState.INTENDED not in states(breach)
    lift(breach, placed[0])
    running.work()
    assert (running.row.state, called(service)) == (e.Outcome.succeeded, dict.fromkeys(STEPS, 1))


def test_when_who_watches_fails_the_next_call_is_not_left_behind_as_a_question(
    breach: Breach, service: EffectService
) -> None:
    failed: list[str] = []

    def fail_once(run_id: str, effect: e.Effect, result: str) -> None:
        if not failed:
            failed.append(run_id)
            raise BrokenPipeError

    running = begin(breach, service)
    work(breach, fail_once)
    assert failed == [running.id]
    assert (running.row.state, running.waits_about_calls()) == (e.Outcome.succeeded, {})
    assert called(service) == dict.fromkeys(STEPS, 1)
