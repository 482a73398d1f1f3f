"""Whether a relay or a short-message centre is tried at all: after a failure not before a pause has passed. Pure; the time is passed in."""

from __future__ import annotations

FIRST_PAUSE = 15.0
LONGEST_PAUSE = 300.0
_GROWS = 2


class Circuit:
    """A circuit breaker. All times are seconds of one clock that never goes back.

    It is closed, and the relay may be tried, until `failed`. Then it is open for a pause that doubles with each failure
    after a pause, up to `longest_pause`; when the pause has passed the relay may be tried again. `worked` closes it.
    """

    def __init__(self, *, first_pause: float = FIRST_PAUSE, longest_pause: float = LONGEST_PAUSE) -> None:
        self._first, self._longest = first_pause, longest_pause
        self._pause = 0.0
        self.open_until = 0.0
        """When the relay may be tried again; in the past while the circuit is closed."""

    def may_try(self, now: float) -> bool:
        return now >= self.open_until

    def worked(self) -> None:
        """A message came through to the relay."""
        self._pause, self.open_until = 0.0, 0.0

    def failed(self, now: float) -> None:
        """The relay could not be used. Of several attempts that fail in one pause only the first counts."""
        if not self.may_try(now):
            return
        self._pause = min(self._pause * _GROWS if self._pause else self._first, self._longest)
        self.open_until = now + self._pause
