"""When are two alerts the same, and what does one more of them mean for an incident."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

import rfc8785

from incident.hooks.values import SEVERITY_RANK, Alert, Json, Severity, Status

# RFC 8785 writes numbers as IEEE doubles; beyond this an integer would lose digits.
_EXACT = 2**53 - 1
ASK_WITHIN = timedelta(hours=24)


def dedupe_key(source_id: str, values: Sequence[tuple[str, Json]]) -> str:
    """SHA-256 of the canonical JSON [source id, [[path, value], ...]] (RFC 8785), as hex.

    Paths and value borders are part of what is hashed, so "a","bc" and "ab","c" differ, as do missing (null)
    and empty values.
    """
    pairs: list[Json] = [[path, value] for path, value in values]
    return _digest([source_id, pairs])


def body_key(source_id: str, body: bytes, position: int | None = None) -> str:
    """The dedupe key of something that could not be read: its bytes (and its place in them)."""
    return dedupe_key(source_id, [("body", hashlib.sha256(body).hexdigest()), ("position", position)])


def content_hash(item: Json) -> str:
    """The same for the same content, whatever the order of its keys."""
    return _digest(item)


def _digest(value: Json) -> str:
    return hashlib.sha256(rfc8785.dumps(_canonical(value))).hexdigest()


def _canonical(value: Json) -> Json:
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > _EXACT:
        return {"integer": str(value)}
    if isinstance(value, list):
        return [_canonical(one) for one in value]
    if isinstance(value, dict):
        return {key: _canonical(one) for key, one in value.items()}
    return value


class Arrival(StrEnum):
    """What one more alert does to the record."""

    opens = "opens"
    repeats = "repeats"
    changes = "changes"
    resolves = "resolves"
    asks_reopen = "asks_reopen"


@dataclass(frozen=True, slots=True)
class Earlier:
    """The last alert with the same dedupe key, and its incident. `closed_at` None means still open."""

    content_hash: str
    closed_at: datetime | None


def judge_arrival(
    alert: Alert, earlier: Earlier | None, *, now: datetime, ask_within: timedelta = ASK_WITHIN
) -> Arrival:
    """Same content is counted, other content is a timeline entry, and neither opens a second incident.

    An incident stays the one to join for as long as it is open. Up to `ask_within` after its end a person is
    asked whether to reopen it; after that a new one is opened. A resolved alert never closes anything, and
    where nothing is known about it, it still opens an incident: the leak was there.
    """
    if earlier is None:
        return Arrival.opens
    if earlier.closed_at is not None:
        return _after_the_end(alert, now - earlier.closed_at, ask_within)
    if alert.content_hash == earlier.content_hash:
        return Arrival.repeats
    return Arrival.resolves if alert.status is Status.resolved else Arrival.changes


def _after_the_end(alert: Alert, since: timedelta, ask_within: timedelta) -> Arrival:
    if alert.status is Status.resolved:
        return Arrival.resolves
    return Arrival.asks_reopen if since <= ask_within else Arrival.opens


def severity_after(current: Severity, arriving: Severity) -> Severity:
    """The higher of the two: without a person, an alert never lowers an incident."""
    return max(current, arriving, key=SEVERITY_RANK.__getitem__)
