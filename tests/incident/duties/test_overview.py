"""The open duties of all incidents, told from what lies open: the nearest first, and whether they may lag behind."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from incident.duties.calendar import calendar_entries
from incident.duties.overview import OpenDuties, all_open, later_phases, open_duties, staleness
from incident.duties.view import view_duties
from incident.record.dossier import load_dossier
from incident.record.incidents import close_incident
from tests.support.breaches import Breach, make_breach
from tests.support.postgres import PostgresServer
from tests.support.waiving import may_be_waived, met, rows, waived_by
from tests.support.workspaces import open_one, run_sql

DAY = timedelta(hours=24)


@pytest.fixture
def breach(tmp_path: Path) -> Breach:
    return make_breach(tmp_path)


def seen(breach: Breach) -> dict[str, OpenDuties]:
    with breach.made.store.read() as session:
        found = open_duties(
            session, breach.house.rules, breach.made.settings, until=breach.made.clock() + DAY
        )
    return {each.incident_id: each for each in found}


def test_it_counts_what_the_view_of_the_incident_counts(breach: Breach) -> None:
    views = view_duties(
        breach.house.findings(load_dossier(breach.made.store, breach.id)),
        rows(breach),
        breach.made.settings,
        now=breach.made.clock(),
    )
    [line] = seen(breach).values()
    assert line.open == sum(view.is_open for view in views)
    assert line.soon == sum(view.comes_within(DAY) for view in views)
    ends = [view.duty.due_at or view.target_at for view in views if view.is_open]
    assert line.next_at == min(end for end in ends if end is not None)


def test_what_was_met_or_waived_counts_no_more(breach: Breach) -> None:
    may_be_waived(breach)
    before = seen(breach)[breach.id]
    waived_by(breach, breach.signers["bo"])
    met(breach, "eu-gdpr/authority")
    assert seen(breach)[breach.id].open == before.open - 2


def test_the_nearest_incident_comes_first_and_closed_ones_are_left_out(breach: Breach) -> None:
    other = replace(breach, id=open_one(breach.made))
    other.state(discovered_at="2026-11-01 09:00", personal_data_breach="actual", eu_data_subjects="yes")
    assert list(seen(breach)) == [other.id, breach.id]
    assert seen(breach)[other.id].next_at is not None
    with breach.made.store.write(
        other.id, kind="incident.closed", actor="ana", now=breach.made.clock()
    ) as change:
        close_incident(change, other.id, reason="a false alarm")
    assert list(seen(breach)) == [breach.id]
    with breach.made.store.read() as session:
        assert all_open(session) == 1


def test_nothing_is_unsealed_for_it(breach: Breach) -> None:
    before = seen(breach)
    run_sql(breach.made.store, "UPDATE duty SET sealed = x'00'")
    assert seen(breach) == before


def test_later_phases_are_those_that_wait_for_another_duty_or_the_end(breach: Breach) -> None:
    found = later_phases(breach.house.rules.regimes)
    assert {"cn-cac-incident-2025/final", "cn-cac-incident-2025/supplement"} <= found
    assert "cn-cac-incident-2025/initial" not in found


def test_other_rules_or_another_scope_are_told(breach: Breach) -> None:
    made, rules = breach.made, breach.house.rules
    scope = made.settings.scope.model_copy(update={"countries": ["cn"]})
    narrower = made.settings.model_copy(update={"scope": scope})
    with made.store.read() as session:
        fresh = staleness(session, made.store, rules, made.settings)
        assert (fresh.rules_changed, fresh.scope_changed) == (0, False)
        other = staleness(session, made.store, replace(rules, hash="another"), narrower)
        assert (other.rules_changed, other.scope_changed) == (1, True)


def test_it_is_the_same_in_postgresql(tmp_path: Path, postgres: PostgresServer) -> None:
    breach = make_breach(tmp_path, on=postgres)
    may_be_waived(breach)
    waived_by(breach, breach.signers["bo"])
    views = view_duties(
        breach.house.findings(load_dossier(breach.made.store, breach.id)),
        rows(breach),
        breach.made.settings,
        now=breach.made.clock(),
    )
    [line] = seen(breach).values()
    assert line.open == sum(view.is_open for view in views)
    assert line.soon == sum(view.comes_within(DAY) for view in views)
    with breach.made.store.read() as session:
        told = staleness(session, breach.made.store, breach.house.rules, breach.made.settings)
        entries = calendar_entries(session, breach.house.rules.regimes, language="en")
    assert (told.rules_changed, told.scope_changed) == (0, False)
    assert entries and all(each.due_at.tzinfo is not None for each in entries)
