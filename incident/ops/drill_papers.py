"""The papers of a drill: the authorities' reports, and the report of the rehearsal itself."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from incident.ops.drill_first_hour import Says
from incident.proof.timeline import timeline
from incident.record.dossier import load_dossier
from incident.report.render import render_report_html, render_report_json
from incident.report.versions import fill_report, keep_version, report_duties
from incident.response.housework import House
from incident.workspace import search_path


def write_reports(house: House, incident_id: str, *, by: str, screen: Says) -> dict[str, Path]:
    """Fill the first report that each regime asks for, as a page and as data; returns what each file is."""
    now = house.clock()
    dossier = load_dossier(house.store, incident_id)
    folder = house.workspace.reports / incident_id
    folder.mkdir(parents=True)
    files: dict[str, Path] = {}
    standing = report_duties(house.findings(dossier), standing_only=True)
    first = {each.duty.regime: each for each in reversed(standing)}
    for regime in sorted(first):
        filled = fill_report(first[regime], dossier, house.workspace, house.settings, now=now)
        with house.store.write(incident_id, kind="report.filled", actor=by, now=now) as change:
            version = keep_version(change, house.store, incident_id, filled)
        name = f"{regime}-{filled.phase}-v{version.version}"
        html, document = folder / f"{name}.html", folder / f"{name}.json"
        html.write_text(
            render_report_html(filled, templates=search_path(house.workspace, "templates")), encoding="utf-8"
        )
        document.write_text(render_report_json(filled), encoding="utf-8")
        files[f"report {regime} ({filled.phase})"] = html
        files[f"report {regime} ({filled.phase}), JSON"] = document
        screen.line(f"{regime}, {filled.phase}: {len(filled.questions)} questions open")
    return files


def write_drill_report(
    house: House, incident_id: str, *, people: int, failed: Sequence[str], seconds: float
) -> Path:
    """Say what was rehearsed, how long it took, what did not hold, and the timeline; returns the file."""
    events = timeline(house.store, incident_id, language="en", zone=house.settings.zone)
    lines = [
        f"# Drill report, {incident_id}",
        "",
        f"- {people} made-up people, {seconds:.0f} s from the alert to the proof",
        f"- checks that did not hold: {'; '.join(failed) or 'none'}",
        "",
        "| when | what | by |",
        "|---|---|---|",
    ]
    for event in events:
        text = event.text.replace("|", "/").replace("\n", " ")
        lines.append(
            f"| {event.at.astimezone(house.settings.zone):%H:%M:%S} | {event.kind}: {text} | {event.by} |"
        )
    file = house.workspace.root / "drill-report.md"
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return file
