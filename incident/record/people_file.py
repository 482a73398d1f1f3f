"""Reading a list of affected people: one person a row, every fault named.

Pure: the rows come from `incident.record.row_files`. Nothing is guessed, such as the meaning of an unknown column.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple, TypeVar

from incident.errors import BadInput
from incident.record.contact_checks import check_email, check_phone, usual_mobile
from incident.record.person import Contact, PersonRow
from incident.record.person_cells import (
    lines_of,
    read_age_class,
    read_date,
    read_deceased,
    read_household,
    read_kind,
    read_number_role,
    split_by_slash,
    split_tokens,
    split_values,
)
from incident.record.row_files import Rows
from incident.record.showing import as_written

_LONGEST_FIELD = 4_000
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_CONTROL_BUT_LINES = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_COUNTRY = re.compile(r"[a-z]{2}")
_COUNTRY_WORDS = {
    "中国": "cn",
    "中国大陆": "cn",
    "china": "cn",
    "中国香港": "hk",
    "中国澳门": "mo",
    "中国台湾": "tw",
}

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
    "guardian_consent": ("guardian_consent", "监护人同意", "监护人同意编号", "监护人同意书编号"),
    "phone_2": (
        "phone_2",
        "phone2",
        "second_phone",
        "手机号2",
        "手机号码2",
        "备用电话",
        "备用手机号",
        "其他电话",
    ),
    "phone_3": ("phone_3", "phone3", "手机号3", "手机号码3"),
    "push_tokens": ("push_tokens", "push_token", "device_token", "推送令牌", "推送标识"),
    "address": (
        "address",
        "postal_address",
        "street_address",
        "address_1",
        "address_line_1",
        "地址",
        "通讯地址",
        "联系地址",
        "邮寄地址",
        "住址",
    ),
    "address_2": ("address_2", "address2", "address_line_2", "地址2"),
    "address_3": ("address_3", "address3", "address_line_3", "地址3"),
    "postal_code": ("postal_code", "postcode", "zip_code", "zip", "邮编", "邮政编码"),
    "city": ("city", "town", "城市"),
    "kind": ("kind", "person_or_organisation", "个人或单位", "个人/单位", "主体类型"),
    "number_role": ("number_role", "holder_or_user", "机主或使用人", "机主/使用人"),
    "age_class": ("age_class", "年龄类别", "年龄分类"),
    "held_since": ("held_since", "number_held_since", "号码持有起始日期", "入网日期", "入网时间"),
    "safe_contact": ("safe_contact", "safe_contact_note", "安全联系说明", "联系注意事项"),
    "deceased": ("deceased", "是否已故", "已故"),
    "household": ("household", "household_mailbox", "家庭邮箱", "家庭共用邮箱", "是否家庭共用邮箱"),
}
PHONES = ("phone", "phone_2", "phone_3")
_ADDRESS = ("address", "address_2", "address_3")
# Where a line break parts lines or values. Everywhere else it could end up in the head of a message.
_MAY_HOLD_LINES = frozenset({*PHONES, *_ADDRESS, "safe_contact"})
_LANGUAGE_WORDS = {
    "zh": "zh-Hans",
    "zh-hans": "zh-Hans",
    "zh-cn": "zh-Hans",
    "zh_cn": "zh-Hans",
    "中文": "zh-Hans",
    "简体中文": "zh-Hans",
    "zh-hant": "zh-Hant",
    "zh-tw": "zh-Hant",
    "zh_tw": "zh-Hant",
    "zh-hk": "zh-Hant",
    "zh_hk": "zh-Hant",
    "zh-mo": "zh-Hant",
    "繁体中文": "zh-Hant",
    "繁體中文": "zh-Hant",
    "正體中文": "zh-Hant",
    "en": "en",
    "en-gb": "en",
    "en-us": "en",
    "英文": "en",
    "english": "en",
}
_CATEGORY_SEPARATORS = ";；|、"

_T = TypeVar("_T")


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
    AGE_CLASS = "no known age class (write under 14, under 18 or adult)"
    KIND = "neither a person nor an organisation"
    NUMBER_ROLE = "neither the holder nor the user of the number"
    HELD_SINCE = "no day since which the number is held (write 2001-12-31)"
    HOUSEHOLD = "neither yes nor no"
    DECEASED = "neither yes nor no, nor a day of death"
    TOO_LONG = "longer than 4,000 characters"
    CONFLICT = "the same person as an earlier row or list, of whom it says something else"
    NO_KEY = "nothing to look a person up by"
    SEVERAL_PEOPLE = "what people are looked up by stands in rows of several people"


@dataclass(frozen=True)
class Problem:
    """One fault of one row; `row` counts from 1 at the first row after the header."""

    row: int
    field: str
    reason: Reason


class ReadRow(NamedTuple):
    """What became of one row: a person, or none, and the faults found."""

    number: int
    raw: tuple[str, ...]
    person: PersonRow | None
    problems: tuple[Problem, ...]


@dataclass(frozen=True)
class Defaults:
    """What holds where a row says nothing, and what values are allowed; `languages` are tags of further languages."""

    language: str
    country: str
    categories: tuple[str, ...]
    known_categories: Mapping[str, str]
    mapping: Mapping[str, str] = field(default_factory=dict)
    languages: frozenset[str] = frozenset()

    def language_of(self, word: str) -> str | None:
        """The tag of the language that a word names: a common name, or the tag of a language of notices."""
        tags = {tag.lower(): tag for tag in self.languages}
        return _LANGUAGE_WORDS.get(word.lower()) or tags.get(word.lower().replace("_", "-"))


def read_people(rows: Rows, *, defaults: Defaults, without: Collection[str] = ()) -> Iterator[ReadRow]:
    """The rows of a list as people, one at a time; fields in `without` are not read even where a column holds them.

    Raises `BadInput` for a header that cannot be used, and as the rows do.
    """
    columns = columns_of(rows, defaults.mapping, HEADERS)
    for unread in without:
        columns.pop(unread, None)
    must_identify(columns, rows)
    reader = _RowReader(len(rows.header), columns, defaults)
    for number, row in rows.numbered:
        yield reader.read(number, row)


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


class _RowReader:
    """Reads the rows of one file: only the fields that its header names are looked at in each row."""

    def __init__(self, width: int, columns: Mapping[str, int], defaults: Defaults) -> None:
        self._width = width
        self._columns = tuple(columns.items())
        self._defaults = defaults
        self._usual_categories = categories_in("", defaults)[0]
        self._says_country = "country" in columns
        self._says_language = "language" in columns
        self._says_categories = "data_categories" in columns
        self._phones = [column for column in PHONES if column in columns]
        self._further = [
            (name, read) for name, (needs, read) in _FURTHER.items() if not columns.keys().isdisjoint(needs)
        ]

    def read(self, number: int, row: Sequence[str]) -> ReadRow:
        """One row as a person, or the faults why it is none."""
        if len(row) != self._width:
            return ReadRow(number, tuple(row), None, (Problem(number, "", Reason.COLUMNS),))
        texts = {wanted: row[at].strip() for wanted, at in self._columns}
        # Nearly every row is of plain texts: one look at all of them together says so.
        together = "".join(texts.values())
        if "'" in together:
            texts = {wanted: as_written(text) for wanted, text in texts.items()}
        if len(together) > _LONGEST_FIELD:
            for wanted, text in texts.items():
                if len(text) > _LONGEST_FIELD:
                    return ReadRow(number, tuple(row), None, (Problem(number, wanted, Reason.TOO_LONG),))
        cells = _Cells(number, texts, plain=together.isprintable())
        person = self._person(cells)
        return ReadRow(number, tuple(row), person, tuple(cells.problems))

    def _person(self, cells: _Cells) -> PersonRow | None:
        defaults = self._defaults
        country = (self._says_country and _country(cells)) or defaults.country
        contact, more_phones = _contact(cells, self._phones, country)
        language = (self._says_language and _language(cells, defaults)) or defaults.language
        reference = cells["reference"] or contact.email or contact.phone
        if not reference:
            cells.fault("reference", Reason.NO_IDENTITY)
            return None
        return PersonRow(
            reference=reference,
            contact=contact,
            language=language,
            country=country,
            categories=_categories(cells, defaults) if self._says_categories else self._usual_categories,
            more_phones=more_phones,
            **{name: read(cells, country) for name, read in self._further},
        )


class _Cells:
    """The named cells of one row, and the faults found in them; `plain` texts hold no control characters."""

    __slots__ = ("_texts", "number", "problems")

    def __init__(self, number: int, texts: Mapping[str, str], *, plain: bool) -> None:
        self.number = number
        self.problems: list[Problem] = []
        self._texts = texts
        if plain:
            return
        self._texts = {
            wanted: "" if _forbidden(wanted).search(text) else text for wanted, text in texts.items()
        }
        for wanted, text in texts.items():
            if text and not self._texts[wanted]:
                self.fault(wanted, Reason.CONTROL)

    def __getitem__(self, wanted: str) -> str:
        return self._texts.get(wanted, "")

    def fault(self, wanted: str, reason: Reason) -> None:
        self.problems.append(Problem(self.number, wanted, reason))

    def read(self, wanted: str, reader: Callable[[str], _T | None], otherwise: Reason) -> _T | None:
        """What the reader makes of a cell that says something; None and a fault where it cannot."""
        text = self[wanted]
        if not text:
            return None
        value = reader(text)
        if value is None:
            self.fault(wanted, otherwise)
        return value


def _forbidden(wanted: str) -> re.Pattern[str]:
    return _CONTROL_BUT_LINES if wanted in _MAY_HOLD_LINES else _CONTROL


def _contact(cells: _Cells, phones: Sequence[str], country: str) -> tuple[Contact, tuple[str, ...]]:
    """The person's contact with the first number of these columns, and the further numbers."""
    address = check_email(cells["email"])
    if address is None:
        cells.fault("email", Reason.EMAIL)
    if len(phones) == 1 and (usual := usual_mobile(cells[phones[0]], country)):
        return Contact(cells["name"], address or "", usual), ()
    found = dict.fromkeys(number for column in phones for number in _numbers(cells, column, country))
    phone, *more = found or ("",)
    return Contact(cells["name"], address or "", phone), tuple(more)


