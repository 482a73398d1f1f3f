"""What meets or waives a duty, together with what follows from it: the clocks of other duties run from there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from sqlmodel import col, select

from incident.duties.evaluating import MET, DutyChange, stored_duties
from incident.duties.meeting import (
    Performance,
    meet_outside,
    must_be_no_order,
    reason_on_record,
    take_back,
)
from incident.duties.orders import must_know_duty
from incident.duties.reminding import settle_reminders
from incident.duties.waivers import waive, withdraw_waiver
from incident.errors import NotFound, Refused
from incident.law.findings import Duty
from incident.law.regimes import DutyKind
from incident.ops.house import evaluate
from incident.record.custody import evidence_called
from incident.record.decisions import Signer
from incident.record.dossier import Dossier, dossier_in
from incident.record.evidence import list_evidence
from incident.report.versions import DRAFT, SUBMITTED, record_submission
from incident.response.housework import House
from incident.store.change import Change
from incident.store.tables import Campaign, DutyRow, Report, Waiver


def meet(
    house: House, change: Change, incident_id: str, duty_id: str, done: Performance
) -> tuple[DutyRow, list[DutyChange]]:
    """Record that a duty was met outside of Tocsin, and what that changes in the others.

    `done.evidence`: ids, or the beginnings of ids, of what is in custody. Raises `NotFound` for a duty (naming the
    nearest) or evidence that there is not, and as `meet_outside` does.
    """
    dossier, duty = _known_duty(house, change, incident_id, duty_id)
    _must_be_stored(house, change, incident_id, duty)
    known = replace(done, evidence=evidence_ids(house, incident_id, done.evidence))
    row = meet_outside(
        change, house.store, incident_id, duty, known, sheet=dossier.sheet, zone=house.settings.zone
    )
    return row, evaluate(house, change, incident_id)


def withdraw_met(
    house: House, change: Change, incident_id: str, duty_id: str, *, reason: str
) -> tuple[DutyRow, list[DutyChange]]:
    """Take back that a duty was met; a report that counted as handed in is a draft again.

    Raises `Refused` for what the notice that was sent has met, and as `take_back` does.
    """
    row = change.session.get(DutyRow, (incident_id, duty_id))
    if row is not None and row.state == MET and _met_by_notice(change, row):
        raise Refused(
            f"{duty_id} was met by the notice that was sent; the ledger shows to whom",
            where=incident_id,
            next_step=f"`incident deliveries {incident_id}` shows who got it",
        )
    met_at = row.met_at if row is not None else None
    row = take_back(change, house.store, incident_id, duty_id, reason=reason)
    _no_longer_submitted(house, change, row, met_at)
    return row, evaluate(house, change, incident_id)


def hand_in(
    house: House,
    change: Change,
    incident_id: str,
    duty_id: str,
    *,
    at: datetime,
    how: str,
    reference: str = "",
) -> tuple[DutyRow, list[DutyChange]]:
    """Record that a report was handed in, and what that changes in the other duties; late, for the reason on record.

    Raises as `record_submission`.
    """
    stored = change.session.get(DutyRow, (incident_id, duty_id))
    late = stored is not None and stored.due_at is not None and at > stored.due_at
    sheet = dossier_in(change.session, house.store, incident_id).sheet if late else {}
    row = record_submission(
        change,
        house.store,
        incident_id,
        duty_id,
        at=at,
        how=how,
        reference=reference,
        late_reason=reason_on_record(sheet),
    )
    return row, evaluate(house, change, incident_id)


def waive_duty(
    house: House,
    change: Change,
    incident_id: str,
    duty_id: str,
    *,
    reason: str,
    evidence: Sequence[str],
    signer: Signer,
    waiver_id: str,
) -> Waiver:
    """Sign that a duty is not carried out. Raises `NotFound` for a duty or evidence that there is not, and as `waive`."""
    _, duty = _known_duty(house, change, incident_id, duty_id)
    _must_be_stored(house, change, incident_id, duty)
    waiver = waive(
        change,
        house.store,
        incident_id,
        duty,
        reason=reason,
        evidence=evidence_ids(house, incident_id, evidence),
        signer=signer,
        waiver_id=waiver_id,
    )
    settle_reminders(change, house.store, incident_id, settings=house.settings)
    return waiver


def withdraw_waived(
    house: House, change: Change, incident_id: str, duty_id: str, *, reason: str
) -> tuple[Waiver, list[DutyChange]]:
    """Take a waiver back. Raises as `withdraw_waiver`."""
    waiver = withdraw_waiver(change, house.store, incident_id, duty_id, reason=reason)
    return waiver, evaluate(house, change, incident_id)


def evidence_ids(house: House, incident_id: str, names: Sequence[str]) -> list[str]:
    """The ids of the evidence that a person named by their beginnings. Raises `NotFound`."""
    if not names:
        return []
    lines = list_evidence(house.store, incident_id)
    return list(dict.fromkeys(evidence_called(lines, name).id for name in names))


def _known_duty(house: House, change: Change, incident_id: str, duty_id: str) -> tuple[Dossier, Duty]:
    must_be_no_order(duty_id)
    dossier = dossier_in(change.session, house.store, incident_id)
    try:
        return dossier, must_know_duty(house.findings(dossier), duty_id)
    except NotFound as error:
        raise NotFound(error.what, where=incident_id, next_step=error.next_step) from None


def _must_be_stored(house: House, change: Change, incident_id: str, duty: Duty) -> None:
    """Evaluate first where rules or scope changed since the duties were stored."""
    rows = {row.duty_id: row for row in stored_duties(change.session, incident_id)}
    row = rows.get(duty.id)
    if row is None or (row.met_at is None and row.due_at != duty.due_at):
        evaluate(house, change, incident_id)


def _met_by_notice(change: Change, row: DutyRow) -> bool:
    if row.kind != DutyKind.notify_people:
        return False
    mine = select(Campaign.id).where(
        Campaign.incident_id == row.incident_id, col(Campaign.ended_at) == row.met_at
    )
    return change.session.exec(mine.limit(1)).first() is not None


def _no_longer_submitted(house: House, change: Change, row: DutyRow, met_at: datetime | None) -> None:
    phase = house.store.open(row, incident_id=row.incident_id)["phase"]
    mine = select(Report).where(
        Report.incident_id == row.incident_id,
        Report.regime == row.regime,
        Report.phase == phase,
        Report.state == SUBMITTED,
    )
    for report in change.session.exec(mine).all():
        if report.submitted_at == met_at:
            report.state, report.submitted_at = DRAFT, None
            change.put(report)
