"""Adding rows by column: values come back as they went in, on both databases."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.exc import IntegrityError
from sqlmodel import col, inspect, select

from incident.store.tables import AlertItem, Person
from incident.store.writing_rows import insert_rows
from tests.support.postgres import PostgresServer
from tests.support.workspaces import Made, make_workspace

PERSONS: Any = inspect(Person).local_table
ITEMS: Any = inspect(AlertItem).local_table


@pytest.fixture
def made(tmp_path: Path, store_on: PostgresServer | None) -> Made:
    return make_workspace(tmp_path, on=store_on)


def person(number: int, **columns: Any) -> dict[str, Any]:
    return {
        "id": f"p{number}",
        "incident_id": "i",
        "reference_mac": bytes([number]),
        "version": 1,
        "language": "中文",
        "has_email": number % 2 == 0,
        "minor": False,
        "guardian_reachable": True,
        "organisation": False,
        "deceased": True,
        "number_dated": False,
        "safe_contact": True,
        "household": False,
        "import_id": "i",
        **columns,
    }


def add(made: Made, table: Any, *rows: dict[str, Any], **alike: int) -> None:
    with made.store.transaction() as session:
        insert_rows(
            session.connection(), table, tuple(rows[0]), [tuple(row.values()) for row in rows], alike=alike
        )


def stored(made: Made) -> list[dict[str, Any]]:
    with made.store.read() as session:
        return [row.model_dump() for row in session.exec(select(Person).order_by(col(Person.id))).all()]


def test_texts_bytes_numbers_and_truth_come_back_as_they_were(made: Made) -> None:
    rows = [person(number, sealed=bytes([number]) * 3) for number in range(3)]
    add(made, PERSONS, *rows)
    assert stored(made) == rows


def test_what_all_rows_have_alike_stands_in_each_of_them(made: Made) -> None:
    rows = [person(number, sealed=b"", has_email=True) for number in range(3)]
    alike = {name: rows[0][name] for name in ("version", "has_email", "minor", "deceased")}
    add(
        made,
        PERSONS,
        *({name: row[name] for name in row if name not in alike} for row in rows),
        **alike,
    )
    assert stored(made) == rows


def test_a_column_that_no_row_names_gets_its_default(made: Made) -> None:
    add(made, PERSONS, person(1), person(2))
    with made.store.read() as session:
        assert session.exec(select(Person.sealed)).all() == [b"", b""]


def test_a_time_is_kept_in_utc_whatever_its_zone(made: Made) -> None:
    at = datetime(2026, 11, 29, 1, 30, tzinfo=timezone(timedelta(hours=8)))
    item = {
        "alert_id": "a",
        "position": 0,
        "incident_id": "i",
        "dedupe_key": "k",
        "content_hash": "h",
        "severity": "low",
        "arrival": "new",
        "at": at,
    }
    add(made, ITEMS, item)
    with made.store.read() as session:
        [found] = session.exec(select(AlertItem.at)).all()
    assert (found, found.tzinfo) == (at, UTC)


def test_a_row_that_is_there_already_is_refused_and_none_is_added(made: Made) -> None:
    with pytest.raises(IntegrityError) as caught:
        add(made, PERSONS, person(1), person(2, reference_mac=b"\x01"))
    assert "中文" not in str(caught.value)
    with made.store.read() as session:
        assert session.exec(select(Person.id)).all() == []
