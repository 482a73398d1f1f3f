"""Whom the regimes name as recipients of reports, so that their contacts can be kept before they are needed."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from incident.law.regimes import DutyKind, Regime, Status
from incident.record.contacts import RECIPIENTS, ContactLine

_REPORTS = frozenset({DutyKind.report_authority, DutyKind.report_police, DutyKind.report_headquarters})
Names = Mapping[str, Mapping[str, str]]
"""A recipient's key, and what it is called in each language."""


def recipients_of_reports(
    regimes: Iterable[Regime],
    *,
    countries: Collection[str] | None = None,
    organisations: Collection[str] = (),
) -> Names:
    """The recipients of reports, in the order of the regimes; with `countries`, of those in play there only.

    In play is what raises duties: a proposal, and what is not in effect yet, needs no contact.
    """
    scope = None if countries is None else {country.upper() for country in countries}
    found: dict[str, Mapping[str, str]] = {}
    for regime in regimes:
        if scope is not None and not _is_in_play(regime, scope, organisations):
            continue
        for duty in regime.duties:
            for path in duty.as_paths() if duty.kind in _REPORTS else ():
                for key in path.recipients:
                    found.setdefault(key, regime.recipients[key])
    return found


def _is_in_play(regime: Regime, countries: Collection[str], organisations: Collection[str]) -> bool:
    return regime.status is Status.in_force and regime.is_in_scope(countries, organisations)


def without_contact(recipients: Names, contacts: Iterable[ContactLine]) -> Names:
    """The recipients for whom no contact is kept."""
    kept = {line.key for line in contacts if line.kind in RECIPIENTS}
    return {key: name for key, name in recipients.items() if key not in kept}
