"""The store in PostgreSQL, against a real server."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from sqlalchemy import inspect, text

from incident.errors import WorkspaceError
from incident.store.opening import create_store, open_store
from tests.support.postgres import PostgresServer
from tests.support.workspaces import START, Made, make_workspace, open_one


@pytest.fixture
def made(tmp_path: Path, postgres: PostgresServer) -> Made:
    return make_workspace(tmp_path, on=postgres)


def test_a_store_opened_again_holds_what_was_written(made: Made) -> None:
    incident = open_one(made, "Still here")
    [recorded] = open_store(made.workspace, made.settings).recorded(incident)
    assert recorded.body is not None
    assert recorded.body["rows"][0]["content"]["title"] == "Still here"


def test_every_column_of_text_sorts_by_its_bytes(made: Made) -> None:
    with made.store.engine.connect() as connection:
        others = connection.execute(
            text(
                "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public'"
                " AND data_type IN ('character varying', 'text') AND collation_name IS DISTINCT FROM 'C'"
                " AND table_name <> 'alembic_version'"
            )
        ).all()
        assert inspect(connection).has_table("journal_entry")
    assert others == []


def test_a_writer_waits_for_the_one_that_holds_the_same_name(made: Made) -> None:
    order: list[str] = []
    inside = threading.Event()

    def first() -> None:
        with made.store.transaction(in_turn="one"):
            inside.set()
            order.append("first begins")
            threading.Event().wait(0.3)
            order.append("first ends")

    thread = threading.Thread(target=first)
    thread.start()
    inside.wait(5)
    with made.another().store.transaction(in_turn="two"):
        order.append("of another name")
    with made.another().store.transaction(in_turn="one"):
        order.append("second")
    thread.join()
    assert order == ["first begins", "of another name", "first ends", "second"]


def test_a_database_that_holds_a_workspace_is_not_made_anew(made: Made) -> None:
    with pytest.raises(WorkspaceError, match="a workspace in this database already"):
        create_store(made.workspace, made.settings, now=START)
