"""Evaluating the record: facts in, duties with their clocks out, and what changed against the last time.

The evaluation runs inside the change that altered the facts, so the record never holds facts whose duties are not
stored with them. Inputs, the rules' hash and the result are kept, so that it can be replayed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

import rfc8785
from sqlmodel import Session, col, select

from incident.duties.orders import reopened_by, under_orders
from incident.duties.reminding import settle_reminders, watch_duties
from incident.duties.reviews import approved_until
from incident.duties.waivers import WAIVED, WaiverEnd, end_waiver
from incident.errors import BadInput
from incident.law.evaluate import evaluate
from incident.law.findings import Duty, DutyState, Finding
from incident.law.grading import SHIPPED as SHIPPED_SCALES
from incident.law.regime_files import regimes_that_can_be_read
from incident.law.regimes import SHIPPED, Regime, yaml_files
from incident.record.dossier import Dossier, dossier_in
from incident.record.facts import FactSheet, value_to_json
from incident.record.instructions import InstructionLine
from incident.settings import Settings
from incident.store.change import Change
from incident.store.store import Store
from incident.store.tables import DutyRow, Evaluation
from incident.workspace import Workspace

MET = "met"

_OF_MEETING = ("met_by", "met_evidence", "late_reason")
"""What is kept of how a duty was met, beside what the law says of it."""


class ChangeKind(StrEnum):
    """What can happen to a duty between two evaluations."""

    ARISEN = "arisen"
    FALLEN_AWAY = "fallen away"
    DUE_CHANGED = "due changed"
    NO_LONGER_ASSUMED = "no longer assumed"
    NOW_ASSUMED = "now assumed"
    NO_LONGER_WAIVED = "no longer waived"


@dataclass(frozen=True)
class DutyChange:
    """One difference between two evaluations."""

    duty_id: str
    kind: ChangeKind
    before: datetime | None
    after: datetime | None


@dataclass(frozen=True)
class Rules:
    """The regimes in use, the workspace's own first, and a hash that names them.

    `reviewed`: until which day counsel of this workspace approved a regime as its file stands, by its id. `files`: where
    each comes from. `broken`: what is wrong with the workspace's own files that are not in use for it.
    """

    regimes: tuple[Regime, ...]
    hash: str
    reviewed: Mapping[str, date] = field(default_factory=dict)
    files: Mapping[str, Path] = field(default_factory=dict)
    broken: tuple[BadInput, ...] = ()

    def may_hold(self, regime: str) -> bool:
        """Whether a regime that is not in use may stand in a file that cannot be read: then its clocks run on."""
        return bool(self.broken) and regime not in self.files

    def is_reviewed(self, regime: Regime, today: date) -> bool:
        """Whether counsel's approval, or the one in its file, reaches to this day."""
        until = self.reviewed.get(regime.id)
        return regime.is_reviewed(today) or (until is not None and today <= until)


def rules_in_use(workspace: Workspace) -> Rules:
    """The shipped regimes with the workspace's own (`regimes/` in the workspace; the same id wins), unreviewed."""
    own = workspace.root / "regimes"
    read = regimes_that_can_be_read(own)
    digest = hashlib.sha256()
    for folder in (SHIPPED, SHIPPED_SCALES, own):
        for file in yaml_files(folder) if folder.is_dir() else []:
            digest.update(hashlib.sha256(_bytes_of(file)).digest())
    return Rules(tuple(read.regimes.values()), digest.hexdigest(), files=read.files, broken=read.broken)


def rules_with_reviews(session: Session, workspace: Workspace) -> Rules:
    """The rules in use, with what counsel of this workspace approved."""
    rules = rules_in_use(workspace)
    return replace(rules, reviewed=approved_until(session, rules.files))


