"""A step that failed halfway may have contained something all the same: it is kept, listed, and can be taken back."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from incident.errors import Refused
from incident.ops.check import check
from incident.proof.verify import verify
from incident.record.dossier import load_dossier
from incident.response import events as e
from incident.response.containment_lines import (
    ContainmentLine,
    WayBack,
    list_containment,
    must_not_leave_containment,
)
from incident.response.runner import OpenEffect, cancel_run, keep_late, mark_intended, open_effects, run_named
from incident.response.undoing import start_undo
from incident.store.tables import RunEffect
from tests.support.accounts import AccountService
from tests.support.breaches import Breach, make_breach
from tests.support.runs import Running, install, start

ACCOUNT = "mallory"
AT_TWO = """
name: Lock at two places
created_by: identity--92efc06a-8fbe-4c9d-8f66-8f3aef5c2702
created: 2025-11-20
playbook_variables:
  __account__: {type: string, external: true}
  __one__: {type: uri, external: true}
  __two__: {type: uri, external: true}
  __before__: {type: BEFORE}
agent_definitions:
  engine: {type: http-api, name: Engine, address: {url: ["__one__:value"]}}
  desk: {type: group, name: Identity desk}
target_definitions:
  one: {type: http-api, name: Place one, address: {url: ["__one__:value"]}}
  two: {type: http-api, name: Place two, address: {url: ["__two__:value"]}}
workflow:
  start: {type: start, on_completion: lock}
  lock:
    type: action
    name: Lock the account
    agent: engine
    targets: [one, two]
    out_args: [__before__]
    commands:
      - type: http-api
        command: POST /lock HTTP/1.1
        headers: {Content-Type: [application/json]}
        content: '{"account": "__account__:value"}'
    step_extensions:
      containment_action:
        action_ids: [contain.lock-account]
        undo_commands:
          - type: http-api
            command: POST /unlock HTTP/1.1
            headers: {Content-Type: [application/json]}
            content: '{"account": "__account__:value"}'
    on_success: end
    on_failure: by-hand
  by-hand: {type: action, agent: desk, commands: [{type: manual, command: Lock it by hand.}], on_completion: end}
  end: {type: end}
