"""Counsel's approval of a regime: signed, for the file as it stands, until a day.

It binds the hash of the file in use, shipped or the workspace's own: any change of it, also one that comes with a new
version of Tocsin, voids the approval, and the regime is UNREVIEWED again. Approvals lie in the workspace's own chain.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from hashlib import sha256
from pathlib import Path

import rfc8785
from sqlmodel import Session, col, select

from incident.errors import BadInput, NotFound, Refused
from incident.record.decisions import Signer, signature_over
from incident.record.operators import Role, operator_named, roles_of
from incident.record.sshsig import verifies
from incident.store.change import Change
from incident.store.journal import WORKSPACE_CHAIN
from incident.store.store import Store
from incident.store.tables import Operator, RegimeReview

LONGEST = timedelta(days=731)
"""How far ahead an approval may reach: law changes, and who approved it may be gone."""


class ReviewState(StrEnum):
    """What an approval is worth today."""

    HOLDS = "holds"
    FILE_CHANGED = "the file changed since"
    OVER = "over"
    FORGED = "the signature does not hold"


@dataclass(frozen=True)
class ReviewLine:
    """The latest approval of a regime that was not withdrawn. `until`: the last day, included."""

    regime: str
    by: str
    approved_at: datetime
    until: date
    note: str
    state: ReviewState


def approve_regime(
    store: Store,
    regime: str,
    file: Path,
    *,
    until: date,
    note: str = "",
    signer: Signer,
    drill: bool,
    now: datetime,
    today: date,
) -> RegimeReview:
    """Sign that a regime as its file stands matches the law, until a day; an earlier approval is replaced.

    `today` is the day where counsel sits. Raises `BadInput` for a day that cannot be, `Refused` for somebody who is no
    counsel, for a simulated operator outside a drill, and where the file changed while it was signed.
    """
    _must_be_a_day_to_come(until, today=today)
    with store.read() as session:
        operator = _counsel(session, signer.name, drill=drill)
    digest = file_hash(file)
    text = statement_of(regime, digest, operator=operator.name, until=until, note=note, at=now)
    # Before the change: a passphrase or a touch may take a person a minute.
    signature = signature_over(text, operator, signer=signer, needs=Role.COUNSEL)
    if file_hash(file) != digest:
        raise Refused(
            "the file changed while it was signed; nothing was approved",
            where=str(file),
            next_step=f"read it again: `incident law show {regime}`",
        )
    with store.write(WORKSPACE_CHAIN, kind="regime.approved", actor=signer.name, now=now) as change:
        _counsel(change.session, signer.name, drill=drill)
        _end_earlier(change, regime)
        row = RegimeReview(
            id=store.new_id(),
            regime=regime,
            file_hash=digest,
            operator_id=operator.id,
            approved_at=now,
            until_day=until.isoformat(),
            statement=text,
            signature=signature,
        )
        change.put(row)
    return row


def withdraw_approval(store: Store, regime: str, *, by: str, drill: bool, now: datetime) -> None:
    """Let a regime be UNREVIEWED again. It takes counsel and no signature: it only makes people look.

    Raises `NotFound` where nothing is approved, and `Refused` for somebody who is no counsel.
    """
    with store.write(WORKSPACE_CHAIN, kind="regime.withdrawn", actor=by, now=now) as change:
        _counsel(change.session, by, drill=drill)
        if not _end_earlier(change, regime):
            raise NotFound(
                f"no approval of {regime} stands",
                next_step="`incident law list` shows which regimes are approved",
            )


def approved_until(session: Session, files: Mapping[str, Path]) -> dict[str, date]:
    """Until which day each regime is approved as its file stands; whether that day is over is not asked here."""
    return {
        regime: line.until
        for regime, line in reviews_of(session, files, today=date.min).items()
        if line.state is ReviewState.HOLDS
    }


def reviews_of(session: Session, files: Mapping[str, Path], *, today: date) -> dict[str, ReviewLine]:
    """The approvals that were not withdrawn, of the regimes in use, with what each is worth on a day."""
    found = session.exec(
        select(RegimeReview, Operator)
        .where(RegimeReview.operator_id == Operator.id, col(RegimeReview.withdrawn_at).is_(None))
        .order_by(col(RegimeReview.approved_at), col(RegimeReview.id))
    ).all()
    return {
        row.regime: _line(row, operator, files[row.regime], today)
        for row, operator in found
        if row.regime in files
    }


def file_hash(file: Path) -> str:
    """The SHA-256 of a regime's file. Raises `BadInput` where it cannot be read."""
    try:
        return sha256(file.read_bytes()).hexdigest()
    except OSError as error:
        raise BadInput(
            f"the file cannot be read ({error.strerror})", where=str(file), next_step="check its rights"
        ) from None


