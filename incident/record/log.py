"""What people say happened: entries of the log, and entries that put an earlier one right.

A correction is a new entry; the old one stays in the timeline and counts no longer. What is not said again is kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from incident.errors import WrongUsage
from incident.record.incidents import entry_called, log_entry
from incident.record.values import clean_line, clean_prose
from incident.store.change import Change
from incident.store.store import Store
from incident.store.tables import LogEntry


@dataclass(frozen=True)
class Said:
    """What a person gave. None: not said, so an entry starts from now and whoever types, a correction from the old one."""

    text: str
    at: datetime | None = None
    by: str | None = None
    action: str | None = None
    no_action: bool = False
    evidence: Sequence[str] | None = None


@dataclass(frozen=True)
class Entered:
    """An entry as it stands now. `was`: the measure that the corrected entry told of."""

    row: LogEntry
    by: str
    evidence: tuple[str, ...]
    was: str | None

    @property
    def touches_measures(self) -> bool:
        return self.row.action is not None or self.was is not None


def enter(
    store: Store, change: Change, incident_id: str, said: Said, *, corrects: str | None = None
) -> Entered:
    """Log what was said, within a change; with `corrects` it replaces that entry.

    Raises `WrongUsage` for words that exclude each other, `BadInput` for text that cannot be taken, and as `log_entry`:
    of two corrections of one entry the second is refused.
    """
    _must_fit(said, corrects)
    text = clean_prose(said.text, where="TEXT")
    by = clean_line(said.by, where="--by") if said.by else None
    old = entry_called(change.session, incident_id, corrects) if corrects is not None else None
    before = store.open(old, incident_id=incident_id) if old is not None else {}
    at = said.at or (old.at if old is not None else change.at)
    was = old.action if old is not None else None
    who = by or before.get("by") or change.actor
    evidence = tuple(said.evidence or before.get("evidence", ()))
    row = log_entry(
        store,
        change,
        incident_id,
        text,
        at=at,
        by=who,
        action=None if said.no_action else said.action or was,
        evidence=evidence,
        corrects=old.id if old is not None else None,
    )
    return Entered(row, who, evidence, was)


def _must_fit(said: Said, corrects: str | None) -> None:
    if said.no_action and said.action is not None:
        raise WrongUsage("--measure and --no-measure exclude each other", next_step="give one of them")
    if said.no_action and corrects is None:
        raise WrongUsage(
            "--no-measure takes the measure off an entry that is corrected",
            next_step="name that entry with --corrects (`incident timeline` shows their ids)",
        )
