"""Grades of an incident: an interval from the lowest that is certain to the highest that is still possible.

A scale is data (`grades/*.yaml`): criteria, each with a condition for some of the grades. The grade is the
highest that any criterion reaches. Where facts are unknown or straddle a bound, the two ends differ.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator, Field, PlainValidator, model_validator

from incident.errors import BadInput
from incident.law.conditions import Condition, evaluate_condition, fields_of, parse_condition
from incident.law.data import Strict, both_languages, checked, read_file
from incident.law.reasons import NOTHING, Answer, Reason, union, with_answer
from incident.record.facts import FactSheet, FrozenText, field_catalogue
from incident.setting_values import OrganisationKind

SHIPPED = Path(__file__).with_name("grades")

Text = Annotated[FrozenText, PlainValidator(both_languages)]
CountryCode = Annotated[str, Field(pattern=r"^[A-Z]{2}$")]
AnyCondition = Annotated[Condition, PlainValidator(parse_condition)]


class Confidence(StrEnum):
    """How well a rule's wording was checked: in the text itself, in a digest, or from memory."""

    verified = "verified"
    secondary = "secondary"
    memory = "memory"


class Kind(StrEnum):
    quantitative = "quantitative"
    qualitative = "qualitative"


class Criterion(Strict):
    """One row of a grading guide.

    `unless`: the row falls away where this is certain, not where it is open. `ruled_out`, by grade: where the row
    cannot tell and this is certain, it does not reach the grade (a part of a whole that is itself too small).
    `confidence`: how well this row was checked, where that differs from the scale.
    """

    id: str
    kind: Kind
    row: str
    title: Text
    confidence: Confidence | None = None
    unless: AnyCondition | None = None
    grades: dict[str, AnyCondition]
    ruled_out: dict[str, AnyCondition] = Field(default_factory=dict)


class Scale(Strict):
    """A grading guide. `grades` from the lowest to the highest; the lowest holds where no criterion is met.

    `countries`, `organisations`: where it is in use, and for which kinds of organisation; one that names no kinds is in
    use for all.
    """

    id: str
    countries: Annotated[tuple[CountryCode, ...], Field(min_length=1)]
    organisations: tuple[OrganisationKind, ...] = ()
    title: Text
    grades: Annotated[dict[str, Text], BeforeValidator(dict)]
    source: str
    article: str
    confidence: Confidence
    criteria: tuple[Criterion, ...]

    @model_validator(mode="after")
    def _criteria_name_known_grades(self) -> Scale:
        for criterion in self.criteria:
            if strange := [grade for grade in criterion.grades if grade not in self.grades]:
                raise ValueError(f"{criterion.id} names {', '.join(strange)}, which is no grade of {self.id}")
            if strange := [grade for grade in criterion.ruled_out if grade not in criterion.grades]:
                raise ValueError(f"{criterion.id} rules out {', '.join(strange)}, which it does not reach")
        return self

    def is_in_scope(self, countries: Collection[str], organisations: Collection[str]) -> bool:
        """Whether it is in use in one of the countries and, where it is for some kinds only, for one of these."""
        in_play = {country.upper() for country in countries}
        return not in_play.isdisjoint(self.countries) and (
            not self.organisations or not frozenset(organisations).isdisjoint(self.organisations)
        )

    def rank(self, grade: str) -> int:
        return list(self.grades).index(grade)


@dataclass(frozen=True)
class CriterionResult:
    """What one row gives. `answers` are the reasons by grade, for the grades the row has."""

    id: str
    kind: Kind
    row: str
    title: FrozenText
    confidence: Confidence
    lowest: str
    highest: str
    answers: Mapping[str, Reason]


_NONE_MET = FrozenText({"zh-Hans": "各项定量标准均未达到", "en": "No quantitative criterion is met"})
_NONE_MET_YET = FrozenText(
    {
        "zh-Hans": "目前尚不能确定达到任何一项定量标准（待查明：{listed}）",
        "en": "No quantitative criterion is met so far (open: {listed})",
    }
)
_ASK = FrozenText({"zh-Hans": "请回答定性问题：{listed}", "en": "answer the qualitative questions: {listed}"})


