from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incident.notice.figures import Figure, FigureKind, figures


def days(text: str) -> list[tuple[int | None, int | None, int | None]]:
    return [each.day for each in figures(text) if each.kind is FigureKind.DAY]


def numbers(text: str) -> list[Decimal]:
    return [each.number for each in figures(text) if each.kind is FigureKind.NUMBER]


def clocks(text: str) -> list[tuple[int, int]]:
    return [each.clock for each in figures(text) if each.kind is FigureKind.CLOCK]


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("事件开始于2026年11月19日。", (2026, 11, 19)),
        ("11月19日发现", (None, 11, 19)),
        ("11月19号发现", (None, 11, 19)),
        ("截至2026年11月", (2026, 11, None)),
        ("2026年发生的", (2026, None, None)),
        ("22日停止", (None, None, 22)),
        ("on 19 November 2026.", (2026, 11, 19)),
        ("on the 19th of November, 2026", (2026, 11, 19)),
        ("on November 19, 2026,", (2026, 11, 19)),
        ("on Nov 19", (None, 11, 19)),
        ("in Sept. 2026", (2026, 9, None)),
        ("since 2026-11-19", (2026, 11, 19)),
        ("since 2026/3/4", (2026, 3, 4)),
        ("２０２６年１１月１９日", (2026, 11, 19)),
    ],
)
def test_days_are_read_as_people_write_them(
    text: str, day: tuple[int | None, int | None, int | None]
) -> None:
    assert days(text) == [day]
    assert numbers(text) == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("12,000 people", [12000]),
        ("共涉及3117人", [3117]),
        ("约12万人", [120000]),
        ("1.5亿条", [150000000]),
        ("2 million records", [2000000]),
        ("3.5 per cent", [Decimal("3.5")]),
        ("5G用户和4G用户", []),
        ("code G4 and B2B", []),
        ("一共三千人", []),
        ("12, 13 and 14", [12, 13, 14]),
    ],
)
def test_numbers_are_read_with_their_unit_and_names_hold_none(text: str, found: list[int]) -> None:
    assert numbers(text) == [Decimal(each) for each in found]


@pytest.mark.parametrize(
    ("text", "clock"),
    [("at 23:40", (23, 40)), ("23时40分", (23, 40)), ("晚上8点", (8, 0)), ("11:40 pm", (23, 40)), ("12:05 a.m", (0, 5))],
)  # fmt: skip
def test_times_of_day_are_no_numbers(text: str, clock: tuple[int, int]) -> None:
    assert clocks(text) == [clock]
    assert numbers(text) == []


def test_what_says_less_agrees_with_what_says_more_but_not_the_other_way() -> None:
    whole, short = (
        Figure(FigureKind.DAY, "", day=(2026, 11, 19)),
        Figure(FigureKind.DAY, "", day=(None, 11, 19)),
    )
    assert short.agrees(whole) and not whole.agrees(short)
    assert not short.agrees(Figure(FigureKind.NUMBER, "", number=Decimal(19)))


@given(st.dates(min_value=date(1990, 1, 1), max_value=date(2099, 12, 31)), st.integers(0, 10**12))
def test_each_day_and_number_that_a_notice_shows_is_read_back(day: date, number: int) -> None:
    for text in (
        f"事件开始于{day.year}年{day.month}月{day.day}日，共涉及{number:,}人。",
        f"It began on {day.day} {day:%B} {day.year} and concerns {number:,} people.",
    ):
        assert days(text) == [(day.year, day.month, day.day)]
        assert numbers(text) == [Decimal(number)]


@given(st.text())
def test_no_text_is_too_strange_to_be_read(text: str) -> None:
    assert all(each.text for each in figures(text))
