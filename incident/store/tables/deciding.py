"""Who may act, and what they decided."""

from datetime import datetime

from sqlmodel import Field, SQLModel

from incident.store.columns import optional_time, sealed_column, time_column


class Operator(SQLModel, table=True):
    """A person who may act, with the public SSH key that proves it. Retired ones stay: their decisions do."""

    __tablename__ = "operator"

    id: str = Field(primary_key=True)
    name: str = Field(unique=True)
    public_key: str
    fingerprint: str = Field(unique=True)
    roles: str
    simulated: bool
    added_at: datetime = time_column()
    retired_at: datetime | None = optional_time()


class Decision(SQLModel, table=True):
    """A signed decision. `statement` is exactly what was signed (no personal data but the operator's name)."""

    __tablename__ = "decision"

    id: str = Field(primary_key=True)
    incident_id: str = Field(index=True)
    operator_id: str
    subject_kind: str
    subject_id: str = Field(index=True)
    subject_hash: str
    verdict: str
    decided_at: datetime = time_column()
    statement: str
    signature: str
    sealed: bytes = sealed_column()
