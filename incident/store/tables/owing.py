"""What is owed: each evaluation of the law, and the duties that came of it."""

from datetime import datetime

from sqlmodel import Field, SQLModel

from incident.store.columns import optional_time, sealed_column, time_column


class Evaluation(SQLModel, table=True):
    """One evaluation of the law over the record, replayable. Sealed: inputs and result."""

    __tablename__ = "evaluation"

    id: str = Field(primary_key=True)
    incident_id: str = Field(index=True)
    at: datetime = time_column()
    inputs_hash: str
    rules_hash: str
    sealed: bytes = sealed_column()


class DutyRow(SQLModel, table=True):
    """A duty as last evaluated. Sealed: its full description with reasons."""

    __tablename__ = "duty"

    incident_id: str = Field(primary_key=True)
    duty_id: str = Field(primary_key=True)
    regime: str
    kind: str
    state: str
    assumed: bool
    due_at: datetime | None = optional_time()
    met_at: datetime | None = optional_time()
    evaluated_at: datetime = time_column()
    sealed: bytes = sealed_column()
