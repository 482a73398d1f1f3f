"""The crew: the handlers of one worker, the leases they hold at this moment, and the signs of life given for them."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping

from incident.durable.brakes import EVERYTHING, Brakes, brake_names
from incident.durable.jobs import Claim, Patience, claim, give_up, put_back
from incident.durable.lease import Fenced, Lease
from incident.durable.limits import is_full
from incident.durable.watching import Moment
from incident.errors import CarrierUnavailable
from incident.store.instance import NotInCharge, must_be_in_charge
from incident.store.store import Store

log = logging.getLogger(__name__)

Handler = Callable[[Lease], None]

# The part of `stale` after which a holder that could not confirm a sign of life stops: the rest is for the act that it
# has just begun, and for a watcher whose clock runs a little faster.
_GOOD_PART = 0.7
_MOST_GIVEN_UP = 8


class KindIsFull(Exception):
    """As many jobs of this kind are under way, over all workers, as may be."""


class Crew:
    """Runs handlers and knows which are under way. Safe for threads."""

    def __init__(
        self,
        store: Store,
        handlers: Mapping[str, Handler],
        *,
        patience: Patience,
        stopping: threading.Event,
        alone: bool,
    ) -> None:
        """`alone`: no other worker can take a job over, so a lease needs no signs of life to stay good."""
        self.store = store
        self.patience = patience
        self.brakes = Brakes()
        self._handlers = dict(handlers)
        self._stopping = stopping
        self._alone = alone
        self._good_for = None if alone else patience.stale * _GOOD_PART
        self._leases: dict[tuple[str, str], Lease] = {}
        self._left_over: list[Claim] = []
        self._guard = threading.Lock()
        self._given_up = 0

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of jobs that it can do, the most urgent first."""
        return tuple(self._handlers)

    def busy_with(self) -> list[tuple[str, str]]:
        """Kind and key of every job under way."""
        with self._guard:
            return list(self._leases)

    def claim(self, kind: str, key: str) -> Lease | None:
        """Claim a job; None when it is not due or held by another. Raises `KindIsFull`."""
        begun = Moment.now()
        with self.store.transaction() as session:
            if is_full(session, kind):
                raise KindIsFull
            taken = claim(session, kind, key)
        if taken is None:
            return None
        lease = Lease(
            self.store,
            taken,
            self._stopping,
            brakes=self.brakes,
            good_for=self._good_for,
            longest=self.patience.longest,
        )
        lease.confirm(begun)
        with self._guard:
            self._leases[kind, key] = lease
        return lease

    def do(self, lease: Lease) -> None:
        """Run the handler of a claimed job. Never raises: the row decides what comes next."""
        held = lease.claim
        try:
            self._handlers[held.kind](lease)
            if not lease.let_go:
                with self.store.transaction() as session:
                    lease.again(session)
        except Fenced:
            log.info("fenced: %s/%s attempt %d", held.kind, held.key, held.attempt)
        except Exception as error:
            # The text may hold personal data (a server's reply, a file's line): only the class is logged.
            log.warning(
                "%s/%s attempt %d failed: %s", held.kind, held.key, held.attempt, type(error).__name__
            )
            log.debug("raised in %s", _where(error))
            self._put_back(held)
        finally:
            self.forget(lease)

    def forget(self, lease: Lease) -> None:
        """The job is not under way here any more."""
        name = (lease.claim.kind, lease.claim.key)
        with self._guard:
            if self._leases.get(name) is lease:
                del self._leases[name]

    def give_up_on_hanging(self) -> list[Lease]:
        """Take the jobs from handlers that took no step for longer than they may; returns their leases.

        Whatever such a handler still does is fenced out. Raises `CarrierUnavailable` when that happens again and
        again, so that whoever supervises the worker starts a new one, without the threads that hang in this.
        """
        with self._guard:
            hanging = [lease for lease in self._leases.values() if lease.hangs]
        for lease in hanging:
            held = lease.claim
            log.error("%s/%s attempt %d hangs and is given up", held.kind, held.key, held.attempt)
            with self.store.transaction() as session:
                give_up(session, held, max_starts=self.patience.max_starts)
            self.forget(lease)
            self._given_up += 1
        if self._given_up > _MOST_GIVEN_UP:
            raise CarrierUnavailable(
                f"{self._given_up} jobs hung and were given up",
                where="worker",
                next_step="see what does not answer (`incident doctor`), then start the worker again",
            )
        return hanging

    def put_back_what_was_left(self) -> None:
        """Put back the jobs of failed handlers that the store would not take back at the time."""
        while self._left_over:
            with self.store.transaction() as session:
                put_back(session, self._left_over[0], self.patience)
            del self._left_over[0]

    def beat(self) -> None:
        """Give a sign of life for every job under way, but for those whose handlers hang."""
        with self._guard:
            leases = [lease for lease in self._leases.values() if not lease.hangs]
        for lease in leases:
            begun = Moment.now()
            with self.store.transaction() as session:
                alive = lease.beat(session)
            if alive:
                lease.confirm(begun)

    def look_at_brakes(self) -> None:
        """See which brakes are on; every act from now on asks for them.

        Raises `NotInCharge` when another copy of the record became the one that acts; then nothing acts here any more.
        """
        with self.store.read() as session:
            self.brakes.seen(brake_names(session))
            try:
                must_be_in_charge(self.store, session)
            except NotInCharge:
                self.brakes.seen({EVERYTHING})
                raise

    def _put_back(self, failed: Claim) -> None:
        try:
            with self.store.transaction() as session:
                put_back(session, failed, self.patience)
        except Exception as error:
            # Where several work, it goes stale by itself; on one machine nobody else would ever take it up.
            log.warning("%s/%s could not be put back: %s", failed.kind, failed.key, type(error).__name__)
            if self._alone:
                self._left_over.append(failed)


def _where(error: BaseException) -> str:
    """The places of a failure, without any value or message: those may hold personal data."""
    places = []
    at = error.__traceback__
    while at is not None:
        code = at.tb_frame.f_code
        places.append(f"{code.co_filename}:{at.tb_lineno} {code.co_name}")
        at = at.tb_next
    return " < ".join(reversed(places))
