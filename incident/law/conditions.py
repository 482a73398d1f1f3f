"""Conditions over facts, three-valued over intervals.

A condition is data: a comparison of one field, a grade, or all / any / not of conditions. An unknown fact or
a range that straddles a bound gives "cannot tell yet", never a guess. Written in YAML as

    {field: persons, at_least: 1000000}        also at_most, more_than, less_than; "at least" holds the number
    {field: threat_level, at_least: serious}   for choices that are ordered in the list of facts
    {field: cii_involved, is: true}            yes/no facts and choices
    {field: personal_data_breach, in: [actual], open: [possible]}   `open`: known, but it leaves this undecided
    {field: breach_effects, contains_any: [confidentiality]}        lists
    {grade: cn-cac, at_least: relatively_serious}
    {all: [...]}, {any: [...]}, {not: {...}}, {at_least: 2, of: [...]}
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC
from functools import lru_cache
from typing import Any, Protocol

from incident.errors import BadInput
from incident.law.reasons import NOTHING, Answer, Reason, all_of, any_of, at_least_of, negated, with_answer
from incident.record.facts import (
    QUANTITIES,
    FactSheet,
    Field,
    FieldType,
    FrozenText,
    Interval,
    Number,
    Value,
    field_catalogue,
    in_language,
    nearest_names,
    parse_value,
    show_number,
    show_value,
)


class Graded(Protocol):
    """What a condition needs of a grade that was worked out."""

    def at_least(self, grade: str) -> Reason: ...


Grades = Mapping[str, Graded]


@dataclass(frozen=True)
class Bound:
    """A quantity or an ordered choice against a bound. `operator`: at_least, at_most, more_than, less_than."""

    field: str
    operator: str
    bound: Number | str


@dataclass(frozen=True)
class OneOf:
    """A yes/no fact or a choice that is one of `values`; a value in `open` leaves it undecided."""

    field: str
    values: tuple[bool | str, ...]
    open: tuple[str, ...] = ()


@dataclass(frozen=True)
class Contains:
    """A list that holds at least one of `values`."""

    field: str
    values: tuple[str, ...]


@dataclass(frozen=True)
class GradeAtLeast:
    scale: str
    grade: str


@dataclass(frozen=True)
class Combined:
    """`how` is all, any, or at_least: then at least `count` of the parts must be met."""

    how: str
    parts: tuple[Condition, ...]
    count: int = 0


@dataclass(frozen=True)
class Negated:
    part: Condition


Condition = Bound | OneOf | Contains | GradeAtLeast | Combined | Negated

_BOUNDS = ("at_least", "at_most", "more_than", "less_than")
_ALL = FrozenText({"zh-Hans": "以下各项均符合", "en": "all of these"})
_ANY = FrozenText({"zh-Hans": "以下任一项符合", "en": "any of these"})
_NOT = FrozenText({"zh-Hans": "下项不成立", "en": "not this"})


def evaluate_condition(condition: Condition, sheet: FactSheet, grades: Grades | None = None) -> Reason:
    """The answer with its reasons. A grade that is not in `grades` is a `KeyError`: the caller's mistake."""
    if isinstance(condition, Combined):
        parts = [evaluate_condition(part, sheet, grades) for part in condition.parts]
        if condition.how == "at_least":
            return at_least_of(condition.count, parts, _at_least(condition.count))
        return all_of(parts, _ALL) if condition.how == "all" else any_of(parts, _ANY)
    if isinstance(condition, Negated):
        return negated(evaluate_condition(condition.part, sheet, grades), _NOT)
    if isinstance(condition, GradeAtLeast):
        return (grades or {})[condition.scale].at_least(condition.grade)
    value = sheet.get(condition.field)
    answer = Answer.cannot_tell if value is None else _compare(condition, value)
    return Reason(
        answer=answer,
        text=_line(condition, value, answer),
        decides=frozenset({condition.field}) if answer is Answer.cannot_tell else NOTHING,
        rests_on=NOTHING if answer is Answer.cannot_tell else frozenset({condition.field}),
    )


def fields_of(condition: Condition) -> frozenset[str]:
    """Every field that the condition reads itself (not those behind a grade)."""
    return frozenset(comparison.field for comparison in comparisons_of(condition))


