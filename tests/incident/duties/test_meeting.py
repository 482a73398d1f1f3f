"""Duties that were met outside of Tocsin: recorded with when, how and why late, and taken back by a further entry."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from incident.duties.evaluating import MET, ChangeKind
from incident.duties.meeting import met_lines
from incident.errors import BadInput, NotFound, Refused
from incident.law.findings import DutyState
from incident.ops.meeting import hand_in
from incident.record.dossier import load_dossier
from incident.record.instructions import OrderEffect
from incident.report.versions import DRAFT, SUBMITTED, fill_report, keep_version, report_duties
from incident.store.tables import DutyRow, Report
from tests.support.breaches import Breach, make_breach
from tests.support.holds import order
from tests.support.lived_in import must_hold
from tests.support.waiving import PEOPLE, evidence, met, not_met, rows
from tests.support.workspaces import all_rows, run_sql

REPORT = "eu-gdpr/authority"
FOLLOWS = """
id: two-steps
title: {zh-Hans: 两步报告, en: Two steps}
authority: {zh-Hans: 主管机关, en: the authority}
country: EU
zone: Europe/Brussels
in_force: {from: 2020-01-01}
applies: {field: eu_data_subjects, is: true}
article: Art. 23
source: https://example.org
confidence: verified
recipients: {office: {zh-Hans: 主管机关, en: the authority}}
duties:
  - id: first
    kind: report_authority
    phase: initial
    title: {zh-Hans: 初报, en: First report}
    article: Art. 23(4)(b)
    confidence: verified
    anchor: {earliest: [aware_at], assume: [discovered_at]}
    recipients: [office]
    within: PT72H
  - id: last
    kind: report_authority
    phase: final
    title: {zh-Hans: 终报, en: Final report}
    article: Art. 23(4)(d)
    confidence: verified
    anchor: {submission_of: first}
    recipients: [office]
    within: P1M
