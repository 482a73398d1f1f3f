"""The plan of one person: which means told them, which failed, and which comes next. Pure.

It is worked out anew from the list and the ledger whenever it is asked for, and kept nowhere. So it is never behind an
outcome: the commit that says how one means ended says which one follows. A means is a step only where its contact is on
the list and is the person's, no receipt showed that contact to be dead, the attacker cannot control it, a law on telling
people names it, and no promise forbids it. What blocks a means never blocks the person: behind all means stands the
public notice.

A person's contacts of one kind are one means. The deadline decides twice: of the means that are left the first one is
taken that ends in time, and the shorter the time is against what the means needs, the more urgent it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from incident.delivery.states import IN_PROGRESS, NOT_WRITTEN_TO, DeliveryState, Why

_AT_ONCE = timedelta(days=1)
_SHORTLY = timedelta(days=3)
_AT_ONCE_TIMES = 2
_SHORTLY_TIMES = 4


class Way(StrEnum):
    """How a person may be told. Those of `MEANS` need a contact; the others are ends of a plan."""

    EMAIL = "email"
    SMS = "sms"
    PUSH = "push"
    PHONE = "phone"
    LETTER = "letter"
    BY_HAND = "by_hand"
    PUBLIC_NOTICE = "public_notice"
    NOTHING = "nothing"


MEANS = (Way.EMAIL, Way.SMS, Way.PUSH, Way.PHONE, Way.LETTER)
NUMBERED = frozenset({Way.SMS, Way.PHONE})


class StepState(StrEnum):
    """`POSSIBLE`: what would come after the next step. `DONE` of the public notice: it is online."""

    DONE = "done"
    UNDER_WAY = "under_way"
    FAILED = "failed"
    NEXT = "next"
    POSSIBLE = "possible"
    NOT_POSSIBLE = "not_possible"


class Hurdle(StrEnum):
    """Why a means is no step of a person's plan, or does not count where it was taken."""

    NO_CONTACT = "no_contact"
    NOT_THEIRS = "not_theirs"
    SUPPRESSED = "suppressed"
    CONTROLLED = "controlled"
    NOT_IN_LAW = "not_in_law"
    PROMISED = "promised"


class Urgency(StrEnum):
    """How a step stands to the deadline. `TOO_LATE`: it would end after it, so the public notice must not wait."""

    NO_DEADLINE = "no_deadline"
    IN_TIME = "in_time"
    SOON = "soon"
    NOW = "now"
    TOO_LATE = "too_late"
    OVERDUE = "overdue"


@dataclass(frozen=True)
class Tried:
    """What one message over a means came to. A reason that stands when sending begins is none: nothing was tried."""

    way: Way
    state: DeliveryState
    why: Why = Why.NONE


@dataclass(frozen=True)
class Case:
    """One person. `contacts`: the means whose contact is on the list. `apart`: why no message is made for them.

    `not_theirs`: contacts that came to them after the leak. `suppressed`: contacts that a receipt showed to be dead.
    `controlled`: means that their own leaked data lets an attacker use.
    """

    contacts: frozenset[Way] = frozenset()
    tried: tuple[Tried, ...] = ()
    apart: Why = Why.NONE
    not_theirs: frozenset[Way] = frozenset()
    suppressed: frozenset[Way] = frozenset()
    controlled: frozenset[Way] = frozenset()


@dataclass(frozen=True)
class Ground:
    """What holds for everybody of an incident. `order`: the means of the organisation, the first choice first.

    `lawful`: what the laws on telling people name; None where one of them leaves it open. `takes`: how long a means
    needs for all who may be told by it; a means that is missing there counts as quick, since nobody said more.
    `public_since`: when the public notice went online; None before that.
    """

    now: datetime
    order: tuple[Way, ...]
    deadline: datetime | None = None
    takes: Mapping[Way, timedelta] = field(default_factory=dict)
    lawful: frozenset[Way] | None = None
    promised_away: frozenset[Way] = frozenset()
    controlled: frozenset[Way] = frozenset()
    public_since: datetime | None = None


@dataclass(frozen=True)
class Step:
    """One means in a plan. `why` says how it failed, `hurdle` why it is none or does not count."""

    way: Way
    state: StepState
    why: Why = Why.NONE
    hurdle: Hurdle | None = None


@dataclass(frozen=True)
class PersonPlan:
    """The steps in their order. `next` is what is to be done now: None once a trusted means reached the person."""

    steps: tuple[Step, ...]
    next: Step | None
    urgency: Urgency | None

    @property
    def reached(self) -> bool:
        return self.next is None

    @property
    def within_reach(self) -> frozenset[Way]:
        """The means that told, tell or may still tell the person themselves."""
        return frozenset(each.way for each in self.steps if each.way in MEANS and each.state in _IN_REACH)


_BY_HAND = NOT_WRITTEN_TO | {Why.PASSED_ON}
_IN_REACH = frozenset({StepState.DONE, StepState.UNDER_WAY, StepState.NEXT, StepState.POSSIBLE})


