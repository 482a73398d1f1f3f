"""Kinds of data that are given for all rows of a list."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from sqlmodel import select

from incident.record.people import Counts, import_people
from incident.record.people_file import Defaults
from incident.record.person import person_from_content
from incident.store.change import open_row
from incident.store.tables import Person
from tests.support.workspaces import make_workspace, open_one

TWICE = Defaults("zh-Hans", "cn", ("name", "phone", "name"), {})


def test_a_kind_of_data_that_is_named_twice_by_default_is_kept_once(tmp_path: Path) -> None:
    made = make_workspace(tmp_path)
    incident = open_one(made)
    file = tmp_path / "list.csv"
    file.write_text("reference\nC1\nC2\nC2\n", encoding="utf-8")

    def load() -> Counts:
        return import_people(
            made.store,
            incident,
            file,
            encoding="utf-8",
            defaults=TWICE,
            keep_problems=False,
            dry_run=False,
            actor="ana",
            now=made.clock(),
            today=date(2026, 11, 23),
        ).counts

    assert load() == Counts(rows=3, added=2, joined=1)
    with made.store.read() as session:
        people = [open_row(row, key=made.store.key(incident)) for row in session.exec(select(Person)).all()]
    assert [person_from_content(each).categories for each in people] == [("name", "phone")] * 2
    assert load() == Counts(rows=3, unchanged=2, joined=1)
