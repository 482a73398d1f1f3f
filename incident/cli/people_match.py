"""What `incident people match` says at its end: what was found, the facts it offers, the keys that hit nobody."""

from __future__ import annotations

import csv
import io
import shlex
from pathlib import Path
from typing import Any

from incident.cli.desk import Desk, write_output
from incident.cli.people import counts_line
from incident.masking import mask_email, mask_phone, mask_reference
from incident.record.matching import LookUp
from incident.record.people_match import FileRead, MatchResult
from incident.record.people_stats import number_listed
from incident.record.quantities import Interval
from incident.record.showing import defused

_WORDS = {
    "en": {
        "log": "{name}: {rows:,} rows, {keys:,} different keys",
        "directory": "{name}: {rows:,} rows, {hit_rows:,} of them hit",
        "keys": "{hit:,} keys hit somebody, {unmatched:,} hit nobody",
        "first": "only the first rows of each file were read: more of either may hit more",
        "ambiguous": "{ambiguous:,} keys stand in rows of several people; nobody was taken for another, their rows are problems",
        "faulty": "{name}: {faulty:,} rows could not be used",
        "row": "  row {row}, {field}: {reason}",
        "problems": "{problems:,} rows are kept aside: incident people problems {id}",
        "offer": "to record what was counted, at least and at most:",
        "others": "{id} lists {listed:,} people by now, also from elsewhere; the line below counts this match alone",
    },
    "zh-Hans": {
        "log": "{name}：{rows:,} 行，{keys:,} 个不同的查找项",
        "directory": "{name}：{rows:,} 行，其中命中 {hit_rows:,} 行",
        "keys": "{hit:,} 个查找项有命中，{unmatched:,} 个无人命中",
        "first": "两个文件都只读取了开头的行，完整读取后命中可能更多",
        "ambiguous": "{ambiguous:,} 个查找项对应多个不同的人；没有替任何人做选择，相关行已列为问题",
        "faulty": "{name}：{faulty:,} 行无法使用",
        "row": "  第 {row} 行，{field}：{reason}",
        "problems": "{problems:,} 行另行留存：incident people problems {id}",
        "offer": "如需登记本次统计的人数（下限与上限）：",
        "others": "{id} 的名单现有 {listed:,} 人，其中有其他来源的人；下面一行仅统计本次匹配",
    },
}


def match_lines(desk: Desk, incident_id: str, result: MatchResult) -> list[str]:
    """The match for the person at the terminal. Names nobody."""
    match, words = result.match, _WORDS[desk.language]
    lines = [
        words["log"].format(name=match.affected.name, rows=match.affected.rows, keys=match.keys),
        words["directory"].format(
            name=match.directory.name, rows=match.directory.rows, hit_rows=match.hit_rows
        ),
        words["keys"].format(hit=match.hit, unmatched=match.unmatched),
        counts_line(result.counts, dry_run=result.dry_run),
    ]
    if match.ambiguous:
        lines.append(words["ambiguous"].format(ambiguous=match.ambiguous))
    for file in (match.affected, match.directory):
        lines += _faulty_lines(file, words)
    lines += [
        words["row"].format(row=each.row, field=each.field or "row", reason=each.reason.value)
        for each in result.first_problems
    ]
    if result.dry_run:
        return [*lines, words["first"]]
    kept = result.counts.problems + match.affected.faulty
    if kept:
        lines.append(words["problems"].format(problems=kept, id=incident_id))
    lines.append(words["offer"])
    listed = _listed(desk, incident_id)
    if listed > match.persons.min:
        lines.append(words["others"].format(id=incident_id, listed=listed))
    return [*lines, *(f"  {line}" for line in offered(incident_id, result))]


def match_document(desk: Desk, incident_id: str, result: MatchResult) -> dict[str, Any]:
    """The match as one JSON document."""
    return {
        "incident": incident_id,
        "dry_run": result.dry_run,
        **result.match.as_document(),
        **vars(result.counts),
        "listed": _listed(desk, incident_id),
        "offered": [] if result.dry_run else offered(incident_id, result),
    }


def offered(incident_id: str, result: MatchResult) -> list[str]:
    """The commands that record what was counted; a number is never recorded by itself."""
    match = result.match
    source = shlex.quote(
        f"people match: {match.affected.name} sha256 {_short(match.affected)}, "
        f"{match.directory.name} sha256 {_short(match.directory)}"
    )
    return [f"incident set {incident_id} persons={_as_typed(match.persons)} --sure likely --source {source}"]


def write_unmatched(path: Path, result: MatchResult, *, on: LookUp, reveal: bool) -> None:
    """Write the keys that hit nobody, with what was taken, as CSV; masked unless revealed. Raises `BadInput`."""
    masks = {LookUp.EMAIL: mask_email, LookUp.PHONE: mask_phone, LookUp.REFERENCE: mask_reference}
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([on.value, "data_categories"])
    for key in result.affected.unmatched():
        shown = key if reveal else masks[on](key)
        writer.writerow([defused(shown), ";".join(result.affected.categories_of(key))])
    write_output(path, out.getvalue())


def _faulty_lines(file: FileRead, words: dict[str, str]) -> list[str]:
    if not file.faulty:
        return []
    return [
        words["faulty"].format(name=file.name, faulty=file.faulty),
        *(
            words["row"].format(row=each.row, field=each.field or "row", reason=each.reason.value)
            for each in file.first_faulty
        ),
    ]


def _short(file: FileRead) -> str:
    return (file.sha256 or "")[:12]


def _as_typed(persons: Interval) -> str:
    """As `parse_count` reads it back."""
    return str(persons.min) if persons.is_exact else f"{persons.min}..{persons.max}"


def _listed(desk: Desk, incident_id: str) -> int:
    with desk.store.read() as session:
        return number_listed(session, incident_id)
