"""How those outside and our own operators are reached."""

from datetime import datetime

from sqlmodel import Field, SQLModel

from incident.store.columns import optional_time, sealed_column, time_column


class Contact(SQLModel, table=True):
    """Whom to call outside: an authority, the police, headquarters, a provider. Sealed: names and ways to reach them.

    `key` names it within its kind, for an authority as the regimes name their recipients.
    """

    __tablename__ = "contact"

    id: str = Field(primary_key=True)
    kind: str
    key: str
    added_at: datetime = time_column()
    checked_at: datetime = time_column()
    removed_at: datetime | None = optional_time()
    sealed: bytes = sealed_column()


class Reach(SQLModel, table=True):
    """How an operator is reached, and who stands in for them. `id` is the operator's.

    Sealed: the addresses, which may hold tokens.
    """

    __tablename__ = "reach"

    id: str = Field(primary_key=True)
    deputy_id: str | None = None
    changed_at: datetime = time_column()
    sealed: bytes = sealed_column()
