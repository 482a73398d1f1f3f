"""The record: incidents, facts, what people did."""

from datetime import datetime

from sqlmodel import Field, SQLModel

from incident.store.columns import optional_time, sealed_column, time_column


class Incident(SQLModel, table=True):
    """Sealed: title, who told us, from what source."""

    __tablename__ = "incident"

    id: str = Field(primary_key=True)
    opened_at: datetime = time_column()
    opened_by: str
    origin: str
    state: str = Field(index=True)
    closed_at: datetime | None = optional_time()
    destroyed_at: datetime | None = optional_time()
    sealed: bytes = sealed_column()


class FactRow(SQLModel, table=True):
    """One statement of one fact; the latest recorded holds. Sealed: value, said by, source, how sure."""

    __tablename__ = "fact"

    id: str = Field(primary_key=True)
    incident_id: str = Field(index=True)
    seq: int
    field: str
    known_at: datetime = time_column()
    recorded_at: datetime = time_column()
    recorded_by: str
    sealed: bytes = sealed_column()


class LogEntry(SQLModel, table=True):
    """What a person or a run did or saw, at its own time. Sealed: text, by whom, evidence."""

    __tablename__ = "log_entry"

    id: str = Field(primary_key=True)
    incident_id: str = Field(index=True)
    at: datetime = time_column()
    recorded_at: datetime = time_column()
    recorded_by: str
    origin: str
    action: str | None = None
    corrects: str | None = None
    sealed: bytes = sealed_column()
