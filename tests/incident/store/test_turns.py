"""Writers at the same moment: each chain in turn, and all of them at the workspace's head."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import text

import incident.store.migrations as migrations
from incident.store.database import writing
from incident.store.journal import WORKSPACE_CHAIN
from incident.store.migrations import HEAD_REVISION, current_revision
from incident.store.store import Store
from tests.support.at_once import at_once
from tests.support.journals import note, sound
from tests.support.postgres import PostgresServer
from tests.support.workspaces import START, Made, make_workspace, open_one


@pytest.fixture
def made(tmp_path: Path, store_on: PostgresServer | None) -> Made:
    return make_workspace(tmp_path, on=store_on)


def test_two_processes_writing_one_chain_leave_no_gap(made: Made) -> None:
    incident = open_one(made)

    def write_ten(desk: Made) -> None:
        for _ in range(10):
            note(desk, incident, "text")

    desks = [made.another() for _ in range(3)]
    assert at_once(*(lambda desk=desk: write_ten(desk) for desk in desks)) == [None] * 3
    assert [entry.seq for entry in made.store.entries(incident)] == list(range(1, 32))
    assert sound(made.store, *made.store.heads())


def test_incidents_that_anchor_at_once_stand_one_after_the_other_in_the_workspace_s_chain(made: Made) -> None:
    incidents = [open_one(made) for _ in range(4)]
    before = len(made.store.entries(WORKSPACE_CHAIN))

    def anchor_five(store: Store, chain: str) -> None:
        for _ in range(5):
            with store.write(chain, kind="noted", actor="a", now=START) as change:
                change.anchor()

    def tell_the_workspace(store: Store) -> None:
        for _ in range(5):
            with store.write(WORKSPACE_CHAIN, kind="noted", actor="a", now=START) as change:
                change.note(text="meanwhile")

    writers = [
        *(lambda chain=each: anchor_five(made.another().store, chain) for each in incidents),
        lambda: tell_the_workspace(made.another().store),
    ]
    assert at_once(*writers) == [None] * 5
    entries = made.store.entries(WORKSPACE_CHAIN)
    assert [entry.seq for entry in entries] == list(range(1, before + 26))
    assert sound(made.store, *made.store.heads())


def test_changes_of_two_incidents_need_not_wait_for_each_other(
    tmp_path: Path, postgres: PostgresServer
) -> None:
    made = make_workspace(tmp_path, on=postgres)
    one, two = open_one(made), open_one(made)
    with made.store.write(one, kind="long", actor="a", now=START):
        began = time.monotonic()
        note(made.another(), two, "meanwhile")
        assert time.monotonic() - began < 5
    assert len(made.store.entries(one)) == len(made.store.entries(two)) == 2


def test_a_reader_in_postgres_sees_one_state_from_its_first_row_on(
    tmp_path: Path, postgres: PostgresServer
) -> None:
    made = make_workspace(tmp_path, on=postgres)
    incident = open_one(made)
    counted = text("SELECT count(*) FROM journal_entry")
    with made.store.read() as session:
        before = session.connection().execute(counted).scalar_one()
        note(made.another(), incident, "meanwhile")
        assert session.connection().execute(counted).scalar_one() == before
    with made.store.read() as session:
        assert session.connection().execute(counted).scalar_one() == before + 1


def make_old(made: Made) -> None:
    """Take the schema back to the first revision."""
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    with writing(made.store.engine).begin() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "0001")


def test_several_that_open_an_old_database_at_once_upgrade_it_once(made: Made) -> None:
    incident = open_one(made)
    make_old(made)
    with made.store.engine.connect() as connection:
        assert current_revision(connection) == "0001"
    opened = at_once(*(made.another for _ in range(3)))
    assert all(isinstance(each, Made) for each in opened), opened
    with made.store.engine.connect() as connection:
        assert current_revision(connection) == HEAD_REVISION
        assert connection.execute(text("SELECT count(*) FROM instance")).scalar_one() == 1
    note(made, incident, "and on")
    assert sound(made.store, *made.store.heads())


def test_who_waits_for_a_name_gets_it_when_its_holder_dies(tmp_path: Path, postgres: PostgresServer) -> None:
    made = make_workspace(tmp_path, on=postgres)
    incident = open_one(made)
    held, done = threading.Event(), threading.Event()

    def hold() -> None:
        with pytest.raises(Exception, match="connection"), made.store.transaction(in_turn=incident):
            held.set()
            done.wait(20)

    holder = threading.Thread(target=hold)
    holder.start()
    assert held.wait(10)
    beside = made.another()
    postgres.execute("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted")
    note(beside, incident, "its turn now")
    done.set()
    holder.join()
    assert [each.kind for each in made.store.entries(incident)] == ["incident.opened", "noted"]
