"""A step that begins to wait for a person calls whom it needs; once it waits no more, nobody is called."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from incident.record.incidents import close_incident
from incident.record.operators import Role, operator_named
from incident.record.reaches import put_reach
from incident.record.summons import SUMMONS_JOB, Reason, all_summons, open_summons
from incident.response.runner import cancel_run, run_named
from incident.response.summoning import roles_of_approval
from incident.store.journal import WORKSPACE_CHAIN
from incident.store.tables import Job, Summons
from tests.support.breaches import Breach, make_breach, some_people
from tests.support.chat_desks import ChatDesk, chat_desk
from tests.support.lived_in import must_hold
from tests.support.postgres import PostgresServer
from tests.support.runs import Running, start
from tests.support.services import CalledService


@pytest.fixture
def service() -> Iterator[ChatDesk]:
    with chat_desk() as made:
        yield made


@pytest.fixture
def breach(tmp_path: Path, store_on: PostgresServer | None) -> Breach:
    return make_breach(tmp_path, people=some_people(2), on=store_on)


def reach(breach: Breach, service: ChatDesk, *names: str) -> None:
    store, now = breach.made.store, breach.made.clock()
    with store.write(WORKSPACE_CHAIN, kind="operator.reach", actor="ana", now=now) as change:
        for name in names:
            put_reach(
                change,
                store,
                operator_named(change.session, name),
                urls=[service.url(f"/{name}")],
                deputy=None,
            )


def asked(breach: Breach) -> dict[str, Summons]:
    """What somebody is needed for now, by the short name of the step."""
    store = breach.made.store
    with store.read() as session:
        return {
            store.open(row, incident_id=breach.id)["label"]: row for row in open_summons(session, breach.id)
        }


def to_the_approval(breach: Breach, url: str) -> Running:
    running = start(breach, url=url)
    running.work()
    for step in sorted(running.waiting()):
        running.answer(step, note="done")
    running.work()
    assert running.waiting() == {"approve-release"}
    return running


def test_each_step_that_waits_asks_for_whoever_can_answer_it_and_has_a_job(breach: Breach) -> None:
    running = start(breach)
    running.work()
    steps = asked(breach)
    assert set(steps) == running.waiting() == {"cut-off-by-hand"}
    row = steps["cut-off-by-hand"]
    assert (row.reason, row.role) == (Reason.STEP, Role.RESPONDER)
    with breach.made.store.read() as session:
        assert session.get(Job, (SUMMONS_JOB, row.id)) is not None
        text = breach.made.store.open(row, incident_id=breach.id)["text"]
    assert set(text) == {"en", "zh-Hans"}
    must_hold(breach.house)


def test_an_approval_asks_for_its_role_and_calls_whoever_has_not_signed(
    breach: Breach, service: ChatDesk
) -> None:
    reach(breach, service, "bo", "cy")
    with CalledService() as containment:
        running = to_the_approval(breach, containment.url)
        row = asked(breach)["approve-release"]
        assert (row.reason, row.role, row.level) == (Reason.APPROVAL, Role.APPROVER, 1)
        assert running.decide("approve-release", "bo") == 1
        assert set(asked(breach)) == {"approve-release"}
        service.paths.clear()
        breach.later(minutes=15)
        running.work()
        assert service.paths == ["/cy"]
        assert running.decide("approve-release", "cy") == 0
        assert asked(breach) == {}
        must_hold(breach.house)


def test_a_rejection_settles_it_too(breach: Breach) -> None:
    with CalledService() as containment:
        running = to_the_approval(breach, containment.url)
        running.decide("approve-release", "bo", yes=False)
        assert "approve-release" not in asked(breach)
        with breach.made.store.read() as session:
            [settled] = [row for row in all_summons(session, breach.id) if row.reason == Reason.APPROVAL]
    assert settled.ended_at is not None
    assert settled.answered_by is None


def test_an_answered_step_is_settled_and_the_next_one_asks_anew(breach: Breach) -> None:
    running = start(breach)
    running.work()
    running.answer("cut-off-by-hand", note="unplugged it")
    running.work()
    assert set(asked(breach)) == running.waiting() != {"cut-off-by-hand"}
    must_hold(breach.house)


def test_a_run_that_is_cancelled_calls_nobody_any_more(breach: Breach, service: ChatDesk) -> None:
    reach(breach, service, "bo")
    running = start(breach)
    running.work()
    assert service.paths == ["/bo"]
    made = breach.made
    with made.store.write(breach.id, kind="run.cancelled", actor="ana", now=made.clock()) as change:
        cancel_run(change, made.store, run_named(change.session, running.id), by="ana", reason="stop")
    assert asked(breach) == {}
    breach.later(hours=1)
    breach.work()
    assert service.paths == ["/bo"]
    must_hold(breach.house)


def test_an_incident_that_is_closed_calls_nobody(breach: Breach) -> None:
    running = start(breach)
    running.work()
    made = breach.made
    with made.store.write(breach.id, kind="incident.closed", actor="ana", now=made.clock()) as change:
        close_incident(change, breach.id, reason="a rehearsal")
    assert asked(breach) == {}


def test_every_named_role_may_approve_and_unknown_ones_mean_approvers() -> None:
    assert roles_of_approval(["dpo", "counsel", "approver"]) == (Role.APPROVER, Role.COUNSEL)
    assert roles_of_approval(["counsel", "communicator"]) == (Role.COUNSEL, Role.COMMUNICATOR)
    assert roles_of_approval(["dpo"]) == roles_of_approval([]) == (Role.APPROVER,)
