"""Playbook runs: the machine's state and every effect with its intent and outcome."""

from datetime import datetime

from sqlmodel import Field, SQLModel

from incident.store.columns import optional_time, sealed_column, time_column


class Run(SQLModel, table=True):
    """A run of one playbook. Sealed: the compiled playbook and the machine's state."""

    __tablename__ = "run"

    id: str = Field(primary_key=True)
    incident_id: str = Field(index=True)
    playbook: str
    playbook_hash: str
    state: str
    started_at: datetime = time_column()
    started_by: str
    ended_at: datetime | None = optional_time()
    version: int
    sealed: bytes = sealed_column()


class RunEffect(SQLModel, table=True):
    """Something the machine asked for. Sealed: what exactly, and what came of it."""

    __tablename__ = "run_effect"

    id: str = Field(primary_key=True)
    run_id: str = Field(index=True)
    incident_id: str = Field(index=True)
    visit: str
    step: str
    kind: str
    state: str
    asked_at: datetime = time_column()
    intent_at: datetime | None = optional_time()
    due_at: datetime | None = optional_time()
    settled_at: datetime | None = optional_time()
    sealed: bytes = sealed_column()
