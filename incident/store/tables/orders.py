"""What authorities order, and silence that was asked for; `number` is how people call it within an incident."""

from datetime import datetime

from sqlmodel import Field, SQLModel

from incident.store.columns import numbered, optional_time, sealed_column, time_column


class Hold(SQLModel, table=True):
    """Silence that somebody asked for. `covers`: what must not leave, separated by commas.

    It stands until a person lifts it: at `until_at` it asks, it does not end. `reminded_at` and `asked_at`: when
    somebody was called before that end, and at it. Sealed: who asks for it, on what paper, why, which duties it
    conflicts with, and what was said when it was lifted.
    """

    __tablename__ = "hold"
    __table_args__ = numbered()

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
    __table_args__ = numbered()

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
