"""Which days a law counts as working days. Pure: the holidays are data of the `holidays` package.

A calendar is named by its country (CN), a part of one (US-NY), or XECB for the days on which euro payments settle
(TARGET). Days that a State made working days by moving a holiday count as such. Beyond the years that a State has
announced, fixed holidays alone are known: then a period ends rather earlier than later.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from functools import cache
from typing import Any

_FINANCIAL = frozenset({"XECB"})
_ONE_DAY = timedelta(days=1)

MonthDay = tuple[int, int]


def known_calendar(name: str) -> bool:
    """Whether there is such a calendar."""
    import holidays

    if name in _FINANCIAL:
        return True
    country, _, part = name.partition("-")
    listed: Mapping[str, Any] = holidays.list_supported_countries()
    return country in listed and (not part or part in listed[country])


def is_working_day(day: date, calendar: str, closed: frozenset[MonthDay] = frozenset()) -> bool:
    """`closed`: days of every year that the law adds to the holidays, as (month, day)."""
    return (day.month, day.day) not in closed and bool(_holidays(calendar).is_working_day(day))


def working_day_after(
    day: date, count: int, calendar: str, closed: frozenset[MonthDay] = frozenset()
) -> date:
    """The `count`-th working day after `day`, which is not counted itself."""
    while count:
        day += _ONE_DAY
        count -= is_working_day(day, calendar, closed)
    return day


def next_working_day(day: date, calendar: str, closed: frozenset[MonthDay] = frozenset()) -> date:
    """`day` itself where it is a working day, else the next one."""
    return day if is_working_day(day, calendar, closed) else working_day_after(day, 1, calendar, closed)


@cache
def _holidays(calendar: str) -> Any:
    # It builds its tables at the first call, so it is paid for only by a law that counts working days.
    import holidays

    if calendar in _FINANCIAL:
        return holidays.financial_holidays(calendar)
    country, _, part = calendar.partition("-")
    return holidays.country_holidays(country, subdiv=part or None)
