"""Moving the record to another database: nothing is lost, never may both act, and any cut is mended by calling again."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from sqlalchemy.exc import DBAPIError

from incident.durable import open_jobs, put_job
from incident.errors import BadInput, Refused, StoreUnavailable, TocsinError, WorkspaceError
from incident.ops.move import Move, Moved, Step, Target
from incident.proof.verify import verify
from incident.store.copying import Tally, tally
from incident.store.database import open_engine
from incident.store.instance import NotInCharge, must_be_in_charge, objection
from incident.store.opening import open_store
from incident.store.store import Store
from incident.workspace import worker_lock
from tests.support.commands import ROOT, run
from tests.support.estates import Estate, with_people
from tests.support.postgres import PostgresServer
from tests.support.workspaces import Made, make_workspace, open_one, run_sql

# What the activation at the end writes, and what moving says of itself.
_CHANGES = {"journal_entry", "journal_body", "journal_head", "job", "worker"}


@dataclass(frozen=True)
class Ways:
    """A record here, and the place it is to go to."""

    made: Made
    to: str
    incident: str

    def move(self, **watching: Callable[..., None]) -> Moved:
        """Call it in this process, with the settings as they stand on the disk."""
        settings = self.made.workspace.settings()
        store = open_store(self.made.workspace, settings)
        try:
            return Move(
                self.made.workspace,
                settings,
                store,
                Target(self.to),
                actor="ana",
                clock=self.made.clock,
                **watching,
            ).run()
        finally:
            store.close()

    @property
    def there(self) -> Store:
        """The target as a store, whatever it holds."""
        engine = open_engine(self.to, root=self.made.workspace.root)
        return Store(engine, self.made.store.keyring, where=self.to)

    def in_charge(self) -> set[str]:
        """Which of the two may act now."""
        there = self.there
        found = {name for name, store in (("here", self.made.store), ("there", there)) if acts(store)}
        there.close()
        return found

    def named(self) -> str:
        return self.made.workspace.settings().store.url


@pytest.fixture(params=["to postgres", "to sqlite"])
def ways(request: pytest.FixtureRequest, tmp_path: Path, postgres: PostgresServer) -> Iterator[Ways]:
    back = request.param == "to sqlite"
    made = make_workspace(tmp_path, on=postgres if back else None)
    to = "sqlite:///moved.db" if back else postgres.url(postgres.create_database())
    incident = open_one(made)
    with made.store.transaction() as session:
        put_job(session, "work", "k")
    yield Ways(made, to, incident)
    made.store.close()


def acts(store: Store) -> bool:
    """Whether this is a record that may act; none is there in an empty database."""
    try:
        with store.read() as session:
            found = session.connection().exec_driver_sql("SELECT count(*) FROM journal_entry").scalar_one()
            must_be_in_charge(store, session)
            return bool(found)
    except (NotInCharge, StoreUnavailable, DBAPIError):
        return False


def tally_of(store: Store) -> dict[str, Tally]:
    with store.read() as session:
        return tally(session.connection())


def unchanged(found: dict[str, Tally]) -> dict[str, Tally]:
    return {name: each for name, each in found.items() if name not in _CHANGES}


def assert_moved(ways: Ways, before: dict[str, Tally]) -> None:
    """The record is there, whole, and acts; the old one does not and says where it is."""
    assert ways.named() == ways.to
    assert ways.in_charge() == {"there"}
    settings = ways.made.workspace.settings()
    now = open_store(ways.made.workspace, settings)
    assert unchanged(tally_of(now)) == unchanged(before)
    assert verify(now).sound
    kinds = [entry.kind for entry in now.entries("workspace")]
    assert kinds[-2:] == ["record.moved", "record.activated"]
    assert kinds.count("record.activated") == 1
    with now.read() as session:
        assert open_jobs(session) == 1
    open_one(replace(ways.made, store=now))
    now.close()
    with pytest.raises(NotInCharge) as refused:
        open_one(ways.made)
    assert ways.to in refused.value.what


# -- the move itself -------------------------------------------------------------------------------


def test_everything_is_there_afterwards_and_the_old_one_says_where(ways: Ways) -> None:
    before = tally_of(ways.made.store)
    heard: list[Step] = []
    moved = ways.move(on_step=heard.append)
    assert heard == list(Step)
    assert (moved.url, moved.left, moved.resumed) == (ways.to, ways.made.settings.store.url, False)
    assert (moved.epoch, moved.rows > 3) == (2, True)
    assert_moved(ways, before)


def test_calling_it_again_changes_nothing(ways: Ways) -> None:
    ways.move()
    before = tally_of(ways.there)
    again = ways.move()
    assert (again.resumed, again.epoch) == (True, 2)
    assert tally_of(ways.there) == before


def test_there_and_back_again_nothing_is_lost(ways: Ways, tmp_path: Path) -> None:
    before = tally_of(ways.made.store)
    ways.move()
    back = replace(ways, to="sqlite:///back.db")
    back.move()
    now = open_store(ways.made.workspace, ways.made.workspace.settings())
    assert unchanged(tally_of(now)) == unchanged(before)
    assert verify(now).sound
    open_one(replace(ways.made, store=now))
    now.close()
    assert objection(ways.there) is not None


def test_only_the_place_changes_in_the_settings(ways: Ways) -> None:
    file = ways.made.workspace.settings_file
    text = file.read_text("utf-8") + "\n# a note of ours\n"
    file.write_text(text, "utf-8")
    ways.move()
    after = file.read_text("utf-8").splitlines()
    gone = [line for line in text.splitlines() if line not in after]
    assert all("url" in line for line in gone)
    assert "# a note of ours" in after


def test_while_it_moves_never_may_both_act(ways: Ways) -> None:
    """Looked at again and again, in an order in which two that act at one moment would be seen."""
    over = threading.Event()
    seen: list[tuple[bool, ...]] = []
    watched = replace(ways, made=ways.made.another())

    def look() -> None:
        here, there = watched.made.store, watched.there
        while not over.is_set():
            seen.append(tuple(acts(store) for store in (here, there, here)))
        there.close()

    thread = threading.Thread(target=look)
    thread.start()
    try:
        ways.move()
        time.sleep(0.3)
    finally:
        over.set()
        thread.join()
    watched.made.store.close()
    assert (True, True, True) not in seen
    assert {(True, False, True), (False, True, False)} <= set(seen)


def test_what_others_write_meanwhile_goes_along_or_is_refused(ways: Ways) -> None:
    other, kept, refused = ways.made.another(), [], []
    going = threading.Event()

    def write() -> None:
        for number in range(100_000):
            try:
                with other.store.transaction() as session:
                    put_job(session, "written", f"{number}")
            except NotInCharge:
                refused.append(number)
                return
            kept.append(number)
            if number == 20:
                going.set()

    thread = threading.Thread(target=write)
    thread.start()
    assert going.wait(20)
    ways.move()
    thread.join(timeout=40)
    other.store.close()
    assert len(kept) > 20 and len(refused) == 1
    now = open_store(ways.made.workspace, ways.made.workspace.settings())
    with now.read() as session:
        found = (
            session.connection()
            .exec_driver_sql("SELECT count(*) FROM job WHERE kind = 'written'")
            .scalar_one()
        )
    now.close()
    assert found == len(kept)


# -- what is refused -------------------------------------------------------------------------------


def refused(ways: Ways, error: type[TocsinError], says: str) -> None:
    """It is not moved: the record acts where it did, and so do the settings say."""
    before, text = tally_of(ways.made.store), ways.made.workspace.settings_file.read_text("utf-8")
    with pytest.raises(error, match=says):
        ways.move()
    assert tally_of(ways.made.store) == before
    assert ways.made.workspace.settings_file.read_text("utf-8") == text
    assert "here" in ways.in_charge()


def test_while_a_worker_is_at_work_it_is_refused(ways: Ways) -> None:
    if ways.to.startswith("sqlite"):
        seen = "INSERT INTO worker SELECT 'w', 'elsewhere', 1, 2, t, 1, t FROM (SELECT extract(epoch FROM now()) t) AS x"
        run_sql(ways.made.store, seen)
        refused(ways, Refused, "a worker is at work")
        return
    with worker_lock(ways.made.workspace) as ours:
        assert ours
        refused(ways, Refused, "a worker is at work")


def test_a_target_that_holds_another_record_is_refused_and_stays(ways: Ways, tmp_path: Path) -> None:
    other = make_workspace(tmp_path / "other")
    open_one(other)
    other_ways = Ways(
        other, ways.to if ways.to.startswith("postgres") else f"sqlite:///{tmp_path}/moved.db", "x"
    )
    other_ways.move()
    before = tally_of(other_ways.there)
    refused(replace(ways, to=other_ways.to), WorkspaceError, "record in this database")
    assert tally_of(other_ways.there) == before


@pytest.mark.parametrize(
    ("to", "error", "says"),
    [
        ("postgresql://u:secret@127.0.0.1/d", BadInput, "never written into the URL"),
        ("postgresql://u@127.0.0.1:9/d", StoreUnavailable, "does not answer"),
        ("sqlite:////nowhere/at/all.db", WorkspaceError, "cannot be made"),
    ],
)
def test_a_target_that_is_none_is_refused(ways: Ways, to: str, error: type[TocsinError], says: str) -> None:
    refused(replace(ways, to=to), error, says)


def test_a_url_of_another_database_is_refused(ways: Ways) -> None:
    with pytest.raises(BadInput, match="PostgreSQL"):
        replace(ways, to="mysql://h/d").move()
    assert ways.in_charge() == {"here"}


def test_settings_that_cannot_be_changed_safely_are_refused_before_anything_is_copied(ways: Ways) -> None:
    file = ways.made.workspace.settings_file
    lines = [
        line for line in file.read_text("utf-8").splitlines() if line != "[store]" and "url = " not in line
    ]
    file.write_text(f'store.url = "{ways.made.settings.store.url}"\n' + "\n".join(lines) + "\n", "utf-8")
    refused(ways, Refused, "cannot be changed without touching the rest")
    assert ways.in_charge() == {"here"}


def test_a_copy_that_does_not_act_moves_nowhere(ways: Ways) -> None:
    with ways.made.store.keyring.one_activation():
        ways.made.store.keyring.raise_epoch(5)
    with pytest.raises(NotInCharge, match="another copy"):
        ways.move()
    assert ways.in_charge() == set()


def test_a_record_that_does_not_verify_stays_where_it_is(ways: Ways) -> None:
    run_sql(
        ways.made.store, "UPDATE journal_entry SET actor = 'nobody' WHERE seq = 1 AND chain = 'workspace'"
    )
    refused(ways, StoreUnavailable, "does not verify")


def test_half_a_move_goes_on_only_to_where_it_began(ways: Ways) -> None:
    assert killed_at(ways, "left")
    with pytest.raises(Refused, match="moved to") as caught:
        replace(ways, to="sqlite:///another.db").move()
    assert ways.to in (caught.value.next_step or "")
    assert ways.move().resumed


# -- killed at every point -------------------------------------------------------------------------

KILLED = """
import os, signal, sys
from datetime import UTC, datetime
from pathlib import Path
from incident.ops.move import Move, Target
from incident.store.keyring import Keyring
from incident.store.opening import open_store
from incident.workspace import Workspace

