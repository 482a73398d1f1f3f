"""Making a copy the one: signed, journalled, never two at once, and completed after any crash."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from sqlmodel import select

from incident.durable import open_jobs, put_job
from incident.errors import BadInput, ConflictingWrite, NotFound, Refused, TocsinError
from incident.ops.activation import Activated, activate, needs_signature
from incident.ops.backup import back_up
from incident.ops.restore import Wishes, restore
from incident.proof.verify import verify
from incident.record.decisions import Signer
from incident.record.operators import Role
from incident.store.instance import NotInCharge, objection
from incident.store.journal import WORKSPACE_CHAIN
from incident.store.keyring import Keyring
from incident.store.opening import open_store
from incident.store.tables import Decision, Job, Worker
from incident.workspace import Workspace
from tests.support.commands import ROOT
from tests.support.jobs import done, lease_on
from tests.support.postgres import PostgresServer
from tests.support.workspaces import Made, all_rows, make_signer, make_workspace, open_one, run_sql


@dataclass(frozen=True)
class Copies:
    """A record and a copy of it, restored beside it with the same keyring."""

    old: Made
    new: Made

    def activate(
        self, *, of: Made | None = None, signer: Signer | None = None, reason: str = "disk"
    ) -> Activated:
        made = of or self.new
        return activate(
            made.store,
            workspace_id="test",
            actor=signer.name if signer else "account ana",
            reason=reason,
            signer=signer,
            now=made.clock(),
        )

    def in_charge(self) -> list[str]:
        """Which of the two may act now."""
        return [
            name for name, made in (("old", self.old), ("new", self.new)) if objection(made.store) is None
        ]


def copies_of(old: Made, folder: Path, *, on: PostgresServer | None = None) -> Copies:
    back_up(old.workspace, old.settings, old.store, folder / "b.tgz", now=old.clock())
    url = on.url(on.create_database()) if on is not None else None
    restore(
        folder / "b.tgz", folder / "r", Wishes(store=url, keyring=old.store.keyring.folder), now=old.clock()
    )
    workspace = Workspace(folder / "r")
    settings = workspace.settings()
    return Copies(
        old, replace(old, workspace=workspace, settings=settings, store=open_store(workspace, settings))
    )


@pytest.fixture
def copies(tmp_path: Path, store_on: PostgresServer | None) -> Iterator[Copies]:
    old = make_workspace(tmp_path, on=store_on)
    open_one(old)
    made = copies_of(old, tmp_path, on=store_on)
    yield made
    made.new.store.close()
    made.old.store.close()


def test_the_copy_acts_from_then_on_and_the_old_one_does_not(copies: Copies) -> None:
    assert copies.in_charge() == ["old"]
    made = copies.activate()
    assert (made.epoch, made.was, made.already) == (2, "copy", False)
    assert copies.in_charge() == ["new"]
    open_one(copies.new)
    with pytest.raises(NotInCharge, match="epoch 2; this one is of epoch 1"):
        open_one(copies.old)


def test_calling_it_again_changes_nothing(copies: Copies) -> None:
    copies.activate()
    before = all_rows(copies.new.store)
    assert copies.activate() == Activated(2, "active", already=True, jobs=0)
    assert all_rows(copies.new.store) == before
    assert copies.old.store.keyring.epoch() == 2


def test_the_old_one_can_be_made_the_one_again(copies: Copies) -> None:
    copies.activate()
    assert copies.activate(of=copies.old).epoch == 3
    assert copies.in_charge() == ["old"]
    assert copies.activate().epoch == 4
    assert copies.in_charge() == ["new"]


def test_an_older_keyring_does_not_hand_out_an_epoch_twice(copies: Copies, tmp_path: Path) -> None:
    """The keyring was put back from before the last activation; the copy itself knows the higher epoch."""
    copies.activate()
    (copies.old.store.keyring.folder / "epoch").unlink()
    assert objection(copies.new.store) is not None
    assert copies.activate().epoch == 3
    assert copies.in_charge() == ["new"]


def test_the_journal_says_who_made_it_the_one_and_why(copies: Copies) -> None:
    copies.activate(reason="the disk died")
    last = list(copies.new.store.recorded(WORKSPACE_CHAIN))[-1]
    assert (last.entry.kind, last.entry.actor) == ("record.activated", "account ana")
    assert last.body is not None
    assert (last.body["reason"], last.body["epoch"], last.body["was"]) == ("the disk died", 2, "copy")
    assert verify(copies.new.store).sound


def test_a_reason_is_needed(copies: Copies) -> None:
    with pytest.raises(BadInput, match="why"):
        copies.activate(reason="  ")
    assert copies.in_charge() == ["old"]


def test_an_approver_signs_where_there_are_operators(tmp_path: Path) -> None:
    old = make_workspace(tmp_path)
    assert not needs_signature(old.store)
    bo = make_signer(old, "bo")
    carl = make_signer(old, "carl", roles=[Role.RESPONDER])
    dora = make_signer(old, "dora", simulated=True)
    copies = copies_of(old, tmp_path)
    assert needs_signature(copies.new.store)
    before = all_rows(copies.new.store)
    wrong = [carl, dora, replace(bo, key=carl.key), replace(bo, name="nobody")]
    for signer in wrong:
        with pytest.raises((Refused, NotFound)):
            copies.activate(signer=signer)
        assert all_rows(copies.new.store) == before
        assert copies.in_charge() == ["old"]
    copies.activate(signer=bo, reason="the disk died")
    with copies.new.store.read() as session:
        [decision] = session.exec(select(Decision)).all()
    assert (decision.subject_kind, decision.subject_id, decision.verdict) == (
        "activation",
        "epoch-2",
        "approved",
    )
    assert copies.new.store.open(decision, incident_id=WORKSPACE_CHAIN)["reason"] == "the disk died"
    assert verify(copies.new.store).sound
    run_sql(copies.new.store, "UPDATE decision SET subject_id = 'epoch-3'")
    assert not verify(copies.new.store).sound


def test_jobs_that_the_dead_held_are_free_and_their_holders_fenced_out(
    copies: Copies, tmp_path: Path
) -> None:
    old = copies.old
    with old.store.transaction() as session:
        put_job(session, "work", "held")
        put_job(session, "work", "due")
        put_job(session, "work", "later", after=5000)
    held = lease_on(old.store, "held")
    run_sql(old.store, "INSERT INTO worker VALUES ('w', 'a host', 1, 2, 0, 1, 4102444800)")
    again = tmp_path / "again"
    again.mkdir()
    now = copies_of(old, again)
    now.activate()
    with now.new.store.read() as session:
        jobs = {job.key: job for job in session.exec(select(Job)).all()}
        assert session.exec(select(Worker)).all() == []
        assert open_jobs(session) == 3
    assert (jobs["held"].beat_at, jobs["held"].attempt) == (0, held.claim.attempt + 1)
    with pytest.raises(NotInCharge):
        done(held)
    lease = lease_on(now.new.store, "held")
    done(lease)
    assert lease.claim.attempt > held.claim.attempt
    now.new.store.close()


# -- never two, after any crash ----------------------------------------------------------------------

CUT_OFF = """
import os, signal, sys
from datetime import UTC, datetime
from pathlib import Path
from incident.ops.activation import activate
from incident.store.keyring import Keyring
from incident.store.opening import open_store
from incident.workspace import Workspace

