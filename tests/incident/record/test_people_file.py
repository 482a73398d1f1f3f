"""Reading lists of people: every fault named, nothing guessed, no person swallowed."""

from __future__ import annotations

import io
from collections.abc import Mapping
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incident.errors import BadInput
from incident.record.people_file import (
    HEADERS,
    Contact,
    Defaults,
    PersonRow,
    ReadRow,
    Reason,
    contradiction,
    read_people,
    same_person,
)

CATEGORIES = {"phone": "phone", "name": "name", "手机号码": "phone", "id_number": "id_number"}
DEFAULTS = Defaults(language="zh-Hans", country="cn", categories=("name",), known_categories=CATEGORIES)


def read(text: str, **options: Any) -> list[ReadRow]:
    defaults = Defaults(**{**vars(DEFAULTS), **options})
    return list(read_people(io.StringIO(text, newline=""), name="list.csv", defaults=defaults))


def read_bytes(content: bytes, encoding: str) -> list[ReadRow]:
    stream = io.TextIOWrapper(io.BytesIO(content), encoding=encoding, newline="")
    return list(read_people(stream, name="list.csv", defaults=DEFAULTS))


def one(text: str, **options: Any) -> ReadRow:
    [row] = read(text, **options)
    return row


def person(text: str, **options: Any) -> PersonRow:
    row = one(text, **options)
    assert row.problems == ()
    assert row.person is not None
    return row.person


def faults(row: ReadRow) -> list[tuple[str, Reason]]:
    return [(problem.field, problem.reason) for problem in row.problems]


def test_a_row_becomes_a_person_with_the_defaults_where_it_says_nothing() -> None:
    assert person("reference,name,email\nC1,张三,zhang@example.org\n") == PersonRow(
        reference="C1",
        contact=Contact("张三", "zhang@example.org", ""),
        language="zh-Hans",
        country="cn",
        categories=("name",),
        birth_date=None,
        guardian=Contact(),
    )


def test_chinese_headers_are_known() -> None:
    text = (
        "客户编号,姓名,手机号码,电子邮箱,语言,国家,涉及信息,出生日期,监护人姓名,监护人电话\n"
        "C1,李小明,138 0013 8000,li@example.org,英文,中国,手机号码、name,2015-06-01,李大明,13900139000\n"
    )
    assert person(text) == PersonRow(
        reference="C1",
        contact=Contact("李小明", "li@example.org", "+8613800138000"),
        language="en",
        country="cn",
        categories=("phone", "name"),
        birth_date=date(2015, 6, 1),
        guardian=Contact("李大明", "", "+8613900139000"),
    )


@pytest.mark.parametrize("field", HEADERS)
def test_every_header_of_a_field_is_in_lower_case_and_belongs_to_it_alone(field: str) -> None:
    others = {header for name, headers in HEADERS.items() if name != field for header in headers}
    assert not set(HEADERS[field]) & others
    assert all(header == header.lower() for header in HEADERS[field])


def test_headers_are_known_in_any_case_with_blanks_and_a_byte_order_mark() -> None:
    assert person("\ufeff Reference , NAME\nC1,Bo\n").contact.name == "Bo"


def test_without_a_reference_the_contact_identifies_the_person() -> None:
    assert person("email,phone\na@example.org,13800138000\n").reference == "a@example.org"
    assert person("email,phone\n,13800138000\n").reference == "+8613800138000"


def test_a_column_can_be_named_by_hand() -> None:
    text = "nr,Kunde,邮箱,email\nC1,Bo,one@example.org,two@example.org\n"
    mapping = {"reference": "nr", "name": "Kunde", "email": "邮箱"}
    assert person(text, mapping=mapping).contact == Contact("Bo", "one@example.org", "")


