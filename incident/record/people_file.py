"""Reading a list of affected people: one person a row, every fault named.

Pure: the rows come from `incident.record.row_files`. Nothing is guessed, such as the meaning of an unknown column.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum

from incident.errors import BadInput
from incident.record.row_files import Rows

_LONGEST_FIELD = 4_000
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
    NO_KEY = "nothing to look a person up by"
    SEVERAL_PEOPLE = "what people are looked up by stands in rows of several people"


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


def read_people(rows: Rows, *, defaults: Defaults, without: Collection[str] = ()) -> Iterator[ReadRow]:
    """The rows of a list as people, one at a time; fields in `without` are not read even where a column holds them.

    Raises `BadInput` for a header that cannot be used, and as the rows do.
    """
    columns = columns_of(rows, defaults.mapping, HEADERS)
    for unread in without:
        columns.pop(unread, None)
    must_identify(columns, rows)
    for number, row in rows.numbered:
        yield _read_row(number, row, len(rows.header), columns, defaults)


def columns_of(
    rows: Rows, mapping: Mapping[str, str], headers: Mapping[str, Collection[str]], *, option: str = "--map"
) -> dict[str, int]:
    """Where each field of `headers` stands: as `mapping` says (field to header), else by the headers people use.

    Raises `BadInput` for a mapping that names no field or no column, and for a field that several columns could be;
    `option` is what a person says it with.
    """
    cells = [cell.strip() for cell in rows.header]
    lowered = [cell.lower() for cell in cells]
    columns: dict[str, int] = {}
    for wanted, own_header in mapping.items():
        if wanted not in headers:
            raise BadInput(
                f"{wanted!r} is no field of a person that is read here",
                where=option,
                next_step=f"fields are {', '.join(headers)}",
            )
        if own_header not in cells:
            raise BadInput(
                f"there is no column {own_header!r}",
                where=rows.name,
                next_step=f"columns are {', '.join(cells)}",
            )
        columns[wanted] = cells.index(own_header)
    for wanted, usual in headers.items():
        if wanted in columns:
            continue
        found = [at for at, cell in enumerate(lowered) if cell in usual]
        if len(found) > 1:
            raise BadInput(
                f"several columns could be {wanted}: {', '.join(cells[at] for at in found)}",
                where=rows.name,
                next_step=f"say which with {option} {wanted}=HEADER",
            )
        if found:
            columns[wanted] = found[0]
    return columns


def must_identify(columns: Mapping[str, int], rows: Rows) -> None:
    """Raises `BadInput` for columns none of which tells people apart."""
    if not {"reference", "email", "phone"} & set(columns):
        raise BadInput(
            "the header has no column for a reference, an e-mail address or a phone number: "
            + ", ".join(cell.strip() for cell in rows.header),
            where=rows.name,
            next_step="name one with --map reference=HEADER (or email=, phone=)",
        )


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
    code = country_code(cells["country"])
    if code is None:
        cells.fault("country", Reason.COUNTRY)
    return code or ""


def country_code(text: str) -> str | None:
    """Two small letters, "" for none, None for what is no country."""
    said = text.lower()
    code = _COUNTRY_WORDS.get(said, said)
    return code if not code or _COUNTRY.fullmatch(code) else None


def _categories(cells: _Cells, defaults: Defaults) -> tuple[str, ...]:
    found, all_known = categories_in(cells["data_categories"], defaults)
    if not all_known:
        cells.fault("data_categories", Reason.CATEGORY)
    return found


def categories_in(text: str, defaults: Defaults) -> tuple[tuple[str, ...], bool]:
    """The kinds of data that a cell names, each once, or the default ones; and whether all of its words are known."""
    for separator in _CATEGORY_SEPARATORS:
        text = text.replace(separator, ";")
    words = [word.strip().lower() for word in text.split(";") if word.strip()]
    if not words:
        return defaults.categories, True
    found = [defaults.known_categories.get(word) for word in words]
    return tuple(dict.fromkeys(category for category in found if category)), None not in found


def is_clean(text: str) -> bool:
    """Whether a text is without line breaks and control characters, and no longer than a field may be."""
    # All of them are not printable, and so are a few others: the quick look is enough for nearly all texts.
    return len(text) <= _LONGEST_FIELD and (text.isprintable() or not _CONTROL.search(text))


def _birth_date(cells: _Cells) -> date | None:
    if not cells["birth_date"]:
        return None
    try:
        return date.fromisoformat(cells["birth_date"])
    except ValueError:
        cells.fault("birth_date", Reason.BIRTH_DATE)
        return None


def check_email(text: str) -> str | None:
    """The address in its normal form, "" for none, None when it cannot be one. Nothing is looked up."""
    if not text:
        return ""
    from email_validator import EmailNotValidError, validate_email

    try:
        checked = validate_email(text, check_deliverability=False, allow_smtputf8=False)
    except EmailNotValidError:
        return None
    return checked.ascii_email or checked.normalized


def check_phone(text: str, country: str) -> str | None:
    """The number as E.164, "" for none, None when it cannot be one in its country."""
    if not text:
        return ""
    import phonenumbers

    try:
        number = phonenumbers.parse(text, country.upper() or None)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_possible_number(number):
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


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
