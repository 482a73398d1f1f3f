"""What may destroy evidence is not sent before the record holds that the evidence is preserved."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from incident.ops.check import check
from incident.record.dossier import load_dossier
from incident.record.incidents import log_entry
from incident.response.evidence_first import evidence_is_preserved
from incident.response.runner import poke_runs
from incident.store.tables import Job
from tests.support.accounts import AccountService
from tests.support.breaches import Breach, make_breach
from tests.support.postgres import PostgresServer
from tests.support.runs import install, start

DESTROYS = """
id: playbook--0d6e93ce-5dbb-4cf6-9a26-1de6d2c0b3a1
name: Shut down
created_by: identity--92efc06a-8fbe-4c9d-8f66-8f3aef5c2702
created: 2025-11-20T00:00:00Z
playbook_variables:
  __service__: {type: uri, external: true}
agent_definitions:
  service: {type: http-api, name: Service, address: {url: ["__service__:value"]}}
workflow:
  start: {type: start, on_completion: off}
  off:
    type: action
    agent: service
    timeout: 1000
    commands:
      - type: http-api
        command: POST /off HTTP/1.1
        headers: {Content-Type: [application/json]}
        content: '{"account": "host"}'
    step_extensions: {containment_action: {action_ids: [contain.shut-down-host]}}
    on_completion: end
  end: {type: end}
"""


@pytest.fixture
def service() -> Iterator[AccountService]:
    with AccountService() as found:
        yield found


@pytest.fixture
def breach(tmp_path: Path, store_on: PostgresServer | None) -> Breach:
    found = make_breach(tmp_path, measures=(), on=store_on)
    install(found.made.workspace.root, "off", DESTROYS)
    return found


def idle(breach: Breach) -> bool:
    with breach.made.store.read() as session:
        job = session.get(Job, ("run.advance", "RUN-2026-0001-1"))
        return job is not None and job.next_at > 0


def test_it_waits_visibly_and_goes_on_by_itself_once_the_evidence_is_preserved(
    breach: Breach, service: AccountService
) -> None:
    running = start(breach, name="off", given={"__service__": service.url})
    breach.work(until=lambda: idle(breach))
    assert (running.row.state, service.paths()) == ("running", [])
    assert [each.invariant.name for each in check(breach.house, pause=0.0).broken] == []
    breach.log("copied the memory", "analyse.preserve-evidence")
    with breach.made.store.transaction() as session:
        poke_runs(session, breach.id)
    running.work()
    assert (running.row.state, service.paths()) == ("succeeded", ["/off"])


def test_its_time_limit_does_not_run_while_it_waits(breach: Breach, service: AccountService) -> None:
    running = start(breach, name="off", given={"__service__": service.url})
    breach.work(until=lambda: idle(breach))
    breach.later(seconds=5)
    breach.work(until=lambda: idle(breach))
    assert running.row.state == "running"


def test_an_entry_that_was_corrected_away_does_not_count(breach: Breach) -> None:
    breach.log("copied", "analyse.preserve-evidence")
    store, now = breach.made.store, breach.made.clock()
    with store.read() as session:
        assert evidence_is_preserved(session, breach.id)
    [old] = [line for line in load_dossier(store, breach.id).log if line.action]
    with store.write(breach.id, kind="log.added", actor="ana", now=now) as change:
        log_entry(store, change, breach.id, "it was not", at=now, by="ana", corrects=old.id)
    with store.read() as session:
        assert not evidence_is_preserved(session, breach.id)
