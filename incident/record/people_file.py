"""Reading a list of affected people: CSV in a declared encoding, one person a row, every fault named.

Pure but for the bytes it is given. Nothing is guessed: not the encoding, not the meaning of an unknown column.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import TextIO

from incident.errors import BadInput
from incident.record.contact_checks import check_email, check_phone

_LONGEST_FIELD = 4_000
_LONGEST_LINE = 1_000_000
_NO_TEXT = re.compile("[\0\ud800-\udfff]")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_COUNTRY = re.compile(r"[a-z]{2}")
_COUNTRY_WORDS = {
    "中国": "cn",
    "中国大陆": "cn",
    "china": "cn",
    "中国香港": "hk",
    "中国澳门": "mo",
    "中国台湾": "tw",
}
_ADULT_YEARS = 18

# Headers people use, by our field.
HEADERS: Mapping[str, tuple[str, ...]] = {
    "reference": (
        "reference",
        "ref",
        "id",
        "customer_id",
        "customer_number",
        "客户编号",
        "用户编号",
        "客户号",
        "编号",
    ),
    "name": ("name", "full_name", "姓名", "客户姓名", "用户姓名"),
    "email": ("email", "e-mail", "mail", "email_address", "邮箱", "电子邮箱", "电子邮件"),
    "phone": (
        "phone",
        "mobile",
        "telephone",
        "msisdn",
        "phone_number",
        "手机号",
        "手机号码",
        "电话",
        "联系电话",
    ),
    "language": ("language", "lang", "语言"),
    "country": ("country", "国家", "国家或地区"),
    "data_categories": ("data_categories", "categories", "data", "信息种类", "泄露信息种类", "涉及信息"),
    "birth_date": ("birth_date", "date_of_birth", "dob", "出生日期"),
    "guardian_name": ("guardian_name", "guardian", "监护人姓名", "监护人"),
    "guardian_email": ("guardian_email", "监护人邮箱", "监护人电子邮箱"),
    "guardian_phone": ("guardian_phone", "监护人电话", "监护人手机号"),
}
_LANGUAGE_WORDS = {
    "zh": "zh-Hans",
    "zh-hans": "zh-Hans",
    "zh-cn": "zh-Hans",
    "zh_cn": "zh-Hans",
    "中文": "zh-Hans",
    "简体中文": "zh-Hans",
    "en": "en",
    "en-gb": "en",
    "en-us": "en",
    "英文": "en",
    "english": "en",
}
_CATEGORY_SEPARATORS = ";；|、"


class Reason(StrEnum):
    """Why a row, or a field of it, could not be taken."""

    COLUMNS = "the row has another number of columns than the header"
    NO_IDENTITY = "neither a reference nor an e-mail address nor a phone number"
    EMAIL = "no valid e-mail address"
    PHONE = "no valid phone number"
    LANGUAGE = "no known language"
    COUNTRY = "no country code (write two letters, for example cn)"
    CONTROL = "holds line breaks or control characters"
    CATEGORY = "no known kind of data"
    BIRTH_DATE = "no date (write 2001-12-31)"
    TOO_LONG = "longer than 4,000 characters"
    CONFLICT = "the same person as an earlier row or list, with another contact or name"


@dataclass(frozen=True)
class Problem:
    """One fault of one row; `row` counts from 1 at the first row after the header."""

    row: int
    field: str
    reason: Reason


@dataclass(frozen=True)
class Contact:
    """How to reach somebody."""

    name: str = ""
    email: str = ""
    phone: str = ""

    @property
    def reachable(self) -> bool:
        return bool(self.email or self.phone)


@dataclass(frozen=True)
class PersonRow:
    """One person as a row says. `reference` is the organisation's own, else the contact that identifies them."""

    reference: str
    contact: Contact
    language: str
    country: str
    categories: tuple[str, ...]
    birth_date: date | None
    guardian: Contact

    def minor(self, on: date) -> bool:
        """Whether the person is under 18 on a day; unknown ages count as grown up."""
        born = self.birth_date
        if born is None:
            return False
        had_birthday = (on.month, on.day) >= (born.month, born.day)
        return on.year - born.year - (0 if had_birthday else 1) < _ADULT_YEARS


@dataclass(frozen=True)
class ReadRow:
    """What became of one row: a person, or none, and the faults found."""

    number: int
    raw: tuple[str, ...]
    person: PersonRow | None
    problems: tuple[Problem, ...]