def _bytes_of(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError:
        return b""


def findings_for(
    sheet: FactSheet,
    settings: Settings,
    rules: Rules,
    *,
    now: datetime,
    orders: Sequence[InstructionLine] = (),
    met: Mapping[str, datetime] | None = None,
) -> tuple[Finding, ...]:
    """What each regime says of these facts within the workspace's scope, and what was ordered beside the law.

    `met`: when duties were met, by their ids (`Dossier.met`): the clocks of others run from there.
    """
    found = evaluate(
        rules.regimes,
        sheet,
        scope_countries=settings.scope.countries,
        organisations=settings.scope.organisation or (),
        now=now,
        reopened=reopened_by(orders),
        submitted=met,
        reviewed=rules.reviewed,
    )
    return under_orders(found, orders, zone=settings.zone)


def evaluate_duties(
    change: Change, store: Store, workspace: Workspace, settings: Settings, incident_id: str
) -> list[DutyChange]:
    """Evaluate the record as this change leaves it and store the duties; returns what changed."""
    dossier = dossier_in(change.session, store, incident_id)
    rules = rules_with_reviews(change.session, workspace)
    findings = findings_for(
        dossier.sheet, settings, rules, now=change.at, orders=dossier.instructions, met=dossier.met
    )
    stored = {row.duty_id: row for row in stored_duties(change.session, incident_id)}
    reopened = reopened_by(dossier.instructions)
    differences: list[DutyChange] = []
    for finding in findings:
        for duty in finding.duties:
            row = stored.pop(duty.id, None)
            differences += _differences(row, duty)
            if row is not None and row.state == WAIVED and duty.state is not DutyState.may_be_waived:
                end_waiver(change, store, incident_id, duty.id, _why_it_ends(duty, reopened))
            _store_duty(change, store, incident_id, finding, duty, row)
    for row in stored.values():
        if not rules.may_hold(row.regime):
            differences += _drop_duty(change, store, row)
    _store_evaluation(change, store, dossier, settings, rules, findings)
    settle_reminders(change, store, incident_id, settings=settings)
    watch_duties(change, settings, incident_id)
    return differences


def stored_duties(session: Session, incident_id: str) -> Sequence[DutyRow]:
    """The duties as last evaluated."""
    return session.exec(
        select(DutyRow).where(DutyRow.incident_id == incident_id).order_by(col(DutyRow.duty_id))
    ).all()


def met_duties(session: Session, incident_id: str) -> frozenset[str]:
    """The ids of the duties that were met."""
    return frozenset(row.duty_id for row in stored_duties(session, incident_id) if row.state == MET)


def settled_duties(session: Session, incident_id: str) -> frozenset[str]:
    """The ids of the duties for which nothing is left to do: met, or waived."""
    return frozenset(row.duty_id for row in stored_duties(session, incident_id) if row.state in (MET, WAIVED))


def meet_duty(
    change: Change,
    store: Store,
    incident_id: str,
    duty_id: str,
    *,
    at: datetime,
    how: str,
    evidence: Sequence[str] = (),
    late_reason: str = "",
) -> bool:
    """Mark a duty as met; returns whether it stood open, or was waived. One duty met closes no other.

    `evidence`: ids of what shows it. The clocks that run from here are set by the next evaluation, in the same change.
    """
    row = change.session.get(DutyRow, (incident_id, duty_id))
    if row is None or row.state in (MET, DutyState.not_owed):
        return False
    content = store.open(row, incident_id=incident_id)
    if row.state == WAIVED:
        end_waiver(change, store, incident_id, duty_id, WaiverEnd.MET)
    row.state = MET
    row.met_at = at
    said = dict(zip(_OF_MEETING, (how, list(evidence), late_reason), strict=True))
    change.put(row, {**content, **said})
    settle_reminders(change, store, incident_id)
    return True


def reopen_met_duty(change: Change, store: Store, row: DutyRow) -> None:
    """Take back that a duty was met: it is again what the law made of it at the last evaluation."""
    content = store.open(row, incident_id=row.incident_id)
    row.state, row.met_at = str(content["state"]), None
    change.put(row, {name: each for name, each in content.items() if name not in _OF_MEETING})


def _differences(row: DutyRow | None, duty: Duty) -> list[DutyChange]:
    if row is not None and row.state == MET:
        return []
    stood = row is not None and row.state != DutyState.not_owed
    before = row.due_at if row is not None and stood else None
    if row is not None and row.state == WAIVED and duty.is_standing:
        if duty.state is DutyState.may_be_waived:
            return []
        return [DutyChange(duty.id, ChangeKind.NO_LONGER_WAIVED, None, duty.due_at)]
    if duty.is_standing and not stood:
        return [DutyChange(duty.id, ChangeKind.ARISEN, None, duty.due_at)]
    if stood and not duty.is_standing:
        return [DutyChange(duty.id, ChangeKind.FALLEN_AWAY, before, None)]
    if row is None or not stood:
        return []
    found: list[DutyChange] = []
    if before != duty.due_at:
        found.append(DutyChange(duty.id, ChangeKind.DUE_CHANGED, before, duty.due_at))
    if row.assumed and not duty.assumed:
        found.append(DutyChange(duty.id, ChangeKind.NO_LONGER_ASSUMED, before, duty.due_at))
    if duty.assumed and not row.assumed:
        found.append(DutyChange(duty.id, ChangeKind.NOW_ASSUMED, before, duty.due_at))
    return found


def _why_it_ends(duty: Duty, reopened: frozenset[str]) -> WaiverEnd:
    if duty.id in reopened:
        return WaiverEnd.REOPENED
    return WaiverEnd.EXEMPTION_GONE if duty.is_standing else WaiverEnd.NOT_OWED


def _store_duty(
    change: Change, store: Store, incident_id: str, finding: Finding, duty: Duty, row: DutyRow | None
) -> None:
    content = duty_document(finding, duty)
    before = store.open(row, incident_id=incident_id) if row is not None else None
    state, met_at = str(duty.state), None
    if row is not None and before is not None and row.state == MET:
        state, met_at = MET, row.met_at
        content |= {name: before[name] for name in _OF_MEETING if name in before}
    elif row is not None and row.state == WAIVED and duty.state is DutyState.may_be_waived:
        state = WAIVED
    # Rows of earlier versions have nothing in the columns that lie open.
    if before == content and row is not None and row.urgency is not None:
        return
    fresh = DutyRow(
        incident_id=incident_id,
        duty_id=duty.id,
        regime=duty.regime,
        kind=duty.kind,
        state=state,
        assumed=duty.assumed,
        due_at=duty.due_at,
        met_at=met_at,
        evaluated_at=change.at,
        path=duty.path or None,
        urgency=duty.urgency,
        anchor_at=duty.anchor_at,
    )
    change.put(fresh, content)


def _drop_duty(change: Change, store: Store, row: DutyRow) -> list[DutyChange]:
    """End a stored duty whose regime no longer applies or is no longer in use; one that was met stays met."""
    if row.state in (MET, DutyState.not_owed):
        return []
    content = store.open(row, incident_id=row.incident_id)
    before = row.due_at
    end_waiver(change, store, row.incident_id, row.duty_id, WaiverEnd.NOT_OWED)
    row.state, row.due_at, row.assumed = DutyState.not_owed, None, False
    row.evaluated_at = change.at
    change.put(row, {**content, "state": row.state, "due_at": None, "assumed": False})
    return [DutyChange(row.duty_id, ChangeKind.FALLEN_AWAY, before, None)]


def duty_document(finding: Finding, duty: Duty) -> dict[str, Any]:
    """A duty as plain data: for the store, and for `--json`."""
    return {
        "id": duty.id,
        "regime": duty.regime,
        "title": dict(duty.title),
        "kind": str(duty.kind),
        "phase": str(duty.phase),
        "state": str(duty.state),
        "recipients": [{"key": each.key, "name": dict(each.name)} for each in duty.recipients],
        "article": duty.article,
        "path": duty.path,
        "urgency": str(duty.urgency),
        "anchor": duty.anchor_field,
        "anchor_at": _iso(duty.anchor_at),
        "due_at": _iso(duty.due_at),
        "assumed": duty.assumed,
        "settled_by": sorted(duty.settled_by),
        "waits_for": sorted(duty.waits_for),
        "waits_for_duty": duty.waits_for_duty,
        "elements": dict(duty.elements),
        "items": list(duty.items),
        "minimum": list(duty.minimum),
        "form": duty.form,
        "channels": [str(channel) for channel in duty.channels],
        "confidence": str(duty.confidence),
        "reviewed": duty.is_reviewed,
        "ordered": dict(duty.ordered) if duty.ordered is not None else None,
        "source": finding.source,
        "why": {language: duty.why.lines(language) for language in ("zh-Hans", "en")},
    }


def _store_evaluation(
    change: Change,
    store: Store,
    dossier: Dossier,
    settings: Settings,
    rules: Rules,
    findings: tuple[Finding, ...],
) -> None:
    inputs = {
        "facts": evaluated_facts(dossier.sheet),
        "orders": evaluated_orders(dossier.instructions),
        "met": evaluated_times(dossier.met, rules),
        "scope": sorted(settings.scope.countries),
        "organisation": sorted(settings.scope.organisation or ()),
        "now": _iso(change.at),
    }
    row = Evaluation(
        id=store.new_id(),
        incident_id=dossier.id,
        at=change.at,
        inputs_hash=hashlib.sha256(rfc8785.dumps(inputs)).hexdigest(),
        rules_hash=rules.hash,
    )
    outcomes = {finding.regime: str(finding.outcome) for finding in findings}
    change.put(row, {"inputs": inputs, "outcomes": outcomes})


def evaluated_facts(sheet: FactSheet) -> dict[str, Any]:
    """The facts as an evaluation keeps them, as JSON values."""
    return {name: value_to_json(value) for name, value in sorted(sheet.items())}


def evaluated_times(met: Mapping[str, datetime], rules: Rules) -> dict[str, str]:
    """When the duties were met from which the clocks of others run, as an evaluation keeps it, as JSON values."""
    anchors = {
        f"{regime.id}/{anchor.submission_of}"
        for regime in rules.regimes
        for duty in regime.duties
        for anchor in duty.anchors()
        if anchor.submission_of
    }
    return {duty_id: at.isoformat() for duty_id, at in sorted(met.items()) if duty_id in anchors}


def evaluated_orders(orders: Sequence[InstructionLine]) -> list[dict[str, Any]]:
    """The instructions as an evaluation keeps them, as JSON values: what each does, not its words."""
    return [
        {
            "instruction": order.label,
            "effect": str(order.effect),
            "duty": order.duty_id,
            "due_at": _iso(order.due_at),
            "settled": not order.stands,
        }
        for order in orders
    ]


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment is not None else None
