"""Playbook runs: the machine's state, every effect with its intent and outcome, and the containment they brought."""

from datetime import datetime

from sqlmodel import Field, SQLModel, UniqueConstraint

from incident.store.columns import optional_time, sealed_column, time_column


class Run(SQLModel, table=True):
    """A run of one playbook. Sealed: the machine's state; of a run that an earlier version began, its playbook too."""

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


class RunPlaybook(SQLModel, table=True):
    """What a run goes by, from its start on; `id` is the run's. Sealed: the compiled playbook, and those it calls."""

    __tablename__ = "run_playbook"

    id: str = Field(primary_key=True)
    incident_id: str = Field(index=True)
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


class Containment(SQLModel, table=True):
    """What a step of a run contained, from its success until it is taken back.

    `asked_at`: when somebody was asked at its end; `undo_run`: the run that takes it back, or last tried to. Sealed:
    the measures and their inverse, whom it concerns, and all that taking it back needs.
    """

    __tablename__ = "containment"
    __table_args__ = (UniqueConstraint("incident_id", "number"),)

    id: str = Field(primary_key=True)
    incident_id: str = Field(index=True)
    number: int
    run_id: str = Field(index=True)
    visit: str
    step: str
    state: str
    done_at: datetime = time_column()
    verified_at: datetime | None = optional_time()
    expires_at: datetime | None = optional_time()
    asked_at: datetime | None = optional_time()
    ended_at: datetime | None = optional_time()
    undo_run: str | None = Field(default=None, index=True)
    sealed: bytes = sealed_column()
