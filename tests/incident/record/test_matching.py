"""Matching a log with a directory: what a join of two tables in memory would find, and nothing silently the first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incident.errors import BadInput, Refused
from incident.record.matching import (
    MOST_FAULTY_ROWS,
    Affected,
    LookUp,
    Searched,
    find_hits,
    keys_in,
    people_hit,
    persons_affected,
    read_affected,
)
from incident.record.people_file import Defaults, Reason
from incident.record.quantities import Interval
from incident.record.row_files import Rows

DEFAULTS = Defaults(
    language="zh-Hans",
    country="cn",
    categories=("name",),
    known_categories={"name": "name", "phone": "phone", "location": "location"},
)


def rows_of(name: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> Rows:
    return Rows(name, tuple(header), iter([(at, list(row)) for at, row in enumerate(rows, start=1)]))


class Joined:
    """Both passes over two small tables."""

    def __init__(
        self,
        log: Sequence[Sequence[str]],
        directory: Sequence[Sequence[str]],
        *,
        on: LookUp = LookUp.PHONE,
        log_header: Sequence[str] = ("phone", "data_categories"),
        header: Sequence[str] = ("reference", "name", "phone"),
        mapping: Mapping[str, str] | None = None,
        **options: Any,
    ) -> None:
        self.affected, self.searched = Affected(), Searched()
        defaults = Defaults(**{**vars(DEFAULTS), **options})
        read_affected(
            rows_of("log", log_header, log),
            on=on,
            mapping=mapping or {},
            defaults=defaults,
            affected=self.affected,
        )
        self.hits = list(
            find_hits(
                rows_of("crm", header, directory),
                self.affected,
                on=on,
                defaults=defaults,
                searched=self.searched,
                shown_problems=10,
            )
        )
        self.people = list(
            people_hit(
                lambda: iter(self.hits), rows_of("crm", header, []), self.affected, on=on, defaults=defaults
            )
        )
        self.taken = {
            row.number: (row.person.reference, row.person.categories) for row in self.people if row.person
        }
        self.aside = {row.number: row.problems[0].reason for row in self.people if row.problems}


def test_people_hit_have_what_the_log_says_was_taken_of_them_in_all_of_its_rows() -> None:
    joined = Joined(
        [("13800138000", "phone"), ("139 0013 9000", ""), ("+8613800138000", "location;phone")],
        [("C1", "Bo", "138-0013-8000"), ("C2", "Li", "+86 13900139000"), ("C3", "Wu", "13700137000")],
    )
    assert joined.taken == {1: ("C1", ("phone", "location")), 2: ("C2", ("name",))}
    assert (joined.affected.hits, joined.affected.people, joined.searched.rows) == (2, 2, 3)
    assert persons_affected(joined.affected, ambiguous_rows=0) == Interval.exactly(2)


def test_what_the_directory_holds_of_people_is_not_what_was_taken() -> None:
    joined = Joined(
        [("13800138000", "phone")],
        [("C1", "13800138000", "name;dreams")],
        header=("reference", "phone", "data_categories"),
    )
    assert joined.taken == {1: ("C1", ("phone",))}
    assert joined.aside == {}


def test_a_key_in_rows_of_several_people_takes_none_of_them() -> None:
    joined = Joined(
        [("13800138000", ""), ("13900139000", ""), ("13700137000", "")],
        [
            ("C1", "Bo", "13800138000"),
            ("C2", "Li", "13900139000"),
            ("C3", "Wu", "13800138000"),
            ("C2", "Li", "13900139000"),
        ],
    )
    assert joined.aside == {1: Reason.SEVERAL_PEOPLE, 3: Reason.SEVERAL_PEOPLE}
    assert joined.taken == {2: ("C2", ("name",)), 4: ("C2", ("name",))}
    assert joined.affected.ambiguous == {"+8613800138000"}
    assert persons_affected(joined.affected, ambiguous_rows=2) == Interval(1, None, 4)


def test_without_a_reference_people_with_one_key_differ_by_name_or_other_contact() -> None:
    header = ("name", "email", "phone")
    joined = Joined(
        [("13800138000", ""), ("13900139000", "")],
        [
            ("Bo", "", "13800138000"),
            ("Li", "", "138 0013 8000"),
            ("Wu", "wu@example.org", "13900139000"),
            ("WU", "Wu@example.org", "+8613900139000"),
        ],
        header=header,
    )
    assert set(joined.aside) == {1, 2}
    assert set(joined.taken) == {3, 4}


def test_namesakes_without_a_reference_are_counted_as_two_people() -> None:
    joined = Joined(
        [("13800138000", ""), ("13900139000", "")],
        [("王伟", "13800138000"), ("王伟", "13900139000")],
        header=("name", "phone"),
    )
    assert persons_affected(joined.affected, ambiguous_rows=0) == Interval.exactly(2)


def test_a_row_of_the_log_that_names_nobody_is_kept_and_counts_as_at_most_one_person() -> None:
    joined = Joined(
        [("nix", "phone"), ("", "phone"), ("1", "2", "3"), ("13800138000", "dreams"), ("1\n38", "")],
        [("C1", "Bo", "13800138000")],
    )
    assert [(row.problem.row, row.problem.reason) for row in joined.affected.faulty] == [
        (1, Reason.PHONE),
        (2, Reason.NO_KEY),
        (3, Reason.COLUMNS),
        (4, Reason.CATEGORY),
        (5, Reason.PHONE),
    ]
    assert joined.taken == {1: ("C1", ())}, "the person is hit, whatever was taken"
    assert persons_affected(joined.affected, ambiguous_rows=0) == Interval(1, None, 5)


def test_a_row_of_the_directory_of_another_width_is_counted_and_not_kept() -> None:
    joined = Joined([("13800138000", "")], [("C1", "13800138000"), ("C2", "Li", "no number")])
    assert (joined.people, joined.searched.rows, joined.searched.faulty) == ([], 2, 1)
    assert [problem.row for problem in joined.searched.first_faulty] == [1]


@pytest.mark.parametrize(
    ("on", "text", "key"),
    [
        (LookUp.PHONE, "'+8613800138000", "+8613800138000"),
        (LookUp.PHONE, " 138 0013 8000 ", "+8613800138000"),
        (LookUp.PHONE, "１３８００１３８０００", "+8613800138000"),
        (LookUp.PHONE, "+44 20 7946 0958", "+442079460958"),
        (LookUp.PHONE, "nobody", None),
        (LookUp.EMAIL, " Bo@EXAMPLE.org ", "bo@example.org"),
        (LookUp.EMAIL, "BO@example.org", "bo@example.org"),
        (LookUp.EMAIL, "Bo", None),
        (LookUp.EMAIL, "@example.org", None),
        (LookUp.EMAIL, "bo@", None),
        (LookUp.EMAIL, "b o@example.org", None),
        (LookUp.REFERENCE, " C1 ", "C1"),
        (LookUp.REFERENCE, "c1", "c1"),
        (LookUp.REFERENCE, "C\x1b1", None),
        (LookUp.REFERENCE, "x" * 4001, None),
        *((on, "  ", "") for on in LookUp),
    ],
)
def test_keys_are_brought_to_one_form(on: LookUp, text: str, key: str | None) -> None:
    keys, all_valid = keys_in(on, text, "cn")
    assert (list(keys), all_valid) == ([key] if key else [], key is not None)


def test_a_cell_may_hold_several_numbers_and_one_that_is_none_is_told() -> None:
    both = ["+8613800138000", "+8613900139000"]
    assert keys_in(LookUp.PHONE, "13800138000、139 0013 9000", "cn") == (both, True)
    assert keys_in(LookUp.PHONE, "13800138000/13900139000\nnobody", "cn") == (both, False)


NUMBERS = ("reference", "phone", "phone_2")


def test_a_person_is_found_by_any_of_their_numbers_and_has_what_was_taken_under_all_of_them() -> None:
    joined = Joined(
        [("13800138000", "phone"), ("13900139000", "location"), ("13700137000", "name")],
        [
            ("C1", "13600136000;13800138000", "13900139000"),
            ("C2", "", "13700137000"),
            ("C3", "13500135000", ""),
        ],
        header=NUMBERS,
    )
    assert joined.taken == {1: ("C1", ("phone", "location")), 2: ("C2", ("name",))}
    assert list(joined.affected.unmatched()) == []
    assert persons_affected(joined.affected, ambiguous_rows=0) == Interval.exactly(2)


def test_a_number_that_two_share_is_in_doubt_for_who_has_no_other_and_says_nothing_of_who_has() -> None:
    joined = Joined(
        [("13800138000", "phone"), ("13900139000", "location")],
        [("C1", "13800138000", "13900139000"), ("C2", "13800138000", "")],
        header=NUMBERS,
    )
    assert joined.taken == {1: ("C1", ("location",))}
    assert joined.aside == {2: Reason.SEVERAL_PEOPLE}


def test_a_row_of_the_log_with_a_number_that_is_none_is_kept_and_its_other_number_counts() -> None:
    joined = Joined([("13800138000;nobody", "phone")], [("C1", "Bo", "13800138000")])
    assert joined.taken == {1: ("C1", ("phone",))}
    assert [row.problem.reason for row in joined.affected.faulty] == [Reason.PHONE]
    assert persons_affected(joined.affected, ambiguous_rows=0) == Interval(1, None, 2)


def test_the_country_of_a_row_holds_for_its_number() -> None:
    joined = Joined(
        [("020 7946 0958", "gb"), ("020 8765 4321", "")],
        [("C1", "02079460958", "GB"), ("C2", "02079460958", ""), ("C3", "02087654321", "Mars")],
        log_header=("phone", "country"),
        header=("reference", "phone", "country"),
    )
    assert set(joined.taken) == {1, 3}


@pytest.mark.parametrize(
    ("log_header", "header", "mapping", "said", "advice"),
    [
        (("nr",), ("reference", "phone"), {}, "look people up by phone: nr", "--map-affected phone="),
        (("phone",), ("reference", "tel"), {}, "look people up by phone: reference, tel", "--map phone="),
        (("phone",), ("reference", "phone"), {"name": "phone"}, "no field of a person", "phone"),
        (("phone",), ("reference", "phone"), {"data_categories": "x"}, "no column 'x'", "phone"),
        (("phone", "电话"), ("reference", "phone"), {}, "several columns", "--map-affected phone="),
    ],
)
def test_a_header_that_cannot_be_joined_is_refused_with_advice(
    log_header: Sequence[str], header: Sequence[str], mapping: Mapping[str, str], said: str, advice: str
) -> None:
    with pytest.raises(BadInput, match=said) as caught:
        Joined([], [], log_header=log_header, header=header, mapping=mapping)
    assert caught.value.next_step is not None and advice in caught.value.next_step


def test_more_keys_than_fit_into_memory_are_refused_with_how_many_fit() -> None:
    affected = Affected(most_bytes=100_000)
    log = rows_of("log", ["phone"], [(f"138{number:08}",) for number in range(1000)])
    with pytest.raises(Refused, match=r"\d+ fit, at row \d+") as caught:
        read_affected(log, on=LookUp.PHONE, mapping={}, defaults=DEFAULTS, affected=affected)
    assert 300 < len(affected) < 400
    assert caught.value.next_step is not None and "split" in caught.value.next_step


def test_a_log_that_names_nobody_ends_early_and_not_with_a_full_memory() -> None:
    numbered = ((number, [""]) for number in range(1, MOST_FAULTY_ROWS + 10))
    log = Rows("log", ("phone",), numbered)
    with pytest.raises(BadInput, match="more than 100,000 rows have problems"):
        read_affected(log, on=LookUp.PHONE, mapping={}, defaults=DEFAULTS, affected=Affected())
    assert next(numbered)[0] == MOST_FAULTY_ROWS + 2


phones = st.sampled_from(
    ["13800138000", "+86 138 0013 8000", "138-0013-8001", "13800138001", "13800138002", "nix", ""]
)
log_rows = st.lists(st.tuples(phones, st.sampled_from(["", "name", "phone;name", "location"])), max_size=8)
people = st.lists(
    st.tuples(st.sampled_from(["C1", "C2", "C3", ""]), st.sampled_from(["Bo", "Li"]), phones), max_size=8
)


def one_key(phone: str) -> str | None:
    keys, _ = keys_in(LookUp.PHONE, phone, "cn")
    return keys[0] if keys else None


@given(log=log_rows, directory=people)
def test_a_match_finds_what_a_naive_join_in_memory_finds(
    log: list[tuple[str, str]], directory: list[tuple[str, str, str]]
) -> None:
    joined = Joined(log, directory)
    taken: dict[str, list[str]] = {}
    for phone, categories in log:
        key = one_key(phone)
        if key:
            taken.setdefault(key, []).extend(categories.split(";") if categories else ["name"])
    keys = [one_key(phone) for _, _, phone in directory]
    bearers = {
        wanted: {
            reference or f"{key}, {name}"
            for (reference, name, _), key in zip(directory, keys, strict=True)
            if key == wanted
        }
        for wanted in taken
    }
    expected = {
        number: (reference or key, tuple(dict.fromkeys(taken[key])))
        for number, ((reference, _, _), key) in enumerate(zip(directory, keys, strict=True), start=1)
        if key in taken and key is not None and len(bearers[key]) == 1
    }
    assert joined.taken == expected
    assert set(joined.aside) == {
        number for number, key in enumerate(keys, start=1) if key in bearers and len(bearers[key]) > 1
    }
    assert sorted(joined.affected.unmatched()) == sorted(key for key in taken if not bearers[key])
    alone = [next(iter(group)) for group in bearers.values() if len(group) == 1]
    assert joined.affected.people == len(set(alone))
    assert [hit.number for hit in joined.hits] == [n for n, key in enumerate(keys, start=1) if key in taken]
