"""The worker: one a workspace, one handler for each kind of job, and a clean end."""

from __future__ import annotations

import gc
import queue
import threading
from pathlib import Path

import pytest

from incident.delivery.states import (
    BATCH_JOB,
    CALL_LIST_JOB,
    PUBLISH_JOB,
    SETTLE_JOB,
    WAVE_JOB,
    CampaignState,
)
from incident.durable import Patience, Runner
from incident.duties.reminding import DUTIES_JOB
from incident.errors import BadInput, Refused
from incident.hooks.receiving import ALERT_JOB
from incident.ops.worker import Worker, WorksOn, sources_of, utc_now
from incident.record.holds import HOLD_JOB
from incident.record.summons import SUMMONS_JOB
from incident.response.containment import CONTAINMENT_JOB
from incident.response.runner import RUN_JOB
from incident.workspace import worker_lives, worker_lock
from tests.support.breaches import QUICK, make_breach, some_people
from tests.support.postgres import PostgresServer
from tests.support.relays import recording_relay
from tests.support.runs import start as start_run
from tests.support.services import CalledService


def test_every_kind_of_job_has_a_handler(tmp_path: Path) -> None:
    worker = Worker(make_breach(tmp_path).house)
    without_mail = worker.handlers(None)
    assert set(without_mail) == {
        CALL_LIST_JOB,
        SETTLE_JOB,
        WAVE_JOB,
        PUBLISH_JOB,
        RUN_JOB,
        ALERT_JOB,
        HOLD_JOB,
        SUMMONS_JOB,
        DUTIES_JOB,
        CONTAINMENT_JOB,
    }
    with worker.runner() as runner:
        assert isinstance(runner, Runner)


def test_while_it_works_garbage_is_looked_for_less_often_and_then_as_before(tmp_path: Path) -> None:
    before = gc.get_threshold()
    gc.set_threshold(700, 10, 10)
    try:
        with Worker(make_breach(tmp_path).house).runner():
            assert gc.get_threshold() == (20_000, 10, 10)
        assert gc.get_threshold() == (700, 10, 10)
    finally:
        gc.set_threshold(*before)


def test_without_a_relay_nothing_is_sent_and_the_rest_goes_on(tmp_path: Path) -> None:
    with recording_relay() as relay:
        breach = make_breach(tmp_path, people=some_people(1), relay_port=relay.port)
        breach.release()
        breach.open_sending()
        store, house = breach.made.store, breach.house
        Runner(store, Worker(house).handlers(None), patience=QUICK).work(
            until=lambda: bool(breach.account().public_pages)
        )
        assert relay.taken == []
        assert breach.account().in_progress == 1
        breach.work()
    assert breach.account().state == CampaignState.ENDED


def test_a_second_worker_is_refused_and_says_why(tmp_path: Path) -> None:
    breach = make_breach(tmp_path)
    with (
        worker_lock(breach.made.workspace) as ours,
        pytest.raises(Refused, match="at work on this workspace already"),
    ):
        assert ours
        Worker(breach.house).work_forever(until_stopped=lambda runner: None)


def test_runs_whose_services_do_not_answer_keep_no_other_run_waiting(
    tmp_path: Path, store_on: PostgresServer | None
) -> None:
    breach = make_breach(tmp_path, measures=(), on=store_on)
    runners: queue.Queue[WorksOn] = queue.Queue()
    worker = Worker(breach.house, patience=QUICK, sends=False)
    working = threading.Thread(target=lambda: worker.work_forever(until_stopped=runners.put))
    working.start()
    try:
        with CalledService() as silent, CalledService() as other:
            silent.hold.set()
            for _ in range(5):
                start_run(breach, url=silent.url)
            assert silent.reached.wait(20)
            start_run(breach, url=other.url)
            assert other.reached.wait(20), "it waits for a service that is not its own"
    finally:
        runners.get(timeout=20).stop()
        working.join(60)
    assert not working.is_alive()


