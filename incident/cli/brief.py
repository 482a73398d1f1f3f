"""`incident brief` and `incident handover`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from incident.cli.desk import Desk, desk_of, write_output
from incident.cli.record import ID, read_time

if TYPE_CHECKING:
    from incident.briefing.sheet import Sheet

app = typer.Typer(rich_markup_mode=None, add_completion=False)
LANGUAGE = typer.Option(None, "--language", help="zh-Hans or en; the desk's own without it.")
FORMAT = typer.Option("text", "--format", help="text or html.")
OUTPUT = typer.Option(
    None, "-o", "--output", metavar="FILE", help="Where to write it; the screen without it."
)
_SLOW_DISK = 60.0


@app.command("brief", help="One page for headquarters, the board, the police, the call centre or the press.")
def brief(
    ctx: typer.Context,
    incident_id: str = ID,
    audience: str = typer.Option(..., "--for", help="hq, board, police, callcentre or press."),
    language: str | None = LANGUAGE,
    form: str = FORMAT,
    output: Path | None = OUTPUT,
) -> None:
    from incident.briefing.making import BRIEF_MADE, make_brief, read_audience, read_format, read_language

    desk = desk_of(ctx)
    wanted = read_audience(audience)
    shown_as = read_format(form)
    spoken = read_language(language or desk.language)
    # Inside the change: where the file cannot be written, nothing says that it was handed out.
    with desk.change(incident_id, kind=BRIEF_MADE) as change:
        change.allow_pauses(seconds=_SLOW_DISK)
        made = make_brief(change, desk.house, incident_id, wanted, spoken, shown_as)
        _write(output, made.content)
    if made.holds_back:
        desk.say(f"nothing of the facts is in it: {made.holds_back}")
    _show(desk, made.sheet, made.content, made.sha256, output)


@app.command("handover", help="What the next shift must know, and what changed since the last handover.")
def handover(
    ctx: typer.Context,
    incident_id: str = ID,
    since: str | None = typer.Option(
        None,
        "--since",
        metavar="TIME",
        help="Tell what changed since then; without it, since the last handover or for 12 hours.",
    ),
    to: str = typer.Option("", "--to", metavar="NAME", help="Who takes over."),
    language: str | None = LANGUAGE,
    form: str = FORMAT,
    output: Path | None = OUTPUT,
) -> None:
    from incident.briefing.handing_over import HANDOVER_GIVEN, give_handover
    from incident.briefing.making import read_format, read_language
    from incident.record.values import clean_line

    desk = desk_of(ctx)
    shown_as = read_format(form)
    spoken = read_language(language or desk.language)
    begins = read_time(desk, since, option="--since") if since else None
    taken_by = clean_line(to, where="--to") if to else ""
    with desk.change(incident_id, kind=HANDOVER_GIVEN) as change:
        change.allow_pauses(seconds=_SLOW_DISK)
        given = give_handover(
            change, desk.house, incident_id, language=spoken, form=shown_as, since=begins, to=taken_by
        )
        _write(output, given.content)
    more = {"since": given.since, "by": desk.actor, "to": taken_by}
    _show(desk, given.sheet, given.content, given.sha256, output, more)


def _write(output: Path | None, content: str) -> None:
    if output is not None and str(output) != "-":
        write_output(output, content)


def _show(
    desk: Desk,
    sheet: Sheet,
    content: str,
    sha256: str,
    output: Path | None,
    more: Mapping[str, object] | None = None,
) -> None:
    """The bytes that were hashed, or where they lie; with `--json` the sheet as one document."""
    on_screen = output is None or str(output) == "-"
    if desk.as_json:
        place = {"content": content} if on_screen else {"file": str(output)}
        desk.document({**sheet.as_document(), **(more or {}), "sha256": sha256, **place})
    elif on_screen:
        typer.echo(content, nl=False)
    else:
        desk.say(f"written to {output}, SHA-256 {sha256[:12]}")
