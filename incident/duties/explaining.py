"""Why a duty stands as it does: what it must hold, which questions would settle it; and why a regime asks for nothing.

Pure: views, findings and regimes in, plain values out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from incident.duties.view import DutyView
from incident.law.elements import element_catalogue
from incident.law.findings import APPLYING, Duty, Finding, Outcome
from incident.law.regimes import Regime, Status
from incident.record.facts import Field, FrozenText, field_catalogue
from incident.settings import Settings


@dataclass(frozen=True)
class Content:
    """One thing that a notice must hold, with the article that asks for it."""

    name: str
    title: FrozenText
    article: str


@dataclass(frozen=True)
class WhyNot:
    """Why a regime that is in scope asks for nothing, and the facts that would change that.

    `unknown`: whether the facts are open (their answers decide), or known (only a change of them would).
    """

    finding: Finding
    facts: tuple[Field, ...]
    unknown: bool


def contents_of(duty: Duty) -> tuple[Content, ...]:
    """What the notice to people must hold, in the order in which a notice tells it."""
    articles, catalogue = dict(duty.elements), element_catalogue()
    return tuple(
        Content(name, element.title, articles[name])
        for name, element in catalogue.items()
        if name in articles
    )


def open_fields(duty: Duty) -> tuple[Field, ...]:
    """The facts whose answers would settle a duty, what its clock waits for in front."""
    return _fields([*sorted(duty.waits_for), *sorted(duty.settled_by - duty.waits_for)])


def anchor_field(duty: Duty) -> Field | None:
    """The fact from which the clock of a duty runs; None where it runs from something else, or not yet."""
    return field_catalogue().get(duty.anchor_field) if duty.anchor_field is not None else None


def asks_for_something(finding: Finding) -> bool:
    """Whether the regime applies, or may: then its duties speak for themselves."""
    return finding.outcome in APPLYING


def why_nothing(findings: Iterable[Finding]) -> list[WhyNot]:
    """Every regime in scope that asks for nothing, with what would change that; of the others those that warn."""
    told = []
    for finding in findings:
        if asks_for_something(finding) or (finding.outcome is Outcome.out_of_scope and not warns(finding)):
            continue
        names = finding.why.decides or finding.why.rests_on
        told.append(WhyNot(finding, _fields(sorted(names)), bool(finding.why.decides)))
    return told


def warns(finding: Finding) -> bool:
    """Whether a regime outside of the scope is one that the facts known so far would bring in."""
    return finding.outcome is Outcome.out_of_scope and bool(finding.why.parts)


def off_for_organisation(regimes: Iterable[Regime], settings: Settings) -> tuple[Regime, ...]:
    """The laws in force of the countries in play that bind only kinds of organisations which the settings do not name."""
    countries = {country.upper() for country in settings.scope.countries}
    kinds = settings.scope.organisation or ()
    law = (regime for regime in regimes if regime.status is Status.in_force)
    return tuple(regime for regime in law if regime.countries() & countries and not regime.binds(kinds))


def shown_duties(views: Sequence[DutyView]) -> list[DutyView]:
    """The duties of the regimes that apply, or may."""
    return [view for view in views if asks_for_something(view.finding)]


def _fields(names: Iterable[str]) -> tuple[Field, ...]:
    catalogue = field_catalogue()
    return tuple(catalogue[name] for name in names if name in catalogue)
