"""The end of containment's time: responders are asked once, and nothing is taken back by itself."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlmodel import col, select

from incident.errors import Refused
from incident.ops.check import check
from incident.ops.owing import put_missing_jobs
from incident.response.containment import containment_of, keep_in_force
from incident.response.undoing import start_undo
from incident.store.tables import Summons
from tests.support.accounts import CONTAINING, AccountService
from tests.support.breaches import Breach, make_breach
from tests.support.postgres import PostgresServer
from tests.support.runs import Running, install, start
from tests.support.workspaces import run_sql


@pytest.fixture
def service() -> Iterator[AccountService]:
    with AccountService() as found:
        yield found


@pytest.fixture
def breach(tmp_path: Path, store_on: PostgresServer | None) -> Breach:
    found = make_breach(tmp_path, measures=(), on=store_on)
    install(found.made.workspace.root, "contain", CONTAINING.replace("RADIUS", "one-account"))
    return found


def locked(breach: Breach, service: AccountService) -> Running:
    running = start(breach, name="contain", given={"__account__": "mallory", "__service__": service.url})
    running.work()
    return running


def asked(breach: Breach) -> list[bool]:
    """Whether each asking about the end of containment still stands open."""
    with breach.made.store.read() as session:
        found = select(Summons).where(Summons.reason == "containment-ended")
        rows = session.exec(found.order_by(col(Summons.asked_at))).all()
    assert {row.role for row in rows} <= {"responder"}
    return [row.ended_at is None for row in rows]


def later(breach: Breach, hours: float) -> None:
    breach.later(hours=hours)
    breach.work()


def keep(breach: Breach, hours: float) -> None:
    store, now = breach.made.store, breach.made.clock()
    with store.write(breach.id, kind="containment.kept", actor="ana", now=now) as change:
        until = now + timedelta(hours=hours)
        keep_in_force(change, store, breach.id, "C1", until=until, reason="not over yet")


def test_at_its_end_somebody_is_asked_once_and_it_stands_all_the_same(
    breach: Breach, service: AccountService
) -> None:
    locked(breach, service)
    later(breach, 0.9)
    assert asked(breach) == []
    later(breach, 0.2)
    later(breach, 5)
    assert asked(breach) == [True]
    assert not service.session_works("mallory"), "it never lifts by itself"
    assert [each.invariant.name for each in check(breach.house, pause=0.0).broken] == []


def test_kept_longer_it_asks_again_later(breach: Breach, service: AccountService) -> None:
    locked(breach, service)
    later(breach, 1.1)
    keep(breach, 2)
    assert asked(breach) == [False]
    later(breach, 1.5)
    assert asked(breach) == [False]
    later(breach, 1)
    assert asked(breach) == [False, True]
    with pytest.raises(Refused, match="this time is past"):
        keep(breach, -1)


def test_taking_it_back_settles_the_question(breach: Breach, service: AccountService) -> None:
    running = locked(breach, service)
    later(breach, 1.1)
    store, now = breach.made.store, breach.made.clock()
    with store.write(breach.id, kind="run.undone", actor="ana", now=now) as change:
        start_undo(change, store, running.id, step="lock")
    breach.work()
    assert asked(breach) == [False]
    with store.read() as session:
        assert containment_of(session, breach.id)[0].state == "undone"


def test_a_job_that_was_lost_is_put_again(breach: Breach, service: AccountService) -> None:
    locked(breach, service)
    run_sql(breach.made.store, "DELETE FROM job WHERE kind = 'containment'")
    broken = [each.invariant.name for each in check(breach.house, pause=0.0).broken]
    assert broken == ["containment.asks"]
    with breach.made.store.transaction() as session:
        assert "containment" in [each.kind for each in put_missing_jobs(session)]
    later(breach, 1.1)
    assert asked(breach) == [True]
