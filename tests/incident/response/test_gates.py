"""Gates: whose yes counts, what is no yes, and that an answer from elsewhere is taken up. And time limits of retries."""

from __future__ import annotations

import time
from datetime import timedelta
from pathlib import Path

import pytest
from sqlmodel import select

from incident.errors import Refused
from incident.record.operators import Role, operator_named
from incident.record.reaches import put_reach
from incident.response import events as e
from incident.response.calling import _time_to_repeat
from incident.response.effect_states import EffectState
from incident.response.model import AgentTarget, Command
from incident.response.runner import OpenEffect
from incident.store.journal import WORKSPACE_CHAIN
from incident.store.tables import RunEffect
from tests.support import runs
from tests.support.breaches import Breach, make_breach
from tests.support.chat_desks import chat_desk
from tests.support.runs import Running
from tests.support.services import CalledService
from tests.support.working_process import kill, start_worker
from tests.support.workspaces import START, make_signer

GATED = """
name: Gated
created_by: identity--92efc06a-8fbe-4c9d-8f66-8f3aef5c2702
created: 2025-11-20
playbook_variables:
  __url__: {type: uri, external: true, value: "http://127.0.0.1:9/"}
agent_definitions:
  people: {type: group, name: People}
  machine: {type: http-api, name: Machine, address: {url: ["__url__:value"]}}
workflow:
  start: {type: start, on_completion: gate}
  gate:
    type: action
    agent: people
    timeout: 3600000
    commands: [{type: manual, command: May it be closed?}]
    step_extensions:
      approval: {approver_roles: [counsel, communicator], quorum: 2}
    on_success: close
    on_failure: refused
  close:
    type: action
    agent: machine
    timeout: 60000
    commands:
      - type: http-api
        command: POST / HTTP/1.1
        headers: {Content-Type: [application/json]}
        content: '{"close": true}'
    step_extensions:
      RETRIES
    on_success: closed
    on_failure: refused
  closed:
    type: action
    agent: people
    commands: [{type: manual, command: closed}]
    on_completion: end
  refused:
    type: action
    agent: people
    commands: [{type: manual, command: refused}]
    on_completion: end
  end: {type: end}
"""


def prepared(tmp_path: Path, *, retries: str = "retries: {most: 1, pause: 1000}") -> Breach:
    breach = make_breach(tmp_path)
    runs.install(breach.made.workspace.root, "gated", GATED.replace("RETRIES", retries))
    for name, role in (("lu", Role.COUNSEL), ("mo", Role.COMMUNICATOR), ("ed", Role.RESPONDER)):
        breach.signers[name] = make_signer(breach.made, name, roles=[role])
    return breach


def gated(tmp_path: Path, *, url: str = "", by: str = "ana", **more: str) -> Running:
    return begin(prepared(tmp_path, **more), url=url, by=by)


def begin(breach: Breach, *, url: str = "", by: str = "ana") -> Running:
    running = runs.start(breach, name="gated", by=by, given={"__url__": url or "http://127.0.0.1:9/"})
    running.work()
    assert running.waiting() == {"gate"}
    return running


def test_anybody_with_one_of_the_named_roles_approves_and_the_refusal_names_them_all(tmp_path: Path) -> None:
    with CalledService() as service:
        running = gated(tmp_path, url=service.url)
        for name in ("bo", "ed"):  # an approver is not asked here
            with pytest.raises(Refused, match=f"{name} is no communicator or counsel"):
                running.decide("gate", name)
        assert running.decide("gate", "lu") == 1
        running.work()
        assert service.asked == []
        assert running.decide("gate", "mo") == 0
        running.work()
        assert len(service.asked) == 1
    assert running.waiting() == {"closed"}


def test_who_started_the_run_does_not_approve_it_whatever_their_role(tmp_path: Path) -> None:
    running = gated(tmp_path, by="lu")
    with pytest.raises(Refused, match="started this run"):
        running.decide("gate", "lu")


def test_everybody_who_may_approve_is_called(tmp_path: Path) -> None:
    with chat_desk() as desk:
        breach = prepared(tmp_path)
        for name in ("lu", "mo", "ed"):
            reach(breach, name, desk.url(f"/{name}"))
        begin(breach)
        assert set(desk.paths) == {"/lu", "/mo"}


