"""Steps of playbooks under a hold: calls that tell people wait, calls to authorities and containment go on."""

from __future__ import annotations

from pathlib import Path

import pytest

from incident.record.holds import Cover
from incident.record.measures import measure_catalogue
from incident.response.runner import open_effects, run_named
from incident.response.silence import hold_over, told_by
from incident.workspace import find_data
from tests.support.breaches import Breach, make_breach, some_people
from tests.support.commands import run
from tests.support.holds import hold, lift
from tests.support.postgres import PostgresServer
from tests.support.relays import recording_relay
from tests.support.runs import PLAYBOOK, Running, install, start
from tests.support.services import CalledService

CONTAINS = """        action_ids: [contain.disable-endpoint]
        undo_ids: [restore.enable-endpoint]
"""


def a_run_that(breach: Breach, service: CalledService, measure: str) -> Running:
    """The shipped playbook, whose call carries out another measure."""
    text = find_data(None, "playbooks", f"{PLAYBOOK}.yaml").read_text(encoding="utf-8")
    assert CONTAINS in text
    other = text.replace(CONTAINS, f"        action_ids: [{measure}]\n", 1)
    install(breach.made.workspace.root, "telling", other)
    return start(breach, name="telling", url=service.url)


def waits_for(running: Running) -> set[str]:
    """The holds that a run waits for."""
    store = running.breach.made.store
    with store.read() as session:
        run = run_named(session, running.id)
        found = [
            hold_over(session, run.incident_id, each.effect) for each in open_effects(session, store, run)
        ]
    return {f"H{row.number}" for row in found if row is not None}


@pytest.mark.parametrize(
    ("measure", "cover"), [("inform.people", Cover.PEOPLE), ("inform.public", Cover.PUBLIC)]
)
def test_a_call_that_tells_people_waits_for_the_hold_and_is_made_once_when_it_is_lifted(
    tmp_path: Path, measure: str, cover: Cover
) -> None:
    with CalledService() as service:
        breach = make_breach(tmp_path)
        label = hold(breach, cover)
        running = a_run_that(breach, service, measure)
        running.work()
        breach.later(hours=60)
        running.work()
        assert service.asked == [], "it was called under a hold, or a time limit decided instead"
        assert waits_for(running) == {label}
        [shown] = run("--workspace", breach.made.workspace.root, "--json", "runs").document
        assert shown["waits_for"] == [f"cut-off-by-service (held back by {label})"]
        lift(breach, label)
        running.work()
        assert len(service.asked) == 1
        assert waits_for(running) == set()


@pytest.mark.parametrize("measure", ["inform.authority", "inform.police", "contain.disable-endpoint"])
def test_calls_to_authorities_and_containment_go_on_under_a_hold(tmp_path: Path, measure: str) -> None:
    with CalledService() as service:
        breach = make_breach(tmp_path)
        hold(breach)
        a_run_that(breach, service, measure).work()
        assert len(service.asked) == 1


def test_every_measure_that_tells_somebody_is_in_the_phase_of_informing() -> None:
    telling = {each.id for each in measure_catalogue().values() if each.tells}
    assert telling == {"inform.people", "inform.public"}
    assert told_by(["inform.public", "contain.lock-account", "inform.people"]) == (Cover.PEOPLE, Cover.PUBLIC)


def test_the_playbook_waits_with_its_notice_and_sends_once_the_hold_is_lifted(
    tmp_path: Path, store_on: PostgresServer | None
) -> None:
    with CalledService() as service, recording_relay() as relay:
        breach = make_breach(tmp_path, people=some_people(3), relay_port=relay.port, measures=(), on=store_on)
        running = start(breach, url=service.url)
        running.work()
        running.answer("preserve-evidence", note="copied the access logs")
        running.answer("verify-scope", note="3 people")
        running.work()
        label = hold(breach, Cover.PEOPLE, Cover.PUBLIC)
        for name in ("bo", "cy"):
            running.decide("approve-release", name)
        breach.release()
        running.work()
        assert relay.taken == [] and waits_for(running) == {label}
        assert running.row.state == "running"
        breach.later(hours=100)
        running.work()
        assert relay.taken == [], "the end of a hold sent something"
        lift(breach, label)
        running.work()
        assert len(relay.taken) == 3
        assert running.row.state == "succeeded"
