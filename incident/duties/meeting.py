"""Duties that were met outside of Tocsin: a call to a hotline, a form on a portal, headquarters told by word of mouth.

That a duty was met is on record with when, how, and on what evidence; after its end, with why it was late. It is taken
back by a further entry, never erased.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Any

from sqlmodel import Session

from incident.duties.evaluating import MET, meet_duty, reopen_met_duty, stored_duties
from incident.duties.orders import ORDERED
from incident.errors import NotFound, Refused
from incident.law.findings import Duty
from incident.law.regimes import DutyKind
from incident.record.facts import Certainty, Fact, FactSheet
from incident.record.incidents import must_be_open, must_have_happened, state_facts
from incident.record.values import clean_prose
from incident.store.change import Change
from incident.store.store import Store
from incident.store.tables import DutyRow

DELAY_REASONS = "delay_reasons"
"""The fact in which the record keeps why a report is late, where a regime asks for it."""


@dataclass(frozen=True)
class Performance:
    """What somebody did. `evidence` are ids of what is in custody; `late_reason` is empty where it was in time."""

    at: datetime
    how: str
    evidence: Sequence[str] = ()
    late_reason: str = ""


@dataclass(frozen=True)
class MetLine:
    """How a duty was met, as it is read. Of duties that the house met itself, `how` says what it did."""

    at: datetime
    how: str
    evidence: tuple[str, ...]
    late_reason: str


def meet_outside(
    change: Change,
    store: Store,
    incident_id: str,
    duty: Duty,
    done: Performance,
    *,
    sheet: FactSheet,
    zone: tzinfo,
) -> DutyRow:
    """Record that a duty which stands was met. `sheet`: the facts in force; `zone` is for times that people read.

    A reason for being late is stated as a fact too, where the regime asks for it and the record has none. Raises
    `Refused` for a duty that does not stand or was met already, for a notice to people without evidence, for a time
    that is still to come or lies before the duty began to run, and for one that was late without a reason.
    """
    must_be_open(change.session, incident_id)
    row = change.session.get(DutyRow, (incident_id, duty.id))
    _must_stand_open(incident_id, duty, row)
    if duty.kind is DutyKind.notify_people and not done.evidence:
        raise Refused(
            f"{duty.id} is met by the notice that is sent from here, person by person",
            where=incident_id,
            next_step="if people were told in another way, show it: --evidence (`incident evidence add`)",
        )
    must_have_happened(done.at, now=change.at, option="--at")
    if duty.anchor_at is not None and done.at < duty.anchor_at:
        raise Refused(
            f"{duty.id} runs from {_moment(duty.anchor_at, zone)}; it cannot have been met before",
            where=_moment(done.at, zone),
            next_step="check --at, and the time from which it runs (`incident duties --why`)",
        )
    how = clean_prose(done.how, where="--how")
    reason = _reason_for_delay(change, store, incident_id, duty, done, sheet=sheet, zone=zone)
    meet_duty(
        change, store, incident_id, duty.id, at=done.at, how=how, evidence=done.evidence, late_reason=reason
    )
    assert row is not None  # noqa: S101 - it stands open, so it is stored
    return row


def take_back(change: Change, store: Store, incident_id: str, duty_id: str, *, reason: str) -> DutyRow:
    """Record that a duty was not met after all; the reason stands in the journal.

    Raises `NotFound` or `Refused`, and `BadInput` for an empty reason.
    """
    must_be_open(change.session, incident_id)
    row = change.session.get(DutyRow, (incident_id, duty_id))
    if row is None:
        raise NotFound(f"{incident_id} has no duty {duty_id}", next_step="`incident duties --all` lists them")
    if row.state != MET:
        raise Refused(f"{duty_id} does not stand as met", where=incident_id)
    if row.regime == ORDERED:
        raise _is_an_order(duty_id)
    change.note(duty=duty_id, withdrawn=clean_prose(reason, where="--withdraw"))
    reopen_met_duty(change, store, row)
    return row


def reason_on_record(sheet: FactSheet) -> str:
    """Why a report is late, as the facts say it; empty where they do not. Of several languages each is kept."""
    known = sheet.get(DELAY_REASONS)
    if known is None:
        return ""
    return " / ".join(known.values()) if isinstance(known, Mapping) else str(known)


def must_be_no_order(duty_id: str) -> None:
    """Raises `Refused` for a line that is owed by an instruction alone: settling the instruction meets it."""
    if duty_id.startswith(f"{ORDERED}/"):
        raise _is_an_order(duty_id)


def met_lines(session: Session, store: Store, incident_id: str) -> dict[str, MetLine]:
    """How each duty was met that was, by its id. Raises `KeyMissing` or `Unreadable`."""
    return {
        row.duty_id: met_line(row.met_at, store.open(row, incident_id=incident_id))
        for row in stored_duties(session, incident_id)
        if row.state == MET and row.met_at is not None
    }


def met_line(at: datetime, content: Mapping[str, Any]) -> MetLine:
    """How a duty was met, from what is sealed in its row."""
    # Rows of earlier versions know no evidence and no reason.
    return MetLine(
        at,
        content.get("met_by", ""),
        tuple(content.get("met_evidence", ())),
        content.get("late_reason", ""),
    )


def _must_stand_open(incident_id: str, duty: Duty, row: DutyRow | None) -> None:
    if row is not None and row.state == MET:
        raise Refused(
            f"{duty.id} was met at {row.met_at:%Y-%m-%d %H:%M} UTC already",
            where=incident_id,
            next_step="if that is wrong, take it back first: --withdraw REASON",
        )
    if not duty.is_standing:
        raise Refused(
            f"{duty.id} is not owed ({duty.article})",
            where=incident_id,
            next_step="`incident duties --why` says why; what was done all the same belongs into `incident log`",
        )


def _reason_for_delay(
    change: Change,
    store: Store,
    incident_id: str,
    duty: Duty,
    done: Performance,
    *,
    sheet: FactSheet,
    zone: tzinfo,
) -> str:
    if duty.due_at is None or done.at <= duty.due_at:
        return ""
    known = reason_on_record(sheet) if DELAY_REASONS in duty.late_fields else ""
    if done.late_reason:
        reason = clean_prose(done.late_reason, where="--late-reason")
        if DELAY_REASONS in duty.late_fields and not known:
            said = Fact(DELAY_REASONS, reason, change.actor, duty.id, Certainty.claimed, change.at)
            state_facts(store, change, incident_id, [said])
        return reason
    if known:
        return known
    raise Refused(
        f"{duty.id} was due at {_moment(duty.due_at, zone)}; it was met late",
        where=_moment(done.at, zone),
        next_step="say why with --late-reason"
        + (f", or as the fact {DELAY_REASONS}" if DELAY_REASONS in duty.late_fields else ""),
    )


def _is_an_order(duty_id: str) -> Refused:
    return Refused(
        f"{duty_id} is owed by an instruction alone, and is met when that is settled",
        next_step=f"`incident instruction settle ID {duty_id.rpartition('/')[2]} --how ...`",
    )


def _moment(at: datetime, zone: tzinfo) -> str:
    return f"{at.astimezone(zone):%Y-%m-%d %H:%M %z}"
