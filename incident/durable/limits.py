"""Limits that all workers share: messages a second by a token bucket, and jobs of a kind at once.

They stand in tables and take effect with the next group or claim. A limit of a queue would count jobs, and one job
here is hundreds of messages.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from sqlmodel import Session, col, select

from incident.durable.jobs import JobState, database_clock, run, run_prepared
from incident.store import tables


@dataclass(frozen=True)
class Grant:
    """How many messages may leave now, and after how many seconds to ask again when none may."""

    granted: int
    wait: float = 0.0


def take_tokens(session: Session, name: str, wanted: int) -> Grant:
    """Take up to `wanted` whole tokens out of a bucket, in the transaction that writes their intent.

    In any time of t seconds at most `burst + per_second * t` are granted, by the database's clock; when that clock is
    set back the bucket does not refill until it goes on, when it is set forward it fills up to `burst`.
    """
    row = run(
        session,
        "SELECT per_second, burst, tokens, refilled_at FROM token_bucket WHERE name = :name <locked>",
        name=name,
    ).first()
    if row is None:
        return Grant(wanted)
    now = database_clock(session)
    full = min(row.burst, row.tokens + max(now - row.refilled_at, 0.0) * row.per_second)
    granted = min(wanted, math.floor(full))
    run(
        session,
        "UPDATE token_bucket SET tokens = :left, refilled_at = :now WHERE name = :name",
        left=full - granted,
        now=now,
        name=name,
    )
    return Grant(granted, 0.0 if granted else (1.0 - full) / row.per_second)


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
