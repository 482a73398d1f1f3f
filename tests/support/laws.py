"""What the laws say of a set of facts. Every fact that a test does not name has its quiet answer, so that each test
shows which single fact turns a regime on."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from incident.law.evaluate import evaluate
from incident.law.findings import Duty, DutyState, Finding
from incident.law.regimes import load_regimes
from incident.record.facts import QUANTITIES, Field, FieldType, Interval, Value, field_catalogue

SHANGHAI = ZoneInfo("Asia/Shanghai")
NOW = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
FOUND = datetime(2026, 11, 20, 23, 40, tzinfo=SHANGHAI).astimezone(UTC)  # a Friday, shortly before midnight

MINUTE, HOUR = 60, 3600


def _quiet(field: Field) -> Value | None:
    if field.type is FieldType.bool:
        return False
    if field.type in QUANTITIES:
        return Interval.exactly(0)
    if field.type is FieldType.choice and field.ordered:
        return next(iter(field.choices))
    return None


def quiet_sheet() -> dict[str, Value | None]:
    """A breach that has happened, with nothing else about it."""
    return {
        **{field.name: _quiet(field) for field in field_catalogue().values()},
        "discovered_at": FOUND,
        "personal_data_breach": "actual",
        "breach_effects": ("confidentiality",),
        "incident_type": "data_security",
        "people_countries": ("CN",),
    }


def told(
    *scope: str,
    organisations: Collection[str] = (),
    submitted: Mapping[str, datetime] | None = None,
    reopened: Collection[str] = (),
    now: datetime = NOW,
    **facts: Any,
) -> dict[str, Finding]:
    """The findings by regime. Whole numbers stand for exact counts, durations (seconds), amounts and percentages."""
    sheet = quiet_sheet() | {name: _value(name, value) for name, value in facts.items()}
    findings = evaluate(
        load_regimes(),
        sheet,
        scope_countries=scope or ("CN",),
        now=now,
        organisations=organisations,
        submitted=submitted,
        reopened=reopened,
    )
    return {finding.regime: finding for finding in findings}


def fact(name: str, value: Any) -> dict[str, Any]:
    """One fact by a name that a table of cases gives."""
    return {name: value}


def _value(name: str, value: Any) -> Any:
    is_number = isinstance(value, int) and not isinstance(value, bool)
    if is_number and field_catalogue()[name].type in QUANTITIES:
        return Interval.exactly(value)
    return value.astimezone(UTC) if isinstance(value, datetime) else value


def duties(*scope: str, **facts: Any) -> dict[str, Duty]:
    """Every duty by its id, whatever its state; the arguments are those of `told`."""
    return {duty.id: duty for finding in told(*scope, **facts).values() for duty in finding.duties}


def owed(*scope: str, **facts: Any) -> set[str]:
    """The ids of the duties that are owed."""
    return {key for key, duty in duties(*scope, **facts).items() if duty.state is DutyState.owed}


def keys(duty: Duty) -> set[str]:
    return {recipient.key for recipient in duty.recipients}
