"""How long laws want the record of a breach to be kept. Data: `record_keeping.yaml`."""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from functools import cache
from importlib.resources import files

from pydantic import Field, TypeAdapter, model_validator

from incident.law.clocks import months_after
from incident.law.data import Strict, plain_data
from incident.law.grading import Confidence, Text
from incident.law.regimes import Country, Words


class KeptFrom(StrEnum):
    """From when a period of keeping counts."""

    recorded = "recorded"
    determined = "determined"
    reported = "reported"


class RecordKeeping(Strict):
    """One law's rule. `months` None: the law wants a record and names no period."""

    id: Words
    country: Country
    title: Text
    article: Words
    months: int | None = Field(default=None, ge=1, le=1200)
    start: KeptFrom | None = Field(default=None, alias="from")
    confidence: Confidence

    @model_validator(mode="after")
    def _a_period_has_a_start(self) -> RecordKeeping:
        if (self.months is None) != (self.start is None):
            raise ValueError(f"{self.id}: months and from belong together")
        return self

    def until(self, begun: date) -> date | None:
        """The last day, counted from `begun`; None where the law names no period."""
        return months_after(begun, self.months) if self.months is not None else None


@cache
def record_keeping() -> tuple[RecordKeeping, ...]:
    """All rules, in the order of the file."""
    text = files("incident.law").joinpath("record_keeping.yaml").read_text("utf-8")
    return tuple(
        TypeAdapter(list[RecordKeeping]).validate_python(plain_data(text, name="record_keeping.yaml"))
    )


def kept_for(countries: frozenset[str]) -> tuple[RecordKeeping, ...]:
    """The rules of these countries (in capitals; a part of a country brings its country's)."""
    wanted = countries | {country.partition("-")[0] for country in countries}
    return tuple(rule for rule in record_keeping() if rule.country in wanted)
