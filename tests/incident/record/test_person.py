"""What a person is: ages, numbers that changed hands, several rows as one, and content of earlier versions."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incident.record.person import (
    AgeClass,
    Contact,
    Kind,
    NumberRole,
    PersonRow,
    contradiction,
    person_content,
    person_from_content,
    same_person,
)
from incident.store.canonical import canonical

TODAY = date(2026, 11, 23)
BO = PersonRow("C1", Contact("Bo"), "en", "cn", (), None, Contact())
PHONES = ("+8613800138000", "+8613900139000", "+8613700137000")


def called(*phones: str, **others: Any) -> PersonRow:
    first, *more = phones or ("",)
    contact = BO.contact._replace(phone=first)
    return BO._replace(contact=contact, more_phones=tuple(more), **others)


# -- ages ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("born", "minor"),
    [(date(2008, 11, 23), False), (date(2008, 11, 24), True), (date(2009, 1, 1), True), (None, False)],
)
def test_a_person_is_a_minor_until_the_eighteenth_birthday(born: date | None, minor: bool) -> None:
    assert BO._replace(birth_date=born).minor(TODAY) is minor


def test_somebody_born_on_a_leap_day_is_of_age_on_the_first_of_march() -> None:
    row = BO._replace(birth_date=date(2008, 2, 29))
    assert [row.minor(date(2026, 2, 28)), row.minor(date(2026, 3, 1))] == [True, False]


@pytest.mark.parametrize(
    ("born", "child"), [(date(2012, 11, 23), False), (date(2012, 11, 24), True), (None, False)]
)
def test_a_person_is_a_child_until_the_fourteenth_birthday(born: date | None, child: bool) -> None:
    assert BO._replace(birth_date=born).under_14(TODAY) is child


@pytest.mark.parametrize(
    ("age", "minor", "child"),
    [
        (AgeClass.UNDER_14, True, True),
        (AgeClass.UNDER_18, True, False),
        (AgeClass.ADULT, False, False),
        (None, False, False),
    ],
)
def test_an_age_class_counts_where_no_date_of_birth_is(
    age: AgeClass | None, minor: bool, child: bool
) -> None:
    row = BO._replace(age_class=age)
    assert (row.minor(TODAY), row.under_14(TODAY)) == (minor, child)
    dated = row._replace(birth_date=date(2010, 1, 1))
    assert (dated.minor(TODAY), dated.under_14(TODAY)) == (True, False)


# -- numbers that changed hands -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("held_since", "leak_ended_on", "recycled"),
    [
        (date(2026, 11, 2), date(2026, 11, 1), True),
        (date(2026, 11, 1), date(2026, 11, 1), False),
        (date(2020, 1, 1), date(2026, 11, 1), False),
        (date(2026, 11, 2), None, False),
        (None, date(2026, 11, 1), False),
    ],
)
def test_a_number_held_only_since_the_leak_stopped_is_recycled(
    held_since: date | None, leak_ended_on: date | None, recycled: bool
) -> None:
    assert called(PHONES[0], held_since=held_since).has_recycled_number(leak_ended_on) is recycled
    assert not BO._replace(held_since=held_since).has_recycled_number(leak_ended_on), "there is no number"


# -- several rows of one person -----------------------------------------------------------------------


def test_several_rows_of_one_person_join_kinds_of_data_and_fill_in_contacts() -> None:
    one = called(PHONES[0], categories=("phone",))
    two = PersonRow(
        "C1",
        Contact("Bob", "b@example.org"),
        "zh-Hans",
        "cn",
        ("name", "phone"),
        date(2015, 1, 1),
        Contact("", "", PHONES[1]),
    )
    assert same_person([one, two]) == PersonRow(
        reference="C1",
        contact=Contact("Bo", "b@example.org", PHONES[0]),
        language="en",
        country="cn",
        categories=("phone", "name"),
        birth_date=date(2015, 1, 1),
        guardian=Contact("", "", PHONES[1]),
    )


def test_rows_that_share_a_number_add_their_others_and_the_first_stays_first() -> None:
    joined = same_person([called(PHONES[0]), called(PHONES[1], PHONES[0]), called(PHONES[2], PHONES[1])])
    assert joined.phones == PHONES


def test_a_number_that_contradicts_is_not_taken_in() -> None:
    held, other = called(PHONES[0]), called(PHONES[1])
    assert contradiction(held, other) == "phone"
    assert same_person([held, other]) == held


def test_notes_on_safe_contact_and_tokens_are_joined_and_a_death_is_never_forgotten() -> None:
    one = BO._replace(safe_contact=("not at home",), push_tokens=("a",), deceased=True)
    two = BO._replace(safe_contact=("by mail only", "not at home"), push_tokens=("b", "a"))
    for joined in (same_person([one, two]), same_person([two, one])):
        assert set(joined.safe_contact) == {"not at home", "by mail only"}
        assert set(joined.push_tokens) == {"a", "b"}
        assert joined.deceased


@pytest.mark.parametrize(
    ("one", "two", "differs"),
    [
        ({"email": "a@example.org"}, {"email": "b@example.org"}, "email"),
        ({"email": "a@example.org"}, {"email": "A@example.org"}, None),
        ({"email": "a@example.org"}, {"name": "Robert", "phone": PHONES[0]}, None),
    ],
)
def test_rows_with_other_contacts_contradict_each_other(
    one: dict[str, str], two: dict[str, str], differs: str | None
) -> None:
    first, second = (BO._replace(contact=Contact(**{"name": "Bo", **contact})) for contact in (one, two))
    assert contradiction(first, second) == differs


@pytest.mark.parametrize(("other", "differs"), [("Li", "name"), ("", None), ("BO", None)])
def test_two_names_behind_one_shared_contact_contradict_each_other(other: str, differs: str | None) -> None:
    for shared in (Contact("Bo", "a@example.org"), Contact("Bo", "", PHONES[0])):
        row = BO._replace(reference=shared.email or shared.phone, contact=shared)
        assert contradiction(row, row._replace(contact=shared._replace(name=other))) == differs


@pytest.mark.parametrize(
    ("field", "one", "two"),
    [
        ("address", ("1 Long Lane",), ("2 Short Lane",)),
        ("kind", Kind.PERSON, Kind.ORGANISATION),
        ("number_role", NumberRole.HOLDER, NumberRole.USER),
        ("birth_date", date(2015, 1, 1), date(2005, 1, 1)),
        ("age_class", AgeClass.UNDER_14, AgeClass.ADULT),
        ("guardian_consent", "A-1", "A-2"),
        ("held_since", date(2015, 1, 1), date(2025, 1, 1)),
    ],
)
def test_rows_that_say_different_things_of_one_person_contradict_each_other(
    field: str, one: Any, two: Any
) -> None:
    first, second = BO._replace(**{field: one}), BO._replace(**{field: two})
    assert contradiction(first, second) == field
    assert contradiction(first, BO) is contradiction(BO, first) is None
    assert getattr(same_person([first, second]), field) == getattr(same_person([BO, first]), field) == one


# -- what is sealed -----------------------------------------------------------------------------------

OLD_CONTENT = {
    "reference": "C1",
    "contact": {"name": "Bo", "email": "", "phone": PHONES[0]},
    "language": "en",
    "country": "cn",
    "categories": ["name"],
    "birth_date": "2015-01-01",
    "guardian": {"name": "Cora", "email": "", "phone": ""},
}


def test_a_person_stored_by_an_earlier_version_opens_and_is_sealed_the_same_again() -> None:
    found = person_from_content(OLD_CONTENT)
    assert (found.phones, found.deceased, found.is_organisation) == ((PHONES[0],), False, False)
    assert person_content(found) == OLD_CONTENT


def test_what_an_earlier_version_sealed_as_empty_is_nobody_s_word() -> None:
    empty = {**OLD_CONTENT, "birth_date": None, "guardian": {"name": "", "email": "", "phone": ""}}
    found = person_from_content(empty)
    assert found == person_from_content({**OLD_CONTENT, "birth_date": None, "guardian": {}})
    assert found.is_plain
    assert not person_from_content(OLD_CONTENT).is_plain
    assert "guardian" not in person_content(found)


texts = st.text(max_size=20)
phones = st.lists(st.sampled_from(PHONES), unique=True, max_size=3).map(tuple)
people = st.builds(
    lambda numbers, **values: called(*numbers, **values),
    phones,
    categories=st.lists(st.sampled_from(["name", "phone"]), unique=True).map(tuple),
    birth_date=st.none() | st.dates(),
    push_tokens=st.lists(texts, unique=True, max_size=3).map(tuple),
    address=st.lists(texts, max_size=3).map(tuple),
    kind=st.none() | st.sampled_from(Kind),
    number_role=st.none() | st.sampled_from(NumberRole),
    age_class=st.none() | st.sampled_from(AgeClass),
    guardian_consent=texts,
    held_since=st.none() | st.dates(),
    safe_contact=st.lists(texts, unique=True, max_size=2).map(tuple),
    deceased=st.booleans(),
)


@given(people)
def test_a_person_comes_back_from_what_is_sealed_as_it_was(person: PersonRow) -> None:
    content = person_content(person)
    assert person_from_content(content) == person
    assert canonical(content)


@given(st.lists(people, min_size=1, max_size=4))
def test_saying_the_same_again_changes_nothing(rows: list[PersonRow]) -> None:
    once = same_person(rows)
    assert same_person([once, *rows]) == once
    assert len(set(once.phones)) == len(once.phones)
