"""Times as people type them: `01:50`, `yesterday 23:50`, `周五 23:50`, `-10m`, `48小时后`.

Pure. Local times are read in the zone that is passed in; what comes out is UTC. A bare time of day or weekday is the
last one before now, or with `future` the next one after it. A day counted from now (`+2d`) has 24 hours; a day
that is named (`tomorrow 08:00`) is the calendar's.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo

from incident.record.quantities import normal, seconds_of
from incident.record.values import moment_in_zone, offset_called, parse_time

_LONGEST = 60

_NOW = frozenset({"now", "just now", "right now", "现在", "刚才", "刚刚", "此刻"})

# The part of a day: hours that stand as written, and hours to which twelve are added. What is in neither is refused,
# because it may belong to the day before or after ("last night 1:00").
_PARTS: Mapping[str, tuple[range, range]] = {
    "凌晨": (range(7), range(0)),
    "清晨": (range(4, 10), range(0)),
    "早上": (range(4, 12), range(0)),
    "上午": (range(1, 12), range(0)),
    "中午": (range(11, 14), range(1, 2)),
    "下午": (range(13, 20), range(1, 8)),
    "傍晚": (range(16, 21), range(4, 9)),
    "晚上": (range(18, 24), range(6, 12)),
    "am": (range(1, 12), range(0)),
    "pm": (range(0), range(1, 12)),
}

_DAYS: Mapping[str, tuple[int, str | None]] = {
    "the day before yesterday": (-2, None),
    "yesterday": (-1, None),
    "last night": (-1, "晚上"),
    "today": (0, None),
    "this morning": (0, "早上"),
    "tonight": (0, "晚上"),
    "tomorrow": (1, None),
    "the day after tomorrow": (2, None),
    "前天": (-2, None),
    "昨天": (-1, None),
    "昨日": (-1, None),
    "昨晚": (-1, "晚上"),
    "今天": (0, None),
    "今日": (0, None),
    "今晨": (0, "清晨"),
    "今早": (0, "早上"),
    "今晚": (0, "晚上"),
    "明天": (1, None),
    "明日": (1, None),
    "明早": (1, "早上"),
    "明晚": (1, "晚上"),
    "后天": (2, None),
}

_WEEKDAY = re.compile(
    r"(mon(?:day)?|tue(?:s|sday)?|wed(?:s|nesday)?|thu(?:r|rs|rsday)?|fri(?:day)?|sat(?:urday)?|sun(?:day)?)\b"
    r"|(?:周|星期|礼拜)([一二三四五六日天])"
)
_ENGLISH_WEEK = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_CHINESE_WEEK = {sign: number for number, sign in enumerate("一二三四五六日")} | {"天": 6}

_CLOCK = re.compile(
    rf"(?P<part>{'|'.join(part for part in _PARTS if not part.isascii())})?\s*"
    r"(?P<hour>[0-9]{1,2})"
    r"(?::(?P<minute>[0-9]{2})(?::(?P<second>[0-9]{2}))?"
    r"|[点时](?:(?P<spoken>[0-9]{1,2})分?|(?P<half>半)|钟|整)?"
    r"|(?=\s*[ap]m))"
    r"\s*(?P<half_day>am|pm)?"
    r"\s*(?P<offset>z|utc|[+-][0-9]{2}:?[0-9]{2})?"
)
_AGO = re.compile(r"(?:[-−–]\s*(?P<minus>.+)|(?P<ago>.+?)\s+ago|(?P<before>.+?)\s*[以之]?前)")
_AHEAD = re.compile(
    r"(?:\+\s*(?P<plus>.+)|in\s+(?P<in>.+)|(?P<from>.+?)\s+from now|(?P<after>.+?)\s*[以之]?后)"
)
_HALVED = re.compile(r"([0-9]+)个?半(?=小时|天)")
_HAN = {sign: number for number, sign in enumerate("零一二三四五六七八九")} | {"两": 2}
_HAN_NUMBER = re.compile(
    r"(?<![周期拜])[零一二两三四五六七八九十]{1,4}(?=个|半?小时|半?天|日|点|分|秒|周|星期)|(?<=点)[零一二三四五六七八九十]{1,3}(?=$|分)"
)
_DATE_ALONE = re.compile(r"[0-9]{4}[-/年][0-9]{1,2}[-/月][0-9]{1,2}日?")
_DATE_OF_TWO_READINGS = re.compile(r"[0-9]{1,2}[-/.][0-9]{1,2}(?:[-/.][0-9]{2,4})?\b(?!\s*[ap]m).*")


@dataclass(frozen=True)
class _Clock:
    """A time of day; with `offset` it is one clock's, else those of the zone."""

    time: time
    offset: tzinfo | None


