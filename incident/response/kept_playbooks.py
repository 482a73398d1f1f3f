"""The playbooks of a run, frozen at its start: a row of their own that is written once, beside the state that changes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Any

from sqlalchemy.orm import object_session
from sqlmodel import Session

from incident.errors import Unreadable
from incident.response.model import Playbook, dump
from incident.response.state import State
from incident.store.change import Change, open_row
from incident.store.store import Store
from incident.store.tables import Run, RunPlaybook

_MOST_READ = 64
"""Runs whose playbooks a process keeps at hand: more than a worker has under way at a time."""


@dataclass(frozen=True)
class Kept:
    """A run's playbook, and those it calls, by id."""

    playbook: Playbook
    children: Mapping[str, Playbook]


def keep_playbooks(change: Change, run: Run, state: State) -> None:
    """Keep what a run goes by: at its start, or with the next turn of one that an earlier version began."""
    content = {
        "playbook": dump(state.playbook),
        "children": {key: dump(each) for key, each in state.children.items()},
    }
    change.add(RunPlaybook(id=run.id, incident_id=run.incident_id), content)


def are_beside(document: Mapping[str, Any]) -> bool:
    """Whether a run's document leaves its playbooks to their own row; an earlier version wrote them into it."""
    return "playbook" not in document


def playbooks_of(store: Store, run: Run, document: Mapping[str, Any]) -> Kept:
    """What a run goes by, for the document that its row holds.

    Raises `KeyDestroyed`, `KeyMissing`, or `Unreadable`.
    """
    if not are_beside(document):
        return _read(document)
    key = store.key(run.incident_id)
    session = object_session(run)
    if isinstance(session, Session):
        return _opened(run.id, run.incident_id, _sealed(session, run), key)
    with store.read() as own:
        return _opened(run.id, run.incident_id, _sealed(own, run), key)


def _sealed(session: Session, run: Run) -> bytes:
    row = session.get(RunPlaybook, run.id)
    if row is None:
        raise Unreadable("the playbook of the run is not there", where=run.id)
    return row.sealed


@lru_cache(maxsize=_MOST_READ)
def _opened(run_id: str, incident_id: str, sealed: bytes, key: bytes) -> Kept:
    return _read(open_row(RunPlaybook(id=run_id, incident_id=incident_id, sealed=sealed), key=key))


def _read(content: Mapping[str, Any]) -> Kept:
    children = {name: Playbook.model_validate(each) for name, each in content.get("children", {}).items()}
    return Kept(Playbook.model_validate(content["playbook"]), MappingProxyType(children))
