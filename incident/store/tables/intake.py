"""Alerts as they came in: stored before the answer, mapped after it."""

from datetime import datetime

from sqlmodel import Field, SQLModel, UniqueConstraint

from incident.store.columns import optional_time, sealed_column, time_column


class Alert(SQLModel, table=True):
    """Sealed: the raw body, by the workspace's key, or by the incident's once it belongs to one."""

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
    dedupe_key: str | None = Field(default=None, index=True)
    incident_id: str | None = Field(default=None, index=True)
    mapped_at: datetime | None = optional_time()
    sealed: bytes = sealed_column()
