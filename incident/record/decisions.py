"""Signed decisions: an operator, a verdict, and the hash of exactly what was decided on.

Any edit of the subject changes its hash, so an older decision no longer speaks for it. Four eyes are two keys of
two people. Decisions of simulated operators count only in a workspace born as a drill.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from hashlib import sha256
from typing import Any

import rfc8785
from sqlmodel import Session, col, select

from incident.errors import Refused
from incident.record.operators import Role, operator_named, roles_of
from incident.record.sshsig import PrivateKey, public_line, sign, verifies
from incident.store.change import Change
from incident.store.sealing import keyed_hash
from incident.store.tables import Decision, Operator


class Verdict(StrEnum):
    APPROVED = "approved"
    REJECTED = "rejected"


@dataclass(frozen=True)
class Subject:
    """What is decided on: its kind (`notice`, `run-step`, ...), its id and the hash of its content."""

    kind: str
    id: str
    hash: str


@dataclass(frozen=True)
class Signer:
    """Who signs, with the private key at hand."""

    name: str
    key: PrivateKey


def statement_of(
    incident_id: str, subject: Subject, verdict: Verdict, *, operator: str, at: datetime, reason_hash: str
) -> str:
    """Exactly what is signed: canonical JSON (RFC 8785)."""
    content: dict[str, Any] = {
        "decided_at": at.astimezone(UTC).isoformat(timespec="seconds"),
        "incident": incident_id,
        "operator": operator,
        "reason_sha256": reason_hash,
        "subject": {"hash": subject.hash, "id": subject.id, "kind": subject.kind},
        "verdict": str(verdict),
    }
    return rfc8785.dumps(content).decode()


def decide(
    change: Change,
    incident_id: str,
    subject: Subject,
    verdict: Verdict,
    *,
    signer: Signer,
    needs: Role,
    reason: str = "",
    decision_id: str,
) -> Decision:
    """Record a signed decision within a change; the workspace's chain anchors it.

    Raises `Refused` when the operator lacks the role or the key at hand is not theirs.
    """
    operator = operator_named(change.session, signer.name)
    if needs not in roles_of(operator):
        raise Refused(
            f"{operator.name} is no {needs}",
            next_step=f"let somebody with the role {needs} decide (`incident operator list`)",
        )
    if public_line(signer.key) != operator.public_key:
        raise Refused(
            f"the key at hand is not the one that belongs to {operator.name}",
            next_step="name the right private key with --key or $INCIDENT_SIGNING_KEY",
        )
    # The statement outlives the incident's key; salted by it, the hash of a short reason cannot be guessed then.
    salt = keyed_hash(change.key, "decision-reason", decision_id).hex()
    reason_hash = sha256(f"{salt}\0{reason}".encode()).hexdigest()
    statement = statement_of(
        incident_id, subject, verdict, operator=operator.name, at=change.at, reason_hash=reason_hash
    )
    decision = Decision(
        id=decision_id,
        incident_id=incident_id,
        operator_id=operator.id,
        subject_kind=subject.kind,
        subject_id=subject.id,
        subject_hash=subject.hash,
        verdict=verdict,
        decided_at=change.at,
        statement=statement,
        signature=sign(statement.encode(), signer.key),
    )
    change.put(decision, {"reason": reason, "salt": salt})
    change.anchor()
    return decision


def signature_holds(decision: Decision, operator: Operator) -> bool:
    """Whether the signature is the operator's over this very row: its statement and all that it says."""
    if not verifies(decision.statement.encode(), decision.signature, operator.public_key):
        return False
    try:
        said = json.loads(decision.statement)
        reason_hash = str(said["reason_sha256"])
        verdict = Verdict(decision.verdict)
    except (ValueError, KeyError, TypeError):
        # Something else that the operator once signed under our namespace, or a row that was changed.
        return False
    subject = Subject(decision.subject_kind, decision.subject_id, decision.subject_hash)
    again = statement_of(
        decision.incident_id,
        subject,
        verdict,
        operator=operator.name,
        at=decision.decided_at,
        reason_hash=reason_hash,
    )
    return again == decision.statement


@dataclass(frozen=True)
class Voice:
    """A decision that counts, with its operator."""

    operator: Operator
    decision: Decision


def voices(session: Session, subject: Subject, *, drill: bool) -> list[Voice]:
    """The latest valid decision of each person on exactly this subject.

    Left out: decisions on an earlier content, forged ones, those of simulated operators outside a drill, and any that
    a retired operator signed afterwards.
    """
    found = session.exec(
        select(Decision)
        .where(Decision.subject_kind == subject.kind, Decision.subject_id == subject.id)
        .order_by(col(Decision.decided_at), col(Decision.id))
    ).all()
    latest: dict[str, Voice] = {}
    for decision in found:
        operator = session.get(Operator, decision.operator_id)
        if (
            operator is None
            or decision.subject_hash != subject.hash
            or not signature_holds(decision, operator)
        ):
            continue
        if operator.simulated and not drill:
            continue
        if operator.retired_at is not None and decision.decided_at > operator.retired_at:
            continue
        latest[operator.fingerprint] = Voice(operator, decision)
    return list(latest.values())


def approvals(found: Sequence[Voice]) -> list[Voice]:
    """Those who said yes."""
    return [voice for voice in found if voice.decision.verdict == Verdict.APPROVED]


def rejections(found: Sequence[Voice]) -> list[Voice]:
    """Those who said no."""
    return [voice for voice in found if voice.decision.verdict == Verdict.REJECTED]


SUBJECT_TITLES = {
    "notice": "release of the notice",
    "run-step": "playbook step",
    "destruction": "destruction of the data",
    "reveal": "a look at people's data",
    "hold": "the risk of a hold",
    "hold-lift": "lifting of a hold",
}
