"""Waves: a canary first, then more at a time, and a stop when too much comes back. Pure.

A campaign is let go batch by batch. The first batch is the canary; each further wave is at most `growth` times as many
people as were let go before it, in whole batches. After each look at what came of it one thing is decided: wait, let
the next wave go, or stop. A stop is for people to lift: nothing here ever decides that.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from incident.settings import WaveSettings

MAY_LAG = 0.1
"""The part of those who were let go that a wave waits for no longer, once everybody was tried: servers that put
strangers off for an hour must not hold up everybody else."""


class StopReason(StrEnum):
    """Why a sending stopped by itself."""

    FAILED = "failed"
    COMPLAINTS = "complaints"
    REPORTS = "reports"


# -- how large a wave is --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Waiting:
    """A batch that was not let go yet, and how many people in it wait."""

    seq: int
    people: int


@dataclass(frozen=True)
class Wave:
    """Some batches in their order, by the numbers of the first and the last, and how many people in them wait."""

    first: int
    last: int
    people: int


def next_wave(waiting: Sequence[Waiting], let_go: int, *, growth: float, most: float | None = None) -> Wave:
    """The wave that follows when so many people were let go: at least one batch of those that wait, of which there is one.

    `most`: with more than so many people it holds no second batch.
    """
    target = max(let_go * growth, 1.0)
    first, *others = waiting
    last, people = first.seq, first.people
    for each in others:
        if people and (people >= target or (most is not None and people + each.people > most)):
            break
        last, people = each.seq, people + each.people
    return Wave(first.seq, last, people)


def plan_waves(
    waiting: Sequence[Waiting], let_go: int, *, growth: float, most: float | None = None
) -> list[Wave]:
    """All the waves that follow. Batches at the end in which nobody waits make no wave of their own."""
    found: list[Wave] = []
    at = 0
    while any(each.people for each in waiting[at:]):
        wave = next_wave(waiting[at:], let_go, growth=growth, most=most)
        found.append(wave)
        let_go += wave.people
        at += wave.last - wave.first + 1
    return found


@dataclass(frozen=True)
class Outlook:
    """How many waves a sending would take, and how long it would be watched between them."""

    waves: int
    watched: timedelta


def outlook(people: int, settings: WaveSettings, *, batch_size: int) -> Outlook:
    """What to reckon with before a sending to so many people. How long the sending itself takes is not in it."""
    first = min(people, settings.canary) if settings.canary else people
    left, rest = divmod(people - first, batch_size)
    sizes = [batch_size] * left + ([rest] if rest else [])
    waiting = [Waiting(seq, size) for seq, size in enumerate(sizes, start=2)]
    later = len(plan_waves(waiting, first, growth=settings.growth))
    return Outlook(bool(people) + later, later * timedelta(minutes=settings.watch_minutes))


# -- what a look decides --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Counts:
    """What came so far of those who were let go.

    `settled` are people a message was made for whose outcome is known; `failed` of them were refused, blocked, returned,
    or never taken. Whom a policy turned away is in both, also while it is tried again; whom nothing could be sent to is in
    neither. `reports` are reports of suspicious messages.
    """

    settled: int = 0
    failed: int = 0
    complaints: int = 0
    reports: int = 0

    def since(self, known: Counts) -> Counts:
        """What came after `known`."""
        return Counts(
            max(self.settled - known.settled, 0),
            max(self.failed - known.failed, 0),
            max(self.complaints - known.complaints, 0),
            max(self.reports - known.reports, 0),
        )


@dataclass(frozen=True)
class Look:
    """A campaign as it is seen: of `let_go` people `in_progress`, whether some are `untried` yet, and who is `waiting`.

    `next_at`: the wave was found gone over, and the next may begin then.
    """

    counts: Counts
    let_go: int
    in_progress: int
    untried: bool
    waiting: int
    next_at: datetime | None

    @property
    def gone_over(self) -> bool:
        """Whether all who were let go were tried, and but for a few it is known what came of it."""
        return not self.untried and self.in_progress <= MAY_LAG * self.let_go


@dataclass(frozen=True)
class Stop:
    """Nothing more leaves: too many, `count` of `of`. For reports of suspicious messages `of` is who was written to."""

    reason: StopReason
    count: int
    of: int


@dataclass(frozen=True)
class Watch:
    """The wave is gone over: the next may begin then, if nothing is wrong until then."""

    until: datetime


class Turn(StrEnum):
    """What else can follow. `KEPT_BACK`: it is paused, or held; `RESTING`: quiet hours."""

    ENDED = "ended"
    UNDER_WAY = "under way"
    LAGGING = "lagging"
    WATCHING = "watching"
    KEPT_BACK = "kept back"
    RESTING = "resting"
    GO_ON = "go on"


def decide(
    look: Look,
    known: Counts,
    settings: WaveSettings,
    *,
    now: datetime,
    calls_take: timedelta = timedelta(0),
) -> Stop | Watch | Turn:
    """What follows from a look at a campaign that is being sent. `known` is what somebody went on in spite of.

    The next wave waits too until the calls about this one can have been answered. Once nobody is left to be told there
    is nothing to stop.
    """
    if not look.in_progress and not look.waiting:
        return Turn.ENDED
    if (stop := reason_to_stop(look.counts.since(known), settings)) is not None:
        return stop
    if not look.gone_over:
        return Turn.UNDER_WAY
    if not look.waiting:
        return Turn.LAGGING
    watched = max(timedelta(minutes=settings.watch_minutes), calls_take)
    if look.next_at is None and watched:
        return Watch(now + watched)
    if look.next_at is not None and now < look.next_at:
        return Turn.WATCHING
    return Turn.GO_ON


def reason_to_stop(counts: Counts, settings: WaveSettings) -> Stop | None:
    """The first reason to stop that these counts give. Exactly at the threshold is a reason."""
    accepted = max(counts.settled - counts.failed, 0)
    if _too_many(counts.failed, counts.settled, settings.stop_percent, at_least=settings.stop_at_least):
        return Stop(StopReason.FAILED, counts.failed, counts.settled)
    complaints = counts.complaints
    if _too_many(complaints, accepted, settings.stop_complaints_percent, at_least=settings.stop_at_least):
        return Stop(StopReason.COMPLAINTS, complaints, accepted)
    if settings.stop_reports and counts.reports >= settings.stop_reports:
        return Stop(StopReason.REPORTS, counts.reports, accepted)
    return None


def _too_many(count: int, of: int, percent: float, *, at_least: int) -> bool:
    return bool(percent) and count >= at_least and 100 * count >= percent * of
