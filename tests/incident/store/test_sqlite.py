"""The store in an SQLite file: what lies in the file, and what stops it from being written."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from incident.errors import KeyDestroyed, StoreUnavailable
from incident.record.dossier import load_dossier
from incident.store import database
from incident.store.journal import WORKSPACE_CHAIN, check_chain
from incident.store.opening import open_store
from incident.store.tables import Incident
from incident.workspace import Workspace
from tests.support.journals import log, note, sound, three_entries
from tests.support.workspaces import START, Made, all_rows, make_workspace, open_one


@pytest.fixture
def made(tmp_path: Path) -> Made:
    return make_workspace(tmp_path)


def test_nothing_of_the_content_lies_plain_in_the_file(made: Made) -> None:
    incident = open_one(made, "Zweiundvierzig")
    log(made, incident, "Siebenundzwanzig")
    made.store.close()
    content = b"".join(file.read_bytes() for file in made.workspace.root.glob("incident.db*"))
    assert b"Zweiundvierzig" not in content
    assert b"Siebenundzwanzig" not in content
    assert incident.encode() in content


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_change_of_any_column_of_any_entry_is_found(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    made = a_shared_workspace(tmp_path_factory)
    [incident] = [chain for chain in made.store.chains() if chain != WORKSPACE_CHAIN]
    heads = made.store.heads()
    column = data.draw(
        st.sampled_from(["at", "kind", "actor", "suite", "body_hash", "previous", "hash", "seq"])
    )
    seq = data.draw(st.integers(1, 3))
    value: object = data.draw(st.text(st.characters(codec="ascii", min_codepoint=32), min_size=1, max_size=8))
    if column == "at":
        value = f"20{data.draw(st.integers(10, 25))}-01-01 00:00:00.000000"
    if column == "seq":
        value = data.draw(st.integers(4, 9))
    with sqlite3.connect(made.database, isolation_level=None) as connection:
        connection.execute("BEGIN IMMEDIATE")
        where = "WHERE chain = ? AND seq = ?"
        connection.execute(f"UPDATE journal_entry SET {column} = ? {where}", (value, incident, seq))  # noqa: S608
        connection.execute("COMMIT")
        try:
            assert check_chain(made.store.entries(incident), chain=incident, outside=heads) != []
        finally:
            restore(connection)
    assert check_chain(made.store.entries(incident), chain=incident, outside=heads) == []


_shared: list[Made] = []


def a_shared_workspace(factory: pytest.TempPathFactory) -> Made:
    if not _shared:
        made = make_workspace(factory.mktemp("tampering"))
        three_entries(made)
        with sqlite3.connect(made.database) as connection:
            connection.execute("CREATE TABLE kept AS SELECT * FROM journal_entry")
        _shared.append(made)
    return _shared[0]


def restore(connection: sqlite3.Connection) -> None:
    connection.execute("DELETE FROM journal_entry")
    connection.execute("INSERT INTO journal_entry SELECT * FROM kept")


def test_with_its_key_destroyed_an_incident_is_unreadable_also_in_an_older_copy_and_the_chain_is_valid(
    made: Made, tmp_path: Path
) -> None:
    incident = open_one(made, "Secret title")
    log(made, incident, "secret text")
    made.store.close()
    old = tmp_path / "backup"
    old.mkdir()
    shutil.copytree(made.workspace.root, old / "copy", ignore=shutil.ignore_patterns("keyring"))
    heads = made.store.heads()
    made.store.keyring.destroy(incident, now=made.clock())

    kept = made.settings.model_copy(
        update={"store": made.settings.store.model_copy(update={"keyring": str(made.store.keyring.folder)})}
    )
    for store in (made.store, open_store(Workspace(old / "copy"), kept)):
        assert sound(store, *heads)
        assert [recorded.body for recorded in store.recorded(incident)] == [None, None]
        with pytest.raises(KeyDestroyed, match="2026-11-23"):
            load_dossier(store, incident)
        with store.read() as session:
            rows = session.get(Incident, incident)
        assert rows is not None
        with pytest.raises(KeyDestroyed):
            store.open(rows, incident_id=incident)


REFUSING = """
import json, resource, signal, sys
from datetime import UTC, datetime
from pathlib import Path
from incident.errors import StoreUnavailable
from incident.settings import read_settings
from incident.store.opening import open_store
from incident.workspace import Workspace
from tests.support.workspaces import all_rows

workspace = Workspace(Path(sys.argv[1]))
store = open_store(workspace, workspace.settings())
before = all_rows(store)
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
if sys.argv[3] == "full":
    size = sum(file.stat().st_size for file in workspace.root.glob("incident.db-wal")) or 4096
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 20_000, size + 20_000))
if sys.argv[3] == "read-only":
    store.engine.dispose()
    from sqlalchemy import event
    event.listen(store.engine, "connect", lambda connection, _: connection.execute("PRAGMA query_only=ON"))
try:
    with store.write(sys.argv[2], kind="x", actor="a", now=datetime(2026, 1, 1, tzinfo=UTC)) as change:
        change.note(text="x" * 200_000)
except StoreUnavailable as error:
    print(json.dumps({"error": str(error), "same": all_rows(store) == before, "where": error.where}))
"""


@pytest.mark.parametrize("how", ["full", "read-only"])
def test_a_database_that_refuses_to_be_written_is_unavailable_and_as_before(made: Made, how: str) -> None:
    incident = open_one(made)
    done = subprocess.run(
        [sys.executable, "-c", REFUSING, str(made.workspace.root), incident, how],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[3],
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["same"] is True
    assert said["where"] == "sqlite:///incident.db"
    assert "the store cannot be used" in said["error"]
    note(made, incident, "and it can be written again")
    assert sound(made.store, *made.store.heads())


def test_a_database_that_another_process_holds_is_unavailable_and_says_so(
    made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    incident = open_one(made)
    monkeypatch.setattr(database, "_BUSY_SECONDS", 0.05)
    store = open_store(made.workspace, made.settings)
    before = all_rows(store)
    with sqlite3.connect(made.database, isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreUnavailable) as caught, store.write(incident, kind="x", actor="a", now=START):
            pass
        other.execute("ROLLBACK")
    assert caught.value.next_step is not None and "another process" in caught.value.next_step
    assert all_rows(store) == before
