"""The playbooks of a run, frozen at its start: a row of their own that is written once, beside the state that changes."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy.orm import Session, object_session

from incident.errors import Unreadable
from incident.response.model import Playbook, dump
from incident.response.run_rows import playbook_row
from incident.response.state import State
from incident.store.change import Change, row_name
from incident.store.sealing import unseal
from incident.store.store import Store
from incident.store.tables import Run, RunPlaybook

_MOST_AT_HAND = 64
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


def playbooks_of(
    store: Store,
    run: Run,
    document: Mapping[str, Any],
    *,
    anew: bool = False,
    session: Session | None = None,
) -> Kept:
    """What a run goes by, for the document that its row holds; `anew` reads it as it stands now.

    It is read in `session`, or in the one that the row came from, or in one of its own.

    Raises `KeyDestroyed`, `KeyMissing`, or `Unreadable`.
    """
    if not are_beside(document):
        return _read(document)
    if anew:
        return _opened(store, run, session)
    name = (run.id, store.key(run.incident_id))
    # Its row is written once, so whoever has read it need not look again.
    found = _at_hand(store).get(name)
    return found if found is not None else _keep_at_hand(store, name, _opened(store, run, session))


# What a process has read of each store's runs; under each key its own, so that a destroyed one opens nothing here.
_AT_HAND: WeakKeyDictionary[Store, dict[tuple[str, bytes], Kept]] = WeakKeyDictionary()
_GUARD = threading.Lock()


def _at_hand(store: Store) -> dict[tuple[str, bytes], Kept]:
    with _GUARD:
        return _AT_HAND.setdefault(store, {})


def _keep_at_hand(store: Store, name: tuple[str, bytes], kept: Kept) -> Kept:
    found = _at_hand(store)
    with _GUARD:
        found[name] = kept
        if len(found) > _MOST_AT_HAND:
            del found[next(iter(found))]
    return kept


def _opened(store: Store, run: Run, session: Session | None) -> Kept:
    key = store.key(run.incident_id)
    session = session or object_session(run)
    if session is not None:
        return _of_text(_text(session, run, key))
    with store.read() as own:
        return _of_text(_text(own, run, key))


def _text(session: Session, run: Run, key: bytes) -> bytes:
    row = playbook_row(session, run.id)
    if row is None:
        raise Unreadable("the playbook of the run is not there", where=run.id)
    return unseal(key, row.sealed, bound_to=row_name(row))


@lru_cache(maxsize=_MOST_AT_HAND)
def _of_text(text: bytes) -> Kept:
    """Many runs go by the same few playbooks."""
    return _read(json.loads(text))


def _read(content: Mapping[str, Any]) -> Kept:
    children = {name: Playbook.model_validate(each) for name, each in content.get("children", {}).items()}
    return Kept(Playbook.model_validate(content["playbook"]), MappingProxyType(children))