@pytest.mark.parametrize(
    ("text", "mapping", "said"),
    [
        ("", {}, "the file is empty"),
        ("\n\n", {}, "the file is empty"),
        (" , ,\n", {}, "the file is empty"),
        ("name,city\nBo,Oslo\n", {}, "no column for a reference"),
        ("email,邮箱\na,b\n", {}, "several columns could be email"),
        ("a,b\n1,2\n", {"reference": "c"}, "no column 'c'"),
        ("a,b\n1,2\n", {"colour": "a"}, "no field of a person"),
    ],
)
def test_a_header_that_cannot_be_used_is_refused_with_advice(
    text: str, mapping: Mapping[str, str], said: str
) -> None:
    with pytest.raises(BadInput, match=said) as caught:
        read(text, mapping=mapping)
    assert caught.value.next_step


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        ("C1,,no address,,,,,,", [("email", Reason.EMAIL)]),
        ("C1,,,12,,,,,", [("phone", Reason.PHONE)]),
        ("C1,,,,klingon,,,,", [("language", Reason.LANGUAGE)]),
        ("C1,,,,,Mars,,,", [("country", Reason.COUNTRY)]),
        ("C1,,,,,,dreams,,", [("data_categories", Reason.CATEGORY)]),
        ("C1,,,,,,,31.12.2001,", [("birth_date", Reason.BIRTH_DATE)]),
        ("C1,,,,,,,,no address", [("guardian_email", Reason.EMAIL)]),
        ('C1,"Bo\nBcc: all",,,,,,,', [("name", Reason.CONTROL)]),
        ("C1,B\x1b[31mo,,,,,,,", [("name", Reason.CONTROL)]),
        ("C1,,x,y,,,,,", [("email", Reason.EMAIL), ("phone", Reason.PHONE)]),
    ],
)
def test_a_person_with_a_faulty_field_is_taken_without_it(
    cells: str, expected: list[tuple[str, Reason]]
) -> None:
    row = one(f"reference,name,email,phone,language,country,categories,dob,guardian_email\n{cells}\n")
    assert faults(row) == expected
    assert row.person is not None
    assert row.person.reference == "C1"
    assert (row.person.contact, row.person.guardian) == (Contact(), Contact())
    assert (row.person.language, row.person.country, row.person.birth_date) == ("zh-Hans", "cn", None)


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        ("C1", ("", Reason.COLUMNS)),
        ("C1,a@example.org,more", ("", Reason.COLUMNS)),
        (",,", ("", Reason.COLUMNS)),
        (f"C1,{'x' * 4001}", ("email", Reason.TOO_LONG)),
    ],
)
def test_a_row_that_cannot_be_a_person_is_kept_as_it_stands(cells: str, expected: tuple[str, Reason]) -> None:
    rows = read(f"reference,email\nC0,\n{cells}\nC2,\n")
    broken = [row for row in rows if row.problems]
    if cells == ",,":
        assert broken == [], "a row without any text is no row"
        return
    [row] = broken
    assert (row.number, row.person, faults(row)) == (2, None, [expected])
    assert row.raw == tuple(cells.split(","))


def test_a_row_without_any_identity_is_rejected() -> None:
    row = one("reference,name\n,Bo\n")
    assert (row.person, faults(row)) == (None, [("reference", Reason.NO_IDENTITY)])


def test_rows_are_numbered_as_they_stand_also_after_blank_ones() -> None:
    assert [row.number for row in read("reference\nC1\n\n  \nC2\n")] == [1, 4]


def test_a_quote_that_is_never_closed_does_not_swallow_the_people_after_it() -> None:
    for text in ('reference,name\nC1,"Bo\nC2,Li\n', 'reference,name\nC1,"Bo\nC2,Li\nC3,"Wu"\n'):
        with pytest.raises(BadInput, match="no CSV") as caught:
            read(text)
        assert caught.value.where is not None and "line" in caught.value.where


@pytest.mark.parametrize(
    ("content", "encoding", "said"),
    [
        ("姓名,邮箱\n张三,a@example.org\n".encode("gb18030"), "utf-8", "not in the encoding utf-8"),
        ("email\na@example.org\n".encode("utf-16-le"), "utf-8", "bytes that are no text"),
        ("email\na@example.org\n".encode("utf-16-le")[:-1], "utf-16-le", "not in the encoding utf-16"),
        (b"email\n+2AA-\n", "utf-7", "bytes that are no text"),
        (b"email\n\xff\n", "ascii", "not in the encoding ascii"),
        (b"email\n" + b"a" * 1_000_001, "utf-8", "longer than 1,000,000 characters"),
    ],
)
def test_a_file_in_another_encoding_is_refused_with_advice(content: bytes, encoding: str, said: str) -> None:
    with pytest.raises(BadInput, match=said) as caught:
        read_bytes(content, encoding)
    assert caught.value.next_step


