"""One fact's value: parsed from what people write, kept as JSON, shown to people.

Pure. Times are UTC inside; a time written without an offset is taken in the zone that is passed in.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from decimal import Decimal
from enum import StrEnum
from typing import Any

from incident.errors import BadInput
from incident.record.fields import QUANTITIES, Field, FieldType, FrozenText
from incident.record.quantities import (
    Interval,
    Number,
    normal,
    parse_amount,
    parse_count,
    parse_duration,
    parse_percent,
)

Value = datetime | Interval | bool | str | tuple[str, ...] | FrozenText
FactSheet = Mapping[str, "Value | None"]


class Certainty(StrEnum):
    confirmed = "confirmed"
    likely = "likely"
    claimed = "claimed"
    assumed = "assumed"


@dataclass(frozen=True)
class Fact:
    """What somebody said about one field. `value` None: it is known that this is not known."""

    field: str
    value: Value | None
    said_by: str
    source: str
    sure: Certainty
    known_at: datetime


_UNKNOWN = frozenset(
    {"unknown", "null", "~", "not known", "not known yet", "don't know", "i don't know", "nobody knows"}
    | {"未知", "不详", "尚不清楚", "不知道", "我不知道", "不清楚", "暂不清楚", "暂不知道"}
)
_YES = frozenset({"yes", "true", "y", "是"})
_NO = frozenset({"no", "false", "n", "否"})
_TIME = re.compile(
    r"([0-9]{4})(?:-|/|年)([0-9]{1,2})(?:-|/|月)([0-9]{1,2})日?(?:\s+|T)?"
    r"([0-9]{1,2})(?::|时)([0-9]{2})分?(?::?([0-9]{2})(?:\.([0-9]{1,6}))?秒?)?"
    r"\s*(Z|UTC|[+-][0-9]{2}:?[0-9]{2})?",
    re.IGNORECASE,
)
_LANGUAGE_TAG = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*")
_SEPARATORS = re.compile(r"[、，,；;\n]")
_LONGEST_TEXT = 20_000
_PLAIN = "write it as plain text, the essence first; longer material is taken by `incident evidence add`"


def parse_value(field: Field, raw: object, *, zone: tzinfo) -> Value | None:
    """The value of `raw` for `field`; None when it says that this is unknown.

    `raw` is what a person or a file wrote: a string, or a plain value from YAML or JSON.
    Raises `BadInput` that names the field and says what to write instead.
    """
    if says_unknown(field, raw):
        return None
    try:
        return _PARSERS[field.type](field, raw, zone)
    except ValueError as error:
        raise BadInput(
            str(error), where=field.name, next_step="or write unknown if nobody knows yet"
        ) from None


def parse_time(raw: object, *, zone: tzinfo) -> datetime:
    """A moment in UTC. Without an offset it is local time in `zone`; `ValueError` says what is wrong.

    A local time that the clocks skipped or showed twice is refused, because a deadline would hang on a guess.
    """
    if isinstance(raw, datetime):
        return (raw if raw.tzinfo else moment_in_zone(raw, zone)).astimezone(UTC)
    match = _TIME.fullmatch(normal(raw)) if isinstance(raw, str) else None
    if match is None:
        raise ValueError(f"“{raw}” is no date with a time; write for example 2026-11-21 23:40")
    *numbers, fraction, offset = match.groups()
    year, month, day, hour, minute, second = (int(part or 0) for part in numbers)
    try:
        local = datetime(year, month, day, hour, minute, second, int((fraction or "").ljust(6, "0")))  # noqa: DTZ001 - the zone follows
        moment = (
            moment_in_zone(local, zone) if offset is None else local.replace(tzinfo=offset_called(offset))
        )
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError(f"“{raw}” is out of range; write for example 2026-11-21 23:40") from None
    except ValueError as error:
        raise ValueError(f"“{raw}” is no moment: {error}") from None


def value_to_json(value: Value | None) -> Any:
    """Plain JSON; `value_from_json` is its exact inverse. Decimals become strings, times end in Z."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, Interval):
        return {key: _number_to_json(getattr(value, key)) for key in ("min", "likely", "max")}
    if isinstance(value, tuple):
        return list(value)
    return dict(value) if isinstance(value, FrozenText) else value


def value_from_json(field: Field, data: Any) -> Value | None:
    """The value that `value_to_json` wrote. `BadInput` if the data does not fit the field."""
    if data is None:
        return None
    try:
        if field.type in QUANTITIES:
            low = _number_from_json(data["min"])
            if low is not None:
                return Interval(low, _number_from_json(data["likely"]), _number_from_json(data["max"]))
            raise ValueError("a range without a lower bound")
        return _PARSERS[field.type](field, data, UTC)
    except (ValueError, TypeError, KeyError, ArithmeticError):
        raise BadInput(
            "the stored value does not fit this fact",
            where=field.name,
            next_step="the record may come from another version; run incident check",
        ) from None


def says_unknown(field: Field, raw: object) -> bool:
    """Whether what a person or a file wrote says that the field is not known: unknown, I don't know, 不知道."""
    if raw is None:
        return True
    if not isinstance(raw, str):
        return False
    word = normal(raw).lower().replace("’", "'").removesuffix(".").removesuffix("。")
    return word in _UNKNOWN and word not in field.choices


def _time(field: Field, raw: object, zone: tzinfo) -> Value:
    return parse_time(raw, zone=zone)


