"""One person on the screen: nothing that identifies them, unless it was signed for."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from incident.errors import NotFound
from incident.record.person import Contact, Kind, NumberRole, PersonRow, person_content
from incident.record.person_view import person_called, person_in_clear, person_masked
from incident.store.sealing import keyed_hash, seal_json
from incident.store.tables import Person
from tests.support.workspaces import Made, make_workspace, open_one

SECRET = PersonRow(
    reference="QX-471100",
    contact=Contact("Zacharias Quill", "zacharias@example.org", "+8613800138000"),
    language="en",
    country="cn",
    categories=("phone_number", "location"),
    birth_date=date(2015, 6, 1),
    guardian=Contact("Balthazar Quill", "balthazar@example.org", "+8613900139000"),
    more_phones=("+8613700137000",),
    push_tokens=("token-4711",),
    address=("Long Lane 17", "AB1 2CD Town"),
    kind=Kind.PERSON,
    number_role=NumberRole.USER,
    guardian_consent="CONSENT-7",
    held_since=date(2024, 5, 1),
    safe_contact=("not at home",),
    deceased=True,
)
IDENTIFYING = [
    "QX-4711",
    "zacharias",
    "Zacharias",
    "Quill",
    "138001",
    "137001",
    "139001",
    "balthazar",
    "Balthazar",
    "token-4711",
    "Lane",
    "Town",
    "2015",
    "CONSENT",
    "2024",
    "home",
]


def test_masked_a_person_shows_nothing_that_identifies_them() -> None:
    shown = person_masked(SECRET)
    assert not [word for word in IDENTIFYING if word in str(shown)]
    assert set(shown) == set(person_in_clear(SECRET))
    assert (shown["safe_contact"], shown["data_categories"], shown["deceased"]) == (
        "***",
        "phone_number, location",
        "yes",
    )


def test_in_clear_a_person_shows_all_that_is_kept() -> None:
    shown = str(person_in_clear(SECRET))
    assert [word for word in IDENTIFYING if word not in shown] == []
    sealed = person_content(SECRET)
    assert len(person_in_clear(SECRET)) >= len(sealed)


def test_what_is_not_known_is_left_out() -> None:
    nothing = SECRET._replace(safe_contact=(), guardian=Contact(), address=(), deceased=False)
    for shown in (person_masked(nothing), person_in_clear(nothing)):
        assert not {"safe_contact", "guardian_name", "address", "deceased"} & set(shown)


@pytest.fixture
def made(tmp_path: Path) -> Made:
    return make_workspace(tmp_path)


def test_somebody_is_found_by_their_reference_in_their_own_incident_only(made: Made) -> None:
    incident, other = open_one(made), open_one(made)
    key = made.store.key(incident)
    with made.store.write(incident, kind="people", actor="ana", now=made.clock()) as change:
        change.put_bulk(
            Person,
            [
                {
                    "id": "p1",
                    "incident_id": incident,
                    "reference_mac": keyed_hash(key, "person-reference", SECRET.reference),
                    "version": 1,
                    "language": "en",
                    "has_email": True,
                    "minor": True,
                    "guardian_reachable": True,
                    "organisation": False,
                    "deceased": True,
                    "number_dated": True,
                    "safe_contact": True,
                    "import_id": "i",
                    "sealed": seal_json(key, person_content(SECRET), bound_to="person/p1"),
                }
            ],
        )
    with made.store.read() as session:
        listed = person_called(session, made.store, incident, SECRET.reference)
        assert (listed.id, listed.person) == ("p1", SECRET)
        for elsewhere, reference in ((other, SECRET.reference), (incident, "QX-471101")):
            with pytest.raises(NotFound, match="nobody with this reference"):
                person_called(session, made.store, elsewhere, reference)