def comparisons_of(condition: Condition) -> Iterator[Bound | OneOf | Contains]:
    """Every comparison in the condition (not those behind a grade), in the order in which they are written."""
    if isinstance(condition, Combined):
        for part in condition.parts:
            yield from comparisons_of(part)
    elif isinstance(condition, Negated):
        yield from comparisons_of(condition.part)
    elif not isinstance(condition, GradeAtLeast):
        yield condition


def scales_of(condition: Condition) -> frozenset[tuple[str, str]]:
    """Every (scale, grade) that the condition asks for."""
    if isinstance(condition, Combined):
        return frozenset[tuple[str, str]]().union(*(scales_of(part) for part in condition.parts))
    if isinstance(condition, Negated):
        return scales_of(condition.part)
    return frozenset({(condition.scale, condition.grade)} if isinstance(condition, GradeAtLeast) else ())


def parse_condition(data: Any) -> Condition:
    """A condition from its YAML form. `ValueError` says what is wrong and what could stand there."""
    if isinstance(data, Bound | OneOf | Contains | GradeAtLeast | Combined | Negated):
        return data
    if not isinstance(data, Mapping):
        raise ValueError(f"“{data}” is no condition; write for example {{field: persons, at_least: 1000}}")
    for how in ("all", "any"):
        if how in data:
            return _combined(how, data)
    if "of" in data:
        return _at_least_of(data)
    if "not" in data:
        _only(data, {"not"})
        return Negated(parse_condition(data["not"]))
    if "grade" in data:
        _only(data, {"grade", "at_least"})
        return GradeAtLeast(str(data["grade"]), str(data.get("at_least", "")))
    if "field" not in data:
        raise ValueError("a condition names a field, a grade, or all, any or not")
    return _comparison(data)


def _combined(how: str, data: Mapping[str, Any]) -> Condition:
    _only(data, {how})
    if not isinstance(data[how], list) or not data[how]:
        raise ValueError(f"“{how}” needs a list of conditions that is not empty")
    return Combined(how, tuple(parse_condition(part) for part in data[how]))


def _at_least_of(data: Mapping[str, Any]) -> Condition:
    _only(data, {"at_least", "of"})
    parts, count = data["of"], data.get("at_least")
    if not isinstance(parts, list) or isinstance(count, bool) or not isinstance(count, int):
        raise ValueError("write {at_least: 2, of: [...]} with a list of conditions")
    if not 0 < count <= len(parts):
        raise ValueError(f"at least {count} of {len(parts)} conditions can never be asked")
    return Combined("at_least", tuple(parse_condition(part) for part in parts), count)


def _at_least(count: int) -> FrozenText:
    return FrozenText({"zh-Hans": f"以下至少 {count} 项符合", "en": f"at least {count} of these"})


def _comparison(data: Mapping[str, Any]) -> Condition:
    field = field_catalogue().get(str(data["field"]))
    if field is None:
        raise ValueError(f"there is no fact called “{data['field']}”; {nearest_names(str(data['field']))}")
    operators = [key for key in data if key not in ("field", "open")]
    if len(operators) != 1:
        raise ValueError(f"the condition on {field.name} needs exactly one comparison")
    operator = operators[0]
    _only(data, {"field", operator} | ({"open"} if operator in ("is", "in") else set()))
    if operator in _BOUNDS:
        return Bound(field.name, operator, _bound(field, data[operator]))
    if operator in ("is", "in"):
        values = data[operator] if operator == "in" else [data[operator]]
        return _one_of(field, values, data.get("open", []))
    if operator == "contains_any" and field.type in (FieldType.choices, FieldType.texts):
        return Contains(field.name, tuple(_choice(field, word) for word in _as_list(data[operator])))
    raise ValueError(f"“{operator}” cannot be asked of {field.name}, which is of type {field.type}")


def _one_of(field: Field, values: Any, undecided: Any) -> OneOf:
    if field.type is FieldType.bool:
        if not all(isinstance(value, bool) for value in _as_list(values)) or undecided:
            raise ValueError(f"{field.name} is a yes/no fact; write is: true or is: false")
        return OneOf(field.name, tuple(_as_list(values)))
    if field.type is not FieldType.choice:
        raise ValueError(f"“is” and “in” cannot be asked of {field.name}, which is of type {field.type}")
    chosen = tuple(_choice(field, word) for word in _as_list(values))
    return OneOf(field.name, chosen, tuple(_choice(field, word) for word in _as_list(undecided)))


