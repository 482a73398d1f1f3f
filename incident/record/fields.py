"""The closed list of facts: what may be recorded, how it is called and who can answer it.

The list itself is `fields.yaml`; it is read once, on first use. Each field is one line of JSON there, because nearly
every command reads it: as YAML it would take longer than all else that `incident show` does.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from incident.errors import BadInput

LANGUAGES = ("zh-Hans", "en")
_CATALOGUE = Path(__file__).with_name("fields.yaml")


class FieldType(StrEnum):
    time = "time"
    counted = "count"
    bool = "bool"
    choice = "choice"
    choices = "choices"
    text = "text"
    texts = "texts"
    duration = "duration"
    amount = "amount"
    percent = "percent"


QUANTITIES = frozenset({FieldType.counted, FieldType.duration, FieldType.amount, FieldType.percent})


class FrozenText(Mapping[str, str]):
    """A text by language tag that can be a dictionary key and never changes."""

    __slots__ = ("_pairs",)

    def __init__(self, texts: Mapping[str, str]) -> None:
        self._pairs = tuple(sorted(texts.items()))

    def __getitem__(self, language: str) -> str:
        for tag, text in self._pairs:
            if tag == language:
                return text
        raise KeyError(language)

    def __iter__(self) -> Iterator[str]:
        return (tag for tag, _ in self._pairs)

    def __len__(self) -> int:
        return len(self._pairs)

    def __hash__(self) -> int:
        return hash(self._pairs)

    def __eq__(self, other: object) -> bool:
        return dict(self) == dict(other) if isinstance(other, Mapping) else NotImplemented

    def __repr__(self) -> str:
        return f"FrozenText({dict(self)!r})"


LocalText = Mapping[str, str]


def in_language(text: LocalText | str, language: str) -> str:
    """The text in `language`, else in the nearest tag of the same language, else English, else any."""
    if isinstance(text, str):
        return text
    if language in text:
        return text[language]
    primary = language.split("-")[0]
    for tag in text:
        if tag.split("-")[0] == primary:
            return text[tag]
    return text.get("en") or next(iter(text.values()), "")


@dataclass(frozen=True)
class Field:
    """One kind of fact. `choices` keeps the order of the list, which counts where `ordered` is set."""

    name: str
    type: FieldType
    title: FrozenText
    question: FrozenText
    who: str
    choices: Mapping[str, FrozenText]
    ordered: bool = False

    def rank(self, choice: str) -> int:
        """The place of a choice in the ordered list, from 0."""
        return list(self.choices).index(choice)


@cache
def field_catalogue() -> Mapping[str, Field]:
    """All fields by name, in the order in which they are asked and shown."""
    text = _CATALOGUE.read_text("utf-8")
    return MappingProxyType({name: _field(name, entry) for name, entry in _entries(text)})


def _entries(text: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for line in text.splitlines():
        if line and not line.startswith("#"):
            name, _, entry = line.partition(":")
            yield name, json.loads(entry)


def field_named(name: str) -> Field:
    """The field, or `BadInput` with the nearest names."""
    catalogue = field_catalogue()
    if name in catalogue:
        return catalogue[name]
    raise BadInput(f"there is no fact called “{name}”", next_step=nearest_names(name))


def nearest_names(name: str) -> str:
    """A hint for somebody who wrote a name that is not in the list."""
    catalogue = field_catalogue()
    by_title = [field.name for field in catalogue.values() if name in field.title.values()]
    near = by_title or difflib.get_close_matches(name, catalogue, n=3, cutoff=0.5)
    if near:
        return f"did you mean {' or '.join(near)}?"
    return "use a name from the list of facts, for example persons, discovered_at or data_categories"


def _field(name: str, entry: Mapping[str, Any]) -> Field:
    return Field(
        name=name,
        type=FieldType(entry["type"]),
        title=FrozenText(entry["title"]),
        question=FrozenText(entry["question"]),
        who=entry["who"],
        choices=MappingProxyType({key: FrozenText(text) for key, text in entry.get("choices", {}).items()}),
        ordered=entry.get("ordered", False),
    )
