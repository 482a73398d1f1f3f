"""Retries, from the playbook's word to the calls that a service receives."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlmodel import select

from incident.response import events as e
from incident.response.leaving import CannotLeave
from incident.store.tables import Run
from tests.support.breaches import make_breach
from tests.support.runs import Running, install, start
from tests.support.services import CalledService
from tests.support.workspaces import run_sql

PLAYBOOK = """
id: playbook--11036b97-0d3c-4922-9a9c-d3ae649c1d33
name: Retries
created_by: identity--92efc06a-8fbe-4c9d-8f66-8f3aef5c2702
created: "2025-11-20T00:00:00.000Z"
playbook_variables:
  __url__: {type: uri, external: true}
agent_definitions:
  people: {type: group, name: People}
  service: {type: http-api, name: Service, address: {dname: ["__url__:value"]}}
workflow:
  start: {type: start, on_completion: call}
  call:
    type: action
    agent: service
    commands: [{type: http-api, command: "POST / HTTP/1.1", content: "{}"}]
    step_extensions: EXTENSIONS
    on_success: worked
    on_failure: failed
  worked: {type: action, agent: people, commands: [{type: manual, command: it worked}], on_completion: end}
  failed: {type: action, agent: people, commands: [{type: manual, command: it failed}], on_completion: end}
  end: {type: end}
"""
REPEATABLE = '{retries: {most: 2, pause: 1000}, repeatable: {because: "twice is as once"}}'
ONLY_RETRIES = "{retries: {most: 2, pause: 1000}}"


def begin(tmp_path: Path, service: CalledService, extensions: str) -> Running:
    breach = make_breach(tmp_path, measures=())
    install(breach.made.workspace.root, "retries", PLAYBOOK.replace("EXTENSIONS", extensions))
    return start(breach, name="retries", given={"__url__": service.url})


def test_a_service_that_fails_twice_is_called_a_third_time_with_the_same_key(tmp_path: Path) -> None:
    with CalledService(status=503) as service:
        running = begin(tmp_path, service, REPEATABLE)
        running.work()
        running.work()  # the pause is not over
        assert len(service.asked) == 1
        running.breach.later(seconds=1)
        running.work()
        assert len(service.asked) == 2
        service.status = 200
        running.breach.later(seconds=1)
        running.work()
    assert len(service.asked) == 3 and len(set(service.keys)) == 1
    assert running.waiting() == {"worked"}


def test_after_the_last_retry_the_failure_route_is_taken(tmp_path: Path) -> None:
    with CalledService(status=404) as service:
        running = begin(tmp_path, service, ONLY_RETRIES)
        for _ in range(5):
            running.work()
            running.breach.later(seconds=1)
        assert len(service.asked) == 3
    assert running.waiting() == {"failed"}


@pytest.mark.parametrize(("extensions", "asked_again"), [(REPEATABLE, True), (ONLY_RETRIES, False)])
def test_a_worker_that_stopped_in_the_second_call_leaves_it_as_the_playbook_says(
    tmp_path: Path, extensions: str, asked_again: bool
) -> None:
    with CalledService(status=404) as service:
        running = begin(tmp_path, service, extensions)
        running.work()
        running.breach.later(seconds=1)
        # As a kill right after the commit of the second call's intent leaves it.
        run_sql(
            running.breach.made.store,
            "UPDATE run_effect SET state = 'intended', intent_at = asked_at "
            "WHERE kind = 'run_command' AND state = 'open'",
        )
        service.status = 200
        running.work()
        assert len(service.asked) == (2 if asked_again else 1)
    if asked_again:
        assert running.waiting() == {"worked"}
    else:
        assert running.waits_about_calls()["call"].why is e.Uncertain.worker_stopped


def test_a_run_that_could_send_nothing_is_not_started(tmp_path: Path) -> None:
    breach = make_breach(tmp_path, measures=())
    install(breach.made.workspace.root, "retries", PLAYBOOK.replace("EXTENSIONS", ONLY_RETRIES))
    with pytest.raises(CannotLeave, match=r"step “call”: 10\.0\.0\.1:80 is not among the hosts"):
        start(breach, name="retries", given={"__url__": "http://10.0.0.1/"})
    with breach.made.store.read() as session:
        assert session.exec(select(Run)).all() == []
