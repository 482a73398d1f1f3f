"""Kinds of personal data: their names, whether a country's law calls them sensitive, and what to tell people."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from enum import StrEnum
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Annotated

from pydantic import BeforeValidator, Field, TypeAdapter

from incident.errors import BadInput
from incident.law.data import Strict, plain_data
from incident.law.grading import Confidence, Text
from incident.record.facts import FactSheet


class IsSensitive(StrEnum):
    """`review`: the label is a judgement that a person has to make and record."""

    yes = "yes"
    no = "no"
    review = "review"


class Sensitivity(Strict):
    answer: IsSensitive = Field(alias="is")
    basis: str
    confidence: Confidence


class Category(Strict):
    """One kind of data. `harm` and `advice` address the reader of a notice and are printed as they stand."""

    title: Text
    sensitive: Annotated[dict[str, Sensitivity], BeforeValidator(dict)]
    harm: Text
    advice: Text

    def sensitive_in(self, country: str) -> IsSensitive:
        """Whether the country's law calls it sensitive; where the data says nothing, a person has to judge."""
        known = self.sensitive.get(country)
        return known.answer if known else IsSensitive.review


@cache
def category_catalogue() -> Mapping[str, Category]:
    """All kinds of data by key, in the order in which a notice lists them."""
    text = files("incident.law").joinpath("categories.yaml").read_text("utf-8")
    listed = TypeAdapter(dict[str, Category]).validate_python(plain_data(text, name="categories.yaml"))
    return MappingProxyType(listed)


def category_names() -> frozenset[str]:
    return frozenset(category_catalogue())


def check_categories(sheet: FactSheet) -> None:
    """`BadInput` for the first of `data_categories` that is not in the list, with the nearest keys."""
    named = sheet.get("data_categories")
    for key in named if isinstance(named, tuple) else ():
        if key not in category_catalogue():
            near = difflib.get_close_matches(key, category_catalogue(), n=3, cutoff=0.5)
            hint = (
                f"did you mean {' or '.join(near)}?"
                if near
                else f"kinds of data are {', '.join(category_catalogue())}"
            )
            raise BadInput(
                f"there is no kind of data called “{key}”", where="data_categories", next_step=hint
            )
