"""Counting people by what matters for telling them, and importing all that a list says of them again."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlmodel import col, select

from incident.record.facts import Certainty, Fact, field_named, parse_value
from incident.record.incidents import state_facts
from incident.record.people import Counts, import_people
from incident.record.people_file import Defaults
from incident.record.people_stats import PeopleStats, leak_end, people_stats
from incident.store.tables import Person
from tests.support.workspaces import Made, make_workspace, open_one

TODAY = date(2026, 11, 23)
DEFAULTS = Defaults("zh-Hans", "cn", (), {})
EVERY_KIND = (
    "reference,phone,kind,age_class,birth_date,held_since,safe_contact,deceased\n"
    "C1,13800138000,organisation,,,,,\n"
    "C2,13800138000,,under 14,,2026-11-21,not at home,\n"
    "C3,13800138000,,,2015-01-01,2020-01-01,,yes\n"
    "C4,13800138000,,under 18,,,write to the office only,\n"
)


@pytest.fixture
def made(tmp_path: Path) -> Made:
    return make_workspace(tmp_path)


def load(made: Made, incident: str, text: str) -> Counts:
    file = made.workspace.root / "list.csv"
    file.write_text(text, "utf-8")
    return import_people(
        made.store,
        incident,
        file,
        encoding="utf-8",
        defaults=DEFAULTS,
        keep_problems=True,
        dry_run=False,
        actor="ana",
        now=made.clock.move(minutes=1),
        today=TODAY,
    ).counts


def stats(made: Made, incident: str, *, today: date = TODAY) -> PeopleStats:
    with made.store.read() as session:
        return people_stats(session, made.store, incident, today=today, zone=made.settings.zone)


def say_when_it_stopped(made: Made, incident: str, said: str) -> None:
    now = made.clock.move(minutes=1)
    value = parse_value(field_named("ended_at"), said, zone=made.settings.zone)
    fact = Fact("ended_at", value, "ana", "access log", Certainty.confirmed, now)
    with made.store.write(incident, kind="facts.stated", actor="ana", now=now) as change:
        state_facts(made.store, change, incident, [fact])


def test_organisations_children_the_dead_and_notes_are_counted(made: Made) -> None:
    incident = open_one(made)
    load(made, incident, EVERY_KIND)
    found = stats(made, incident)
    assert (found.total, found.organisations, found.deceased, found.with_safe_contact) == (4, 1, 1, 2)
    assert (found.minors, found.under_14) == (3, 2)
    later = stats(made, incident, today=date(2029, 1, 1))
    assert later.under_14 == 1, "who has a date of birth grows older"


def test_numbers_that_changed_hands_are_counted_once_it_is_known_when_the_leak_stopped(made: Made) -> None:
    incident = open_one(made)
    load(made, incident, EVERY_KIND)
    assert stats(made, incident).recycled_numbers is None
    for said, recycled in (("2026-11-20 23:59", 1), ("2026-11-21 08:00", 0), ("unknown", None)):
        say_when_it_stopped(made, incident, said)
        assert stats(made, incident).recycled_numbers == recycled


def test_without_a_dated_number_it_does_not_matter_when_the_leak_stopped(made: Made) -> None:
    incident = open_one(made)
    load(made, incident, "reference,phone\nC1,13800138000\n")
    assert stats(made, incident).recycled_numbers == 0


def test_the_day_on_which_the_leak_stopped_is_that_of_the_zone(made: Made) -> None:
    incident = open_one(made)
    say_when_it_stopped(made, incident, "2026-11-20T17:00:00Z")
    with made.store.read() as session:
        assert leak_end(session, made.store, incident, zone=made.settings.zone) == date(2026, 11, 21)


def test_what_is_said_of_a_person_lies_in_the_columns_by_yes_and_no_only(made: Made) -> None:
    incident = open_one(made)
    load(made, incident, EVERY_KIND)
    with made.store.read() as session:
        rows = session.exec(select(Person).where(col(Person.incident_id) == incident)).all()
    marks = {(row.organisation, row.deceased, row.number_dated, row.safe_contact) for row in rows}
    assert marks == {
        (True, False, False, False),
        (False, False, True, True),
        (False, True, True, False),
        (False, False, False, True),
    }


line = st.builds(
    lambda *cells: ",".join(cells),
    st.sampled_from(["C1", "C2"]),
    st.sampled_from(["", "13800138000", "13900139000;13800138000", "x"]),
    st.sampled_from(["", "person", "单位", "?"]),
    st.sampled_from(["", "under 14", "adult"]),
    st.sampled_from(["", "2026-11-21", "2020-01-01"]),
    st.sampled_from(["", "not at home", "by letter"]),
    st.sampled_from(["", "yes", "no"]),
)


_shared: list[Made] = []


@settings(max_examples=30)
@given(lines=st.lists(line, min_size=1, max_size=6))
def test_importing_again_changes_nothing_whatever_is_said_of_a_person(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str]
) -> None:
    if not _shared:
        _shared.append(make_workspace(tmp_path_factory.mktemp("people")))
    made = _shared[0]
    incident = open_one(made)
    text = "\n".join(["reference,phone,kind,age_class,held_since,safe_contact,deceased", *lines])
    load(made, incident, text)
    before = people(made, incident)
    again = load(made, incident, text)
    assert (again.added, again.changed) == (0, 0)
    assert people(made, incident) == before


def people(made: Made, incident: str) -> dict[str, tuple[int, bytes]]:
    with made.store.read() as session:
        rows = session.exec(select(Person).where(col(Person.incident_id) == incident)).all()
    return {row.id: (row.version, row.sealed) for row in rows}
