"""The chain of custody of evidence: taken in, looked at, copied out. Each step is an entry of the incident's journal."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from sqlmodel import Session, col, select

from incident.errors import BadInput, NotFound, Unreadable
from incident.record.evidence import EvidenceLine, list_evidence
from incident.record.values import clean_line
from incident.store.blobs import read_blob
from incident.store.change import Change
from incident.store.store import Store
from incident.store.tables import JournalEntry

VERIFIED, TAKEN_OUT = "evidence.verified", "evidence.taken-out"
"""Kinds of journal entries. Their bodies: {"verified": {id: holds}} and {"taken_out": {id, to, reason, sha256}}."""


class Step(StrEnum):
    TAKEN_IN = "taken in"
    VERIFIED = "verified"
    FAILED = "not the same"
    TAKEN_OUT = "copied out"
    UNREADABLE = "cannot be read"
    """The journal's entry was damaged: which evidence it was about cannot be told."""


@dataclass(frozen=True)
class CustodyStep:
    """One step: what was done with the evidence, when, by whom. `to` and `reason` for a copy, `sha256` where hashed."""

    evidence: str
    step: Step
    at: datetime
    by: str
    to: str = ""
    reason: str = ""
    sha256: str = ""


def evidence_called(lines: Sequence[EvidenceLine], name: str) -> EvidenceLine:
    """The evidence whose id begins so. Raises `NotFound`."""
    found = [line for line in lines if name and line.id.startswith(name)]
    if len(found) == 1:
        return found[0]
    what = f"{len(found)} pieces of evidence begin with {name}" if found else f"there is no evidence {name!r}"
    raise NotFound(what, next_step="`incident evidence list` shows their ids")


def custody_of(store: Store, incident_id: str, line: EvidenceLine) -> list[CustodyStep]:
    """All steps of one piece of evidence, in the order in which they were recorded, and those that cannot be read."""
    taken = CustodyStep(line.id, Step.TAKEN_IN, line.recorded_at, line.by, sha256=line.sha256)
    with store.read() as session:
        later = list(steps_recorded(session, store, incident_id))
    mine = (step for step in later if step.evidence == line.id or step.step is Step.UNREADABLE)
    return [taken, *mine]


def steps_recorded(session: Session, store: Store, incident_id: str) -> Iterator[CustodyStep]:
    """Every look at evidence of an incident and every copy that was taken out, from its journal."""
    entries = session.exec(
        select(JournalEntry)
        .where(JournalEntry.chain == incident_id, col(JournalEntry.kind).in_((VERIFIED, TAKEN_OUT)))
        .order_by(col(JournalEntry.seq))
    ).all()
    for entry in entries:
        try:
            body = store.body_of(incident_id, entry.seq) or {}
        except Unreadable:
            yield CustodyStep("", Step.UNREADABLE, entry.at, entry.actor)
            continue
        for evidence, holds in body.get("verified", {}).items():
            yield CustodyStep(evidence, Step.VERIFIED if holds else Step.FAILED, entry.at, entry.actor)
        if out := body.get("taken_out"):
            yield CustodyStep(
                out["id"], Step.TAKEN_OUT, entry.at, entry.actor, out["to"], out["reason"], out["sha256"]
            )


def record_verified(change: Change, results: Sequence[tuple[EvidenceLine, bool]]) -> None:
    """Journal that evidence was looked at, with what was found, in a change of kind `VERIFIED`."""
    change.note(verified={line.id: holds for line, holds in results})


def take_out(
    store: Store,
    incident_id: str,
    name: str,
    out: Path,
    *,
    blobs: Path,
    to: str,
    reason: str,
    actor: str,
    now: datetime,
) -> EvidenceLine:
    """Write an open copy of evidence to a new file (mode 0600), and journal who took it and why.

    A copy that cannot be journalled is taken away again. Raises `NotFound`; `BadInput` for words that cannot be taken and for a
    file that exists or cannot be written; `Unreadable` where the evidence is not the one that was taken in.
    """
    to, reason = clean_line(to, where="--to"), clean_line(reason, where="--reason")
    line = evidence_called(list_evidence(store, incident_id), name)
    with _new_file(out) as descriptor:
        _copy(store, incident_id, line, descriptor, blobs=blobs, out=out)
        with store.write(incident_id, kind=TAKEN_OUT, actor=actor, now=now) as change:
            change.note(taken_out={"id": line.id, "to": to, "reason": reason, "sha256": line.sha256})
    return line


@contextmanager
def _new_file(path: Path) -> Iterator[int]:
    """A file that did not exist, for what is written inside; when that fails it is gone again."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        raise BadInput(
            "there is a file already, and evidence is written over none",
            where=str(path),
            next_step="name a new file with -o",
        ) from None
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "no path has a zero byte"
        raise BadInput(
            f"the file cannot be written ({why})", where=str(path), next_step="name another place with -o"
        ) from error
    try:
        yield descriptor
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    finally:
        os.close(descriptor)


def _copy(
    store: Store, incident_id: str, line: EvidenceLine, descriptor: int, *, blobs: Path, out: Path
) -> None:
    digest = hashlib.sha256()
    try:
        for piece in read_blob(blobs / incident_id, line.place, key=store.key(incident_id)):
            digest.update(piece)
            written = 0
            while written < len(piece):
                written += os.write(descriptor, piece[written:])
        os.fsync(descriptor)
    except OSError as error:
        raise BadInput(
            f"the copy cannot be written ({error.strerror})",
            where=str(out),
            next_step="make room, or name another place",
        ) from error
    if digest.hexdigest() != line.sha256:
        raise Unreadable(
            "the file in custody is not the one that was taken in",
            where=line.id[:8],
            next_step="`incident evidence verify` looks at all; then put a backup back",
        )
