"""Kinds of personal data: their names, whether a country's law calls them sensitive, what to tell people, and what help
to offer them."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from enum import StrEnum
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Annotated

from pydantic import BeforeValidator, Field, field_validator

from incident.errors import BadInput
from incident.law.data import Strict
from incident.law.entries import checked_entries
from incident.law.grading import Confidence, Text
from incident.law.remedies import RemedyKey
from incident.record.facts import FactSheet


class IsSensitive(StrEnum):
    """`review`: the label is a judgement that a person has to make and record."""

    yes = "yes"
    no = "no"
    review = "review"


class EnisaType(StrEnum):
    """The four types of data of ENISA's severity method (2013), from the least grave to the gravest."""

    simple = "simple"
    behavioural = "behavioural"
    financial = "financial"
    sensitive = "sensitive"


Words = Annotated[str, Field(min_length=1)]
Jurisdiction = Annotated[str, Field(pattern=r"^[A-Z]{2}(-[A-Z]{2})?$")]


EEA = frozenset(
    [
        "AT",
        "BE",
        "BG",
        "CY",
        "CZ",
        "DE",
        "DK",
        "EE",
        "ES",
        "FI",
        "FR",
        "GR",
        "HR",
        "HU",
        "IE",
        "IT",
        "LT",
        "LU",
        "LV",
        "MT",
        "NL",
        "PL",
        "PT",
        "RO",
        "SE",
        "SI",
        "SK",
        "IS",
        "LI",
        "NO",
    ]
)
"""Where the GDPR is the law: the 27 members of the European Union, and Iceland, Liechtenstein and Norway."""


class Sensitivity(Strict):
    """A country's label with its `basis` (article or standard): given by whoever wrote the file, never worked out."""

    answer: IsSensitive = Field(alias="is")
    basis: Words
    confidence: Confidence


class Category(Strict):
    """One kind of data. `harm` and `advice` address the reader of a notice and are printed as they stand.

    `remedies`: what can be offered, most useful first; a suggestion, never a promise. `edpb`: the letter in row 70 of
    the EDPB's template for a notification. `veris`: the variety of data in VERIS. `enisa` is None where the kind has
    no type of its own: what opens an account counts as what it opens.
    """

    title: Text
    sensitive: Annotated[dict[Jurisdiction, Sensitivity], BeforeValidator(dict)]
    harm: Text
    advice: Text
    remedies: tuple[RemedyKey, ...] = ()
    edpb: Annotated[str, Field(pattern=r"^[a-u]$")] | None = None
    veris: Words | None = None
    enisa: EnisaType | None = None

    @field_validator("sensitive")
    @classmethod
    def _china_and_europe_are_labelled(
        cls, labels: dict[Jurisdiction, Sensitivity]
    ) -> dict[Jurisdiction, Sensitivity]:
        if missing := [country for country in ("CN", "EU") if country not in labels]:
            raise ValueError(f"the label for {' and '.join(missing)} is missing")
        return labels

    def labels_in(self, countries: Iterable[str]) -> Mapping[str, Sensitivity]:
        """The labels given for these countries and their states; the members of the EU and of the EEA have the EU's."""
        named = {country.upper() for country in countries}
        named |= {"EU"} if named & EEA else set()
        return {
            place: label
            for place, label in self.sensitive.items()
            if place in named or place.partition("-")[0] in named
        }

    def sensitive_in(self, country: str) -> IsSensitive:
        """Whether the country's law calls it sensitive; where the data says nothing, a person has to judge."""
        known = self.sensitive.get("EU" if country in EEA else country)
        return known.answer if known else IsSensitive.review


@cache
def category_catalogue() -> Mapping[str, Category]:
    """All kinds of data by key, in the order in which a notice lists them."""
    text = files("incident.law").joinpath("categories.yaml").read_text("utf-8")
    return MappingProxyType(checked_entries(Category, text, name="categories.yaml"))


def category_names() -> frozenset[str]:
    return frozenset(category_catalogue())


KINDS_OF_DATA = ("data_categories", "data_not_taken")
"""The facts whose values are keys of this catalogue."""


def check_categories(sheet: FactSheet) -> None:
    """`BadInput` for the first kind of data in a fact that is not in the list, with the nearest keys."""
    named = [(field, key) for field in KINDS_OF_DATA for key in _listed(sheet.get(field))]
    for field, key in named:
        if key not in category_catalogue():
            near = difflib.get_close_matches(key, category_catalogue(), n=3, cutoff=0.5)
            hint = (
                f"did you mean {' or '.join(near)}?"
                if near
                else f"kinds of data are {', '.join(category_catalogue())}"
            )
            raise BadInput(f"there is no kind of data called “{key}”", where=field, next_step=hint)


def _listed(value: object) -> tuple[str, ...]:
    return value if isinstance(value, tuple) else ()
