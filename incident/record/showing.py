"""A fact's value as people read it, in their language and their zone. Pure."""

from __future__ import annotations

from datetime import datetime, tzinfo
from decimal import Decimal

from incident.record.fields import Field, FieldType, FrozenText, in_language
from incident.record.quantities import Interval, Number
from incident.record.values import Value

_UNKNOWN = FrozenText({"zh-Hans": "尚不清楚", "en": "not known yet"})
_YES = FrozenText({"zh-Hans": "是", "en": "yes"})
_NO = FrozenText({"zh-Hans": "否", "en": "no"})
_UNITS = (
    (86400, FrozenText({"zh-Hans": "天", "en": "d"})),
    (3600, FrozenText({"zh-Hans": "小时", "en": "h"})),
    (60, FrozenText({"zh-Hans": "分钟", "en": "min"})),
    (1, FrozenText({"zh-Hans": "秒", "en": "s"})),
)


def show_value(field: Field, value: Value | None, *, language: str, zone: tzinfo) -> str:
    """One line (texts keep their line breaks). None reads "not known yet"."""
    if value is None:
        return in_language(_UNKNOWN, language)
    if isinstance(value, datetime):
        return show_time(value, zone=zone)
    if isinstance(value, Interval):
        return show_interval(field, value, language=language)
    if isinstance(value, bool):
        return in_language(_YES if value else _NO, language)
    if isinstance(value, tuple):
        return _comma(language).join(_choice_title(field, item, language) for item in value)
    return _choice_title(field, value, language) if isinstance(value, str) else in_language(value, language)


def show_time(moment: datetime, *, zone: tzinfo) -> str:
    """Local time with its offset, seconds only where they are not zero: 2026-11-21 23:40 (UTC+08:00)."""
    local = moment.astimezone(zone)
    clock = f"{local:%Y-%m-%d %H:%M:%S}" if local.second else f"{local:%Y-%m-%d %H:%M}"
    offset = f"{local:%z}"
    return f"{clock} (UTC{offset[:3]}:{offset[3:5]})"


def show_interval(field: Field, interval: Interval, *, language: str) -> str:
    """The bounds with their unit, and the estimate if there is one."""
    low = show_number(field, interval.min, language=language)
    if interval.is_exact:
        return low
    chinese = language.startswith("zh")
    if interval.max is None:
        text = f"{low} 以上" if chinese else f"at least {low}"
    else:
        text = f"{low}–{show_number(field, interval.max, language=language)}"
    if interval.likely is None:
        return text
    likely = show_number(field, interval.likely, language=language)
    return f"{text}（可能为 {likely}）" if chinese else f"{text} (likely {likely})"


def show_number(field: Field, number: Number, *, language: str) -> str:
    if field.type is FieldType.duration:
        return show_seconds(int(number), language=language)
    digits = f"{number:,f}" if isinstance(number, Decimal) else f"{number:,}"
    if field.type is FieldType.percent:
        return f"{digits}%"
    if field.type is FieldType.amount:
        return f"{digits} 元" if language.startswith("zh") else f"CNY {digits}"
    return digits


def show_seconds(seconds: int, *, language: str) -> str:
    """6 h 10 min; hours run on up to 48, so that a 30-hour outage reads as such."""
    units = _UNITS if seconds > 48 * 3600 else _UNITS[1:]
    parts = []
    for size, names in units:
        number, seconds = divmod(seconds, size)
        if number:
            parts.append(f"{number} {in_language(names, language)}")
    return " ".join(parts) or f"0 {in_language(_UNITS[-1][1], language)}"


def _choice_title(field: Field, key: str, language: str) -> str:
    return in_language(field.choices[key], language) if key in field.choices else key


def _comma(language: str) -> str:
    return "、" if language.startswith("zh") else ", "


_RUN_AS_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def defused(cell: str) -> str:
    """A cell of a CSV file that no spreadsheet program runs as a formula."""
    return f"'{cell}" if cell.startswith(_RUN_AS_FORMULA) else cell


def as_written(cell: str) -> str:
    """The cell that `defused` made safe, as it was; any other cell as it stands."""
    return cell[1:] if cell.startswith("'") and cell[1:].startswith(_RUN_AS_FORMULA) else cell
