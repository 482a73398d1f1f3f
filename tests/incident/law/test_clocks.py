"""Clocks: running hours, calendar days, anchors, over zones and changes of the clock."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incident.law.clocks import Anchor, Within, anchor_time, due_at, parse_within

SHANGHAI = ZoneInfo("Asia/Shanghai")
ZONES = [
    "Asia/Shanghai",
    "Europe/Brussels",
    "America/New_York",
    "Africa/Cairo",
    "America/Havana",
    "Pacific/Apia",
    "Asia/Kathmandu",
]

zones = st.sampled_from(ZONES).map(ZoneInfo)
moments = st.datetimes(min_value=datetime(2012, 1, 1), max_value=datetime(2037, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - hypothesis sets the zone


@pytest.mark.parametrize(
    ("text", "wanted"),
    [("PT1H", Within(seconds=3600)), ("PT72H", Within(seconds=72 * 3600)), ("PT30M", Within(seconds=1800)), ("P30D", Within(days=30))],
)  # fmt: skip
def test_a_period_is_hours_or_days(text: str, wanted: Within) -> None:
    assert parse_within(text) == wanted


@pytest.mark.parametrize(
    "text", ["P1DT2H", "72h", "P1M2D", "P1Y", "PT0H", "P0D", "P", "PT", "", None, 72, "P-3D"]
)
def test_a_period_of_mixed_or_unknown_units_is_refused(text: object) -> None:
    with pytest.raises(ValueError, match="no period"):
        parse_within(text)


def test_72_hours_run_through_a_change_of_the_clock() -> None:
    brussels = ZoneInfo("Europe/Brussels")
    friday = datetime(2026, 3, 27, 12, 0, tzinfo=brussels)
    due = due_at(friday, parse_within("PT72H"), zone=brussels)
    assert due - friday.astimezone(UTC) == timedelta(hours=72)
    assert due.astimezone(brussels) == datetime(2026, 3, 30, 13, 0, tzinfo=brussels)


def test_72_hours_and_3_days_are_not_the_same() -> None:
    start = datetime(2026, 11, 21, 23, 40, tzinfo=SHANGHAI)
    assert due_at(start, parse_within("PT72H"), zone=SHANGHAI) == datetime(
        2026, 11, 24, 23, 40, tzinfo=SHANGHAI
    )
    assert due_at(start, parse_within("P3D"), zone=SHANGHAI) == datetime(
        2026, 11, 24, 23, 59, 59, tzinfo=SHANGHAI
    )


def test_thirty_days_end_with_the_last_second_of_the_thirtieth_day_in_the_regimes_zone() -> None:
    late_in_utc = datetime(2026, 11, 30, 17, 0, tzinfo=UTC)  # already 1 December in Shanghai
    due = due_at(late_in_utc, parse_within("P30D"), zone=SHANGHAI)
    assert due == datetime(2026, 12, 31, 23, 59, 59, tzinfo=SHANGHAI)


def test_a_day_that_a_zone_left_out_does_not_lengthen_the_period() -> None:
    apia = ZoneInfo("Pacific/Apia")  # 2011-12-30 did not exist there
    due = due_at(datetime(2011, 12, 28, 10, tzinfo=apia), Within(days=2), zone=apia)
    assert due == datetime(2011, 12, 29, 23, 59, 59, tzinfo=apia).astimezone(UTC)


def test_a_moment_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="knows its zone"):
        due_at(datetime(2026, 1, 1), Within(days=1), zone=UTC)  # noqa: DTZ001 - this is the point


@given(moments, st.integers(1, 3000), zones)
def test_hours_run_the_same_in_every_zone(start: datetime, hours: int, zone: ZoneInfo) -> None:
    due = due_at(start.astimezone(zone), Within(seconds=hours * 3600), zone=zone)
    assert due - start == timedelta(hours=hours)
    assert due.tzinfo is UTC


@given(moments, st.integers(1, 400), zones)
def test_days_end_on_the_right_date_and_not_a_second_later(
    start: datetime, days: int, zone: ZoneInfo
) -> None:
    due = due_at(start, Within(days=days), zone=zone)
    last_day = start.astimezone(zone).date() + timedelta(days=days)
    assert due.astimezone(zone).date() == last_day
    assert (due + timedelta(seconds=1)).astimezone(zone).date() == last_day + timedelta(days=1)


@given(moments, moments, st.sampled_from([Within(seconds=3600), Within(days=30)]), zones)
def test_a_later_event_never_gives_an_earlier_deadline(
    one: datetime, other: datetime, within: Within, zone: ZoneInfo
) -> None:
    first, second = sorted((one, other))
    assert due_at(first, within, zone=zone) <= due_at(second, within, zone=zone)


NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


def test_the_earliest_of_the_known_times_starts_the_clock() -> None:
    anchor = Anchor(("discovered_at", "informed_at"))
    both = anchor_time(anchor, {"discovered_at": NOON, "informed_at": NOON - timedelta(hours=1)})
    assert (both.field, both.at, both.assumed) == ("informed_at", NOON - timedelta(hours=1), False)
    one = anchor_time(anchor, {"discovered_at": NOON, "informed_at": None})
    assert (one.field, one.at) == ("discovered_at", NOON)


def test_an_unknown_event_leaves_the_question_who_knows_it() -> None:
    found = anchor_time(Anchor(("handling_ended_at",)), {})
    assert found.at is None
    assert found.open_fields == {"handling_ended_at"}


def test_a_stand_in_event_starts_the_clock_but_is_marked_as_assumed() -> None:
    anchor = Anchor(("aware_at",), assume=("discovered_at", "informed_at"))
    found = anchor_time(anchor, {"discovered_at": NOON})
    assert (found.field, found.assumed, found.open_fields) == ("discovered_at", True, frozenset({"aware_at"}))
    later = anchor_time(anchor, {"discovered_at": NOON, "aware_at": NOON + timedelta(hours=5)})
    assert (later.field, later.assumed) == ("aware_at", False)
    assert later.at is not None
    assert later.at.date() == date(2026, 11, 21)
