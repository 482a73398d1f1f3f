"""What must be worked on, who works, and what holds the work back.

Times in `Float` columns are the database's own clock, in seconds since 1970. They say when something may happen at
the earliest and are shown to people; whether a worker still lives is never judged by them (see `incident.durable`).
"""

from datetime import datetime

from sqlalchemy import Float
from sqlmodel import Field, SQLModel

from incident.store.columns import time_column


class Job(SQLModel, table=True):
    """Work on a row. `attempt` is the fencing number, `starts` how often it began in a row without progress.

    `beats` grows with every sign of life of whoever holds the job; `beat_at` is the last one's time, 0 when nobody
    holds it. `next_at` is the earliest time for it, 0 for work that is due at once; `asked_at` is when it was asked for.
    `pokes` counts requests for work: one that comes while the job runs makes it run again.
    """

    __tablename__ = "job"

    kind: str = Field(primary_key=True)
    key: str = Field(primary_key=True)
    incident_id: str | None = Field(default=None, index=True)
    state: str = Field(index=True)
    attempt: int
    starts: int
    pokes: int
    beats: int = Field(default=0)
    beat_at: float = Field(sa_type=Float)
    asked_at: float = Field(default=0.0, sa_type=Float)
    next_at: float = Field(sa_type=Float)


class Worker(SQLModel, table=True):
    """A worker that is at work, or was until it died. `slots` is how many jobs it takes at a time."""

    __tablename__ = "worker"

    id: str = Field(primary_key=True)
    host: str
    pid: int
    slots: int
    started_at: float = Field(sa_type=Float)
    beats: int
    beat_at: float = Field(sa_type=Float)


class Brake(SQLModel, table=True):
    """The emergency brake: while there is a row, nothing leaves the house. The reason stands in the journal."""

    __tablename__ = "brake"

    name: str = Field(primary_key=True)
    set_at: datetime = time_column()
    set_by: str


class TokenBucket(SQLModel, table=True):
    """How many messages may leave: `per_second` in the long run, `burst` at once; shared by all workers."""

    __tablename__ = "token_bucket"

    name: str = Field(primary_key=True)
    per_second: float = Field(sa_type=Float)
    burst: float = Field(sa_type=Float)
    tokens: float = Field(sa_type=Float)
    refilled_at: float = Field(sa_type=Float)


class KindLimit(SQLModel, table=True):
    """How many jobs of a kind may be under way at once, over all workers."""

    __tablename__ = "kind_limit"

    kind: str = Field(primary_key=True)
    at_once: int


class Instance(SQLModel, table=True):
    """Which copy of the record this is. One row, `this`.

    Only the copy whose `standing` is `active`, and whose `epoch` is the one that the keyring holds, may act.
    """

    __tablename__ = "instance"

    id: str = Field(primary_key=True)
    epoch: int
    standing: str
    changed_at: datetime = time_column()
