"""The house's own work for a playbook: it drafts, fills and waits; it releases nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlmodel import select

from incident.duties.evaluating import MET, meet_duty, stored_duties
from incident.law.regimes import DutyKind
from incident.response import events as e
from incident.response.extensions import Extension
from incident.response.working import HouseState
from incident.store.tables import Campaign, Notice, Report
from tests.support.breaches import Breach, make_breach, some_people
from tests.support.relays import recording_relay


def effect(extension: Extension, **params: str) -> e.DoInHouse:
    return e.DoInHouse(
        visit="v", step="s", title={"en": "s", "zh-Hans": "s"}, extension=extension, params=params
    )


def do(breach: Breach, task: str) -> tuple[HouseState, str]:
    answer = breach.house(effect(Extension.notice, task=task), incident_id=breach.id)
    return answer.state, answer.text


def report(breach: Breach, regime: str = "owed", phase: str = "next") -> tuple[HouseState, str]:
    answer = breach.house(
        effect(Extension.regulator_report, regime=regime, phase=phase), incident_id=breach.id
    )
    return answer.state, answer.text


def reports(breach: Breach) -> list[tuple[str, str, int]]:
    with breach.made.store.read() as session:
        rows = session.exec(select(Report).order_by("regime", "phase", "version")).all()
    return [(row.regime, row.phase, row.version) for row in rows]


def test_a_draft_is_made_also_where_something_is_missing_and_says_how_much(tmp_path: Path) -> None:
    breach = make_breach(tmp_path, measures=())
    state, text = do(breach, "draft")
    assert state is HouseState.DONE and "things missing" in text
    breach.log("closed", "contain.disable-endpoint")
    assert do(breach, "draft") == (HouseState.DONE, "notice version 2 drafted")
    assert do(breach, "draft") == (HouseState.DONE, "notice version 2 drafted")


def test_the_release_is_waited_for_and_never_made(tmp_path: Path) -> None:
    breach = make_breach(tmp_path)
    do(breach, "draft")
    assert do(breach, "release")[0] is HouseState.WAITING
    breach.sign("bo")
    assert do(breach, "release")[0] is HouseState.WAITING
    breach.sign("cy")
    assert do(breach, "release") == (HouseState.DONE, "notice version 1 released by bo, cy")


def test_sending_waits_for_the_release_then_for_the_last_person(tmp_path: Path) -> None:
    with recording_relay() as relay:
        breach = make_breach(tmp_path, people=some_people(2), relay_port=relay.port)
        assert do(breach, "send")[0] is HouseState.WAITING
        with breach.made.store.read() as session:
            assert session.exec(select(Campaign)).all() == []
        breach.release()
        assert do(breach, "send") == (HouseState.WAITING, "the notice is being sent")
        assert do(breach, "send") == (HouseState.WAITING, "the notice is being sent")
        breach.work()
        assert do(breach, "send") == (HouseState.DONE, "the notice went out to 2 people")
    with breach.made.store.read() as session:
        assert len(session.exec(select(Campaign)).all()) == 1


def test_a_second_released_notice_is_sent_though_the_first_one_went_out(tmp_path: Path) -> None:
    with recording_relay() as relay:
        breach = make_breach(tmp_path, people=some_people(2), relay_port=relay.port)
        breach.release()
        do(breach, "send")
        breach.work()
        breach.made.clock.move(days=1)
        breach.state(persons=4711)
        breach.release()
        assert do(breach, "send")[0] is HouseState.WAITING
        breach.work()
        assert do(breach, "send")[0] is HouseState.DONE
    assert len(relay.taken) == 4
    with breach.made.store.read() as session:
        assert len(session.exec(select(Notice)).all()) == len(session.exec(select(Campaign)).all()) == 2


def test_a_broken_promise_fails_the_step_and_says_why(tmp_path: Path) -> None:
    breach = make_breach(
        tmp_path, people=some_people(1), mail={"country": "us"}, promises={"keep_in": ["cn"]}
    )
    breach.release()
    state, text = do(breach, "send")
    assert state is HouseState.FAILED and "promised" in text


def test_the_public_notice_is_waited_for(tmp_path: Path) -> None:
    with recording_relay() as relay:
        breach = make_breach(tmp_path, people=some_people(1), relay_port=relay.port)
        assert do(breach, "publish")[0] is HouseState.WAITING
        breach.release()
        do(breach, "send")
        breach.work()
    assert do(breach, "publish") == (HouseState.DONE, "the public notice is published")


def test_every_report_that_is_owed_next_is_prepared_once(tmp_path: Path) -> None:
    breach = make_breach(tmp_path)
    state, text = report(breach)
    assert state is HouseState.DONE
    first = reports(breach)
    assert ("cn-pipl-57", "initial", 1) in first and ("eu-gdpr", "initial", 1) in first
    assert all(phase == "initial" for _, phase, _ in first)
    assert "eu-gdpr (initial)" in text
    report(breach)
    assert reports(breach) == first


def test_one_regime_may_be_asked_for_by_name(tmp_path: Path) -> None:
    breach = make_breach(tmp_path)
    report(breach, regime="eu-gdpr", phase="initial")
    assert reports(breach) == [("eu-gdpr", "initial", 1)]
    assert report(breach, regime="br-lgpd")[1] == "no report of this phase is owed"


@pytest.mark.parametrize("regime", ["cn-cac-incident-2025"])
def test_after_a_phase_was_handed_in_the_next_one_is_prepared(tmp_path: Path, regime: str) -> None:
    breach = make_breach(tmp_path)
    store = breach.made.store
    with store.read() as session:
        owed = [
            row
            for row in stored_duties(session, breach.id)
            if row.regime == regime and row.kind == DutyKind.report_authority and row.state == "owed"
        ]
    phases = {row.duty_id: store.open(row, incident_id=breach.id)["phase"] for row in owed}
    if len(set(phases.values())) < 2:
        pytest.skip(f"{regime} owes only {sorted(phases.values())} here")
    with store.write(breach.id, kind="report.submitted", actor="ana", now=breach.made.clock()) as change:
        for duty_id, phase in phases.items():
            if phase == "initial":
                meet_duty(change, store, breach.id, duty_id, at=breach.made.clock(), how="by fax")
    report(breach, regime=regime)
    assert [phase for _, phase, _ in reports(breach)] and "initial" not in {
        phase for _, phase, _ in reports(breach)
    }
    with store.read() as session:
        assert MET in {row.state for row in stored_duties(session, breach.id)}
