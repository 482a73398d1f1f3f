"""Questions that were decided: what was asked, between what, what was chosen and why. Signed by who decided.

A resolution is never edited. A later one replaces it, and both stay.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import rfc8785
from sqlmodel import Session, col, select

from incident.errors import BadInput, Refused
from incident.record.decisions import Signer, Subject, Verdict, approvals, decide, voices
from incident.record.dossier import must_be_readable
from incident.record.incidents import must_be_open, must_exist
from incident.record.numbers import label_of, next_number, row_called
from incident.record.operators import Role
from incident.settings import Born
from incident.store.change import Change
from incident.store.opening import born_as
from incident.store.store import Store
from incident.store.tables import Resolution

SUBJECT_KIND = "resolution"
MAY_DECIDE = frozenset({Role.RESPONDER, Role.APPROVER, Role.COMMUNICATOR, Role.COUNSEL})
MOST_OPTIONS = 20
LONGEST_TEXT = 4000


@dataclass(frozen=True)
class ResolutionLine:
    """A resolution as it is read. `signed_by` is empty when no valid signature speaks for these very words."""

    id: str
    label: str
    decided_at: datetime
    recorded_by: str
    question: str
    options: tuple[str, ...]
    decision: str
    reasons: str
    replaces: str | None
    replaced_by: str | None
    signed_by: tuple[str, ...]

    @property
    def stands(self) -> bool:
        """Whether it is the last word on its question."""
        return self.replaced_by is None


def resolve(
    change: Change,
    store: Store,
    incident_id: str,
    *,
    question: str,
    options: Sequence[str],
    choice: str,
    reasons: str,
    replaces: str | None,
    signer: Signer,
    resolution_id: str,
) -> Resolution:
    """Record and sign what was decided. `replaces` names an earlier one by its label.

    Raises `BadInput` for an empty text or a choice that is none of the options, `NotFound` for a label that names
    nothing, `Refused` for one that was replaced already, and as `decide` does.
    """
    must_be_open(change.session, incident_id)
    content = _content(question, options, choice, reasons)
    older = _to_be_replaced(change.session, incident_id, replaces) if replaces is not None else None
    row = Resolution(
        id=resolution_id,
        incident_id=incident_id,
        number=next_number(change.session, Resolution, incident_id),
        decided_at=change.at,
        recorded_by=change.actor,
        replaces=older.id if older is not None else None,
    )
    decision = decide(
        change,
        incident_id,
        subject_of(row, content),
        Verdict.APPROVED,
        signer=signer,
        needs=MAY_DECIDE,
        decision_id=store.new_id(),
    )
    row.decided_at = decision.decided_at
    change.put(row, content)
    return row


def subject_of(row: Resolution, content: Mapping[str, Any]) -> Subject:
    """What is signed: the words and what they replace. Its number is not part of it, as others may come first."""
    signed = {**content, "incident": row.incident_id, "replaces": row.replaces}
    return Subject(SUBJECT_KIND, row.id, hashlib.sha256(rfc8785.dumps(signed)).hexdigest())


def list_resolutions(session: Session, store: Store, incident_id: str) -> list[ResolutionLine]:
    """What was decided in an incident, the first first. Raises `NotFound`, `KeyDestroyed` or `KeyMissing`."""
    must_be_readable(store, must_exist(session, incident_id))
    drill = born_as(store) == Born.DRILL
    mine = select(Resolution).where(Resolution.incident_id == incident_id).order_by(col(Resolution.number))
    rows = session.exec(mine).all()
    labels = {row.id: label_of(row) for row in rows}
    later = {row.replaces: label_of(row) for row in rows if row.replaces is not None}
    lines = []
    for row in rows:
        content = store.open(row, incident_id=incident_id)
        speak = approvals(voices(session, subject_of(row, content), drill=drill))
        lines.append(
            ResolutionLine(
                id=row.id,
                label=labels[row.id],
                decided_at=row.decided_at,
                recorded_by=row.recorded_by,
                question=content["question"],
                options=tuple(content["options"]),
                decision=content["decision"],
                reasons=content["reasons"],
                replaces=labels.get(row.replaces) if row.replaces is not None else None,
                replaced_by=later.get(row.id),
                signed_by=tuple(sorted(voice.operator.name for voice in speak)),
            )
        )
    return lines


def _content(question: str, options: Sequence[str], decision: str, reasons: str) -> dict[str, Any]:
    texts = {"--question": question, "--decision": decision, "--reasons": reasons}
    for where, text in texts.items():
        _must_say_something(text, where=where)
    for option in options:
        _must_say_something(option, where="--option")
    choices = [option.strip() for option in options]
    if len(choices) > MOST_OPTIONS or len(set(choices)) < len(choices):
        raise BadInput(
            "the options are too many, or one stands there twice",
            where="--option",
            next_step=f"name each once, {MOST_OPTIONS} at most",
        )
    if choices and decision.strip() not in choices:
        raise BadInput(
            f"{decision.strip()!r} is none of the options",
            where="--decision",
            next_step="repeat one of them word for word, or name this one with --option too",
        )
    return {
        "question": question.strip(),
        "options": choices,
        "decision": decision.strip(),
        "reasons": reasons.strip(),
    }


def _must_say_something(text: str, *, where: str) -> None:
    if not text.strip():
        raise BadInput("this text is empty", where=where, next_step="say it in a few words")
    if len(text) > LONGEST_TEXT:
        raise BadInput(
            f"this text has {len(text)} characters, {LONGEST_TEXT} at most are kept",
            where=where,
            next_step="shorten it; a longer paper is kept by `incident evidence add`",
        )


def _to_be_replaced(session: Session, incident_id: str, label: str) -> Resolution:
    older = row_called(session, Resolution, incident_id, label)
    later = session.exec(select(Resolution).where(Resolution.replaces == older.id)).first()
    if later is not None:
        raise Refused(
            f"{label_of(older)} was replaced by {label_of(later)} already",
            next_step=f"replace that one: --replaces {label_of(later)}",
        )
    return older
