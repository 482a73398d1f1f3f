"""`incident check`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import typer

from incident.cli.desk import desk_of

if TYPE_CHECKING:
    from incident.ops.check import Checked
    from incident.ops.checks.base import Verdict

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command("check", help="Prove that the record is whole and that nothing is left undone.")
def check_(
    ctx: typer.Context,
    incident_id: str | None = typer.Argument(
        None, metavar="[ID]", help="One incident; without it, everything."
    ),
) -> None:
    from incident.ops.check import check

    desk = desk_of(ctx)
    result = check(desk.house, incident_id=incident_id)
    rows = [(each.invariant.name, each.state, _said(each), each.invariant.says) for each in result.verdicts]
    desk.table(("Invariant", "State", "Found", "What must hold"), rows, document=_document(result))
    if not desk.as_json:
        for line in _lines(result):
            typer.echo(line)
    if not result.holds:
        raise typer.Exit(1)


def _said(verdict: Verdict) -> str:
    return f"{verdict.broken} broken" if verdict.broken else ""


def _lines(result: Checked) -> Iterator[str]:
    for verdict in result.verdicts:
        name = verdict.invariant.name
        for fault in verdict.faults:
            yield f"{name}: {fault.where}: {fault.what}"
            yield f"  → {fault.next_step}"
        if verdict.broken > len(verdict.faults):
            yield f"{name}: and {verdict.broken - len(verdict.faults)} more"
        for why in verdict.untold:
            yield f"{name}: cannot be told: {why}"
        for note in verdict.notes:
            yield f"{name}: {note}"
    if result.brake:
        yield f"the brake is on since {result.brake}: nothing leaves the house"
    many = len(result.verdicts)
    if result.broken:
        yield f"NOT SOUND: {len(result.broken)} of {many} invariants are broken"
    elif result.untold:
        yield f"nothing is broken; {len(result.untold)} of {many} invariants cannot be told"
    else:
        yield f"all {many} invariants hold"


def _document(result: Checked) -> dict[str, Any]:
    return {
        "at": result.at,
        "incident": result.incident_id,
        "holds": result.holds,
        "all_told": not result.untold,
        "works": result.works,
        "brake_since": result.brake or None,
        "invariants": [
            {
                "name": each.invariant.name,
                "says": each.invariant.says,
                "state": str(each.state),
                "broken": each.broken,
                "faults": [vars(fault) for fault in each.faults],
                "untold": list(each.untold),
                "notes": list(each.notes),
            }
            for each in result.verdicts
        ],
    }