def parse_when(text: str, *, now: datetime, zone: tzinfo, future: bool) -> datetime:
    """The moment (UTC) that a person means by `text`, said at `now` by the clocks of `zone`.

    Raises `ValueError`, and nothing else, with what to write instead: for what is no time, for a date that can be read
    in two ways, and for a local time that the clocks skipped or showed twice (with both offsets).
    """
    if len(text) > _LONGEST:
        raise ValueError(f"a time has at most {_LONGEST} characters; {_example(future)}")
    words = re.sub(r"\s+", " ", normal(text)).lower()
    try:
        found = _in_words(words, now=now, zone=zone, future=future)
        if found is not None:
            return found
    except OverflowError:
        raise ValueError(f"“{text}” is out of range; {_example(future)}") from None
    if _DATE_ALONE.fullmatch(words) or words in _DAYS or _WEEKDAY.fullmatch(words):
        raise ValueError(
            f"“{text}” has no time of day; write it after the day, for example {text.strip()} 08:00"
        )
    if _DATE_OF_TWO_READINGS.fullmatch(words):
        raise ValueError(
            f"“{text}” can be read in two ways; write the year first, for example 2026-11-21 23:40"
        )
    if not re.match(r"[0-9]{4}\s?[-/年]", words):
        raise ValueError(f"“{text}” is no time; {_example(future)}")
    return parse_time(text, zone=zone)


def show_when(moment: datetime, *, now: datetime, zone: tzinfo, language: str) -> str:
    """A time in full, with its offset, its zone and how far it is: what a person checks after typing it."""
    local = moment.astimezone(zone)
    digits = f"{local:%Y-%m-%d %H:%M}" + (f":{local:%S}" if local.second else "") + f" {local:%z}"
    place = getattr(zone, "key", None) or str(zone)
    if language == "en":
        return f"{digits} ({place}), {show_distance(moment - now, language=language)}"
    return f"{digits}（{place}），{show_distance(moment - now, language=language)}"


def show_distance(distance: timedelta, *, language: str) -> str:
    """How far a time is from now, in the two largest units: `1 hour 30 minutes ago`, `in 2 days`."""
    minutes = round(abs(distance).total_seconds() / 60)
    if minutes == 0:
        return "now" if language == "en" else "现在"
    days, hours, rest = minutes // 1440, minutes // 60 % 24, minutes % 60
    parts = ((days, "day", "天"), (hours, "hour", "小时"), (0 if days else rest, "minute", "分钟"))
    past = distance < timedelta(0)
    if language == "en":
        said = " ".join(f"{number} {unit}{'' if number == 1 else 's'}" for number, unit, _ in parts if number)
        return f"{said} ago" if past else f"in {said}"
    return "".join(f"{number}{unit}" for number, _, unit in parts if number) + ("前" if past else "后")


def _in_words(words: str, *, now: datetime, zone: tzinfo, future: bool) -> datetime | None:
    if words in _NOW:
        return now.astimezone(UTC)
    words = _HAN_NUMBER.sub(lambda match: str(_han_number(match[0])), words)
    distance = _distance(words, future=future)
    if distance is not None:
        return now.astimezone(UTC) + distance
    today = now.astimezone(zone).date()
    clock = _clock(words)
    if clock is not None:
        # With an offset of its own, the day of that clock may be a neighbour of ours.
        days = (today + timedelta(days=step if future else -step) for step in range(-1, 3))
        return _nearest(days, clock, now=now, zone=zone, future=future)
    for name, (step, part) in _DAYS.items():
        clock = _clock_beside(words, name, part)
        if clock is not None:
            return _moment(today + timedelta(days=step), clock, zone)
    return _on_weekday(words, today, now=now, zone=zone, future=future)


