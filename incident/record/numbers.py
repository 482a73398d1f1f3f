"""How people call what they record: `H1`, `T3`, a number within the incident."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, TypeVar

from sqlmodel import Session, func, select

from incident.errors import BadInput, NotFound

if TYPE_CHECKING:
    from incident.store.tables import (
        Containment,
        Hold,
        Instruction,
        NoticeEdit,
        PrivilegedNote,
        Resolution,
        Task,
        Waiver,
    )

Numbered = TypeVar(
    "Numbered",
    "Containment",
    "Hold",
    "Instruction",
    "NoticeEdit",
    "PrivilegedNote",
    "Resolution",
    "Task",
    "Waiver",
)
LETTERS = {
    "containment": "C",
    "hold": "H",
    "instruction": "I",
    "privileged_note": "N",
    "resolution": "D",
    "task": "T",
    "waiver": "W",
}

_LISTED_BY = {
    "C": "containment",
    "H": "hold list",
    "I": "instruction list",
    "N": "counsel list",
    "D": "decisions",
    "T": "task list --all",
    "W": "decisions",
}


def next_number(session: Session, table: type[Numbered], incident_id: str) -> int:
    """The next number of a table within an incident, counted from 1. Inside a change of the incident it is ours."""
    last = session.exec(select(func.max(table.number)).where(table.incident_id == incident_id)).one()
    return int(last or 0) + 1


def label_of(row: Numbered) -> str:
    """What a person types to name a row, for example `H1`."""
    return f"{LETTERS[str(row.__tablename__)]}{row.number}"


def row_called(session: Session, table: type[Numbered], incident_id: str, label: str) -> Numbered:
    """The row that a person named, as `H1`, `h1` or `1`. Raises `BadInput` or `NotFound`."""
    letter = LETTERS[str(table.__tablename__)]
    match = re.fullmatch(rf"{letter}?([1-9][0-9]{{0,8}})", label.strip(), re.IGNORECASE)
    if match is None:
        raise BadInput(f"{label!r} names nothing here", next_step=f"write for example {letter}1")
    found = session.exec(
        select(table).where(table.incident_id == incident_id, table.number == int(match[1]))
    ).first()
    if found is None:
        name = str(table.__tablename__).replace("_", " ")
        raise NotFound(
            f"there is no {name} {letter}{match[1]} of {incident_id}",
            next_step=f"`incident {_LISTED_BY[letter]} {incident_id}` shows what there is",
        )
    return found
