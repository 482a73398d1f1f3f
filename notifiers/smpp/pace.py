"""How fast messages are handed over: at the rate that was agreed, and slower while the centre asks for it. Pure; the
time is passed in, in seconds of one clock that never goes back."""

from __future__ import annotations

FIRST_PAUSE = 0.5
LONGEST_PAUSE = 30.0
_GROWS = 2
_NOW = 1e-6  # below it a clock of large numbers may not move at all


class Pace:
    """When the next message may leave.

    `per_second` is kept by a token bucket that holds one token: centres count in short windows, and a burst after a quiet
    time is throttled. After `slower` nothing leaves for a pause that begins at half a second and doubles each time, up to
    30 seconds; each `taken` halves the next one, until below half a second there is none. Of several that are throttled in one
    pause only the first counts, since all of them left at the speed before it.
    """

    def __init__(self, per_second: float | None) -> None:
        self._between = 1 / per_second if per_second else 0.0
        self._next = 0.0
        self._pause = 0.0
        self._paused_until = 0.0

    def wait(self, now: float) -> float:
        """Seconds until a message may leave; at 0 one may, and its token is taken."""
        wait = max(self._next, self._paused_until) - now
        if wait > _NOW:
            return wait
        self._next = now + self._between
        return 0.0

    def slower(self, now: float) -> None:
        """The centre refused a message because it has too many."""
        if now < self._paused_until:
            return
        self._pause = min(max(self._pause * _GROWS, FIRST_PAUSE), LONGEST_PAUSE)
        self._paused_until = now + self._pause

    def taken(self) -> None:
        """The centre took a message."""
        self._pause /= _GROWS
        if self._pause < FIRST_PAUSE:
            self._pause = 0.0
