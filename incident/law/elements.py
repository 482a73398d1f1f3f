"""The elements a notice to people is made of: a closed list, so that regimes and the gate use the same words."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from types import MappingProxyType

from pydantic import TypeAdapter

from incident.law.data import Strict, plain_data
from incident.law.grading import Text


class Element(Strict):
    """`asks`: what the element has to say, for the person who writes it."""

    title: Text
    asks: Text


@cache
def element_catalogue() -> Mapping[str, Element]:
    """All elements by name, in the order in which a notice tells them."""
    text = files("incident.law").joinpath("elements.yaml").read_text("utf-8")
    listed = TypeAdapter(dict[str, Element]).validate_python(plain_data(text, name="elements.yaml"))
    return MappingProxyType(listed)
