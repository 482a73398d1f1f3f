"""The people concerned: one sealed blob a person, and every row that could not be taken."""

from datetime import datetime

from sqlalchemy import Index, LargeBinary
from sqlmodel import Field, SQLModel

from incident.store.columns import sealed_column, time_column


class Person(SQLModel, table=True):
    """`reference_mac` finds the same person again; it is keyed by the incident's key and dies with it.

    `number_dated` says that the day is known since which the person holds their number, `safe_contact` that there is a
    note on how to contact them without danger, `household` that their e-mail address is a household's; what they rest
    on is sealed with the rest.

    Sealed: reference, name, contacts, address, kinds of data taken, birth date or age class, guardian and consent, and
    whatever else a list says of them (`record.person.person_content`).
    """

    __tablename__ = "person"
    __table_args__ = (Index("ix_person_in_order", "incident_id", "id"),)

    id: str = Field(primary_key=True)
    incident_id: str
    reference_mac: bytes = Field(sa_type=LargeBinary, index=True, unique=True)
    version: int
    language: str
    has_email: bool
    minor: bool
    guardian_reachable: bool
    organisation: bool = Field(default=False)
    deceased: bool = Field(default=False)
    number_dated: bool = Field(default=False)
    safe_contact: bool = Field(default=False)
    household: bool = Field(default=False)
    import_id: str
    sealed: bytes = sealed_column()


class PeopleImport(SQLModel, table=True):
    """One run of an import: counts and the file's hash. Sealed: its name and where it was found."""

    __tablename__ = "people_import"

    id: str = Field(primary_key=True)
    incident_id: str = Field(index=True)
    at: datetime = time_column()
    by: str
    file_sha256: str
    rows: int
    added: int
    changed: int
    unchanged: int
    problems: int
    sealed: bytes = sealed_column()


class PeopleProblem(SQLModel, table=True):
    """A row that could not be taken as it is. Sealed: the row itself."""

    __tablename__ = "people_problem"

    import_id: str = Field(primary_key=True)
    row: int = Field(primary_key=True)
    incident_id: str = Field(index=True)
    field: str
    reason: str
    sealed: bytes = sealed_column()
