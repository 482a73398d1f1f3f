"""A list of people that is imported into an incident of its own: what came of it, and what is stored then."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

from sqlmodel import col, select

from incident.record.people import ImportResult, import_people
from incident.record.people_file import Defaults
from incident.record.people_stats import PeopleStats, people_stats
from incident.record.person import PersonRow, person_from_content
from incident.store.change import open_row
from incident.store.tables import Person
from tests.support.workspaces import Made, Tables, all_rows, open_one

TODAY = date(2026, 11, 23)
DEFAULTS = Defaults(
    language="zh-Hans",
    country="cn",
    categories=("name",),
    known_categories={"name": "name", "phone": "phone", "id_number": "id_number"},
)
OWN_TRACES = {"people_import", "journal_entry", "journal_body", "journal_head"}


class ListDesk:
    def __init__(self, made: Made, folder: Path) -> None:
        self.made = made
        self.incident = open_one(made)
        self.folder = folder

    def load(self, content: str | bytes, *, encoding: str = "utf-8", **options: Any) -> ImportResult:
        file = self.folder / "list.csv"
        file.write_bytes(content if isinstance(content, bytes) else content.encode(encoding))
        values: dict[str, Any] = {
            "encoding": encoding,
            "defaults": DEFAULTS,
            "keep_problems": False,
            "dry_run": False,
            "actor": "ana",
            "now": self.made.clock.move(minutes=1),
            "today": TODAY,
        }
        return import_people(self.made.store, self.incident, file, **{**values, **options})

    def people(self) -> dict[str, tuple[int, PersonRow]]:
        """Version and content by reference."""
        key = self.made.store.key(self.incident)
        with self.made.store.read() as session:
            rows = session.exec(select(Person).where(col(Person.incident_id) == self.incident)).all()
        people = [(row.version, person_from_content(open_row(row, key=key))) for row in rows]
        return {person.reference: (version, person) for version, person in people}

    def stats(self) -> PeopleStats:
        with self.made.store.read() as session:
            return people_stats(
                session, self.made.store, self.incident, today=TODAY, zone=self.made.settings.zone
            )

    def rows(self) -> Tables:
        """All rows but the traces that every import leaves."""
        return {name: rows for name, rows in all_rows(self.made.store).items() if name not in OWN_TRACES}


def many(count: int) -> str:
    """A list of so many people."""
    rows = (f"C{at},张三{at},p{at}@example.org,138{at:08d}\n" for at in range(count))
    return "reference,name,email,phone\n" + "".join(rows)
