"""Waivers: the signed decision not to do what the law leaves to the organisation once an exemption is shown.

A waiver drops one duty of one incident. It ends when somebody withdraws it, when the exemption no longer holds, when an
authority's instruction reopens the duty, or when the duty is met after all; then the duty stands as before.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

import rfc8785
from sqlmodel import Session, col, select

from incident.errors import NotFound, Refused
from incident.law.findings import Duty, DutyState
from incident.law.regimes import Effect
from incident.record.decisions import Signer, Subject, Verdict, approvals, decide, voices
from incident.record.incidents import must_be_open
from incident.record.numbers import label_of, next_number
from incident.record.operators import Role
from incident.record.values import clean_prose
from incident.store.change import Change
from incident.store.store import Store
from incident.store.tables import DutyRow, Waiver

WAIVED = "waived"
"""The state of a stored duty that a standing waiver drops."""

SUBJECT_KIND = "waiver"
MAY_WAIVE = frozenset({Role.APPROVER, Role.COUNSEL})


class WaiverEnd(StrEnum):
    """Why a waiver no longer stands."""

    WITHDRAWN = "withdrawn"
    REOPENED = "reopened by an instruction"
    EXEMPTION_GONE = "the exemption no longer holds"
    NOT_OWED = "the duty fell away"
    MET = "the duty was met after all"


@dataclass(frozen=True)
class WaiverLine:
    """A waiver as it is read. `signed_by` is empty where no valid signature speaks for these very words."""

    id: str
    label: str
    duty_id: str
    at: datetime
    by: str
    reason: str
    article: str
    evidence: tuple[str, ...]
    signed_by: tuple[str, ...]
    ended_at: datetime | None
    ended: str
    ended_reason: str

    @property
    def stands(self) -> bool:
        return self.ended_at is None


def waive(
    change: Change,
    store: Store,
    incident_id: str,
    duty: Duty,
    *,
    reason: str,
    evidence: Sequence[str],
    signer: Signer,
    waiver_id: str,
) -> Waiver:
    """Sign that a duty is not carried out. `evidence` are the ids of what shows the exemption; the duty is stored.

    Raises `Refused` where the law does not leave it to the organisation, where the duty was met or waived already or
    nothing shows the exemption, and as `decide` does; `BadInput` for words that cannot be taken.
    """
    must_be_open(change.session, incident_id)
    row = change.session.get(DutyRow, (incident_id, duty.id))
    _must_be_waivable(change.session, incident_id, duty, row)
    assert row is not None  # noqa: S101 - a duty that may be waived is stored
    if not evidence:
        raise Refused(
            "an exemption has to be shown: no evidence was named",
            where=duty.id,
            next_step="take it into custody (`incident evidence add`), then name it with --evidence",
        )
    said = clean_prose(reason, where="--reason")
    content = {
        "reason": said,
        "evidence": sorted(evidence),
        "article": _waivable(duty),
    }
    waiver = Waiver(
        id=waiver_id,
        incident_id=incident_id,
        number=next_number(change.session, Waiver, incident_id),
        duty_id=duty.id,
        waived_at=change.at,
        waived_by=signer.name,
    )
    decision = decide(
        change,
        incident_id,
        subject_of(waiver, content),
        Verdict.APPROVED,
        signer=signer,
        needs=MAY_WAIVE,
        reason=said,
        decision_id=store.new_id(),
    )
    waiver.waived_at = decision.decided_at
    change.put(waiver, {**content, "ended": "", "ended_reason": ""})
    _set_state(change, store, row, WAIVED)
    return waiver


def withdraw_waiver(change: Change, store: Store, incident_id: str, duty_id: str, *, reason: str) -> Waiver:
    """Take a waiver back: the duty stands again. Raises `NotFound` where none stands, `BadInput` for an empty reason."""
    must_be_open(change.session, incident_id)
    said = clean_prose(reason, where="--withdraw")
    waiver = standing_waiver(change.session, incident_id, duty_id)
    if waiver is None:
        raise NotFound(
            f"no waiver of {duty_id} stands",
            where=incident_id,
            next_step=f"`incident decisions {incident_id}` lists what was signed",
        )
    row = change.session.get(DutyRow, (incident_id, duty_id))
    end_waiver(change, store, incident_id, duty_id, WaiverEnd.WITHDRAWN, reason=said)
    if row is not None:
        _set_state(change, store, row, DutyState.may_be_waived)
    return waiver


def end_waiver(
    change: Change, store: Store, incident_id: str, duty_id: str, why: WaiverEnd, *, reason: str = ""
) -> Waiver | None:
    """Mark the standing waiver of a duty as ended, if there is one. The state of the duty is the caller's."""
    waiver = standing_waiver(change.session, incident_id, duty_id)
    if waiver is None:
        return None
    content = store.open(waiver, incident_id=incident_id)
    waiver.ended_at = change.at
    change.put(waiver, {**content, "ended": str(why), "ended_reason": reason})
    return waiver


