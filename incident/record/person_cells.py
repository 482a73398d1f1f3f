"""What the cells of one person's row say: dates, ages, words of a closed list, several values in one cell.

Pure. Each reader takes a text that is not empty and returns None for one that it cannot read; nothing is guessed.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from datetime import date
from typing import TypeVar

from incident.record.person import AgeClass, Kind, NumberRole

# Databases and spreadsheets write a day with the time of its first moment; the time of day says nothing here.
_TIME = r"(?:[ T][0-9]{1,2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]+)?)?)?"
_DATES = (
    re.compile(
        rf"(?P<year>[0-9]{{4}})(?P<sign>[-/.])(?P<month>[0-9]{{1,2}})(?P=sign)(?P<day>[0-9]{{1,2}}){_TIME}"
    ),
    re.compile(rf"(?P<year>[0-9]{{4}})年(?P<month>[0-9]{{1,2}})月(?P<day>[0-9]{{1,2}})日?{_TIME}"),
    re.compile(r"(?P<year>[0-9]{4})(?P<month>[0-9]{2})(?P<day>[0-9]{2})"),
)

_SEPARATORS = re.compile(r"[;；|、,，\r\n]")
_TOKEN_SEPARATORS = re.compile(r"[;；|]")

_KINDS: Mapping[str, Kind] = {
    **dict.fromkeys(("person", "natural person", "individual", "个人", "自然人", "个人客户"), Kind.PERSON),
    **dict.fromkeys(
        (
            "organisation",
            "organization",
            "company",
            "legal person",
            "单位",
            "组织",
            "机构",
            "企业",
            "公司",
            "法人",
            "单位客户",
            "集团客户",
            "政企客户",
        ),
        Kind.ORGANISATION,
    ),
}
_ROLES: Mapping[str, NumberRole] = {
    **dict.fromkeys(("holder", "registered holder", "subscriber", "机主", "登记机主"), NumberRole.HOLDER),
    **dict.fromkeys(("user", "actual user", "使用人", "实际使用人", "使用者"), NumberRole.USER),
}
_AGES: Mapping[str, AgeClass] = {
    **dict.fromkeys(
        ("under 14", "under14", "under_14", "<14", "14岁以下", "未满14岁", "不满14岁", "不满十四岁", "儿童"),
        AgeClass.UNDER_14,
    ),
    **dict.fromkeys(
        (
            "under 18",
            "under18",
            "under_18",
            "<18",
            "14-17",
            "minor",
            "18岁以下",
            "未满18岁",
            "不满18岁",
            "不满十八岁",
            "14岁以上18岁以下",
            "未成年",
            "未成年人",
        ),
        AgeClass.UNDER_18,
    ),
    **dict.fromkeys(
        ("adult", "18+", ">=18", "18 or over", "18岁以上", "已满18岁", "成年", "成年人"), AgeClass.ADULT
    ),
}
_DECEASED: Mapping[str, bool] = {
    **dict.fromkeys(("yes", "y", "true", "1", "是", "deceased", "已故", "死亡", "已死亡"), True),
    **dict.fromkeys(("no", "n", "false", "0", "否", "alive", "在世", "健在"), False),
}

_YES_OR_NO: Mapping[str, bool] = {
    **dict.fromkeys(("yes", "y", "true", "1", "是"), True),
    **dict.fromkeys(("no", "n", "false", "0", "否"), False),
}

_T = TypeVar("_T")


def read_date(text: str) -> date | None:
    """A day with the year first: 2001-12-31, 2001/12/31, 2001.12.31, 2001年12月31日 or 20011231; a time is left out."""
    words = _plain(text)
    for form in _DATES:
        if found := form.fullmatch(words):
            try:
                return date(int(found["year"]), int(found["month"]), int(found["day"]))
            except ValueError:
                return None
    return None


def read_kind(text: str) -> Kind | None:
    return _word(_KINDS, text)


def read_number_role(text: str) -> NumberRole | None:
    return _word(_ROLES, text)


def read_age_class(text: str) -> AgeClass | None:
    """An age class. A bare age is none: it holds for one day, and nobody says for which."""
    return _word(_AGES, text.replace("周岁", "岁"))


def read_deceased(text: str) -> bool | None:
    """Whether the person is dead: yes or no, or the day of death."""
    return True if read_date(text) is not None else _word(_DECEASED, text)


def read_household(text: str) -> bool | None:
    """Whether the e-mail address is a household's: yes or no."""
    return _word(_YES_OR_NO, text)


def split_values(text: str) -> list[str]:
    """The values of a cell that may hold several: parted by `;`, `|`, `、`, a comma or a line break."""
    return _parts(_SEPARATORS.split(text))


def split_tokens(text: str) -> tuple[str, ...]:
    """The push tokens of a cell, parted by `;` or `|`. What a token holds is its service's affair, commas too."""
    return tuple(dict.fromkeys(_parts(_TOKEN_SEPARATORS.split(text))))


def split_by_slash(text: str) -> list[str]:
    """The values of a cell as `13800138000/13900139000` holds them."""
    return _parts(text.split("/"))


def lines_of(text: str) -> tuple[str, ...]:
    """The lines of a text, without empty ones."""
    return tuple(_parts(text.splitlines()))


def _parts(texts: Iterable[str]) -> list[str]:
    return [part for each in texts if (part := each.strip())]


def _word(words: Mapping[str, _T], text: str) -> _T | None:
    return words.get(" ".join(_plain(text).casefold().split()))


def _plain(text: str) -> str:
    """Full-width digits, letters and signs as plain ones."""
    return unicodedata.normalize("NFKC", text).strip()
