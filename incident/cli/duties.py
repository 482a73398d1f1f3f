"""`incident duties`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import typer

from incident.cli.desk import Desk, desk_of
from incident.cli.duty_rows import NEXT, STATES, WORDS, row, ways

if TYPE_CHECKING:
    from incident.duties.view import DutyView
    from incident.law.findings import Finding
    from incident.record.dossier import Dossier
    from incident.record.holds import HoldLine

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@dataclass(frozen=True)
class _Looked:
    """The duties of one incident as they stand now."""

    dossier: Dossier
    findings: Sequence[Finding]
    views: Sequence[DutyView]
    holds: Sequence[HoldLine]


@app.command("duties", help="What is owed in the next 24 hours, by when, to whom.")
def duties(
    ctx: typer.Context,
    incident_id: str | None = typer.Argument(
        None, metavar="[ID]", help="The incident; without it, all that are open."
    ),
    why: bool = typer.Option(False, "--why", help="Show the reasons, also for what is not owed."),
    everything: bool = typer.Option(False, "--all", help="Show later, met and unowed duties too."),
) -> None:
    desk = desk_of(ctx)
    if incident_id is not None:
        looked = _look(desk, incident_id)
        if desk.as_json:
            desk.document(_document(desk, looked))
        else:
            _print(desk, looked, why=why, everything=everything)
        return
    found = list(_look_at_all(desk))
    if desk.as_json:
        desk.document({"at": desk.now(), "incidents": [_document(desk, looked) for looked in found]})
        return
    for looked in found:
        typer.echo(f"{looked.dossier.id}  {looked.dossier.title}")
        _print(desk, looked, why=why, everything=everything)
        typer.echo()
    if not found:
        typer.echo(WORDS[desk.language]["none_open"])


def _look(desk: Desk, incident_id: str) -> _Looked:
    from incident.cli.hold import standing_holds
    from incident.duties.evaluating import stored_duties
    from incident.duties.view import view_duties
    from incident.record.dossier import load_dossier

    dossier = load_dossier(desk.store, incident_id)
    findings = desk.house.findings(dossier)
    with desk.store.read() as session:
        stored = {row.duty_id: row for row in stored_duties(session, incident_id)}
    views = view_duties(findings, stored, desk.settings, now=desk.now())
    return _Looked(dossier, findings, views, standing_holds(desk, incident_id))


def _look_at_all(desk: Desk) -> Iterator[_Looked]:
    """Every open incident, the newest first; of one that cannot be read it is said, and the others are shown."""
    from incident.errors import BadInput, KeyMissing, Unreadable
    from incident.record.incidents import IncidentState, list_incidents

    for each in list_incidents(desk.store):
        if each.state != IncidentState.OPEN:
            continue
        try:
            yield _look(desk, each.id)
        except (KeyMissing, Unreadable, BadInput) as error:
            desk.say(f"warning: {each.id} cannot be read, so its duties are not shown: {error.what}")


def _document(desk: Desk, looked: _Looked) -> dict[str, Any]:
    from incident.cli.hold import hold_document
    from incident.duties.evaluating import duty_document

    views = looked.views
    return {
        "incident": looked.dossier.id,
        "at": desk.now(),
        "duties": [
            {
                **duty_document(view.finding, view.duty),
                "state": view.state,
                "met_at": view.met_at,
                "target_at": view.target_at,
                "overdue": view.is_overdue,
                "next_24h": view.comes_within(NEXT),
                "ways": ways(view.duty),
            }
            for view in views
        ],
        "measures": [
            {"action": each.action, "at": each.at, "by": each.by, "origin": each.origin}
            for each in looked.dossier.measures
        ],
        "not_applying": [
            _why_not(finding, desk.language) for finding in looked.findings if not _has_open(finding, views)
        ],
        "holds": [hold_document(desk, each) for each in looked.holds],
    }


def _print(desk: Desk, looked: _Looked, *, why: bool, everything: bool) -> None:
    from incident.cli.hold import one_line

    views = looked.views
    shown = [view for view in views if everything or view.comes_within(NEXT)]
    desk.table(WORDS[desk.language]["columns"], [row(desk, view) for view in shown])
    for each in looked.holds:
        typer.echo(one_line(desk, each))
    for note in (*_measures(desk, looked.dossier, shown), *_notes(desk, views, shown, looked.dossier.id)):
        typer.echo(note)
    if why:
        _print_why(desk, views, looked.findings)


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


def _print_why(desk: Desk, views: Sequence[DutyView], findings: Sequence[Finding]) -> None:
    for view in views:
        typer.echo(f"\n{view.duty.id}  [{STATES[desk.language][view.state]}]")
        for line in view.duty.why.lines(desk.language):
            typer.echo(f"  {line}")
        for exemption in view.duty.exemptions:
            typer.echo(f"  {exemption.title[desk.language]} ({exemption.article})")
            for line in exemption.reason.lines(desk.language):
                typer.echo(f"    {line}")
    for finding in findings:
        if not finding.duties:
            for line in finding.lines(desk.language):
                typer.echo(f"\n{line}")


def _has_open(finding: Finding, views: Sequence[DutyView]) -> bool:
    return any(view.finding.regime == finding.regime and view.is_open for view in views)


def _why_not(finding: Finding, language: str) -> dict[str, Any]:
    return {
        "regime": finding.regime,
        "outcome": str(finding.outcome),
        "why": finding.lines(language),
        "would_change_it": sorted(finding.decides | finding.rests_on),
    }
