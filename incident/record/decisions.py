"""Signed decisions: an operator, a verdict, and the hash of exactly what was decided on.

Any edit of the subject changes its hash, so an older decision no longer speaks for it. Four eyes are two keys of
two people. Decisions of simulated operators count only in a workspace born as a drill.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from hashlib import sha256
from typing import Any, TypeVar

import rfc8785
from sqlmodel import Session, col, select

from incident.errors import Refused
from incident.record.operators import Role, operator_named, roles_of
from incident.record.signing import SigningKey
from incident.record.sshsig import verifies
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
class Statement:
    """What is to be signed, with what the record needs besides: `salt` hides the reason in its hash."""

    decision_id: str
    at: datetime
    salt: str
    text: str


@dataclass(frozen=True)
class Signed:
    """A statement with its signature, made before the change that records it."""

    statement: Statement
    signature: str


@dataclass(frozen=True)
class Signer:
    """Who signs, with what makes the signature. See `signing_ahead` for the two other fields."""

    name: str
    key: SigningKey
    ahead: bool = False
    signed: Signed | None = None


class _SignatureWanted(Exception):
    """No error: it ends the rehearsal of a change, with what is to be signed."""

    def __init__(self, statement: Statement, public: str) -> None:
        super().__init__()
        self.statement = statement
        self.public = public


T = TypeVar("T")


def signing_ahead(signer: Signer, act: Callable[[Signer], T]) -> T:
    """Do what a signer decides, and let no change wait while a person types a passphrase or touches a device.

    `act` does it all with the signer that it is given: one change, one decision. A key that signs by itself does so
    within it. Where a person takes part, `act` is called twice: the first time up to the signature, and nothing of it is
    kept; then it is signed; the second time the signature is recorded if what is decided is still the same, to the
    byte. So what `act` decides on must be the same in both: an id made by chance, or a text that tells the time, is made
    before. Raises `Refused` when the record changed in between or nobody signed, and as `act` does.
    """
    if not signer.key.takes_a_person:
        return act(signer)
    try:
        return act(replace(signer, ahead=True))
    except _SignatureWanted as wanted:
        statement, public = wanted.statement, wanted.public
    return act(replace(signer, signed=_signed(statement, signer, public)))


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
    needs: Role | frozenset[Role],
    reason: str = "",
    decision_id: str,
) -> Decision:
    """Record a signed decision within a change; the workspace's chain anchors it.

    `needs` is a role, or several of which one is enough. Raises `Refused` when the operator lacks it, when the key at
    hand is not theirs or does not sign, and when what they signed ahead is not what is decided now.
    """
    operator = operator_named(change.session, signer.name)
    _must_have(operator, needs)
    if signer.key.public != operator.public_key:
        raise Refused(
            f"the key at hand is not the one that belongs to {operator.name}",
            next_step="name the right private key with --key or $INCIDENT_SIGNING_KEY",
        )

    def stated(decision_id: str, at: datetime) -> Statement:
        # The statement outlives the incident's key; salted by it, the hash of a short reason cannot be guessed then.
        salt = keyed_hash(change.key, "decision-reason", decision_id).hex()
        reason_hash = sha256(f"{salt}\0{reason}".encode()).hexdigest()
        text = statement_of(
            incident_id, subject, verdict, operator=operator.name, at=at, reason_hash=reason_hash
        )
        return Statement(decision_id, at, salt, text)

    if signer.signed is None:
        statement = stated(decision_id, change.at)
        if signer.ahead:
            raise _SignatureWanted(statement, operator.public_key)
        signed = _signed(statement, signer, operator.public_key)
    else:
        signed = signer.signed
        if signed.statement != stated(signed.statement.decision_id, signed.statement.at):
            raise Refused(
                f"what {operator.name} signed is not what the record holds by now; nothing was decided",
                where=incident_id,
                next_step="somebody changed it in between: look at it again, then decide",
            )
    decision = Decision(
        id=signed.statement.decision_id,
        incident_id=incident_id,
        operator_id=operator.id,
        subject_kind=subject.kind,
        subject_id=subject.id,
        subject_hash=subject.hash,
        verdict=verdict,
        decided_at=signed.statement.at,
        statement=signed.statement.text,
        signature=signed.signature,
    )
    change.put(decision, {"reason": reason, "salt": signed.statement.salt})
    change.anchor()
    return decision


def signature_over(text: str, operator: Operator, *, signer: Signer, needs: Role) -> str:
    """An operator's signature over a text that is no decision on an incident. It may wait for a person.

    Raises `Refused` when the operator lacks the role, and when the key at hand is not theirs or does not sign.
    """
    _must_have(operator, needs)
    if signer.key.public != operator.public_key:
        raise Refused(
            f"the key at hand is not the one that belongs to {operator.name}",
            next_step="name the right private key with --key or $INCIDENT_SIGNING_KEY",
        )
    return _verified(text, signer, operator.public_key)


def _must_have(operator: Operator, needs: Role | frozenset[Role]) -> None:
    wanted = frozenset({needs}) if isinstance(needs, Role) else needs
    if wanted & roles_of(operator):
        return
    named = " or ".join(role for role in Role if role in wanted)
    raise Refused(
        f"{operator.name} is no {named}",
        next_step=f"let somebody with the role {named} decide (`incident operator list`)",
    )


def _signed(statement: Statement, signer: Signer, public: str) -> Signed:
    return Signed(statement, _verified(statement.text, signer, public))


def _verified(text: str, signer: Signer, public: str) -> str:
    message = text.encode()
    signature = signer.key.sign(message)
    # It may come from an agent or a device. What does not verify is worth nothing, and nobody would notice until later.
    if not verifies(message, signature, public):
        raise Refused(
            f"the signature that was made is not by the key of {signer.name}",
            next_step="name the right private key with --key or $INCIDENT_SIGNING_KEY",
        )
    return signature


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


def counts(decision: Decision, operator: Operator, *, drill: bool) -> bool:
    """Whether a decision speaks for its operator: it is theirs, and they might sign it then and in this workspace."""
    if operator.simulated and not drill:
        return False
    if operator.retired_at is not None and decision.decided_at > operator.retired_at:
        return False
    return signature_holds(decision, operator)


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
        if operator is None or decision.subject_hash != subject.hash:
            continue
        if not counts(decision, operator, drill=drill):
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
    "resolution": "decision on a question",
    "counsel-note": "note for counsel",
    "counsel-reading": "reading of the notes for counsel",
    "waiver": "waiver of a duty",
}
