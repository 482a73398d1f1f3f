"""A handler's hold on its job: the fence of its transactions, and whether it may still act."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import NoReturn, TypeVar

from sqlalchemy import event
from sqlmodel import Session

from incident.durable.brakes import Brakes
from incident.durable.jobs import Claim, JobState, on_one_machine, run, run_prepared
from incident.durable.watching import Moment, elapsed_clock
from incident.errors import Collided, ConflictingWrite, StoreUnavailable
from incident.store.store import Store

log = logging.getLogger(__name__)

T = TypeVar("T")

_OURS = f"kind = :kind AND key = :key AND attempt = :mine AND state = '{JobState.OPEN}'"
_BEAT = "beats = beats + 1, beat_at = <now>"


class Fenced(ConflictingWrite):
    """This attempt is no longer the job's current one: stop, touch nothing more."""


class Lease:
    """A handler's hold on its job.

    `fence` is the first call in each of its transactions. Before each thing that no transaction can take back, such as
    handing over one message, the handler asks `may_act`.
    """

    def __init__(
        self,
        store: Store,
        claim: Claim,
        stopping: threading.Event,
        *,
        brakes: Brakes | None = None,
        good_for: float | None = None,
        longest: float = 300.0,
    ) -> None:
        """`good_for` seconds after its last confirmed sign of life it may not act; None where nobody can take over."""
        self.store = store
        self.claim = claim
        self._stopping = stopping
        self._brakes = brakes or Brakes()
        self._good_for = good_for
        self._longest = longest
        self._confirmed = Moment.now()
        self._moved = elapsed_clock()
        self._allowed = longest
        self._lost = False
        self._let_go = False

    # -- what a handler asks -----------------------------------------------------------------------

    @property
    def stopping(self) -> bool:
        """Whether the worker was asked to stop: finish the group under way, then leave the job open."""
        return self._stopping.is_set()

    def may_act(self, *under: str) -> bool:
        """Whether something may be done outside now.

        Not when the job was taken away or may have been (no sign of life was confirmed for too long), when the
        handler has been at one step for too long, or when a brake is on; `under` names some besides the general one.
        """
        if self._lost or self.hangs or self._brakes.on(*under):
            return False
        return self._good_for is None or self._confirmed.seconds_until(Moment.now()) <= self._good_for

    @property
    def hangs(self) -> bool:
        """Whether the handler has taken no step for longer than it may."""
        return elapsed_clock() - self._moved > self._allowed

    def allow(self, seconds: float) -> None:
        """Say that the next step may take so long; its end is the next `fence`."""
        self._moved = elapsed_clock()
        self._allowed = max(seconds, self._longest)

    # -- in its transactions -----------------------------------------------------------------------

    def fence(self, session: Session, *, progress: bool = False) -> None:
        """Beat, and prove that this attempt is still ours. Raises `Fenced`.

        `progress` says that something was completed: the count of starts in vain begins anew.
        """
        vain = ", starts = 0" if progress else ""
        self._moved, self._allowed = elapsed_clock(), self._longest
        self._only_if_ours(session, f"UPDATE job SET {_BEAT}{vain} WHERE {_OURS}")
        if self._good_for is not None:
            begun = Moment.now()
            event.listen(session, "after_commit", lambda _: self.confirm(begun), once=True)

    def done(self, session: Session) -> None:
        """Close the job in the handler's last transaction, unless it was poked meanwhile: then it stays due."""
        self._leave(
            session,
            f"UPDATE job SET {_LET_GO}, next_at = 0,"
            f" state = CASE WHEN pokes = :pokes THEN '{JobState.DONE}' ELSE '{JobState.OPEN}' END WHERE {_OURS}",
        )

    def again(self, session: Session, *, after: float = 0.0, untried: bool = False) -> None:
        """Leave the job open and due in `after` seconds (at once, if it was poked meanwhile).

        `untried`: nothing could be tried, so that the count of starts in vain is what it was before this start.
        """
        self._leave(
            session,
            f"UPDATE job SET {_LET_GO_UNTRIED if untried else _LET_GO}, asked_at = <now>,"
            " next_at = CASE WHEN pokes = :pokes AND :after > 0 THEN <now> + :after ELSE 0 END"
            f" WHERE {_OURS}",
            after=float(after),
        )

    @property
    def let_go(self) -> bool:
        """Whether the handler said, by `done` or `again`, what becomes of the job."""
        return self._let_go

    def _leave(self, session: Session, statement: str, **values: float) -> None:
        claim = self.claim
        names = {"kind": claim.kind, "key": claim.key, "mine": claim.attempt, "pokes": claim.pokes}
        left = run_prepared(session, f"{statement} RETURNING pokes", **names, **values).fetchone()
        if left is None:
            self._fenced()
        elif left[0] != claim.pokes and not on_one_machine(session):
            # The offer that came with the poke found the job held, and is used up.
            from incident.durable.queue import wake_workers

            wake_workers(session, claim.kind, claim.key)
        self._let_go = True

    def _only_if_ours(self, session: Session, statement: str, **values: float) -> None:
        claim = self.claim
        names = {"kind": claim.kind, "key": claim.key, "mine": claim.attempt}
        changed = run_prepared(session, statement, **names, **values)
        if changed.rowcount != 1:
            self._fenced()

    def _fenced(self) -> NoReturn:
        self._lost = True
        raise Fenced(f"another worker took over {self.claim.kind}/{self.claim.key}")

    def insist(self, write: Callable[[], T]) -> T:
        """Run a transaction that records what has happened outside already, again while the store is away.

        Who gave up would lose what only they know, such as that a message was taken. It is tried for as long as the
        handler may take over one step, or for a few seconds once the worker is to stop; then the last
        error is raised. An attempt that was taken away meanwhile ends as `Fenced`.
        """
        return insist(write, patience=self._longest, stopping=self._stopping)

    # -- what the worker does for it ---------------------------------------------------------------

    def beat(self, session: Session) -> bool:
        """Give a sign of life from beside the handler; False if the job is not ours any more.

        A row that the handler's own transaction holds is left alone: its commit is the sign.
        """
        claim = self.claim
        names = {"kind": claim.kind, "key": claim.key, "mine": claim.attempt}
        if run(session, _BEAT_BESIDE, **names).rowcount == 1:
            return True
        found = run(session, f"SELECT 1 FROM job WHERE {_OURS}", **names).first()
        self._lost = self._lost or found is None
        return found is not None

    def confirm(self, begun: Moment) -> None:
        """A sign of life that was begun then has been committed."""
        self._confirmed = begun


_LET_GO = "beat_at = 0, starts = 0"
_LET_GO_UNTRIED = "beat_at = 0, starts = CASE WHEN starts > 0 THEN starts - 1 ELSE 0 END"
_BEAT_BESIDE = f"""
    UPDATE job SET {_BEAT} WHERE (kind, key) IN (SELECT kind, key FROM job WHERE {_OURS} <locked if free>)"""
_LAST_SECONDS = 20.0


def insist(
    write: Callable[[], T],
    *,
    patience: float = 20.0,
    pause: float = 0.5,
    stopping: threading.Event | None = None,
) -> T:
    """Run a transaction again while the store is unavailable, for `patience` seconds (20 once `stopping` is set)."""
    begun = elapsed_clock()
    told = False
    while True:
        try:
            return write()
        except (StoreUnavailable, Collided) as error:
            if not told and isinstance(error, StoreUnavailable):
                log.warning("what has happened cannot be written down just now; trying again: %s", error)
                told = True
            left = patience if stopping is None or not stopping.is_set() else min(patience, _LAST_SECONDS)
            if elapsed_clock() - begun >= left:
                raise
            time.sleep(pause)
