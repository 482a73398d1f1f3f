"""Duties that are met outside and duties that are waived, as the commands record them."""

from __future__ import annotations

from datetime import datetime

from incident.duties.evaluating import DutyChange, stored_duties
from incident.duties.meeting import Performance
from incident.duties.waivers import WaiverLine, list_waivers
from incident.ops.meeting import meet, waive_duty, withdraw_met, withdraw_waived
from incident.record.decisions import Signer, signing_ahead
from incident.record.evidence import add_evidence
from incident.store.tables import DutyRow, Waiver
from tests.support.breaches import Breach

PEOPLE = "cn-pipl-57/people"
"""The duty that PIPL 57(2) leaves to the handler where the harm was effectively avoided."""


def may_be_waived(breach: Breach) -> None:
    """Let the record show the exemption."""
    breach.state(harm_effectively_avoided=True, authority_requires_notice=False)


def evidence(breach: Breach, text: str = "nobody but the tester read it") -> str:
    """Take a paper into custody; returns its id."""
    made = breach.made
    file = made.workspace.root / "paper.txt"
    file.write_text(text, "utf-8")
    line = add_evidence(
        made.store,
        breach.id,
        file,
        blobs=made.workspace.blobs,
        by="ana",
        note="",
        actor="ana",
        now=made.clock(),
    )
    file.unlink()
    return line.id


def waived_by(
    breach: Breach, signer: Signer, duty_id: str = PEOPLE, *, shown_by: str | None = None
) -> Waiver:
    """Sign that a duty is not carried out."""
    made, waiver_id = breach.made, breach.made.store.new_id()
    shown = shown_by or evidence(breach)

    def act(signer: Signer) -> Waiver:
        with made.store.write(breach.id, kind="duty.waived", actor=signer.name, now=made.clock()) as change:
            return waive_duty(
                breach.house,
                change,
                breach.id,
                duty_id,
                reason="the one who read it signed that nothing was kept",
                evidence=[shown],
                signer=signer,
                waiver_id=waiver_id,
            )

    return signing_ahead(signer, act)


def withdrawn(breach: Breach, duty_id: str = PEOPLE, *, reason: str = "it was not so") -> list[DutyChange]:
    """Take a waiver back; returns what changed."""
    made = breach.made
    with made.store.write(breach.id, kind="duty.waiver_withdrawn", actor="ana", now=made.clock()) as change:
        return withdraw_waived(breach.house, change, breach.id, duty_id, reason=reason)[1]


def met(
    breach: Breach,
    duty_id: str,
    *,
    at: datetime | None = None,
    how: str = "told by phone",
    shown_by: tuple[str, ...] = (),
    late_reason: str = "",
) -> list[DutyChange]:
    """Record that a duty was met outside; returns what changed in the others."""
    made = breach.made
    done = Performance(at or made.clock(), how, shown_by, late_reason)
    with made.store.write(breach.id, kind="duty.met", actor="ana", now=made.clock()) as change:
        return meet(breach.house, change, breach.id, duty_id, done)[1]


def not_met(breach: Breach, duty_id: str, *, reason: str = "the wrong incident") -> list[DutyChange]:
    """Take back that a duty was met; returns what changed."""
    made = breach.made
    with made.store.write(breach.id, kind="duty.not_met", actor="ana", now=made.clock()) as change:
        return withdraw_met(breach.house, change, breach.id, duty_id, reason=reason)[1]


def rows(breach: Breach) -> dict[str, DutyRow]:
    """The duties as they are stored, by their ids."""
    with breach.made.store.read() as session:
        return {row.duty_id: row for row in stored_duties(session, breach.id)}


def waivers(breach: Breach) -> list[WaiverLine]:
    """All waivers, also ended ones."""
    with breach.made.store.read() as session:
        return list_waivers(session, breach.made.store, breach.id, drill=False)
