"""Catalogues: YAML files of entries by key, each checked as the same model."""

from __future__ import annotations

from typing import Annotated, TypeVar

from pydantic import Field, TypeAdapter, ValidationError

from incident.errors import BadInput
from incident.law.data import Strict, line_of, plain_data, told

Model = TypeVar("Model", bound=Strict)
EntryKey = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
"""The key of an entry: what the record and other files name it by."""


def entries(model: type[Model]) -> TypeAdapter[dict[str, Model]]:
    """What checks plain data as entries by key, each as `model`."""
    return TypeAdapter(dict[EntryKey, model])  # type: ignore[valid-type]


def checked_entries(model: type[Model], text: str, *, name: str) -> dict[str, Model]:
    """The file's entries in its order; `BadInput` names the line of the first thing that is wrong."""
    data = plain_data(text, name=name)
    try:
        return entries(model).validate_python(data)
    except ValidationError as error:
        location, sentence = told(error)[0]
        raise BadInput(
            sentence,
            where=f"{name}, line {line_of(text, location)}",
            next_step="correct the file; incident law lint shows all findings",
        ) from None
