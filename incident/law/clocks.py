"""When a duty starts to run and when it ends. Pure: no clock is read here.

Hours are running hours: they are counted in UTC, through nights, weekends and changes of the clock.
Days are calendar days (日, not 工作日) of the regime's zone: the day of the event is not counted, and the period
ends with the last second of its last day. If that day is a holiday, the period is *not* extended here: the
earlier end is the one that can never be late.
"Immediately" and "promptly" have no invented hours: such a duty has no due time, only the time elapsed.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from enum import StrEnum

from incident.law.reasons import NOTHING
from incident.record.facts import FactSheet


class Urgency(StrEnum):
    within = "within"
    immediately = "immediately"
    promptly = "promptly"


@dataclass(frozen=True)
class Within:
    """A period: running hours (any length in seconds) or calendar days, never both."""

    seconds: int = 0
    days: int = 0

    @property
    def nominal_seconds(self) -> int:
        """The length for comparing periods while their anchor is unknown."""
        return self.seconds + self.days * 86400


@dataclass(frozen=True)
class Anchor:
    """The event from which a period runs: the earliest of `earliest` that is known.

    Where none of them is known, the earliest known of `assume` stands in, marked as assumed: it cannot be later
    than the true event's own clock would need.
    """

    earliest: tuple[str, ...]
    assume: tuple[str, ...] = ()

    @property
    def fields(self) -> frozenset[str]:
        return frozenset(self.earliest) | frozenset(self.assume)


@dataclass(frozen=True)
class AnchorTime:
    """The moment found. `at` None: nothing is known, and a person must say one of `open_fields`."""

    field: str | None
    at: datetime | None
    assumed: bool = False
    open_fields: frozenset[str] = NOTHING


_PERIOD = re.compile(r"P(?:([0-9]{1,4})D|T(?:([0-9]{1,5})H)?(?:([0-9]{1,5})M)?)")


def parse_within(text: object) -> Within:
    """PT72H is 72 running hours, P30D is 30 calendar days; a mixture is refused, because it has no one meaning."""
    match = _PERIOD.fullmatch(text) if isinstance(text, str) else None
    days, hours, minutes = (int(part or 0) for part in match.groups()) if match else (0, 0, 0)
    if days + hours + minutes == 0:
        raise ValueError(f"“{text}” is no period; write running hours as PT72H or calendar days as P30D")
    return Within(days=days, seconds=hours * 3600 + minutes * 60)


def anchor_time(anchor: Anchor, sheet: FactSheet) -> AnchorTime:
    if found := _earliest_known(anchor.earliest, sheet):
        return AnchorTime(*found)
    if found := _earliest_known(anchor.assume, sheet):
        return AnchorTime(*found, assumed=True, open_fields=frozenset(anchor.earliest))
    return AnchorTime(None, None, open_fields=frozenset(anchor.earliest))


def due_at(start: datetime, within: Within, *, zone: tzinfo) -> datetime:
    """The last moment of the period, in UTC. `start` must know its zone."""
    if start.tzinfo is None:
        raise ValueError("a period can only run from a moment that knows its zone")
    if within.seconds:
        return start.astimezone(UTC) + timedelta(seconds=within.seconds)
    last_day = start.astimezone(zone).date() + timedelta(days=within.days)
    midnight_after = datetime.combine(last_day + timedelta(days=1), datetime.min.time(), tzinfo=zone)
    return midnight_after.astimezone(UTC) - timedelta(seconds=1)


def _earliest_known(fields: Sequence[str], sheet: FactSheet) -> tuple[str, datetime] | None:
    known = [(at, name) for name in fields if isinstance(at := sheet.get(name), datetime)]
    if not known:
        return None
    at, name = min(known)
    return name, at.astimezone(UTC)
