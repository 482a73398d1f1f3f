"""A store that cannot be written in the middle of a sending: a full disk, a database that is stopped; nobody is lost."""

from __future__ import annotations

import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest

from incident.delivery.sender import GROUP
from incident.delivery.states import CampaignState
from incident.errors import StoreUnavailable
from incident.ops.worker import utc_now
from incident.store.opening import open_store
from incident.workspace import Workspace
from notifiers.outcome import Result
from tests.support.breaches import Breach
from tests.support.faulty_relay import FaultyRelay
from tests.support.faulty_sendings import (
    ACCEPTED,
    assert_it_adds_up,
    assert_nobody_is_lost,
    doubles,
    kinds,
    sending,
    watched,
)
from tests.support.postgres import PostgresServer
from tests.support.small_disk import SmallDisk
from tests.support.working_process import kill, start_worker_command

PEOPLE, MORE = 100, 10
_LATEST = 60


def wait_until(what: str, done: Callable[[], bool]) -> None:
    until = time.monotonic() + _LATEST
    while not done():
        assert time.monotonic() < until, what
        time.sleep(0.1)


def stands_still(relay: FaultyRelay) -> int:
    """How many messages were taken once no more come: of the group under way the rest still left."""
    count = -1
    while count != relay.mails:
        count = relay.mails
        time.sleep(0.5)
    return count


class _OnSmallDisk:
    """A sending on a disk that can be full, and its worker, which is the real command."""

    def __init__(self, tmp_path: Path, relay: FaultyRelay, disk: SmallDisk, *, longest: int = 300) -> None:
        self._breach = sending(tmp_path, relay.port, people=PEOPLE)
        self._breach.made.store.close()
        with self._breach.made.workspace.settings_file.open("a") as settings:
            settings.write(f"[engine]\nlongest_step_seconds = {longest}\n")
        self._disk, self._looks = disk, tmp_path / "looks"
        self._log = tmp_path / "worker.log"
        shutil.copytree(self._breach.made.workspace.root, disk.inside / "w")
        self.worker = self.start()

    def start(self) -> subprocess.Popen[bytes]:
        with self._log.open("ab") as log:
            self.worker = self._disk.start(*self._words("worker"), log=log)
        return self.worker

    @property
    def said(self) -> str:
        return self._log.read_text()

    def look(self) -> Breach:
        """The workspace as it lies on the disk at this moment, which a worker that died now would leave."""
        copy = self._looks / str(time.monotonic_ns())
        living = self.worker.poll() is None
        if living:
            self.worker.send_signal(signal.SIGSTOP)
        shutil.copytree(self._disk.inside / "w", copy, ignore=shutil.ignore_patterns("*-shm"))
        if living:
            self.worker.send_signal(signal.SIGCONT)
        workspace = Workspace(copy)
        made = replace(
            self._breach.made, workspace=workspace, store=open_store(workspace, self._breach.made.settings)
        )
        house = replace(self._breach.house, workspace=workspace, store=made.store, clock=utc_now)
        breach = replace(self._breach, made=made, house=house)
        assert_it_adds_up(breach)
        return breach

    def has_ended(self) -> bool:
        return self.look().account().state == CampaignState.ENDED

    def end(self) -> None:
        self.worker.terminate()
        assert self.worker.wait(timeout=_LATEST) == 0

    def _words(self, *words: str) -> list[str | Path]:
        return ["incident.cli.main", "--workspace", self._disk.folder / "w", *words]


def test_a_full_disk_stops_the_sending_until_there_is_room_and_a_kill_meanwhile_doubles_one_group_at_most(
    tmp_path: Path,
) -> None:
    with FaultyRelay() as relay, SmallDisk(tmp_path / "disk", size="24m") as disk:
        scene = _OnSmallDisk(tmp_path, relay, disk)
        with relay.held_after(MORE):
            disk.fill()
        wait_until("nobody said what is wrong", lambda: "disk is full" in scene.said)
        assert "free space" in scene.said
        assert stands_still(relay) <= MORE + GROUP, "it went on without writing down what it sent"
        scene.look()
        disk.make_room()
        with relay.held_after(MORE):
            assert doubles(relay.copies) == 0
            disk.fill()
        stands_still(relay)
        kill(scene.worker)
        scene.look()
        assert scene.start().wait(timeout=_LATEST) == 1, "it cannot begin on a full disk"
        assert scene.said.count("error: ") == 1 and "Traceback" not in scene.said
        disk.make_room()
        scene.start()
        wait_until("it never ended", scene.has_ended)
        scene.end()
        end = scene.look()
    assert doubles(relay.copies) <= end.account().doubled_at_most <= GROUP
    assert set(kinds(end)) <= {ACCEPTED, (Result.ambiguous, None, None)}
    assert_nobody_is_lost(end, relay.copies)