@dataclass(frozen=True)
class GradeResult:
    """The grade of an incident on one scale, between `lowest` (certain) and `highest` (still possible)."""

    scale: Scale
    lowest: str
    highest: str
    criteria: tuple[CriterionResult, ...]

    @property
    def is_settled(self) -> bool:
        return self.lowest == self.highest

    @property
    def decides(self) -> frozenset[str]:
        """The facts that, once known, settle the grade."""
        floor = self.scale.rank(self.lowest)
        return union(
            reason.decides
            for row in self.criteria
            for key, reason in row.answers.items()
            if self.scale.rank(key) > floor
        )

    @property
    def quantitative_met(self) -> bool:
        """Whether any counting criterion certainly reaches more than the lowest grade of the scale."""
        return any(row.kind is Kind.quantitative and self.scale.rank(row.lowest) > 0 for row in self.criteria)

    @property
    def open_quantitative(self) -> frozenset[str]:
        return self._open(Kind.quantitative)

    @property
    def open_qualitative(self) -> frozenset[str]:
        return self._open(Kind.qualitative)

    def advice(self) -> FrozenText | None:
        """What to ask next where no count reaches a grade: below the numbers is not yet the lowest grade."""
        if self.quantitative_met or self.is_settled:
            return None
        rows = [row.title for row in self.criteria if row.kind is Kind.quantitative and _is_open(row)]
        head = _listing(_NONE_MET_YET if rows else _NONE_MET, rows)
        if not self.open_qualitative:
            return FrozenText({"zh-Hans": f"{head['zh-Hans']}。", "en": f"{head['en']}."})
        ask = _listing(
            _ASK, [known.title for known in field_catalogue().values() if known.name in self.open_qualitative]
        )
        return FrozenText(
            {"zh-Hans": f"{head['zh-Hans']}。{ask['zh-Hans']}。", "en": f"{head['en']}; {ask['en']}."}
        )

    def at_least(self, grade: str) -> Reason:
        """Whether the grade is `grade` or higher, with the rows that decide it."""
        rank = self.scale.rank(grade)
        if self.scale.rank(self.lowest) >= rank:
            answer = Answer.met
        elif self.scale.rank(self.highest) < rank:
            answer = Answer.not_met
        else:
            answer = Answer.cannot_tell
        parts = [
            _row_reason(row, answers)
            for row in self.criteria
            if (answers := [reason for key, reason in row.answers.items() if self.scale.rank(key) >= rank])
        ]
        bearing = tuple(part for part in parts if part.answer is answer)
        return Reason(
            answer=answer,
            text=with_answer(self._line(grade), answer),
            decides=union(part.decides for part in bearing),
            rests_on=union(part.rests_on for part in bearing),
            parts=bearing,
        )

    def _open(self, kind: Kind) -> frozenset[str]:
        return union(
            reason.decides for row in self.criteria if row.kind is kind for reason in row.answers.values()
        )

    def _line(self, grade: str) -> dict[str, str]:
        texts = {}
        for language, pattern in (
            ("zh-Hans", "{title}：{shown}，标准：{wanted}以上"),
            ("en", "{title} {shown} against at least {wanted}"),
        ):
            low, high = self.scale.grades[self.lowest][language], self.scale.grades[self.highest][language]
            shown = (
                low if self.is_settled else f"{low}至{high}" if language == "zh-Hans" else f"{low} to {high}"
            )
            texts[language] = pattern.format(
                title=self.scale.title[language], shown=shown, wanted=self.scale.grades[grade][language]
            )
        return texts


def grade(scale: Scale, sheet: FactSheet) -> GradeResult:
    """The grade on `scale` that the facts allow, as an interval. Pure."""
    rows = tuple(_criterion(scale, criterion, sheet) for criterion in scale.criteria)
    return GradeResult(
        scale=scale,
        lowest=max((row.lowest for row in rows), key=scale.rank, default=next(iter(scale.grades))),
        highest=max((row.highest for row in rows), key=scale.rank, default=next(iter(scale.grades))),
        criteria=rows,
    )


class _Shelf(Mapping[str, Scale]):
    """The scales in a folder by id, which is the name of the file; each is read when it is first asked for."""

    def __init__(self, folder: Path) -> None:
        self._files = {path.stem: path for path in sorted(folder.glob("*.yaml"))}
        self._read: dict[str, Scale] = {}

    def __getitem__(self, key: str) -> Scale:
        if key not in self._read:
            self._read[key] = _read_scale(self._files[key])
        return self._read[key]

    def __contains__(self, key: object) -> bool:
        return key in self._files

    def __iter__(self) -> Iterator[str]:
        return iter(self._files)

    def __len__(self) -> int:
        return len(self._files)


