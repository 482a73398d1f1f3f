"""The public notice at the end of every plan: whether each law lets it take the place of telling each person. Pure.

Only a person states the facts on which a law lets it. What the ledger counts is tried as if it were stated, so that one
can see what would follow; it is never stated by itself.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

from incident.law.clocks import months_after
from incident.law.findings import Duty, ExemptionFinding, Finding
from incident.law.grading import Confidence
from incident.law.reasons import Answer
from incident.law.regimes import DutyKind, Effect
from incident.law.substitutes import PublicAsk, PublicMeans
from incident.record.facts import FactSheet, FrozenText
from incident.record.quantities import Interval

COUNTED = "persons_without_contact"
"""The fact that says for how many people the contacts are insufficient or out of date."""


class AskState(StrEnum):
    """How what a law asks for stands. `TO_JUDGE`: our page is online, and people say whether it is enough.

    `OUTSIDE`: nothing here can do it, or see whether it was done.
    """

    STANDS = "stands"
    TO_JUDGE = "to_judge"
    MISSING = "missing"
    OUTSIDE = "outside"


_BY_PAGE = frozenset({PublicMeans.website})
_BY_PAGE_IF_ENOUGH = frozenset(
    {
        PublicMeans.home_page_or_media,
        PublicMeans.own_channels,
        PublicMeans.announcement,
        PublicMeans.equally_effective,
        PublicMeans.reasonable_way,
    }
)


@dataclass(frozen=True)
class Asked:
    """One thing that a law asks for. `until`: the last day on which it must stand, counted from our page."""

    by: PublicMeans
    days: int | None
    months: int | None
    confidence: Confidence
    state: AskState
    until: date | None


@dataclass(frozen=True)
class Substitute:
    """What one duty to tell people says of a public notice instead.

    `stated`: whether its condition is shown as the record stands; `counted`: whether it would be with the ledger's count
    as a fact. `decides`: the facts that are open.
    """

    duty_id: str
    title: FrozenText
    article: str
    reviewed: bool
    stated: Answer
    counted: Answer
    decides: tuple[str, ...]
    asks: tuple[Asked, ...]


def with_count(sheet: FactSheet, people: int) -> FactSheet:
    """The facts as if somebody had stated that so many people cannot be reached."""
    counted: FactSheet = {**sheet, COUNTED: Interval.exactly(people)}
    return counted


def substitutes(
    findings: Sequence[Finding],
    counted: Sequence[Finding],
    *,
    open_duties: Collection[str],
    public_since: date | None,
) -> tuple[Substitute, ...]:
    """Of every duty to tell people that is owed, what it says of a public notice instead.

    `counted`: the findings for `with_count`. `open_duties`: duties (by id) that are owed or were met. `public_since`: the
    day on which our page went online.
    """
    with_it = {duty.id: duty for duty in _on_people(counted)}
    found = []
    for duty in _on_people(findings):
        if duty.id not in open_duties:
            continue
        for at, exemption in enumerate(duty.exemptions):
            if exemption.effect is Effect.public_notice_instead:
                found.append(_substitute(duty, at, exemption, with_it, public_since=public_since))
    return tuple(found)


def _on_people(findings: Sequence[Finding]) -> list[Duty]:
    return [duty for finding in findings for duty in finding.duties if duty.kind is DutyKind.notify_people]


def _substitute(
    duty: Duty,
    at: int,
    exemption: ExemptionFinding,
    with_it: Mapping[str, Duty],
    *,
    public_since: date | None,
) -> Substitute:
    then = with_it[duty.id].exemptions[at] if duty.id in with_it else exemption
    return Substitute(
        duty_id=duty.id,
        title=exemption.title,
        article=exemption.article,
        reviewed=duty.is_reviewed,
        stated=exemption.reason.answer,
        counted=then.reason.answer,
        decides=tuple(sorted(exemption.decides)),
        asks=tuple(_asked(ask, duty, public_since) for ask in exemption.asks),
    )


def _asked(ask: PublicAsk, duty: Duty, public_since: date | None) -> Asked:
    state = _state(ask.by, is_online=public_since is not None)
    by_our_page = state in (AskState.STANDS, AskState.TO_JUDGE)
    return Asked(
        by=ask.by,
        days=ask.days,
        months=ask.months,
        confidence=ask.confidence or duty.confidence,
        state=state,
        until=_until(ask, public_since) if public_since and by_our_page else None,
    )


def _state(by: PublicMeans, *, is_online: bool) -> AskState:
    if by not in _BY_PAGE | _BY_PAGE_IF_ENOUGH:
        return AskState.OUTSIDE
    if not is_online:
        return AskState.MISSING
    return AskState.STANDS if by in _BY_PAGE else AskState.TO_JUDGE


def _until(ask: PublicAsk, since: date) -> date | None:
    if ask.months:
        return months_after(since, ask.months)
    return since + timedelta(days=ask.days) if ask.days else None