@pytest.mark.chaos
def test_a_disk_that_is_full_for_longer_than_a_step_may_take_doubles_one_group_at_most(
    tmp_path: Path,
) -> None:
    """The batch's job fails, and cannot be put back as long as the disk is full; the same worker takes it up again."""
    with FaultyRelay() as relay, SmallDisk(tmp_path / "disk", size="24m") as disk:
        scene = _OnSmallDisk(tmp_path, relay, disk, longest=10)
        with relay.held_after(MORE):
            disk.fill()
        wait_until("the job never failed", lambda: "could not be put back" in scene.said)
        disk.make_room()
        wait_until("it never ended", scene.has_ended)
        scene.end()
        end = scene.look()
    assert doubles(relay.copies) == end.account().doubled_at_most <= GROUP
    assert_nobody_is_lost(end, relay.copies)


def test_a_database_that_is_stopped_and_started_in_the_middle_loses_nobody(
    tmp_path: Path, own_postgres: PostgresServer
) -> None:
    """First as an administrator stops it, then as a crash does; the same worker lives through both."""
    with FaultyRelay() as relay:
        breach = sending(tmp_path, relay.port, people=PEOPLE, on=own_postgres)
        with a_worker(breach, tmp_path / "worker.log"):
            for stop in (own_postgres.stop, own_postgres.stop_at_once):
                with relay.held_after(MORE):
                    stop()
                stands_still(relay)
                own_postgres.start()
            wait_until("it never ended", lambda: has_ended(breach))
    assert_all_were_told_by_the_same_worker(breach, relay)


@pytest.mark.chaos
def test_a_full_disk_of_the_database_stops_the_sending_until_there_is_room(
    tmp_path: Path, own_postgres: PostgresServer
) -> None:
    log = tmp_path / "worker.log"
    user, group = own_postgres.account
    with (
        FaultyRelay() as relay,
        SmallDisk(own_postgres.folder / "disk", size="64m", user=user, group=group) as disk,
    ):
        breach = sending(tmp_path, relay.port, people=PEOPLE, on=own_postgres)
        breach.made.store.close()
        own_postgres.execute(f"CREATE TABLESPACE small LOCATION '{disk.inside}'")
        database = breach.made.settings.store.url.rpartition("/")[2]
        own_postgres.execute(f"ALTER DATABASE {database} SET TABLESPACE small")
        with a_worker(breach, log):
            with relay.held_after(MORE):
                disk.fill()
            wait_until("nobody said what is wrong", lambda: "disk is full" in log.read_text())
            # Pages that are there already may have room for one more group.
            assert stands_still(relay) <= MORE + 2 * GROUP
            disk.make_room()
            wait_until("it never ended", lambda: has_ended(breach))
        assert_all_were_told_by_the_same_worker(breach, relay)


@contextmanager
def a_worker(breach: Breach, log: Path) -> Iterator[None]:
    """The real command, while everybody is accounted for at every look; it must end as it is asked to."""
    worker = start_worker_command(breach.made.workspace.root, log=log)
    try:
        with watched(breach):
            yield
        worker.terminate()
        assert worker.wait(timeout=_LATEST) == 0, log.read_text()
    finally:
        worker.kill()
        worker.wait(timeout=_LATEST)


def assert_all_were_told_by_the_same_worker(breach: Breach, relay: FaultyRelay) -> None:
    end = replace(breach, house=replace(breach.house, clock=utc_now))
    assert len(relay.copies) == PEOPLE
    # It knows what it sent, and insists on writing it down; only for too long a fault a group comes to be in doubt.
    assert doubles(relay.copies) <= end.account().doubled_at_most <= 2 * GROUP
    assert_nobody_is_lost(end, relay.copies)


def has_ended(breach: Breach) -> bool:
    with suppress(StoreUnavailable):
        return breach.account().state == CampaignState.ENDED
    return False