@dataclass(frozen=True)
class Defaults:
    """What holds where a row says nothing, and what values are allowed."""

    language: str
    country: str
    categories: tuple[str, ...]
    known_categories: Mapping[str, str]
    mapping: Mapping[str, str] = field(default_factory=dict)


def read_people(stream: TextIO, *, name: str, defaults: Defaults) -> Iterator[ReadRow]:
    """Rows of a CSV stream, one at a time.

    Raises `BadInput` for a file that is empty, has no usable header, or is not in its declared encoding.
    """
    # Strict: a quote that is never closed would swallow the rows, and the people, that follow.
    reader = csv.reader(_decoded(stream, name), strict=True)
    try:
        header = next(reader, None)
        if header is None or not any(cell.strip() for cell in header):
            raise BadInput(
                "the file is empty",
                where=name,
                next_step="give a CSV file with a header row, for example: reference,name,email",
            )
        columns = _columns(header, defaults.mapping, name)
        for number, row in enumerate(reader, start=1):
            if any(cell.strip() for cell in row):
                yield _read_row(number, row, len(header), columns, defaults)
    except csv.Error as error:
        raise BadInput(f"the file is no CSV ({error})", where=f"{name}, line {reader.line_num}") from error


def _decoded(stream: TextIO, name: str) -> Iterator[str]:
    line_number = 0
    try:
        while line := stream.readline(_LONGEST_LINE):
            line_number += 1
            if _NO_TEXT.search(line):
                raise BadInput(
                    "the line holds bytes that are no text, so the file is not in the encoding that was given",
                    where=f"{name}, line {line_number}",
                    next_step="name the right one, for example --encoding utf-16",
                )
            if len(line) == _LONGEST_LINE:
                raise BadInput(
                    f"the line is longer than {_LONGEST_LINE:,} characters, so this is no list of people",
                    where=f"{name}, line {line_number}",
                    next_step="give a CSV file with one person a row",
                )
            # A byte-order mark belongs to the file, not to its first header.
            yield line if line_number > 1 else line.removeprefix("\ufeff")
    except UnicodeError as error:
        encoding = error.encoding if isinstance(error, UnicodeDecodeError) else stream.encoding
        raise BadInput(
            f"the file is not in the encoding {encoding}",
            where=f"{name}, after line {line_number}",
            next_step="name the right one, for example --encoding gb18030",
        ) from error


def _columns(header: list[str], mapping: Mapping[str, str], name: str) -> dict[str, int]:
    cells = [cell.strip() for cell in header]
    lowered = [cell.lower() for cell in cells]
    columns: dict[str, int] = {}
    for wanted, own_header in mapping.items():
        if wanted not in HEADERS:
            raise BadInput(
                f"{wanted!r} is no field of a person", next_step=f"fields are {', '.join(HEADERS)}"
            )
        if own_header not in cells:
            raise BadInput(
                f"there is no column {own_header!r}", where=name, next_step=f"columns are {', '.join(cells)}"
            )
        columns[wanted] = cells.index(own_header)
    for wanted, usual in HEADERS.items():
        if wanted in columns:
            continue
        found = [at for at, cell in enumerate(lowered) if cell in usual]
        if len(found) > 1:
            raise BadInput(
                f"several columns could be {wanted}: {', '.join(cells[at] for at in found)}",
                where=name,
                next_step=f"say which with --map {wanted}=HEADER",
            )
        if found:
            columns[wanted] = found[0]
    if not {"reference", "email", "phone"} & set(columns):
        raise BadInput(
            f"the header has no column for a reference, an e-mail address or a phone number: {', '.join(cells)}",
            where=name,
            next_step="name one with --map reference=HEADER (or email=, phone=)",
        )
    return columns


def _read_row(
    number: int, row: list[str], width: int, columns: Mapping[str, int], defaults: Defaults
) -> ReadRow:
    if len(row) != width:
        return ReadRow(number, tuple(row), None, (Problem(number, "", Reason.COLUMNS),))
    texts = {wanted: row[at].strip() for wanted, at in columns.items()}
    for wanted, text in texts.items():
        if len(text) > _LONGEST_FIELD:
            return ReadRow(number, tuple(row), None, (Problem(number, wanted, Reason.TOO_LONG),))
    cells = _Cells(number, texts)
    person = _person(cells, defaults)
    return ReadRow(number, tuple(row), person, tuple(cells.problems))


