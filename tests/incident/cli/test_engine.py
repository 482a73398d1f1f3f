"""`incident engine`, the brake and the worker at the terminal: real processes on both databases."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from incident.delivery import batching
from incident.delivery.sender import GROUP
from incident.delivery.states import CampaignState
from tests.support.breaches import Breach, make_breach, some_people
from tests.support.commands import Answer, run, spawn
from tests.support.postgres import PostgresServer
from tests.support.relays import RecordingRelay, recording_relay
from tests.support.workspaces import make_workspace

PEOPLE = 120


@pytest.fixture
def relay() -> Iterator[RecordingRelay]:
    with recording_relay() as relay:
        yield relay


def sending(tmp_path: Path, relay: RecordingRelay, on: PostgresServer | None) -> Breach:
    breach = make_breach(
        tmp_path,
        people=some_people(PEOPLE),
        relay_port=relay.port,
        on=on,
        engine={"stale_seconds": 3, "longest_step_seconds": 60},
    )
    breach.release()
    breach.open_sending()
    return breach


def incident(breach: Breach, *words: str) -> Answer:
    return run("--workspace", breach.made.workspace.root, *words)


def until(condition: Callable[[], bool], *, seconds: float = 40) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


@contextmanager
def a_worker(breach: Breach) -> Iterator[subprocess.Popen[str]]:
    process = spawn("--workspace", breach.made.workspace.root, "worker")
    try:
        yield process
    finally:
        process.kill()
        process.communicate(timeout=10)


def is_told(breach: Breach) -> Callable[[], bool]:
    return lambda: breach.account().state == CampaignState.ENDED


def test_a_worker_of_one_machine_is_alone_and_a_second_is_told_so(
    tmp_path: Path, relay: RecordingRelay
) -> None:
    breach = sending(tmp_path, relay, None)
    with a_worker(breach):
        until(is_told(breach))
        answer = incident(breach, "worker")
    assert answer.code == 1
    assert "a worker is at work on this workspace already" in answer.err
    assert "one worker is enough on one machine" in answer.err


def test_a_worker_is_killed_and_the_next_goes_on_at_once(tmp_path: Path, relay: RecordingRelay) -> None:
    breach = sending(tmp_path, relay, None)
    relay.at_rcpt = lambda address: time.sleep(0.01)
    with a_worker(breach) as first:
        until(lambda: len(relay.taken) > 25)
        first.send_signal(signal.SIGKILL)
        first.wait(10)
    before = time.monotonic()
    with a_worker(breach):
        until(lambda: len(relay.taken) > 70)
        assert time.monotonic() - before < 10
        until(is_told(breach))
    assert {mail.to for mail in relay.taken} == {person.email for person in some_people(PEOPLE)}


def test_several_workers_share_one_database_and_show_themselves(
    tmp_path: Path, relay: RecordingRelay, postgres: PostgresServer
) -> None:
    breach = sending(tmp_path, relay, postgres)
    with a_worker(breach) as first, a_worker(breach) as second:
        until(is_told(breach))
        until(lambda: len(incident(breach, "engine", "status", "--json").document["workers"]) == 2)
        shown = incident(breach, "engine", "status", "--json").document
        assert {each["pid"] for each in shown["workers"]} == {first.pid, second.pid}
        assert "Last sign of life" in incident(breach, "engine", "status").out
        second.send_signal(signal.SIGTERM)
        out, _ = second.communicate(timeout=20)
        assert second.returncode == 0 and "stopped" in out
        assert len(incident(breach, "engine", "status", "--json").document["workers"]) == 1
    assert len(relay.taken) == PEOPLE


def test_a_monitor_reads_whether_anybody_works_and_what_is_overdue(
    tmp_path: Path, relay: RecordingRelay, store_on: PostgresServer | None
) -> None:
    breach = sending(tmp_path, relay, store_on)
    # The reminder of duties is not due yet.
    aged = "UPDATE job SET asked_at = asked_at - 61 WHERE state = 'open' AND kind <> 'duties'"
    with breach.made.store.transaction() as session:
        due = session.connection().exec_driver_sql(aged).rowcount
    shown = incident(breach, "--json", "engine", "status").document
    assert (shown["works"], shown["overdue"]) == (False, due)
    assert due > 0
    with a_worker(breach):
        until(is_told(breach))

        def all_is_well() -> bool:
            shown = incident(breach, "--json", "engine", "status").document
            return (shown["works"], shown["overdue"]) == (True, 0)

        # The page may be published a moment after the last mail.
        until(all_is_well)


def test_a_reset_in_the_middle_loses_nobody(
    tmp_path: Path, relay: RecordingRelay, store_on: PostgresServer | None
) -> None:
    breach = sending(tmp_path, relay, store_on)
    relay.at_rcpt = lambda address: time.sleep(0.01)
    with a_worker(breach):
        until(lambda: len(relay.taken) > 25)
        answer = incident(breach, "engine", "reset", "--json")
        assert answer.document["ended"] == 1 and answer.document["queue"] == (store_on is not None)
        until(is_told(breach))
    account = breach.account()
    assert {mail.to for mail in relay.taken} == {person.email for person in some_people(PEOPLE)}
    assert account.adds_up and len(relay.taken) - PEOPLE <= account.doubled_at_most <= GROUP


def test_a_reset_puts_the_jobs_that_somebody_took_out(tmp_path: Path, relay: RecordingRelay) -> None:
    from tests.support.workspaces import run_sql

    breach = sending(tmp_path, relay, None)
    assert run_sql(breach.made.store, "DELETE FROM job") == 3
    assert incident(breach, "engine", "reset", "--json").document == {"queue": False, "ended": 0, "put": 3}
    breach.work()
    assert len(relay.taken) == PEOPLE and breach.account().state == CampaignState.ENDED


def test_a_worker_that_starts_puts_the_jobs_that_somebody_took_out(
    tmp_path: Path, relay: RecordingRelay
) -> None:
    from tests.support.workspaces import run_sql

    breach = sending(tmp_path, relay, None)
    run_sql(breach.made.store, "DELETE FROM job")
    with a_worker(breach):
        until(is_told(breach))
    assert len(relay.taken) == PEOPLE


def test_a_worker_that_is_started_while_postgresql_is_down_waits_for_it(
    tmp_path: Path, relay: RecordingRelay, own_postgres: PostgresServer
) -> None:
    breach = sending(tmp_path, relay, own_postgres)
    own_postgres.stop()
    with a_worker(breach) as worker:
        assert worker.stderr is not None
        assert "waiting for the database" in worker.stderr.readline()
        time.sleep(1.5)
        assert worker.poll() is None
        own_postgres.start()
        until(is_told(breach))
    assert len(relay.taken) == PEOPLE


def test_a_worker_that_waits_for_its_database_stops_when_it_is_told_to(
    tmp_path: Path, own_postgres: PostgresServer
) -> None:
    made = make_workspace(tmp_path, on=own_postgres)
    own_postgres.stop()
    process = spawn("--workspace", made.workspace.root, "worker")
    assert process.stderr is not None
    assert "waiting for the database" in process.stderr.readline()
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=15)
    assert process.returncode == 0


def test_the_brake_is_named_by_every_command_and_taken_off_again(
    tmp_path: Path, relay: RecordingRelay
) -> None:
    breach = sending(tmp_path, relay, None)
    said = incident(breach, "worker", "--brake", "--reason", "a wrong text")
    assert said.code == 0 and "nothing leaves the house" in said.out
    assert "the emergency brake is on" in incident(breach, "list").err
    breach.work()
    assert relay.taken == []
    assert "brake on: everything" in incident(breach, "engine", "status").out
    assert incident(breach, "worker", "--release").code == 0
    assert "brake" not in incident(breach, "list").err
    breach.work()
    assert len(relay.taken) == PEOPLE
    kinds = [entry.kind for entry in breach.made.store.entries("workspace")]
    assert kinds.count("brake.on") == kinds.count("brake.off") == 1


def test_a_notice_is_paused_and_resumed_at_the_terminal(tmp_path: Path, relay: RecordingRelay) -> None:
    breach = sending(tmp_path, relay, None)
    paused = incident(breach, "notice", "pause", breach.id, "--reason", "a wrong number in it")
    assert paused.code == 0 and "paused" in paused.out
    assert "a notice is paused" in incident(breach, "list").err
    breach.work()
    assert relay.taken == []
    resumed = incident(breach, "notice", "resume", breach.id)
    assert resumed.code == 0, resumed.text
    assert len(relay.taken) == PEOPLE
    kinds = [entry.kind for entry in breach.made.store.entries(breach.id)]
    assert kinds.count("campaign.paused") == kinds.count("campaign.resumed") == 1


def test_limits_are_set_shown_and_lifted(tmp_path: Path, relay: RecordingRelay) -> None:
    breach = sending(tmp_path, relay, None)
    answer = incident(
        breach, "engine", "limits", "--mail-per-second", "40", "--batches-at-once", "1", "--json"
    )
    assert answer.document["limits"] == {"per_second": {"mail": 40.0}, "at_once": {"delivery.batch": 1}}
    began = time.monotonic()
    breach.work()
    assert time.monotonic() - began > 2 and len(relay.taken) == PEOPLE
    lifted = incident(
        breach, "engine", "limits", "--mail-per-second", "0", "--batches-at-once", "0", "--json"
    )
    assert lifted.document["limits"] == {"per_second": {}, "at_once": {}}
    assert incident(breach, "engine", "limits", "--mail-per-second", "-1").code == 2


def test_a_domain_s_limit_is_set_shown_and_lifted(tmp_path: Path, relay: RecordingRelay) -> None:
    breach = sending(tmp_path, relay, None)
    answer = incident(
        breach, "engine", "limits", "--domain", "QQ.com=50", "--domain", "邮箱.中国=2.5", "--json"
    )
    idn = "mail/xn--c0zu34b.xn--fiqs8s"
    assert answer.document["limits"]["per_second"] == {"mail/qq.com": 50.0, idn: 2.5}
    assert "limit: 50 mail/qq.com a second, 50 at once" in incident(breach, "engine", "status").out
    [entry] = [each for each in breach.made.store.entries("workspace") if each.kind == "limits.changed"]
    body = breach.made.store.body_of("workspace", entry.seq)
    assert body is not None and body["by_domain"] == {"qq.com": 50.0, "xn--c0zu34b.xn--fiqs8s": 2.5}
    lifted = incident(
        breach, "engine", "limits", "--domain", "qq.com=0", "--domain", f"{idn[5:]}=0", "--json"
    )
    assert lifted.document["limits"]["per_second"] == {}
    for wrong in ("qq.com", "*.qq.com=5", "qq.com=-1"):
        refused = incident(breach, "engine", "limits", "--domain", wrong)
        assert refused.code == 2 and "--domain" in refused.err, refused.text


def test_a_send_goes_on_while_batches_of_a_limited_domain_sleep(
    tmp_path: Path, relay: RecordingRelay, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batching, "BATCH_SIZE", 15)
    breach = make_breach(tmp_path, people=some_people(60), relay_port=relay.port)
    breach.release()
    breach.open_sending()
    assert incident(breach, "engine", "limits", "--domain", "example.org=20").code == 0
    answer = incident(breach, "notice", "send", breach.id)
    assert answer.code == 0, answer.text
    assert (len(relay.taken), breach.account().state) == (60, CampaignState.ENDED)
