"""What people decide, order, hold back and owe each other in an incident; `number` is how they call it within it."""

from datetime import datetime

from sqlmodel import Field, SQLModel, UniqueConstraint

from incident.store.columns import optional_time, sealed_column, time_column


def _numbered() -> tuple[UniqueConstraint, ...]:
    return (UniqueConstraint("incident_id", "number"),)


class Hold(SQLModel, table=True):
    """Silence that somebody asked for. `covers`: what must not leave, separated by commas.

    It stands until a person lifts it: at `until_at` it asks, it does not end. `reminded_at` and `asked_at`: when
    somebody was called before that end, and at it. Sealed: who asks for it, on what paper, why, which duties it
    conflicts with, and what was said when it was lifted.
    """

    __tablename__ = "hold"
    __table_args__ = _numbered()

    id: str = Field(primary_key=True)
    incident_id: str = Field(index=True)
    number: int
    covers: str
    placed_at: datetime = time_column()
    placed_by: str
    until_at: datetime = time_column()
    reminded_at: datetime | None = optional_time()
    asked_at: datetime | None = optional_time()
    lifted_at: datetime | None = optional_time()
    sealed: bytes = sealed_column()


class Instruction(SQLModel, table=True):
    """An order by an authority or headquarters. Sealed: from whom, by which officer, its words, and how it was settled."""

    __tablename__ = "instruction"
    __table_args__ = _numbered()

    id: str = Field(primary_key=True)
    incident_id: str = Field(index=True)
    number: int
    effect: str
    duty_id: str | None = None
    hold_id: str | None = None
    given_at: datetime = time_column()
    recorded_at: datetime = time_column()
    recorded_by: str
    due_at: datetime | None = optional_time()
    settled_at: datetime | None = optional_time()
    sealed: bytes = sealed_column()


class Resolution(SQLModel, table=True):
    """A question that was decided. Sealed: question, options, decision, reasons. Who signed it stands in `decision`."""

    __tablename__ = "resolution"
    __table_args__ = _numbered()

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
    __table_args__ = _numbered()

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
    __table_args__ = _numbered()

    id: str = Field(primary_key=True)
    incident_id: str = Field(index=True)
    number: int
    written_at: datetime = time_column()
    written_by: str
    digest: str
    sealed: bytes = sealed_column()
