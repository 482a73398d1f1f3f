"""When a duty starts to run and when it ends. Pure: no clock is read here.

Units are kept as the law writes them:
- Hours are running hours: counted in UTC, through nights, weekends and changes of the clock.
- Days are calendar days of the regime's zone: the day of the event is not counted (unless the law says that it is,
  `first_day_counts`), and the period ends with the last second of its last day.
- Months are calendar months: they end with the last second of the day that has the event's number, or of the month's
  last day where there is no such day (Regulation 1182/71 Art. 3 for the EU).
- Working days are those of the regime's calendar; the day of the event is not counted.
- `from_year_end`: the period runs from 31 December of the year of the event.
A last day that is no working day moves the end only where the law says so (`rolls`); else the earlier end holds, which
can never be late. "Immediately" and "promptly" have no invented hours: such a duty has no due time, only the time
elapsed.
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from incident.law.reasons import NOTHING
from incident.law.working_days import MonthDay, next_working_day, working_day_after
from incident.record.facts import FactSheet


class Urgency(StrEnum):
    within = "within"
    immediately = "immediately"
    promptly = "promptly"


class Rolls(StrEnum):
    """What becomes of an end that falls on a day that is no working day."""

    stays = "stays"
    next_working_day = "next_working_day"
    noon_of_next_working_day = "noon_of_next_working_day"


@dataclass(frozen=True)
class Within:
    """A period in exactly one unit: running hours (in seconds), calendar days, calendar months, or working days."""

    seconds: int = 0
    days: int = 0
    months: int = 0
    working_days: int = 0
    first_day_counts: bool = False
    from_year_end: bool = False
    rolls: Rolls = Rolls.stays

    @property
    def nominal_seconds(self) -> int:
        """The length for comparing periods while their anchor is unknown; for that only."""
        days = self.days + self.months * 30 + self.working_days * 7 // 5
        return self.seconds + days * 86400

    @property
    def needs_calendar(self) -> bool:
        return self.working_days > 0 or self.rolls is not Rolls.stays


@dataclass(frozen=True)
class WorkingDays:
    """Whose working days count: the calendar's name, and the days of every year that the law adds as (month, day)."""

    calendar: str
    closed: frozenset[MonthDay] = frozenset()


@dataclass(frozen=True)
class Anchor:
    """The event from which a period runs: the earliest of `earliest` that is known.

    Where none of them is known, the earliest known of `assume` stands in, marked as assumed: it cannot be later
    than the true event's own clock would need. `submission_of`: the period runs from the moment at which another duty
    of the same regime was met (NIS2 Art. 23(4)(d), DORA RTS 2025/301 Art. 5); no fact can stand in for that.
    """

    earliest: tuple[str, ...]
    assume: tuple[str, ...] = ()
    submission_of: str = ""

    @property
    def fields(self) -> frozenset[str]:
        return frozenset(self.earliest) | frozenset(self.assume)


@dataclass(frozen=True)
class AnchorTime:
    """The moment found. `at` None: nothing is known, and a person must say one of `open_fields`.

    `waits_for_duty`: the duty, by its id within the regime, that must be met before the period runs.
    """

    field: str | None
    at: datetime | None
    assumed: bool = False
    open_fields: frozenset[str] = NOTHING
    waits_for_duty: str = ""


NOT_STARTED = AnchorTime(None, None)

_NOTHING_SUBMITTED: Mapping[str, datetime] = MappingProxyType({})
_PERIOD = re.compile(r"P(?:([0-9]{1,4})D|([0-9]{1,3})M|T(?:([0-9]{1,5})H)?(?:([0-9]{1,5})M)?)")
_KEYS = ("period", "working_days", "first_day_counts", "from_year_end", "rolls")
_FORMS = "write running hours as PT72H, calendar days as P30D, calendar months as P1M or working days as {working_days: 3}"


def parse_within(data: object) -> Within:
    """PT72H is 72 running hours, P30D 30 calendar days, P1M one month, {working_days: 3} three working days.

    {period: P30D, first_day_counts: true, rolls: next_working_day} says how it is counted. A mixture of units is
    refused, because it has no one meaning. Raises `ValueError`.
    """
    if not isinstance(data, Mapping):
        return _parse_period(data)
    if strange := sorted(str(key) for key in data if key not in _KEYS):
        raise ValueError(f"{', '.join(strange)} is not known in a period: {', '.join(_KEYS)}")
    if ("period" in data) == ("working_days" in data):
        raise ValueError(f"a period has one unit; {_FORMS}")
    if "period" in data:
        base = _parse_period(data["period"])
    else:
        base = Within(working_days=_count(data["working_days"]))
    counted = Within(
        base.seconds,
        base.days,
        base.months,
        base.working_days,
        first_day_counts=_flag(data, "first_day_counts"),
        from_year_end=_flag(data, "from_year_end"),
        rolls=_rolls(data.get("rolls", Rolls.stays)),
    )
    if (counted.first_day_counts or counted.from_year_end) and not counted.days:
        raise ValueError("first_day_counts and from_year_end belong to calendar days only")
    return counted


