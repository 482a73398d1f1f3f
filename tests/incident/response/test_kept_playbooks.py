"""What a run goes by stands in a row of its own; runs of earlier versions, which hold it themselves, go on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlmodel import Session

from incident.errors import KeyDestroyed, Unreadable
from incident.response import events as e
from incident.response import kept_playbooks
from incident.response.runner import run_named, state_of
from incident.store.change import seal_row
from incident.store.opening import open_store
from incident.store.tables import Run, RunPlaybook
from tests.support.breaches import make_breach
from tests.support.runs import Running, install, start

ASKING = """\
id: playbook--5a7a1f6e-3c1d-4a52-9d3e-6f0f6f4b9c11
name: Two questions
created_by: identity--92efc06a-8fbe-4c9d-8f66-8f3aef5c2702
created: 2025-11-20T00:00:00.000Z
agent_definitions:
  team: {type: group, name: Team}
workflow:
  start: {type: start, on_completion: first}
  first: {type: action, agent: team, commands: [{type: manual, command: Look}], on_completion: second}
  second: {type: action, agent: team, commands: [{type: manual, command: Look again}], on_completion: end}
  end: {type: end}
"""


@pytest.fixture
def running(tmp_path: Path) -> Running:
    breach = make_breach(tmp_path, measures=())
    install(breach.made.workspace.root, "asking", ASKING)
    return start(breach, name="asking")


def document(running: Running) -> dict[str, Any]:
    return running.breach.made.store.open(running.row, incident_id=running.breach.id)


def kept(session: Session, run: Run) -> RunPlaybook | None:
    return session.get(RunPlaybook, run.id)


def test_a_turn_writes_the_state_and_not_the_playbook_again(running: Running) -> None:
    store = running.breach.made.store
    with store.read() as session:
        before = kept(session, running.row)
    running.answer("first")
    assert set(document(running)) == {"state"}
    with store.read() as session:
        after = kept(session, running.row)
    assert before is not None and after is not None
    assert before.sealed == after.sealed


def test_a_run_that_an_earlier_version_began_goes_on_and_leaves_its_playbook_to_a_row(
    running: Running,
) -> None:
    store, incident_id = running.breach.made.store, running.breach.id
    with store.write(incident_id, kind="test", actor="ana", now=running.breach.made.clock()) as change:
        run = run_named(change.session, running.id)
        beside = kept(change.session, run)
        assert beside is not None
        change.put(
            run, {**store.open(run, incident_id=incident_id), **store.open(beside, incident_id=incident_id)}
        )
        change.session.delete(beside)
    assert set(document(running)) == {"children", "playbook", "state"}
    assert running.waiting() == {"first"}
    running.answer("first")
    assert (set(document(running)), running.waiting()) == ({"state"}, {"second"})
    running.answer("second")
    running.work()
    assert running.row.state == e.Outcome.succeeded


def test_a_playbook_that_was_taken_out_is_told_and_not_guessed(running: Running) -> None:
    store = running.breach.made.store
    state = state_of(store, running.row)
    with store.transaction() as session:
        session.delete(kept(session, running.row))
    assert state_of(store, running.row) == state, "who has read it goes by it"
    kept_playbooks._AT_HAND.clear()  # as another process
    with pytest.raises(Unreadable, match="not there"):
        state_of(store, running.row)


def test_another_record_with_the_same_keys_has_its_own(running: Running, tmp_path: Path) -> None:
    """A copy that goes its own way may have another run under the same id."""
    mine = state_of(running.breach.made.store, running.row)
    workspace = running.breach.made.workspace
    with running.breach.made.store.transaction() as session:
        row = kept(session, running.row)
        assert row is not None
        content = running.breach.made.store.open(row, incident_id=running.breach.id)
        content["playbook"]["name"] = "Another"
        seal_row(row, content, key=running.breach.made.store.key(running.breach.id))
        session.add(row)
    other = open_store(workspace, workspace.settings())
    try:
        assert state_of(other, running.row).playbook.name == "Another"
    finally:
        other.close()
    assert state_of(running.breach.made.store, running.row) == mine


def test_what_was_read_before_is_not_told_after_the_key_was_destroyed(running: Running) -> None:
    store, row = running.breach.made.store, running.row
    state_of(store, row)
    store.keyring.destroy(running.breach.id, now=running.breach.made.clock())
    with pytest.raises(KeyDestroyed):
        state_of(store, row)
