"""`incident register`: the register of breaches, with those of which nobody was told and why."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from incident.cli.desk import Desk, desk_of, write_output
from incident.cli.record import read_time
from incident.errors import WrongUsage

if TYPE_CHECKING:
    from incident.duties.register import RegisterEntry

app = typer.Typer(rich_markup_mode=None, add_completion=False)
_FORMATS = ("table", "csv", "json", "html")
_IN_TABLE = ("incident", "title", "state", "found", "persons", "authorities", "people", "not_told")
_SAID = {"en": "register written to {file}, incidents: {count}", "zh-Hans": "已将 {count} 起事件写入 {file}"}


@app.command("register", help="The register of breaches: every incident, also those that nobody was told of.")
def register(
    ctx: typer.Context,
    form: str = typer.Option("table", "--format", help="table, csv, json or html."),
    output: Path | None = typer.Option(
        None, "-o", "--output", metavar="FILE", help="Where to write it; the screen without it."
    ),
    since: str | None = typer.Option(None, "--from", metavar="TIME", help="Incidents on record since then."),
    until: str | None = typer.Option(None, "--to", metavar="TIME", help="Incidents on record by then."),
    country: str | None = typer.Option(
        None, "--country", metavar="XX", help="Incidents to which a law of this country applies, or may."
    ),
    language: str | None = typer.Option(
        None, "--language", help="zh-Hans or en; the screen's own without it."
    ),
) -> None:
    from incident.duties.register import Selection, register_entries

    desk = desk_of(ctx)
    if form not in _FORMATS:
        raise WrongUsage(f"{form!r} is no format", where="--format", next_step=", ".join(_FORMATS))
    if form == "table" and output is not None:
        raise WrongUsage(
            "a table is for the screen", where="--output", next_step="--format csv, json or html"
        )
    tongue = language or desk.language
    if tongue not in _SAID:
        raise WrongUsage(f"{tongue!r} is no language", where="--language", next_step=", ".join(_SAID))
    selection = Selection(
        since=read_time(desk, since, option="--from") if since else None,
        until=read_time(desk, until, option="--to") if until else None,
        country=_country(desk, country) if country else None,
    )
    with desk.store.read() as session:
        entries = list(
            register_entries(
                session,
                desk.store,
                desk.settings,
                desk.house.rules,
                selection=selection,
                language=tongue,
                drill=desk.house.drill,
            )
        )
    if form == "table" or (output is None and desk.as_json):
        _print(desk, entries, tongue)
        return
    content = _content(desk, entries, form, tongue)
    if output is None or str(output) == "-":
        typer.echo(content, nl=False)
        return
    write_output(output, content)
    desk.lines(
        [_SAID[desk.language].format(count=len(entries), file=output)],
        document={"file": output, "incidents": len(entries)},
    )


def _print(desk: Desk, entries: Sequence[RegisterEntry], language: str) -> None:
    from incident.report.register_formats import COLUMNS, register_document, register_rows

    rows = [
        ["\n".join(row[name]) for name in _IN_TABLE]
        for row in register_rows(entries, language=language, zone=desk.zone)
    ]
    columns = [COLUMNS[language][name] for name in _IN_TABLE]
    desk.table(columns, rows, document=register_document(entries, at=desk.now()))


def _content(desk: Desk, entries: Sequence[RegisterEntry], form: str, language: str) -> str:
    from incident.report.register_formats import register_csv, register_html, register_json
    from incident.workspace import search_path

    if form == "csv":
        return register_csv(entries, language=language, zone=desk.zone)
    if form == "json":
        return register_json(entries, at=desk.now())
    name = desk.settings.organisation.name
    return register_html(
        entries,
        language=language,
        zone=desk.zone,
        organisation=name.get(language) or next(iter(name.values()), ""),
        at=desk.now(),
        templates=search_path(desk.paths, "templates"),
    )


def _country(desk: Desk, country: str) -> str:
    wanted = country.upper()
    known = sorted({each for regime in desk.house.rules.regimes for each in regime.countries()})
    if wanted not in known:
        raise WrongUsage(
            f"no law of {wanted} is known here", where="--country", next_step=f"one of {', '.join(known)}"
        )
    return wanted
