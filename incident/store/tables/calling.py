"""Who is needed, and who was called for it."""

from datetime import datetime

from sqlmodel import Field, SQLModel

from incident.store.columns import optional_time, sealed_column, time_column


class Summons(SQLModel, table=True):
    """Somebody is needed. `level` is how many rounds of calls were made; `next_at` is when the next one is due.

    It ends when somebody answers (`answered_at`) or what it was about is settled. It never decides anything.
    Sealed: what is asked.
    """

    __tablename__ = "summons"

    id: str = Field(primary_key=True)
    incident_id: str = Field(index=True)
    reason: str
    subject_id: str = Field(index=True)
    role: str
    asked_at: datetime = time_column()
    level: int
    next_at: datetime | None = optional_time()
    answered_at: datetime | None = optional_time()
    answered_by: str | None = None
    ended_at: datetime | None = optional_time()
    sealed: bytes = sealed_column()


class SummonsCall(SQLModel, table=True):
    """One message to one operator. Intent first (`outcome` is empty), then what came of it. Sealed: the other side's words."""

    __tablename__ = "summons_call"

    id: str = Field(primary_key=True)
    summons_id: str = Field(index=True)
    incident_id: str = Field(index=True)
    operator_id: str
    level: int
    called_at: datetime = time_column()
    settled_at: datetime | None = optional_time()
    outcome: str
    sealed: bytes = sealed_column()
