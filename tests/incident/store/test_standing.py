"""What is asked in bare SQL is what the rows say, on both engines."""

from __future__ import annotations

from pathlib import Path

import pytest

from incident.record.dossier import load_dossier
from incident.record.holds import standing_holds
from incident.record.instructions import OrderEffect
from incident.record.operators import Role
from incident.record.summons import Reason, open_summons, settle_all_summons, summon
from incident.store.standing import hold_stands, somebody_is_called, was_ordered
from tests.support.breaches import Breach, make_breach
from tests.support.holds import hold, lift, order, settle
from tests.support.postgres import PostgresServer
from tests.support.workspaces import open_one


@pytest.fixture
def breach(tmp_path: Path, store_on: PostgresServer | None) -> Breach:
    return make_breach(tmp_path, on=store_on)


def test_a_hold_stands_until_it_is_lifted_also_when_its_time_is_over(breach: Breach) -> None:
    other = open_one(breach.made)

    def stands() -> bool:
        with breach.made.store.read() as session:
            said = hold_stands(session, breach.id)
            assert said == bool(standing_holds(session, breach.id))
            assert not hold_stands(session, other)
            return said

    assert not stands()
    first, second = hold(breach, hours=1), hold(breach)
    breach.made.clock.move(hours=2)
    lift(breach, second)
    assert stands()
    lift(breach, first)
    assert not stands()


def test_an_order_was_given_also_when_it_was_settled(breach: Breach) -> None:
    other = open_one(breach.made)

    def ordered(incident_id: str) -> bool:
        with breach.made.store.read() as session:
            said = was_ordered(session, incident_id)
        assert said == bool(load_dossier(breach.made.store, incident_id).instructions)
        return said

    assert not ordered(breach.id)
    label = order(breach, OrderEffect.REQUIRE)
    assert ordered(breach.id)
    settle(breach, label)
    assert ordered(breach.id)
    assert not ordered(other)


def test_somebody_is_called_until_it_is_settled_in_one_incident_or_in_any(breach: Breach) -> None:
    made, other = breach.made, open_one(breach.made)

    def called(incident_id: str | None) -> bool:
        with made.store.read() as session:
            said = somebody_is_called(session, incident_id)
            assert said == bool(open_summons(session, incident_id))
            return said

    assert not called(breach.id)
    assert not called(None)
    with made.store.write(breach.id, kind="asked", actor="ana", now=made.clock()) as change:
        summon(
            change,
            made.store,
            breach.id,
            reason=Reason.STEP,
            subject_id="step",
            role=Role.RESPONDER,
            text={},
        )
    assert called(breach.id)
    assert called(None)
    assert not called(other)
    with made.store.write(breach.id, kind="settled", actor="ana", now=made.clock()) as change:
        settle_all_summons(change, breach.id)
    assert not called(breach.id)
    assert not called(None)
