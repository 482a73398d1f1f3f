"""The in-process runner: one worker on one machine, with nothing else to start."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress

from incident.durable.crew import Crew, Handler, KindIsFull
from incident.durable.jobs import Patience, due_jobs, due_kinds, look_again, take_all_away
from incident.durable.lease import Lease
from incident.durable.watching import Moment, elapsed_clock
from incident.errors import CarrierUnavailable, StoreUnavailable
from incident.store.store import Store

log = logging.getLogger(__name__)

_CLOCK_SET_BACK_SECONDS = 5.0
_STORE_AWAY_SECONDS = 120.0


class Runner:
    """Claims due jobs and runs each handler on a thread of its own.

    One runner a database, held by the workspace's worker lock. Taking the lock proves every earlier owner dead,
    so `work` first lets go of whatever they held, and lets every open job look for itself whether it must still wait. `handlers` stand in the order of their importance, and `at_once`
    limits a kind to so many jobs at a time: an alert must not wait behind a million e-mails.

    A handler that hangs is given up: its job gets a new attempt, and whatever the old one still does is fenced out.
    """

    def __init__(
        self,
        store: Store,
        handlers: Mapping[str, Handler],
        *,
        patience: Patience | None = None,
        at_once: Mapping[str, int] | None = None,
    ) -> None:
        self._at_once = dict(at_once or {})
        self._store = store
        self._patience = patience or Patience()
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._crew = Crew(store, handlers, patience=self._patience, stopping=self._stopping, alone=True)
        self._looked_at = Moment.now()
        self._away_since: float | None = None

    def stop(self) -> None:
        """Ask the runner to stop after the groups under way."""
        self._stopping.set()
        self._wake.set()

    def work(
        self, *, until: Callable[[], bool] | None = None, beat: Callable[[], None] | None = None
    ) -> None:
        """Work until `stop` is called, or until `until()` holds while nothing runs; `beat` is called in between.

        Raises `CarrierUnavailable` when handler after handler hangs, so that whoever supervises the worker starts a
        new one, and `NotInCharge` when another copy of the record became the one that acts.
        """
        with self._store.transaction() as session:
            take_all_away(session, max_starts=self._patience.max_starts)
            # The clock may have been set back while nobody worked: what waits for a time would wait too long.
            look_again(session)
        try:
            self._work_on(until, beat)
        finally:
            # The handlers must hear that it is over, and are waited for.
            self.stop()
            self._wait_for_handlers()

    def _work_on(self, until: Callable[[], bool] | None, beat: Callable[[], None] | None) -> None:
        while not self._stopping.is_set():
            self._wake.clear()
            self._take_a_turn()
            if until is not None and not self._crew.busy_with() and until():
                break
            if beat is not None:
                beat()
            self._wake.wait(self._patience.poll)

    def _take_a_turn(self) -> None:
        """Look at what there is to do. A long write of another process may keep the store for a while."""
        try:
            self._crew.look_at_brakes()
            self._mind_the_clock()
            self._crew.give_up_on_hanging()
            self._crew.put_back_what_was_left()
            for lease in self._claim(self._patience.slots - len(self._crew.busy_with())):
                self._begin(lease)
            self._away_since = None
        except StoreUnavailable as error:
            now = elapsed_clock()
            if self._away_since is None:
                self._away_since = now
                log.warning("the store cannot be used just now; trying again: %s", error)
            if now - self._away_since > _STORE_AWAY_SECONDS:
                raise

    def _begin(self, lease: Lease) -> None:
        name = f"job {lease.claim.kind}/{lease.claim.key}"
        threading.Thread(target=self._do, args=(lease,), name=name, daemon=True).start()

    def _do(self, lease: Lease) -> None:
        self._crew.do(lease)
        self._wake.set()

    def _claim(self, room: int) -> list[Lease]:
        if room <= 0:
            return []
        wanted: list[tuple[str, str]] = []
        busy = self._crew.busy_with()
        with self._store.read() as session:
            some_due = due_kinds(session)
            for kind in self._crew.kinds:
                if kind not in some_due:
                    continue
                running = sum(each == kind for each, _ in busy)
                most = min(room, self._at_once.get(kind, room + running) - running)
                if most > 0:
                    due = due_jobs(session, kind, limit=self._patience.slots + most)
                    found = [(each.kind, each.key) for each in due]
                    wanted += [name for name in found if name not in busy][:most]
        leases = []
        for kind, key in wanted[:room]:
            with suppress(KindIsFull):
                leases.append(self._crew.claim(kind, key))
        return [lease for lease in leases if lease is not None]

    def _mind_the_clock(self) -> None:
        """When the clock was set back, what waits for a time would wait too long: let it look for itself."""
        before, self._looked_at = self._looked_at, Moment.now()
        elapsed = self._looked_at.elapsed - before.elapsed
        if self._looked_at.wall - before.wall < elapsed - _CLOCK_SET_BACK_SECONDS:
            log.warning("the clock was set back; every open job looks again")
            with self._store.transaction() as session:
                look_again(session)

    def _wait_for_handlers(self) -> None:
        """Until every handler has left its job, or is known to hang."""
        while self._crew.busy_with():
            with suppress(CarrierUnavailable):
                self._crew.give_up_on_hanging()
            self._wake.wait(0.05)
            self._wake.clear()
