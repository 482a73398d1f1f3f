"""The days, times of day and numbers that a text states in digits, in Chinese and English. Pure.

Numbers in words (twelve thousand, 十二万) are not seen, nor are digits that are part of a name, such as 5G.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

_MONTH = r"(Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|May|June?|July?|Aug(?:ust)?|Sept?(?:ember)?|Oct(?:ober)?|Nov(?:ember)?|Dec(?:ember)?)\b\.?"
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_ALONE = r"(?<![A-Za-z0-9.,])"
# The order counts: what one form takes is not looked at by the next. Groups are named by what they hold.
_DAYS = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"{_ALONE}(?P<y>[0-9]{{4}})\s*[-/年.]\s*(?P<m>[0-9]{{1,2}})\s*[-/月.]\s*(?P<d>[0-9]{{1,2}})(?![0-9])\s*[日号]?",
        rf"{_ALONE}(?P<d>[0-9]{{1,2}})(?:st|nd|rd|th)?\s+(?:of\s+)?{_MONTH.replace('(', '(?P<name>', 1)}(?:,?\s+(?P<y>[0-9]{{4}})(?![0-9]))?",
        rf"(?<![A-Za-z]){_MONTH.replace('(', '(?P<name>', 1)}\s+(?P<d>[0-9]{{1,2}})(?![0-9])(?:st|nd|rd|th)?(?:,?\s+(?P<y>[0-9]{{4}})(?![0-9]))?",
        rf"(?<![A-Za-z]){_MONTH.replace('(', '(?P<name>', 1)}\s+(?P<y>[0-9]{{4}})(?![0-9])",
        rf"{_ALONE}(?P<y>[0-9]{{4}})年(?P<m>[0-9]{{1,2}})月",
        rf"{_ALONE}(?P<m>[0-9]{{1,2}})月(?P<d>[0-9]{{1,2}})[日号]",
        rf"{_ALONE}(?P<y>[0-9]{{4}})年",
        rf"{_ALONE}(?P<m>[0-9]{{1,2}})月(?!内|中)",
        rf"{_ALONE}(?P<d>[0-9]{{1,2}})[日号](?!内)",
    )
)
_CLOCK = re.compile(
    rf"{_ALONE}(?P<h>[0-9]{{1,2}})(?::(?P<min>[0-9]{{2}})(?![0-9])|[时点](?:(?P<min2>[0-9]{{1,2}})分)?)\s*(?P<half>[ap]\.?m\b)?",
    re.IGNORECASE,
)
_NUMBER = re.compile(
    r"(?<![A-Za-z0-9.])(?P<n>[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]+)?|[0-9]+(?:\.[0-9]+)?)"
    r"(?:\s*(?P<unit>千万|百万|万|亿|千|thousand\b|million\b|billion\b))?(?![A-Za-z0-9])",
    re.IGNORECASE,
)
_TIMES = {
    "千": 10**3, "万": 10**4, "百万": 10**6, "千万": 10**7, "亿": 10**8,
    "thousand": 10**3, "million": 10**6, "billion": 10**9,
}  # fmt: skip


class FigureKind(StrEnum):
    DAY = "day"
    CLOCK = "clock"
    NUMBER = "number"


@dataclass(frozen=True)
class Figure:
    """A day as (year, month, day) with None for what is not said, a time of day as (hour, minute), or a number."""

    kind: FigureKind
    text: str
    day: tuple[int | None, int | None, int | None] = (None, None, None)
    clock: tuple[int, int] = (0, 0)
    number: Decimal = Decimal(0)

    def agrees(self, other: Figure) -> bool:
        """Whether both state the same, as far as this one says anything: 19 November agrees with 19 November 2026."""
        if self.kind is not other.kind:
            return False
        if self.kind is FigureKind.DAY:
            return all(mine in (None, theirs) for mine, theirs in zip(self.day, other.day, strict=True))
        return (self.clock, self.number) == (other.clock, other.number)


def figures(text: str) -> list[Figure]:
    """What a text states in digits, days first. Digits of full width count as digits."""
    rest = unicodedata.normalize("NFKC", text)
    found: list[Figure] = []
    for pattern in _DAYS:
        found += [_day(match) for match in pattern.finditer(rest)]
        rest = pattern.sub(_blank, rest)
    found += [_clock(match) for match in _CLOCK.finditer(rest)]
    rest = _CLOCK.sub(_blank, rest)
    return [*found, *_numbers(rest)]


def _numbers(text: str) -> Iterator[Figure]:
    for match in _NUMBER.finditer(text):
        times = _TIMES[match["unit"].lower()] if match["unit"] else 1
        number = Decimal(match["n"].replace(",", "")) * times
        yield Figure(FigureKind.NUMBER, match[0].strip(), number=number)


def _blank(match: re.Match[str]) -> str:
    return " " * len(match[0])


def _day(match: re.Match[str]) -> Figure:
    groups = match.groupdict()
    year, day = (int(groups[name]) if groups.get(name) else None for name in ("y", "d"))
    month = int(groups["m"]) if groups.get("m") else None
    if name := groups.get("name"):
        month = _MONTHS.index(name[:3].lower()) + 1
    return Figure(FigureKind.DAY, match[0].strip(), day=(year, month, day))


def _clock(match: re.Match[str]) -> Figure:
    hour, minute = int(match["h"]), int(match["min"] or match["min2"] or 0)
    half = (match["half"] or "").lower()
    if half:
        hour = hour % 12 + (12 if half.startswith("p") else 0)
    return Figure(FigureKind.CLOCK, match[0].strip(), clock=(hour, minute))
