"""Evidence: files taken into custody."""

from datetime import datetime

from sqlmodel import Field, SQLModel

from incident.store.columns import WIDE, sealed_column, time_column


class Evidence(SQLModel, table=True):
    """A file taken into custody. Sealed: its name, who gave it, a note; the blob itself is sealed too."""

    __tablename__ = "evidence"

    id: str = Field(primary_key=True)
    incident_id: str = Field(index=True)
    recorded_at: datetime = time_column()
    recorded_by: str
    sha256: str
    size: int = Field(sa_type=WIDE)
    blob: str
    sealed: bytes = sealed_column()
