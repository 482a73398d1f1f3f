"""The rows of lists that could not be taken as they were, and as a list that can be corrected and imported again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlmodel import col, select

from incident.errors import BadInput, Refused
from incident.record.people_file import Reason
from incident.store.change import open_row
from incident.store.store import Store
from incident.store.tables import PeopleImport, PeopleProblem

ADDED_COLUMNS = ("row", "field", "reason")
"""What stands behind the cells of a row, so that whoever corrects it sees what is wrong."""


@dataclass(frozen=True)
class KeptProblem:
    """A row that was kept aside, opened for the person who mends it.

    `file` and `header` are those of the list it stood in, `list_number` counts the incident's lists from 1. The header
    is empty for a list that an earlier version imported.
    """

    file: str
    row: int
    field: str
    reason: Reason
    cells: tuple[str, ...]
    header: tuple[str, ...]
    list_number: int


def kept_problems(store: Store, incident_id: str, *, list_number: int | None = None) -> Iterator[KeptProblem]:
    """Every row that could not be taken as it was, in order; of one list only if it is named.

    Shows personal data: for those who mend the list. Raises `BadInput` for a list that was never imported.
    """
    key = store.key(incident_id)
    with store.read() as session:
        imports = session.exec(
            select(PeopleImport)
            .where(PeopleImport.incident_id == incident_id)
            .order_by(col(PeopleImport.at), col(PeopleImport.id))
        ).all()
        rows = session.exec(
            select(PeopleProblem)
            .where(PeopleProblem.incident_id == incident_id)
            .order_by(col(PeopleProblem.row))
        ).all()
    if list_number is not None and not 1 <= list_number <= len(imports):
        raise BadInput(
            f"there is no list {list_number}",
            where="--list",
            next_step=f"{len(imports)} lists were imported; they are numbered from 1",
        )
    by_import: dict[str, list[PeopleProblem]] = {}
    for row in rows:
        by_import.setdefault(row.import_id, []).append(row)
    for number, each in enumerate(imports, start=1):
        if list_number not in (None, number):
            continue
        said = open_row(each, key=key)
        for row in by_import.get(each.id, ()):
            yield KeptProblem(
                file=said["file"],
                row=row.row,
                field=row.field,
                reason=Reason[row.reason.upper()],
                cells=tuple(open_row(row, key=key)["row"]),
                header=tuple(said.get("header", ())),
                list_number=number,
            )


def correctable_list(problems: Sequence[KeptProblem]) -> list[list[str]]:
    """A header and the rows below it, as they stood, with `ADDED_COLUMNS` behind; corrected, it can be imported again.

    A row with another number of cells than the header keeps it, so that it is a problem again until it is corrected.
    Raises `Refused` where rows of lists with different headers come together.
    """
    headers = list(dict.fromkeys(_own_header(each, problems) for each in problems))
    if len(headers) > 1:
        raise Refused(
            "the rows come from lists with different headers",
            where=_lists(problems),
            next_step="take one list after the other, for example `--list 1`",
        )
    header = headers[0] if headers else ()
    return [
        [*header, *ADDED_COLUMNS],
        *([*_own_cells(each), str(each.row), each.field, each.reason.value] for each in problems),
    ]


def _lists(problems: Sequence[KeptProblem]) -> str:
    return ", ".join(
        f"{number} ({file})" for number, file in {each.list_number: each.file for each in problems}.items()
    )


def _own_header(problem: KeptProblem, problems: Sequence[KeptProblem]) -> tuple[str, ...]:
    """The header without what an earlier correction added; where none was kept, its columns are numbered."""
    if problem.header:
        return problem.header[: -len(ADDED_COLUMNS)] if _was_corrected(problem) else problem.header
    widest = max(len(each.cells) for each in problems if each.list_number == problem.list_number)
    return tuple(f"column {number}" for number in range(1, widest + 1))


def _own_cells(problem: KeptProblem) -> tuple[str, ...]:
    fits = len(problem.cells) == len(problem.header)
    return problem.cells[: -len(ADDED_COLUMNS)] if fits and _was_corrected(problem) else problem.cells


def _was_corrected(problem: KeptProblem) -> bool:
    return problem.header[-len(ADDED_COLUMNS) :] == ADDED_COLUMNS
