"""Evidence: files taken into custody, hashed while copied and sealed, each taking journalled."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlmodel import col, select

from incident.errors import Unreadable
from incident.record.incidents import must_be_open
from incident.store.blobs import blob_hash, store_blob
from incident.store.store import Store
from incident.store.tables import Evidence


@dataclass(frozen=True)
class EvidenceLine:
    """A piece of evidence as listed."""

    id: str
    name: str
    by: str
    note: str
    sha256: str
    size: int
    recorded_at: datetime
    place: str


def add_evidence(
    store: Store, incident_id: str, file: Path, *, blobs: Path, by: str, note: str, actor: str, now: datetime
) -> EvidenceLine:
    """Take a file into custody. Raises `BadInput` for one that cannot be read; then nothing is kept."""
    evidence_id = store.new_id()
    with store.read() as session:
        must_be_open(session, incident_id)
    folder = blobs / incident_id
    stored = store_blob(folder, file, name=evidence_id, key=store.key(incident_id))
    try:
        with store.write(incident_id, kind="evidence.added", actor=actor, now=now) as change:
            must_be_open(change.session, incident_id)
            row = Evidence(
                id=evidence_id,
                incident_id=incident_id,
                recorded_at=now,
                recorded_by=actor,
                sha256=stored.sha256,
                size=stored.size,
                blob=stored.place,
            )
            change.put(row, {"name": file.name, "by": by, "note": note})
    except BaseException:
        (folder / stored.place).unlink(missing_ok=True)
        raise
    return EvidenceLine(evidence_id, file.name, by, note, stored.sha256, stored.size, now, stored.place)


def list_evidence(store: Store, incident_id: str) -> list[EvidenceLine]:
    """All evidence of an incident, in the order in which it was taken."""
    with store.read() as session:
        rows = session.exec(
            select(Evidence).where(Evidence.incident_id == incident_id).order_by(col(Evidence.recorded_at))
        ).all()
    lines = []
    for row in rows:
        said = store.open(row, incident_id=incident_id)
        lines.append(
            EvidenceLine(
                row.id,
                said["name"],
                said["by"],
                said["note"],
                row.sha256,
                row.size,
                row.recorded_at,
                row.blob,
            )
        )
    return lines


def evidence_holds(store: Store, incident_id: str, line: EvidenceLine, *, blobs: Path) -> bool:
    """Whether the file in custody is still the one that was taken."""
    try:
        return blob_hash(blobs / incident_id, line.place, key=store.key(incident_id)) == line.sha256
    except Unreadable:
        return False
