"""Units as laws write them: months, working days, ends that move, periods from the end of a year."""

from calendar import monthrange
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incident.law.clocks import Rolls, Within, WorkingDays, due_at, parse_within
from incident.law.working_days import is_working_day, known_calendar, next_working_day, working_day_after

SHANGHAI, BRUSSELS, TOKYO = ZoneInfo("Asia/Shanghai"), ZoneInfo("Europe/Brussels"), ZoneInfo("Asia/Tokyo")
CHINA, TARGET = WorkingDays("CN"), WorkingDays("XECB")
JAPAN = WorkingDays("JP", frozenset({(12, 29), (12, 30), (12, 31), (1, 1), (1, 2), (1, 3)}))
CALENDARS = ("CN", "XECB", "US-NY", "BR", "JP", "KR")

days = st.dates(min_value=date(2024, 1, 1), max_value=date(2028, 12, 31))


def end_of(day: date, zone: ZoneInfo) -> datetime:
    return datetime(day.year, day.month, day.day, 23, 59, 59, tzinfo=zone)


def noon(day: date, zone: ZoneInfo) -> datetime:
    return datetime(day.year, day.month, day.day, 12, tzinfo=zone)


# -- how they are written ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "wanted"),
    [
        ("P1M", Within(months=1)),
        ({"working_days": 5}, Within(working_days=5)),
        ({"period": "P60D", "from_year_end": True}, Within(days=60, from_year_end=True)),
        (
            {"period": "P30D", "first_day_counts": True, "rolls": "next_working_day"},
            Within(days=30, first_day_counts=True, rolls=Rolls.next_working_day),
        ),
        (
            {"period": "PT4H", "rolls": "noon_of_next_working_day"},
            Within(seconds=4 * 3600, rolls=Rolls.noon_of_next_working_day),
        ),
    ],
)
def test_a_period_says_its_unit_and_how_it_is_counted(written: object, wanted: Within) -> None:
    assert parse_within(written) == wanted


@pytest.mark.parametrize(
    "written",
    [
        {},
        {"working_days": 0},
        {"working_days": True},
        {"working_days": "5"},
        {"working_days": 5, "period": "P1D"},
        {"period": "PT4H", "first_day_counts": True},
        {"period": "P1M", "from_year_end": True},
        {"period": "P30D", "rolls": "later"},
        {"period": "P30D", "first_day_counts": "yes"},
        {"period": "P30D", "zone": "UTC"},
    ],
)
def test_a_period_that_has_no_one_meaning_is_refused(written: object) -> None:
    with pytest.raises(ValueError, match=r"period|working days|rolls|move|calendar days|known|true or false"):
        parse_within(written)


# -- months --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("start", "last"),
    [
        (date(2026, 11, 23), date(2026, 12, 23)),
        (date(2026, 12, 15), date(2027, 1, 15)),
        (date(2026, 1, 31), date(2026, 2, 28)),
        (date(2028, 1, 31), date(2028, 2, 29)),
        (date(2028, 2, 29), date(2028, 3, 29)),
    ],
)
def test_a_month_is_a_calendar_month_and_not_thirty_days(start: date, last: date) -> None:
    assert due_at(noon(start, BRUSSELS), Within(months=1), zone=BRUSSELS) == end_of(last, BRUSSELS)


@given(days, st.integers(1, 24))
def test_months_end_on_the_same_number_or_on_the_last_day_of_the_month(start: date, months: int) -> None:
    last = due_at(noon(start, BRUSSELS), Within(months=months), zone=BRUSSELS).astimezone(BRUSSELS).date()
    assert (last.year * 12 + last.month) - (start.year * 12 + start.month) == months
    assert last.day == min(start.day, monthrange(last.year, last.month)[1])


# -- working days --------------------------------------------------------------------------------------


def test_working_days_leave_out_the_weekend() -> None:
    friday = date(2026, 11, 20)
    assert due_at(
        noon(friday, SHANGHAI), Within(working_days=1), zone=SHANGHAI, working_days=CHINA
    ) == end_of(date(2026, 11, 23), SHANGHAI)


def test_days_moved_for_a_holiday_count_as_the_state_council_arranged_them() -> None:
    # In 2026 China rests from 1 to 7 October and works on Saturday, 10 October.
    assert is_working_day(date(2026, 10, 10), "CN")
    assert not is_working_day(date(2026, 10, 7), "CN")
    last = due_at(
        noon(date(2026, 9, 30), SHANGHAI), Within(working_days=3), zone=SHANGHAI, working_days=CHINA
    )
    assert last == end_of(date(2026, 10, 10), SHANGHAI)


