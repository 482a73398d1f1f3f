"""The journal: entries that stay, bodies that can be destroyed, and each chain's head."""

from datetime import datetime

from sqlmodel import Field, SQLModel

from incident.store.columns import optional_time, sealed_column, time_column


class JournalEntry(SQLModel, table=True):
    __tablename__ = "journal_entry"

    chain: str = Field(primary_key=True)
    seq: int = Field(primary_key=True)
    at: datetime = time_column()
    kind: str
    actor: str
    suite: str
    body_hash: str
    previous: str
    hash: str


class JournalBody(SQLModel, table=True):
    """The salted body of an entry, sealed. `destroyed_at` is set when the sealed bytes were taken out."""

    __tablename__ = "journal_body"

    chain: str = Field(primary_key=True)
    seq: int = Field(primary_key=True)
    sealed: bytes = sealed_column()
    destroyed_at: datetime | None = optional_time()


class JournalHead(SQLModel, table=True):
    __tablename__ = "journal_head"

    chain: str = Field(primary_key=True)
    seq: int
    hash: str
