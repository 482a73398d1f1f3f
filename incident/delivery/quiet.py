"""Quiet hours: a time of every day in which nothing leaves, as the clock on the wall shows it. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

_MINUTE = timedelta(minutes=1)


@dataclass(frozen=True)
class QuietHours:
    """From `begins` until before `ends`, over midnight where that is earlier; the two differ, and are whole minutes.

    Where the clocks change, what the wall shows decides: an hour that is left out shortens them, one that comes twice
    is quiet twice.
    """

    begins: time
    ends: time
    zone: ZoneInfo

    @classmethod
    def read(cls, text: str, zone: ZoneInfo) -> QuietHours | None:
        """Those of the setting, such as `22:00-08:00`; None for an empty one. Raises ValueError."""
        if not text:
            return None
        begins, _, ends = text.partition("-")
        found = cls(time.fromisoformat(begins), time.fromisoformat(ends), zone)
        if found.begins == found.ends:
            raise ValueError("they begin and end at the same time")
        return found

    def hold(self, at: datetime) -> bool:
        """Whether it is quiet at this moment."""
        shown = at.astimezone(self.zone).time()
        if self.begins < self.ends:
            return self.begins <= shown < self.ends
        return shown >= self.begins or shown < self.ends

    def end_after(self, at: datetime) -> datetime | None:
        """The end of the quiet time that this moment lies in, in UTC; None where it lies in none.

        Minute by minute, a night in less than a millisecond: no rule about changing clocks can be missed.
        """
        if not self.hold(at):
            return None
        end = at.astimezone(UTC).replace(second=0, microsecond=0) + _MINUTE
        while self.hold(end):
            end += _MINUTE
        return end
