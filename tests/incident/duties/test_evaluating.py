"""Duties are stored with the facts they follow from, and what changed is told."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlmodel import select

from incident.duties.evaluating import (
    MET,
    ChangeKind,
    DutyChange,
    evaluate_duties,
    findings_for,
    meet_duty,
    met_duties,
    rules_in_use,
    stored_duties,
)
from incident.law.findings import DutyState
from incident.law.regimes import SHIPPED
from incident.record.dossier import load_dossier
from incident.record.facts import Certainty, Fact
from incident.record.incidents import state_facts
from incident.settings import Settings
from incident.store.tables import DutyRow, Evaluation, FactRow
from tests.support.breaches import Breach, make_breach
from tests.support.workspaces import all_rows


def duties(breach: Breach) -> dict[str, DutyRow]:
    with breach.made.store.read() as session:
        return {row.duty_id: row for row in stored_duties(session, breach.id)}


def stating(breach: Breach, settings: Settings | None = None, **values: object) -> list[DutyChange]:
    """State facts as they are and evaluate in the same change; returns what changed."""
    made = breach.made
    facts = [
        Fact(name, value, "ana", "log", Certainty.confirmed, made.clock())  # type: ignore[arg-type]
        for name, value in values.items()
    ]
    with made.store.write(breach.id, kind="facts.stated", actor="ana", now=made.clock()) as change:
        state_facts(made.store, change, breach.id, facts)
        return evaluate_duties(change, made.store, made.workspace, settings or made.settings, breach.id)


def a_report_of(breach: Breach, regime: str) -> DutyRow:
    return next(
        row
        for row in duties(breach).values()
        if row.regime == regime and row.kind == "report_authority" and row.due_at is not None
    )


def test_a_failure_leaves_neither_the_fact_nor_its_duties(tmp_path: Path) -> None:
    breach = make_breach(tmp_path)
    before = all_rows(breach.made.store)
    made = breach.made
    with (
        pytest.raises(RuntimeError),
        made.store.write(breach.id, kind="facts.stated", actor="ana", now=made.clock()) as change,
    ):
        evaluate_duties(change, made.store, made.workspace, made.settings, breach.id)
        raise RuntimeError
    assert all_rows(made.store) == before


def test_a_broken_regime_of_the_workspaces_own_stops_no_fact_and_no_other_law(tmp_path: Path) -> None:
    breach = make_breach(tmp_path)
    before = duties(breach).keys()
    own = breach.made.workspace.root / "regimes"
    own.mkdir()
    (own / "own.yaml").write_text("id: [not a regime", encoding="utf-8")
    stating(breach, cii_involved=True)
    assert before <= duties(breach).keys()
    [broken] = rules_in_use(breach.made.workspace).broken
    assert "own.yaml, line 1" in (broken.where or "")


def test_a_slip_in_a_regime_of_the_workspaces_own_does_not_stop_its_clock(tmp_path: Path) -> None:
    breach = make_breach(tmp_path)
    own = breach.made.workspace.root / "regimes"
    own.mkdir()
    text = (SHIPPED / "cn-pipl-57.yaml").read_text("utf-8").replace("id: cn-pipl-57", "id: own-clause", 1)
    (own / "own-clause.yaml").write_text(text, encoding="utf-8")
    stating(breach, cii_involved=True)
    ran = duties(breach)["own-clause/authority"].state
    assert ran == DutyState.owed
    (own / "own-clause.yaml").write_text(text.replace("country: CN", "country: China"), encoding="utf-8")
    stating(breach, cii_involved=False)
    assert duties(breach)["own-clause/authority"].state == ran
    (own / "own-clause.yaml").unlink()
    stating(breach, cii_involved=True)
    assert duties(breach)["own-clause/authority"].state == DutyState.not_owed


def test_the_fact_and_its_duties_are_stored_in_one_change(tmp_path: Path) -> None:
    breach = make_breach(tmp_path)
    entries = len(breach.made.store.entries(breach.id))
    stating(breach, eu_data_subjects=False)
    assert len(breach.made.store.entries(breach.id)) == entries + 1
    last = list(breach.made.store.recorded(breach.id))[-1]
    assert last.body is not None
    tables = {row["table"] for row in last.body["rows"]}
    assert {FactRow.__tablename__, DutyRow.__tablename__, Evaluation.__tablename__} <= tables


def test_a_duty_that_no_longer_applies_falls_away_and_comes_back(tmp_path: Path) -> None:
    breach = make_breach(tmp_path)
    report = a_report_of(breach, "eu-gdpr")
    gone = {each.duty_id: each for each in stating(breach, eu_data_subjects=False)}
    assert gone[report.duty_id] == DutyChange(report.duty_id, ChangeKind.FALLEN_AWAY, report.due_at, None)
    assert duties(breach)[report.duty_id].state == DutyState.not_owed
    back = {each.duty_id: each for each in stating(breach, eu_data_subjects=True)}
    assert back[report.duty_id] == DutyChange(report.duty_id, ChangeKind.ARISEN, None, report.due_at)


def test_a_later_anchor_changes_when_it_is_due(tmp_path: Path) -> None:
    breach = make_breach(tmp_path)
    report = a_report_of(breach, "eu-gdpr")
    assert report.due_at is not None
    aware = load_dossier(breach.made.store, breach.id).sheet["aware_at"]
    assert isinstance(aware, datetime)
    changes = {each.duty_id: each for each in stating(breach, aware_at=aware + timedelta(hours=5))}
    assert changes[report.duty_id].kind is ChangeKind.DUE_CHANGED
    assert changes[report.duty_id].after == report.due_at + timedelta(hours=5)


def test_what_becomes_unknown_is_assumed_and_what_becomes_known_no_longer(tmp_path: Path) -> None:
    breach = make_breach(tmp_path)
    unknown = stating(breach, eu_data_subjects=None)
    assert ChangeKind.NOW_ASSUMED in {each.kind for each in unknown if each.duty_id.startswith("eu-gdpr/")}
    known = stating(breach, eu_data_subjects=True)
    assert ChangeKind.NO_LONGER_ASSUMED in {
        each.kind for each in known if each.duty_id.startswith("eu-gdpr/")
    }


def test_the_same_facts_again_change_nothing(tmp_path: Path) -> None:
    breach = make_breach(tmp_path)
    before = {name: row.model_dump() for name, row in duties(breach).items()}
    breach.made.clock.move(minutes=10)
    assert stating(breach) == []
    assert {name: row.model_dump() for name, row in duties(breach).items()} == before


def test_a_duty_that_was_met_stays_met_with_how_whatever_the_facts_say_next(tmp_path: Path) -> None:
    breach = make_breach(tmp_path)
    report, store = a_report_of(breach, "eu-gdpr"), breach.made.store
    at = breach.made.clock()
    with store.write(breach.id, kind="duty.met", actor="ana", now=at) as change:
        assert meet_duty(change, store, breach.id, report.duty_id, at=at, how="sent by fax")
        assert not meet_duty(change, store, breach.id, report.duty_id, at=at, how="and again")
    aware = load_dossier(store, breach.id).sheet["aware_at"]
    assert isinstance(aware, datetime)
    breach.made.clock.move(hours=1)
    told = [*stating(breach, aware_at=aware + timedelta(hours=5)), *stating(breach, eu_data_subjects=False)]
    assert report.duty_id not in {each.duty_id for each in told}
    row = duties(breach)[report.duty_id]
    assert (row.state, row.met_at) == (MET, at)
    assert store.open(row, incident_id=breach.id)["met_by"] == "sent by fax"
    with store.read() as session:
        assert met_duties(session, breach.id) == {report.duty_id}


def test_one_duty_met_closes_no_other(tmp_path: Path) -> None:
    breach = make_breach(tmp_path)
    store, report = breach.made.store, a_report_of(breach, "eu-gdpr")
    before = {name: row.state for name, row in duties(breach).items()}
    with store.write(breach.id, kind="duty.met", actor="ana", now=breach.made.clock()) as change:
        meet_duty(change, store, breach.id, report.duty_id, at=change.at, how="by post")
    after = {name: row.state for name, row in duties(breach).items()}
    assert {name for name in after if after[name] != before[name]} == {report.duty_id}


def test_a_duty_that_is_not_owed_cannot_be_met(tmp_path: Path) -> None:
    breach = make_breach(tmp_path)
    report = a_report_of(breach, "eu-gdpr")
    stating(breach, eu_data_subjects=False)
    store = breach.made.store
    with store.write(breach.id, kind="duty.met", actor="ana", now=breach.made.clock()) as change:
        assert not meet_duty(change, store, breach.id, report.duty_id, at=change.at, how="by post")
        assert not meet_duty(change, store, breach.id, "no/such", at=change.at, how="by post")


def test_a_country_that_leaves_the_scope_takes_its_duties_with_it(tmp_path: Path) -> None:
    breach = make_breach(tmp_path)
    standing = {
        name for name, row in duties(breach).items() if row.regime == "eu-gdpr" and row.state == "owed"
    }
    assert standing
    only_china = breach.made.settings.model_copy(
        update={"scope": breach.made.settings.scope.model_copy(update={"countries": ["cn"]})}
    )
    changes = stating(breach, only_china)
    fallen = {each.duty_id for each in changes if each.kind is ChangeKind.FALLEN_AWAY}
    assert standing <= fallen
    assert {duties(breach)[name].state for name in standing} == {DutyState.not_owed}
    assert stating(breach, only_china) == []


def test_a_workspace_s_own_regime_of_the_same_id_wins_and_names_other_rules(tmp_path: Path) -> None:
    breach = make_breach(tmp_path)
    shipped = rules_in_use(breach.made.workspace)
    folder = breach.made.workspace.root / "regimes"
    folder.mkdir()
    source = Path(__file__).parents[3] / "incident/law/regimes/eu-gdpr.yaml"
    text = source.read_text(encoding="utf-8")
    (folder / "eu-gdpr.yaml").write_text(text, encoding="utf-8")
    own = rules_in_use(breach.made.workspace)
    assert own.hash != shipped.hash
    assert sorted(each.id for each in own.regimes) == sorted(each.id for each in shipped.regimes)


def test_an_evaluation_keeps_what_it_was_made_from_so_that_it_can_be_made_again(tmp_path: Path) -> None:
    breach = make_breach(tmp_path)
    store, made = breach.made.store, breach.made
    with store.read() as session:
        row = session.exec(select(Evaluation).order_by("at")).all()[-1]
    content = store.open(row, incident_id=breach.id)
    assert row.rules_hash == rules_in_use(made.workspace).hash
    assert content["inputs"]["scope"] == ["cn", "eu"]
    assert content["inputs"]["facts"]["personal_data_breach"] == "actual"
    again = findings_for(
        load_dossier(store, breach.id).sheet,
        made.settings,
        rules_in_use(made.workspace),
        now=datetime.fromisoformat(content["inputs"]["now"]),
    )
    assert content["outcomes"] == {finding.regime: str(finding.outcome) for finding in again}
