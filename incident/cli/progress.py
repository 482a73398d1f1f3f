"""How far the reading of a large file has come: a line on stderr now and then, with rate and time left."""

from __future__ import annotations

import time
from collections.abc import Callable

from incident.record.row_files import ReadSoFar

_EVERY_SECONDS = 1.0
_MB = 1_000_000


class Progress:
    """Says at most once a second what was read; `what` is the file. `clock` counts seconds, from anywhere.

    Rates count from the first call: a file may be opened long after the command began.
    """

    def __init__(
        self, say: Callable[[str], None], what: str, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._say, self._what, self._clock = say, what, clock
        self._first = ReadSoFar(0, 0, None)
        self._begun: float | None = None
        self._said = 0.0

    def __call__(self, read: ReadSoFar) -> None:
        now = self._clock()
        if self._begun is None:
            self._first, self._begun, self._said = read, now, now
        if now - self._said < _EVERY_SECONDS:
            return
        self._said = now
        self._say(f"  {self._what}: {progress_line(self._first, read, seconds=now - self._begun)}")


def progress_line(first: ReadSoFar, read: ReadSoFar, *, seconds: float) -> str:
    """Rows, rates since `first` so many seconds ago, and the time left where the size is known."""
    words = [f"{read.rows:,} rows"]
    bytes_a_second = (read.bytes_read - first.bytes_read) / seconds
    if read.bytes_read:
        words.append(f"{read.bytes_read / _MB:,.0f} MB")
    words.append(f"{(read.rows - first.rows) / seconds:,.0f} rows/s")
    if read.bytes_read:
        words.append(f"{bytes_a_second / _MB:,.1f} MB/s")
    if read.size and bytes_a_second:
        left = int(max(read.size - read.bytes_read, 0) / bytes_a_second)
        words.append(f"{left // 3600}:{left // 60 % 60:02}:{left % 60:02} left")
    return ", ".join(words)
