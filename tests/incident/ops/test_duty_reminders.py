"""Reminders of duties: told when they are due and once, also after a downtime, and settled with the duty."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlmodel import col, select

from incident.duties.evaluating import meet_duty, stored_duties
from incident.duties.reminding import DUTIES_JOB
from incident.law.findings import STANDING
from incident.ops.house import evaluate
from incident.ops.owing import put_missing_jobs
from incident.record.holds import Cover
from incident.record.incidents import close_incident
from incident.record.operators import Role
from incident.record.summons import Reason, all_summons
from incident.store.tables import DutyReminder, DutyRow, Job, Summons
from tests.support.breaches import Breach, make_breach
from tests.support.lived_in import must_hold
from tests.support.postgres import PostgresServer
from tests.support.waiving import PEOPLE, may_be_waived, waived_by
from tests.support.workspaces import run_sql


@pytest.fixture
def breach(tmp_path: Path, store_on: PostgresServer | None) -> Breach:
    return reminded(tmp_path, on=store_on)


def reminded(tmp_path: Path, *, on: PostgresServer | None = None, **more: object) -> Breach:
    """A breach under European law only, with reminders as they are by default."""
    scope = {"countries": ["eu"]}
    return make_breach(tmp_path, on=on, scope=scope, reminders=more)


def reminders(breach: Breach, duty_id: str = "") -> list[str]:
    """The moments of which somebody was told, in order: of one duty, or of those with the given end."""
    with breach.made.store.read() as session:
        rows = session.exec(
            select(DutyReminder).order_by(col(DutyReminder.told_at), col(DutyReminder.due_at))
        ).all()
    return [row.moment for row in rows if duty_id in ("", row.duty_id)]


def summons(breach: Breach) -> list[Summons]:
    with breach.made.store.read() as session:
        return all_summons(session, breach.id)


def asked(breach: Breach) -> list[tuple[str, bool]]:
    """What was asked, in order, and whether that still stands open."""
    return [(row.reason, row.ended_at is None) for row in summons(breach)]


def duty(breach: Breach) -> DutyRow:
    """The duty that ends last of those with an end by law."""
    with breach.made.store.read() as session:
        rows = [row for row in stored_duties(session, breach.id) if row.due_at and row.state in STANDING]
    return max(rows, key=lambda row: (row.due_at or breach.made.clock(), row.duty_id))


def end_of(breach: Breach) -> datetime:
    end = duty(breach).due_at
    assert end is not None
    return end


def worked_at(breach: Breach, moment: datetime) -> None:
    breach.later(seconds=(moment - breach.made.clock()).total_seconds())
    breach.work()


def meet(breach: Breach, duty_id: str) -> None:
    store, now = breach.made.store, breach.made.clock()
    with store.write(breach.id, kind="report.submitted", actor="ana", now=now) as change:
        assert meet_duty(change, store, breach.id, duty_id, at=now, how="by fax")


def meet_all(breach: Breach) -> None:
    with breach.made.store.read() as session:
        open_ones = [row.duty_id for row in stored_duties(session, breach.id) if row.state in STANDING]
    for duty_id in open_ones:
        meet(breach, duty_id)


def job_state(breach: Breach) -> str:
    with breach.made.store.read() as session:
        return session.exec(select(Job.state).where(Job.kind == DUTIES_JOB)).one()


def test_people_are_told_before_the_end_at_it_and_after_it_each_once(breach: Breach) -> None:
    end, one = end_of(breach), duty(breach).duty_id
    for minutes, told in ((-1441, 0), (-1440, 1), (-300, 1), (-240, 2), (-60, 3), (0, 4), (240, 5), (241, 5)):
        worked_at(breach, end + timedelta(minutes=minutes))
        assert len(reminders(breach, one)) == told, minutes
    assert reminders(breach, one) == ["-1440", "-240", "-60", "+0", "+240"]
    worked_at(breach, end + timedelta(days=30))
    worked_at(breach, end + timedelta(days=60))
    assert reminders(breach, one) == ["-1440", "-240", "-60", "+0", "+240", "+1440"]
    assert job_state(breach) == "open"
    must_hold(breach.house)


def test_after_a_downtime_over_the_end_it_is_told_once_that_it_ran_out(breach: Breach) -> None:
    one = duty(breach).duty_id
    worked_at(breach, end_of(breach) + timedelta(hours=3))
    assert reminders(breach, one) == ["+0"]
    [only] = [row for row in summons(breach) if row.ended_at is None]
    assert (only.reason, only.role) == (Reason.DUTY_PASSED, Role.COUNSEL)
    text = breach.made.store.open(only, incident_id=breach.id)["text"]
    assert f"({one})" in text["en"] and "ran out 3 h ago" in text["en"]
    assert f"（{one}）" in text["zh-Hans"] and "至今已过 3 小时" in text["zh-Hans"]


def test_the_call_ends_when_every_duty_that_it_is_about_is_met(breach: Breach) -> None:
    worked_at(breach, end_of(breach) + timedelta(hours=3))
    assert asked(breach) == [(Reason.DUTY_PASSED, True)]
    meet_all(breach)
    assert asked(breach) == [(Reason.DUTY_PASSED, False)]
    breach.later(hours=500)
    breach.work()
    assert len(asked(breach)) == 1
    must_hold(breach.house)


def test_the_call_ends_when_the_duty_is_not_owed_any_more(breach: Breach) -> None:
    worked_at(breach, end_of(breach) + timedelta(hours=3))
    breach.state(eu_data_subjects="no", aware_at="2026-11-23 15:30")
    with breach.made.store.read() as session:
        if any(row.state in STANDING for row in stored_duties(session, breach.id)):
            pytest.skip("this regime no longer turns on the people in the Union")
    assert not any(open_ for _, open_ in asked(breach))


def test_a_call_that_is_near_its_end_gives_way_to_the_one_that_it_ran_out(breach: Breach) -> None:
    end = end_of(breach)
    worked_at(breach, end - timedelta(minutes=30))
    assert (Reason.DUTY_DUE, True) in asked(breach)
    worked_at(breach, end + timedelta(minutes=1))
    assert asked(breach)[-1] == (Reason.DUTY_PASSED, True)
    assert (Reason.DUTY_DUE, True) not in asked(breach)


def test_while_nobody_answers_there_is_one_call_at_a_time(breach: Breach) -> None:
    end = end_of(breach)
    for minutes in (-1440, -240, -60, 0, 240, 480):
        worked_at(breach, end + timedelta(minutes=minutes))
        standing = [reason for reason, open_ in asked(breach) if open_]
        assert len(standing) == len(set(standing))


def test_an_end_that_moved_later_settles_the_call_and_reminds_anew(breach: Breach) -> None:
    end, one = end_of(breach), duty(breach).duty_id
    worked_at(breach, end + timedelta(minutes=1))
    before = len(reminders(breach, one))
    row = duty(breach)
    assert row.anchor_at is not None
    breach.state(discovered_at="2026-11-26 15:00", aware_at="2026-11-26 15:00")
    moved = {each.duty_id: each.due_at for each in all_duties(breach)}[one]
    assert moved is not None and moved > end, "the end did not move"
    assert not any(open_ for _, open_ in asked(breach))
    worked_at(breach, moved - timedelta(minutes=30))
    assert reminders(breach, one)[before:] == ["-60"]


def all_duties(breach: Breach) -> list[DutyRow]:
    with breach.made.store.read() as session:
        return list(stored_duties(session, breach.id))


def test_a_duty_without_hours_is_reminded_of_by_the_houses_own_target(tmp_path: Path) -> None:
    breach = make_breach(tmp_path, reminders={}, scope={"countries": ["cn"]})
    at_once = [
        row
        for row in all_duties(breach)
        if row.state in STANDING and row.due_at is None and row.urgency == "immediately" and row.anchor_at
    ]
    if not at_once:
        pytest.skip("no regime of this record says “immediately”")
    row = at_once[0]
    assert row.anchor_at is not None
    target = row.anchor_at + timedelta(hours=breach.made.settings.targets.immediately_hours)
    worked_at(breach, target + timedelta(minutes=5))
    assert reminders(breach, row.duty_id)[-1] == "+0"
    texts = [breach.made.store.open(each, incident_id=breach.id)["text"] for each in summons(breach)]
    assert any("our own target" in text["en"] and "内部目标时间" in text["zh-Hans"] for text in texts)


def test_a_lost_job_is_put_again_and_tells_nothing_twice(tmp_path: Path) -> None:
    breach = reminded(tmp_path)
    worked_at(breach, end_of(breach) - timedelta(minutes=30))
    before = reminders(breach)
    run_sql(breach.made.store, "DELETE FROM job WHERE kind = 'duties'")
    with breach.made.store.transaction() as session:
        assert [each.kind for each in put_missing_jobs(session)] == [DUTIES_JOB]
    breach.work()
    assert reminders(breach) == before
    with breach.made.store.transaction() as session:
        assert put_missing_jobs(session) == []


def test_of_a_closed_incident_nobody_is_reminded(tmp_path: Path) -> None:
    breach = reminded(tmp_path)
    store, now = breach.made.store, breach.made.clock()
    with store.write(breach.id, kind="incident.closed", actor="ana", now=now) as change:
        close_incident(change, breach.id, reason="a false alarm")
    breach.later(hours=500)
    breach.work()
    assert (reminders(breach), asked(breach), job_state(breach)) == ([], [], "done")


def test_the_change_that_fails_leaves_neither_duties_nor_a_job(tmp_path: Path) -> None:
    breach = reminded(tmp_path)
    store = breach.made.store
    run_sql(store, "DELETE FROM job WHERE kind = 'duties'")
    with (
        pytest.raises(RuntimeError),
        store.write(breach.id, kind="facts.stated", actor="ana", now=breach.made.clock()) as change,
    ):
        evaluate(breach.house, change, breach.id)
        raise RuntimeError
    assert run_rows(breach) == 0


def run_rows(breach: Breach) -> int:
    with breach.made.store.read() as session:
        return len(session.exec(select(Job.key).where(Job.kind == DUTIES_JOB)).all())


def test_a_clock_set_far_ahead_and_back_again_still_reminds_before_the_end(tmp_path: Path) -> None:
    breach = reminded(tmp_path)
    end, one = end_of(breach), duty(breach).duty_id
    began = breach.made.clock()
    worked_at(breach, end + timedelta(days=2))
    worked_at(breach, began + timedelta(hours=1))
    worked_at(breach, end - timedelta(minutes=50))
    assert reminders(breach, one).count("-60") == 1
    must_hold(breach.house)


def test_a_clock_set_back_tells_nothing_that_it_did_not_reach(tmp_path: Path) -> None:
    breach = reminded(tmp_path)
    end = end_of(breach)
    worked_at(breach, end - timedelta(minutes=50))
    before = reminders(breach)
    worked_at(breach, end - timedelta(hours=60))
    assert reminders(breach) == before


def test_under_a_hold_on_chats_only_the_number_leaves(tmp_path: Path) -> None:
    from sqlmodel import Session

    from incident.ops.escalation import _message
    from tests.support.holds import hold

    breach = reminded(tmp_path)
    worked_at(breach, end_of(breach) - timedelta(minutes=50))
    hold(breach, Cover.CHAT, hours=48)
    with Session(breach.made.store.engine) as session:
        row = session.exec(select(Summons).where(Summons.reason == Reason.DUTY_DUE)).first()
        assert row is not None
        words = _message(session, breach.made.store, row, breach.made.settings)
    assert words.silent
    assert words.text == f"{breach.id} 需要您处理\n{breach.id} needs you"


def test_a_duty_that_is_waived_is_no_longer_asked_for(tmp_path: Path) -> None:
    breach = make_breach(tmp_path, scope={"countries": ["cn"]}, reminders={})
    may_be_waived(breach)
    with breach.made.store.read() as session:
        others = [
            row.duty_id
            for row in stored_duties(session, breach.id)
            if row.state in STANDING and row.duty_id != PEOPLE
        ]
    for duty_id in others:
        meet(breach, duty_id)
    # The law names no hours for it; our own target ran out.
    breach.later(days=2)
    breach.work()
    assert reminders(breach, PEOPLE)
    assert (str(Reason.DUTY_PASSED), True) in asked(breach)
    waived_by(breach, breach.signers["bo"])
    assert not [reason for reason, is_open in asked(breach) if is_open and reason == Reason.DUTY_PASSED]
    must_hold(breach.house)
