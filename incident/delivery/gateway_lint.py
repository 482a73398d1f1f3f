"""Checking the definitions of SMS gateways: every mistake with its line and place."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from incident.errors import BadInput
from incident.law.data import line_of, read_file, read_yaml, told
from notifiers.sms_gateway.definition import GatewayDefinition


@dataclass(frozen=True, slots=True)
class Mistake:
    """What is wrong in a definition. `line` is 0 for a text that is no YAML, of which `place` says where it breaks;
    otherwise `place` is the key, with those above it."""

    line: int
    place: str
    why: str


def mistakes_in(file: Path) -> list[Mistake]:
    """Everything that keeps a file from being used. Raises `BadInput` for one that cannot be read."""
    text = read_file(file)
    try:
        tree = read_yaml(text, name=file.name)
    except BadInput as error:
        return [Mistake(0, error.where or "", error.what)]
    try:
        definition = GatewayDefinition.model_validate(tree)
    except ValidationError as wrong:
        return [Mistake(line_of(text, place), ".".join(map(str, place)), why) for place, why in told(wrong)]
    if definition.name == file.stem:
        return []
    why = f"the file is called {file.stem}, its gateway {definition.name}"
    return [Mistake(line_of(text, ["name"]), "name", why)]
