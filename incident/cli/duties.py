"""`incident duties` and `incident grade`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import typer

from incident.cli.desk import Desk, desk_of
from incident.cli.record import ID
from incident.cli.wording import span

if TYPE_CHECKING:
    from incident.duties.view import DutyView
    from incident.law.findings import Finding
    from incident.record.dossier import Dossier

app = typer.Typer(rich_markup_mode=None, add_completion=False)

_SHOWN_FACTS = 3
_SHOWN_QUESTIONS = 8
_STATES = {
    "en": {"owed": "owed", "may_be_waived": "may be waived", "not_owed": "not owed", "met": "met"},
    "zh-Hans": {"owed": "应履行", "may_be_waived": "可以免除", "not_owed": "无此义务", "met": "已履行"},
}
_URGENCY = {
    "en": {"immediately": "immediately", "promptly": "promptly"},
    "zh-Hans": {"immediately": "立即", "promptly": "及时"},
}


@app.command("duties", help="What is owed, by when, to whom.")
def duties(
    ctx: typer.Context,
    incident_id: str = ID,
    why: bool = typer.Option(False, "--why", help="Show the reasons, also for what is not owed."),
    everything: bool = typer.Option(False, "--all", help="Show met and unowed duties too."),
) -> None:
    from incident.cli.hold import hold_document, one_line, standing_holds
    from incident.duties.evaluating import duty_document, stored_duties
    from incident.duties.view import view_duties
    from incident.record.dossier import load_dossier

    desk = desk_of(ctx)
    dossier = load_dossier(desk.store, incident_id)
    findings = desk.house.findings(dossier)
    with desk.store.read() as session:
        stored = {row.duty_id: row for row in stored_duties(session, incident_id)}
    views = view_duties(findings, stored, desk.settings, now=desk.now())
    shown = [view for view in views if view.is_open or everything]
    document: dict[str, Any] = {
        "incident": incident_id,
        "at": desk.now(),
        "duties": [
            {
                **duty_document(view.finding, view.duty),
                "state": view.state,
                "met_at": view.met_at,
                "target_at": view.target_at,
                "overdue": view.is_overdue,
            }
            for view in views
        ],
        "measures": [
            {"action": each.action, "at": each.at, "by": each.by, "origin": each.origin}
            for each in dossier.measures
        ],
        "not_applying": [
            _why_not(finding, desk.language) for finding in findings if not _has_open(finding, views)
        ],
    }
    holds = standing_holds(desk, incident_id)
    document["holds"] = [hold_document(desk, each) for each in holds]
    columns = ("Duty", "To", "Due", "Left", "Rests on", "State", "Article", "Review")
    desk.table(columns, [_row(desk, view) for view in shown], document=document)
    if desk.as_json:
        return
    for each in holds:
        typer.echo(one_line(desk, each))
    for note in (*_measures(desk, dossier, shown), *_notes(desk, shown)):
        typer.echo(note)
    if why:
        _print_why(desk, views, findings)


@app.command("grade", help="The grade of an incident, with reasons.")
def grade_(
    ctx: typer.Context,
    incident_id: str = ID,
    why: bool = typer.Option(False, "--why", help="Show every criterion."),
) -> None:
    from incident.law.grading import grade, shipped_scales
    from incident.record.dossier import load_dossier

    desk = desk_of(ctx)
    dossier = load_dossier(desk.store, incident_id)
    rows, document = [], []
    results = [grade(scale, dossier.sheet) for scale in shipped_scales().values()]
    for result in results:
        low, high = (result.scale.grades[key][desk.language] for key in (result.lowest, result.highest))
        advice = result.advice()
        told = advice[desk.language] if advice else ""
        rows.append((result.scale.id, low, high, ", ".join(sorted(result.decides)), told))
        document.append(
            {
                "scale": result.scale.id,
                "lowest": result.lowest,
                "highest": result.highest,
                "decides": sorted(result.decides),
            }
        )
    desk.table(
        ("Scale", "At least", "At most", "Facts that would settle it", "Next"), rows, document=document
    )
    if why and not desk.as_json:
        for result in results:
            for criterion in result.criteria:
                for reason in criterion.answers.values():
                    for line in reason.lines(desk.language):
                        typer.echo(f"  {line}")


def _row(desk: Desk, view: DutyView) -> tuple[str, ...]:
    duty, language = view.duty, desk.language
    to = ", ".join(each.name[language] for each in duty.recipients)
    state = _STATES[language][view.state]
    rests = f"assumed, open: {_some(sorted(duty.settled_by))}" if duty.assumed else ""
    return (
        f"{duty.id}\n{duty.title[language]}",
        to,
        _due(desk, view),
        _left(view),
        rests or (f"{duty.anchor_field}" if duty.anchor_field else ""),
        state if view.met_at is None else f"{state} {desk.show(view.met_at)}",
        duty.article if duty.ordered is None else f"{duty.article}\n{duty.ordered[language]}",
        "" if duty.is_reviewed else f"UNREVIEWED ({duty.confidence})",
    )


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_SHOWN_FACTS])
    return shown if len(names) <= _SHOWN_FACTS else f"{shown} and {len(names) - _SHOWN_FACTS} more"


def _due(desk: Desk, view: DutyView) -> str:
    duty = view.duty
    if duty.due_at is not None:
        return desk.show(duty.due_at)
    if duty.waits_for:
        return "waits for " + ", ".join(sorted(duty.waits_for))
    word = _URGENCY[desk.language].get(str(duty.urgency), str(duty.urgency))
    target = f"\nown target {desk.show(view.target_at)}" if view.target_at is not None else ""
    return word + target


def _left(view: DutyView) -> str:
    if not view.is_open:
        return ""
    if view.left is not None:
        return f"OVERDUE {span(view.left)}" if view.is_overdue else span(view.left)
    return f"{span(view.elapsed)} passed" if view.elapsed is not None else ""


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


def _notes(desk: Desk, views: Sequence[DutyView]) -> list[str]:
    from incident.record.facts import field_named

    weight = Counter(name for view in views for name in (*view.duty.settled_by, *view.duty.waits_for))
    if not weight:
        return []
    # The fact that settles most duties is asked for first.
    asked = sorted(weight, key=lambda name: (-weight[name], name))
    assumed = any(view.duty.assumed for view in views)
    until = " (until then an assumed clock runs at its earliest)" if assumed else ""
    lines = ["", f"To be answered{until}:"]
    for name in asked[:_SHOWN_QUESTIONS]:
        field = field_named(name)
        lines.append(f"  {name}: {field.question[desk.language]} [{field.who}]")
    if len(asked) > _SHOWN_QUESTIONS:
        lines.append(f"  and {len(asked) - _SHOWN_QUESTIONS} more: {', '.join(asked[_SHOWN_QUESTIONS:])}")
    return lines


def _print_why(desk: Desk, views: Sequence[DutyView], findings: Sequence[Finding]) -> None:
    for view in views:
        typer.echo(f"\n{view.duty.id}  [{_STATES[desk.language][view.state]}]")
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
