"""The answers that a question can have, as far as the rules tell them apart. Pure.

A yes/no fact and a choice have each of their values. A quantity has one answer for each band between the bounds that
rules and grading scales hold it against: within a band no rule can tell two numbers apart. A time has the moments
that are passed in.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

from incident.law.conditions import Bound, Contains, OneOf
from incident.record.facts import (
    QUANTITIES,
    Field,
    FieldType,
    FrozenText,
    Interval,
    Number,
    Value,
    in_language,
    show_number,
    show_value,
)

_LANGUAGES = ("zh-Hans", "en")
_SMALLEST = {FieldType.amount: Decimal("0.01"), FieldType.percent: Decimal("0.01")}
_MOST = {FieldType.percent: 100}
_ANYTHING_ELSE = "-"
_ANY = FrozenText({"zh-Hans": "任何一种回答", "en": "any answer"})


@dataclass(frozen=True)
class PossibleAnswer:
    """One answer. `value` stands for it; a band of numbers ends with `last` (None: it is open upwards)."""

    value: Value
    last: Number | None = None


def possible_answers(
    field: Field,
    known: Value | None,
    comparisons: Iterable[Bound | OneOf | Contains],
    times: Iterable[datetime],
) -> tuple[PossibleAnswer, ...]:
    """The answers in order: no number twice, and none that what is known already rules out.

    `comparisons`: those of the rules that read the field. `times`: the moments to try for a time.
    """
    mine = [each for each in comparisons if each.field == field.name]
    if field.type is FieldType.time:
        return tuple(PossibleAnswer(moment.astimezone(UTC)) for moment in sorted(set(times)))
    if field.type in QUANTITIES:
        bounds = [each for each in mine if isinstance(each, Bound)]
        return _bands(field, known if isinstance(known, Interval) else Interval(0), bounds)
    values: list[Value]
    if field.type is FieldType.bool:
        values = [True, False]
    elif field.type is FieldType.choice:
        values = list(field.choices)
    else:
        wanted = [value for each in mine if isinstance(each, Contains) for value in each.values]
        values = [(value,) for value in field.choices or dict.fromkeys((*wanted, _ANYTHING_ELSE))]
    return tuple(PossibleAnswer(value) for value in values if value != known)


def title_of(
    field: Field, chosen: Sequence[PossibleAnswer], everything: Sequence[PossibleAnswer]
) -> FrozenText:
    """Some of the answers in words: yes; “serious” or more; 1,000,000 to 9,999,999."""
    if len(chosen) == len(everything) > 1:
        return _ANY
    runs = _runs(chosen, everything, joined=field.ordered or field.type in QUANTITIES)
    return FrozenText(
        {
            language: (" 或 " if language == "zh-Hans" else " / ").join(
                _run_title(field, run, everything, language) for run in runs
            )
            for language in _LANGUAGES
        }
    )


def _bands(field: Field, known: Interval, bounds: Iterable[Bound]) -> tuple[PossibleAnswer, ...]:
    step: Number = _SMALLEST.get(field.type, 1)
    most = known.max if known.max is not None else _MOST.get(field.type)
    cuts = {bound for each in bounds if (bound := _first_above(each, step)) is not None}
    starts = [known.min, *sorted(cut for cut in cuts if known.min < cut and (most is None or cut <= most))]
    ends: list[Number | None] = [*(start - step for start in starts[1:]), most]
    return tuple(
        PossibleAnswer(Interval.exactly(start), end) for start, end in zip(starts, ends, strict=True)
    )


def _first_above(bound: Bound, step: Number) -> Number | None:
    """The smallest number on the upper side of a bound."""
    if isinstance(bound.bound, str):
        return None
    return bound.bound if bound.operator in ("at_least", "less_than") else bound.bound + step


def _runs(
    chosen: Sequence[PossibleAnswer], everything: Sequence[PossibleAnswer], *, joined: bool
) -> list[list[PossibleAnswer]]:
    runs: list[list[PossibleAnswer]] = []
    before = -2
    for place, answer in enumerate(everything):
        if answer not in chosen:
            continue
        if joined and place == before + 1:
            runs[-1].append(answer)
        else:
            runs.append([answer])
        before = place
    return runs


def _run_title(
    field: Field, run: Sequence[PossibleAnswer], everything: Sequence[PossibleAnswer], language: str
) -> str:
    first, last = run[0], run[-1]
    chinese = language == "zh-Hans"
    if isinstance(first.value, Interval):
        return _band_title(field, first.value.min, last.last, first is everything[0], language)
    if first.value == (_ANYTHING_ELSE,):
        return "其他" if chinese else "anything else"
    low = show_value(field, first.value, language=language, zone=UTC)
    if first is last:
        return low
    if last is everything[-1]:
        return f"{low}及以上" if chinese else f"{low} or more"
    high = in_language(field.choices[str(last.value)], language)
    return f"{low}至{high}" if chinese else f"{low} to {high}"


def _band_title(field: Field, low: Number, last: Number | None, is_first: bool, language: str) -> str:
    chinese = language == "zh-Hans"
    shown = show_number(field, low, language=language)
    if last is None:
        return (f"{shown} 以上" if shown[-1].isascii() else f"{shown}以上") if chinese else f"{shown} or more"
    if last == low:
        return shown
    if is_first and low == 0:
        above = show_number(field, last + _SMALLEST.get(field.type, 1), language=language)
        return f"不足 {above}" if chinese else f"less than {above}"
    high = show_number(field, last, language=language)
    return f"{shown} 至 {high}" if chinese else f"{shown} to {high}"
