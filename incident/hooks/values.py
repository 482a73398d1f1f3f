"""What an alert is once it has been read: values only, no libraries, no I/O."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TypeAlias

# What JSON can hold. `Any` is not used so that a mapping cannot forget to look at the type.
Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"


class Severity(StrEnum):
    low = "low"
    medium = "medium"
    high = "high"
    critical = "critical"
    unknown = "unknown"


# `unknown` stands below `low`: it never outranks anything that somebody did state.
SEVERITY_RANK = {
    Severity.unknown: 0,
    Severity.low: 1,
    Severity.medium: 2,
    Severity.high: 3,
    Severity.critical: 4,
}


class Status(StrEnum):
    firing = "firing"
    resolved = "resolved"


class Trouble(StrEnum):
    """Why a field is not as the sender meant it."""

    empty = "empty"
    unconvertible = "unconvertible"
    default_used = "default_used"
    zone_assumed = "zone_assumed"
    dedupe_value_missing = "dedupe_value_missing"
    dedupe_by_content = "dedupe_by_content"
    cut_short = "cut_short"


@dataclass(frozen=True, slots=True)
class FieldWarning:
    """`field` is the alert's field, `path` the JMESPath concerned; the sender's value is never repeated."""

    field: str
    trouble: Trouble
    path: str | None = None

    def __str__(self) -> str:
        at = f" ({self.path})" if self.path else ""
        return f"{self.field}: {self.trouble.value.replace('_', ' ')}{at}"


@dataclass(frozen=True, slots=True)
class PeopleEstimate:
    """A number some system named, and where in the alert. It never becomes "persons affected"."""

    count: int
    path: str


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert in our words. Texts are plain: no control characters, bounded in length.

    `occurred_at` is UTC, or None where the sender gave no usable time. `title` may be empty (then a warning
    says so). `dedupe_key` is the same for alerts about the same thing, `content_hash` only for the same
    content. `raw` is the sender's JSON with secrets redacted, bounded by the source's `keep_raw.max_bytes`.
    """

    source: str
    external_id: str | None
    dedupe_key: str
    dedupe_values: tuple[tuple[str, Json], ...]
    content_hash: str
    status: Status
    title: str
    severity: Severity
    occurred_at: datetime | None
    hosts: tuple[str, ...]
    users: tuple[str, ...]
    ips: tuple[str, ...]
    data: tuple[str, ...]
    data_types: tuple[str, ...]
    people_estimate: PeopleEstimate | None
    link: str | None
    warnings: tuple[FieldWarning, ...]
    raw: str


class WhyUnmapped(StrEnum):
    not_json = "not_json"
    no_items = "no_items"
    not_an_object = "not_an_object"
    mapping_failed = "mapping_failed"


@dataclass(frozen=True, slots=True)
class Unmapped:
    """An alert that could not be read. It still becomes an incident for a person to look at."""

    source: str
    reason: WhyUnmapped
    dedupe_key: str
    position: int | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class MappedBody:
    """All that was in one body: `ignored` by the source's rule, `left_over` beyond the limit of items."""

    alerts: tuple[Alert, ...] = ()
    unmapped: tuple[Unmapped, ...] = ()
    ignored: int = 0
    left_over: int = 0
