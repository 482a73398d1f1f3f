"""What leaves the house: versions of the notice and of reports, and the public notice."""

from datetime import datetime

from sqlmodel import Field, SQLModel

from incident.store.columns import numbered, optional_time, sealed_column, time_column


class Notice(SQLModel, table=True):
    """A version of the notice. Sealed: content by language and rendered templates, frozen by `content_hash`."""

    __tablename__ = "notice"

    id: str = Field(primary_key=True)
    incident_id: str = Field(index=True)
    version: int
    state: str
    content_hash: str
    created_at: datetime = time_column()
    created_by: str
    released_at: datetime | None = optional_time()
    sealed: bytes = sealed_column()


class NoticeEdit(SQLModel, table=True):
    """A person's own words for one part of the notice in one language; of these the newest counts.

    `number` counts them within the incident. Sealed: the words, and whether the part is left out or drafted again.
    """

    __tablename__ = "notice_edit"
    __table_args__ = numbered()

    id: str = Field(primary_key=True)
    incident_id: str = Field(index=True)
    number: int
    place: str
    language: str
    edited_at: datetime = time_column()
    edited_by: str
    sealed: bytes = sealed_column()


class PublicNotice(SQLModel, table=True):
    """A published page, by language; `file` is relative to the workspace's public folder."""

    __tablename__ = "public_notice"

    id: str = Field(primary_key=True)
    incident_id: str = Field(index=True)
    notice_id: str
    language: str
    file: str
    sha256: str
    published_at: datetime = time_column()


class Report(SQLModel, table=True):
    """A version of an authority's report. Sealed: the filled form."""

    __tablename__ = "report"

    id: str = Field(primary_key=True)
    incident_id: str = Field(index=True)
    regime: str
    phase: str
    version: int
    state: str
    content_hash: str
    created_at: datetime = time_column()
    created_by: str
    submitted_at: datetime | None = optional_time()
    sealed: bytes = sealed_column()
