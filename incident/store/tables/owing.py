"""What is owed: each evaluation of the law, and the duties that came of it."""

from datetime import datetime

from sqlalchemy import Index
from sqlmodel import Field, SQLModel, UniqueConstraint

from incident.store.columns import optional_time, sealed_column, time_column


class Evaluation(SQLModel, table=True):
    """One evaluation of the law over the record, replayable. Sealed: inputs and result."""

    __tablename__ = "evaluation"
    __table_args__ = (Index("ix_evaluation_in_order", "incident_id", "at", "rules_hash"),)

    id: str = Field(primary_key=True)
    incident_id: str = Field(index=True)
    at: datetime = time_column()
    inputs_hash: str
    rules_hash: str
    sealed: bytes = sealed_column()


class DutyRow(SQLModel, table=True):
    """A duty as last evaluated. Sealed: its full description with reasons.

    `path`, `urgency` and `anchor_at` lie open, so that the duties of many incidents are listed without unsealing any;
    None in rows of earlier versions.
    """

    __tablename__ = "duty"
    # Holds all that the list of open duties asks for: without it every sealed description is read past.
    __table_args__ = (
        Index("ix_duty_open", "state", "incident_id", "due_at", "anchor_at", "urgency", "duty_id"),
    )

    incident_id: str = Field(primary_key=True)
    duty_id: str = Field(primary_key=True)
    regime: str
    kind: str
    state: str
    assumed: bool
    due_at: datetime | None = optional_time()
    met_at: datetime | None = optional_time()
    evaluated_at: datetime = time_column()
    path: str | None = None
    urgency: str | None = None
    anchor_at: datetime | None = optional_time()
    sealed: bytes = sealed_column()


class Waiver(SQLModel, table=True):
    """The decision not to do what the law leaves to the organisation. It ends when it is withdrawn or the duty reopens.

    Sealed: why, on what evidence, under which article. Who signed it stands in `decision`.
    """

    __tablename__ = "waiver"
    __table_args__ = (UniqueConstraint("incident_id", "number"),)

    id: str = Field(primary_key=True)
    incident_id: str = Field(index=True)
    number: int
    duty_id: str
    waived_at: datetime = time_column()
    waived_by: str
    ended_at: datetime | None = optional_time()
    sealed: bytes = sealed_column()


class DutyReminder(SQLModel, table=True):
    """That somebody was reminded of a duty. `moment`: before its end, at it, or after it; `due_at`: the end that counted."""

    __tablename__ = "duty_reminder"

    id: str = Field(primary_key=True)
    incident_id: str = Field(index=True)
    duty_id: str
    due_at: datetime = time_column()
    moment: str
    told_at: datetime = time_column()


class RegimeReview(SQLModel, table=True):
    """Counsel's approval of a regime as its file stood, in the workspace's own chain. `until_day`: the last day, ISO.

    `statement` is exactly what was signed.
    """

    __tablename__ = "regime_review"

    id: str = Field(primary_key=True)
    regime: str = Field(index=True)
    file_hash: str
    operator_id: str
    approved_at: datetime = time_column()
    until_day: str
    withdrawn_at: datetime | None = optional_time()
    statement: str
    signature: str