def test_a_part_of_a_country_has_its_own_holidays() -> None:
    assert not is_working_day(date(2026, 2, 12), "US-NY")
    assert is_working_day(date(2026, 2, 12), "US")


def test_a_calendar_that_does_not_exist_is_not_known() -> None:
    assert known_calendar("CN")
    assert known_calendar("US-NY")
    assert known_calendar("XECB")
    assert not known_calendar("XX")
    assert not known_calendar("US-ZZ")


@given(days, st.integers(1, 40), st.sampled_from(CALENDARS))
def test_exactly_so_many_working_days_lie_after_the_event(start: date, count: int, calendar: str) -> None:
    last = working_day_after(start, count, calendar)
    assert is_working_day(last, calendar)
    passed = [start + timedelta(days=n) for n in range(1, (last - start).days + 1)]
    assert sum(is_working_day(day, calendar) for day in passed) == count


@given(days, st.sampled_from(CALENDARS))
def test_the_next_working_day_is_the_nearest(day: date, calendar: str) -> None:
    found = next_working_day(day, calendar)
    assert is_working_day(found, calendar)
    between = [day + timedelta(days=n) for n in range((found - day).days)]
    assert not any(is_working_day(each, calendar) for each in between)


def test_working_days_without_a_calendar_are_a_mistake_of_the_caller() -> None:
    with pytest.raises(ValueError, match="calendar"):
        due_at(noon(date(2026, 1, 5), SHANGHAI), Within(working_days=1), zone=SHANGHAI)


# -- ends that move ------------------------------------------------------------------------------------


def test_an_end_on_a_weekend_moves_to_noon_of_the_next_working_day_where_the_law_says_so() -> None:
    within = Within(seconds=4 * 3600, rolls=Rolls.noon_of_next_working_day)
    friday_night = datetime(2026, 11, 20, 22, tzinfo=BRUSSELS)
    due = due_at(friday_night, within, zone=BRUSSELS, working_days=TARGET)
    assert due == datetime(2026, 11, 23, 12, tzinfo=BRUSSELS)
    stays = due_at(friday_night, Within(seconds=4 * 3600), zone=BRUSSELS, working_days=TARGET)
    assert stays == datetime(2026, 11, 21, 2, tzinfo=BRUSSELS)


def test_an_end_on_a_working_day_does_not_move() -> None:
    within = Within(seconds=4 * 3600, rolls=Rolls.noon_of_next_working_day)
    monday = datetime(2026, 11, 23, 9, tzinfo=BRUSSELS)
    assert due_at(monday, within, zone=BRUSSELS, working_days=TARGET) == datetime(
        2026, 11, 23, 13, tzinfo=BRUSSELS
    )


def test_where_the_first_day_counts_the_period_ends_a_day_earlier() -> None:
    known = noon(date(2026, 11, 2), TOKYO)
    counted = Within(days=30, first_day_counts=True, rolls=Rolls.next_working_day)
    assert due_at(known, counted, zone=TOKYO, working_days=JAPAN) == end_of(date(2026, 12, 1), TOKYO)


def test_days_that_the_law_closes_every_year_move_the_end_beyond_the_new_year() -> None:
    # Known on 30 November 2026: the thirtieth day is 29 December, and 29 December to 3 January are closed.
    known = noon(date(2026, 11, 30), TOKYO)
    counted = Within(days=30, first_day_counts=True, rolls=Rolls.next_working_day)
    assert due_at(known, counted, zone=TOKYO, working_days=JAPAN) == end_of(date(2027, 1, 4), TOKYO)


def test_sixty_days_after_the_end_of_the_year_run_from_its_last_day() -> None:
    new_york = ZoneInfo("America/New_York")
    within = Within(days=60, from_year_end=True)
    for found in (date(2026, 1, 1), date(2026, 12, 31)):
        assert due_at(noon(found, new_york), within, zone=new_york) == end_of(date(2027, 3, 1), new_york)
    leap = due_at(noon(date(2027, 6, 1), new_york), within, zone=new_york)
    assert leap == end_of(date(2028, 2, 29), new_york)


@given(days, st.sampled_from(CALENDARS), st.sampled_from(list(Rolls)))
def test_an_end_never_moves_to_an_earlier_moment(day: date, calendar: str, rolls: Rolls) -> None:
    start = noon(day, BRUSSELS)
    moved = due_at(start, Within(days=3, rolls=rolls), zone=BRUSSELS, working_days=WorkingDays(calendar))
    stays = due_at(start, Within(days=3), zone=BRUSSELS)
    assert moved >= stays
    assert moved.tzinfo is UTC
    if rolls is not Rolls.stays:
        assert is_working_day(moved.astimezone(BRUSSELS).date(), calendar)
