"""Evidence: files taken into custody, hashed while copied and sealed, each taking journalled."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlmodel import col, select

from incident.errors import Unreadable
from incident.record.incidents import must_be_open, must_exist
from incident.record.values import clean_line, clean_prose
from incident.store.blobs import StoredBlob, blob_hash, store_blob
from incident.store.change import Change
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


@dataclass(frozen=True)
class TakenFile:
    """A file that lies sealed in custody and waits for its row."""

    id: str
    name: str
    stored: StoredBlob


@contextmanager
def take_files(
    store: Store, incident_id: str, files: Sequence[Path], *, blobs: Path
) -> Iterator[list[TakenFile]]:
    """Seal files into custody for the change made inside; when that fails, or a file cannot be read, none is kept.

    Raises `BadInput` for a file that cannot be read, `NotFound` or `Refused` as `must_be_open`.
    """
    with store.read() as session:
        must_be_open(session, incident_id)
    folder, taken = blobs / incident_id, list[TakenFile]()
    try:
        for file in files:
            name = store.new_id()
            taken.append(
                TakenFile(
                    name, _shown(file.name), store_blob(folder, file, name=name, key=store.key(incident_id))
                )
            )
        yield taken
    except BaseException:
        # An interrupt may come after the commit: then the file is in custody. If nobody can tell, it stays.
        recorded = _recorded(store, incident_id)
        for each in taken:
            if each.id not in recorded:
                (folder / each.stored.place).unlink(missing_ok=True)
        with suppress(OSError):
            folder.rmdir()
        raise


def _shown(name: str) -> str:
    """A file's name as text: bytes that are no characters, and signs that steer a terminal, are written out."""
    text = name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return "".join(sign if sign.isprintable() else f"\\u{ord(sign):04x}" for sign in text)


def _recorded(store: Store, incident_id: str) -> frozenset[str]:
    with store.read() as session:
        return frozenset(session.exec(select(Evidence.id).where(Evidence.incident_id == incident_id)).all())


def put_evidence(change: Change, incident_id: str, taken: TakenFile, *, by: str, note: str) -> EvidenceLine:
    """Record a file in custody, within a change. Raises `BadInput` for words that cannot be taken."""
    must_be_open(change.session, incident_id)
    by = clean_line(by, where="--by")
    note = clean_prose(note, where="--note") if note else ""
    row = Evidence(
        id=taken.id,
        incident_id=incident_id,
        recorded_at=change.at,
        recorded_by=change.actor,
        sha256=taken.stored.sha256,
        size=taken.stored.size,
        blob=taken.stored.place,
    )
    change.put(row, {"name": taken.name, "by": by, "note": note})
    return EvidenceLine(
        taken.id,
        taken.name,
        by,
        note,
        taken.stored.sha256,
        taken.stored.size,
        change.at,
        taken.stored.place,
    )


def add_evidence(
    store: Store, incident_id: str, file: Path, *, blobs: Path, by: str, note: str, actor: str, now: datetime
) -> EvidenceLine:
    """Take a file into custody. Raises `BadInput` for one that cannot be read; then nothing is kept."""
    with (
        take_files(store, incident_id, [file], blobs=blobs) as [taken],
        store.write(incident_id, kind="evidence.added", actor=actor, now=now) as change,
    ):
        return put_evidence(change, incident_id, taken, by=by, note=note)


def list_evidence(store: Store, incident_id: str) -> list[EvidenceLine]:
    """All evidence of an incident, in the order in which it was taken. Raises `NotFound`."""
    with store.read() as session:
        must_exist(session, incident_id)
        rows = session.exec(
            select(Evidence)
            .where(Evidence.incident_id == incident_id)
            .order_by(col(Evidence.recorded_at), col(Evidence.id))
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