def _numbers(cells: _Cells, column: str, country: str) -> list[str]:
    """The valid numbers of a cell; a fault for the others."""
    found, all_valid = numbers_in(cells[column], country)
    if not all_valid:
        cells.fault(column, Reason.PHONE)
    return found


def numbers_in(text: str, country: str) -> tuple[list[str], bool]:
    """The valid numbers of a cell, which may hold several, as E.164; and whether it holds nothing else."""
    if not text:
        return [], True
    if usual := usual_mobile(text, country):
        return [usual], True
    found = [number for part in split_values(text) for number in _one_or_two(part, country)]
    valid = [number for number in found if number]
    if found and len(valid) == len(found):
        return valid, True
    # What looks like a separator may belong to the number: an extension, for example.
    whole = check_phone(text, country)
    return ([whole], True) if whole else (valid, False)


def _one_or_two(text: str, country: str) -> list[str | None]:
    # Some write 030/1234567 for one number, others 13800138000/13900139000 for two.
    number = check_phone(text, country)
    if number is None and "/" in text:
        return [check_phone(each, country) for each in split_by_slash(text)]
    return [number]


def _guardian(cells: _Cells, country: str) -> Contact:
    address = check_email(cells["guardian_email"])
    number = check_phone(cells["guardian_phone"], country)
    if address is None:
        cells.fault("guardian_email", Reason.EMAIL)
    if number is None:
        cells.fault("guardian_phone", Reason.PHONE)
    return Contact(cells["guardian_name"], address or "", number or "")


