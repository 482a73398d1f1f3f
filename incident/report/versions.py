"""Reports to authorities from the record: which one a duty asks for, filled now, kept by version and hash."""

from __future__ import annotations

import json
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session, col, select

from incident.duties.evaluating import MET, meet_duty
from incident.errors import NotFound, Refused
from incident.law.categories import category_catalogue
from incident.law.findings import Duty, Finding
from incident.law.grading import grade, shipped_scales
from incident.law.regimes import DutyKind
from incident.notice.draft import NoticeInputs
from incident.record.dossier import Dossier
from incident.record.incidents import must_have_happened
from incident.report.fill import ReportInputs, fill
from incident.report.filled import FilledReport
from incident.report.forms import load_form
from incident.settings import Settings
from incident.store.change import Change
from incident.store.store import Store
from incident.store.tables import DutyRow, Report
from incident.workspace import Workspace

DRAFT, SUBMITTED = "draft", "submitted"
_SCALE_OF_FORM = {"cn-cac-incident": "cn-cac"}


@dataclass(frozen=True)
class ReportDuty:
    """A duty to report that has a form, with the regime it comes from."""

    finding: Finding
    duty: Duty

    @property
    def form(self) -> str:
        return self.duty.form or ""


def report_duties(findings: Iterable[Finding], *, standing_only: bool) -> list[ReportDuty]:
    """The duties to report that have a form, in the order of their regimes."""
    return [
        ReportDuty(finding, duty)
        for finding in findings
        for duty in finding.duties
        if duty.kind is DutyKind.report_authority and duty.form and (duty.is_standing or not standing_only)
    ]


def choose(
    duties: Sequence[ReportDuty], regime: str, phase: str | None, *, met: Container[str] = ()
) -> ReportDuty:
    """The duty of a regime and phase; without a phase, the first that stands open. Raises `NotFound`.

    `met` holds the ids of duties for which nothing is left to do (see `duties.evaluating.settled_duties`).
    """
    of_regime = [each for each in duties if each.duty.regime == regime]
    if not of_regime:
        known = ", ".join(sorted({each.duty.regime for each in duties}))
        raise NotFound(
            f"no report is made for {regime!r}", next_step=f"regimes with a report: {known or 'none'}"
        )
    if phase is None:
        standing = [each for each in of_regime if each.duty.is_standing and each.duty.id not in met]
        return (standing or of_regime)[0]
    for each in of_regime:
        if each.duty.phase == phase:
            return each
    phases = ", ".join(each.duty.phase for each in of_regime)
    raise NotFound(f"{regime} has no phase {phase!r}", next_step=f"its phases are {phases}")


def fill_report(
    chosen: ReportDuty,
    dossier: Dossier,
    workspace: Workspace,
    settings: Settings,
    *,
    now: datetime,
    language: str | None = None,
) -> FilledReport:
    """The report that a duty asks for, filled from the record as it stands."""
    record = NoticeInputs(
        reference=dossier.id,
        facts={name: stated.fact for name, stated in dossier.current.items()},
        measures=dossier.measures,
        organisation=settings.organisation,
        categories=category_catalogue(),
        written_at=now,
        zone=settings.zone,
    )
    scale = _SCALE_OF_FORM.get(chosen.form)
    due_at = chosen.duty.due_at
    inputs = ReportInputs(
        record=record,
        grade=grade(shipped_scales()[scale], dossier.sheet) if scale else None,
        late=due_at is not None and now > due_at,
        recipients=[dict(each.name) for each in chosen.duty.recipients],
    )
    folder = workspace.root / "forms"
    form = load_form(chosen.form, folders=(folder,) if folder.is_dir() else ())
    return fill(form, str(chosen.duty.phase), inputs, language=language)


def keep_version(change: Change, store: Store, incident_id: str, filled: FilledReport) -> Report:
    """Keep a filled report as a version; the same content again is the same version."""
    document = filled.as_document()
    latest = latest_report(change.session, incident_id, filled.form.regime, filled.phase)
    if latest is not None and latest.content_hash == document["sha256"]:
        return latest
    row = Report(
        id=store.new_id(),
        incident_id=incident_id,
        regime=filled.form.regime,
        phase=filled.phase,
        version=latest.version + 1 if latest else 1,
        state=DRAFT,
        content_hash=document["sha256"],
        created_at=change.at,
        created_by=change.actor,
    )
    change.put(row, json.loads(json.dumps(document)))
    return row


def latest_report(session: Session, incident_id: str, regime: str, phase: str) -> Report | None:
    """The newest version of a report."""
    return session.exec(
        select(Report)
        .where(Report.incident_id == incident_id, Report.regime == regime, Report.phase == phase)
        .order_by(col(Report.version).desc())
    ).first()


def record_submission(
    change: Change,
    store: Store,
    incident_id: str,
    duty_id: str,
    *,
    at: datetime,
    how: str,
    reference: str,
    late_reason: str = "",
) -> DutyRow:
    """Record that a report was handed in: its duty is then met, and the newest version of its phase submitted.

    The caller evaluates in the same change: the clocks of other duties may run from here. Raises `NotFound` or `Refused`.
    """
    must_have_happened(at, now=change.at)
    row = change.session.get(DutyRow, (incident_id, duty_id))
    if row is None:
        raise NotFound(f"{incident_id} has no duty {duty_id}", next_step="`incident duties` lists them")
    if row.state == MET:
        raise Refused(f"{duty_id} was met at {row.met_at:%Y-%m-%d %H:%M} UTC already", where=incident_id)
    told = f"{how}; reference {reference}" if reference else how
    if not meet_duty(change, store, incident_id, duty_id, at=at, how=told, late_reason=late_reason):
        raise Refused(
            f"{duty_id} is not owed", where=incident_id, next_step="`incident duties --why` says why not"
        )
    phase = store.open(row, incident_id=incident_id)["phase"]
    report = latest_report(change.session, incident_id, row.regime, phase)
    if report is not None and report.state == DRAFT:
        report.state = SUBMITTED
        report.submitted_at = at
        change.put(report)
    change.anchor()
    return row