class GradesOf(Mapping[str, GradeResult]):
    """The grades of one record by scale, each worked out when a rule first asks for it."""

    def __init__(self, scales: Mapping[str, Scale], sheet: FactSheet) -> None:
        self._scales = scales
        self._sheet = sheet
        self._graded: dict[str, GradeResult] = {}

    def __getitem__(self, key: str) -> GradeResult:
        if key not in self._graded:
            self._graded[key] = grade(self._scales[key], self._sheet)
        return self._graded[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._scales)

    def __len__(self) -> int:
        return len(self._scales)


@cache
def shipped_scales() -> Mapping[str, Scale]:
    """The scales that come with the product, by id, each read on first use."""
    return _Shelf(SHIPPED)


def scales_in_scope(countries: Collection[str], organisations: Collection[str]) -> tuple[Scale, ...]:
    """The shipped scales in use in these countries for these kinds of organisation, in the order of their ids."""
    return tuple(scale for scale in shipped_scales().values() if scale.is_in_scope(countries, organisations))


def _read_scale(path: Path) -> Scale:
    scale = checked(Scale, read_file(path), name=str(path))
    if scale.id != path.stem:
        raise BadInput(
            f"the file is called {path.name}, but its id is {scale.id}",
            where=str(path),
            next_step="give the file the name of its id",
        )
    return scale


def fields_of_scale(scale: Scale) -> frozenset[str]:
    """Every fact that the scale reads."""
    return NOTHING.union(*(fields_of(condition) for condition in conditions_of_scale(scale)))


def conditions_of_scale(scale: Scale) -> Iterator[Condition]:
    """Every condition of the scale, row by row."""
    for row in scale.criteria:
        if row.unless is not None:
            yield row.unless
        yield from row.grades.values()
        yield from row.ruled_out.values()


def _criterion(scale: Scale, criterion: Criterion, sheet: FactSheet) -> CriterionResult:
    answers = {key: evaluate_condition(one, sheet) for key, one in criterion.grades.items()}
    if criterion.unless is not None:
        exempt = evaluate_condition(criterion.unless, sheet)
        if exempt.answer is Answer.met:
            answers = {key: _fallen_away(exempt) for key in answers}
    for key, condition in criterion.ruled_out.items():
        if answers[key].answer is Answer.cannot_tell:
            ruled_out = evaluate_condition(condition, sheet)
            if ruled_out.answer is Answer.met:
                answers[key] = _out_of_reach(ruled_out)
    base = next(iter(scale.grades))
    met = [key for key, reason in answers.items() if reason.answer is Answer.met]
    possible = [key for key, reason in answers.items() if reason.answer is not Answer.not_met]
    return CriterionResult(
        id=criterion.id,
        kind=criterion.kind,
        row=criterion.row,
        title=criterion.title,
        confidence=criterion.confidence or scale.confidence,
        lowest=max(met, key=scale.rank, default=base),
        highest=max(possible, key=scale.rank, default=base),
        answers=answers,
    )


def _fallen_away(exempt: Reason) -> Reason:
    text = FrozenText({"zh-Hans": "本项不适用", "en": "this row does not apply"})
    return Reason(
        Answer.not_met, with_answer(text, Answer.not_met), rests_on=exempt.rests_on, parts=(exempt,)
    )


def _out_of_reach(ruled_out: Reason) -> Reason:
    text = FrozenText({"zh-Hans": "总数不足，不可能达到", "en": "out of reach, as the whole is too small"})
    return Reason(
        Answer.not_met, with_answer(text, Answer.not_met), rests_on=ruled_out.rests_on, parts=(ruled_out,)
    )


def _row_reason(row: CriterionResult, answers: list[Reason]) -> Reason:
    """One row against a grade or any higher: the most telling of its conditions, under the row's title."""
    for wanted in (Answer.met, Answer.cannot_tell, Answer.not_met):
        bearing = [reason for reason in answers if reason.answer is wanted]
        if bearing:
            return Reason(
                answer=wanted,
                text=with_answer(row.title, wanted),
                decides=union(reason.decides for reason in bearing),
                rests_on=union(reason.rests_on for reason in bearing),
                parts=(bearing[-1],),
            )
    raise ValueError(f"row {row.id} has no conditions")


def _is_open(row: CriterionResult) -> bool:
    return any(reason.answer is Answer.cannot_tell for reason in row.answers.values())


def _listing(pattern: FrozenText, titles: list[FrozenText]) -> FrozenText:
    return FrozenText(
        {
            "zh-Hans": pattern["zh-Hans"].format(listed="；".join(title["zh-Hans"] for title in titles)),
            "en": pattern["en"].format(listed="; ".join(title["en"] for title in titles)),
        }
    )
