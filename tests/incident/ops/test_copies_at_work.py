"""Backup, restore and activation with real processes, while a notice is being sent: nobody is lost."""

from __future__ import annotations

import subprocess
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from incident.delivery.sender import GROUP, batches_at_once
from incident.delivery.states import CampaignState
from incident.delivery.status import account, campaigns_of
from incident.record.sshsig import private_text
from incident.store.opening import open_store
from incident.workspace import Workspace
from tests.support.breaches import Breach, make_breach, some_people
from tests.support.commands import run_process, spawn
from tests.support.postgres import PostgresServer
from tests.support.relays import RecordingRelay, parsed, recording_relay
from tests.support.working_process import kill, start_worker
from tests.support.workspaces import private_key_of

COUNT = 400
SECONDS_TO_STOP = 10
# One open group for each batch under way.
OPEN = GROUP * batches_at_once(connections=1)


@dataclass(frozen=True)
class Sending:
    """A notice of which a part was sent, in a workspace that will be lost."""

    breach: Breach
    relay: RecordingRelay
    old: Path
    new: Path
    key: Path
    target: tuple[str, ...]

    def back_up(self) -> None:
        done = run_process("--workspace", self.old, "backup", self.new.with_name("b.tgz"))
        assert done.code == 0, done.text

    def restore(self) -> None:
        ring = self.breach.made.store.keyring.folder
        backup = self.new.with_name("b.tgz")
        done = run_process("restore", backup, self.new, "--keyring", ring, *self.target)
        assert done.code == 0, done.text
        refused = run_process("--workspace", self.new, "worker")
        assert refused.code == 1 and "copy" in refused.err

    def activate(self) -> None:
        words = ("--workspace", self.new, "--as", "bo", "restore", "--activate", "--reason", "a new machine")
        done = run_process(*words, environment={"INCIDENT_SIGNING_KEY": str(self.key)})
        assert done.code == 0, done.text

    def finish(self) -> None:
        self.relay.at_data = lambda address: None
        assert start_worker(self.new).wait(timeout=60) == 0

    def copies(self) -> list[list[bytes]]:
        """What the relay took, by Message-ID."""
        found = defaultdict(list)
        for mail in self.relay.taken:
            found[str(parsed(mail.raw)["Message-ID"])].append(mail.raw)
        return list(found.values())

    def assert_that_everybody_was_told(self) -> None:
        assert len(self.copies()) == COUNT, "somebody was lost"
        assert {mail.to for mail in self.relay.taken} == {person.email for person in some_people(COUNT)}
        assert max(map(len, self.copies())) == 2
        workspace = Workspace(self.new)
        store = open_store(workspace, workspace.settings())
        with store.read() as session:
            found = account(session, campaigns_of(session, self.breach.id)[0])
        store.close()
        assert (found.accepted, found.in_progress, found.adds_up) == (COUNT, 0, True)
        assert found.state == CampaignState.ENDED
        assert run_process("--workspace", self.new, "verify").code == 0


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.chaos)])
def sending(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Sending]:
    store_on: PostgresServer | None = None
    if request.param == "postgres":
        store_on = request.getfixturevalue("postgres")
    with recording_relay() as relay:

        def slower_and_slower(_address: str) -> str | None:
            # Slow enough that a backup, a restore and an activation happen among the messages.
            time.sleep(0.001 if len(relay.taken) < 60 else 0.05)
            return None

        relay.at_data = slower_and_slower
        breach = make_breach(tmp_path, people=some_people(COUNT), relay_port=relay.port, on=store_on)
        breach.release()
        breach.open_sending()
        breach.made.store.close()
        key = tmp_path / "bo"
        signing = private_key_of(breach.signers["bo"])
        assert isinstance(signing, Ed25519PrivateKey)
        key.write_text(private_text(signing))
        key.chmod(0o600)
        target = ("--store", store_on.url(store_on.create_database())) if store_on is not None else ()
        yield Sending(breach, relay, breach.made.workspace.root, tmp_path / "new", key, target)


def wait_for_mail(relay: RecordingRelay, count: int) -> None:
    until = time.monotonic() + 60
    while len(relay.taken) < count:
        assert time.monotonic() < until, "the worker sends nothing"
        time.sleep(0.01)


def ended_by_itself(worker: subprocess.Popen[str]) -> str:
    """What a worker said that had to stop because another copy is the one."""
    try:
        _, told = worker.communicate(timeout=SECONDS_TO_STOP)
    finally:
        if worker.poll() is None:
            worker.kill()
            worker.communicate()
    assert worker.returncode == 1
    assert "another copy of this record" in told and "Traceback" not in told
    return told


def test_after_a_kill_the_copy_finishes_the_notice_with_the_very_same_messages(sending: Sending) -> None:
    worker = start_worker(sending.old, until="never")
    wait_for_mail(sending.relay, 85)
    kill(worker)
    sending.back_up()
    sending.restore()
    sending.activate()
    sending.finish()
    sending.assert_that_everybody_was_told()
    assert 0 < len(sending.relay.taken) - COUNT <= OPEN
    assert all(len(set(copies)) == 1 for copies in sending.copies()), "a copy had other bytes"


def test_a_copy_taken_while_a_notice_is_sent_finishes_it_and_the_old_worker_stops(sending: Sending) -> None:
    worker = spawn("--workspace", sending.old, "worker")
    try:
        wait_for_mail(sending.relay, 70)
        before = len(sending.relay.taken)
        sending.back_up()
        sending.restore()
        assert worker.poll() is None, "the old worker was to be at work still"
        sending.activate()
    finally:
        ended_by_itself(worker)
    sent_by_the_old = len(sending.relay.taken)
    assert before < sent_by_the_old < COUNT - OPEN
    sending.finish()
    sending.assert_that_everybody_was_told()
    # What the old one sent after the backup, and what was open in it, is all that was sent twice.
    assert 0 < len(sending.relay.taken) - COUNT <= sent_by_the_old - before + OPEN
    # The copy cannot know when the old one began with a message that it sent later: only the date may differ.
    assert all(len({undated(raw) for raw in copies}) == 1 for copies in sending.copies())


def undated(raw: bytes) -> bytes:
    return b"\n".join(line for line in raw.split(b"\n") if not line.startswith(b"Date: "))


def test_an_idle_worker_stops_too_when_another_copy_becomes_the_one(sending: Sending) -> None:
    assert run_process("--workspace", sending.old, "worker", "--brake").code == 0
    sending.back_up()
    sending.restore()
    worker = spawn("--workspace", sending.old, "worker")
    try:
        assert worker.stderr is not None
        while "working on" not in (line := worker.stderr.readline()):
            assert line, "it ended at once"
        time.sleep(1)
        assert worker.poll() is None
        sending.activate()
    finally:
        ended_by_itself(worker)
    assert sending.relay.taken == []
