"""What rights the people have whose data a breach concerns: short sentences by regime, shipped. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Annotated

from pydantic import Field, TypeAdapter

from incident.law.data import Strict, plain_data
from incident.law.grading import Confidence, Text


class Rights(Strict):
    """`says`: for the reader of a notice, printed as it stands. `articles`: where the rights stand."""

    says: Text
    articles: Annotated[str, Field(min_length=1)]
    confidence: Confidence


@cache
def rights_catalogue() -> Mapping[str, Rights]:
    """The rights by the id of the regime that asks for the notice, in the order in which a notice tells them."""
    text = files("incident.law").joinpath("rights.yaml").read_text("utf-8")
    return MappingProxyType(
        TypeAdapter(dict[str, Rights]).validate_python(plain_data(text, name="rights.yaml"))
    )
