"""A room for what is handed to a carrier one by one, such as SMS and calls, whatever carrier is behind it.

One event loop on a thread of its own talks to the carrier; who sends a batch hands over one message at a time and looks
later what became of it. At most a window of messages is without an outcome at any moment, over all batches. A carrier
that cannot be used, or refuses whoever a message is for, is left alone for a while.
"""

from __future__ import annotations

import asyncio
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from time import monotonic
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

from notifiers.circuit import Circuit
from notifiers.outcome import BEFORE_THE_RECIPIENT, Outcome, Stage

T = TypeVar("T")
M = TypeVar("M")
# Without a pause everybody would be tried in vain, one after the other.
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 45.0


class SendingRoom(ABC, Generic[M]):
    """Hands messages to one carrier, as many at a time as its window holds. A context manager."""

    def __init__(self, *, peer: str, window: int, called: str) -> None:
        """`called` is what its thread is called."""
        self.peer = peer
        """The carrier as host:port."""
        self._places = threading.BoundedSemaphore(window)
        self._circuit = Circuit(first_pause=_FIRST_PAUSE, longest_pause=_LONGEST_PAUSE)
        self._circuit_lock = threading.Lock()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name=called, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        try:
            self._begin()
        except BaseException:
            self._stop_the_loop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()
        self._stop_the_loop()

    def _stop_the_loop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def left_alone_for(self) -> float:
        """Seconds for which the carrier is left alone: it cannot be used, or refuses whoever a message is for."""
        with self._circuit_lock:
            return max(self._circuit.open_until - monotonic(), 0.0)

    def take_place(self) -> bool:
        """Take one of the window's places for a message; False while all are taken.

        A place is kept until what became of its message is written down, so that no more than a window of messages ever
        stands without an outcome.
        """
        return self._places.acquire(blocking=False)

    def leave_place(self) -> None:
        """Give a place back."""
        self._places.release()

    def hand_over(self, message: M, *, may_go: Callable[[], bool]) -> Future[Outcome]:
        """Begin to send one message; `may_go` is asked right before its first part leaves."""
        return self._on_loop(self._send_and_judge(message, may_go))

    @abstractmethod
    def parts_of(self, message: M) -> int:
        """For how many messages the carrier counts it. Raises `BadMessage` for one that it cannot carry as it is."""

    @abstractmethod
    async def _send(self, message: M, may_go: Callable[[], bool]) -> Outcome:
        """Hand one message to the carrier."""

    @abstractmethod
    def _begin(self) -> None:
        """Make ready; the loop runs."""

    @abstractmethod
    def _end(self) -> None:
        """Let go of the carrier; the loop still runs."""

    async def _send_and_judge(self, message: M, may_go: Callable[[], bool]) -> Outcome:
        outcome = await self._send(message, may_go)
        with self._circuit_lock:
            if outcome.stage in BEFORE_THE_RECIPIENT and not outcome.held_back:
                self._circuit.failed(monotonic())
            elif outcome.stage is Stage.reply:
                self._circuit.worked()
        return outcome

    def _on_loop(self, coroutine: Coroutine[Any, Any, T]) -> Future[T]:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop)
