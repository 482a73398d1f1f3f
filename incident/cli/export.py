"""`incident export`."""

from __future__ import annotations

from pathlib import Path

import typer

from incident.cli.desk import desk_of, write_output
from incident.cli.record import ID

app = typer.Typer(rich_markup_mode=None, add_completion=False)
_SLOW_DISK = 60.0
_WORDS = {
    "en": {
        "text": "title and summary are in it; addresses and long numbers are masked, names are not: read it before you hand it on",
        "written": "written to {file}, SHA-256 {sha256:.12}",
    },
    "zh-Hans": {
        "text": "其中含有标题和基本情况，邮箱和长号码已遮盖，姓名未遮盖，提供给他人之前请先通读",
        "written": "已写入 {file}，SHA-256 {sha256:.12}",
    },
}


@app.command(
    "export", help="Export an incident as VERIS or STIX: typed facts, no text and nothing of people."
)
def export(
    ctx: typer.Context,
    incident_id: str = ID,
    form: str = typer.Option(..., "--format", help="veris or stix."),
    output: Path | None = typer.Option(
        None, "-o", "--output", metavar="FILE", help="Where to write it; the screen without it."
    ),
    with_text: bool = typer.Option(False, "--with-text", help="Add title and summary."),
    tlp: str = typer.Option(
        "", "--tlp", metavar="LEVEL", help="Marking of STIX: white, green, amber (without it) or red."
    ),
) -> None:
    from incident.proof.exporting import EXPORT_MADE, make_export, read_export_format, read_tlp

    desk = desk_of(ctx)
    wanted = read_export_format(form)
    marking = read_tlp(tlp, wanted)
    on_screen = output is None or str(output) == "-"
    # Inside the change: where the file cannot be written, nothing says that it was handed out.
    with desk.change(incident_id, kind=EXPORT_MADE) as change:
        change.allow_pauses(seconds=_SLOW_DISK)
        made = make_export(
            change, desk.store, desk.settings, incident_id, wanted, with_text=with_text, tlp=marking
        )
        if output is not None and not on_screen:
            write_output(output, made.content)
    words = _WORDS[desk.language]
    if with_text:
        desk.say(words["text"])
    if desk.as_json:
        place = {"content": made.content} if on_screen else {"file": str(output)}
        told = {"incident": incident_id, "format": str(wanted), "with_text": with_text}
        desk.document({**told, "sha256": made.sha256, **place})
    elif on_screen:
        typer.echo(made.content, nl=False)
    else:
        desk.say(words["written"].format(file=output, sha256=made.sha256))
