"""Measures: what was done about a breach, in words that the notice, the report and a playbook share.

A measure that a playbook ran and one that a person logged are the same thing here. The public sentence comes from
the catalogue and never from the log, because a log entry may name people, colleagues or inner systems.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from incident.errors import BadInput, NotFound

_CATALOGUE = Path(__file__).with_name("measures.yaml")


class Phase(StrEnum):
    """The part of an answer to a breach that a measure belongs to; the first word of its id."""

    DETECT = "detect"
    ANALYSE = "analyse"
    CONTAIN = "contain"
    REMEDIATE = "remediate"
    INFORM = "inform"
    RESTORE = "restore"


@dataclass(frozen=True)
class Measure:
    """One row of the catalogue. `public` is told to people; `title` is used among those who respond.

    `activity` is a CACAO 2.0 playbook activity; `d3fend` and `react` are foreign ids, empty where none fits.
    `evidence_first` marks what may destroy evidence. `tells`: whom carrying it out tells something, where it does.
    """

    id: str
    title: Mapping[str, str]
    public: Mapping[str, str]
    activity: str
    undo: str | None = None
    d3fend: tuple[str, ...] = ()
    react: tuple[str, ...] = ()
    evidence_first: bool = False
    tells: Literal["people", "public"] | None = None

    @property
    def phase(self) -> Phase:
        return Phase(self.id.partition(".")[0])

    @property
    def reversible(self) -> bool:
        return self.undo is not None


@dataclass(frozen=True)
class MeasureTaken:
    """A measure that was carried out, from a log entry or a playbook's step.

    `at` is timezone-aware; `by` is empty for what a run did by itself; `text` is what the person or the run noted and is
    for authorities, never for the public.
    """

    action: str
    at: datetime
    by: str
    text: str
    origin: Literal["log", "run"]


@dataclass(frozen=True)
class MeasureSummary:
    """All times one measure was taken, told once."""

    measure: Measure
    first: datetime
    last: datetime
    taken: tuple[MeasureTaken, ...]


@cache
def measure_catalogue() -> Mapping[str, Measure]:
    """Every measure by id, in the order of the file. Raises `BadInput` where the file breaks its own rules."""
    from ruamel.yaml import YAML

    rows = YAML(typ="safe", pure=True).load(_CATALOGUE.read_text(encoding="utf-8"))
    return read_measures(rows, name=str(_CATALOGUE))


def read_measures(rows: Any, *, name: str) -> Mapping[str, Measure]:
    """Checked measures from plain data. Raises `BadInput` naming the row."""
    from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

    class Row(BaseModel):
        model_config = ConfigDict(extra="forbid")

        id: str = Field(pattern=rf"^({'|'.join(Phase)})\.[a-z]+(-[a-z0-9]+)*$")
        title: dict[Literal["zh-Hans", "en"], str] = Field(min_length=2)
        public: dict[Literal["zh-Hans", "en"], str] = Field(min_length=2)
        activity: str
        undo: str | None = None
        d3fend: tuple[str, ...] = ()
        react: tuple[str, ...] = ()
        evidence_first: bool = False
        tells: Literal["people", "public"] | None = None

    try:
        checked = TypeAdapter(list[Row]).validate_python(rows)
    except ValidationError as error:
        first = error.errors()[0]
        place = first["loc"][0] if first["loc"] else ""
        row = (
            rows[place].get("id", place)
            if isinstance(place, int) and isinstance(rows[place], dict)
            else place
        )
        raise BadInput(f"the measure is not right: {first['msg']}", where=f"{name}, row {row}") from error
    found: dict[str, Measure] = {}
    for entry in checked:
        if entry.id in found:
            raise BadInput(f"the measure {entry.id} stands there twice", where=name)
        fields = entry.model_dump()
        fields["title"], fields["public"] = (MappingProxyType(fields[key]) for key in ("title", "public"))
        found[entry.id] = Measure(**fields)
    for measure in found.values():
        if measure.undo is not None and measure.undo not in found:
            raise BadInput(f"{measure.id} is undone by {measure.undo}, which is no measure", where=name)
    return MappingProxyType(found)


def measure_named(action: str) -> Measure:
    """The measure with this id. Raises `NotFound` with the nearest ids."""
    catalogue = measure_catalogue()
    if action in catalogue:
        return catalogue[action]
    near = difflib.get_close_matches(action, catalogue, n=3, cutoff=0.5)
    raise NotFound(
        f"{action!r} is no measure",
        next_step=f"did you mean {' or '.join(near)}? `incident measures` lists them all"
        if near
        else "`incident measures` lists them all",
    )


def summarise_measures(taken: Iterable[MeasureTaken]) -> tuple[MeasureSummary, ...]:
    """Each measure once, with its first and last time, in the order in which they were first taken.

    Raises `NotFound` for an action that the catalogue does not hold.
    """
    by_action: dict[str, list[MeasureTaken]] = {}
    for item in sorted(taken, key=lambda each: (each.at, each.action)):
        by_action.setdefault(item.action, []).append(item)
    return tuple(
        MeasureSummary(measure_named(action), first=items[0].at, last=items[-1].at, taken=tuple(items))
        for action, items in by_action.items()
    )