"""


@pytest.fixture
def breach(tmp_path: Path) -> Breach:
    return make_breach(tmp_path)


def due_of(breach: Breach, duty_id: str) -> DutyRow:
    row = rows(breach)[duty_id]
    assert row.due_at is not None
    return row


def test_a_duty_met_in_time_stands_as_met_with_how_and_on_what_evidence(breach: Breach) -> None:
    paper = evidence(breach)
    entries = len(breach.made.store.entries(breach.id))
    met(breach, REPORT, how="on the portal, number 7", shown_by=(paper[:8],))
    assert len(breach.made.store.entries(breach.id)) == entries + 1
    with breach.made.store.read() as session:
        line = met_lines(session, breach.made.store, breach.id)[REPORT]
    assert (line.at, line.how, line.evidence, line.late_reason) == (
        breach.made.clock(),
        "on the portal, number 7",
        (paper,),
        "",
    )


def test_how_it_was_met_stays_whatever_the_facts_say_next(breach: Breach) -> None:
    met(breach, REPORT, shown_by=(evidence(breach),))
    before = breach.made.store.open(rows(breach)[REPORT], incident_id=breach.id)
    breach.state(aware_at="2026-11-22 10:00")
    after = breach.made.store.open(rows(breach)[REPORT], incident_id=breach.id)
    assert after["due_at"] != before["due_at"]
    for name in ("met_by", "met_evidence", "late_reason"):
        assert after[name] == before[name]


def test_the_clock_of_another_duty_runs_from_there_in_the_same_change(tmp_path: Path) -> None:
    breach = make_breach(tmp_path)
    folder = breach.made.workspace.root / "regimes"
    folder.mkdir()
    (folder / "two-steps.yaml").write_text(FOLLOWS, "utf-8")
    breach.state(persons="7")
    assert rows(breach)["two-steps/last"].due_at is None
    [change] = met(breach, "two-steps/first")
    assert (change.duty_id, change.kind) == ("two-steps/last", ChangeKind.DUE_CHANGED)
    assert change.after is not None and change.after > breach.made.clock() + timedelta(days=27)
    assert rows(breach)["two-steps/last"].due_at == change.after
    [back] = not_met(breach, "two-steps/first")
    assert (back.duty_id, back.after) == ("two-steps/last", None)


def test_a_duty_that_was_never_stored_is_evaluated_first(tmp_path: Path) -> None:
    breach = make_breach(tmp_path)
    folder = breach.made.workspace.root / "regimes"
    folder.mkdir()
    (folder / "two-steps.yaml").write_text(FOLLOWS, "utf-8")
    met(breach, "two-steps/first")
    assert rows(breach)["two-steps/first"].state == MET


def test_after_its_end_it_is_late_and_takes_a_reason(breach: Breach) -> None:
    due = due_of(breach, REPORT).due_at
    assert due is not None
    breach.made.clock.now = due
    met(breach, REPORT)
    not_met(breach, REPORT)
    breach.made.clock.move(minutes=1)
    before = all_rows(breach.made.store)
    with pytest.raises(Refused, match="was met late"):
        met(breach, REPORT)
    assert all_rows(breach.made.store) == before
    met(breach, REPORT, late_reason="the portal was down")
    with breach.made.store.read() as session:
        assert met_lines(session, breach.made.store, breach.id)[REPORT].late_reason == "the portal was down"
    said = load_dossier(breach.made.store, breach.id).sheet["delay_reasons"]
    assert said == "the portal was down", "the report asks for it as a fact"


def test_the_reason_on_record_is_enough(breach: Breach) -> None:
    breach.state(delay_reasons="a holiday")
    breach.made.clock.move(days=5)
    met(breach, REPORT)
    with breach.made.store.read() as session:
        assert met_lines(session, breach.made.store, breach.id)[REPORT].late_reason == "a holiday"


def test_what_was_met_by_mistake_is_taken_back_and_stands_again(breach: Breach) -> None:
    before = rows(breach)[REPORT]
    met(breach, REPORT)
    not_met(breach, REPORT)
    after = rows(breach)[REPORT]
    assert (after.state, after.due_at, after.met_at) == (DutyState.owed, before.due_at, None)
    assert "met_by" not in breach.made.store.open(after, incident_id=breach.id)
    told = [recorded.body or {} for recorded in breach.made.store.recorded(breach.id)]
    assert {"duty": REPORT, "withdrawn": "the wrong incident"}.items() <= told[-1].items()
    with pytest.raises(Refused, match="does not stand as met"):
        not_met(breach, REPORT)


def test_people_told_in_another_way_take_evidence(breach: Breach) -> None:
    with pytest.raises(Refused, match="met by the notice"):
        met(breach, PEOPLE)
    met(breach, PEOPLE, shown_by=(evidence(breach),))
    assert rows(breach)[PEOPLE].state == MET


def test_what_cannot_be_is_refused_and_changes_nothing(breach: Breach) -> None:
    order(breach, OrderEffect.REQUIRE)
    now = breach.made.clock()
    breach.state(risk_to_people="unlikely")
    not_owed = next(row.duty_id for row in rows(breach).values() if row.state == DutyState.not_owed)
    open_duty = next(
        row
        for row in rows(breach).values()
        if row.state == DutyState.owed and row.kind == "report_authority" and row.anchor_at is not None
    )
    before = all_rows(breach.made.store)
    with pytest.raises(NotFound, match="there is no duty eu-gdpr/authorty") as nearest:
        met(breach, "eu-gdpr/authorty")
    assert REPORT in str(nearest.value.next_step)
    with pytest.raises(NotFound, match="evidence"):
        met(breach, open_duty.duty_id, shown_by=("f00",))
    with pytest.raises(Refused, match="still to come"):
        met(breach, open_duty.duty_id, at=now + timedelta(hours=1))
    assert open_duty.anchor_at is not None
    with pytest.raises(Refused, match="cannot have been met before"):
        met(breach, open_duty.duty_id, at=open_duty.anchor_at - timedelta(minutes=1))
    with pytest.raises(Refused, match="is not owed"):
        met(breach, not_owed)
    with pytest.raises(Refused, match="instruction"):
        met(breach, "instruction/I1")
    with pytest.raises(BadInput):
        met(breach, open_duty.duty_id, how="  ")
    assert all_rows(breach.made.store) == before


def test_met_twice_is_refused(breach: Breach) -> None:
    met(breach, REPORT)
    with pytest.raises(Refused, match="already"):
        met(breach, REPORT)


def test_a_report_that_was_handed_in_by_mistake_is_a_draft_again(breach: Breach) -> None:
    made, house = breach.made, breach.house
    dossier = load_dossier(made.store, breach.id)
    chosen = next(
        each for each in report_duties(house.findings(dossier), standing_only=True) if each.duty.id == REPORT
    )
    with made.store.write(breach.id, kind="report.submitted", actor="ana", now=made.clock()) as change:
        filled = fill_report(chosen, dossier, made.workspace, made.settings, now=change.at)
        version = keep_version(change, made.store, breach.id, filled)
        hand_in(house, change, breach.id, REPORT, at=change.at, how="portal", reference="7")
    with made.store.read() as session:
        kept = session.get(Report, version.id)
        assert kept is not None and kept.state == SUBMITTED
    not_met(breach, REPORT)
    with made.store.read() as session:
        kept = session.get(Report, version.id)
        assert kept is not None and (kept.state, kept.submitted_at) == (DRAFT, None)
    must_hold(house)


def test_what_the_notice_that_was_sent_has_met_is_not_taken_back(breach: Breach) -> None:
    made = breach.made
    met(breach, PEOPLE, shown_by=(evidence(breach),))
    run_sql(
        made.store,
        "INSERT INTO campaign (id, incident_id, notice_id, state, expected, opened_at, opened_by, ended_at)"
        " SELECT 'c', incident_id, 'n', 'ended', 1, met_at, 'ana', met_at FROM duty WHERE duty_id = :duty",
        duty=PEOPLE,
    )
    with pytest.raises(Refused, match="notice that was sent"):
        not_met(breach, PEOPLE)
