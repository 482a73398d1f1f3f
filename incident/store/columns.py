"""Column types and constructors shared by the tables."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import BigInteger, DateTime, Dialect, Integer, LargeBinary, String, UniqueConstraint
from sqlalchemy.types import TypeDecorator
from sqlmodel import Field

# Every column of text is made with this type, so that both engines sort it by its bytes.
TEXT = String().with_variant(String(collation="C"), "postgresql")
# A count that may pass two thousand million; SQLite's integers are that wide anyway.
WIDE = Integer().with_variant(BigInteger(), "postgresql")


class UtcDateTime(TypeDecorator[datetime]):
    """A point in time: only aware values go in, UTC comes out, whatever the database knows of zones."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time without a zone must not reach the database")
        return value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return None if value is None else value.replace(tzinfo=UTC)


def time_column(**options: Any) -> Any:
    """A required UTC time."""
    return Field(sa_type=UtcDateTime, nullable=False, **options)


def optional_time(**options: Any) -> Any:
    """A UTC time that may be missing."""
    return Field(default=None, sa_type=UtcDateTime, nullable=True, **options)


def sealed_column() -> Any:
    """A sealed blob: content that only the incident's key opens."""
    return Field(default=b"", sa_type=LargeBinary, nullable=False)


def numbered() -> tuple[UniqueConstraint, ...]:
    """The constraint of a table whose rows people call by a number within their incident."""
    return (UniqueConstraint("incident_id", "number"),)