place, workspace = sys.argv[1], Workspace(Path(sys.argv[2]))
raised = Keyring.raise_epoch

def killed(*_):
    os.kill(os.getpid(), signal.SIGKILL)

def raise_and_die(keyring, epoch):
    if place == "after the keyring":
        raised(keyring, epoch)
    killed()

if place != "never":
    Keyring.raise_epoch = raise_and_die
store = open_store(workspace, workspace.settings())
print(activate(store, workspace_id="test", actor="x", reason="y", signer=None, now=datetime.now(UTC)).epoch)
"""


def in_a_process(place: str, workspace: Path) -> int:
    process = subprocess.run(
        [sys.executable, "-c", CUT_OFF, place, workspace],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        timeout=60,
        check=False,
    )
    return process.returncode


def test_killed_before_the_keyring_heard_of_it_nothing_has_changed(copies: Copies) -> None:
    before = all_rows(copies.new.store)
    assert in_a_process("before the keyring", copies.new.workspace.root) == -9
    assert all_rows(copies.new.store) == before
    assert copies.in_charge() == ["old"]
    assert copies.activate().epoch == 2


def test_killed_between_keyring_and_database_none_may_act_until_it_is_called_again(copies: Copies) -> None:
    assert in_a_process("after the keyring", copies.new.workspace.root) == -9
    assert copies.in_charge() == []
    assert copies.old.store.keyring.epoch() == 2
    assert copies.activate().epoch == 3
    assert copies.in_charge() == ["new"]


def test_two_copies_of_which_one_was_cut_off_never_both_act(copies: Copies, tmp_path: Path) -> None:
    """What was prepared with an epoch and never finished must not become the one through another's activation."""
    (tmp_path / "second").mkdir()
    second = copies_of(copies.old, tmp_path / "second")
    assert in_a_process("after the keyring", copies.new.workspace.root) == -9
    second.activate()
    assert (copies.in_charge(), second.in_charge()) == ([], ["new"])
    assert in_a_process("after the keyring", copies.new.workspace.root) == -9
    assert (copies.in_charge(), second.in_charge()) == ([], [])
    copies.activate()
    assert (copies.in_charge(), second.in_charge()) == (["new"], [])
    second.new.store.close()


def test_two_activations_at_the_same_moment_leave_one_that_acts(copies: Copies, tmp_path: Path) -> None:
    (tmp_path / "second").mkdir()
    second = copies_of(copies.old, tmp_path / "second")
    start = threading.Barrier(2)
    epochs: list[int] = []

    def run(which: Copies) -> None:
        start.wait(10)
        try:
            epochs.append(which.activate().epoch)
        except ConflictingWrite:
            epochs.append(0)

    threads = [threading.Thread(target=run, args=(which,)) for which in (copies, second)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(set(epochs)) == 2
    assert len(copies.in_charge() + second.in_charge()) == 1
    second.new.store.close()


def test_a_keyring_that_cannot_be_written_leaves_the_old_one_in_charge(copies: Copies) -> None:
    folder = copies.old.store.keyring.folder
    (folder / ".epoch.new").mkdir()
    (folder / ".epoch.new" / "in the way").touch()
    before = all_rows(copies.new.store)
    with pytest.raises(TocsinError, match="epoch cannot be written"):
        copies.activate()
    assert all_rows(copies.new.store) == before
    assert copies.in_charge() == ["old"]


def test_the_epoch_is_written_for_this_user_alone(tmp_path: Path) -> None:
    keyring = Keyring(tmp_path)
    with keyring.one_activation():
        keyring.raise_epoch(2)
    modes = {file.name: file.stat().st_mode & 0o777 for file in tmp_path.iterdir()}
    assert modes == {"epoch": 0o600, "epoch.lock": 0o600}
    assert (tmp_path / "epoch").read_text() == "2\n"
