from __future__ import annotations

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlmodel import SQLModel

import incident.store.migrations as migrations
from incident.errors import BadInput, StoreUnavailable, WorkspaceError
from incident.settings import Settings
from incident.store import tables
from incident.store.database import open_engine
from incident.store.journal import WORKSPACE_CHAIN
from incident.store.migrations import HEAD_REVISION, current_revision, upgrade
from incident.store.opening import create_store, open_store
from incident.store.tables import BULK_TABLES, ROW_TABLES
from incident.workspace import Workspace
from tests.support.postgres import PostgresServer
from tests.support.workspaces import START, Made, all_rows, make_workspace, open_one, run_sql

ROOT = Path(__file__).parents[3]


@pytest.fixture
def made(tmp_path: Path) -> Made:
    return make_workspace(tmp_path)


def settings_with(made: Made, **store: str) -> Settings:
    return made.settings.model_copy(update={"store": made.settings.store.model_copy(update=store)})


def test_the_migrated_schema_is_the_one_that_the_tables_describe(
    tmp_path: Path, store_on: PostgresServer | None
) -> None:
    made = make_workspace(tmp_path, on=store_on)
    tables.load_all()
    with made.store.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, SQLModel.metadata) == []


def test_the_newest_migration_is_the_revision_that_the_code_expects() -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    assert ScriptDirectory.from_config(config).get_heads() == [HEAD_REVISION]


def test_every_table_is_journalled_in_one_way_or_is_the_journal_itself() -> None:
    own = {"journal_entry", "journal_body", "journal_head"}
    of_the_work = {"job", "worker", "brake", "token_bucket", "kind_limit", "instance"}
    by_row = {str(table.__tablename__) for table in ROW_TABLES}
    in_bulk = {str(table.__tablename__) for table in BULK_TABLES}
    ours = {name for name in SQLModel.metadata.tables if name != "alembic_version"}
    assert not by_row & in_bulk
    assert by_row | in_bulk | own | of_the_work == ours


def test_a_table_is_built_only_when_it_is_asked_for() -> None:
    look = (
        "import sys; from incident.store.tables import Incident; from sqlmodel import SQLModel;"
        "print(*sorted(SQLModel.metadata.tables))"
    )
    done = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True, cwd=ROOT)
    assert "incident" in done.stdout.split()
    assert not {"delivery", "person", "run", "journal_entry"} & set(done.stdout.split())


def test_every_name_that_the_tables_promise_is_there_and_no_other() -> None:
    assert [name for name in tables.__all__ if not hasattr(tables, name)] == []
    with pytest.raises(AttributeError, match="Nonesuch"):
        _ = tables.Nonesuch


def test_a_new_store_keeps_what_was_committed_through_a_power_cut(made: Made) -> None:
    with made.store.engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2
        assert current_revision(connection) == HEAD_REVISION


def test_a_new_store_begins_with_what_the_workspace_was_born_as(tmp_path: Path) -> None:
    made = make_workspace(tmp_path, born="drill")
    [born] = made.store.recorded(WORKSPACE_CHAIN)
    assert born.body == {"id": "test", "name": "Test", "born": "drill"}
    assert (born.entry.kind, born.entry.at) == ("workspace.born", START)


def test_a_store_opened_again_holds_what_was_written(made: Made) -> None:
    incident = open_one(made, "Still here")
    made.store.close()
    again = open_store(made.workspace, made.settings)
    [recorded] = again.recorded(incident)
    assert recorded.body is not None
    assert recorded.body["rows"][0]["content"]["title"] == "Still here"


def test_a_database_is_not_made_anew_over_an_old_one(made: Made) -> None:
    before = all_rows(made.store)
    with pytest.raises(WorkspaceError, match="already"):
        create_store(made.workspace, made.settings, now=START)
    assert all_rows(made.store) == before


def test_a_missing_database_is_refused_and_not_made(made: Made) -> None:
    made.store.close()
    made.database.unlink()
    with pytest.raises(StoreUnavailable) as caught:
        open_store(made.workspace, made.settings)
    assert caught.value.next_step is not None and "backup" in caught.value.next_step
    assert not made.database.exists()


def test_an_empty_database_is_refused_and_stays_empty(made: Made) -> None:
    with sqlite3.connect(made.workspace.root / "empty.db") as connection:
        connection.execute("VACUUM")
    with pytest.raises(StoreUnavailable, match="no Tocsin database"):
        open_store(made.workspace, settings_with(made, url="sqlite:///empty.db"))
    with sqlite3.connect(made.workspace.root / "empty.db") as connection:
        assert connection.execute("SELECT * FROM sqlite_master").fetchall() == []


def test_a_database_of_a_newer_version_is_refused_and_left_alone(made: Made) -> None:
    open_one(made)
    run_sql(made.store, "UPDATE alembic_version SET version_num = '9999'")
    before = all_rows(made.store)
    with pytest.raises(StoreUnavailable, match="9999, newer than this version knows"):
        open_store(made.workspace, made.settings)
    assert all_rows(made.store) == before


def test_a_file_that_is_no_database_is_refused_and_left_alone(made: Made) -> None:
    file = made.workspace.root / "other.db"
    file.write_bytes(b"this is no database" * 100)
    with pytest.raises(StoreUnavailable) as caught:
        open_store(made.workspace, settings_with(made, url="sqlite:///other.db"))
    assert caught.value.next_step == "this file is no SQLite database; put the right one back"
    assert file.read_bytes() == b"this is no database" * 100


def test_a_store_in_a_folder_that_does_not_exist_is_unavailable(made: Made) -> None:
    with pytest.raises(StoreUnavailable, match="unable to open"):
        create_store(made.workspace, settings_with(made, url="sqlite:///nowhere/incident.db"), now=START)


@pytest.mark.parametrize("url", ["mysql://localhost/x", "sqlite://", "incident.db", ""])
def test_another_kind_of_database_is_refused_by_name(made: Made, url: str) -> None:
    with pytest.raises(BadInput) as caught:
        open_store(made.workspace, settings_with(made, url=url))
    assert caught.value.where == "store.url"


def test_a_folder_whose_name_looks_like_a_url_is_only_a_folder(tmp_path: Path) -> None:
    root = tmp_path / "what?mode=ro&x=%20#y"
    root.mkdir()
    made = make_workspace(root)
    assert made.database.is_file()
    assert open_one(made) == "INC-2026-0001"


def test_the_keyring_may_lie_elsewhere(tmp_path: Path) -> None:
    made = make_workspace(tmp_path, store={"keyring": str(tmp_path / "keys")})
    open_one(made)
    assert sorted(file.name for file in (tmp_path / "keys").iterdir()) == [
        "INC-2026-0001.key",
        "workspace.key",
    ]
    assert not (made.workspace.root / "keyring").exists()


def test_an_upgrade_that_fails_within_leaves_the_database_as_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = Workspace(tmp_path)
    engine = open_engine("sqlite:///x.db", root=workspace.root)
    with engine.execution_options(tocsin_writes=True).connect() as connection:
        connection.exec_driver_sql("CREATE TABLE person (id TEXT)")
        connection.commit()
    with pytest.raises(Exception, match="already exists"):
        upgrade(engine)
    with engine.connect() as connection:
        assert current_revision(connection) is None
        names = {
            row[0]
            for row in connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'table'")
        }
    assert names <= {"person", "alembic_version"}
