"""Who is at work, as rows that people can look at. Nothing is fenced by them: that is the jobs' own affair."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass

from sqlmodel import Session

from incident.durable.jobs import run
from incident.store.store import Store
from incident.workspace import Workspace, worker_lives


@dataclass(frozen=True)
class Working:
    """A worker. `silent_for` is the seconds since its last sign of life, by the database's clock."""

    id: str
    host: str
    pid: int
    slots: int
    running_for: float
    silent_for: float


class Presence:
    """One worker's row: there while it works, renewed with each sign of life, removed at a clean end."""

    def __init__(self, store: Store, *, slots: int) -> None:
        self._store = store
        self._id = store.new_id()
        self._slots = slots

    def show(self) -> None:
        """Write the row, or renew it."""
        values = {"id": self._id, "host": socket.gethostname(), "pid": os.getpid(), "slots": self._slots}
        with self._store.transaction() as session:
            run(session, _SHOW, **values)

    def leave(self) -> None:
        """Remove the row."""
        with self._store.transaction() as session:
            run(session, "DELETE FROM worker WHERE id = :id", id=self._id)


_SHOW = """
    INSERT INTO worker (id, host, pid, slots, started_at, beats, beat_at)
    VALUES (:id, :host, :pid, :slots, <now>, 1, <now>)
    ON CONFLICT (id) DO UPDATE SET beats = worker.beats + 1, beat_at = excluded.beat_at"""


def workers(session: Session) -> list[Working]:
    """Every worker that did not end cleanly yet, the longest at work first."""
    rows = run(
        session,
        "SELECT id, host, pid, slots, <now> - started_at AS running, <now> - beat_at AS silent FROM worker"
        " ORDER BY started_at, id",
    )
    return [
        Working(row.id, row.host, row.pid, row.slots, max(row.running, 0.0), max(row.silent, 0.0))
        for row in rows
    ]


def somebody_works(store: Store, workspace: Workspace, *, stale: float) -> bool:
    """Whether a worker is at work: on one machine by its lock, on several by a sign of life in the last `stale` seconds."""
    if store.engine.dialect.name == "sqlite":
        return worker_lives(workspace)
    with store.read() as session:
        return any(each.silent_for <= stale for each in workers(session))


def forget_the_dead(session: Session, *, silent_for: float) -> int:
    """Remove the rows of workers that have been silent for so many seconds; returns how many."""
    return run(session, "DELETE FROM worker WHERE beat_at < <now> - :seconds", seconds=silent_for).rowcount


def wait_for(
    condition: Callable[[], bool], *, poll: float = 0.2, beat: Callable[[], None] | None = None
) -> None:
    """Follow work that another process does until `condition` holds, calling `beat` in between."""
    while not condition():
        if beat is not None:
            beat()
        time.sleep(poll)