"""


@pytest.fixture
def one() -> Iterator[AccountService]:
    with AccountService() as found:
        yield found


@pytest.fixture
def two() -> Iterator[AccountService]:
    with AccountService() as found:
        yield found


@pytest.fixture
def breach(tmp_path: Path) -> Breach:
    found = make_breach(tmp_path, measures=())
    for name, kind in (("lock", "string"), ("lock-and-count", "integer")):
        install(found.made.workspace.root, name, AT_TWO.replace("BEFORE", kind))
    return found


def begun(breach: Breach, first: str, second: str, *, name: str = "lock") -> Running:
    running = start(breach, name=name, given={"__account__": ACCOUNT, "__one__": first, "__two__": second})
    running.work()
    return running


def nowhere() -> str:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}"


def cut_off() -> str:
    """A service that closes each connection once it has read a call, without an answer."""
    server = socket.socket()
    server.bind(("127.0.0.1", 0))
    server.listen()

    def serve() -> None:
        taken, _ = server.accept()
        taken.recv(65536)
        taken.close()
        server.close()

    threading.Thread(target=serve, daemon=True).start()
    return f"http://127.0.0.1:{server.getsockname()[1]}"


def lines(breach: Breach) -> list[ContainmentLine]:
    with breach.made.store.read() as session:
        return list_containment(session, breach.made.store, breach.id)


def whom(line: ContainmentLine) -> list[str]:
    return [each["en"] for each in line.whom]


def undo(breach: Breach, run: str) -> Running:
    store = breach.made.store
    with store.write(breach.id, kind="run.undone", actor="ana", now=breach.made.clock()) as change:
        return Running(breach, start_undo(change, store, run, step=None, reason="over")[0])


def assert_whole(breach: Breach) -> None:
    assert verify(breach.made.store).sound
    assert [each.invariant.name for each in check(breach.house, pause=0.0).broken] == []


def test_what_was_done_before_a_step_failed_is_in_doubt_and_only_that_is_taken_back(
    breach: Breach, one: AccountService, two: AccountService
) -> None:
    running = begun(breach, one.url, nowhere())
    assert running.waiting() == {"by-hand"}
    [line] = lines(breach)
    assert (line.state, whom(line), line.way_back) == ("in_doubt", ["Place one"], WayBack.COMMANDS)
    dossier = load_dossier(breach.made.store, breach.id)
    assert dossier.measures == (), "nothing is claimed that was not done whole"
    said = "in doubt: Lock the account (C1); its step did not succeed, and may have worked on Place one"
    assert said in [entry.text for entry in dossier.log]
    undoing = undo(breach, running.id)
    undoing.work()
    assert undoing.row.state == "succeeded"
    assert one.session_works(ACCOUNT) and one.paths() == ["/lock", "/unlock"]
    assert [each.state for each in lines(breach)] == ["undone"]
    assert_whole(breach)


def test_where_nothing_was_done_nothing_is_kept(breach: Breach, two: AccountService) -> None:
    running = begun(breach, nowhere(), two.url)
    assert running.waiting() == {"by-hand"}
    assert (lines(breach), two.asked) == ([], [])


def test_a_service_that_failed_may_have_done_it(
    breach: Breach, one: AccountService, two: AccountService
) -> None:
    one.broken.add("/lock")
    begun(breach, one.url, two.url)
    [line] = lines(breach)
    assert (line.state, whom(line), two.asked) == ("in_doubt", ["Place one"], [])


def test_a_step_whose_answer_was_of_no_use_was_done_all_the_same(
    breach: Breach, one: AccountService, two: AccountService
) -> None:
    begun(breach, one.url, two.url, name="lock-and-count")
    assert not one.session_works(ACCOUNT)
    [line] = lines(breach)
    assert (line.state, whom(line)) == ("in_doubt", ["Place one"])


def test_a_run_that_is_cancelled_over_a_call_of_which_nobody_knows_leaves_it_in_doubt(
    breach: Breach, one: AccountService, two: AccountService
) -> None:
    running = begun(breach, one.url, cut_off())
    assert list(running.waits_about_calls()) == ["lock"]
    store = breach.made.store
    with store.write(breach.id, kind="run.cancelled", actor="ana", now=breach.made.clock()) as change:
        cancel_run(change, store, run_named(change.session, running.id), by="ana", reason="wrong playbook")
    [line] = lines(breach)
    assert (line.state, whom(line)) == ("in_doubt", ["Place one", "Place two"])
    assert_whole(breach)


def late_success(breach: Breach, running: Running, call: OpenEffect) -> None:
    """The call that was under way when the run was cancelled worked at its first place."""
    store, command = breach.made.store, call.effect
    assert isinstance(command, e.RunCommand)
    event = e.CommandSucceeded(visit=command.visit, index=0, values={})
    with store.write(breach.id, kind="run.advanced", actor="engine", now=breach.made.clock()) as change:
        row = change.session.get_one(RunEffect, call.row.id)
        run = run_named(change.session, running.id)
        keep_late(change, store, run, OpenEffect(row, command), event, result="HTTP 200")


def test_what_is_heard_after_it_was_taken_back_stands_in_a_line_of_its_own(
    breach: Breach, one: AccountService, two: AccountService
) -> None:
    given = {"__account__": ACCOUNT, "__one__": one.url, "__two__": two.url}
    running, store = start(breach, name="lock", given=given), breach.made.store
    with store.write(breach.id, kind="run.intent", actor="engine", now=breach.made.clock()) as change:
        run = run_named(change.session, running.id)
        [call] = open_effects(change.session, store, run)
        mark_intended(change, store, call)
    with store.write(breach.id, kind="run.cancelled", actor="ana", now=breach.made.clock()) as change:
        cancel_run(change, store, run_named(change.session, running.id), by="ana", reason="wrong playbook")
    assert lines(breach) == []
    late_success(breach, running, call)
    late_success(breach, running, call)
    assert [(each.label, each.state, whom(each)) for each in lines(breach)] == [
        ("C1", "in_doubt", ["Place one"])
    ], "heard twice, it is one"
    undo(breach, running.id).work()
    late_success(breach, running, call)
    assert [(each.label, each.state) for each in lines(breach)] == [("C1", "undone"), ("C2", "in_doubt")]
    assert_whole(breach)


def test_an_incident_is_not_closed_over_what_is_in_doubt(breach: Breach, one: AccountService) -> None:
    begun(breach, one.url, nowhere())
    with breach.made.store.read() as session, pytest.raises(Refused, match="still contains something: C1"):
        must_not_leave_containment(session, breach.made.store, breach.id)
