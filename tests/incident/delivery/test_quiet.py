"""Quiet hours: over midnight, in every zone, and where the clocks change."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incident.delivery.quiet import QuietHours
from incident.errors import BadInput
from incident.settings import parse_settings

SHANGHAI, BERLIN = ZoneInfo("Asia/Shanghai"), ZoneInfo("Europe/Berlin")
ZONES = [
    "Asia/Shanghai",
    "Asia/Urumqi",
    "Asia/Kathmandu",
    "Europe/Berlin",
    "Europe/London",
    "America/New_York",
    "America/St_Johns",
    "Australia/Lord_Howe",
    "Pacific/Chatham",
    "Pacific/Apia",
    "Africa/Casablanca",
    "UTC",
]
TIMES = st.times().map(lambda each: each.replace(second=0, microsecond=0, fold=0))
SINCE = datetime(2011, 1, 1, tzinfo=UTC)
MOMENTS = st.integers(0, 20 * 366 * 86_400).map(lambda seconds: SINCE + timedelta(seconds=seconds))


def quiet(text: str, zone: ZoneInfo) -> QuietHours:
    found = QuietHours.read(text, zone)
    assert found is not None
    return found


def local(text: str, zone: ZoneInfo, *, fold: int = 0) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=zone, fold=fold)


def test_none_are_none() -> None:
    assert QuietHours.read("", SHANGHAI) is None


@pytest.mark.parametrize(
    ("at", "end"),
    [
        ("2026-11-30 21:59", None),
        ("2026-11-30 22:00", "2026-12-01 08:00"),
        ("2026-12-01 00:30", "2026-12-01 08:00"),
        ("2026-12-01 07:59:59", "2026-12-01 08:00"),
        ("2026-12-01 08:00", None),
    ],
)
def test_a_night_ends_the_next_morning(at: str, end: str | None) -> None:
    found = quiet("22:00-08:00", SHANGHAI).end_after(local(at, SHANGHAI))
    assert found == (None if end is None else local(end, SHANGHAI))


def test_within_a_day_they_end_on_that_day() -> None:
    hours = quiet("12:00-14:00", SHANGHAI)
    assert hours.end_after(local("2026-11-30 13:00", SHANGHAI)) == local("2026-11-30 14:00", SHANGHAI)
    assert hours.end_after(local("2026-11-30 11:59", SHANGHAI)) is None


def test_a_night_in_which_the_clocks_go_forward_is_shorter() -> None:
    hours, begins = quiet("22:00-08:00", BERLIN), local("2026-03-28 22:00", BERLIN)
    end = hours.end_after(begins)
    assert end is not None
    assert end - begins.astimezone(UTC) == timedelta(hours=9)


def test_an_end_in_the_hour_that_is_left_out_is_when_the_clocks_went_forward() -> None:
    end = quiet("22:00-02:30", BERLIN).end_after(local("2026-03-28 23:00", BERLIN))
    assert end == local("2026-03-29 03:00", BERLIN)


def test_an_hour_that_comes_twice_is_quiet_twice() -> None:
    hours = quiet("22:00-02:30", BERLIN)
    for at, fold in (("2026-10-25 01:00", 0), ("2026-10-25 02:10", 1)):
        end = local("2026-10-25 02:30", BERLIN, fold=fold).astimezone(UTC)
        assert hours.end_after(local(at, BERLIN, fold=fold)) == end


@given(MOMENTS, TIMES, TIMES, st.sampled_from(ZONES))
def test_the_end_is_the_first_minute_that_is_not_quiet(
    at: datetime, begins: time, ends: time, name: str
) -> None:
    if begins == ends:
        return
    hours = QuietHours(begins, ends, ZoneInfo(name))
    end = hours.end_after(at)
    if end is None:
        assert not hours.hold(at)
        return
    assert hours.hold(at)
    assert not hours.hold(end)
    assert hours.hold(end - timedelta(microseconds=1))
    assert at < end <= at + timedelta(hours=25)


@given(MOMENTS, TIMES, TIMES, st.sampled_from(ZONES))
def test_either_these_hours_are_quiet_or_the_others(
    at: datetime, begins: time, ends: time, name: str
) -> None:
    if begins != ends:
        zone = ZoneInfo(name)
        assert QuietHours(begins, ends, zone).hold(at) != QuietHours(ends, begins, zone).hold(at)


@pytest.mark.parametrize("text", ["22-8", "22:00", "24:00-08:00", "22:00-22:00", "at night"])
def test_what_is_no_time_of_day_is_refused(text: str) -> None:
    data = {"workspace": {"id": "x", "name": "x"}, "waves": {"quiet_hours": text}}
    with pytest.raises(BadInput, match="quiet_hours"):
        parse_settings(data, where="incident.toml")