def _on_weekday(words: str, today: date, *, now: datetime, zone: tzinfo, future: bool) -> datetime | None:
    named = _WEEKDAY.search(words)
    clock = _clock_beside(words, named[0], None) if named else None
    if named is None or clock is None:
        return None
    wanted = _ENGLISH_WEEK.index(named[1][:3]) if named[1] else _CHINESE_WEEK[named[2]]
    nearby = (today + timedelta(days=step if future else -step) for step in range(-1, 9))
    return _nearest(
        (day for day in nearby if day.weekday() == wanted), clock, now=now, zone=zone, future=future
    )


def _clock_beside(words: str, day: str, part: str | None) -> _Clock | None:
    """The time of day written before or after the name of a day."""
    if words.startswith(day):
        return _clock(words.removeprefix(day).strip().removeprefix("at ").removeprefix("的"), part)
    return _clock(words.removesuffix(day), part) if words.endswith(f" {day}") else None


def _clock(words: str, part: str | None = None) -> _Clock | None:
    match = _CLOCK.fullmatch(words.strip().removeprefix("at "))
    if match is None:
        return None
    hour = int(match["hour"])
    minute = 30 if match["half"] else int(match["minute"] or match["spoken"] or 0)
    for name in (part, match["part"], match["half_day"]):
        if name is not None:
            hour = _hour_in(name, hour)
    offset = offset_called(match["offset"]) if match["offset"] else None
    if hour > 23 or minute > 59 or int(match["second"] or 0) > 59:
        raise ValueError(f"“{words}” is no time of day; write it as on a 24-hour clock, 00:00 to 23:59")
    return _Clock(time(hour, minute, int(match["second"] or 0)), offset)


def _hour_in(part: str, hour: int) -> int:
    as_written, plus_twelve = _PARTS[part]
    if hour in as_written:
        return hour
    if hour in plus_twelve:
        return hour + 12
    raise ValueError(
        f"{hour} o'clock can mean two times there; write the day and a 24-hour clock, for example today 00:30"
    )


def _nearest(
    days: Iterable[date], clock: _Clock, *, now: datetime, zone: tzinfo, future: bool
) -> datetime | None:
    """The first of the days on which the clock shows this time on the right side of now."""
    for day in days:
        moments = _readings(day, clock, zone)
        if any(moment > now if future else moment <= now for moment in moments):
            return _moment(day, clock, zone)
    return None


def _readings(day: date, clock: _Clock, zone: tzinfo) -> tuple[datetime, datetime]:
    local = datetime.combine(day, clock.time, clock.offset or zone)
    return local.astimezone(UTC), local.replace(fold=1).astimezone(UTC)


def _moment(day: date, clock: _Clock, zone: tzinfo) -> datetime:
    local = datetime.combine(day, clock.time)
    try:
        return moment_in_zone(local, clock.offset or zone).astimezone(UTC)
    except ValueError as error:
        raise ValueError(f"{local:%Y-%m-%d %H:%M} is no moment: {error}") from None


def _distance(words: str, *, future: bool) -> timedelta | None:
    """A time counted from now. Without a word of direction it goes where the question looks."""
    for pattern, sign in ((_AGO, -1), (_AHEAD, 1)):
        match = pattern.fullmatch(words)
        if match is not None:
            seconds = _seconds(next(part for part in match.groups() if part is not None))
            return None if seconds is None else timedelta(seconds=sign * seconds)
    seconds = _seconds(words)
    return None if seconds is None else timedelta(seconds=seconds if future else -seconds)


def _seconds(words: str) -> int | None:
    words = re.sub(r"^half an hour$|^半个?小时$|^半个?钟头$", "30 min", words)
    words = re.sub(r"\ban? (?=hour|minute|day|week)", "1 ", words)
    words = _HALVED.sub(r"\1.5", re.sub(r"\band\b|,", " ", words))
    words = re.sub(r"个(?=小时|星期)", "", words)
    try:
        return seconds_of(words) if re.match(r"[0-9]", words) and words != "0" else None
    except ValueError:
        return None


def _han_number(signs: str) -> int:
    tens, ten, ones = signs.rpartition("十")
    if not ten:
        return int("".join(str(_HAN[sign]) for sign in signs))
    return (int(_han_number(tens)) if tens else 1) * 10 + (_han_number(ones) if ones else 0)


def _example(future: bool) -> str:
    if future:
        return "write for example 08:00, tomorrow 08:00, +48h or 2026-11-21 23:40"
    return "write for example 01:50, yesterday 23:50, -10m or 2026-11-21 23:40"
