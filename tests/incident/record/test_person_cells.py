"""Reading one cell: what is clear is read, what is not is none, and nothing is guessed."""

from __future__ import annotations

from datetime import date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incident.record.person import AgeClass, Kind, NumberRole
from incident.record.person_cells import (
    lines_of,
    read_age_class,
    read_date,
    read_deceased,
    read_kind,
    read_number_role,
    split_by_slash,
    split_tokens,
    split_values,
)

FORMS = (
    "{0.year:04}-{0.month:02}-{0.day:02}",
    "{0.year:04}-{0.month}-{0.day}",
    "{0.year:04}/{0.month}/{0.day}",
    "{0.year:04}.{0.month:02}.{0.day:02}",
    "{0.year:04}年{0.month}月{0.day}日",
    "{0.year:04}{0.month:02}{0.day:02}",
)


@given(st.dates(), st.sampled_from(FORMS))
def test_a_day_with_the_year_first_is_read_in_each_usual_form(day: date, form: str) -> None:
    assert read_date(form.format(day)) == day


@given(st.datetimes(), st.sampled_from([" ", "T"]))
def test_the_time_of_day_that_databases_write_is_left_out(moment: datetime, glue: str) -> None:
    assert read_date(moment.isoformat(sep=glue)) == moment.date()


@pytest.mark.parametrize("text", ["２００１－１２－３１", "２００１年１２月３１日"])
def test_full_width_digits_are_digits(text: str) -> None:
    assert read_date(text) == date(2001, 12, 31)


@pytest.mark.parametrize(
    "text",
    [
        "31.12.2001",
        "12/31/2001",
        "01-02-03",
        "2001-13-01",
        "2001-02-30",
        "0000-01-01",
        "2001-12/31",
        "2001",
        "200112",
        "2001-W05-1",
        "tomorrow",
        "2001-12-31 noon",
        "٢٠٠١-١٢-٣١",
        "37256",
    ],
)
def test_what_could_be_another_day_or_is_none_is_not_read(text: str) -> None:
    assert read_date(text) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("under 14", AgeClass.UNDER_14),
        (" Under  14 ", AgeClass.UNDER_14),
        ("14岁以下", AgeClass.UNDER_14),
        ("不满14周岁", AgeClass.UNDER_14),
        ("１４岁以下", AgeClass.UNDER_14),
        ("＜14", AgeClass.UNDER_14),
        ("儿童", AgeClass.UNDER_14),
        ("under 18", AgeClass.UNDER_18),
        ("未成年人", AgeClass.UNDER_18),
        ("14周岁以上18周岁以下", AgeClass.UNDER_18),
        ("adult", AgeClass.ADULT),
        ("成年", AgeClass.ADULT),
        ("18+", AgeClass.ADULT),
        ("14", None),
        ("under 16", None),
        ("teenager", None),
    ],
)
def test_an_age_class_is_one_of_three(text: str, expected: AgeClass | None) -> None:
    assert read_age_class(text) is expected


@given(st.sampled_from(AgeClass), st.text(" ", max_size=2))
def test_an_age_class_is_read_as_it_is_named_here(age: AgeClass, blank: str) -> None:
    assert read_age_class(blank + age.value.replace("_", " ").upper() + blank) is age


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Person", Kind.PERSON),
        ("个人", Kind.PERSON),
        ("Organization", Kind.ORGANISATION),
        ("单位", Kind.ORGANISATION),
    ],
)
def test_a_kind_is_a_person_or_an_organisation(text: str, expected: Kind) -> None:
    assert read_kind(text) is expected
    assert read_kind(f"{text}?") is None


def test_a_number_has_a_holder_and_a_user() -> None:
    assert [read_number_role(text) for text in ("机主", "holder", "使用人", "User", "owner")] == [
        NumberRole.HOLDER,
        NumberRole.HOLDER,
        NumberRole.USER,
        NumberRole.USER,
        None,
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("yes", True),
        ("是", True),
        ("已故", True),
        ("2024-05-01", True),
        ("No", False),
        ("否", False),
        ("?", None),
    ],
)
def test_who_is_dead_is_said_by_a_word_or_a_day(text: str, expected: bool | None) -> None:
    assert read_deceased(text) is expected


@given(st.text(max_size=30))
def test_no_text_whatever_raises(text: str) -> None:
    for read in (read_date, read_age_class, read_kind, read_number_role, read_deceased):
        read(text)
    for split in (split_values, split_tokens, split_by_slash, lines_of):
        assert all(part and part == part.strip() for part in split(text))


@given(st.lists(st.text("0123456789 -+()", min_size=1).filter(str.strip), max_size=4))
def test_every_value_of_a_cell_is_found(values: list[str]) -> None:
    expected = [value.strip() for value in values]
    for sign in (";", "；", "|", "、", ",", "，", "\n"):
        assert split_values(sign.join(values)) == expected