def reach(breach: Breach, name: str, url: str) -> None:
    store, now = breach.made.store, breach.made.clock()
    with store.write(WORKSPACE_CHAIN, kind="operator.reach", actor="ana", now=now) as change:
        put_reach(change, store, operator_named(change.session, name), urls=[url], deputy=None)


def test_a_rejection_takes_the_failure_route(tmp_path: Path) -> None:
    running = gated(tmp_path)
    running.decide("gate", "lu")
    running.decide("gate", "mo", yes=False)
    running.work()
    assert running.waiting() == {"refused"}


@pytest.mark.parametrize("signed", [[], ["lu"]])
def test_silence_and_too_few_voices_take_the_failure_route_when_the_time_is_over(
    tmp_path: Path, signed: list[str]
) -> None:
    running = gated(tmp_path)
    for name in signed:
        running.decide("gate", name)
    running.breach.later(minutes=59)
    running.work()
    assert running.waiting() == {"gate"}
    running.breach.later(minutes=2)
    running.work()
    assert running.waiting() == {"refused"}


def test_an_approval_given_elsewhere_is_taken_up_by_the_worker_that_lives(tmp_path: Path) -> None:
    """The worker is a process of its own and is told nothing: it finds the approval in the rows."""
    with CalledService() as service:
        running = gated(tmp_path, url=service.url)
        worker = start_worker(running.breach.made.workspace.root, until="never")
        try:
            running.decide("gate", "lu")
            assert service.asked == []
            running.decide("gate", "mo")
            assert service.reached.wait(60)
            patience = time.monotonic() + 60
            while running.waiting() != {"closed"}:
                assert time.monotonic() < patience
                time.sleep(0.05)
        finally:
            kill(worker)


# -- time limits of retries --------------------------------------------------------------------------


def approved(running: Running) -> Running:
    running.decide("gate", "lu")
    running.decide("gate", "mo")
    running.work()
    return running


def test_a_retry_that_is_still_to_come_does_not_keep_the_time_limit_waiting(tmp_path: Path) -> None:
    with CalledService(status=404) as service:
        running = approved(gated(tmp_path, url=service.url, retries="retries: {most: 3, pause: 3600000}"))
        assert (len(service.asked), running.waiting()) == (1, set())
        running.breach.later(seconds=61)
        running.work()
        assert (len(service.asked), running.waiting()) == (1, {"refused"})
        running.breach.later(hours=2)
        running.work()
        assert len(service.asked) == 1, "a call was made though its step was over"


def test_a_retried_call_that_has_no_answer_is_not_repeated_beyond_its_steps_time() -> None:
    """The time limit keeps its round while the call's own grows with each retry."""
    command = e.RunCommand(
        visit="R-3",
        step="s",
        round=2,
        tries=2,
        title={},
        repeatable=True,
        command=Command(type="http-api", command="POST / HTTP/1.1"),
        agent=AgentTarget(type="http-api", name="Machine"),
        variables={},
        declared={},
        timeout_ms=60_000,
    )
    limits = [limit(0, seconds=-5), limit(1, seconds=30)]  # the first one began anew as the second
    assert _time_to_repeat(command, limits, calls=1, now=START) == START + timedelta(seconds=1)
    late = START + timedelta(seconds=29.5)
    assert _time_to_repeat(command, limits, calls=1, now=late) is None


def limit(number: int, *, seconds: float) -> OpenEffect:
    wait = e.WaitUntil(visit="R-3", step="s", purpose=e.TimerPurpose.timeout, in_ms=1, round=number)
    row = RunEffect(
        id=f"t{number}",
        run_id="R",
        incident_id="I",
        visit="R-3",
        step="s",
        kind=wait.kind,
        state=EffectState.OPEN,
        asked_at=START,
        due_at=START + timedelta(seconds=seconds),
    )
    return OpenEffect(row, wait)


def test_a_step_that_is_over_leaves_no_timer_behind(tmp_path: Path) -> None:
    with CalledService() as service:
        running = approved(gated(tmp_path, url=service.url))
        assert running.waiting() == {"closed"}
        with running.breach.made.store.read() as session:
            rows = session.exec(select(RunEffect).where(RunEffect.run_id == running.id)).all()
    timers = [row.state for row in rows if row.kind == "wait_until"]
    assert timers == [EffectState.WITHDRAWN] * 2
