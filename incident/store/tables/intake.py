"""Alerts as they came in: stored before the answer, mapped after it."""

from datetime import datetime

from sqlmodel import Field, SQLModel, UniqueConstraint

from incident.store.columns import optional_time, sealed_column, time_column


class Alert(SQLModel, table=True):
    """A body as it was posted. Sealed: the raw body, by the workspace's key until it belongs to an incident."""

    __tablename__ = "alert"
    __table_args__ = (UniqueConstraint("source", "delivery_key"),)

    id: str = Field(primary_key=True)
    source: str
    delivery_key: str
    body_sha256: str
    received_at: datetime = time_column()
    state: str
    seen: int
    last_seen_at: datetime = time_column()
    incident_id: str | None = Field(default=None, index=True)
    mapped_at: datetime | None = optional_time()
    sealed: bytes = sealed_column()


class AlertItem(SQLModel, table=True):
    """One alert out of a body: what it repeats or changes is found by its keys, which are hashes."""

    __tablename__ = "alert_item"

    alert_id: str = Field(primary_key=True)
    position: int = Field(primary_key=True)
    incident_id: str = Field(index=True)
    dedupe_key: str = Field(index=True)
    content_hash: str
    severity: str
    arrival: str
    at: datetime = time_column()
