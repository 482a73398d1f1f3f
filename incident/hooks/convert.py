"""The closed list of converters: from whatever a sender wrote to one of our types, or None."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import Decimal
from typing import TypeVar
from zoneinfo import ZoneInfo

from incident.hooks.definition import TimeUnit
from incident.hooks.values import Json, Severity, Status

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# Times outside are mistakes of unit or markers such as Alertmanager's 0001-01-01, not times of an alert.
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
LATEST = datetime(2100, 1, 1, tzinfo=UTC)
# More people than live on earth cannot be affected.
MOST_PEOPLE = 10_000_000_000
_MICROSECONDS = {
    TimeUnit.s: Decimal(1_000_000),
    TimeUnit.ms: Decimal(1_000),
    TimeUnit.us: Decimal(1),
    TimeUnit.ns: Decimal(1) / 1_000,
}
_Meaning = TypeVar("_Meaning")
_NUMBER = re.compile(r"-?[0-9]{1,40}(\.[0-9]{1,40})?", re.ASCII)


def as_text(value: Json) -> str | None:
    """Strings as they are, numbers with every digit; nothing else is text."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return str(value)


def as_number(value: Json) -> Decimal | None:
    """A number, or a string that is nothing but one."""
    if isinstance(value, bool):
        return None
    if isinstance(value, (int, float)):
        return Decimal(str(value))
    if isinstance(value, str) and _NUMBER.fullmatch(value.strip()):
        return Decimal(value.strip())
    return None


def as_severity(
    value: Json, *, bands: Sequence[tuple[float, Severity]], words: Mapping[str, Severity]
) -> Severity | None:
    """By the sender's words, then by bands, then by our own five words. Words match in any case."""
    text = as_text(value)
    if text is not None and (worded := _word(words, text)) is not None:
        return worded
    number = as_number(value) if bands else None
    if number is not None:
        return next((severity for bound, severity in bands if number >= Decimal(str(bound))), None)
    return _word({one.value: one for one in Severity}, text) if text is not None else None


def as_status(value: Json, *, words: Mapping[str, Status]) -> Status | None:
    """By the sender's words, then by our own two. Words match in any case; true and false are words too."""
    text = str(value).lower() if isinstance(value, bool) else as_text(value)
    if text is None:
        return None
    worded = _word(words, text)
    return worded if worded is not None else _word({one.value: one for one in Status}, text)


def _word(words: Mapping[str, _Meaning], text: str) -> _Meaning | None:
    wanted = text.strip().casefold()
    return next((meaning for word, meaning in words.items() if word.casefold() == wanted), None)


def as_time(value: Json, *, unit: TimeUnit, zone: str | None) -> tuple[datetime, bool] | None:
    """The time in UTC and whether its zone had to be assumed; None where it is no time of 2000 to 2100.

    Fractions below a microsecond are cut off. `auto` reads numbers by their size: the ranges of the four
    units for these hundred years do not overlap.
    """
    read = _iso(value, zone) if unit is TimeUnit.iso else _epoch(value, unit)
    if read is None and unit is TimeUnit.auto:
        read = _iso(value, zone)
    return read if read is not None and EARLIEST <= read[0] < LATEST else None


def _iso(value: Json, zone: str | None) -> tuple[datetime, bool] | None:
    if not isinstance(value, str):
        return None
    try:
        read = datetime.fromisoformat(value.strip())
        assumed = read.tzinfo is None and zone is None
        own: tzinfo = ZoneInfo(zone) if zone else UTC
        return (read if read.tzinfo else read.replace(tzinfo=own)).astimezone(UTC), assumed
    except (ValueError, OverflowError):  # not a time; a time at the very edge of the calendar
        return None


def _epoch(value: Json, unit: TimeUnit) -> tuple[datetime, bool] | None:
    number = as_number(value)
    if number is None:
        return None
    units = tuple(_MICROSECONDS) if unit is TimeUnit.auto else (unit,)
    for one in units:
        try:
            read = EPOCH + timedelta(microseconds=int(number * _MICROSECONDS[one]))
        except OverflowError:
            continue
        if EARLIEST <= read < LATEST:
            return read, False
    return None


def as_people(value: Json) -> int | None:
    """A whole number of people between 0 and the number of people there are."""
    number = as_number(value)
    if number is None or not 0 <= number <= MOST_PEOPLE or number != int(number):
        return None
    return int(number)


def as_ip(value: str) -> str | None:
    try:
        return str(ipaddress.ip_address(value.strip()))
    except ValueError:
        return None


def as_link(value: str) -> str | None:
    """Only http and https: other schemes can run something when a person clicks."""
    text = value.strip()
    return text if re.match(r"https?://[^\s<>\"]+\Z", text, re.IGNORECASE) else None
