"""How far the reading of a large file has come: a line on stderr now and then, with rate and time left."""

from __future__ import annotations

import time
from collections.abc import Callable

from incident.record.row_files import ReadSoFar

_EVERY_SECONDS = 1.0
_MB = 1_000_000


class Progress:
    """Says at most once a second what was read; `what` is the file. `clock` counts seconds, from anywhere."""

    def __init__(
        self, say: Callable[[str], None], what: str, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._say, self._what, self._clock = say, what, clock
        self._begun = self._said = clock()

    def __call__(self, read: ReadSoFar) -> None:
        now = self._clock()
        if now - self._said < _EVERY_SECONDS:
            return
        self._said = now
        self._say(f"  {self._what}: {progress_line(read, seconds=now - self._begun)}")


def progress_line(read: ReadSoFar, *, seconds: float) -> str:
    """Rows, rates, and the time left where the size is known; `seconds` since the beginning, more than none."""
    bytes_a_second = read.bytes_read / seconds
    line = (
        f"{read.rows:,} rows, {read.bytes_read / _MB:,.0f} MB, "
        f"{read.rows / seconds:,.0f} rows/s, {bytes_a_second / _MB:,.1f} MB/s"
    )
    if not read.size or not read.bytes_read:
        return line
    left = int(max(read.size - read.bytes_read, 0) / bytes_a_second)
    hours, minutes = divmod(left // 60, 60)
    return f"{line}, {hours}:{minutes:02}:{left % 60:02} left"
