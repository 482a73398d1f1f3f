"""What one law that ships says of a set of facts. A fact that a test does not name is unknown, so that what the law
has to ask shows; `tests.support.laws` answers the others quietly instead."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from incident.law.evaluate import evaluate
from incident.law.findings import Duty, Finding
from incident.law.regimes import InForce, Regime, Status, load_regimes
from incident.record.facts import Interval

NOW = datetime(2026, 11, 28, 3, tzinfo=UTC)


def exactly(number: int) -> Interval:
    return Interval.exactly(number)


def at(zone: str, year: int, month: int, day: int, hour: int = 12, minute: int = 0) -> datetime:
    """A moment of a place, in UTC."""
    return datetime(year, month, day, hour, minute, tzinfo=ZoneInfo(zone)).astimezone(UTC)


def end_of(zone: str, year: int, month: int, day: int) -> datetime:
    """The last second of a day of a place, in UTC."""
    return datetime(year, month, day, 23, 59, 59, tzinfo=ZoneInfo(zone)).astimezone(UTC)


def regime(name: str) -> Regime:
    [found] = [each for each in load_regimes() if each.id == name]
    return found


@dataclass(frozen=True)
class Law:
    """A regime where it is in scope, with people there; of the kinds of organisations that it binds. `facts`: the incident that the tests vary; `as_law`: as if it
    were in force."""

    name: str
    facts: Mapping[str, Any] = field(default_factory=dict)
    as_law: bool = False

    def finding(
        self,
        *,
        scope: Any = None,
        organisations: Any = None,
        submitted: Any = None,
        now: Any = NOW,
        **facts: Any,
    ) -> Finding:
        rules = regime(self.name)
        if self.as_law:
            since = InForce.model_validate({"from": date(2020, 1, 1)})
            rules = rules.model_copy(update={"status": Status.in_force, "in_force": since})
        [found] = evaluate(
            [rules],
            {"people_countries": (rules.country,), **self.facts, **facts},
            scope_countries=rules.countries() if scope is None else scope,
            organisations=frozenset(rules.organisations if organisations is None else organisations),
            submitted={f"{self.name}/{key}": when for key, when in (submitted or {}).items()},
            now=now,
        )
        return found

    def duty(
        self,
        duty: str,
        *,
        organisations: Any = None,
        submitted: Any = None,
        **facts: Any,
    ) -> Duty:
        found = self.finding(organisations=organisations, submitted=submitted, **facts)
        return {each.id: each for each in found.duties}[f"{self.name}/{duty}"]

    def owes(self, duty: str, **facts: Any) -> bool:
        """Whether the duty stands and nothing about that is assumed; `AssertionError` where it cannot be told."""
        found = self.duty(duty, **facts)
        assert not found.is_standing or not found.assumed, f"{found.id} rests on {sorted(found.settled_by)}"
        return found.is_standing
