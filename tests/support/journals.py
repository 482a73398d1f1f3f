"""Chains for tests: writing into one, and whether all of them hold."""

from __future__ import annotations

from incident.record.incidents import log_entry
from incident.store.journal import Head, check_chain
from incident.store.store import Store
from tests.support.workspaces import Made, open_one


def note(made: Made, chain: str, text: str) -> None:
    """An entry that holds only a text."""
    with made.store.write(chain, kind="noted", actor="ana", now=made.clock()) as change:
        change.note(text=text)


def log(made: Made, incident: str, text: str) -> str:
    """A log entry; returns its id."""
    with made.store.write(incident, kind="log.entered", actor="ana", now=made.clock()) as change:
        return log_entry(made.store, change, incident, text, at=made.clock(), by="Ana").id


def three_entries(made: Made) -> str:
    """An incident whose chain has three entries, a minute apart; returns its id."""
    incident = open_one(made)
    for number in range(2):
        made.clock.move(minutes=1)
        note(made, incident, f"note {number}")
    return incident


def sound(store: Store, *outside: Head) -> bool:
    """Whether every chain holds, in itself and against these heads."""
    return not any(
        check_chain(store.entries(chain), chain=chain, outside=outside) for chain in store.chains()
    )