def plan_of(case: Case, ground: Ground) -> PersonPlan:
    """The plan of one person. It ends in "reached", or in exactly one next step."""
    if case.apart is Why.DECEASED:
        nothing = Step(Way.NOTHING, StepState.NEXT, case.apart)
        return PersonPlan((nothing,), nothing, None)
    steps = [_step(way, case, ground) for way in _ways(case, ground)]
    if any(step.state is StepState.DONE for step in steps):
        return PersonPlan((*steps, _public_notice(ground)), None, None)
    if case.apart in _BY_HAND:
        tried = [step for step in steps if step.state in (StepState.FAILED, StepState.UNDER_WAY)]
        by_hand = Step(Way.BY_HAND, StepState.NEXT, case.apart)
        return _ending_in(by_hand, [*tried, by_hand], ground)
    under_way = next((step for step in steps if step.state is StepState.UNDER_WAY), None)
    if under_way is not None:
        return _ending_in(under_way, steps, ground)
    chosen = _first_in_time([step.way for step in steps if step.state is StepState.POSSIBLE], ground)
    if chosen is None:
        last = _public_notice(ground, comes_next=True)
        urgency = None if last.state is StepState.DONE else urgency_of(last.way, ground)
        return PersonPlan((*steps, last), last, urgency)
    steps = [replace(step, state=StepState.NEXT) if step.way is chosen else step for step in steps]
    return _ending_in(next(step for step in steps if step.way is chosen), steps, ground)


def urgency_of(way: Way, ground: Ground) -> Urgency:
    """How a step that begins now stands to the deadline."""
    if ground.deadline is None:
        return Urgency.NO_DEADLINE
    left, takes = ground.deadline - ground.now, ground.takes.get(way, timedelta(0))
    if left <= timedelta(0):
        return Urgency.OVERDUE
    if takes > left:
        return Urgency.TOO_LATE
    if left < max(_AT_ONCE, takes * _AT_ONCE_TIMES):
        return Urgency.NOW
    return Urgency.SOON if left < max(_SHORTLY, takes * _SHORTLY_TIMES) else Urgency.IN_TIME


def _ways(case: Case, ground: Ground) -> Iterator[Way]:
    """What was tried outside the organisation's order comes first: it is over."""
    yield from dict.fromkeys(each.way for each in case.tried if each.way not in ground.order)
    yield from ground.order


def _step(way: Way, case: Case, ground: Ground) -> Step:
    is_controlled = way in ground.controlled | case.controlled
    if tried := _best([each for each in case.tried if each.way is way]):
        if tried.state in IN_PROGRESS:
            return Step(way, StepState.UNDER_WAY)
        if tried.state is DeliveryState.ACCEPTED:
            # Who reads the mailbox of another can delete what is in it, and write in our name.
            return (
                Step(way, StepState.FAILED, hurdle=Hurdle.CONTROLLED)
                if is_controlled
                else Step(way, StepState.DONE)
            )
        return Step(way, StepState.FAILED, tried.why)
    hurdle = _hurdle(way, case, ground, is_controlled=is_controlled)
    return Step(way, StepState.NOT_POSSIBLE if hurdle else StepState.POSSIBLE, hurdle=hurdle)


def _best(tried: Sequence[Tried]) -> Tried | None:
    """Of several messages over one means: one that was accepted, else one that is under way, else the last."""
    for states in ({DeliveryState.ACCEPTED}, IN_PROGRESS):
        if found := next((each for each in tried if each.state in states), None):
            return found
    return tried[-1] if tried else None


def _hurdle(way: Way, case: Case, ground: Ground, *, is_controlled: bool) -> Hurdle | None:
    if way not in case.contacts:
        return Hurdle.NO_CONTACT
    if way in case.not_theirs:
        return Hurdle.NOT_THEIRS
    if way in case.suppressed:
        return Hurdle.SUPPRESSED
    if is_controlled:
        return Hurdle.CONTROLLED
    if ground.lawful is not None and way not in ground.lawful:
        return Hurdle.NOT_IN_LAW
    return Hurdle.PROMISED if way in ground.promised_away else None


def _first_in_time(ways: Sequence[Way], ground: Ground) -> Way | None:
    """The first that ends before the deadline; where none does, the quickest. None where there is none at all."""
    if not ways or ground.deadline is None:
        return next(iter(ways), None)
    left = ground.deadline - ground.now
    in_time = (way for way in ways if ground.takes.get(way, timedelta(0)) <= left)
    return next(in_time, min(ways, key=lambda way: ground.takes.get(way, timedelta(0))))


def _public_notice(ground: Ground, *, comes_next: bool = False) -> Step:
    if ground.public_since is not None:
        return Step(Way.PUBLIC_NOTICE, StepState.DONE)
    return Step(Way.PUBLIC_NOTICE, StepState.NEXT if comes_next else StepState.POSSIBLE)


def _ending_in(step: Step, steps: Sequence[Step], ground: Ground) -> PersonPlan:
    return PersonPlan((*steps, _public_notice(ground)), step, urgency_of(step.way, ground))
