"""Limits by the domain that a message goes to: their names, and who waits for one. No database.

A limit holds for exactly its domain: that of `qq.com` says nothing of `vip.qq.com`. Who waits is kept in memory alone, as
waiting is no try: the row stays as due as it was, and nothing is lost with the process.
"""

from __future__ import annotations

import math
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from incident.delivery.states import DOMAIN_LIMITS
from incident.errors import WrongUsage
from notifiers.email.message import Address
from notifiers.errors import BadAddress

_OPTION = "--domain"
_LONGEST_TURN = 300.0


def read_limits(words: Sequence[str]) -> dict[str, float]:
    """Messages a second by domain, 0 for no limit, out of words like `qq.com=50`. Raises `WrongUsage`.

    Domains are in lower case, and in ASCII also where they are written in other scripts.
    """
    limits = {}
    for word in words:
        domain, equals, rate = word.partition("=")
        if not equals:
            raise WrongUsage(
                f"{word!r} is no DOMAIN=N", where=_OPTION, next_step="write for example qq.com=50"
            )
        limits[_read_domain(domain.strip())] = _read_rate(rate)
    return limits


def _read_domain(text: str) -> str:
    domain = None if "@" in text else _domain_of(f"x@{text}")
    if domain is None:
        raise WrongUsage(
            f"{text!r} is no domain",
            where=_OPTION,
            next_step="write what stands after the @ of the addresses; each domain has a limit of its own",
        )
    return domain


def _read_rate(text: str) -> float:
    try:
        rate = float(text)
    except ValueError:
        rate = math.nan
    if not (math.isfinite(rate) and rate >= 0):
        raise WrongUsage(
            f"{text!r} is no number of messages a second",
            where=_OPTION,
            next_step="write a number from 0 on; 0 lifts the limit",
        )
    return rate


def limit_for(email: str) -> str | None:
    """The name of the bucket for an address, whether there is one or not; None where it is no address."""
    domain = _domain_of(email)
    return None if domain is None else DOMAIN_LIMITS + domain


def _domain_of(email: str) -> str | None:
    try:
        return Address(email).spec.rpartition("@")[2].lower()
    except BadAddress:
        return None


class Aside:
    """Those of one batch who wait for a bucket, by the ids of their deliveries."""

    def __init__(self) -> None:
        self._waiting: dict[str, str] = {}

    def put(self, delivery_id: str, bucket: str) -> None:
        """Somebody waits from now on."""
        self._waiting[delivery_id] = bucket

    def call(self, room: Mapping[str, int]) -> list[str]:
        """Call as many for each bucket as it has room for, and all where there is no bucket any more.

        Returns who goes on waiting.
        """
        left = dict(room)
        going_on = {}
        for delivery_id, bucket in self._waiting.items():
            if left.get(bucket, 1) < 1:
                going_on[delivery_id] = bucket
            elif bucket in left:
                left[bucket] -= 1
        self._waiting = going_on
        return list(going_on)

    def counts(self) -> Counter[str]:
        """How many wait, by the bucket."""
        return Counter(self._waiting.values())


class Line:
    """Whose turn at a bucket comes when, among the batches of one worker: so that they do not all ask again at once.

    A turn given away is no right to tokens; who finds none takes another. Safe for threads.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._guard = threading.Lock()
        self._taken_until: dict[tuple[str, float], float] = {}

    def turn(self, bucket: str, *, per_second: float, wanted: float) -> float:
        """Seconds until a turn in which so many messages may leave, after those who were here before; 300 at most."""
        now, which = self._clock(), (bucket, per_second)
        with self._guard:
            begins = max(self._taken_until.get(which, now), now) + wanted / per_second
            # A limit that was changed has a line of its own.
            self._taken_until = {
                key: until for key, until in self._taken_until.items() if key[0] != bucket or key == which
            }
            self._taken_until[which] = min(begins, now + _LONGEST_TURN)
            return self._taken_until[which] - now
