"""ENISA's severity method of 2013 as data: its factors with their scores, its bands, and what stands beside the score."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator, Field, PlainValidator, model_validator

from incident.law.categories import EnisaType
from incident.law.data import Strict, both_languages, checked, read_file
from incident.law.grading import AnyCondition, Confidence, Text
from incident.record.facts import FrozenText, field_catalogue

NOT_INVOLVED = "not_involved"
SHIPPED_METHOD = Path(__file__).with_name("severity.yaml")

Scores = Annotated[dict[str, Decimal], BeforeValidator(dict)]
Examples = Annotated[dict[str, Annotated[FrozenText, PlainValidator(both_languages)]], BeforeValidator(dict)]


class Circumstance(StrEnum):
    """What a breach did to the data; named as in `breach_effects`."""

    confidentiality = "confidentiality"
    integrity = "integrity"
    availability = "availability"


class EdpbSeverity(StrEnum):
    """Field 87 of the EDPB's template for notifications: severity of the potential impacts."""

    minor = "minor"
    moderate = "moderate"
    severe = "severe"
    to_be_determined = "to_be_determined"

    @property
    def letter(self) -> str:
        """The letter of the option in the template: a to d."""
        return "abcd"[list(EdpbSeverity).index(self)]


class Rated(Strict):
    """A factor whose fact has a score for each of its choices."""

    field: str
    scores: Scores
    confidence: Confidence
    examples: Examples = Field(default_factory=dict)

    @model_validator(mode="after")
    def _every_choice_has_a_score(self) -> Rated:
        choices = [key for key in field_catalogue()[self.field].choices if key != NOT_INVOLVED]
        if choices != list(self.scores):
            raise ValueError(f"{self.field} needs a score for each of {', '.join(choices)}, in this order")
        if sorted(self.scores.values()) != list(self.scores.values()):
            raise ValueError(f"the scores of {self.field} must rise with its choices")
        return self

    @property
    def least(self) -> Decimal:
        return min(self.scores.values())

    @property
    def most(self) -> Decimal:
        return max(self.scores.values())


class RatedType(Rated):
    """A data type. `base`: the score where nothing is known that raises or lowers it."""

    base: Decimal

    @model_validator(mode="after")
    def _scores_lie_within_the_method(self) -> RatedType:
        if self.scores.get("basic") != self.base or not 1 <= self.least <= self.most <= 4:
            raise ValueError(f"{self.field}: scores lie between 1 and 4, and basic has the base score")
        return self


class Named(Rated):
    title: Text


class Context(Strict):
    title: Text
    types: dict[EnisaType, RatedType]


class Malice(Strict):
    title: Text
    field: str
    confidence: Confidence
    score: Decimal


class Band(Strict):
    """A level of severity, from its lowest score on, with what it means for the people concerned."""

    since: Decimal = Field(alias="from")
    title: Text
    effect: Text
    edpb: EdpbSeverity
    confidence: Confidence


class FlagRule(Strict):
    id: str
    title: Text
    condition: AnyCondition = Field(alias="if")
    confidence: Confidence


class SeverityMethod(Strict):
    """The method as data. `bands` from the lowest to the highest."""

    id: str
    title: Text
    source: str
    article: str
    confidence: Confidence
    context: Context
    identification: Named
    circumstances: dict[Circumstance, Named]
    malice: Malice
    bands: Annotated[dict[str, Band], BeforeValidator(dict)]
    flags: tuple[FlagRule, ...]
    statement: Text
    not_scored: Text

    @model_validator(mode="after")
    def _is_whole(self) -> SeverityMethod:
        if set(self.context.types) != set(EnisaType) or set(self.circumstances) != set(Circumstance):
            raise ValueError("every data type and every circumstance needs its scores")
        starts = [band.since for band in self.bands.values()]
        if not starts or starts[0] != 0 or sorted(set(starts)) != starts:
            raise ValueError("the bands begin at 0 and rise")
        return self

    def band_of(self, score: Decimal) -> str:
        """The band of one score; a band's lower bound belongs to it."""
        return [key for key, band in self.bands.items() if score >= band.since][-1]


@cache
def severity_method() -> SeverityMethod:
    """ENISA's method as shipped, read on first use."""
    return checked(SeverityMethod, read_file(SHIPPED_METHOD), name=str(SHIPPED_METHOD))