def _person(cells: _Cells, defaults: Defaults) -> PersonRow | None:
    country = _country(cells) or defaults.country
    contact = _contact(cells, country, name="name", email="email", phone="phone")
    guardian = _contact(cells, country, name="guardian_name", email="guardian_email", phone="guardian_phone")
    language = _LANGUAGE_WORDS.get(cells["language"].lower()) if cells["language"] else defaults.language
    if language is None:
        cells.fault("language", Reason.LANGUAGE)
    reference = cells["reference"] or contact.email or contact.phone
    if not reference:
        cells.fault("reference", Reason.NO_IDENTITY)
        return None
    return PersonRow(
        reference=reference,
        contact=contact,
        language=language or defaults.language,
        country=country,
        categories=_categories(cells, defaults),
        birth_date=_birth_date(cells),
        guardian=guardian,
    )


class _Cells:
    """The named cells of one row, and the faults found in them."""

    def __init__(self, number: int, texts: Mapping[str, str]) -> None:
        self.number = number
        self.problems: list[Problem] = []
        # A line break in a name or an address could end up in the head of a message.
        self._texts = {wanted: "" if _CONTROL.search(text) else text for wanted, text in texts.items()}
        for wanted, text in texts.items():
            if text and not self._texts[wanted]:
                self.fault(wanted, Reason.CONTROL)

    def __getitem__(self, wanted: str) -> str:
        return self._texts.get(wanted, "")

    def fault(self, wanted: str, reason: Reason) -> None:
        self.problems.append(Problem(self.number, wanted, reason))


def _contact(cells: _Cells, country: str, *, name: str, email: str, phone: str) -> Contact:
    address, number = check_email(cells[email]), check_phone(cells[phone], country)
    if address is None:
        cells.fault(email, Reason.EMAIL)
    if number is None:
        cells.fault(phone, Reason.PHONE)
    return Contact(cells[name], address or "", number or "")


def _country(cells: _Cells) -> str:
    said = cells["country"].lower()
    code = _COUNTRY_WORDS.get(said, said)
    if code and not _COUNTRY.fullmatch(code):
        cells.fault("country", Reason.COUNTRY)
        return ""
    return code


def _categories(cells: _Cells, defaults: Defaults) -> tuple[str, ...]:
    text = cells["data_categories"]
    for separator in _CATEGORY_SEPARATORS:
        text = text.replace(separator, ";")
    words = [word.strip().lower() for word in text.split(";") if word.strip()]
    if not words:
        return defaults.categories
    found = [defaults.known_categories.get(word) for word in words]
    if None in found:
        cells.fault("data_categories", Reason.CATEGORY)
    return tuple(dict.fromkeys(category for category in found if category))


def _birth_date(cells: _Cells) -> date | None:
    if not cells["birth_date"]:
        return None
    try:
        return date.fromisoformat(cells["birth_date"])
    except ValueError:
        cells.fault("birth_date", Reason.BIRTH_DATE)
        return None


def same_person(rows: Iterable[PersonRow]) -> PersonRow:
    """Several rows of one person as one: kinds of data joined, missing contacts filled in from later rows."""
    first, *others = rows
    merged = first
    for other in others:
        merged = PersonRow(
            reference=merged.reference,
            contact=_fill(merged.contact, other.contact),
            language=merged.language,
            country=merged.country or other.country,
            categories=tuple(dict.fromkeys((*merged.categories, *other.categories))),
            birth_date=merged.birth_date or other.birth_date,
            guardian=_fill(merged.guardian, other.guardian),
        )
    return merged


def contradiction(held: PersonRow, other: PersonRow) -> str | None:
    """The field in which two rows of one person contradict each other, if any: the first would win unseen.

    Names count only where a contact serves as the reference: two people may share a mailbox or a phone.
    """
    for wanted in ("email", "phone"):
        one, two = getattr(held.contact, wanted), getattr(other.contact, wanted)
        if one and two and one.casefold() != two.casefold():
            return wanted
    names = {held.contact.name.casefold(), other.contact.name.casefold()} - {""}
    shared = held.reference in (held.contact.email, held.contact.phone)
    return "name" if shared and len(names) > 1 else None


def _fill(first: Contact, second: Contact) -> Contact:
    return Contact(first.name or second.name, first.email or second.email, first.phone or second.phone)