def _parse_period(text: object) -> Within:
    match = _PERIOD.fullmatch(text) if isinstance(text, str) else None
    days, months, hours, minutes = (int(part or 0) for part in match.groups()) if match else (0, 0, 0, 0)
    if days + months + hours + minutes == 0:
        raise ValueError(f"“{text}” is no period; {_FORMS}")
    return Within(days=days, months=months, seconds=hours * 3600 + minutes * 60)


def _count(raw: Any) -> int:
    if isinstance(raw, bool) or not isinstance(raw, int) or not 0 < raw <= 366:
        raise ValueError(f"“{raw}” is no number of working days")
    return raw


def _flag(data: Mapping[str, Any], key: str) -> bool:
    value = data.get(key, False)
    if not isinstance(value, bool):
        raise ValueError(f"{key} is true or false, not “{value}”")
    return value


def _rolls(raw: Any) -> Rolls:
    try:
        return Rolls(raw)
    except ValueError:
        raise ValueError(f"“{raw}” is no way to move an end: {', '.join(Rolls)}") from None


def anchor_time(
    anchor: Anchor, sheet: FactSheet, submitted: Mapping[str, datetime] = _NOTHING_SUBMITTED
) -> AnchorTime:
    """`submitted`: when duties of the regime were met, by their ids within it."""
    if anchor.submission_of:
        at = submitted.get(anchor.submission_of)
        waits = "" if at else anchor.submission_of
        return AnchorTime(None, at.astimezone(UTC) if at else None, waits_for_duty=waits)
    if found := _earliest_known(anchor.earliest, sheet):
        return AnchorTime(*found)
    if found := _earliest_known(anchor.assume, sheet):
        return AnchorTime(*found, assumed=True, open_fields=frozenset(anchor.earliest))
    return AnchorTime(None, None, open_fields=frozenset(anchor.earliest))


def due_at(
    start: datetime, within: Within, *, zone: tzinfo, working_days: WorkingDays | None = None
) -> datetime:
    """The last moment of the period, in UTC. `start` must know its zone.

    `working_days` must be given where the period needs a calendar (`Within.needs_calendar`); else `ValueError`.
    """
    if start.tzinfo is None:
        raise ValueError("a period can only run from a moment that knows its zone")
    if within.needs_calendar and working_days is None:
        raise ValueError("a period in working days needs a calendar")
    if within.seconds:
        end = start.astimezone(UTC) + timedelta(seconds=within.seconds)
    else:
        end = _end_of(_last_day(start.astimezone(zone).date(), within, working_days), zone)
    if working_days is None or within.rolls is Rolls.stays:
        return end
    last = end.astimezone(zone).date()
    moved = next_working_day(last, working_days.calendar, working_days.closed)
    if moved == last:
        return end
    if within.rolls is Rolls.noon_of_next_working_day:
        return datetime.combine(moved, time(12), tzinfo=zone).astimezone(UTC)
    return _end_of(moved, zone)


def _last_day(first: date, within: Within, working_days: WorkingDays | None) -> date:
    if within.from_year_end:
        first = date(first.year, 12, 31)
    if within.months:
        return months_after(first, within.months)
    if working_days is not None and within.working_days:
        return working_day_after(first, within.working_days, working_days.calendar, working_days.closed)
    return first + timedelta(days=within.days - within.first_day_counts)


def months_after(first: date, months: int) -> date:
    """The day of that number so many calendar months later, or the month's last day where there is no such day."""
    year, month = divmod(first.year * 12 + first.month - 1 + months, 12)
    return date(year, month + 1, min(first.day, calendar.monthrange(year, month + 1)[1]))


def _end_of(day: date, zone: tzinfo) -> datetime:
    """The last second of a day."""
    midnight_after = datetime.combine(day + timedelta(days=1), time.min, tzinfo=zone)
    return midnight_after.astimezone(UTC) - timedelta(seconds=1)


def _earliest_known(fields: Sequence[str], sheet: FactSheet) -> tuple[str, datetime] | None:
    known = [(at, name) for name in fields if isinstance(at := sheet.get(name), datetime)]
    if not known:
        return None
    at, name = min(known)
    return name, at.astimezone(UTC)