def _address(cells: _Cells) -> tuple[str, ...]:
    town = " ".join(part for part in (cells["postal_code"], cells["city"]) if part)
    return (*(line for column in _ADDRESS for line in lines_of(cells[column])), *([town] if town else ()))


def _language(cells: _Cells, defaults: Defaults) -> str:
    word = cells["language"]
    language = defaults.language_of(word) if word else ""
    if language is None:
        cells.fault("language", Reason.LANGUAGE)
    return language or ""


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
    if not text:
        return tuple(dict.fromkeys(defaults.categories)), True
    for separator in _CATEGORY_SEPARATORS:
        text = text.replace(separator, ";")
    words = [word.strip().lower() for word in text.split(";") if word.strip()]
    if not words:
        return tuple(dict.fromkeys(defaults.categories)), True
    found = [defaults.known_categories.get(word) for word in words]
    return tuple(dict.fromkeys(category for category in found if category)), None not in found


def _note(cells: _Cells) -> tuple[str, ...]:
    note = "\n".join(lines_of(cells["safe_contact"]))
    return (note,) if note else ()


def _field(wanted: str, reader: Callable[[str], Any], otherwise: Reason) -> _ReadField:
    return lambda cells, country: cells.read(wanted, reader, otherwise)


_ReadField = Callable[[_Cells, str], Any]
_FURTHER: Mapping[str, tuple[Collection[str], _ReadField]] = {
    "birth_date": (["birth_date"], _field("birth_date", read_date, Reason.BIRTH_DATE)),
    "guardian": (["guardian_name", "guardian_email", "guardian_phone"], _guardian),
    "push_tokens": (["push_tokens"], lambda cells, country: split_tokens(cells["push_tokens"])),
    "address": ([*_ADDRESS, "postal_code", "city"], lambda cells, country: _address(cells)),
    "kind": (["kind"], _field("kind", read_kind, Reason.KIND)),
    "number_role": (["number_role"], _field("number_role", read_number_role, Reason.NUMBER_ROLE)),
    "age_class": (["age_class"], _field("age_class", read_age_class, Reason.AGE_CLASS)),
    "guardian_consent": (["guardian_consent"], lambda cells, country: cells["guardian_consent"]),
    "held_since": (["held_since"], _field("held_since", read_date, Reason.HELD_SINCE)),
    "safe_contact": (["safe_contact"], lambda cells, country: _note(cells)),
    "deceased": (
        ["deceased"],
        lambda cells, country: bool(cells.read("deceased", read_deceased, Reason.DECEASED)),
    ),
    "household": (
        ["household"],
        lambda cells, country: bool(cells.read("household", read_household, Reason.HOUSEHOLD)),
    ),
}
"""What a row may say of a person besides, by the name of the field: the columns that it needs, and how it is read."""


def is_clean(wanted: str, text: str) -> bool:
    """Whether a field's text is without control characters, and no longer than a field may be."""
    # All of them are not printable, and so are a few others: the quick look is enough for nearly all texts.
    return len(text) <= _LONGEST_FIELD and (text.isprintable() or not _forbidden(wanted).search(text))
