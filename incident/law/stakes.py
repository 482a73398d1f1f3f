"""What hangs on an answer: one duty as it stands now beside the same duty under each possible answer. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cached_property
from typing import Any

from incident.law.clocks import Urgency
from incident.law.findings import Duty, DutyState
from incident.law.possible import PossibleAnswer
from incident.law.reasons import Answer
from incident.record.facts import Value


class StakeKind(StrEnum):
    """How an answer bears on a duty, the weightiest first."""

    starts = "starts"
    """The clock waits for this answer."""
    owed = "owed"
    """With one answer the duty falls away, or arises."""
    when = "when"
    """By when it is due, or to whom it goes."""
    eased = "eased"
    """Whether the law leaves it to the organisation, or lets a public notice stand instead."""
    certain = "certain"
    """What is owed as assumed so far is owed for certain with one of the answers."""
    content = "content"
    """What the report must hold."""
    joint = "joint"
    """It decides only together with other answers."""


_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Outcome:
    """One duty under one answer, as far as answers are compared."""

    state: DutyState
    certain: bool
    within: object
    urgency: Urgency
    due_at: datetime | None
    anchored: bool
    recipients: tuple[str, ...]
    by_public_notice: bool
    content: tuple[str, ...]
    elements: tuple[str, ...]
    open_fields: frozenset[str]
    ways: tuple[str, ...]

    @property
    def is_standing(self) -> bool:
        return self.state is not DutyState.not_owed


@dataclass(frozen=True)
class Given:
    """Another answer that the stake supposes."""

    field: str
    value: Value


@dataclass(frozen=True)
class Stake:
    """What an answer to `field` means for one duty. `answers` and `duties` run side by side.

    `given`: the one other answer beside which this holds; None where it holds as the record stands.
    """

    field: str
    kind: StakeKind
    now: Duty
    answers: tuple[PossibleAnswer, ...]
    duties: tuple[Duty, ...]
    given: Given | None = None

    @cached_property
    def outcomes(self) -> tuple[Outcome, ...]:
        return tuple(outcome_of(duty, without=self.field) for duty in self.duties)

    @property
    def soonest(self) -> datetime | None:
        """The nearest due time that the duty has now or with one of the answers."""
        moments = [
            duty.due_at for duty in (self.now, *self.duties) if duty.is_standing and duty.due_at is not None
        ]
        return min(moments, default=None)

    @property
    def at_once(self) -> bool:
        """Whether the duty, now or with one of the answers, is owed without any period."""
        return any(
            duty.is_standing and duty.urgency is Urgency.immediately for duty in (self.now, *self.duties)
        )

    def room(self, now: datetime) -> timedelta:
        """How long the duty leaves: nothing for “immediately”, a day for “promptly”, else the time to its due time.

        Where no clock runs yet, the shortest period that it can have. The day for “promptly” is a measure for this
        order only; no deadline is made of it.
        """
        lengths = [_room(duty, now) for duty in (self.now, *self.duties) if duty.is_standing]
        return min(lengths, default=_DAY * 365)

    @property
    def decides_whether(self) -> bool:
        """Whether it is open if the duty is owed at all, and this is one of the questions that settle it."""
        return self.field in self.now.why.decides

    @property
    def is_only_possible(self) -> bool:
        """Whether it cannot be told yet if the duty is owed at all."""
        return self.now.is_standing and self.now.why.answer is Answer.cannot_tell


def outcome_of(duty: Duty, *, without: str = "") -> Outcome:
    """What of a duty is compared; the field itself is no difference once it is answered."""
    open_fields = duty.settled_by | duty.waits_for
    if duty.is_standing:
        open_fields = open_fields.union(*(exemption.decides for exemption in duty.exemptions))
    return Outcome(
        state=duty.state,
        certain=duty.why.answer is not Answer.cannot_tell,
        within=duty.within,
        urgency=duty.urgency,
        due_at=duty.due_at,
        anchored=duty.anchor_at is not None,
        recipients=tuple(recipient.key for recipient in duty.recipients),
        by_public_notice=duty.public_notice_instead,
        content=tuple(name for extra in duty.extra_fields for name in extra.fields),
        elements=tuple(name for name, _ in duty.elements),
        open_fields=open_fields - {without},
        ways=tuple(branch.path for branch in duty.ways),
    )


def stake(
    field: str, now: Duty, answered: Mapping[PossibleAnswer, Duty], *, given: Given | None = None
) -> Stake | None:
    """The weightiest way in which an answer to `field` changes the duty; None where no answer changes it."""
    kind = _kind(field, now, tuple(answered.values()))
    return Stake(field, kind, now, tuple(answered), tuple(answered.values()), given) if kind else None


def _kind(field: str, now: Duty, duties: tuple[Duty, ...]) -> StakeKind | None:
    before = outcome_of(now, without=field)
    after = [outcome_of(duty, without=field) for duty in duties]
    standing = [each for each in (before, *after) if each.is_standing]
    if not standing:
        return None
    if field in now.waits_for and any(each.is_standing and each.anchored for each in after):
        return StakeKind.starts
    if len(standing) <= len(after):
        return StakeKind.owed
    if _differ(standing, "within", "urgency", "due_at", "recipients"):
        return StakeKind.when
    if _differ(standing, "state", "by_public_notice"):
        return StakeKind.eased
    if _differ(standing, "certain"):
        return StakeKind.certain
    if _differ(standing, "content", "elements"):
        return StakeKind.content
    return StakeKind.joint if _differ(standing, "open_fields", "ways", "anchored") else None


def _differ(outcomes: list[Outcome], *names: str) -> bool:
    def compared(outcome: Outcome) -> tuple[Any, ...]:
        return tuple(getattr(outcome, name) for name in names)

    return any(compared(each) != compared(outcomes[0]) for each in outcomes[1:])


def _room(duty: Duty, now: datetime) -> timedelta:
    if duty.due_at is not None:
        return duty.due_at - now
    if duty.within is not None:
        return timedelta(seconds=duty.within.nominal_seconds)
    return timedelta(0) if duty.urgency is Urgency.immediately else _DAY