@given(
    content=st.binary(max_size=200),
    encoding=st.sampled_from(["utf-8", "gb18030", "utf-16", "utf-7", "latin-1"]),
)
def test_no_bytes_whatever_raise_anything_but_bad_input(content: bytes, encoding: str) -> None:
    for header in (b"", b"reference,name,email,phone,dob,country,language,categories\n"):
        try:
            rows = read_bytes(header + content, encoding)
        except BadInput as error:
            assert error.where
        else:
            assert all(row.person is not None or row.problems for row in rows)


cell = st.text(max_size=12) | st.sampled_from(
    ['"', '""', ",", "\n", "\r", "a@b.org", "13800138000", "2001-02-30", "中国"]
)


@given(
    rows=st.lists(st.lists(cell, min_size=9, max_size=9), max_size=4),
    glue=st.sampled_from([",", '","', ",\t"]),
)
def test_no_text_whatever_raises_anything_but_bad_input_and_every_row_is_accounted_for(
    rows: list[list[str]], glue: str
) -> None:
    text = "id,name,email,phone,lang,country,data,dob,guardian_phone\n" + "\n".join(
        glue.join(row) for row in rows
    )
    try:
        found = read(text)
    except BadInput as error:
        assert error.where
        return
    assert [row.number for row in found] == sorted({row.number for row in found})
    for row in found:
        assert row.person is not None or row.problems
        if row.person is not None:
            assert row.person.reference
            texts = [row.person.reference, *vars(row.person.contact).values()]
            assert not any(sign in value for value in texts for sign in "\r\n\0\x1b")


@pytest.mark.parametrize(
    ("born", "minor"),
    [(date(2008, 11, 23), False), (date(2008, 11, 24), True), (date(2009, 1, 1), True), (None, False)],
)
def test_a_person_is_a_minor_until_the_eighteenth_birthday(born: date | None, minor: bool) -> None:
    row = person("reference\nC1\n")
    assert PersonRow(**{**vars(row), "birth_date": born}).minor(date(2026, 11, 23)) is minor


def test_somebody_born_on_a_leap_day_is_of_age_on_the_first_of_march() -> None:
    row = PersonRow(**{**vars(person("reference\nC1\n")), "birth_date": date(2008, 2, 29)})
    assert [row.minor(date(2026, 2, 28)), row.minor(date(2026, 3, 1))] == [True, False]


def test_several_rows_of_one_person_join_kinds_of_data_and_fill_in_contacts() -> None:
    one, two = (
        person(f"id,name,email,phone,data,dob,guardian_phone\nC1,{cells}\n")
        for cells in ("Bo,,13800138000,phone,,", "Bob,b@example.org,,name;phone,2015-01-01,13900139000")
    )
    assert same_person([one, two]) == PersonRow(
        reference="C1",
        contact=Contact("Bo", "b@example.org", "+8613800138000"),
        language="zh-Hans",
        country="cn",
        categories=("phone", "name"),
        birth_date=date(2015, 1, 1),
        guardian=Contact("", "", "+8613900139000"),
    )


@pytest.mark.parametrize(
    ("one", "two", "differs"),
    [
        ("C1,Bo,a@example.org,", "C1,Bo,b@example.org,", "email"),
        ("C1,Bo,a@example.org,", "C1,Bo,A@example.org,", None),
        ("C1,Bo,,13800138000", "C1,Bo,,13900139000", "phone"),
        ("C1,Bo,a@example.org,", "C1,Robert,,13900139000", None),
        (",Bo,a@example.org,", ",Li,a@example.org,", "name"),
        (",Bo,a@example.org,", ",,a@example.org,", None),
        (",Bo,,13800138000", ",Li,,13800138000", "name"),
    ],
)
def test_rows_of_one_person_that_contradict_each_other_are_told(
    one: str, two: str, differs: str | None
) -> None:
    first, second = (person(f"id,name,email,phone\n{cells}\n") for cells in (one, two))
    assert contradiction(first, second) == differs
