"""Evidence before what may destroy it: such a call waits until the record holds that the evidence is preserved.

Which measures these are is said by the catalogue (`evidence_first`). Whether a person logged the preserving or a run
did it is the same; an entry that was corrected away does not count.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlmodel import Session, col, select

from incident.errors import Refused
from incident.record.measures import measure_catalogue
from incident.response import events as e
from incident.store.tables import LogEntry

PRESERVED = "analyse.preserve-evidence"
LOOKS_AGAIN_S = 30.0  # whoever records the measure calls its runs at once; this is for who forgets to
WAITS = f"waits until the evidence is preserved: incident evidence add, then log --measure {PRESERVED}"


class EvidenceFirst(Refused):
    """A call may destroy evidence, and the record does not hold yet that it is preserved."""


def destroys_evidence(measures: Sequence[str]) -> bool:
    """Whether one of these measures may destroy evidence."""
    known = measure_catalogue()
    return any(known[each].evidence_first for each in measures if each in known)


def evidence_is_preserved(session: Session, incident_id: str) -> bool:
    """Whether the record holds, uncorrected, that the evidence is preserved."""
    replaced = select(LogEntry.corrects).where(
        LogEntry.incident_id == incident_id, col(LogEntry.corrects).is_not(None)
    )
    found = select(LogEntry.id).where(
        LogEntry.incident_id == incident_id,
        LogEntry.action == PRESERVED,
        col(LogEntry.id).not_in(replaced),
    )
    return session.exec(found).first() is not None


def waits_for_evidence(session: Session, incident_id: str, effect: e.Effect) -> bool:
    """Whether an effect of a run is a call that waits for the evidence."""
    if not isinstance(effect, e.RunCommand) or not destroys_evidence(effect.measures):
        return False
    return not evidence_is_preserved(session, incident_id)


def must_have_evidence(session: Session, incident_id: str, command: e.RunCommand) -> None:
    """Raises `EvidenceFirst` for a call that waits for the evidence."""
    if waits_for_evidence(session, incident_id, command):
        raise EvidenceFirst(
            "this may destroy evidence, and none is preserved yet",
            where=command.step,
            next_step=f"incident evidence add, then incident log {incident_id} TEXT --measure {PRESERVED}",
        )
