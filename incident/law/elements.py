"""The elements a notice to people is made of: a closed list, so that regimes and the gate use the same words."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Annotated

from pydantic import AfterValidator, Field

from incident.law.data import Strict
from incident.law.entries import checked_entries
from incident.law.grading import Text
from incident.record.facts import FieldType, field_catalogue


def _text_fact(name: str) -> str:
    field = field_catalogue().get(name)
    if field is None or field.type is not FieldType.text:
        raise ValueError(f"“{name}” is no fact that holds a text")
    return name


class Element(Strict):
    """`asks`: what the element has to say, for the person who writes it.

    `text`: the fact whose text a person writes for it, and a notice prints under `title` as it stands. Without one,
    the notice draws the element from what the record holds anyway. `open_in`: the regimes that let a notice go out before
    this is known, with their article; it then says so, and by when the reader hears more.
    """

    title: Text
    asks: Text
    text: Annotated[str, AfterValidator(_text_fact)] | None = None
    open_in: dict[str, str] = Field(default_factory=dict)


@cache
def element_catalogue() -> Mapping[str, Element]:
    """All elements by name, in the order in which a notice tells them."""
    text = files("incident.law").joinpath("elements.yaml").read_text("utf-8")
    return MappingProxyType(checked_entries(Element, text, name="elements.yaml"))
