"""The register: every incident, also closed ones and destroyed ones, with what was not told and why."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest

from incident.duties.register import RegisterEntry, Selection, register_entries
from incident.duties.view import DutyStatus
from incident.law.record_keeping import record_keeping
from incident.ops.retention import destroy
from incident.record.incidents import close_incident
from tests.support.breaches import Breach, make_breach
from tests.support.deciding import decide_question
from tests.support.waiving import PEOPLE, may_be_waived, met, waived_by
from tests.support.workspaces import open_one


@pytest.fixture
def breach(tmp_path: Path) -> Breach:
    return make_breach(tmp_path)


def register(breach: Breach, selection: Selection | None = None, **settings: object) -> list[RegisterEntry]:
    made = breach.made
    scope = made.settings.scope.model_copy(update=settings)
    with made.store.read() as session:
        return list(
            register_entries(
                session,
                made.store,
                made.settings.model_copy(update={"scope": scope}),
                breach.house.rules,
                selection=selection or Selection(),
                language="en",
                drill=False,
            )
        )


def close(breach: Breach) -> None:
    made = breach.made
    with made.store.write(breach.id, kind="incident.closed", actor="ana", now=made.clock()) as change:
        close_incident(change, breach.id, reason="done")


def test_an_entry_holds_what_the_record_holds(breach: Breach) -> None:
    breach.state(persons="800..1300", found_by="night desk", law_enforcement_contacted="yes")
    decide_question(breach.made, breach.id, breach.signers["bo"])
    [entry] = register(breach)
    assert (entry.incident_id, entry.persons, entry.found_by, entry.police) == (
        breach.id,
        "800–1,300",
        "night desk",
        "yes",
    )
    assert entry.effects and entry.cause and entry.data_kinds and entry.measures
    assert entry.decisions == ("D1 Do we take the portal off the net? → yes (the leak goes on)",)


def test_authorities_told_are_told_with_when_and_why_late(breach: Breach) -> None:
    breach.made.clock.move(days=5)
    met(breach, "eu-gdpr/authority", how="on the portal", late_reason="the portal was down")
    [entry] = register(breach)
    [told] = entry.authorities_told
    assert (told.id, told.status, told.how, told.why) == (
        "eu-gdpr/authority",
        DutyStatus.LATE,
        "on the portal",
        "the portal was down",
    )
    assert told.met_at == breach.made.clock() and entry.people_told == ()


def test_what_was_waived_or_exempted_says_why(breach: Breach) -> None:
    may_be_waived(breach)
    waived_by(breach, breach.signers["bo"])
    breach.state(risk_to_people="unlikely")
    [entry] = register(breach)
    why = {each.id: each.why for each in entry.not_told}
    assert why[PEOPLE].startswith("W1 the one who read it signed")
    assert "a risk to people's rights and freedoms is unlikely" in why["eu-gdpr/authority"]


def test_closed_and_destroyed_incidents_stand_in_it(breach: Breach) -> None:
    met(breach, "eu-gdpr/authority")
    close(breach)
    [entry] = register(breach)
    assert entry.closed_at == breach.made.clock() and entry.title
    destroy(breach.house, breach.id, signer=breach.signers["bo"], reason="its time is up")
    [gone] = register(breach)
    assert gone.destroyed_at is not None and not gone.readable
    assert (gone.title, gone.cause, gone.measures) == ("", "", ())
    assert [each.id for each in gone.authorities_told] == ["eu-gdpr/authority"], "what lies open stays"


def test_it_is_cut_to_a_time_and_to_a_country(breach: Breach) -> None:
    breach.made.clock.move(days=2)
    other = replace(breach, id=open_one(breach.made))
    other.state(personal_data_breach="actual", eu_data_subjects="no")
    opened = register(breach)[0].opened_at
    assert [each.incident_id for each in register(breach)] == [breach.id, other.id]
    assert [each.incident_id for each in register(breach, Selection(until=opened))] == [breach.id]
    later = Selection(since=opened + timedelta(seconds=1))
    assert [each.incident_id for each in register(breach, later)] == [other.id]
    [european] = register(breach, Selection(country="EU"))
    assert european.incident_id == breach.id
    assert {each.id.partition("/")[0] for each in european.duties} == {"eu-gdpr"}


def test_each_law_s_period_of_keeping_runs_from_its_own_day(breach: Breach) -> None:
    breach.state(aware_at="2026-11-22 23:30")
    [entry] = register(breach, countries=["br", "ca", "ch", "eu"])
    until = {each.rule.id: each.until for each in entry.kept}
    assert until["br-lgpd"] == date(2031, 11, 23), "from the day on record"
    assert until["ca-pipeda"] == date(2028, 11, 22), "from the day it was determined"
    assert until["ch-fadp"] is None, "nothing was reported yet"
    assert until["eu-gdpr"] is None
    assert {rule.id for rule in record_keeping()} >= set(until)
