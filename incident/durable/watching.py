"""Who is alive, judged by what is seen to change and never by a clock that somebody could set.

Every sign of life raises a number in the job's row. A watcher that has itself seen the same number for long enough, by
its own clock of elapsed time, knows that its holder fell silent: no wall clock takes part, neither the database's nor
a worker's. (The known scheme of a lease by observation, as in Kubernetes' leader election.)
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass

from incident.durable.jobs import Held


def elapsed_clock() -> float:
    """Seconds of elapsed time from an arbitrary start; goes on while the process is frozen or the machine sleeps."""
    if hasattr(time, "CLOCK_BOOTTIME"):
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.monotonic()


@dataclass(frozen=True)
class Moment:
    """A point in elapsed time, with what the wall clock said.

    A virtual machine that is paused loses elapsed time, and only its wall clock can tell, once it was set right.
    """

    elapsed: float
    wall: float

    @classmethod
    def now(cls) -> Moment:
        return cls(elapsed_clock(), time.time())

    def seconds_until(self, later: Moment) -> float:
        """How much time has passed at the most."""
        return max(later.elapsed - self.elapsed, later.wall - self.wall)


class Watcher:
    """Remembers since when each holder has been silent. `gap` seconds without a look end all that was observed."""

    def __init__(self, *, stale: float, gap: float) -> None:
        self._stale = stale
        self._gap = gap
        self._since: dict[Held, float] = {}
        self._looked_at: float | None = None

    def silent(self, held: Iterable[Held], *, now: float) -> list[Held]:
        """Those that have given no sign of life for the time of patience. `now` is elapsed time.

        Who did not look, because the database was away or the watcher itself was frozen, has not seen silence.
        """
        if self._looked_at is None or now - self._looked_at > self._gap:
            self._since.clear()
        self._looked_at = now
        self._since = {each: self._since.get(each, now) for each in held}
        return [each for each, since in self._since.items() if now - since >= self._stale]

    def forget(self) -> None:
        """Begin to observe anew: after a look that failed."""
        self._since.clear()
