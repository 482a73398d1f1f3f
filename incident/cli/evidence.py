"""`incident evidence`: files in custody."""

from __future__ import annotations

from pathlib import Path

import typer

from incident.cli.desk import desk_of
from incident.cli.record import ID

GROUP = "evidence"
app = typer.Typer(
    rich_markup_mode=None, add_completion=False, help="Evidence: add, list, verify.", no_args_is_help=True
)


@app.command("add", help="Take a file into custody: hashed while copied, sealed, journalled.")
def add(
    ctx: typer.Context,
    incident_id: str = ID,
    file: Path = typer.Argument(..., metavar="FILE"),
    by: str = typer.Option("", "--by", help="Who gave it."),
    note: str = typer.Option("", "--note", help="What it shows."),
) -> None:
    from incident.record.evidence import add_evidence

    desk = desk_of(ctx)
    line = add_evidence(
        desk.store,
        incident_id,
        file,
        blobs=desk.paths.blobs,
        by=by or desk.actor,
        note=note,
        actor=desk.actor,
        now=desk.now(),
    )
    desk.lines(
        [f"in custody as {line.id[:8]}: {line.size} bytes, SHA-256 {line.sha256}"],
        document={"evidence": line.id, "sha256": line.sha256, "size": line.size},
    )


@app.command("list", help="List the evidence of an incident.")
def show(ctx: typer.Context, incident_id: str = ID) -> None:
    from incident.record.evidence import list_evidence

    desk = desk_of(ctx)
    rows = [
        (each.id[:8], each.name, each.size, each.sha256, each.by, each.recorded_at)
        for each in list_evidence(desk.store, incident_id)
    ]
    desk.table(("Evidence", "File", "Bytes", "SHA-256", "By", "Taken"), rows)


@app.command("verify", help="Check that every file in custody is still the one that was taken.")
def verify(ctx: typer.Context, incident_id: str = ID) -> None:
    from incident.record.evidence import evidence_holds, list_evidence

    desk = desk_of(ctx)
    lines = list_evidence(desk.store, incident_id)
    held = [(each, evidence_holds(desk.store, incident_id, each, blobs=desk.paths.blobs)) for each in lines]
    desk.table(("Evidence", "File", "Holds"), [(each.id[:8], each.name, holds) for each, holds in held])
    if not all(holds for _, holds in held):
        raise typer.Exit(1)
