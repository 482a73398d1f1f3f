"""Alerts that are mapped by several workers at the same moment."""

from __future__ import annotations

import json
import threading
from collections import Counter
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest
from sqlmodel import select

from incident.durable import Claim, Lease
from incident.errors import Refused
from incident.hooks.receiving import ALERT_JOB, AlertDesk, AlertState, StoreIntake, work_on_alert
from incident.ops.house import evaluate, start_playbook
from incident.ops.retention import destroy
from incident.ops.worker import sources_of
from incident.record.incidents import close_incident, list_incidents
from incident.response.housework import House
from incident.store.tables import Alert, AlertItem
from tests.support.at_once import at_once
from tests.support.jobs import claim_by_hand
from tests.support.journals import sound
from tests.support.postgres import PostgresServer
from tests.support.workspaces import Made, make_signer, make_workspace


@pytest.fixture
def made(tmp_path: Path, store_on: PostgresServer | None) -> Made:
    return make_workspace(tmp_path, on=store_on, scope={"countries": ["cn"]})


def post(made: Made, title: str, *, delivery: str) -> str:
    body = json.dumps({"id": "T-1", "title": title}).encode()
    return (
        StoreIntake(made.store)
        .receive(source_id="generic", delivery_id=delivery, body=body, headers={}, received_at=made.clock())
        .id
    )


def desk_of(made: Made) -> AlertDesk:
    house = House(made.workspace, made.settings, made.store, made.clock)
    return AlertDesk(
        settings=made.settings,
        sources=sources_of(house),
        clock=made.clock,
        evaluate=lambda change, incident_id: evaluate(house, change, incident_id),
        start_playbook=lambda change, incident_id, name: start_playbook(house, change, incident_id, name),
    )


def claimed(made: Made, alert_id: str) -> Claim:
    claim = claim_by_hand(made.store, alert_id, kind=ALERT_JOB)
    assert claim is not None
    return claim


def map_one(made: Made, claim: Claim, desk: AlertDesk) -> None:
    work_on_alert(Lease(made.store, claim, threading.Event()), made.store, claim.key, desk)


def test_several_alerts_about_one_thing_mapped_at_once_open_one_incident(made: Made) -> None:
    workers = 3
    alerts = [post(made, f"seen {number} times", delivery=f"d{number}") for number in range(workers)]
    judged = threading.Barrier(workers)
    first_look = threading.local()

    def clock() -> datetime:
        # Asked first when an alert was judged and nothing is written: now all of them would open an incident.
        if not getattr(first_look, "over", False):
            first_look.over = True
            judged.wait(10)
        return made.clock()

    def worker(alert: str) -> None:
        alone = made.another()
        map_one(alone, claimed(made, alert), replace(desk_of(alone), clock=clock))

    outcomes = at_once(*(lambda alert=alert: worker(alert) for alert in alerts))
    assert outcomes == [None] * workers
    [incident] = list_incidents(made.store)
    with made.store.read() as session:
        items = session.exec(select(AlertItem)).all()
        rows = session.exec(select(Alert)).all()
    assert Counter(item.arrival for item in items) == {"opens": 1, "changes": workers - 1}
    assert {row.incident_id for row in rows} == {incident.id}
    assert {row.state for row in rows} == {AlertState.MAPPED}
    keys = {file.stem for file in made.store.keyring.folder.glob("*.key")}
    assert keys == {"workspace", incident.id}, "who was overtaken leaves no key behind"
    assert sound(made.store, *made.store.heads())


def test_an_incident_is_not_destroyed_while_an_alert_of_it_is_being_mapped(made: Made) -> None:
    house = House(made.workspace, made.settings, made.another().store, made.clock)
    signer = make_signer(made, "bo")
    alert = post(made, "zhang.wei took it", delivery="d1")
    refused: list[str] = []

    def close_and_destroy() -> None:
        incident = list_incidents(house.store)[0].id
        with house.store.write(incident, kind="closed", actor="bo", now=made.clock()) as change:
            close_incident(change, incident, reason="a false alarm")
        try:
            destroy(house, incident, signer=signer, reason="nothing to keep")
        except Refused as error:
            refused.append(error.what)
        else:
            refused.append("")

    destroyer = threading.Thread(target=close_and_destroy)

    def clock() -> datetime:
        # Asked last in the transaction that ends the mapping.
        if list_incidents(house.store) and not destroyer.ident:
            destroyer.start()
            destroyer.join(0.3)
        return made.clock()

    map_one(made, claimed(made, alert), replace(desk_of(made), clock=clock))
    destroyer.join(30)
    [incident] = list_incidents(made.store)
    with made.store.read() as session:
        row = session.get(Alert, alert)
    assert row is not None
    if refused == [""]:
        assert (incident.state, row.sealed) == ("destroyed", b"")
    else:
        assert incident.state == "closed"
        assert "not mapped to its end" in refused[0]
    assert row.state == AlertState.MAPPED


def test_an_incident_whose_alert_failed_half_way_is_not_destroyed(made: Made) -> None:
    signer = make_signer(made, "bo")
    alert = post(made, "zhang.wei took it", delivery="d1")

    def broken_at_the_end() -> datetime:
        if list_incidents(made.another().store):
            raise ZeroDivisionError
        return made.clock()

    with pytest.raises(ZeroDivisionError):
        map_one(made, claimed(made, alert), replace(desk_of(made), clock=broken_at_the_end))
    [incident] = list_incidents(made.store)
    with made.store.write(incident.id, kind="closed", actor="bo", now=made.clock()) as change:
        close_incident(change, incident.id, reason="a false alarm")
    house = House(made.workspace, made.settings, made.store, made.clock)
    with pytest.raises(Refused, match="not mapped to its end") as caught:
        destroy(house, incident.id, signer=signer, reason="nothing to keep")
    assert "--retry-parked" in str(caught.value.next_step)
