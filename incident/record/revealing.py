"""Showing people's data: masked by default, in clear only by a signed decision that the record keeps."""

from __future__ import annotations

import hashlib
from datetime import datetime

from incident.errors import Refused
from incident.record.decisions import Signer, Subject, Verdict, decide
from incident.record.operators import Role
from incident.store.store import Store
from incident.store.tables import Decision

REVEAL = "reveal"


def reveal(
    store: Store, incident_id: str, what: str, *, signer: Signer, reason: str, needs: Role, now: datetime
) -> Decision:
    """Record, signed, that an operator looked at people's data in clear; `what` names the list.

    Raises `Refused` without a reason, when the operator lacks the role or the key at hand is not theirs.
    """
    if not reason.strip():
        raise Refused(
            "whoever looks at people's data in clear says why",
            where=what,
            next_step="add --reason TEXT; it stays on record with the look",
        )
    with store.write(incident_id, kind="people.revealed", actor=signer.name, now=now) as change:
        subject = Subject(REVEAL, incident_id, hashlib.sha256(what.encode()).hexdigest())
        change.note(what=what)
        return decide(
            change,
            incident_id,
            subject,
            Verdict.APPROVED,
            signer=signer,
            needs=needs,
            reason=reason,
            decision_id=store.new_id(),
        )
