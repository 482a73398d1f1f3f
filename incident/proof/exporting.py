"""An incident in a format that others read: VERIS or STIX. Made, and journalled with the hash of what is handed out.

What leaves holds typed facts only: no name, no contact, no system, nothing of the people concerned, no judgement of
the law. Title and summary, which people wrote freely, go along only when that is asked for, and
their addresses and long numbers are masked.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlmodel import Session, col, select

from incident.errors import WrongUsage
from incident.proof.stix import Producer, Tlp, stix_bundle
from incident.proof.veris import veris_document
from incident.record.dossier import dossier_in
from incident.record.facts import in_language
from incident.settings import Settings
from incident.store.change import Change
from incident.store.journal import WORKSPACE_CHAIN
from incident.store.store import Store
from incident.store.tables import JournalEntry

EXPORT_MADE = "export.made"
"""The kind of the journal's entry."""


class ExportFormat(StrEnum):
    VERIS = "veris"
    STIX = "stix"


@dataclass(frozen=True)
class Exported:
    """What was handed out, byte for byte."""

    content: str
    sha256: str


def read_export_format(text: str) -> ExportFormat:
    """Raises `WrongUsage` naming those there are."""
    if text not in set(ExportFormat):
        raise WrongUsage(f"{text!r} is no format", where="--format", next_step=", ".join(ExportFormat))
    return ExportFormat(text)


def read_tlp(text: str, form: ExportFormat) -> Tlp:
    """The marking of a STIX export. Raises `WrongUsage` naming those there are, and for VERIS, which has none."""
    wanted = text.strip().lower().removeprefix("tlp:") or Tlp.AMBER
    if form is not ExportFormat.STIX and text:
        raise WrongUsage(
            "VERIS has no place for a marking", where="--tlp", next_step="leave it out, or use --format stix"
        )
    if wanted not in set(Tlp):
        raise WrongUsage(f"{text!r} is no marking", where="--tlp", next_step=", ".join(Tlp))
    return Tlp(wanted)


def make_export(
    change: Change,
    store: Store,
    settings: Settings,
    incident_id: str,
    form: ExportFormat,
    *,
    with_text: bool,
    tlp: Tlp,
) -> Exported:
    """Make an export within a change of the incident, of the kind `EXPORT_MADE`.

    The same record gives the same bytes. Raises `NotFound`, `KeyDestroyed` or `KeyMissing`.
    """
    dossier = dossier_in(change.session, store, incident_id)
    if form is ExportFormat.VERIS:
        document: Mapping[str, Any] = veris_document(dossier, zone=settings.zone, with_text=with_text)
        marked = {}
    else:
        house, record = (_first_entry(change.session, chain) for chain in (WORKSPACE_CHAIN, incident_id))
        organisation = in_language(settings.organisation.name, "en") or settings.workspace.name
        producer = Producer(organisation, house.hash, house.at)
        document = stix_bundle(dossier, producer, origin=record.hash, tlp=tlp, with_text=with_text)
        marked = {"tlp": str(tlp)}
    content = json.dumps(document, ensure_ascii=False, indent=2) + "\n"
    sha256 = hashlib.sha256(content.encode()).hexdigest()
    change.note(format=form, with_text=with_text, sha256=sha256, **marked)
    return Exported(content, sha256)


def _first_entry(session: Session, chain: str) -> JournalEntry:
    """The first entry of a chain. Its hash is of a salted body, so that no other house has the same."""
    first = select(JournalEntry).where(JournalEntry.chain == chain).order_by(col(JournalEntry.seq)).limit(1)
    return session.exec(first).one()
