"""`incident duties`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from incident.cli.desk import Desk, desk_of, write_output
from incident.cli.duty_documents import Looked, document, look
from incident.cli.duty_overview import lines_beside, overview, overview_document, what_is_off
from incident.cli.duty_reasons import reasons
from incident.cli.duty_rows import NEXT, WORDS, row

if TYPE_CHECKING:
    from incident.duties.view import DutyView
    from incident.record.dossier import Dossier

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command("duties", help="What is owed in the next 24 hours, by when, to whom.")
def duties(
    ctx: typer.Context,
    incident_id: str | None = typer.Argument(
        None, metavar="[ID]", help="The incident; without it, all that are open."
    ),
    why: bool = typer.Option(False, "--why", help="Show the reasons, also for what is not owed."),
    everything: bool = typer.Option(False, "--all", help="Show later, met and unowed duties too."),
    ics: Path | None = typer.Option(
        None,
        "--ics",
        metavar="FILE",
        help="Write the open ends as a calendar with alarms (- for the screen).",
    ),
) -> None:
    desk = desk_of(ctx)
    if ics is not None:
        _write_calendar(desk, incident_id, ics)
        return
    if incident_id is not None:
        looked = look(desk, incident_id)
        if desk.as_json:
            desk.document(document(desk, looked))
        else:
            _print(desk, looked, why=why, everything=everything)
            for line in what_is_off(desk):
                typer.echo(line)
        return
    seen = overview(desk, everything=everything)
    if desk.as_json:
        desk.document(overview_document(desk, seen))
        return
    for looked in seen.full:
        typer.echo(f"{looked.dossier.id}  {looked.dossier.title}")
        _print(desk, looked, why=why, everything=everything)
        typer.echo()
    for line in lines_beside(desk, seen):
        typer.echo(line)


def _write_calendar(desk: Desk, incident_id: str | None, file: Path) -> None:
    from datetime import timedelta

    from incident.duties.calendar import calendar_entries, write_calendar

    if incident_id is not None:
        desk.must_be_readable(incident_id)
    language = desk.settings.workspace.own_languages[0]
    with desk.store.read() as session:
        entries = calendar_entries(
            session, desk.house.rules.regimes, language=language, incident_id=incident_id
        )
    alarms = [timedelta(minutes=each) for each in desk.settings.reminders.before_minutes]
    text = write_calendar(entries, alarms=alarms)
    on_screen = str(file) == "-"
    if not on_screen:
        write_output(file, text)
    elif not desk.as_json:
        typer.echo(text, nl=False)
        return
    shown = {"content": text} if on_screen else {"file": file}
    desk.lines(
        [WORDS[desk.language]["calendar"].format(count=len(entries), file=file)],
        document={"incident": incident_id, "events": len(entries), **shown},
    )


def _print(desk: Desk, looked: Looked, *, why: bool, everything: bool) -> None:
    from incident.cli.hold import one_line

    views = looked.views
    shown = [view for view in views if everything or view.comes_within(NEXT)]
    desk.table(WORDS[desk.language]["columns"], [row(desk, view) for view in shown])
    for each in looked.holds:
        typer.echo(one_line(desk, each))
    for note in (*_measures(desk, looked.dossier, shown), *_notes(desk, views, shown, looked.dossier.id)):
        typer.echo(note)
    if why:
        for line in reasons(desk, looked.dossier.id, views, looked.findings):
            typer.echo(line)


_TELLS_MEASURES = "measures_taken"
_MEASURES = {
    "en": (
        "Measures taken, which must be told under {articles}:",
        "  none yet: log them with `incident log --measure`",
    ),
    "zh-Hans": ("已采取的措施（{articles}要求告知）：", "  尚无记录：请用 `incident log --measure` 记录"),
}


def _measures(desk: Desk, dossier: Dossier, views: Sequence[DutyView]) -> list[str]:
    """What was done, where a duty that stands asks for it to be told."""
    from incident.record.measures import summarise_measures

    told = [dict(view.duty.elements) for view in views if view.is_open]
    articles = dict.fromkeys(each[_TELLS_MEASURES] for each in told if _TELLS_MEASURES in each)
    if not articles:
        return []
    head, nothing = _MEASURES[desk.language]
    joined = ("、" if desk.language == "zh-Hans" else "; ").join(articles)
    lines = [
        f"  {each.measure.id}: {each.measure.title[desk.language]}, {desk.show(each.last)}"
        for each in summarise_measures(dossier.measures)
    ]
    return ["", head.format(articles=joined), *(lines or [nothing])]


def _notes(desk: Desk, views: Sequence[DutyView], shown: Sequence[DutyView], incident_id: str) -> list[str]:
    """How many duties are not shown, and how many facts are open, with the commands that show them."""
    words = WORDS[desk.language]
    names = {view.duty.id for view in shown}
    later = sum(1 for view in views if view.is_open and view.duty.id not in names)
    rest = len(views) - len(shown) - later
    lines = []
    if later or rest:
        lines.append(words["rest"].format(later=later, rest=rest, id=incident_id))
    unknown = {name for view in shown for name in (*view.duty.settled_by, *view.duty.waits_for)}
    if any(view.duty.assumed for view in shown):
        lines.append(words["assumed_note"])
    if unknown:
        lines.append(words["open"].format(count=len(unknown), id=incident_id))
    return ["", *lines] if lines else []
