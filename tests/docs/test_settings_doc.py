"""docs/settings.md lists every setting, with the model's own default and an example that the model takes."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import UnionType
from typing import Any, get_args

import pytest
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from incident.settings import Settings

DOCUMENT = Path(__file__).parents[2] / "docs" / "settings.md"


@dataclass(frozen=True)
class Documented:
    """One row of a table."""

    meaning: str
    default: str
    example: str


def documented() -> dict[str, Documented]:
    found = {}
    for chapter in re.split(r"(?m)^## ", DOCUMENT.read_text(encoding="utf-8"))[1:]:
        table = re.match(r"\[([a-z_.]+)\]", chapter)
        assert table, chapter[:40]
        for row in re.findall(r"(?m)^\| `(.+)$", chapter):
            key, meaning, default, example = (cell.strip() for cell in row.rstrip(" |").split(" | "))
            found[f"{table[1]}.{key.rstrip('`')}"] = Documented(meaning, default, example)
    return found


def keys_of(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, FieldInfo]]:
    for name, field in model.model_fields.items():
        if table := table_of(field):
            yield from keys_of(table, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", field


def table_of(field: FieldInfo) -> type[BaseModel] | None:
    """The table that a key is, also one that may be left out."""
    kind = field.annotation
    kinds = get_args(kind) if isinstance(kind, UnionType) else (kind,)
    return next((each for each in kinds if isinstance(each, type) and issubclass(each, BaseModel)), None)


def default_of(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    return "none" if value is None else f"`{json.dumps(value, ensure_ascii=False)}`"


KEYS = dict(keys_of(Settings))


def test_every_setting_is_documented_and_none_that_does_not_exist() -> None:
    assert sorted(documented()) == sorted(KEYS)


@pytest.mark.parametrize("key", KEYS)
def test_a_setting_is_documented_with_its_default(key: str) -> None:
    assert documented()[key].default == default_of(KEYS[key])
    assert documented()[key].meaning.endswith(".")


@pytest.mark.parametrize("key", KEYS)
def test_the_example_of_a_setting_is_taken(key: str) -> None:
    *tables, name = key.split(".")
    value = tomllib.loads(f"{name} = {documented()[key].example.strip('`')}")
    data: dict[str, Any] = {"workspace": {"id": "x", "name": "x"}}
    place = data
    for table in tables:
        place = place.setdefault(table, {})
    place.update(value)
    Settings.model_validate(data)
