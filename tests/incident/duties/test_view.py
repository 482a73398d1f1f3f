"""The order in which duties are looked at: what must be done at once, then by deadline, then the rest."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from incident.duties.evaluating import MET, meet_duty, stored_duties
from incident.duties.view import OPEN, DutyStatus, DutyView, view_duties
from incident.law.clocks import Urgency
from incident.law.evaluate import evaluate
from incident.law.regimes import DutyKind, load_regimes
from incident.record.dossier import load_dossier
from tests.support.breaches import Breach, make_breach
from tests.support.waiving import met as record_met


@pytest.fixture
def breach(tmp_path: Path) -> Breach:
    return make_breach(tmp_path)


def views(breach: Breach) -> list[DutyView]:
    dossier = load_dossier(breach.made.store, breach.id)
    with breach.made.store.read() as session:
        stored = {row.duty_id: row for row in stored_duties(session, breach.id)}
    findings = breach.house.findings(dossier)
    return view_duties(findings, stored, breach.made.settings, now=breach.made.clock())


def is_behind(view: DutyView) -> bool:
    return view.stands_behind or view.duty.kind is DutyKind.prepare


def test_open_duties_stand_before_the_met_and_those_before_the_rest(breach: Breach) -> None:
    store = breach.made.store
    met = next(view.duty.id for view in views(breach) if view.is_open)
    with store.write(breach.id, kind="duty.met", actor="ana", now=breach.made.clock()) as change:
        meet_duty(change, store, breach.id, met, at=change.at, how="done")
    kinds = [0 if view.is_open else 1 if view.state == MET else 2 for view in views(breach)]
    assert kinds == sorted(kinds) and {0, 1, 2} == set(kinds)
    shown = next(view for view in views(breach) if view.duty.id == met)
    assert (shown.state, shown.met_at, shown.is_overdue) == (MET, breach.made.clock(), False)


def test_at_once_stands_above_every_deadline(breach: Breach) -> None:
    running = [view for view in views(breach) if view.is_open and (view.duty.due_at or view.target_at)]
    at_once = [view.duty.urgency is Urgency.immediately for view in running]
    assert at_once == sorted(at_once, reverse=True) and True in at_once and False in at_once


def test_among_the_rest_the_earlier_deadline_comes_first(breach: Breach) -> None:
    later = [
        view.duty.due_at or view.target_at
        for view in views(breach)
        if view.is_open and view.duty.urgency is not Urgency.immediately and not is_behind(view)
    ]
    known = [moment for moment in later if moment is not None]
    assert known == sorted(known) and later[: len(known)] == known


def test_what_has_no_hours_in_law_shows_the_time_passed_and_our_own_target(breach: Breach) -> None:
    view = next(
        view
        for view in views(breach)
        if view.is_open and view.duty.urgency is Urgency.immediately and view.duty.within is None
    )
    assert view.elapsed is not None and view.elapsed > timedelta(0)
    assert view.left is None and not view.is_overdue
    assert view.duty.anchor_at is not None
    assert view.target_at == view.duty.anchor_at + timedelta(
        hours=breach.made.settings.targets.immediately_hours
    )


def test_a_deadline_that_has_passed_is_overdue_until_it_is_met(breach: Breach) -> None:
    breach.made.clock.move(days=30)
    late = [view for view in views(breach) if view.is_overdue]
    assert late
    store = breach.made.store
    with store.write(breach.id, kind="duty.met", actor="ana", now=breach.made.clock()) as change:
        meet_duty(change, store, breach.id, late[0].duty.id, at=change.at, how="late")
    assert late[0].duty.id not in {view.duty.id for view in views(breach) if view.is_overdue}


DAY = timedelta(hours=24)


def test_a_general_duty_stands_behind_a_particular_one_of_its_kind_until_that_is_met(breach: Breach) -> None:
    store = breach.made.store
    general = next(view for view in views(breach) if view.duty.id == "cn-csl-44/people")
    assert general.is_open and general.stands_behind and not general.comes_within(DAY)
    at_work = [view for view in views(breach) if view.is_open]
    places = [is_behind(view) for view in at_work if view.duty.due_at or view.target_at]
    assert places == sorted(places)
    particular = [
        view.duty.id
        for view in at_work
        if view.duty.kind is DutyKind.notify_people and not view.duty.is_general
    ]
    for duty_id in particular:
        with store.write(breach.id, kind="duty.met", actor="ana", now=breach.made.clock()) as change:
            meet_duty(change, store, breach.id, duty_id, at=change.at, how="told")
    left = next(view for view in views(breach) if view.duty.id == "cn-csl-44/people")
    assert particular and left.is_open and not left.stands_behind and left.comes_within(DAY)


def test_before_any_clock_runs_the_shortest_and_the_surest_stand_first(breach: Breach) -> None:
    found = evaluate(load_regimes(), {}, scope_countries=["CN"], now=breach.made.clock())
    order = [view.duty.id for view in view_duties(found, {}, breach.made.settings, now=breach.made.clock())]
    assert order[:2] == ["cn-pipl-57/authority", "cn-pipl-57/people"]
    assert order.index("cn-children-21/authority") == 2  # at once too, but written from memory
    assert order[3:5] == ["cn-cac-incident-2025/initial", "cn-cac-incident-2025/police"]
    assert order.index("cn-police-24h/police") < order.index("cn-cac-incident-2025/final")
    assert set(order[-7:]) == {
        "cn-civil-1038/authority", "cn-civil-1038/people", "cn-csl-44/authority", "cn-csl-44/people",
        "cn-dsl-29/authority", "cn-dsl-29/people", "cn-pi-audit-5/audit",
    }  # fmt: skip


def status_of(breach: Breach, duty_id: str) -> DutyStatus:
    return next(view.status for view in views(breach) if view.duty.id == duty_id)


def test_a_duty_is_running_assumed_met_or_met_late(breach: Breach) -> None:
    report = "eu-gdpr/authority"
    assert status_of(breach, report) is DutyStatus.RUNNING
    breach.state(eu_data_subjects="unknown")
    assert status_of(breach, report) is DutyStatus.ASSUMED
    breach.state(eu_data_subjects="yes")
    record_met(breach, report)
    assert status_of(breach, report) is DutyStatus.MET
    breach.state(aware_at="2026-11-01 09:00", discovered_at="2026-11-01 09:00")
    assert status_of(breach, report) is DutyStatus.LATE, "by the facts as they stand now"
    breach.state(risk_to_people="unlikely")
    assert status_of(breach, "eu-gdpr/people") is DutyStatus.NOT_APPLICABLE


def test_one_that_is_overdue_is_still_running(breach: Breach) -> None:
    breach.made.clock.move(days=30)
    late = [view for view in views(breach) if view.is_overdue]
    assert late and all(view.status in OPEN for view in late)


def test_what_waits_for_a_later_phase_is_not_looked_at_now(breach: Breach) -> None:
    final = "cn-cac-incident-2025/final"
    breach.state(people_disrupted="200000", handling_ended_at="unknown")
    shown = {view.duty.id: view for view in views(breach)}
    waiting = [view for view in shown.values() if view.is_open and view.waits_for_phase]
    assert not any(view.comes_within(timedelta(hours=24)) for view in waiting if view.left is None)
    if final in shown and shown[final].is_open:
        assert shown[final].waits_for_phase
        breach.state(handling_ended_at="2026-11-23 16:00")
        breach.made.clock.move(days=30)
        assert next(view for view in views(breach) if view.duty.id == final).comes_within(timedelta(hours=24))
