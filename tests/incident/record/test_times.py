"""Times as people type them, in many zones and beside every change of the clocks."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from incident.record.times import parse_when, show_distance, show_when

SHANGHAI = ZoneInfo("Asia/Shanghai")
BERLIN = ZoneInfo("Europe/Berlin")
NIGHT = datetime(2026, 11, 21, 2, 0, tzinfo=SHANGHAI)  # a Saturday

ZONES = [
    ZoneInfo(name)
    for name in (
        "UTC",
        "Asia/Shanghai",
        "Asia/Kathmandu",
        "Asia/Kolkata",
        "Australia/Lord_Howe",
        "Pacific/Chatham",
        "Pacific/Apia",
        "Pacific/Kiritimati",
        "Pacific/Marquesas",
        "America/New_York",
        "America/St_Johns",
        "America/Sao_Paulo",
        "Africa/Casablanca",
        "Asia/Beirut",
        "Europe/Berlin",
        "Europe/London",
        "Europe/Dublin",
        "Antarctica/Troll",
    )
]
zones = st.sampled_from(ZONES)
# Days on which clocks were changed, days were skipped, leap days and the ends of years, beside all others.
STRANGE_DAYS = [
    date(2026, 3, 29),
    date(2026, 10, 25),
    date(2026, 3, 8),
    date(2026, 11, 1),
    date(2026, 4, 5),
    date(2026, 10, 4),
    date(2011, 12, 30),
    date(2018, 11, 4),
    date(2024, 2, 29),
    date(2028, 2, 29),
    date(2100, 2, 28),
    date(2026, 12, 31),
    date(2027, 1, 1),
]
days = st.one_of(
    st.dates(date(1975, 1, 1), date(2099, 12, 30)),
    st.builds(
        lambda day, step: day + timedelta(days=step), st.sampled_from(STRANGE_DAYS), st.integers(-2, 2)
    ),
)
moments = st.builds(
    lambda day, seconds: datetime.combine(day, time(), UTC) + timedelta(seconds=seconds),
    days,
    st.integers(-86400, 2 * 86400),
)
minutes_of_day = st.builds(time, st.integers(0, 23), st.integers(0, 59))


def local(text: str, zone: ZoneInfo = SHANGHAI) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=zone)


def read(text: str, *, now: datetime = NIGHT, zone: ZoneInfo = SHANGHAI, future: bool = False) -> datetime:
    return parse_when(text, now=now, zone=zone, future=future)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("2026-11-20 23:40", "2026-11-20 23:40"),
        ("2026年11月20日23时40分", "2026-11-20 23:40"),
        ("2026-11-20T15:40Z", "2026-11-20 23:40"),
        ("01:50", "2026-11-21 01:50"),
        ("1:50", "2026-11-21 01:50"),
        ("１：５０", "2026-11-21 01:50"),
        ("01:50:30", "2026-11-21 01:50:30"),
        ("02:00", "2026-11-21 02:00"),
        ("02:01", "2026-11-20 02:01"),
        ("yesterday 23:50", "2026-11-20 23:50"),
        ("Yesterday at 23:50", "2026-11-20 23:50"),
        ("23:50 yesterday", "2026-11-20 23:50"),
        ("last night 23:50", "2026-11-20 23:50"),
        ("today 08:00", "2026-11-21 08:00"),
        ("tomorrow 08:00", "2026-11-22 08:00"),
        ("8:30 pm", "2026-11-20 20:30"),
        ("Fri 23:50", "2026-11-20 23:50"),
        ("Saturday 01:00", "2026-11-21 01:00"),
        ("sat 03:00", "2026-11-14 03:00"),
        ("昨天 23:50", "2026-11-20 23:50"),
        ("昨天23:50", "2026-11-20 23:50"),
        ("昨晚11点50", "2026-11-20 23:50"),
        ("今天 01:30", "2026-11-21 01:30"),
        ("凌晨1点50", "2026-11-21 01:50"),
        ("凌晨一点半", "2026-11-21 01:30"),
        ("前天 23:50", "2026-11-19 23:50"),
        ("明天 08:00", "2026-11-22 08:00"),
        ("明早八点", "2026-11-22 08:00"),
        ("周五 23:50", "2026-11-20 23:50"),
        ("星期天晚上8点", "2026-11-15 20:00"),
        ("周五十点", "2026-11-20 10:00"),
        ("下午3点20分", "2026-11-20 15:20"),
        ("now", "2026-11-21 02:00"),
        ("现在", "2026-11-21 02:00"),
        ("刚才", "2026-11-21 02:00"),
        ("-10m", "2026-11-21 01:50"),
        ("−10m", "2026-11-21 01:50"),
        ("10 min ago", "2026-11-21 01:50"),
        ("2h ago", "2026-11-21 00:00"),
        ("an hour and 30 minutes ago", "2026-11-21 00:30"),
        ("half an hour ago", "2026-11-21 01:30"),
        ("十分钟前", "2026-11-21 01:50"),
        ("10分钟前", "2026-11-21 01:50"),
        ("二十五分钟前", "2026-11-21 01:35"),
        ("半小时前", "2026-11-21 01:30"),
        ("一个半小时前", "2026-11-21 00:30"),
        ("两小时以前", "2026-11-21 00:00"),
        ("1h30m", "2026-11-21 00:30"),
        ("+48h", "2026-11-23 02:00"),
        ("in 2 hours", "2026-11-21 04:00"),
        ("48小时后", "2026-11-23 02:00"),
        ("+2d", "2026-11-23 02:00"),
        ("in a week", "2026-11-28 02:00"),
        ("一周后", "2026-11-28 02:00"),
    ],
)
def test_a_time_is_read_as_people_type_it(text: str, meant: str) -> None:
    assert read(text) == local(meant)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("08:00", "2026-11-21 08:00"),
        ("01:50", "2026-11-22 01:50"),
        ("02:00", "2026-11-22 02:00"),
        ("Fri 23:50", "2026-11-27 23:50"),
        ("周六 08:00", "2026-11-21 08:00"),
        ("1h30m", "2026-11-21 03:30"),
        ("48小时", "2026-11-23 02:00"),
        ("yesterday 23:50", "2026-11-20 23:50"),
        ("-10m", "2026-11-21 01:50"),
    ],
)
def test_where_the_future_is_asked_for_a_bare_time_is_the_next_one(text: str, meant: str) -> None:
    assert read(text, future=True) == local(meant)


@pytest.mark.parametrize(
    "text",
    ["03/04/2026", "03/04/2026 08:00", "3-4 08:00", "3.4.2026", "21.11.26 08:00", "11/21"],
)
def test_a_date_of_two_readings_is_refused_with_the_way_to_write_it(text: str) -> None:
    with pytest.raises(ValueError, match=r"two ways; write the year first, for example 2026-11-21 23:40"):
        read(text)


@pytest.mark.parametrize("text", ["yesterday", "昨天", "Fri", "周五", "2026-11-21", "明天"])
def test_a_day_without_a_time_is_asked_for_the_time(text: str) -> None:
    with pytest.raises(ValueError, match=f"no time of day; .* for example {text} 08:00"):
        read(text)


@pytest.mark.parametrize(
    "text", ["last night 1:00", "昨晚1点", "12 am", "12:00 pm", "夜里", "上午13点", "今晚2点"]
)
def test_an_hour_that_may_belong_to_another_day_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"for example"):
        read(text)


@pytest.mark.parametrize(
    "text",
    ["", " ", "-", "+", "ago", "in", "前", "0", "5", "2350", "25:00", "08:60", "08:00:61", "8:5", "soon", "next Fri 8:00",
     "+48", "10 ago", "--10m", "-10m ago", "+9999999d", "-99999999999999h", "2026-13-01 08:00", "0000-01-01 00:00",
     "9999-12-31 23:59 -2300", "01:50 +9999", "x" * 1_000_000, "1" * 59, "\x00", "\ud800", "08:00\x1b[2J"],
)  # fmt: skip
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"write|at most|offset|moment") as error:
        read(text)
    assert len(str(error.value)) < 300


def test_a_time_that_the_clocks_showed_twice_is_refused_with_both_offsets_and_taken_with_one() -> None:
    morning = local("2026-10-25 08:00", BERLIN)
    for text in ("02:30", "today 02:30", "Sun 02:30", "2026-10-25 02:30"):
        with pytest.raises(ValueError, match=r"twice .*\+0200 for the first or \+0100 for the second"):
            read(text, now=morning, zone=BERLIN)
    assert read("02:30 +0200", now=morning, zone=BERLIN) == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    assert read("today 02:30 +0100", now=morning, zone=BERLIN) == datetime(2026, 10, 25, 1, 30, tzinfo=UTC)


def test_a_time_that_the_clocks_skipped_is_refused_with_both_offsets_and_taken_with_one() -> None:
    morning = local("2026-03-29 08:00", BERLIN)
    for text in ("02:30", "today 02:30", "Sun 02:30", "2026-03-29 02:30"):
        with pytest.raises(ValueError, match=r"forward .*from \+0100 to \+0200"):
            read(text, now=morning, zone=BERLIN)
    assert read("02:30 +0100", now=morning, zone=BERLIN) == datetime(2026, 3, 29, 1, 30, tzinfo=UTC)


def test_half_an_hour_that_lord_howe_showed_twice_is_refused() -> None:
    zone = ZoneInfo("Australia/Lord_Howe")
    with pytest.raises(ValueError, match=r"\+1100 for the first or \+1030 for the second"):
        read("01:45", now=local("2026-04-05 08:00", zone), zone=zone)
    assert read("01:15", now=local("2026-04-05 08:00", zone), zone=zone) == local("2026-04-05 01:15", zone)


def test_a_whole_day_that_samoa_skipped_is_no_yesterday() -> None:
    zone = ZoneInfo("Pacific/Apia")
    with pytest.raises(ValueError, match=r"from -1000 to \+1400"):
        read("yesterday 23:50", now=local("2011-12-31 10:00", zone), zone=zone)


def test_a_change_of_the_clocks_that_lies_ahead_leaves_the_last_time_alone() -> None:
    before = local("2026-10-25 01:00", BERLIN)
    assert read("02:30", now=before, zone=BERLIN) == local("2026-10-24 02:30", BERLIN)


def test_hours_counted_over_a_change_of_the_clocks_are_hours_that_passed() -> None:
    morning = local("2026-10-25 08:00", BERLIN)
    assert read("24h ago", now=morning, zone=BERLIN) == local("2026-10-24 09:00", BERLIN)


@given(moments, zones, moments)
def test_an_absolute_time_shows_again_as_it_was_typed(typed: datetime, zone: ZoneInfo, now: datetime) -> None:
    written = f"{typed.astimezone(zone):%Y-%m-%d %H:%M:%S}"
    try:
        found = read(written, now=now, zone=zone)
    except ValueError:
        assert is_strange(typed.astimezone(zone), zone)
        return
    assert f"{found.astimezone(zone):%Y-%m-%d %H:%M:%S}" == written
    assert found == typed


@given(minutes_of_day, zones, moments, st.booleans())
@example(time(2, 30), BERLIN, datetime(2026, 3, 29, 5, tzinfo=UTC), False)
@example(time(23, 0), ZoneInfo("Pacific/Apia"), datetime(2011, 12, 30, 20, tzinfo=UTC), False)
def test_a_bare_time_of_day_is_on_its_side_of_now_and_less_than_a_day_away(
    wanted: time, zone: ZoneInfo, now: datetime, future: bool
) -> None:
    try:
        found = read(f"{wanted:%H:%M}", now=now, zone=zone, future=future)
    except ValueError as refusal:
        assert "offset" in str(refusal)
        assert has_strange_hours_near(now, zone)
        return
    shown = found.astimezone(zone)
    assert shown.time() == wanted
    apart = shown.replace(tzinfo=None) - now.astimezone(zone).replace(tzinfo=None)
    if future:
        assert found > now
        assert timedelta(0) < apart <= timedelta(days=1)
    else:
        assert found <= now
        assert timedelta(-1) < apart <= timedelta(0)


@given(
    minutes_of_day,
    zones,
    moments,
    st.sampled_from([("yesterday", -1), ("昨天", -1), ("前天", -2), ("today", 0), ("今天", 0), ("tomorrow", 1), ("明天", 1)]),
    st.booleans(),
)  # fmt: skip
def test_a_named_day_is_the_calendars(
    wanted: time, zone: ZoneInfo, now: datetime, named: tuple[str, int], future: bool
) -> None:
    word, step = named
    day = now.astimezone(zone).date() + timedelta(days=step)
    try:
        found = read(f"{word} {wanted:%H:%M}", now=now, zone=zone, future=future).astimezone(zone)
    except ValueError:
        assert is_strange(datetime.combine(day, wanted), zone)
        return
    assert (found.date(), found.time()) == (day, wanted)


@given(minutes_of_day, zones, moments, st.integers(0, 6), st.booleans(), st.booleans())
def test_a_weekday_is_the_nearest_of_its_name_on_the_side_that_is_asked_for(
    wanted: time, zone: ZoneInfo, now: datetime, number: int, future: bool, chinese: bool
) -> None:
    name = (
        "周" + "一二三四五六日"[number]
        if chinese
        else ["Mon", "tuesday", "WED", "thurs", "Fri", "sat", "Sunday"][number]
    )
    try:
        found = read(f"{name} {wanted:%H:%M}", now=now, zone=zone, future=future)
    except ValueError as refusal:
        assert "offset" in str(refusal)
        return
    shown = found.astimezone(zone)
    assert (shown.weekday(), shown.time()) == (number, wanted)
    assert (found > now) if future else (found <= now)
    apart = abs(shown.replace(tzinfo=None) - now.astimezone(zone).replace(tzinfo=None))
    assert apart <= timedelta(days=7)


@given(
    moments,
    zones,
    st.integers(0, 500),
    st.sampled_from(["m", "h", " min", " hours", "分钟", "小时", "天", "d", "周"]),
)
def test_what_is_counted_from_now_goes_both_ways_alike(
    now: datetime, zone: ZoneInfo, number: int, unit: str
) -> None:
    back = [
        read(text, now=now, zone=zone)
        for text in (f"-{number}{unit}", f"{number}{unit} ago", f"{number}{unit}前")
    ]
    ahead = [
        read(text, now=now, zone=zone)
        for text in (f"+{number}{unit}", f"in {number}{unit}", f"{number}{unit}后")
    ]
    assert len(set(back)) == len(set(ahead)) == 1
    assert now - back[0] == ahead[0] - now >= timedelta(0)


@given(st.integers(1, 99), st.sampled_from(["分钟", "小时", "天", "个小时"]), zones)
def test_numbers_written_in_chinese_are_the_same_as_digits(number: int, unit: str, zone: ZoneInfo) -> None:
    tens, ones = divmod(number, 10)
    digits = "零一二三四五六七八九"
    written = ("" if tens < 2 else digits[tens]) + ("十" if tens else "") + (digits[ones] if ones else "")
    for direction in ("前", "后"):
        said = read(f"{written}{unit}{direction}", zone=zone)
        assert said == read(f"{number}{unit}{direction}", zone=zone)


@given(
    st.one_of(
        st.text(max_size=80),
        st.text(alphabet="0123456789:-+/. 年月日周昨今明天晚上下午点分半前后零一两十aginpmhdzu", max_size=25),
        st.lists(
            st.sampled_from(
                [
                    "yesterday",
                    "昨晚",
                    "周",
                    "Fri",
                    "in",
                    "ago",
                    "+",
                    "-",
                    "99",
                    ":",
                    "30",
                    "h",
                    "点",
                    "十",
                    "z",
                    "9999",
                    "年",
                ]
            ),
            max_size=6,
        ).map(" ".join),
    ),
    zones,
    st.one_of(moments, st.just(datetime.max.replace(tzinfo=UTC)), st.just(datetime.min.replace(tzinfo=UTC))),
    st.booleans(),
)
def test_any_text_is_a_time_or_is_refused(text: str, zone: ZoneInfo, now: datetime, future: bool) -> None:
    try:
        found = read(text, now=now, zone=zone, future=future)
    except ValueError as refusal:
        assert str(refusal)
        return
    assert found.utcoffset() == timedelta(0)


@given(moments, moments, zones, st.sampled_from(["en", "zh-Hans"]))
def test_a_time_said_back_in_full_can_be_typed_again(
    moment: datetime, now: datetime, zone: ZoneInfo, language: str
) -> None:
    shown = show_when(moment, now=now, zone=zone, language=language)
    offset = moment.astimezone(zone).utcoffset() or timedelta(0)
    assume(offset % timedelta(minutes=1) == timedelta(0))
    assert zone.key in shown
    assert read(shown.replace("（", " (").split(" (")[0], now=now, zone=zone) == moment


def test_a_time_is_said_back_with_offset_zone_and_distance() -> None:
    ten_to_two = local("2026-11-21 01:50")
    assert (
        show_when(ten_to_two, now=NIGHT, zone=SHANGHAI, language="en")
        == "2026-11-21 01:50 +0800 (Asia/Shanghai), 10 minutes ago"
    )
    assert (
        show_when(ten_to_two, now=NIGHT, zone=SHANGHAI, language="zh-Hans")
        == "2026-11-21 01:50 +0800（Asia/Shanghai），10分钟前"
    )


@pytest.mark.parametrize(
    ("distance", "english", "chinese"),
    [
        (timedelta(seconds=20), "now", "现在"),
        (timedelta(minutes=1), "in 1 minute", "1分钟后"),
        (timedelta(hours=-1, minutes=-30), "1 hour 30 minutes ago", "1小时30分钟前"),
        (timedelta(days=2, minutes=5), "in 2 days", "2天后"),
        (timedelta(days=-1, hours=-2), "1 day 2 hours ago", "1天2小时前"),
    ],
)
def test_a_distance_is_told_in_its_two_largest_units(distance: timedelta, english: str, chinese: str) -> None:
    assert show_distance(distance, language="en") == english
    assert show_distance(distance, language="zh-Hans") == chinese


def is_strange(moment: datetime, zone: ZoneInfo) -> bool:
    """Whether the clocks of the zone skipped or repeated this local time."""
    first = moment.replace(tzinfo=zone, fold=0)
    return first.utcoffset() != first.replace(fold=1).utcoffset()


def has_strange_hours_near(now: datetime, zone: ZoneInfo) -> bool:
    offsets = {(now + timedelta(hours=hours)).astimezone(zone).utcoffset() for hours in range(-50, 51)}
    return len(offsets) > 1
