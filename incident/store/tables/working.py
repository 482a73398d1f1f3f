"""Jobs: what must be worked on. Times are the database's own clock, in seconds since 1970."""

from sqlalchemy import Float
from sqlmodel import Field, SQLModel


class Job(SQLModel, table=True):
    """`attempt` is the fencing number, `started` the attempt that truly began, `starts` how often one did in a row.

    `pokes` counts requests for work: one that comes while the job runs makes it run again.
    """

    __tablename__ = "job"

    kind: str = Field(primary_key=True)
    key: str = Field(primary_key=True)
    incident_id: str | None = Field(default=None, index=True)
    state: str = Field(index=True)
    attempt: int
    started: int
    starts: int
    pokes: int
    beat_at: float = Field(sa_type=Float)
    next_at: float = Field(sa_type=Float)
