"""The files that go between us and the call centre: a list with a line for each call, and the same with results.

Comma-separated values (RFC 4180) in UTF-8, with the mark by which spreadsheet programs know it. A list that comes back may
have semicolons or tabs instead, as these programs write in other countries; only its own columns of results are read, by
their names.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime

from incident.delivery.call_results import CallReport, CallResult
from incident.delivery.call_tasks import AgentTask
from incident.errors import BadInput
from incident.record.showing import defused

COLUMNS = (
    *("list", "code", "result", "called_at", "by", "note"),
    *("phone", "other_phones", "ask_for", "about", "information", "step", "language"),
)
_NEEDED = ("code", "result")
_MOST_ROWS = 1_000_000
_LONGEST = {"by": 80, "note": 500}
MOST_SHOWN = 20
_SEPARATORS = ",;\t"
_FIRST_LINE = re.compile(r"[^\r\n]*")

RESULT_WORDS: Mapping[str, CallResult] = {
    **{str(result): result for result in CallResult},
    "已告知": CallResult.TOLD,
    "无人接听": CallResult.NO_ANSWER,
    "语音信箱": CallResult.VOICEMAIL,
    "不是本人": CallResult.WRONG_PERSON,
    "号码无效": CallResult.BAD_NUMBER,
    "拒绝接听": CallResult.REFUSED,
    "已转交": CallResult.PASSED_ON,
}


def list_as_csv(number: int, tasks: Iterable[AgentTask]) -> str:
    """A list with its columns of results empty."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    for task in tasks:
        first, *others = task.phones or ("",)
        said = (task.ask_for, task.about, task.information, task.step)
        writer.writerow(
            [
                *(number, task.code, "", "", "", ""),
                # A number begins with a plus, as whoever dials it needs it.
                *(first, " ".join(others), *map(defused, said), task.language),
            ]
        )
    return out.getvalue()


def read_results(text: str, *, when: Callable[[str], datetime]) -> tuple[list[CallReport], int]:
    """The reports of a file, and how many lines have no result yet. `when` reads a time, and raises `ValueError`.

    Raises `BadInput` that names the first lines that are not right; nothing of such a file is to be taken.
    """
    text = text.removeprefix("\ufeff")
    rows = csv.reader(io.StringIO(text, newline=""), strict=True, delimiter=_separator(text))
    try:
        header = [cell.strip().casefold() for cell in next(rows, [])]
        at = _columns(header)
        reports, waiting, wrong = _read(rows, header, at, when)
    except csv.Error as error:
        raise BadInput(
            f"this is no file of comma-separated values ({error})",
            where=f"line {rows.line_num}",
            next_step="save it as CSV, in UTF-8 or with --encoding",
        ) from error
    if wrong:
        raise must_be_mended(wrong)
    return reports, waiting


def _separator(text: str) -> str:
    """What stands between the names of the columns most often; none of ours holds any of these."""
    first = _FIRST_LINE.match(text)
    return max(_SEPARATORS, key=first[0].count) if first else ","


def must_be_mended(wrong: list[str]) -> BadInput:
    """The error that names lines which are not right."""
    shown = "; ".join(wrong[:MOST_SHOWN])
    more = f"; and {len(wrong) - MOST_SHOWN} more" if len(wrong) > MOST_SHOWN else ""
    return BadInput(
        f"{shown}{more}",
        where=f"{len(wrong)} line{'s' if len(wrong) > 1 else ''}",
        next_step="correct these and import the file again; nothing of it was taken",
    )


def _columns(header: list[str]) -> dict[str, int]:
    if lost := [name for name in _NEEDED if name not in header]:
        raise BadInput(
            f"the file has no column {' and no column '.join(lost)}",
            where="line 1",
            next_step="send back the list with its columns, or name them so: " + ", ".join(COLUMNS[:6]),
        )
    doubled = {name for name in header if name in COLUMNS and header.count(name) > 1}
    if doubled:
        raise BadInput(
            f"the file has the column {', '.join(sorted(doubled))} twice",
            where="line 1",
            next_step="leave one of each",
        )
    return {name: header.index(name) for name in COLUMNS[:6] if name in header}


def _read(
    rows: Iterable[list[str]], header: list[str], at: Mapping[str, int], when: Callable[[str], datetime]
) -> tuple[list[CallReport], int, list[str]]:
    reports: list[CallReport] = []
    wrong: list[str] = []
    waiting = 0
    for number, row in enumerate(rows, start=2):
        if number > _MOST_ROWS:
            raise BadInput(f"the file has more than {_MOST_ROWS} lines", next_step="import it in parts")
        if not any(cell.strip() for cell in row):
            continue
        where = f"line {number}"
        if len(row) != len(header):
            wrong.append(f"{where}: {len(row)} cells, and the first line has {len(header)}")
            continue
        cells = {name: " ".join(row[column].split()) for name, column in at.items()}
        if not cells["result"]:
            waiting += 1
            continue
        try:
            reports.append(_report(cells, where, when))
        except ValueError as error:
            wrong.append(f"{where}: {error}")
    return reports, waiting, wrong


def _report(cells: Mapping[str, str], where: str, when: Callable[[str], datetime]) -> CallReport:
    """One line. Raises `ValueError` with what is not right."""
    result = result_named(cells["result"])
    for name, longest in _LONGEST.items():
        if len(cells.get(name, "")) > longest:
            raise ValueError(f"{name} has more than {longest} characters")
    called_at = cells.get("called_at", "")
    listed = cells.get("list", "")
    if listed and not (listed.isascii() and listed.isdigit() and len(listed) < 7):
        raise ValueError(f"{listed[:40]!r} is no number of a list")
    return CallReport(
        code=cells["code"],
        result=result,
        number=int(listed) if listed else None,
        called_at=when(called_at) if called_at else None,
        by=cells.get("by", ""),
        note=cells.get("note", ""),
        where=where,
    )


def result_named(word: str) -> CallResult:
    """A result as somebody wrote it, in English or Chinese. Raises `ValueError`."""
    found = RESULT_WORDS.get(word.strip().casefold().replace(" ", "_").replace("-", "_"))
    if found is None:
        raise ValueError(f"{word[:40]!r} is no result; write one of {', '.join(CallResult)}")
    return found
