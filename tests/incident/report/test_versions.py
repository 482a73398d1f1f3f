"""Reports from the record: which one is owed, kept by content, handed in once."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from sqlmodel import select

from incident.duties.evaluating import MET, met_duties, stored_duties
from incident.errors import NotFound, Refused
from incident.record.dossier import load_dossier
from incident.report.versions import (
    ReportDuty,
    choose,
    fill_report,
    keep_version,
    latest_report,
    record_submission,
    report_duties,
)
from incident.store.tables import Report
from tests.support.breaches import Breach, make_breach
from tests.support.workspaces import all_rows


@pytest.fixture
def breach(tmp_path: Path) -> Breach:
    return make_breach(tmp_path)


def owed(breach: Breach) -> list[ReportDuty]:
    return report_duties(
        breach.house.findings(load_dossier(breach.made.store, breach.id)), standing_only=True
    )


def keep(breach: Breach, chosen: ReportDuty) -> Report:
    made = breach.made
    with made.store.write(breach.id, kind="report.prepared", actor="ana", now=made.clock()) as change:
        dossier = load_dossier(made.store, breach.id)
        filled = fill_report(chosen, dossier, made.workspace, made.settings, now=change.at)
        return keep_version(change, made.store, breach.id, filled)


def submit(breach: Breach, duty_id: str, *, how: str = "by fax", reference: str = "") -> None:
    store, now = breach.made.store, breach.made.clock()
    with store.write(breach.id, kind="report.submitted", actor="ana", now=now) as change:
        record_submission(change, store, breach.id, duty_id, at=now, how=how, reference=reference)


def test_without_a_phase_the_first_that_stands_open_is_chosen(breach: Breach) -> None:
    duties = owed(breach)
    first = choose(duties, "cn-cac-incident-2025", None)
    assert first.duty.phase == "initial"
    met = {each.duty.id for each in duties if each.duty.phase == "initial"}
    following = choose(duties, "cn-cac-incident-2025", None, met=met)
    assert following.duty.phase != "initial"


def test_a_regime_or_phase_that_is_not_there_is_answered_with_those_that_are(breach: Breach) -> None:
    with pytest.raises(NotFound, match="xx-none") as wrong:
        choose(owed(breach), "xx-none", None)
    assert "eu-gdpr" in (wrong.value.next_step or "")
    with pytest.raises(NotFound, match="no phase 'annual'") as wrong:
        choose(owed(breach), "eu-gdpr", "annual")
    assert "initial" in (wrong.value.next_step or "")


def test_the_same_content_is_the_same_version_and_another_one_a_new_version(breach: Breach) -> None:
    chosen = choose(owed(breach), "eu-gdpr", "initial")
    first = keep(breach, chosen)
    assert keep(breach, chosen).id == first.id
    breach.state(persons=4711)
    second = keep(breach, choose(owed(breach), "eu-gdpr", "initial"))
    assert (first.version, second.version) == (1, 2)
    with breach.made.store.read() as session:
        newest = latest_report(session, breach.id, "eu-gdpr", "initial")
        assert newest is not None and newest.id == second.id
    document = breach.made.store.open(second, incident_id=breach.id)
    assert document["sha256"] == second.content_hash


def test_a_report_after_its_deadline_says_that_it_is_late(breach: Breach) -> None:
    chosen = choose(owed(breach), "eu-gdpr", "initial")
    assert chosen.duty.due_at is not None
    made, dossier = breach.made, load_dossier(breach.made.store, breach.id)
    in_time = fill_report(chosen, dossier, made.workspace, made.settings, now=chosen.duty.due_at)
    late = fill_report(
        chosen, dossier, made.workspace, made.settings, now=chosen.duty.due_at + timedelta(minutes=1)
    )
    assert in_time.as_document()["sha256"] != late.as_document()["sha256"]


def test_handing_in_meets_its_duty_and_marks_only_the_newest_version_of_its_phase(breach: Breach) -> None:
    duties = [each for each in owed(breach) if each.duty.regime == "cn-cac-incident-2025"]
    phases = {str(each.duty.phase) for each in duties}
    assert len(phases) > 1
    for each in duties:
        keep(breach, each)
    breach.state(persons=4711)
    initial = choose(owed(breach), "cn-cac-incident-2025", "initial")
    keep(breach, initial)
    submit(breach, initial.duty.id, reference="NO-17")
    with breach.made.store.read() as session:
        states = {
            (row.phase, row.version): row.state
            for row in session.exec(select(Report).where(Report.regime == "cn-cac-incident-2025")).all()
        }
        met = met_duties(session, breach.id)
        row = next(row for row in stored_duties(session, breach.id) if row.duty_id == initial.duty.id)
    assert states[("initial", 2)] == "submitted"
    assert {state for place, state in states.items() if place != ("initial", 2)} == {"draft"}
    assert met == {initial.duty.id} and row.state == MET
    assert breach.made.store.open(row, incident_id=breach.id)["met_by"] == "by fax; reference NO-17"


def test_a_report_is_handed_in_once(breach: Breach) -> None:
    duty = choose(owed(breach), "eu-gdpr", "initial").duty
    submit(breach, duty.id)
    before = all_rows(breach.made.store)
    with pytest.raises(Refused, match="was met at"):
        submit(breach, duty.id)
    assert all_rows(breach.made.store) == before


def test_what_is_not_owed_or_not_known_cannot_be_handed_in(breach: Breach) -> None:
    duty = choose(owed(breach), "eu-gdpr", "initial").duty
    breach.state(eu_data_subjects=False)
    with pytest.raises(Refused, match="not owed"):
        submit(breach, duty.id)
    with pytest.raises(NotFound, match="no duty"):
        submit(breach, "eu-gdpr/nothing")


def test_a_report_that_was_telephoned_needs_no_version(breach: Breach) -> None:
    submit(breach, choose(owed(breach), "eu-gdpr", "initial").duty.id, how="by phone")
    with breach.made.store.read() as session:
        assert session.exec(select(Report)).all() == []


def test_a_kept_report_is_sealed(breach: Breach) -> None:
    keep(breach, choose(owed(breach), "eu-gdpr", "initial"))
    breach.made.store.close()
    assert "示例移动".encode() not in breach.made.database.read_bytes()
