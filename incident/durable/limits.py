"""Limits that all workers share: messages a second by a token bucket, and jobs of a kind at once.

They stand in tables and take effect with the next group or claim. A limit of a queue would count jobs, and one job
here is hundreds of messages.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlmodel import Session, col, select

from incident.durable.jobs import JobState, database_clock, run, run_prepared
from incident.store import tables


@dataclass(frozen=True)
class Grant:
    """How many messages may leave now, and after how many seconds to ask again when none may."""

    granted: int
    wait: float = 0.0


@dataclass(frozen=True)
class Level:
    """What a bucket holds at a moment."""

    tokens: float
    per_second: float
    burst: float

    @property
    def room(self) -> int:
        """How many messages may leave."""
        return math.floor(self.tokens)

    def wait(self, wanted: int = 1) -> float:
        """Seconds until it holds so many tokens, or as many as it can."""
        return max((min(wanted, self.burst) - self.tokens) / self.per_second, 0.0)


def levels(session: Session) -> dict[str, Level]:
    """What each bucket holds, by name, while others may take of it: for who chooses what to ask for."""
    rows = run_prepared(session, f"SELECT name, {_LEVEL}, <now> FROM token_bucket").fetchall()
    return {name: _level(row, now) for name, *row, now in rows}


def take_tokens(session: Session, name: str, wanted: int) -> Grant:
    """Take up to `wanted` whole tokens out of a bucket, in the transaction that writes their intent.

    In any time of t seconds at most `burst + per_second * t` are granted, by the database's clock; when that clock is
    set back the bucket does not refill until it goes on, when it is set forward it fills up to `burst`.
    """
    granted = sum(take_for_each(session, [(name,)] * wanted))
    if granted or not wanted:
        return Grant(granted)
    found = levels(session).get(name)
    return Grant(0, found.wait() if found is not None else 0.0)


def take_for_each(session: Session, wanted: Sequence[Collection[str]]) -> list[bool]:
    """Take for each message one token of each of its buckets, or none of any; whether it may leave.

    A bucket that does not exist limits nothing. What is granted is as `take_tokens` says.
    """
    # In one order, so that two who ask for the same buckets never wait for each other.
    names = sorted({name for each in wanted for name in each})
    rows = {name: row for name in names if (row := _locked(session, name)) is not None}
    if not rows:
        return [True] * len(wanted)
    now = database_clock(session)
    left = {name: _level(row, now).tokens for name, row in rows.items()}
    granted = [_take(left, [name for name in each if name in left]) for each in wanted]
    for name, tokens in left.items():
        run_prepared(session, _TAKEN, left=tokens, now=now, name=name)
    return granted


def _take(left: dict[str, float], names: Sequence[str]) -> bool:
    if any(left[name] < 1.0 for name in names):
        return False
    for name in names:
        left[name] -= 1.0
    return True


def _locked(session: Session, name: str) -> Any:
    statement = f"SELECT {_LEVEL} FROM token_bucket WHERE name = :name <locked>"
    return run_prepared(session, statement, name=name).fetchone()


def _level(row: Sequence[float], now: float) -> Level:
    per_second, burst, tokens, refilled_at = row
    return Level(min(burst, tokens + max(now - refilled_at, 0.0) * per_second), per_second, burst)


_LEVEL = "per_second, burst, tokens, refilled_at"
_TAKEN = "UPDATE token_bucket SET tokens = :left, refilled_at = :now WHERE name = :name"


def set_rate(session: Session, name: str, per_second: float | None, *, burst: float | None = None) -> None:
    """Limit messages a second; None lifts the limit. Without `burst`, one second's worth (at least one) may go at once."""
    # Held from here on: tokens that somebody takes meanwhile must not be given back.
    row = session.get(tables.TokenBucket, name, with_for_update=True)
    if per_second is None:
        if row is not None:
            session.delete(row)
        session.flush()
        return
    most = max(burst if burst is not None else per_second, 1.0)
    # A changed limit must not hand out a new bucketful.
    tokens = min(row.tokens, most) if row is not None else 0.0
    session.merge(
        tables.TokenBucket(
            name=name,
            per_second=per_second,
            burst=most,
            tokens=tokens,
            refilled_at=database_clock(session) if row is None else row.refilled_at,
        )
    )
    session.flush()


def rates(session: Session) -> list[tables.TokenBucket]:
    """The limits of messages a second."""
    return list(session.exec(select(tables.TokenBucket).order_by(col(tables.TokenBucket.name))).all())


def set_at_once(session: Session, kind: str, at_once: int | None) -> None:
    """Limit how many jobs of a kind may be under way over all workers; None lifts the limit."""
    row = session.get(tables.KindLimit, kind)
    if at_once is not None:
        session.merge(tables.KindLimit(kind=kind, at_once=at_once))
    elif row is not None:
        session.delete(row)
    session.flush()


def kind_limits(session: Session) -> dict[str, int]:
    """The limits of jobs at once, by kind."""
    return {row.kind: row.at_once for row in session.exec(select(tables.KindLimit)).all()}


def is_full(session: Session, kind: str) -> bool:
    """Whether as many jobs of a kind are under way as may be. Holds the limit's row, so that claims come in turn."""
    statement = "SELECT at_once FROM kind_limit WHERE kind = :kind <locked>"
    row = run_prepared(session, statement, kind=kind).fetchone()
    if row is None:
        return False
    (at_once,) = row
    counted = run(
        session,
        f"SELECT count(*) FROM job WHERE kind = :kind AND state = '{JobState.OPEN}' AND beat_at > 0",
        kind=kind,
    ).scalar_one()
    return int(counted) >= int(at_once)
