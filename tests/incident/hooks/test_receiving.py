"""Alerts in the store: kept before the answer, mapped once, and never a second incident for the same thing."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import select

from incident.durable import JobState, Lease, Runner, put_job
from incident.errors import BadInput, KeyDestroyed
from incident.hooks.intake import Receipt
from incident.hooks.library import SHIPPED, read_source
from incident.hooks.receiving import ALERT_JOB, AlertDesk, AlertState, StoreIntake, kept_body, work_on_alert
from incident.ops.house import evaluate, start_playbook
from incident.ops.worker import Worker, sources_of
from incident.record.dossier import Dossier, load_dossier
from incident.record.incidents import close_incident, list_incidents
from incident.record.operators import Role
from incident.record.summons import SUMMONS_JOB, Reason, open_summons
from incident.response import events as e
from incident.response.housework import House
from incident.response.runner import RUNNING, questions, runs_of
from incident.store.change import Change
from incident.store.store import Store
from incident.store.tables import Alert, AlertItem, Incident, Job
from tests.support.breaches import QUICK
from tests.support.postgres import PostgresServer
from tests.support.working_process import kill, start_worker
from tests.support.workspaces import Made, make_workspace, run_sql, stored_bytes

SHIPPED_SAMPLES = Path(__file__).parents[3] / "incident/hooks/sources/samples"
SHARED_SAMPLES = Path(__file__).parents[4] / "shared/samples/alerts"
WAZUH = SHIPPED_SAMPLES / "wazuh.json"


@pytest.fixture
def made(tmp_path: Path, store_on: PostgresServer | None) -> Made:
    return make_workspace(tmp_path, on=store_on, scope={"countries": ["cn", "eu"]})


def house_of(made: Made) -> House:
    return House(made.workspace, made.settings, made.store, made.clock)


def post(made: Made, body: Any, *, source: str = "generic", delivery: str = "d1") -> Receipt:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return StoreIntake(made.store).receive(
        source_id=source, delivery_id=delivery, body=raw, headers={}, received_at=made.clock()
    )


def desk_of(made: Made, **parts: Any) -> AlertDesk:
    house = house_of(made)
    desk = AlertDesk(
        settings=made.settings,
        sources=sources_of(house),
        clock=made.clock,
        evaluate=lambda change, incident_id: evaluate(house, change, incident_id),
        start_playbook=lambda change, incident_id, name: start_playbook(house, change, incident_id, name),
    )
    return replace(desk, **parts)


def map_all(made: Made, desk: AlertDesk | None = None) -> None:
    chosen = desk or desk_of(made)

    def handle(lease: Lease) -> None:
        work_on_alert(lease, made.store, lease.claim.key, chosen)

    def idle() -> bool:
        with made.store.read() as session:
            jobs = session.exec(select(Job).where(Job.kind == ALERT_JOB)).all()
            return all(job.state != JobState.OPEN for job in jobs)

    Runner(made.store, {ALERT_JOB: handle}, patience=QUICK).work(until=idle)


def dossiers(made: Made) -> list[Dossier]:
    return [load_dossier(made.store, each.id) for each in reversed(list_incidents(made.store))]


def items(store: Store) -> list[AlertItem]:
    with store.read() as session:
        return list(session.exec(select(AlertItem).order_by("at", "alert_id", "position")).all())


def alert_row(made: Made, receipt: Receipt) -> Alert:
    with made.store.read() as session:
        row = session.get(Alert, receipt.id)
    assert row is not None
    return row


# -- who is called -------------------------------------------------------------------------------------


def test_an_alert_that_opens_an_incident_calls_a_responder_and_one_that_joins_it_does_not(
    made: Made,
) -> None:
    post(made, {"title": "the secret title", "host": "crm-1"})
    map_all(made)
    post(made, {"title": "the secret title", "host": "crm-1"}, delivery="d2")
    map_all(made)
    assert len(items(made.store)) == 2
    [incident] = list_incidents(made.store)
    with made.store.read() as session:
        [asked] = open_summons(session)
        assert session.get(Job, (SUMMONS_JOB, asked.id)) is not None
    assert (asked.incident_id, asked.reason, asked.role) == (incident.id, Reason.ALERT, Role.RESPONDER)


# -- receiving ---------------------------------------------------------------------------------------


def test_a_body_is_kept_sealed_before_anything_else_happens(made: Made) -> None:
    receipt = post(made, {"title": "the secret title"})
    row = alert_row(made, receipt)
    assert (row.state, row.seen, receipt.new) == (AlertState.RECEIVED, 1, True)
    assert b"secret title" not in row.sealed
    assert "the secret title" in kept_body(made.store, row)
    assert list_incidents(made.store) == []


def test_the_same_delivery_twice_is_one_receipt_and_counted(made: Made) -> None:
    first = post(made, {"title": "x"})
    made.clock.move(minutes=5)
    second = post(made, {"title": "x"})
    assert (second.id, second.new) == (first.id, False)
    row = alert_row(made, first)
    assert (row.seen, row.last_seen_at) == (2, made.clock())
    assert post(made, {"title": "x"}, source="cloudevents").id != first.id
    map_all(made)
    assert len(list_incidents(made.store)) == 2


def test_a_delivery_that_comes_many_times_at_once_is_one_receipt(made: Made) -> None:
    receipts: list[Receipt] = []
    threads = [threading.Thread(target=lambda: receipts.append(post(made, {"title": "x"}))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({receipt.id for receipt in receipts}) == 1
    assert sum(receipt.new for receipt in receipts) == 1
    assert alert_row(made, receipts[0]).seen == 8


# -- one alert, one incident --------------------------------------------------------------------------


@pytest.mark.parametrize("folder", [SHIPPED_SAMPLES, SHARED_SAMPLES], ids=["shipped", "shared"])
def test_the_wazuh_sample_opens_one_incident_whose_playbook_waits_for_people(
    made: Made, folder: Path
) -> None:
    file = folder / ("wazuh.json" if folder == SHIPPED_SAMPLES else "wazuh_integrator.json")
    if not file.is_file():
        pytest.skip(f"the shared samples are not here: {file}")
    post(made, file.read_bytes(), source="wazuh")
    steps: list[str] = []
    worker = Worker(
        house_of(made), on_step=lambda run, effect, result: steps.append(effect.kind), patience=QUICK
    )
    worker.work_until(lambda: nothing_due(made.store))
    [incident] = list_incidents(made.store)
    with made.store.read() as session:
        [run] = runs_of(session, incident.id)
        asked = questions(session, made.store, run)
    assert (run.playbook, run.state) == ("personal-data-breach", RUNNING)
    assert asked and all(isinstance(each.effect, e.AskPerson) for each in asked)
    assert steps == []
    dossier = dossiers(made)[0]
    assert dossier.current["discovered_at"].fact.value == made.clock()
    assert "persons" not in dossier.current


def nothing_due(store: Store) -> bool:
    from incident.durable import open_jobs

    with store.read() as session:
        return open_jobs(session) == 0


def test_an_alert_of_low_severity_opens_an_incident_and_starts_nothing(made: Made) -> None:
    post(made, {"title": "odd log-in", "severity": "low"})
    map_all(made)
    with made.store.read() as session:
        assert runs_of(session) == []
    assert len(list_incidents(made.store)) == 1


def test_the_same_key_again_joins_the_incident_and_is_counted(made: Made) -> None:
    body = {"id": "T-1", "title": "leak", "severity": "low"}
    for number in range(3):
        post(made, body, delivery=f"d{number}")
        made.clock.move(minutes=1)
        map_all(made)
    post(made, {**body, "severity": "medium"}, delivery="changed")
    post(made, {**body, "status": "resolved"}, delivery="over")
    map_all(made)
    [dossier] = dossiers(made)
    counted = Counter(item.arrival for item in items(made.store))
    assert counted == {"opens": 1, "repeats": 2, "changes": 1, "resolves": 1}
    assert len(dossier.log) == 3  # what opened it, what changed it, what called it resolved
    assert dossier.state == "open"


def test_two_alerts_with_one_key_at_the_same_moment_open_one_incident(made: Made) -> None:
    """Both jobs have looked before either writes: the one that comes second must look again."""
    for number in range(2):
        post(made, {"id": "T-1", "title": "leak"}, delivery=f"d{number}")
    both_looked = threading.Barrier(2, timeout=10)
    clock = made.clock
    late = threading.local()

    def wait_after_looking() -> Any:
        # The clock is read after the first look and before the write.
        if not getattr(late, "waited", False):
            late.waited = True
            both_looked.wait()
        return clock()

    map_all(made, desk_of(made, clock=wait_after_looking))
    assert len(list_incidents(made.store)) == 1
    assert Counter(item.arrival for item in items(made.store)) == {"opens": 1, "repeats": 1}
    assert len(list(made.store.keyring.folder.glob("INC-*.key"))) == 1


def test_after_an_incident_is_long_closed_the_same_key_opens_a_new_one(made: Made) -> None:
    post(made, {"id": "T-1", "title": "leak"})
    map_all(made)
    [incident] = list_incidents(made.store)
    with made.store.write(incident.id, kind="incident.closed", actor="ana", now=made.clock()) as change:
        close_incident(change, incident.id, reason="over")
    made.clock.move(hours=2)
    post(made, {"id": "T-1", "title": "leak"}, delivery="soon")
    map_all(made)
    assert len(list_incidents(made.store)) == 1
    assert items(made.store)[-1].arrival == "asks_reopen"
    made.clock.move(hours=30)
    post(made, {"id": "T-1", "title": "leak"}, delivery="late")
    map_all(made)
    assert len(list_incidents(made.store)) == 2


# -- nothing is dropped unseen -------------------------------------------------------------------------


@pytest.mark.parametrize("body", [b"{not json", b"\xff\xfe\x00", b"[]", b"null"])
def test_a_body_that_cannot_be_read_opens_an_incident_that_says_so(made: Made, body: bytes) -> None:
    receipt = post(made, body)
    map_all(made)
    [dossier] = dossiers(made)
    assert "could not be read" in dossier.log[0].text
    assert alert_row(made, receipt).state == AlertState.MAPPED
    post(made, body, delivery="again")
    map_all(made)
    assert len(list_incidents(made.store)) == 1


def test_one_unreadable_item_does_not_keep_the_others(made: Made) -> None:
    post(made, [{"id": "1", "title": "one"}, 17, {"id": "2", "title": "two"}])
    map_all(made)
    assert len(list_incidents(made.store)) == 3


def test_what_the_source_ignores_is_kept_and_opens_nothing(made: Made) -> None:
    body = json.loads(WAZUH.read_text(encoding="utf-8"))
    body["rule"]["level"] = 3
    receipt = post(made, body, source="wazuh")
    map_all(made)
    row = alert_row(made, receipt)
    assert (row.state, row.incident_id, list_incidents(made.store)) == (AlertState.IGNORED, None, [])
    assert "wazuh-01" in kept_body(made.store, row)


@pytest.mark.parametrize("broken", ["evaluate", "start_playbook"])
def test_faulty_rules_or_a_faulty_playbook_do_not_keep_an_alert_from_opening_an_incident(
    made: Made, broken: str
) -> None:
    def fail(*_: object) -> None:
        raise BadInput("line 3 is not right", where="own.yaml")

    post(made, WAZUH.read_bytes(), source="wazuh")
    map_all(made, desk_of(made, **{broken: fail}))
    [dossier] = dossiers(made)
    assert [line for line in dossier.log if "could not be started" in line.text and "own.yaml" in line.text]


def test_an_alert_from_a_sender_that_cannot_prove_itself_starts_nothing_by_itself(made: Made) -> None:
    strong = 'auth:\n  kind: header_token\n  header: Authorization\n  prefix: "Bearer "\n'
    text = (SHIPPED / "wazuh.yaml").read_text("utf-8")
    assert strong in text
    weak = read_source(text.replace(strong, "auth:\n  kind: url_token\n"), name="wazuh.yaml")
    post(made, WAZUH.read_bytes(), source="wazuh")
    map_all(made, desk_of(made, sources={"wazuh": weak}))
    [dossier] = dossiers(made)
    with made.store.read() as session:
        assert runs_of(session, dossier.id) == []
    assert [line for line in dossier.log if "waits for a person to start it" in line.text]


def test_a_number_in_an_alert_never_becomes_the_number_of_people(made: Made) -> None:
    body = {"title": "leak", "people_estimate": 128430, "severity": "low", "host": "crm-1"}
    post(made, body)
    map_all(made)
    [dossier] = dossiers(made)
    assert set(dossier.current) == {"discovered_at", "systems"}
    assert "128430" in dossier.log[0].text and "an estimate of the sender" in dossier.log[0].text


# -- crashes -----------------------------------------------------------------------------------------


MANY = [{"id": f"T-{number}", "title": f"leak {number}"} for number in range(6)]


@pytest.mark.parametrize("at", range(1, 6))
def test_a_worker_that_dies_inside_an_item_opens_nothing_twice(made: Made, at: int) -> None:
    calls: list[str] = []

    def die_once(change: Change, incident_id: str) -> object:
        calls.append(incident_id)
        if len(calls) == at:
            raise RuntimeError("the machine stopped here")
        return evaluate(house_of(made), change, incident_id)

    post(made, MANY)
    map_all(made, desk_of(made, evaluate=die_once))
    assert sorted(dossier.title for dossier in dossiers(made)) == sorted(str(one["title"]) for one in MANY)
    assert len(calls) == len(MANY) + 1
    assert sorted(item.position for item in items(made.store)) == list(range(len(MANY)))


def test_killed_between_two_items_each_alert_still_opens_exactly_one_incident(
    tmp_path: Path, store_killed_on: PostgresServer | None
) -> None:
    made = make_workspace(tmp_path, on=store_killed_on, scope={"countries": ["cn", "eu"]})
    many = [{"id": f"T-{number}", "title": f"leak {number}"} for number in range(40)]
    post(made, many)
    for reached in (8, 24):
        worker = start_worker(made.workspace.root)
        until = time.monotonic() + 20
        while len(items(made.store)) < reached and worker.poll() is None and time.monotonic() < until:
            time.sleep(0.005)
        assert worker.poll() is None, "it ended before it could be killed"
        kill(worker)
    assert start_worker(made.workspace.root).wait(timeout=60) == 0
    assert len(list_incidents(made.store)) == len(items(made.store)) == 40
    # A kill between the key and its incident leaves a key that takes its number; it is never used again.
    assert len({each.id for each in list_incidents(made.store)}) == 40


def test_a_job_that_runs_again_after_its_end_changes_nothing(made: Made) -> None:
    receipt = post(made, {"title": "x"})
    map_all(made)
    before = alert_row(made, receipt)
    with made.store.transaction() as session:
        put_job(session, ALERT_JOB, receipt.id)
    map_all(made)
    assert alert_row(made, receipt) == before
    assert len(list_incidents(made.store)) == 1


# -- the raw body dies with its incident -----------------------------------------------------------------


def test_after_mapping_the_body_is_sealed_by_the_incident_s_key_and_dies_with_it(made: Made) -> None:
    receipt = post(made, {"title": "x", "user": "zhang.wei"})
    before = alert_row(made, receipt).sealed
    map_all(made)
    row = alert_row(made, receipt)
    assert row.sealed != before and row.incident_id is not None
    assert "zhang.wei" in kept_body(made.store, row)
    made.store.keyring.destroy(row.incident_id, now=made.clock())
    with pytest.raises(KeyDestroyed):
        kept_body(made.store, row)
    assert b"zhang.wei" not in stored_bytes(made)


def test_an_alert_after_the_data_was_destroyed_opens_a_new_incident(made: Made) -> None:
    post(made, {"id": "T-1", "title": "x"})
    map_all(made)
    run_sql(made.store, "UPDATE incident SET state = 'destroyed', destroyed_at = opened_at")
    post(made, {"id": "T-1", "title": "x"}, delivery="d2")
    map_all(made)
    with made.store.read() as session:
        states = session.exec(select(Incident.state)).all()
    assert sorted(states) == ["destroyed", "open"]


def test_the_journal_names_the_alert_and_its_hash(made: Made) -> None:
    receipt = post(made, {"title": "x"})
    map_all(made)
    [incident] = list_incidents(made.store)
    [opened] = list(made.store.recorded(incident.id))
    assert opened.body is not None
    assert opened.body["alert"] == receipt.id
    assert opened.body["body_sha256"] == alert_row(made, receipt).body_sha256