def test_who_finds_a_worker_alive_follows_it(tmp_path: Path) -> None:
    beaten = threading.Event()
    with recording_relay() as relay:
        breach = make_breach(tmp_path, people=some_people(5), relay_port=relay.port)
        breach.release()
        # The other one must not be done before anybody follows.
        relay.at_rcpt = lambda address: None if beaten.wait(10) else "450 4.2.0 nobody follows"
        runners: list[WorksOn] = []
        ready = threading.Event()

        def started(runner: WorksOn) -> None:
            runners.append(runner)
            ready.set()

        other = threading.Thread(
            target=lambda: Worker(breach.house, patience=QUICK).work_forever(until_stopped=started)
        )
        other.start()
        try:
            assert ready.wait(10) and worker_lives(breach.made.workspace)
            breach.open_sending()
            Worker(breach.house, patience=QUICK).work_until(
                lambda: breach.account().state == CampaignState.ENDED, beat=beaten.set
            )
            assert beaten.is_set() and len(relay.taken) == 5
        finally:
            runners[0].stop()
            other.join(10)
    assert not worker_lives(breach.made.workspace)


def test_who_follows_takes_over_when_the_other_worker_goes(tmp_path: Path) -> None:
    with recording_relay() as relay:
        breach = make_breach(tmp_path, people=some_people(3), relay_port=relay.port)
        breach.release()
        breach.open_sending()
        free = threading.Event()
        held = threading.Event()

        def hold_the_lock() -> None:
            with worker_lock(breach.made.workspace) as ours:
                assert ours
                held.set()
                free.wait(10)

        holder = threading.Thread(target=hold_the_lock)
        holder.start()
        assert held.wait(10)
        threading.Timer(0.3, free.set).start()
        Worker(breach.house, patience=QUICK).work_until(lambda: breach.account().state == CampaignState.ENDED)
        holder.join()
    assert len(relay.taken) == 3


def test_publishing_again_after_a_crash_changes_nothing(tmp_path: Path) -> None:
    from incident.durable import put_job
    from incident.notice.release import must_be_released

    with recording_relay() as relay:
        breach = make_breach(tmp_path, people=some_people(1), relay_port=relay.port)
        breach.release()
        breach.open_sending()
        breach.work()
        pages = breach.account().public_pages
        with breach.made.store.transaction() as session:
            version, _ = must_be_released(
                session, breach.made.store, breach.id, settings=breach.made.settings, drill=False
            )
            put_job(session, PUBLISH_JOB, version.row.id, incident_id=breach.id)
            put_job(session, SETTLE_JOB, breach.account().campaign_id, incident_id=breach.id)
            put_job(session, BATCH_JOB, f"{breach.account().campaign_id}-000001", incident_id=breach.id)
        breach.work()
    assert breach.account().public_pages == pages
    assert len(relay.taken) == 1
    assert breach.account().ended_at is not None


def test_a_workspace_s_own_source_wins(tmp_path: Path) -> None:
    breach = make_breach(tmp_path)
    folder = breach.made.workspace.root / "sources"
    folder.mkdir()
    shipped = Path(__file__).parents[3] / "incident/hooks/sources/generic.yaml"
    text = shipped.read_text(encoding="utf-8").replace("Generic alert", "Our own form")
    (folder / "generic.yaml").write_text(
        text.replace("samples: [samples/generic.json]\n", ""), encoding="utf-8"
    )
    assert sources_of(breach.house)["generic"].source.title["en"] == "Our own form"


def test_a_source_that_cannot_be_read_keeps_no_notice_from_its_people_and_is_told_to_who_stays_at_work(
    tmp_path: Path,
) -> None:
    with recording_relay() as relay:
        breach = make_breach(tmp_path, people=some_people(3), relay_port=relay.port)
        folder = breach.made.workspace.root / "sources"
        folder.mkdir()
        (folder / "ours.yaml").write_text("id: [", encoding="utf-8")
        breach.release()
        breach.open_sending()
        breach.work()
        assert breach.account().accepted == len(relay.taken) == 3
        with pytest.raises(BadInput, match=r"ours\.yaml"):
            Worker(breach.house).work_forever(until_stopped=lambda runner: runner.stop())


def test_the_clock_of_the_worker_is_utc() -> None:
    offset = utc_now().utcoffset()
    assert offset is not None and not offset
    assert Patience().max_starts >= 2