root, to, place = sys.argv[1:]
workspace = Workspace(Path(root))
settings = workspace.settings()

def killed(*_):
    os.kill(os.getpid(), signal.SIGKILL)

raised = Keyring.raise_epoch

def raise_and_die(keyring, epoch):
    raised(keyring, epoch)
    killed()

if place == "keyring":
    Keyring.raise_epoch = raise_and_die
move = Move(
    workspace, settings, open_store(workspace, settings), Target(to), actor="ana", clock=lambda: datetime.now(UTC),
    on_step=lambda step: killed() if step == place else None,
    on_table=lambda table: killed() if table == place else None,
)
move.run()
"""
# A table's name stands for a kill in the midst of copying; "keyring": between the keyring and the target's commit.
BEFORE_IT_LEFT = ("held", "person", "copied", "verified")
AFTERWARDS = ("left", "keyring", "activated", "named")


def killed_at(ways: Ways, place: str) -> bool:
    process = subprocess.run(
        [sys.executable, "-c", KILLED, ways.made.workspace.root, ways.to, place],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        timeout=60,
        check=False,
    )
    return process.returncode == -9


@pytest.mark.parametrize("place", BEFORE_IT_LEFT)
def test_killed_before_the_old_one_was_left_it_acts_on_and_the_move_begins_anew(
    ways: Ways, place: str
) -> None:
    before = tally_of(ways.made.store)
    assert killed_at(ways, place)
    assert ways.in_charge() == {"here"}
    assert tally_of(ways.made.store) == before
    assert ways.named() == ways.made.settings.store.url
    # It acts on, and what it does then must not be lost either.
    open_one(ways.made, "opened after the kill")
    before = tally_of(ways.made.store)
    assert ways.move().resumed is False
    assert_moved(ways, before)


@pytest.mark.parametrize("place", AFTERWARDS)
def test_killed_afterwards_at_most_the_new_one_acts_and_calling_again_goes_on(ways: Ways, place: str) -> None:
    before = tally_of(ways.made.store)
    assert killed_at(ways, place)
    assert ways.in_charge() == ({"there"} if place in ("activated", "named") else set())
    with pytest.raises(NotInCharge) as caught:
        open_one(ways.made)
    assert ways.to in caught.value.what
    assert ways.move().resumed is True
    assert_moved(ways, before)


@pytest.mark.chaos
def test_killed_again_and_again_it_comes_through(ways: Ways) -> None:
    before = tally_of(ways.made.store)
    for place in ("held", "alert", "copied", "worker", "verified", "left", "keyring", "keyring", "activated"):
        assert killed_at(ways, place)
        assert len(ways.in_charge()) <= 1
    ways.move()
    assert_moved(ways, before)


def test_a_target_that_was_lost_before_the_move_ended_is_named_and_nothing_is_made_up(ways: Ways) -> None:
    assert killed_at(ways, "left")
    if ways.to.startswith("sqlite"):
        (ways.made.workspace.root / "moved.db").unlink()
    else:
        there = ways.there
        with there.engine.begin() as connection:
            connection.exec_driver_sql("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
        there.close()
    with pytest.raises(StoreUnavailable, match="is there no more") as caught:
        ways.move()
    assert "restore --activate" in (caught.value.next_step or "")
    assert ways.in_charge() == set()


# -- the command -----------------------------------------------------------------------------------


def test_the_command_moves_a_whole_workspace_and_everything_works_there(
    estate: Estate, postgres: PostgresServer
) -> None:
    with_people(estate)
    url = postgres.url(postgres.create_database(owner="guarded"), user="guarded")
    words = ("move", "--to", url, "--password-from", "env:TOCSIN_TEST_DB")
    secret = {"TOCSIN_TEST_DB": "correct horse"}
    stats = estate.done("people", "stats", estate.id).out
    answer = estate.done(*words, "--json", **secret)
    assert answer.document["url"] == url and answer.document["epoch"] == 2
    assert "correct horse" not in answer.text
    text = estate.settings_file.read_text("utf-8")
    assert 'password = "env:TOCSIN_TEST_DB"' in text and "correct horse" not in text
    assert estate.done("people", "stats", estate.id, **secret).out == stats
    assert estate.done("verify", "--json", **secret).document["sound"] is True
    estate.done("log", estate.id, "goes on there", **secret)
    assert "already" in estate.done(*words, **secret).out

    estate.done("move", "--to", "sqlite:///back.db", **secret)
    text = estate.settings_file.read_text("utf-8")
    assert "password" not in text and 'url = "sqlite:///back.db"' in text
    assert (estate.root / "back.db").stat().st_mode & 0o777 == 0o600
    assert "goes on there" in estate.done("timeline", estate.id).out
    assert estate.done("verify", "--json").document["sound"] is True


def test_the_old_file_is_not_filled_again_and_says_so(estate: Estate) -> None:
    estate.done("move", "--to", "sqlite:///second.db")
    answer = estate.run("move", "--to", "sqlite:///incident.db")
    assert answer.code == 1 and "record in this database" in answer.err
    estate.done("log", estate.id, "acts on")


def test_an_old_settings_file_is_told_where_the_record_is(estate: Estate) -> None:
    before = estate.settings_file.read_text("utf-8")
    estate.done("move", "--to", "sqlite:///second.db")
    estate.settings_file.write_text(before, "utf-8")
    estate.refused("log", estate.id, "seen", says=["moved to sqlite:///second.db", "store.url"])
    assert "moved to sqlite:///second.db" in run("--workspace", estate.root, "list").err