def standing_waiver(session: Session, incident_id: str, duty_id: str) -> Waiver | None:
    """The waiver that drops a duty now."""
    return session.exec(
        select(Waiver).where(
            Waiver.incident_id == incident_id, Waiver.duty_id == duty_id, col(Waiver.ended_at).is_(None)
        )
    ).first()


def list_waivers(session: Session, store: Store, incident_id: str, *, drill: bool) -> list[WaiverLine]:
    """All waivers of an incident, also ended ones, the first first. Raises `KeyMissing` or `Unreadable`."""
    mine = select(Waiver).where(Waiver.incident_id == incident_id).order_by(col(Waiver.number))
    lines = []
    for row in session.exec(mine).all():
        content = store.open(row, incident_id=incident_id)
        speak = approvals(voices(session, subject_of(row, content), drill=drill))
        lines.append(
            WaiverLine(
                id=row.id,
                label=label_of(row),
                duty_id=row.duty_id,
                at=row.waived_at,
                by=row.waived_by,
                reason=content["reason"],
                article=content["article"],
                evidence=tuple(content["evidence"]),
                signed_by=tuple(sorted(voice.operator.name for voice in speak)),
                ended_at=row.ended_at,
                ended=content["ended"],
                ended_reason=content["ended_reason"],
            )
        )
    return lines


def subject_of(row: Waiver, content: Mapping[str, Any]) -> Subject:
    """What is signed: the duty, why, on what evidence and under which article; not how it ended, which comes later."""
    signed = {
        "incident": row.incident_id,
        "duty": row.duty_id,
        **{name: content[name] for name in ("reason", "evidence", "article")},
    }
    return Subject(SUBJECT_KIND, row.id, hashlib.sha256(rfc8785.dumps(signed)).hexdigest())


def _must_be_waivable(session: Session, incident_id: str, duty: Duty, row: DutyRow | None) -> None:
    if row is not None and row.met_at is not None:
        raise Refused(f"{duty.id} was met already", where=incident_id)
    standing = standing_waiver(session, incident_id, duty.id)
    if standing is not None:
        raise Refused(
            f"{duty.id} was waived by {standing.waived_by} already ({label_of(standing)})",
            where=incident_id,
            next_step="--withdraw takes it back",
        )
    if duty.state is DutyState.not_owed:
        raise Refused(
            f"{duty.id} is not owed, so nothing is to be waived",
            where=incident_id,
            next_step="`incident duties --why` says why",
        )
    if duty.state is DutyState.may_be_waived:
        return
    offers = [each for each in duty.exemptions if each.effect is Effect.may_be_waived]
    if not offers:
        raise Refused(
            f"{duty.article} leaves no choice: {duty.id} is owed",
            where=incident_id,
            next_step="`incident duties --why` shows what it rests on",
        )
    facts = sorted({name for each in offers for name in each.reason.decides | each.reason.rests_on})
    articles = ", ".join(dict.fromkeys(each.article for each in offers))
    ordered = " or an instruction reopened it" if not facts else ""
    raise Refused(
        f"{duty.id} may be waived only where an exemption of {articles} is shown, and it is not{ordered}",
        where=incident_id,
        next_step=f"the facts that decide it: {', '.join(facts)}; state them with `incident set`"
        if facts
        else "`incident duties --why` shows what it rests on",
    )


def _waivable(duty: Duty) -> str:
    """The article under which the duty may be waived."""
    shown = [
        each.article
        for each in duty.exemptions
        if each.effect is Effect.may_be_waived and each.reason.answer.value == "met"
    ]
    return shown[0] if shown else duty.article


def _set_state(change: Change, store: Store, row: DutyRow, state: str) -> None:
    content = store.open(row, incident_id=row.incident_id)
    row.state = state
    change.put(row, content)
