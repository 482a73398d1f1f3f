"""`incident deliveries`: who got what, line by line."""

from __future__ import annotations

import csv
import sys
from typing import TYPE_CHECKING, Any

import typer

from incident.cli.desk import Desk, desk_of
from incident.cli.record import ID
from incident.errors import WrongUsage
from incident.record.showing import defused

if TYPE_CHECKING:
    from incident.delivery.status import DeliveryLine

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command("deliveries", help="Who got what, and who was not reached.")
def deliveries_(
    ctx: typer.Context,
    incident_id: str = ID,
    unreached: bool = typer.Option(False, "--unreached", help="Only those who were not reached."),
    form: str = typer.Option("table", "--format", help="table or csv."),
    reveal: bool = typer.Option(
        False,
        "--reveal",
        help="Show references and the other side's words (signed, --as NAME, with --reason).",
    ),
    reason: str = typer.Option("", "--reason", help="Why they are looked at."),
) -> None:
    from incident.cli.next_steps import NEXT_COLUMNS, cells_of, step_document
    from incident.cli.people import reveal_list
    from incident.delivery.next_steps import unreached_lines
    from incident.delivery.status import deliveries

    desk = desk_of(ctx)
    if form not in ("table", "csv"):
        raise WrongUsage(f"{form!r} is no format", where="--format", next_step="table or csv")
    desk.must_be_readable(incident_id)
    if reveal:
        reveal_list(desk, incident_id, "deliveries", reason)
    columns: tuple[str, ...] = _LINE_COLUMNS
    listed: list[DeliveryLine] = []
    rows: list[tuple[object, ...]] = []
    steps: list[dict[str, Any]] = []
    if unreached:
        columns += NEXT_COLUMNS
        for each in unreached_lines(desk.store, desk.settings, incident_id, now=desk.now()):
            listed.append(each.line)
            rows.append((*_line_cells(desk, each.line, reveal=reveal), *cells_of(desk, each, reveal=reveal)))
            steps.append(step_document(desk, each, reveal=reveal))
    else:
        listed += deliveries(desk.store, incident_id, unreached=False)
        rows += [_line_cells(desk, line, reveal=reveal) for line in listed]
    if desk.as_json:
        names = [column.lower() for column in _LINE_COLUMNS]
        lines = [
            dict(zip(names, row, strict=False)) | {"failed_before": _failed_document(line)}
            for line, row in zip(listed, rows, strict=True)
        ]
        desk.document([line | step for line, step in zip(lines, steps, strict=True)] if unreached else lines)
        return
    columns, rows = (
        (*columns, _FAILED_COLUMN),
        [(*row, _failed_words(desk, line)) for line, row in zip(listed, rows, strict=True)],
    )
    if form == "csv":
        writer = csv.writer(sys.stdout)
        writer.writerow(columns)
        # The other side's own words stand in it, and spreadsheet programs run what begins like a formula.
        writer.writerows(
            [defused(str(cell)) if isinstance(cell, str) else cell for cell in row] for row in rows
        )
        return
    if not any(line.failed for line in listed):
        columns, rows = columns[:-1], [row[:-1] for row in rows]
    desk.table(columns, rows)


_FAILED_COLUMN = "Failed before"
_LINE_COLUMNS = (
    *("Reference", "Addressee", "Channel", "State", "Why", "Attempts", "Code", "Status", "Answer"),
    "Version",
)


def _line_cells(desk: Desk, line: DeliveryLine, *, reveal: bool) -> tuple[object, ...]:
    from incident.delivery.states import Why, why_text
    from incident.masking import mask_reference

    return (
        line.reference if reveal else mask_reference(line.reference),
        line.addressee,
        line.channel,
        line.state,
        why_text(Why(line.reason), line.channel, desk.language) if line.reason else "",
        line.attempts,
        line.last_code,
        line.last_status,
        # The other side may quote the person's address or name.
        line.last_words if reveal else "",
        f"{line.version}{', update' if line.update else ''}",
    )


def _failed_words(desk: Desk, line: DeliveryLine) -> str:
    """The means that failed before the present one, and why."""
    from incident.delivery.states import CHANNEL_TEXTS, why_text

    return "; ".join(
        f"{CHANNEL_TEXTS[each.channel][desk.language]}: {why_text(each.why, each.channel, desk.language)}"
        for each in line.failed
    )


def _failed_document(line: DeliveryLine) -> list[dict[str, str]]:
    return [{"channel": each.channel, "reason": each.why} for each in line.failed]
