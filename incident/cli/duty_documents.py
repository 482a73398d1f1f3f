"""What `incident duties` looks at, and the same as plain data for `--json`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from incident.cli.duty_rows import NEXT, ways

if TYPE_CHECKING:
    from incident.cli.desk import Desk
    from incident.duties.view import DutyView
    from incident.law.findings import Finding
    from incident.record.dossier import Dossier
    from incident.record.holds import HoldLine


@dataclass(frozen=True)
class Looked:
    """The duties of one incident as they stand now."""

    dossier: Dossier
    findings: Sequence[Finding]
    views: Sequence[DutyView]
    holds: Sequence[HoldLine]


def look(desk: Desk, incident_id: str) -> Looked:
    """Evaluate the record as it stands, with how duties were met or waived. Raises as `load_dossier`."""
    from incident.cli.hold import standing_holds
    from incident.duties.evaluating import stored_duties
    from incident.duties.meeting import met_lines
    from incident.duties.view import view_duties
    from incident.duties.waivers import list_waivers
    from incident.record.dossier import load_dossier

    dossier, now = load_dossier(desk.store, incident_id), desk.now()
    findings = desk.house.findings(dossier)
    with desk.store.read() as session:
        stored = {row.duty_id: row for row in stored_duties(session, incident_id)}
        met = met_lines(session, desk.store, incident_id)
        waivers = list_waivers(session, desk.store, incident_id, drill=desk.house.drill)
    views = view_duties(findings, stored, desk.settings, now=now, met=met, waivers=waivers)
    return Looked(dossier, findings, views, standing_holds(desk, incident_id))


def document(desk: Desk, looked: Looked) -> dict[str, Any]:
    """The duties of one incident with all that is known of them."""
    from incident.cli.hold import hold_document

    return {
        "incident": looked.dossier.id,
        "at": desk.now(),
        "duties": [_duty(view) for view in looked.views],
        "measures": [
            {"action": each.action, "at": each.at, "by": each.by, "origin": each.origin}
            for each in looked.dossier.measures
        ],
        "not_applying": [
            _why_not(finding, desk.language)
            for finding in looked.findings
            if not _has_open(finding, looked.views)
        ],
        "holds": [hold_document(desk, each) for each in looked.holds],
    }


def _duty(view: DutyView) -> dict[str, Any]:
    from incident.duties.evaluating import duty_document
    from incident.duties.explaining import open_fields

    met, waiver = view.met, view.waiver
    return {
        **duty_document(view.finding, view.duty),
        "state": view.state,
        "status": view.status,
        "met_at": view.met_at,
        "met_by": met.how if met is not None else None,
        "met_evidence": list(met.evidence) if met is not None else [],
        "late_reason": met.late_reason if met is not None else "",
        "waiver": {
            "label": waiver.label,
            "at": waiver.at,
            "by": waiver.by,
            "reason": waiver.reason,
            "article": waiver.article,
            "evidence": list(waiver.evidence),
        }
        if waiver is not None
        else None,
        "target_at": view.target_at,
        "overdue": view.is_overdue,
        "next_24h": view.comes_within(NEXT),
        "waits_for_phase": view.waits_for_phase,
        "questions": [
            {"fact": field.name, "question": dict(field.question), "who": field.who}
            for field in open_fields(view.duty)
        ],
        "ways": ways(view.duty),
    }


def _has_open(finding: Finding, views: Sequence[DutyView]) -> bool:
    return any(view.finding.regime == finding.regime and view.is_open for view in views)


def _why_not(finding: Finding, language: str) -> dict[str, Any]:
    return {
        "regime": finding.regime,
        "outcome": str(finding.outcome),
        "why": finding.lines(language),
        "would_change_it": sorted(finding.decides | finding.rests_on),
    }
