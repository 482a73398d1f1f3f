"""Statements that are made ready once: what goes in comes back as by SQLAlchemy's own way, on both databases."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy import bindparam, update
from sqlalchemy.exc import IntegrityError, OperationalError, ProgrammingError
from sqlmodel import col, insert, select

from incident.durable.jobs import put_job, run_prepared
from incident.errors import ConflictingWrite
from incident.store.database import is_postgres, on_sqlite
from incident.store.prepared import Prepared, PreparedLookup, PreparedQuery, PreparedRows
from incident.store.tables import Run, RunEffect
from tests.support.postgres import PostgresServer
from tests.support.workspaces import Made, make_workspace

NOON = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)
RUNS = PreparedRows(Run, col(Run.incident_id) == bindparam("incident"), order_by=col(Run.id))
RUN = PreparedRows(Run, col(Run.id) == bindparam("run"))
RUNNING = PreparedRows(Run, (col(Run.id) == bindparam("run")) & (col(Run.state) == "running"))


@pytest.fixture
def made(tmp_path: Path, store_on: PostgresServer | None) -> Made:
    return make_workspace(tmp_path, on=store_on)


def run(name: str, *, state: str = "running", ended_at: datetime | None = None) -> Run:
    return Run(
        id=name,
        incident_id="INC-1",
        playbook="事件 %s :run ?",
        playbook_hash="",
        state=state,
        started_at=NOON,
        started_by="ana",
        ended_at=ended_at,
        version=0,
        sealed=b"\x00\xff",
    )


def add(made: Made, *rows: Run) -> None:
    with made.store.write("workspace", kind="test", actor="ana", now=NOON) as change:
        for row in rows:
            change.add(row, {"number": 1})


def stored(made: Made) -> list[dict[str, object]]:
    with made.store.read() as session:
        return [row.model_dump() for row in session.exec(select(Run).order_by(col(Run.id))).all()]


def test_rows_come_back_as_the_session_reads_them(made: Made) -> None:
    in_beijing = NOON.astimezone(timezone(timedelta(hours=8)))
    add(made, run("r1"), run("r2", ended_at=in_beijing))
    with made.store.read() as session:
        found = RUNS.all(session.connection(), {"incident": "INC-1"})
    assert [row.model_dump() for row in found] == stored(made)
    assert [row.ended_at for row in found] == [None, NOON]
    assert found[0].playbook == "事件 %s :run ?"


def test_a_row_that_is_not_there_is_none_and_a_constant_of_the_query_counts(made: Made) -> None:
    add(made, run("r1"), run("r2", state="failed"))
    with made.store.read() as session:
        connection = session.connection()
        assert RUN.first(connection, {"run": "r3"}) is None
        assert RUNNING.first(connection, {"run": "r1"}) is not None
        assert RUNNING.first(connection, {"run": "r2"}) is None


ENDED = Prepared(
    update(Run).where(col(Run.id) == bindparam("run")).values(ended_at=bindparam("at"), state=bindparam("to"))
)


def test_a_statement_for_each_of_many_rows_says_how_many_it_changed(made: Made) -> None:
    add(made, *(run(f"r{number}") for number in range(4)))
    in_beijing = NOON.astimezone(timezone(timedelta(hours=8)))
    rows = [{"run": name, "at": in_beijing, "to": "failed"} for name in ("r0", "r2", "r9")]
    with made.store.transaction() as session:
        assert ENDED.run_each(session.connection(), rows) == 2
    assert [(row["state"], row["ended_at"]) for row in stored(made)] == [
        ("failed", NOON),
        ("running", None),
        ("failed", NOON),
        ("running", None),
    ]


def test_what_is_the_same_for_all_rows_is_given_once(made: Made) -> None:
    add(made, *(run(f"r{number}") for number in range(3)))
    in_beijing = NOON.astimezone(timezone(timedelta(hours=8)))
    with made.store.transaction() as session:
        rows = [{"run": "r0", "to": "failed"}, {"run": "r2", "to": "ended"}]
        assert ENDED.run_each(session.connection(), rows, {"at": in_beijing}) == 2
    assert [(row["state"], row["ended_at"]) for row in stored(made)] == [
        ("failed", NOON),
        ("running", None),
        ("ended", NOON),
    ]


def test_a_query_for_columns_reads_them_as_the_session_does(made: Made) -> None:
    add(made, run("r1"), run("r2", ended_at=NOON))
    query = PreparedQuery(
        sa.select(col(Run.id), col(Run.ended_at), col(Run.sealed))
        .where(col(Run.state) == bindparam("state"))
        .order_by(col(Run.id))
    )
    known = {row["id"]: row["sealed"] for row in stored(made)}
    with made.store.read() as session:
        connection = session.connection()
        assert query.all(connection, {"state": "running"}) == [
            ("r1", None, known["r1"]),
            ("r2", NOON, known["r2"]),
        ]
        assert list(query.all(connection, {"state": "gone"})) == []


def test_a_lookup_finds_the_rows_of_many_keys_and_of_none(made: Made) -> None:
    lookup = PreparedLookup(Run, key="id", columns=("id", "sealed"))
    add(made, *(run(f"r{number}") for number in range(5)))
    known = {str(row["id"]): row["sealed"] for row in stored(made)}
    with made.store.read() as session:
        connection = session.connection()
        found = lookup.all(connection, ["r1", "r4", "r9", "r1", "'); DROP TABLE run; --"])
        everyone = lookup.all(connection, [f"r{number}" for number in range(500)])
        assert lookup.all(connection, []) == []
    assert sorted(found) == [("r1", known["r1"]), ("r4", known["r4"])]
    assert dict(everyone) == known


def test_what_a_change_has_not_written_yet_is_written_before_a_prepared_query(made: Made) -> None:
    with made.store.write("workspace", kind="test", actor="ana", now=NOON) as change:
        change.session.add(run("r1"))
        assert RUN.first(change.session.connection(), {"run": "r1"}) is not None


def test_an_update_writes_every_column_and_the_journal_holds_the_row(made: Made) -> None:
    add(made, run("r1"), run("r2"))
    before = stored(made)
    with made.store.write("workspace", kind="test", actor="ana", now=NOON) as change:
        row = RUN.first(change.session.connection(), {"run": "r1"})
        assert row is not None
        row.state, row.ended_at, row.version = "failed", NOON, 7
        change.update(row, {"number": 2})
    after = stored(made)
    assert {**before[0], "state": "failed", "ended_at": NOON, "version": 7} == {
        **after[0],
        "sealed": before[0]["sealed"],
    }
    assert after[0]["sealed"] != before[0]["sealed"]
    assert after[1] == before[1]
    body = made.store.body_of("workspace", made.store.heads()[0].seq)
    assert body is not None
    [image] = body["rows"]
    assert (image["table"], image["content"], image["row"]["version"]) == ("run", {"number": 2}, 7)


def test_an_update_without_content_leaves_what_is_sealed(made: Made) -> None:
    add(made, run("r1"))
    [before] = stored(made)
    with made.store.write("workspace", kind="test", actor="ana", now=NOON) as change:
        row = RUN.first(change.session.connection(), {"run": "r1"})
        assert row is not None
        row.version = 3
        change.update(row)
    assert stored(made) == [{**before, "version": 3}]


def test_a_row_that_went_away_is_a_conflict_and_nothing_is_kept(made: Made) -> None:
    add(made, run("r1"))
    heads = made.store.heads()
    with (
        pytest.raises(ConflictingWrite, match="not there any more"),
        made.store.write("workspace", kind="test", actor="ana", now=NOON) as change,
    ):
        change.update(run("r9"))
    assert made.store.heads() == heads
    assert len(stored(made)) == 1


def test_only_rows_of_journalled_tables_are_updated(made: Made) -> None:
    from incident.store.tables import Job as JobRow

    with (
        pytest.raises(TypeError, match="not journalled"),
        made.store.write("workspace", kind="test", actor="ana", now=NOON) as change,
    ):
        change.update(JobRow.model_construct(**{}))


def test_a_time_without_a_zone_never_reaches_the_database(made: Made) -> None:
    # PostgreSQL's own way wraps the refusal.
    with pytest.raises(Exception, match="without a zone"):
        add(made, run("r1", ended_at=datetime(2026, 3, 1)))  # noqa: DTZ001 - the point of the test
    assert stored(made) == []


def test_errors_are_those_of_the_usual_way(made: Made) -> None:
    again = Prepared(insert(Run))
    values = run("r1").model_dump()
    with made.store.transaction() as session:
        again.run(session.connection(), values)
    with pytest.raises(IntegrityError), made.store.transaction() as session:
        again.run(session.connection(), values)
    with made.store.read() as session:
        if is_postgres(session.connection()):
            return
        with pytest.raises(OperationalError, match="no such table"):
            on_sqlite(session.connection(), "SELECT * FROM nowhere", {})
        with pytest.raises(ProgrammingError):
            on_sqlite(session.connection(), "SELECT :name", {})


def test_a_savepoint_covers_prepared_statements_too(made: Made) -> None:
    with made.store.transaction() as session:
        put_job(session, "work", "first")
        with pytest.raises(ZeroDivisionError), session.begin_nested():
            put_job(session, "work", "second")
            raise ZeroDivisionError
        keys = run_prepared(session, "SELECT key FROM job WHERE kind = :kind ORDER BY key", kind="work")
        assert [key for (key,) in keys.fetchall()] == ["first"]


def test_an_effect_keeps_each_of_its_times(made: Made) -> None:
    effects = PreparedRows(RunEffect, col(RunEffect.id) == bindparam("effect"))
    row = RunEffect(
        id="e1",
        run_id="r1",
        incident_id="INC-1",
        visit="v",
        step="s",
        kind="run_command",
        state="open",
        asked_at=NOON,
        due_at=NOON + timedelta(microseconds=1),
    )
    with made.store.write("workspace", kind="test", actor="ana", now=NOON) as change:
        change.add(row, {})
    with made.store.read() as session:
        found = effects.first(session.connection(), {"effect": "e1"})
        usual = session.get(RunEffect, "e1")
    assert found is not None and usual is not None
    assert found.model_dump() == usual.model_dump()
    assert (found.asked_at, found.due_at, found.intent_at) == (NOON, NOON + timedelta(microseconds=1), None)
