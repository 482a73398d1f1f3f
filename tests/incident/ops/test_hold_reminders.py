"""The end of a hold: counsel is called before it and asked at it; nothing is lifted by itself."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlmodel import col, select

from incident.ops.owing import put_missing_jobs
from incident.record.holds import HOLD_JOB, Cover, remind_at
from incident.record.operators import Role
from incident.record.summons import Reason
from incident.store.tables import Hold, Job, Summons
from tests.support.breaches import Breach, make_breach
from tests.support.holds import extend, hold, holds, lift
from tests.support.lived_in import must_hold
from tests.support.postgres import PostgresServer
from tests.support.workspaces import make_signer, run_sql


@pytest.fixture
def breach(tmp_path: Path, store_on: PostgresServer | None) -> Breach:
    return make_breach(tmp_path, on=store_on)


def asked(breach: Breach) -> list[tuple[str, bool]]:
    """What counsel was asked, in order, and whether that still stands open."""
    with breach.made.store.read() as session:
        rows = session.exec(select(Summons).order_by(col(Summons.asked_at), col(Summons.id))).all()
    assert {row.role for row in rows} <= {Role.COUNSEL}
    return [(row.reason, row.ended_at is None) for row in rows]


def job_state(breach: Breach) -> str:
    with breach.made.store.read() as session:
        return session.exec(select(Job.state).where(Job.kind == HOLD_JOB)).one()


def hours_later(breach: Breach, hours: float) -> None:
    breach.later(hours=hours)
    breach.work()


def test_counsel_is_called_four_hours_before_the_end_and_asked_at_it_each_once(breach: Breach) -> None:
    hold(breach, hours=48)
    hours_later(breach, 43.9)
    assert asked(breach) == []
    hours_later(breach, 0.2)
    assert asked(breach) == [(Reason.HOLD_ENDS, True)]
    hours_later(breach, 1)
    hours_later(breach, 2.8)
    assert asked(breach) == [(Reason.HOLD_ENDS, True)]
    hours_later(breach, 0.2)
    assert asked(breach) == [(Reason.HOLD_ENDS, False), (Reason.HOLD_ENDED, True)]
    hours_later(breach, 100)
    assert len(asked(breach)) == 2
    assert holds(breach)["H1"].stands
    assert job_state(breach) == "done"
    must_hold(breach.house)


@pytest.mark.parametrize(("length", "lead"), [(48.0, 4.0), (16.0, 4.0), (8.0, 2.0), (1.0, 0.25)])
def test_the_lead_is_a_quarter_of_the_length_and_four_hours_at_most(
    tmp_path: Path, length: float, lead: float
) -> None:
    breach = make_breach(tmp_path)
    hold(breach, hours=length)
    with breach.made.store.read() as session:
        row = session.exec(select(Hold)).one()
    assert (row.until_at - remind_at(row)).total_seconds() == lead * 3600


def test_after_a_downtime_over_its_end_only_the_question_is_asked(tmp_path: Path) -> None:
    breach = make_breach(tmp_path)
    hold(breach, hours=8)
    hours_later(breach, 500)
    assert asked(breach) == [(Reason.HOLD_ENDED, True)]


def test_what_is_asked_tells_the_hold_and_its_end_in_both_languages(tmp_path: Path) -> None:
    breach = make_breach(tmp_path)
    hold(breach, hours=8)
    hours_later(breach, 7)
    with breach.made.store.read() as session:
        row = session.exec(select(Summons)).one()
    text = breach.made.store.open(row, incident_id=breach.id)["text"]
    assert "H1" in text["en"] and "extend it or lift it" in text["en"]
    assert "H1" in text["zh-Hans"] and "延长还是解除" in text["zh-Hans"]


def test_an_extension_settles_the_call_and_calls_again_before_the_new_end(breach: Breach) -> None:
    label = hold(breach, hours=8)
    hours_later(breach, 7)
    extend(breach, label, hours=10)
    assert asked(breach) == [(Reason.HOLD_ENDS, False)]
    hours_later(breach, 2)
    assert len(asked(breach)) == 1, "it was called for too early"
    hours_later(breach, 7)
    assert asked(breach) == [(Reason.HOLD_ENDS, False), (Reason.HOLD_ENDS, True)]
    hours_later(breach, 2)
    assert asked(breach)[-1] == (Reason.HOLD_ENDED, True)
    extend(breach, label, hours=10)
    assert not any(open_ for _, open_ in asked(breach))


def test_lifting_settles_the_call_and_nobody_is_asked_any_more(breach: Breach) -> None:
    label = hold(breach, hours=8)
    hours_later(breach, 7)
    lift(breach, label)
    hours_later(breach, 50)
    assert asked(breach) == [(Reason.HOLD_ENDS, False)]
    assert job_state(breach) == "done"


def test_a_job_that_was_lost_is_put_again_and_calls_nobody_twice(tmp_path: Path) -> None:
    breach = make_breach(tmp_path)
    hold(breach, hours=8)
    hours_later(breach, 7)
    run_sql(breach.made.store, "DELETE FROM job WHERE kind = 'hold'")
    with breach.made.store.transaction() as session:
        assert [each.kind for each in put_missing_jobs(session)] == [HOLD_JOB]
    breach.work()
    assert asked(breach) == [(Reason.HOLD_ENDS, True)]
    hours_later(breach, 2)
    run_sql(breach.made.store, "DELETE FROM job WHERE kind = 'hold'")
    with breach.made.store.transaction() as session:
        assert put_missing_jobs(session) == []
    assert asked(breach)[-1] == (Reason.HOLD_ENDED, True)


def test_each_hold_is_asked_about_for_itself(tmp_path: Path) -> None:
    breach = make_breach(tmp_path)
    breach.signers["law"] = make_signer(breach.made, "law", roles=[Role.COUNSEL])
    first, second = hold(breach, Cover.PEOPLE, hours=8), hold(breach, Cover.CHAT, hours=8)
    hours_later(breach, 9)
    assert asked(breach) == [(Reason.HOLD_ENDED, True), (Reason.HOLD_ENDED, True)]
    lift(breach, first, name="law")
    assert sorted(open_ for _, open_ in asked(breach)) == [False, True]
    lift(breach, second, name="law")
    assert not any(open_ for _, open_ in asked(breach))
