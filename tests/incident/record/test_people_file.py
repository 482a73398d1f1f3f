"""Reading lists of people: every fault named, nothing guessed, no person swallowed."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incident.errors import BadInput
from incident.record.people_file import (
    HEADERS,
    Defaults,
    ReadRow,
    Reason,
    read_people,
)
from incident.record.person import AgeClass, Contact, Kind, NumberRole, PersonRow
from incident.record.row_files import RowFormat, read_rows

CATEGORIES = {"phone": "phone", "name": "name", "手机号码": "phone", "id_number": "id_number"}
DEFAULTS = Defaults(language="zh-Hans", country="cn", categories=("name",), known_categories=CATEGORIES)


def read(text: str, **options: Any) -> list[ReadRow]:
    defaults = Defaults(**{**vars(DEFAULTS), **options})
    # Half of a character cannot be written; that it is refused is for the tests of reading files.
    content = io.BytesIO(text.encode(errors="replace"))
    rows = read_rows(content, encoding="utf-8", name="list.csv", format=RowFormat.CSV)
    return list(read_people(rows, defaults=defaults))


def read_bytes(content: bytes, encoding: str) -> list[ReadRow]:
    rows = read_rows(io.BytesIO(content), encoding=encoding, name="list.csv", format=RowFormat.CSV)
    return list(read_people(rows, defaults=DEFAULTS))


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


@pytest.mark.parametrize(
    ("word", "tag"),
    [
        ("zh-TW", "zh-Hant"),
        ("zh_HK", "zh-Hant"),
        ("繁體中文", "zh-Hant"),
        ("zh", "zh-Hans"),
        ("UG", "ug"),
        ("pt_br", "pt-BR"),
    ],
)
def test_a_language_is_known_by_its_common_names_and_as_a_language_of_notices(word: str, tag: str) -> None:
    defaults = replace(DEFAULTS, languages=frozenset({"ug", "pt-BR"}))
    assert defaults.language_of(word) == tag
    assert DEFAULTS.language_of("ug") is None


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
            texts = [row.person.reference, *row.person.contact]
            assert not any(sign in value for value in texts for sign in "\r\n\0\x1b")


# -- the further fields ---------------------------------------------------------------------------------


def test_everything_that_can_be_known_of_a_person_is_read_by_english_headers() -> None:
    text = (
        "id,phone,phone2,push_token,address,address_line_2,postcode,city,kind,holder_or_user,age_class,"
        "guardian_consent,held_since,safe_contact_note,deceased\n"
        'C1,13800138000;13900139000,13700137000,tok:a;tok:b,"1 Long Lane\nLeft door",Hamlet,AB1 2CD,Town,person,user,'
        'under 14,CONSENT-7,2024-05-01,"not at home\nnot in the evening",no\n'
    )
    found = person(text)
    assert found.phones == ("+8613800138000", "+8613900139000", "+8613700137000")
    assert found.push_tokens == ("tok:a", "tok:b")
    assert found.address == ("1 Long Lane", "Left door", "Hamlet", "AB1 2CD Town")
    assert (found.kind, found.number_role, found.age_class) == (
        Kind.PERSON,
        NumberRole.USER,
        AgeClass.UNDER_14,
    )
    assert (found.guardian_consent, found.held_since) == ("CONSENT-7", date(2024, 5, 1))
    assert (found.safe_contact, found.deceased) == (("not at home\nnot in the evening",), False)


def test_everything_that_can_be_known_of_a_person_is_read_by_chinese_headers() -> None:
    text = (
        "客户编号,手机号,备用电话,推送令牌,通讯地址,邮编,个人/单位,机主/使用人,年龄类别,监护人同意编号,入网时间,安全联系说明,是否已故\n"
        "C1,13800138000、13900139000,13700137000,abc,北京市朝阳区幸福路1号,100020,单位,机主,不满14周岁,同意-7,"
        "2024年5月1日,请勿在家中联系,是\n"
    )
    found = person(text)
    assert found.phones == ("+8613800138000", "+8613900139000", "+8613700137000")
    assert (found.push_tokens, found.address) == (("abc",), ("北京市朝阳区幸福路1号", "100020"))
    assert (found.kind, found.number_role, found.age_class) == (
        Kind.ORGANISATION,
        NumberRole.HOLDER,
        AgeClass.UNDER_14,
    )
    assert (found.guardian_consent, found.held_since) == ("同意-7", date(2024, 5, 1))
    assert (found.safe_contact, found.deceased) == (("请勿在家中联系",), True)


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("13800138000", ("+8613800138000",)),
        ("13800138000/13900139000", ("+8613800138000", "+8613900139000")),
        ("13800138000， 13900139000", ("+8613800138000", "+8613900139000")),
        ("13800138000\n13900139000", ("+8613800138000", "+8613900139000")),
        ("13800138000;13800138000", ("+8613800138000",)),
        ("0531/88888888", ("+8653188888888",)),
        ("(010) 6555-1234, ext. 12", ("+861065551234",)),
    ],
)
def test_a_cell_holds_one_number_or_several(cell: str, expected: tuple[str, ...]) -> None:
    assert person(f'id,phone\nC1,"{cell}"\n').phones == expected


def test_a_number_that_is_none_does_not_take_the_others_of_its_cell_with_it() -> None:
    row = one("id,phone,phone2\nC1,13800138000;nobody,x\n")
    assert faults(row) == [("phone", Reason.PHONE), ("phone_2", Reason.PHONE)]
    assert row.person is not None and row.person.phones == ("+8613800138000",)


def test_a_further_number_identifies_who_has_no_first_one() -> None:
    assert person("phone,phone2\n,13800138000\n").reference == "+8613800138000"


def test_a_push_token_is_taken_as_it_stands() -> None:
    subscription = '{""endpoint"":""https://push.example.org/1"",""keys"":{""auth"":""x""}}'
    assert person(f'id,push_token\nC1,"{subscription}"\n').push_tokens == (subscription.replace('""', '"'),)


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        ("half,,,,,", [("kind", Reason.KIND)]),
        (",owner,,,,", [("number_role", Reason.NUMBER_ROLE)]),
        (",,17,,,", [("age_class", Reason.AGE_CLASS)]),
        (",,,01.05.2024,,", [("held_since", Reason.HELD_SINCE)]),
        (",,,,perhaps,", [("deceased", Reason.DECEASED)]),
        (",,,,,line\x07", [("safe_contact", Reason.CONTROL)]),
    ],
)
def test_a_further_field_that_cannot_be_read_is_told_and_left_out(
    cells: str, expected: list[tuple[str, Reason]]
) -> None:
    row = one(f"id,kind,number_role,age_class,held_since,deceased,safe_contact\nC1,{cells}\n")
    assert faults(row) == expected
    assert row.person == person("id\nC1\n")


@pytest.mark.parametrize(
    "name",
    ["👩‍👩‍👧 Ann", "عَبْدُ ٱلرَّحْمَٰن", "\u200fדוד\u200f", "𠀀𪚥", "Zoë\u0301", "x" * 4000, "=Bo", "O'Neill, Bo"],
)
def test_a_name_in_any_script_and_of_any_length_is_kept_as_it_is(name: str) -> None:
    assert person(f'id,name\nC1,"{name}"\n').contact.name == name


@pytest.mark.parametrize("sign", ["\n", "\r\n", "\u2028", "\x85", "\x1b"])
def test_a_name_never_holds_a_line_break(sign: str) -> None:
    assert faults(one(f'id,name\nC1,"Bo{sign}Bcc: all"\n')) == [("name", Reason.CONTROL)]


def test_a_cell_that_was_made_safe_for_spreadsheets_is_read_as_it_was() -> None:
    found = person("id,name,phone\n'-7,'=Bo,'+8613800138000\n")
    assert (found.reference, found.contact.name, found.contact.phone) == ("-7", "=Bo", "+8613800138000")
    assert person("id,name\nC1,'t Hooft\n").contact.name == "'t Hooft"


def test_the_header_of_a_file_is_known_as_it_stands() -> None:
    content = "\ufeffid, Kunde ,email\nC1,Bo,\nC2\n".encode()
    rows = read_rows(io.BytesIO(content), encoding="utf-8", name="list.csv", format=RowFormat.CSV)
    assert rows.header == ("id", " Kunde ", "email")