def _bool(field: Field, raw: object, zone: tzinfo) -> Value:
    if isinstance(raw, bool):
        return raw
    word = normal(raw).lower() if isinstance(raw, str) else ""
    if word in _YES or word in _NO:
        return word in _YES
    raise ValueError(f"“{raw}” is neither yes nor no")


def _choice(field: Field, raw: object, zone: tzinfo) -> Value:
    word = normal(raw) if isinstance(raw, str) else ""
    for key, titles in field.choices.items():
        if word.lower() == key or word in (normal(title) for title in titles.values()):
            return key
    raise ValueError(f"“{raw}” is none of: {', '.join(field.choices)}")


def _choices(field: Field, raw: object, zone: tzinfo) -> Value:
    chosen = {_choice(field, word, zone) for word in _listed(raw)}
    return tuple(key for key in field.choices if key in chosen)


def _texts(field: Field, raw: object, zone: tzinfo) -> Value:
    return tuple(dict.fromkeys(clean_text(item) for item in _listed(raw)))


def _listed(raw: object) -> list[object]:
    if isinstance(raw, str):
        return [item for item in _SEPARATORS.split(raw) if item.strip()]
    if isinstance(raw, Iterable) and not isinstance(raw, Mapping | bytes):
        return list(raw)
    raise ValueError(f"“{raw}” is no list; write for example [one, two]")


def _text(field: Field, raw: object, zone: tzinfo) -> Value:
    if not isinstance(raw, Mapping):
        return clean_text(raw)
    strange = [str(tag) for tag in raw if not _LANGUAGE_TAG.fullmatch(str(tag))]
    if strange or not raw:
        raise ValueError(
            f"a text by language needs language tags such as zh-Hans and en, not {', '.join(strange) or 'nothing'}"
        )
    return FrozenText({str(tag): clean_text(text) for tag, text in raw.items()})


def clean_line(text: str, *, where: str) -> str:
    """What a person wrote for the record, on one line. Raises `BadInput` naming `where`."""
    line = clean_prose(text, where=where)
    if "\n" in line or "\t" in line:
        raise BadInput("this is one line of text; it holds a line break or a tab", where=where)
    return line


def clean_prose(text: str, *, where: str) -> str:
    """What a person wrote for the record. Raises `BadInput` naming `where` if it is empty, long or no plain text."""
    try:
        return clean_text(text)
    except ValueError as error:
        raise BadInput(str(error), where=where, next_step=_PLAIN) from None


def clean_text(raw: object) -> str:
    """Plain text without outer blanks. `ValueError` says why it cannot be taken."""
    if isinstance(raw, bool) or not isinstance(raw, str | int | float | Decimal):
        raise ValueError(f"“{raw}” is no text; write it in quotes")
    text = unicodedata.normalize("NFC", str(raw)).strip()
    if not text:
        raise ValueError("the text is empty")
    if any(unicodedata.category(sign) in ("Cc", "Cs") and sign not in "\n\t" for sign in text):
        raise ValueError("the text holds control characters; write plain text")
    if len(text) > _LONGEST_TEXT:
        raise ValueError(f"the text has {len(text):,} characters; {_LONGEST_TEXT:,} are the most that fit")
    return text


def _quantity(parse: Callable[[object], Interval]) -> Callable[[Field, object, tzinfo], Value]:
    return lambda field, raw, zone: parse(raw)


_PARSERS: Mapping[FieldType, Callable[[Field, object, tzinfo], Value]] = {
    FieldType.time: _time,
    FieldType.bool: _bool,
    FieldType.choice: _choice,
    FieldType.choices: _choices,
    FieldType.text: _text,
    FieldType.texts: _texts,
    FieldType.counted: _quantity(parse_count),
    FieldType.amount: _quantity(parse_amount),
    FieldType.percent: _quantity(parse_percent),
    FieldType.duration: _quantity(parse_duration),
}


def offset_called(text: str) -> tzinfo:
    """The zone of `Z`, `UTC`, `+0800` or `+08:00`. Raises `ValueError`."""
    if text.upper() in ("Z", "UTC"):
        return UTC
    sign = -1 if text[0] == "-" else 1
    digits = text[1:].replace(":", "")
    hours, minutes = int(digits[:2]), int(digits[2:])
    if hours > 23 or minutes > 59:
        raise ValueError(f"{text} is no offset from UTC; write for example +0800")
    return timezone(sign * timedelta(hours=hours, minutes=minutes))


def moment_in_zone(local: datetime, zone: tzinfo) -> datetime:
    """The moment at which clocks in `zone` showed `local`. `ValueError` if they skipped it or showed it twice."""
    moment, later = local.replace(tzinfo=zone), local.replace(tzinfo=zone, fold=1)
    if moment.utcoffset() == later.utcoffset():
        return moment
    if moment.astimezone(UTC).astimezone(zone).replace(tzinfo=None) != local:
        raise ValueError(
            f"the clocks were put forward over it, from {moment:%z} to {later:%z}; add one of these offsets"
        )
    raise ValueError(
        f"the clocks showed it twice that day; add the offset, {moment:%z} for the first or {later:%z} for the second"
    )


def _number_to_json(number: Number | None) -> int | str | None:
    return str(number) if isinstance(number, Decimal) else number


def _number_from_json(data: object) -> Number | None:
    if data is None:
        return None
    if isinstance(data, str):
        number = Decimal(data)
        if not number.is_finite():
            raise ValueError(data)
        return number
    if isinstance(data, int) and not isinstance(data, bool):
        return data
    raise ValueError(data)
