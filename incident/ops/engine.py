"""The engine as people handle it: what it stands at, the brake, limits, and throwing the queue's own state away."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType

from sqlmodel import Session

from incident.delivery.mailroom import Route
from incident.delivery.states import BATCH_JOB, DOMAIN_LIMITS, MAIL_LIMIT, RELAY_LIMITS
from incident.durable import (
    EVERYTHING,
    JobCount,
    Working,
    brakes_on,
    hold_jobs,
    job_counts,
    kind_limits,
    lift_brake,
    look_again,
    rates,
    set_at_once,
    set_brake,
    set_rate,
    take_all_away,
    workers,
)
from incident.ops.owing import put_missing_jobs
from incident.store.change import Change
from incident.store.journal import WORKSPACE_CHAIN
from incident.store.store import Store
from incident.store.tables import Brake, TokenBucket


@dataclass(frozen=True)
class EngineState:
    """What the engine stands at."""

    workers: tuple[Working, ...]
    jobs: tuple[JobCount, ...]
    brakes: tuple[Brake, ...]
    rates: tuple[TokenBucket, ...]
    at_once: Mapping[str, int]


def engine_state(session: Session) -> EngineState:
    """Who works, what is open, and what holds it back."""
    return EngineState(
        workers=tuple(workers(session)),
        jobs=tuple(job_counts(session)),
        brakes=tuple(brakes_on(session)),
        rates=tuple(rates(session)),
        at_once=kind_limits(session),
    )


def put_the_brake_on(store: Store, *, by: str, reason: str, now: datetime) -> bool:
    """Stop everything that leaves the house; False if it was stopped already. Journalled with the reason."""
    with store.write(WORKSPACE_CHAIN, kind="brake.on", actor=by, now=now) as change:
        change.note(reason=reason)
        return set_brake(change.session, EVERYTHING, at=now, by=by)


def take_the_brake_off(store: Store, *, by: str, reason: str, now: datetime) -> bool:
    """Let everything go on; False if nothing was stopped. Journalled with the reason."""
    with store.write(WORKSPACE_CHAIN, kind="brake.off", actor=by, now=now) as change:
        change.note(reason=reason)
        lifted = lift_brake(change.session, EVERYTHING)
        look_again(change.session)
        return lifted


@dataclass(frozen=True)
class NewLimits:
    """Limits to be set; None leaves one as it is, 0 lifts it. `by_domain`: messages a second to each of these domains, as
    `delivery.domains` reads them."""

    mail_per_second: float | None = None
    batches_at_once: int | None = None
    by_domain: Mapping[str, float] = field(default_factory=dict)

    @property
    def any(self) -> bool:
        return self.mail_per_second is not None or self.batches_at_once is not None or bool(self.by_domain)


def change_limits(change: Change, new: NewLimits) -> None:
    """Set limits that all workers share; they hold from the next group of messages on."""
    session = change.session
    # In the order in which the workers hold these rows: who claims a job the first, who sends a group the others.
    if new.batches_at_once is not None:
        set_at_once(session, BATCH_JOB, new.batches_at_once or None)
    if new.by_domain:
        hold_jobs(session)
    if new.mail_per_second is not None:
        set_rate(session, MAIL_LIMIT, new.mail_per_second or None)
    for domain, per_second in sorted(new.by_domain.items()):
        set_rate(session, DOMAIN_LIMITS + domain, per_second or None)
    if new.by_domain:
        # Batches sleep until their turn under the limit that was.
        look_again(session)
    change.note(mail_per_second=new.mail_per_second, batches_at_once=new.batches_at_once)
    if new.by_domain:
        change.note(by_domain=dict(new.by_domain))


def keep_relay_limits(
    session: Session, routes: Sequence[Route], centres: Mapping[str, float | None] = MappingProxyType({})
) -> None:
    """Let the limits of relays, and of `centres` of SMS by host:port, be those of the settings: for a worker that starts.

    What is as it should be stays so.
    """
    wanted: dict[str, float] = {}
    for peer, per_second in [*((each.peer, each.per_second) for each in routes), *centres.items()]:
        if per_second is not None:
            name = RELAY_LIMITS + peer
            wanted[name] = min(per_second, wanted.get(name, per_second))
    found = {row.name: row.per_second for row in rates(session) if row.name.startswith(RELAY_LIMITS)}
    for name in sorted({*wanted, *found}):
        if wanted.get(name) != found.get(name):
            set_rate(session, name, wanted.get(name))


@dataclass(frozen=True)
class Reset:
    """What a reset did: attempts that were ended, jobs that were missing, whether a queue was made anew."""

    ended: int
    put: int
    queue: bool


def reset_engine(store: Store, *, by: str, now: datetime) -> Reset:
    """Throw the queue's own state away; everything open goes on.

    Every attempt under way is fenced out and gets a new one, and what the record says is open gets a job where it has
    none. May be called while workers work: what they have begun they do not finish, and it counts as after a crash.
    """
    with store.write(WORKSPACE_CHAIN, kind="engine.reset", actor=by, now=now) as change:
        session = change.session
        hold_jobs(session)
        queue = False
        if store.engine.dialect.name == "postgresql":
            from incident.durable.queue import make_schema

            queue = make_schema(session, anew=True)
        # Not counted as failures: nothing is parked by a reset.
        ended = take_all_away(session, max_starts=_NEVER)
        put = len(put_missing_jobs(session))
        look_again(session)
        change.note(ended=ended, put=put)
    return Reset(ended=ended, put=put, queue=queue)


_NEVER = 1_000_000_000
