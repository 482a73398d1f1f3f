"""`incident evidence`: files in custody."""

from __future__ import annotations

from pathlib import Path

import typer

from incident.cli.desk import desk_of
from incident.cli.record import ID

GROUP = "evidence"
app = typer.Typer(
    rich_markup_mode=None,
    add_completion=False,
    help="Evidence: add, list, show, take, verify.",
    no_args_is_help=True,
)

EVIDENCE = typer.Argument(..., metavar="EVIDENCE", help="Its id, or the beginning of it, as lists show.")
_STEPS = {
    "en": {
        "taken in": "taken in",
        "verified": "verified",
        "not the same": "NOT THE SAME",
        "copied out": "copied out",
        "cannot be read": "the entry cannot be read",
    },
    "zh-Hans": {
        "taken in": "入库",
        "verified": "核验一致",
        "not the same": "核验不一致",
        "copied out": "取出副本",
        "cannot be read": "记录已无法读取",
    },
}
_OPEN = {
    "en": "the copy lies open: keep it safe, and destroy it when it is no longer needed",
    "zh-Hans": "副本未加密：请妥善保管，用毕销毁",
}


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


@app.command("show", help="Show the chain of custody of one piece: taken in, looked at, copied out.")
def show_one(
    ctx: typer.Context,
    incident_id: str = ID,
    evidence: str = EVIDENCE,
) -> None:
    from incident.record.custody import custody_of, evidence_called
    from incident.record.evidence import list_evidence

    desk = desk_of(ctx)
    line = evidence_called(list_evidence(desk.store, incident_id), evidence)
    steps, words = custody_of(desk.store, incident_id, line), _STEPS[desk.language]
    rows = [
        (desk.show_exactly(each.at), words[each.step], each.by, each.to, each.reason, each.sha256)
        for each in steps
    ]
    document = {
        "incident": incident_id,
        "evidence": line.id,
        "file": line.name,
        "size": line.size,
        "sha256": line.sha256,
        "note": line.note,
        "custody": [{**vars(each), "step": each.step} for each in steps],
    }
    title = f"{line.id[:8]}  {line.name}  {line.size} bytes  {line.note}".rstrip()
    desk.table(("When", "Step", "By", "To", "Why", "SHA-256"), rows, title=title, document=document)


@app.command(
    "take", help="Write an open copy of evidence to a new file; who took it, and why, is journalled."
)
def take(
    ctx: typer.Context,
    incident_id: str = ID,
    evidence: str = EVIDENCE,
    out: Path = typer.Option(..., "-o", "--output", metavar="FILE", help="Where the copy goes: a new file."),
    reason: str = typer.Option(..., "--reason", help="Why it is needed."),
    to: str | None = typer.Option(None, "--to", metavar="WHO", help="Who gets the copy; else you."),
) -> None:
    from incident.record.custody import take_out

    desk = desk_of(ctx)
    line = take_out(
        desk.store,
        incident_id,
        evidence,
        out,
        blobs=desk.paths.blobs,
        to=desk.actor if to is None else to,
        reason=reason,
        actor=desk.actor,
        now=desk.now(),
    )
    desk.lines(
        [f"{line.name} copied to {out}: {line.size} bytes, SHA-256 {line.sha256}", _OPEN[desk.language]],
        document={"incident": incident_id, "evidence": line.id, "file": str(out), "sha256": line.sha256},
    )


@app.command("verify", help="Check that every file in custody is still the one that was taken.")
def verify(ctx: typer.Context, incident_id: str = ID) -> None:
    from incident.record.custody import VERIFIED, record_verified
    from incident.record.evidence import evidence_holds, list_evidence
    from incident.store.instance import NotInCharge

    desk = desk_of(ctx)
    lines = list_evidence(desk.store, incident_id)
    held = [(each, evidence_holds(desk.store, incident_id, each, blobs=desk.paths.blobs)) for each in lines]
    if held:
        try:
            with desk.change(incident_id, kind=VERIFIED) as change:
                record_verified(change, held)
        except NotInCharge as why:
            desk.say(f"warning: {why.what}; that it was looked at is not journalled")
    desk.table(("Evidence", "File", "Holds"), [(each.id[:8], each.name, holds) for each, holds in held])
    if not all(holds for _, holds in held):
        raise typer.Exit(1)
