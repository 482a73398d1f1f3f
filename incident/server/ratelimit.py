"""How many deliveries a source may make: token buckets, with the time passed in."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime, timedelta

SPAN = timedelta(minutes=5)


@dataclass(slots=True)
class Bucket:
    """Holds `per_span` tokens and refills evenly, so that a burst of that size is let through at once."""

    per_span: int
    tokens: float
    at: datetime

    @classmethod
    def full(cls, per_span: int, now: datetime) -> Bucket:
        return cls(per_span, float(per_span), now)

    def refill(self, now: datetime) -> None:
        # A clock that was set back must not take tokens away.
        gone = max(timedelta(0), now - self.at)
        self.tokens = min(float(self.per_span), self.tokens + self.per_span * (gone / SPAN))
        self.at = now

    def seconds_until_one(self) -> float:
        return 0.0 if self.tokens >= 1 else (1 - self.tokens) * SPAN.total_seconds() / self.per_span


class RateLimiter:
    """A bucket for each source and one for all. For one thread (the event loop's)."""

    def __init__(self, *, per_source: dict[str, int], in_all: int, now: datetime) -> None:
        self._sources = {source: Bucket.full(count, now) for source, count in per_source.items()}
        self._all = Bucket.full(in_all, now)

    def take(self, source_id: str, now: datetime) -> int:
        """0 where the delivery may pass (and is counted), else the whole seconds to wait, at least 1."""
        buckets = (self._sources[source_id], self._all)
        for bucket in buckets:
            bucket.refill(now)
        wait = max(bucket.seconds_until_one() for bucket in buckets)
        if wait > 0:
            return max(1, math.ceil(wait))
        for bucket in buckets:
            bucket.tokens -= 1
        return 0
