"""Report forms as data: which items an authority asks for, in which order and phase, and what fills each line.

A form lies in `forms/*.yaml`; a workspace may bring its own (an authority's private form). The shipped folder comes
last in the search.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, PlainValidator, model_validator

from incident.errors import NotFound
from incident.law.data import Strict, both_languages, checked, read_file
from incident.record.facts import FrozenText, field_catalogue

SHIPPED = Path(__file__).with_name("forms")

Text = Annotated[FrozenText, PlainValidator(both_languages)]


class Need(StrEnum):
    """How much a line matters: `required` (its item is refused without it), `asked` (the law says "where possible";
    shown as unknown and asked for), `optional` (left out when nothing is recorded)."""

    REQUIRED = "required"
    ASKED = "asked"
    OPTIONAL = "optional"


def _fact_name(name: str) -> str:
    if name not in field_catalogue():
        raise ValueError(f"there is no fact called “{name}”")
    return name


FactName = Annotated[str, AfterValidator(_fact_name)]


class Line(Strict):
    """One line of an item, filled from exactly one of: a fact, a setting of the organisation, an element of the
    notice (with the facts it rests on), the measures taken, the grade.

    Of the lines of one `group` a single one is enough. `when` names a yes-or-no fact: the line exists only where it
    is yes. `absent` is what stands there when nothing is recorded.
    """

    fact: FactName | None = None
    setting: Literal["name", "phone", "email", "address", "website", "protection_officer"] | None = None
    notice: Literal["consequences", "steps_for_person", "remedies"] | None = None
    facts: tuple[FactName, ...] = ()
    measures: bool = False
    grade: bool = False
    label: Text | None = None
    need: Need = Need.REQUIRED
    group: str | None = None
    when: FactName | None = None
    absent: Text | None = None

    @model_validator(mode="after")
    def _has_one_origin(self) -> Line:
        if sum(map(bool, (self.fact, self.setting, self.notice, self.measures, self.grade))) != 1:
            raise ValueError("a line is filled from one of: fact, setting, notice, measures, grade")
        if self.label is None and self.fact is None:
            raise ValueError("a line that is no fact needs a label in both languages")
        if bool(self.notice) != bool(self.facts):
            raise ValueError("a line from the notice names the facts it rests on, and only such a line does")
        return self

    @property
    def title(self) -> FrozenText:
        if self.label is not None:
            return self.label
        return field_catalogue()[self.fact or ""].title

    @property
    def asks(self) -> tuple[str, ...]:
        """The names of what would fill the line: facts, or the setting, the measures, the grade."""
        if self.fact:
            return (self.fact,)
        if self.setting:
            return (f"organisation.{self.setting}",)
        return self.facts or (("measures",) if self.measures else ("grade",))


class Item(Strict):
    """One numbered item. `only_late`: it exists only in a report that is past its time limit."""

    id: str
    article: str
    title: Text
    lines: tuple[Line, ...] = Field(min_length=1)
    only_late: bool = False


class PhaseOfForm(Strict):
    """A phase: which list of items it shows and which of them must be complete."""

    title: Text
    list: str
    required: tuple[str, ...]


class Form(Strict):
    """A form. `language` is the one in which the authority reads; others can be made for colleagues."""

    id: str
    regime: str
    language: Literal["zh-Hans", "en"]
    title: Text
    basis: Text
    phases: dict[str, PhaseOfForm]
    lists: dict[str, tuple[Item, ...]]

    @model_validator(mode="after")
    def _phases_name_known_items(self) -> Form:
        for name, phase in self.phases.items():
            if phase.list not in self.lists:
                raise ValueError(f"the phase {name} shows the list {phase.list}, which is not there")
            ids = [item.id for item in self.lists[phase.list]]
            if strange := [item for item in (*phase.required, *ids) if ids.count(item) != 1]:
                raise ValueError(
                    f"the phase {name} needs items that are not there once: {', '.join(strange)}"
                )
        return self

    def phase(self, name: str) -> PhaseOfForm:
        """A phase by name. Raises `NotFound` naming the phases there are."""
        if name not in self.phases:
            raise NotFound(
                f"the form {self.id} has no phase {name!r}",
                next_step=f"its phases are {', '.join(self.phases)}",
            )
        return self.phases[name]


def load_form(name: str, *, folders: Sequence[Path] = ()) -> Form:
    """A form by its id, from the first of `folders` that has it, else the shipped one.

    Raises `NotFound` naming the places searched, `BadInput` naming file and line where the form is wrong.
    """
    places = [*folders, SHIPPED]
    for place in places:
        path = place / f"{name}.yaml"
        if path.is_file():
            return checked(Form, read_file(path), name=str(path))
    known = sorted({path.stem for place in places if place.is_dir() for path in place.glob("*.yaml")})
    raise NotFound(
        f"there is no report form {name!r}",
        where=" or ".join(map(str, places)),
        next_step=f"the forms are {', '.join(known)}",
    )
