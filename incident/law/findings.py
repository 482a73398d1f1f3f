"""What an evaluation says: one finding a regime, one duty for each of its rules. Pure values."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from incident.law.clocks import NOT_STARTED, AnchorTime, Urgency, Within
from incident.law.grading import Confidence
from incident.law.reasons import NOTHING, Answer, Reason
from incident.law.regimes import Channel, DutyKind, Effect, Phase, ReportPoint
from incident.law.substitutes import PublicAsk
from incident.record.facts import FrozenText


class Outcome(StrEnum):
    met = "met"
    not_met = "not_met"
    cannot_tell = "cannot_tell"
    out_of_scope = "out_of_scope"
    not_in_force = "not_in_force"


class DutyState(StrEnum):
    """`may_be_waived`: the law leaves it to the organisation, whose signed decision is needed to drop it."""

    owed = "owed"
    may_be_waived = "may_be_waived"
    not_owed = "not_owed"


APPLYING = frozenset({Outcome.met, Outcome.cannot_tell})
STANDING = frozenset({DutyState.owed, DutyState.may_be_waived})


@dataclass(frozen=True)
class Recipient:
    key: str
    name: FrozenText


@dataclass(frozen=True)
class Branch:
    """One way a duty may still go. `reason` says how far the facts support it; `start` from when its clock runs."""

    path: str
    title: FrozenText
    recipients: tuple[Recipient, ...]
    urgency: Urgency
    within: Within | None
    due_at: datetime | None
    article: str
    reason: Reason | None
    start: AnchorTime = NOT_STARTED


@dataclass(frozen=True)
class ExemptionFinding:
    """An exemption and whether it is shown. It has its effect only where `reason` is met.

    `asks`: what a public notice must be that takes the place of telling each person.
    """

    effect: Effect
    title: FrozenText
    article: str
    reason: Reason
    asks: tuple[PublicAsk, ...] = ()

    @property
    def decides(self) -> frozenset[str]:
        return self.reason.decides


@dataclass(frozen=True)
class RequiredFields:
    """Facts that the report must hold too. `assumed`: whether they are needed cannot be told yet."""

    fields: tuple[str, ...]
    article: str
    assumed: bool


@dataclass(frozen=True)
class Duty:
    """One duty under one regime, as the facts stand.

    `assumed`: that it is owed, or by when, or to whom, rests on something unknown; `settled_by` names the facts
    that would settle it. `ordered`: by whose instruction it is owed, or due, where that is not by the law alone.
    `due_at` (UTC) is None where the law names no period, or where the anchor is not known
    yet: then `waits_for` names the times that a person has to say. `branches`: every way it may still go, the
    one that runs first in front. `elements`: notice element to article. `items` and `minimum`: report items,
    the latter those that the first version must hold; `item_articles`: those that have an article of their own.
    `waits_for_duty`: the duty that must be met before the clock of this one runs. `is_general`: it only asks for what
    other rules make particular.
    """

    id: str
    regime: str
    title: FrozenText
    kind: DutyKind
    phase: Phase
    state: DutyState
    why: Reason
    recipients: tuple[Recipient, ...]
    path: str
    article: str
    urgency: Urgency
    within: Within | None
    anchor_field: str | None
    anchor_at: datetime | None
    due_at: datetime | None
    waits_for: frozenset[str]
    assumed: bool
    settled_by: frozenset[str]
    branches: tuple[Branch, ...]
    exemptions: tuple[ExemptionFinding, ...]
    elements: tuple[tuple[str, str], ...]
    items: tuple[str, ...]
    item_articles: tuple[tuple[str, str], ...]  # of the items that have one of their own
    minimum: tuple[str, ...]
    extra_fields: tuple[RequiredFields, ...]
    late_fields: tuple[str, ...]
    channels: tuple[Channel, ...]
    report_points: tuple[ReportPoint, ...]
    form: str | None
    needs_first: str | None
    confidence: Confidence
    is_reviewed: bool
    ordered: FrozenText | None = None
    waits_for_duty: str | None = None
    is_general: bool = False

    @property
    def is_standing(self) -> bool:
        return self.state in STANDING

    @property
    def ways(self) -> tuple[Branch, ...]:
        """How it may go as far as is known: the branch that runs, and the others unless that one is certain."""
        if not self.branches:
            return ()
        runs = self.branches[0].reason
        return self.branches[:1] if runs is None or runs.answer is Answer.met else self.branches

    @property
    def certain_recipients(self) -> tuple[Recipient, ...]:
        """To whom it goes on every way it may still go; none where that depends on what is not known."""
        return tuple(each for each in self.recipients if all(each in way.recipients for way in self.ways))

    @property
    def public_notice_instead(self) -> bool:
        """Whether a public communication may take the place of individual notice."""
        return any(
            one.effect is Effect.public_notice_instead and one.reason.answer.value == "met"
            for one in self.exemptions
        )


class ReportItem(NamedTuple):
    """An item of a report: of which form (without a form, of which duty), in which phase, by its number there."""

    form: str
    phase: Phase
    item: str


@dataclass(frozen=True)
class Finding:
    """What one regime says of the incident, with the reasons.

    `decides`: the unknown or straddling facts that would settle an open outcome; `rests_on`: the known facts
    that hold a told outcome up. `duties` is empty where the regime is out of scope or not in force.
    """

    regime: str
    title: FrozenText
    country: str
    outcome: Outcome
    why: Reason
    duties: tuple[Duty, ...]
    confidence: Confidence
    is_reviewed: bool
    source: str

    @property
    def decides(self) -> frozenset[str]:
        return self.why.decides if self.outcome is Outcome.cannot_tell else NOTHING

    @property
    def rests_on(self) -> frozenset[str]:
        return self.why.rests_on

    def lines(self, language: str) -> list[str]:
        return self.why.lines(language)
