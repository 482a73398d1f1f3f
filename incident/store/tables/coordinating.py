"""What people decide and owe each other in an incident; `number` is how they call it within it."""

from datetime import datetime

from sqlmodel import Field, SQLModel

from incident.store.columns import numbered, optional_time, sealed_column, time_column


class Resolution(SQLModel, table=True):
    """A question that was decided. Sealed: question, options, decision, reasons. Who signed it stands in `decision`."""

    __tablename__ = "resolution"
    __table_args__ = numbered()

    id: str = Field(primary_key=True)
    incident_id: str = Field(index=True)
    number: int
    decided_at: datetime = time_column()
    recorded_by: str
    replaces: str | None = None
    sealed: bytes = sealed_column()


class Task(SQLModel, table=True):
    """Something to do, with its owner. Sealed: title, owner, and what came of it."""

    __tablename__ = "task"
    __table_args__ = numbered()

    id: str = Field(primary_key=True)
    incident_id: str = Field(index=True)
    number: int
    state: str
    opened_at: datetime = time_column()
    opened_by: str
    due_at: datetime | None = optional_time()
    ended_at: datetime | None = optional_time()
    sealed: bytes = sealed_column()


class PrivilegedNote(SQLModel, table=True):
    """A note for counsel. Sealed by the incident's counsel key, which nothing else uses; the journal has `digest` only.

    `digest` is the SHA-256 of the sealed bytes.
    """

    __tablename__ = "privileged_note"
    __table_args__ = numbered()

    id: str = Field(primary_key=True)
    incident_id: str = Field(index=True)
    number: int
    written_at: datetime = time_column()
    written_by: str
    digest: str
    sealed: bytes = sealed_column()
