"""Numbers that may be known only within bounds, and the ways people write them.

Pure values. A quantity is always an `Interval`; an exact number is one whose bounds meet.
Units: persons or records for counts, seconds for durations, yuan for amounts, 0..100 for percents.
Parsers raise `ValueError` with a sentence that says what to write instead; the caller adds file, line and
field.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal

Number = int | Decimal

# Above this, canonical JSON (RFC 8785) could no longer hold the number exactly as a double.
LARGEST = 10**15


@dataclass(frozen=True)
class Interval:
    """A number known within bounds: `min <= likely <= max`. `max` None: no upper bound is known.

    `likely` is an estimate for readers; no condition is ever decided by it.
    """

    min: Number
    likely: Number | None = None
    max: Number | None = None

    def __post_init__(self) -> None:
        if self.min < 0:
            raise ValueError("a quantity cannot be less than zero")
        if self.max is not None and self.max < self.min:
            raise ValueError(f"the upper bound {self.max} is below the lower bound {self.min}")
        if self.likely is not None and self.likely < self.min:
            raise ValueError(f"the likely number {self.likely} is below the lower bound {self.min}")
        if self.likely is not None and self.max is not None and self.likely > self.max:
            raise ValueError(f"the likely number {self.likely} is above the upper bound {self.max}")

    @classmethod
    def exactly(cls, number: Number) -> Interval:
        return cls(number, None, number)

    @property
    def is_exact(self) -> bool:
        return self.min == self.max


_NUMBER = re.compile(r"([0-9]{1,3}(?:[, _][0-9]{3})+|[0-9]+)(\.[0-9]+)?\s*(万|亿)?")
_MULTIPLES = {None: 1, "万": 10**4, "亿": 10**8}
_AT_LEAST = re.compile(r"(?:>=|≥|at least|不少于|至少)\s*(.+)", re.IGNORECASE)
_AT_MOST = re.compile(r"(?:<=|≤|at most|不超过|至多)\s*(.+)", re.IGNORECASE)
_BETWEEN = re.compile(r"(.+?)\s*(?:\.\.\.?|…|–|—|~|-|至|到|\bto\b)\s*(.+)", re.IGNORECASE)
_MONEY_MARKS = re.compile(r"^(?:CNY|RMB|¥|人民币)\s*|\s*(?:CNY|RMB|元|yuan)$", re.IGNORECASE)

_ISO_DURATION = re.compile(
    r"P(?:([0-9]+)D)?(?:T(?=[0-9])(?:([0-9]+)H)?(?:([0-9]+)M)?(?:([0-9]+)S)?)?", re.IGNORECASE
)
_DURATION_PART = re.compile(
    r"([0-9]+(?:\.[0-9]+)?)\s*"
    r"(weeks?|w|days?|d|hours?|hrs?|hr|h|minutes?|mins?|min|m|seconds?|secs?|sec|s|天|日|周|星期|个?小时|时|分钟?|秒钟?)\s*",
    re.IGNORECASE,
)
_SECONDS = {"d": 86400, "h": 3600, "m": 60, "s": 1, "天": 86400, "日": 86400}
_SECONDS |= {"w": 7 * 86400, "周": 7 * 86400, "星": 7 * 86400}
_SECONDS |= {"个": 3600, "小": 3600, "时": 3600, "分": 60, "秒": 1}


def parse_count(raw: object) -> Interval:
    """Persons or records: 1200000, "1,200,000", "120万", "800000..1300000", ">=1000", {min, likely, max}."""
    return _parse_range(raw, _whole_number)


def parse_amount(raw: object) -> Interval:
    """Yuan, exact to the fen: 5000000, "5,000,000.50", "500万元", and the ranges that counts allow."""
    return _parse_range(raw, _yuan)


def parse_percent(raw: object) -> Interval:
    """Percent from 0 to 100: 35, "35 %", "30..50", ">=30" (then at most 100)."""
    interval = _parse_range(raw, _percent)
    return Interval(interval.min, interval.likely, 100) if interval.max is None else interval


def parse_duration(raw: object) -> Interval:
    """Seconds, from PT6H, P1DT2H, "6h", "90 min", "1h30m", "6小时", and the ranges that counts allow."""
    return _parse_range(raw, seconds_of)


def seconds_of(raw: object) -> int:
    """The seconds of one duration. A bare number is refused, because its unit would be a guess."""
    if isinstance(raw, int | float) and not isinstance(raw, bool) and raw == 0:
        return 0
    text = normal(raw) if isinstance(raw, str) else ""
    if text == "0":
        return 0
    iso = _ISO_DURATION.fullmatch(text)
    if iso and any(iso.groups()):
        days, hours, minutes, seconds = (int(part or 0) for part in iso.groups())
        return _within_reason(raw, days * 86400 + hours * 3600 + minutes * 60 + seconds)
    if text and _DURATION_PART.sub("", text) == "":
        total = sum(
            Decimal(number) * _SECONDS[unit[0].lower()] for number, unit in _DURATION_PART.findall(text)
        )
        if total == int(total):
            return _within_reason(raw, int(total))
    raise ValueError(f"{_quoted(raw)} is no duration; write for example PT6H, 6h, 90 min or 1h30m")


def normal(text: str) -> str:
    """Full-width digits and signs as their plain forms, outer blanks gone."""
    return unicodedata.normalize("NFKC", text).strip()


def _parse_range(raw: object, one: Callable[[object], Number]) -> Interval:
    if isinstance(raw, Interval):
        return raw
    if isinstance(raw, Mapping):
        return _from_bounds(raw, one)
    if not isinstance(raw, str):
        return Interval.exactly(one(raw))
    text = normal(raw)
    if bound := _AT_LEAST.fullmatch(text):
        return Interval(one(bound[1]))
    if bound := _AT_MOST.fullmatch(text):
        return Interval(0, None, one(bound[1]))
    if ends := _BETWEEN.fullmatch(text):
        return Interval(one(ends[1]), None, one(ends[2]))
    return Interval.exactly(one(text))


def _from_bounds(raw: Mapping[object, object], one: Callable[[object], Number]) -> Interval:
    strange = [str(key) for key in raw if key not in ("min", "likely", "max")]
    if strange:
        raise ValueError(f"a range has min, likely and max; {', '.join(strange)} is none of them")
    bounds = {key: one(value) for key, value in raw.items() if value is not None and not _open(value)}
    if not bounds:
        raise ValueError("a range needs at least one of min, likely and max")
    return Interval(bounds.get("min", 0), bounds.get("likely"), bounds.get("max"))


def _open(value: object) -> bool:
    return isinstance(value, str) and normal(value).lower() in {"unknown", "null", "~", "未知"}


def _whole_number(raw: object) -> int:
    number = _decimal(raw)
    if number is None or number != int(number):
        raise ValueError(
            f"{_quoted(raw)} is no whole number; write for example 1200000, 800000..1300000, >=1000 "
            "or {min: 800000, likely: 1000000, max: 1300000}"
        )
    return int(number)


def _yuan(raw: object) -> Number:
    number = _decimal(_MONEY_MARKS.sub("", normal(raw)) if isinstance(raw, str) else raw)
    if number is None or number != round(number, 2):
        raise ValueError(f"{_quoted(raw)} is no amount; write yuan, for example 5000000, 5000000.50 or 500万")
    return _plain(number)


def _percent(raw: object) -> Number:
    number = _decimal(normal(raw).removesuffix("%").strip() if isinstance(raw, str) else raw)
    if number is None or not 0 <= number <= 100:
        raise ValueError(f"{_quoted(raw)} is no percentage; write a number from 0 to 100, for example 35")
    return _plain(number)


def _decimal(raw: object) -> Decimal | None:
    if isinstance(raw, bool):
        return None
    if isinstance(raw, int | Decimal | float):
        number = Decimal(raw) if isinstance(raw, int) else Decimal(str(raw))
        return number if number.is_finite() and 0 <= number <= LARGEST else None
    if not isinstance(raw, str):
        return None
    match = _NUMBER.fullmatch(normal(raw))
    if match is None or len(match[0]) > 30:
        return None
    whole, fraction, multiple = match.groups()
    number = Decimal(re.sub(r"[, _]", "", whole) + (fraction or "")) * _MULTIPLES[multiple]
    return number if number <= LARGEST else None


def _within_reason(raw: object, seconds: int) -> int:
    if seconds > LARGEST:
        raise ValueError(f"{_quoted(raw)} is longer than any incident; write for example PT6H or 90 min")
    return seconds


def _plain(number: Decimal) -> Number:
    return int(number) if number == int(number) else number.normalize()


def _quoted(raw: object) -> str:
    return f"“{raw}”" if isinstance(raw, str) else str(raw)
