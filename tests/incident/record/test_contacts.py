from __future__ import annotations

from pathlib import Path

import pytest

from incident.errors import BadInput, NotFound, Refused
from incident.record.contacts import (
    ContactKind,
    ContactLine,
    WaysToReach,
    add_contact,
    contact_checked,
    list_contacts,
    remove_contact,
)
from incident.store.journal import WORKSPACE_CHAIN
from tests.support.at_once import at_once
from tests.support.postgres import PostgresServer
from tests.support.workspaces import START, Made, all_rows, make_workspace, stored_bytes

HOTLINE = WaysToReach("Cyberspace office", phone="12387")


@pytest.fixture
def made(tmp_path: Path, store_on: PostgresServer | None) -> Made:
    return make_workspace(tmp_path, on=store_on)


def add(
    made: Made,
    key: str = "provincial_cac",
    ways: WaysToReach = HOTLINE,
    *,
    kind: ContactKind = ContactKind.AUTHORITY,
    countries: tuple[str, ...] = ("cn",),
) -> ContactLine:
    return add_contact(made.store, kind, key, ways, countries=countries, actor="ana", now=made.clock())


def listed(made: Made) -> list[ContactLine]:
    with made.store.read() as session:
        return list_contacts(session, made.store)


def test_a_contact_is_kept_with_all_that_was_said_of_it(made: Made) -> None:
    ways = WaysToReach(
        "网信办",
        "王处长",
        "010-5563 6600 ext. 12",
        "Duty@Example.org",
        "https://example.org/a",
        "1 Road",
        "at night",
    )
    added = add(made, ways=ways)
    assert listed(made) == [added]
    assert (added.label, added.name, added.person, added.address, added.note) == (
        "provincial_cac",
        "网信办",
        "王处长",
        "1 Road",
        "at night",
    )
    assert (added.phone, added.email) == ("+86 10 5563 6600 ext. 12", "Duty@example.org")
    assert added.added_at == added.checked_at == START


def test_nothing_of_a_contact_lies_open_in_the_database(made: Made) -> None:
    add(made, ways=WaysToReach("Office", "Inspector Secret", "+49 30 12345678"))
    stored = stored_bytes(made)
    assert b"provincial_cac" in stored
    assert b"Inspector Secret" not in stored
    assert b"12345678" not in stored


@pytest.mark.parametrize("number", ["110", "12387", "12321"])
def test_hotlines_and_emergency_numbers_stay_as_they_are_dialled(made: Made, number: str) -> None:
    assert add(made, ways=WaysToReach("Police", phone=number)).phone == number


def test_a_number_is_read_in_the_countries_of_the_workspace_in_turn(made: Made) -> None:
    ways = WaysToReach("Provider", phone="030 12345678")
    assert add(made, ways=ways, countries=("de", "cn")).phone == "+49 30 12345678"


def test_where_no_country_fits_a_number_needs_its_plus(made: Made) -> None:
    with pytest.raises(BadInput, match="no phone number in eu"):
        add(made, ways=WaysToReach("Authority", phone="030 12345678"), countries=("eu",))
    assert add(made, ways=WaysToReach("Authority", phone="+353 1 765 0100"), countries=("eu",)).phone


@pytest.mark.parametrize(
    ("key", "ways", "says"),
    [
        ("", HOTLINE, "no key"),
        ("a b", HOTLINE, "no key"),
        ("x", WaysToReach(" ", phone="110"), "needs a name"),
        ("x", WaysToReach("Nobody"), "needs a way to reach it"),
        ("x", WaysToReach("A", phone="call me"), "no phone number"),
        ("x", WaysToReach("A", email="not an address"), "no e-mail address"),
        ("x", WaysToReach("A", url="example.org"), "no web address"),
        ("x", WaysToReach("A", url="https://[::1"), "no web address"),
        ("x", WaysToReach("A", url="file:///etc/passwd"), "no web address"),
        ("x", WaysToReach("A\nB", phone="110"), "line break"),
        ("x", WaysToReach("A", phone="110", note="n" * 501), "longer than 500"),
    ],
)
def test_what_cannot_be_used_is_refused_and_nothing_is_written(
    made: Made, key: str, ways: WaysToReach, says: str
) -> None:
    before = all_rows(made.store)
    with pytest.raises(BadInput, match=says):
        add(made, key, ways)
    assert all_rows(made.store) == before


def test_a_key_is_taken_once_across_all_kinds(made: Made) -> None:
    add(made)
    with pytest.raises(Refused, match="already"):
        add(made, kind=ContactKind.POLICE)
    assert len(listed(made)) == 1


def test_of_two_contacts_of_one_key_added_at_once_one_is_refused(made: Made) -> None:
    outcomes = at_once(*(lambda: add(made.another()) for _ in range(3)))
    assert sorted(type(each).__name__ for each in outcomes) == ["ContactLine", "Refused", "Refused"]
    assert len(listed(made)) == 1


def test_a_check_today_moves_the_day_and_nothing_else(made: Made) -> None:
    added = add(made)
    made.clock.move(days=200)
    assert added.is_older_than(180, now=made.clock())
    checked = contact_checked(made.store, "provincial_cac", actor="ana", now=made.clock())
    assert checked.checked_at == made.clock()
    assert (checked.added_at, checked.phone) == (added.added_at, "12387")
    assert not checked.is_older_than(180, now=made.clock())
    assert listed(made) == [checked]


def test_a_removed_contact_is_off_the_list_and_its_key_is_free(made: Made) -> None:
    add(made)
    remove_contact(made.store, "provincial_cac", actor="ana", now=made.clock())
    assert listed(made) == []
    again = add(made, ways=WaysToReach("New office", email="duty@example.org"))
    assert listed(made) == [again]
    kinds = [each.entry.kind for each in made.store.recorded(WORKSPACE_CHAIN)]
    assert kinds[-3:] == ["contact.added", "contact.removed", "contact.added"]


@pytest.mark.parametrize("change", [contact_checked, remove_contact])
def test_a_contact_that_is_not_kept_cannot_be_changed(made: Made, change: object) -> None:
    assert callable(change)
    with pytest.raises(NotFound, match="no contact nobody"):
        change(made.store, "nobody", actor="ana", now=made.clock())


def test_contacts_are_listed_by_kind_and_key(made: Made) -> None:
    add(made, "hosting", kind=ContactKind.PROVIDER)
    add(made, "zz", kind=ContactKind.AUTHORITY)
    add(made, "group", kind=ContactKind.HEADQUARTERS)
    add(made, "aa", kind=ContactKind.AUTHORITY)
    assert [line.key for line in listed(made)] == ["aa", "zz", "group", "hosting"]