def _bound(field: Field, raw: Any) -> Number | str:
    if field.type in QUANTITIES:
        try:
            value = parse_value(field, raw, zone=UTC)
        except BadInput as error:
            raise ValueError(f"the bound on {field.name}: {error.what}") from None
        if isinstance(value, Interval) and value.is_exact:
            return value.min
        raise ValueError(f"the bound on {field.name} must be one number, not “{raw}”")
    if field.ordered:
        return _choice(field, raw)
    raise ValueError(f"{field.name} has no order, so it cannot be held against a bound")


def _choice(field: Field, word: Any) -> str:
    if field.choices and word not in field.choices:
        raise ValueError(f"“{word}” is no choice of {field.name}: {', '.join(field.choices)}")
    return str(word)


def _as_list(data: Any) -> list[Any]:
    if not isinstance(data, list):
        raise ValueError(f"“{data}” must be a list, for example [{data}]")
    return data


def _only(data: Mapping[str, Any], allowed: set[str]) -> None:
    if strange := [str(key) for key in data if key not in allowed]:
        raise ValueError(f"{', '.join(strange)} does not belong beside {', '.join(sorted(allowed))}")


def _compare(condition: Bound | OneOf | Contains, value: Value) -> Answer:
    if isinstance(condition, Contains):
        held = value if isinstance(value, tuple) else (value,)
        return _told(any(wanted in held for wanted in condition.values))
    if isinstance(condition, OneOf):
        if value in condition.open:
            return Answer.cannot_tell
        return _told(value in condition.values)
    if isinstance(value, Interval) and not isinstance(condition.bound, str):
        return _against(value.min, value.max, condition.operator, condition.bound)
    if isinstance(value, str) and isinstance(condition.bound, str):
        field = field_catalogue()[condition.field]
        rank = field.rank(value)
        return _against(rank, rank, condition.operator, field.rank(condition.bound))
    raise TypeError(f"the value of {condition.field} does not fit its type")


def _against(low: Number, high: Number | None, operator: str, bound: Number) -> Answer:
    if operator in ("at_most", "less_than"):
        opposite = _against(low, high, "more_than" if operator == "at_most" else "at_least", bound)
        return {Answer.met: Answer.not_met, Answer.not_met: Answer.met}.get(opposite, opposite)
    if low > bound or (low == bound and operator == "at_least"):
        return Answer.met
    if high is not None and (high < bound or (high == bound and operator == "more_than")):
        return Answer.not_met
    return Answer.cannot_tell


def _told(yes: bool) -> Answer:
    return Answer.met if yes else Answer.not_met


_OPERATORS = {
    "at_least": ("至少 {}", "at least {}"),
    "at_most": ("至多 {}", "at most {}"),
    "more_than": ("超过 {}", "more than {}"),
    "less_than": ("不足 {}", "less than {}"),
}


# "What if" evaluates the same comparisons many times over; making their lines took most of it.
@lru_cache(maxsize=4096)
def _line(condition: Bound | OneOf | Contains, value: Value | None, answer: Answer) -> FrozenText:
    field = field_catalogue()[condition.field]
    texts = {}
    for place, language in enumerate(("zh-Hans", "en")):
        shown = show_value(field, value, language=language, zone=UTC)
        wanted = _wanted(condition, field, place, language)
        title = in_language(field.title, language)
        texts[language] = (
            f"{title} {shown}，标准：{wanted}" if place == 0 else f"{title} {shown} against {wanted}"
        )
    return with_answer(texts, answer)


def _wanted(condition: Bound | OneOf | Contains, field: Field, place: int, language: str) -> str:
    if isinstance(condition, Bound):
        if isinstance(condition.bound, str):
            bound = in_language(field.choices[condition.bound], language)
        else:
            bound = show_number(field, condition.bound, language=language)
        pattern = _OPERATORS[condition.operator][place]
        if isinstance(condition.bound, str):
            return pattern.format(f"“{bound}”").replace(" “", "“" if place == 0 else " “")
        return pattern.format(bound)
    joiner = ("或者", " or ")[place]
    return joiner.join(show_value(field, value, language=language, zone=UTC) for value in condition.values)