def statement_of(regime: str, digest: str, *, operator: str, until: date, note: str, at: datetime) -> str:
    """Exactly what is signed: canonical JSON (RFC 8785)."""
    content = {
        "approved_at": at.astimezone(UTC).isoformat(timespec="seconds"),
        "file_sha256": digest,
        "note": note,
        "operator": operator,
        "regime": regime,
        "until": until.isoformat(),
    }
    return rfc8785.dumps(content).decode()


def review_signature_holds(row: RegimeReview, operator: Operator) -> bool:
    """Whether the signature is the operator's over this very row."""
    if not verifies(row.statement.encode(), row.signature, operator.public_key):
        return False
    try:
        note = str(json.loads(row.statement)["note"])
        until = date.fromisoformat(row.until_day)
    except (ValueError, KeyError, TypeError):
        # Something else that the operator once signed under our namespace, or a row that was changed.
        return False
    again = statement_of(
        row.regime, row.file_hash, operator=operator.name, until=until, note=note, at=row.approved_at
    )
    return again == row.statement


def _line(row: RegimeReview, operator: Operator, file: Path, today: date) -> ReviewLine:
    holds = review_signature_holds(row, operator)
    return ReviewLine(
        regime=row.regime,
        by=operator.name,
        approved_at=row.approved_at,
        until=date.fromisoformat(row.until_day) if holds else date.min,
        note=str(json.loads(row.statement)["note"]) if holds else "",
        state=_state(row, file, today) if holds else ReviewState.FORGED,
    )


def _state(row: RegimeReview, file: Path, today: date) -> ReviewState:
    if file_hash(file) != row.file_hash:
        return ReviewState.FILE_CHANGED
    return ReviewState.OVER if date.fromisoformat(row.until_day) < today else ReviewState.HOLDS


def _end_earlier(change: Change, regime: str) -> int:
    standing = select(RegimeReview).where(
        RegimeReview.regime == regime, col(RegimeReview.withdrawn_at).is_(None)
    )
    rows = change.session.exec(standing).all()
    for row in rows:
        row.withdrawn_at = change.at
        change.put(row)
    return len(rows)


def _counsel(session: Session, name: str, *, drill: bool) -> Operator:
    operator = operator_named(session, name)
    if Role.COUNSEL not in roles_of(operator):
        raise Refused(
            f"{name} is no counsel",
            next_step="let somebody with the role counsel decide (`incident operator list`)",
        )
    if operator.simulated and not drill:
        raise Refused(
            f"{name} is a simulated operator and approves nothing outside a drill",
            next_step="let a person with a key of their own decide",
        )
    return operator


def _must_be_a_day_to_come(until: date, *, today: date) -> None:
    if until < today:
        raise BadInput(
            f"{until} is over already",
            where="--until",
            next_step="name the last day on which the approval is to hold; nothing was approved",
        )
    if until > today + LONGEST:
        raise BadInput(
            "an approval lasts two years at most",
            where="--until",
            next_step=f"name {today + LONGEST} or an earlier day; it can be approved anew",
        )
