"""Copies of a whole store: every row, in both directions, compared afterwards, and one state however busy others are."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from incident.errors import StoreUnavailable, WorkspaceError
from incident.store.copying import (
    Tally,
    copied_tables,
    fill,
    must_be_equal,
    open_target,
    snapshot,
    tally,
)
from incident.store.instance import Instance, Standing, this_instance
from incident.store.tables import Evidence
from tests.support.breaches import make_breach, some_people
from tests.support.postgres import PostgresServer
from tests.support.relays import recording_relay
from tests.support.workspaces import Made, make_signer, make_workspace, open_one, run_sql

TARGETS = ("sqlite", "postgres")
COPY = Instance(4, Standing.COPY)


@pytest.fixture(params=TARGETS)
def target(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """An empty database that was never used."""
    url = "sqlite:///target.db"
    if request.param == "postgres":
        server: PostgresServer = request.getfixturevalue("postgres")
        url = server.url(server.create_database())
    engine = open_target(url, root=tmp_path, password=None)
    yield engine
    engine.dispose()


def tally_of(engine: Engine) -> dict[str, Tally]:
    with engine.connect() as connection:
        return tally(connection)


def copy(made: Made, target: Engine, *, replaces: bool = False) -> dict[str, Tally]:
    with made.store.read() as session:
        return fill(
            session.connection(),
            target,
            where="the target",
            standing=COPY,
            may_replace=lambda connection: replaces,
            now=made.clock(),
        )


@pytest.fixture
def busy(tmp_path: Path, store_on: PostgresServer | None) -> Made:
    """A store with something in nearly every table, some of it hard to keep."""
    with recording_relay() as relay:
        breach = make_breach(tmp_path, people=some_people(12), relay_port=relay.port, on=store_on)
        breach.release()
        breach.open_sending()
        breach.work()
    made = breach.made
    with made.store.write(breach.id, kind="evidence.added", actor="ana", now=made.clock()) as change:
        change.put(
            Evidence(
                id="e1",
                incident_id=breach.id,
                recorded_at=made.clock(),
                recorded_by="陈静 \U0001f6a8 \"quoted\"\t\\N\n'x'",
                sha256="0" * 64,
                size=(1 << 40) + 1,
                blob="e1.sealed",
            ),
            {"name": "x"},
        )
    run_sql(
        made.store,
        "INSERT INTO token_bucket VALUES ('mail', 0.1, 1e-300, 3.0000000000000004, 1795000000.1234567)",
    )
    return made


def test_every_row_arrives_in_either_database_as_it_was(busy: Made, target: Engine) -> None:
    copied = copy(busy, target)
    assert copied == tally_of(target) == tally_of(busy.store.engine)
    filled = {name for name, each in copied.items() if each.rows}
    assert {"person", "attempt", "delivery", "journal_body", "evidence", "token_bucket", "operator"} <= filled
    with target.connect() as connection:
        assert this_instance(connection, where="x") == COPY


def test_a_copy_of_a_copy_is_still_the_same(busy: Made, target: Engine, tmp_path: Path) -> None:
    copied = copy(busy, target)
    snapshot(target, tmp_path / "back.db", where="the target")
    back = open_target("sqlite:///back.db", root=tmp_path, password=None)
    assert tally_of(back) == copied
    with back.connect() as connection:
        assert this_instance(connection, where="x") == COPY
    back.dispose()


def test_every_table_but_what_the_store_says_of_itself_is_copied(tmp_path: Path) -> None:
    made = make_workspace(tmp_path)
    with made.store.engine.connect() as connection:
        there = {
            name
            for (name,) in connection.execute(text("SELECT name FROM sqlite_master WHERE type = 'table'"))
        }
    assert {table.name for table in copied_tables()} == there - {"instance", "alembic_version"}


def test_a_database_that_holds_a_record_is_not_touched(tmp_path: Path, target: Engine) -> None:
    made = make_workspace(tmp_path)
    before = copy(made, target)
    open_one(made)
    with pytest.raises(WorkspaceError, match="record in this database"):
        copy(made, target)
    assert tally_of(target) == before
    assert copy(made, target, replaces=True) == tally_of(target) != before


def test_a_database_with_tables_of_others_is_not_touched(tmp_path: Path, target: Engine) -> None:
    with target.begin() as connection:
        connection.execute(text("CREATE TABLE theirs (id integer)"))
    with pytest.raises(WorkspaceError, match="other tables"):
        copy(make_workspace(tmp_path), target)


def test_what_is_not_equal_afterwards_is_taken_back(tmp_path: Path, target: Engine) -> None:
    """A rule of the target changes a value on its way; the rows are as many as they were."""
    made = make_workspace(tmp_path)
    make_signer(made, "bo")
    run_sql(made.store, "INSERT INTO token_bucket VALUES ('mail', 1, 1, 1, 1)")
    copy(made, target)
    change = "UPDATE operator SET name = upper(name)"
    with target.begin() as connection:
        connection.execute(text("DELETE FROM journal_entry"))
        if target.dialect.name == "sqlite":
            connection.execute(text(f"CREATE TRIGGER t AFTER INSERT ON token_bucket BEGIN {change}; END"))
        else:
            connection.execute(
                text(
                    "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS"
                    f" $$ BEGIN {change}; RETURN NEW; END $$"
                )
            )
            connection.execute(text("CREATE TRIGGER t AFTER INSERT ON token_bucket EXECUTE FUNCTION f()"))
    with pytest.raises(StoreUnavailable, match="table operator was not copied whole"):
        copy(made, target)
    with target.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM journal_entry")).scalar_one() == 0


def test_a_value_that_postgres_cannot_hold_names_its_table_and_leaves_the_target_empty(
    tmp_path: Path, postgres: PostgresServer
) -> None:
    made = make_workspace(tmp_path)
    run_sql(made.store, "INSERT INTO kind_limit (kind, at_once) VALUES ('a' || char(0) || 'b', 1)")
    target = open_target(postgres.url(postgres.create_database()), root=tmp_path, password=None)
    with pytest.raises(StoreUnavailable, match="kind_limit"):
        copy(made, target)
    assert not any(each.rows for each in tally_of(target).values())
    target.dispose()


def test_a_digest_does_not_depend_on_order_and_sees_every_change(tmp_path: Path) -> None:
    one, two = make_workspace(tmp_path / "one"), make_workspace(tmp_path / "two")
    statement = "INSERT INTO kind_limit (kind, at_once) VALUES (:kind, :most)"
    for made, rows in ((one, [("a", 1), ("b", 2)]), (two, [("b", 2), ("a", 1)])):
        for kind, most in rows:
            run_sql(made.store, statement, kind=kind, most=most)
    wanted = tally_of(one.store.engine)["kind_limit"]
    assert tally_of(two.store.engine)["kind_limit"] == wanted
    for change in ("SET at_once = 3 - at_once", "SET kind = 'c' WHERE kind = 'a'"):
        run_sql(two.store, f"UPDATE kind_limit {change}")
        found = tally_of(two.store.engine)
        assert found["kind_limit"].rows == 2
        with pytest.raises(StoreUnavailable, match="kind_limit"):
            must_be_equal({"kind_limit": wanted}, found, where="x")


def test_a_snapshot_taken_among_writers_is_one_state(tmp_path: Path, store_on: PostgresServer | None) -> None:
    """Each write adds a row to two tables; a snapshot never has one without the other."""
    made = make_workspace(tmp_path, on=store_on)
    stop, wrote = threading.Event(), threading.Event()

    def write() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            with made.store.transaction() as session:
                run = session.connection().execute
                run(text("INSERT INTO kind_limit (kind, at_once) VALUES (:n, 1)"), {"n": f"k{number}"})
                run(text("INSERT INTO token_bucket VALUES (:n, 1, 1, 1, 1)"), {"n": f"k{number}"})
            if number > 20:
                wrote.set()

    thread = threading.Thread(target=write)
    thread.start()
    try:
        assert wrote.wait(20)
        for number in range(3):
            file = tmp_path / f"{number}.db"
            snapshot(made.store.engine, file, where="x")
            with closing(sqlite3.connect(file)) as kept:
                [limits] = kept.execute("SELECT count(*) FROM kind_limit").fetchone()
                [buckets] = kept.execute("SELECT count(*) FROM token_bucket").fetchone()
            assert limits == buckets > 0
    finally:
        stop.set()
        thread.join()


def test_a_snapshot_says_of_itself_that_it_is_a_copy_and_is_one_file(
    tmp_path: Path, store_on: PostgresServer | None
) -> None:
    made = make_workspace(tmp_path, on=store_on)
    snapshot(made.store.engine, tmp_path / "x.db", where="x")
    with closing(sqlite3.connect(tmp_path / "x.db")) as kept:
        assert kept.execute("SELECT epoch, standing FROM instance").fetchall() == [(1, "copy")]
    assert [file.name for file in tmp_path.glob("x.db*")] == ["x.db"]


def test_a_damaged_database_gives_no_snapshot(tmp_path: Path) -> None:
    made = make_workspace(tmp_path)
    for number in range(30):
        open_one(made, f"number {number}")
    made.store.close()
    content = bytearray(made.database.read_bytes())
    middle = len(content) // 4096 // 2 * 4096
    content[middle : middle + 4096 * 20] = b"\xa5" * 4096 * 20
    made.database.write_bytes(content)
    with pytest.raises(StoreUnavailable):
        snapshot(made.another().store.engine, tmp_path / "x.db", where="x")
