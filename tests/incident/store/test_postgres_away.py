"""A database in PostgreSQL that cannot be used: what each case is called, and that work goes on when it is back."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, text

from incident.errors import BadInput, Collided, StoreAway, StoreUnavailable
from incident.settings import StoreSettings
from incident.store import postgres as ours
from incident.store.opening import open_store
from incident.store.store import Store
from tests.support.at_once import at_once
from tests.support.journals import note, sound
from tests.support.postgres import GUARDED, GUARDED_PASSWORD, PostgresServer
from tests.support.workspaces import START, Made, all_rows, make_workspace, open_one, run_sql


@pytest.fixture
def made(tmp_path: Path, postgres: PostgresServer) -> Made:
    return make_workspace(tmp_path, on=postgres)


def opened(made: Made, **store: Any) -> Store:
    settings = made.settings.model_copy(update={"store": made.settings.store.model_copy(update=store)})
    return open_store(made.workspace, settings)


def refused(made: Made, **store: Any) -> StoreUnavailable:
    """Why a workspace with these settings of its store cannot be opened, for good and not only now."""
    with pytest.raises(StoreUnavailable) as caught:
        opened(made, **store)
    assert not isinstance(caught.value, StoreAway)
    assert caught.value.next_step
    return caught.value


def as_guarded(made: Made) -> str:
    return made.settings.store.url.replace("tocsin@", f"{GUARDED}@")


def kill_connection(store: Store) -> None:
    """End every connection of the store from another one, as an administrator may."""
    with open_store_beside(store) as connection:
        connection.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        )


def open_store_beside(store: Store) -> Any:
    return ours.open_engine(store.where, password=None).connect()


# -- cannot be used ----------------------------------------------------------------------------------


def test_a_user_without_a_password_is_told_where_it_goes(made: Made) -> None:
    error = refused(made, url=as_guarded(made))
    assert "asks for a password" in error.what
    assert "[store]" in str(error.next_step)


def test_a_wrong_password_is_called_so_and_never_shown(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OF_THE_STORE", "not the right one")
    error = refused(made, url=as_guarded(made), password="env:OF_THE_STORE")
    assert "refuses the user or the password" in error.what
    assert "not the right one" not in str(error)


def test_the_right_password_opens_wherever_its_reference_says_it_is(
    made: Made, postgres: PostgresServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = made.settings.store.url.rpartition("/")[2]
    postgres.execute(f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {GUARDED}", database=database)
    monkeypatch.setenv("OF_THE_STORE", GUARDED_PASSWORD)
    (tmp_path / "secret").write_text(GUARDED_PASSWORD + "\n")
    for reference in ("env:OF_THE_STORE", f"file:{tmp_path / 'secret'}"):
        assert opened(made, url=as_guarded(made), password=reference).chains() == ["workspace"]
    with pytest.raises(BadInput, match="env:NOWHERE"):
        opened(made, url=as_guarded(made), password="env:NOWHERE")


def test_a_password_in_the_url_is_refused_and_not_repeated() -> None:
    for url in ("postgresql://me:hunter2@host/db", "postgresql://me@host/db?password=hunter2"):
        with pytest.raises(ValueError, match=r"store\.password") as caught:
            StoreSettings(url=url)
        assert "hunter2" not in str(caught.value.errors()[0]["msg"])  # type: ignore[attr-defined]


def test_a_missing_database_is_named(made: Made) -> None:
    error = refused(made, url=made.settings.store.url + "_of_others")
    assert "_of_others' is not there" in error.what
    assert "createdb" in str(error.next_step)


def test_an_empty_database_and_another_program_s_are_told_apart(made: Made, postgres: PostgresServer) -> None:
    empty = postgres.create_database()
    assert "no Tocsin database" in refused(made, url=postgres.url(empty)).what
    postgres.execute("CREATE TABLE alembic_version (version_num text)", database=empty)
    postgres.execute("INSERT INTO alembic_version VALUES ('a1b2c3')", database=empty)
    assert "another program's" in refused(made, url=postgres.url(empty)).what


def test_a_server_that_cannot_encrypt_is_not_taken_for_one_that_is_down(made: Made) -> None:
    error = refused(made, url=made.settings.store.url + "?sslmode=require")
    assert "no protected connection" in error.what
    assert "sslmode" in str(error.next_step)


def test_settings_that_the_library_does_not_take_are_bad_input(made: Made) -> None:
    with pytest.raises(BadInput, match="sslmode"):
        opened(made, url=made.settings.store.url + "?sslmode=perhaps")


def test_a_user_without_rights_is_told_what_to_grant(
    made: Made, postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OF_THE_STORE", GUARDED_PASSWORD)
    error = refused(made, url=as_guarded(made), password="env:OF_THE_STORE")
    assert "may not do this" in error.what
    assert "GRANT" in str(error.next_step).upper()


def test_a_database_that_is_set_read_only_takes_no_change_and_says_so(
    made: Made, postgres: PostgresServer
) -> None:
    incident = open_one(made)
    before = all_rows(made.store)
    database = made.settings.store.url.rpartition("/")[2]
    postgres.execute(f"ALTER DATABASE {database} SET default_transaction_read_only = on")
    with pytest.raises(StoreUnavailable, match="takes no changes"):
        note(made.another(), incident, "x")
    assert all_rows(made.store) == before


# -- stands in the way --------------------------------------------------------------------------------


def test_of_two_changes_that_block_each_other_one_is_taken_back_and_may_be_tried_again(made: Made) -> None:
    one, two = open_one(made), open_one(made)

    def change(first: str, second: str) -> None:
        with made.store.write(first, kind="x", actor="a", now=START) as change:
            time.sleep(0.2)
            change.take_turn(second)

    outcomes = at_once(lambda: change(one, two), lambda: change(two, one))
    assert [type(each) for each in outcomes if each is not None] == [Collided]
    assert sorted(len(made.store.entries(each)) for each in (one, two)) == [1, 2]
    assert sound(made.store, *made.store.heads())


def test_a_change_that_waits_too_long_for_another_names_what_it_waits_for(
    made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(ours._SERVER, "lock_timeout", "100ms")
    impatient = made.another()
    incident = open_one(made)
    with (
        made.store.write(incident, kind="long", actor="a", now=START),
        pytest.raises(StoreUnavailable, match="another process holds"),
    ):
        note(impatient, incident, "x")
    assert [each.kind for each in made.store.entries(incident)] == ["incident.opened", "long"]


def test_a_writer_that_stands_still_is_cut_off_and_whoever_waited_goes_on(made: Made) -> None:
    incident = open_one(made)
    with pytest.raises(StoreUnavailable):  # noqa: SIM117 - the change inside is a part of what must fail
        with made.store.write(incident, kind="frozen", actor="a", now=START) as change:
            change.allow_pauses(seconds=0.2)
            begun = time.monotonic()
            note(made.another(), incident, "the next one")
            assert time.monotonic() - begun < 5
    assert [each.kind for each in made.store.entries(incident)] == ["incident.opened", "noted"]


def test_a_writer_that_said_so_may_stand_still_for_longer_than_others(
    made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ours, "_IDLE_WRITER_SECONDS", 0.2)
    incident = open_one(made)
    with made.store.write(incident, kind="slow", actor="a", now=START) as change:
        change.allow_pauses(seconds=20)
        time.sleep(0.5)
    with pytest.raises(StoreUnavailable), made.store.write(incident, kind="slow", actor="a", now=START):
        time.sleep(0.5)
    assert [each.kind for each in made.store.entries(incident)] == ["incident.opened", "slow"]


def test_when_every_connection_is_in_use_the_next_one_waits_only_so_long(
    made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ours, "_POOL", {"pool_size": 1, "max_overflow": 0, "pool_timeout": 0.1})
    small = made.another().store
    with small.read() as session:
        session.connection()
        with pytest.raises(StoreAway, match="in use"):
            small.chains()
    assert small.chains() == ["workspace"]


# -- away, and back ----------------------------------------------------------------------------------


def test_a_connection_that_an_administrator_ends_is_away_and_the_next_one_works(made: Made) -> None:
    incident = open_one(made)
    with pytest.raises(StoreAway), made.store.read() as session:
        session.connection()
        kill_connection(made.store)
        session.execute(text("SELECT 1"))
    with pytest.raises(StoreAway), made.store.write(incident, kind="x", actor="a", now=START):
        kill_connection(made.store)
    assert [each.kind for each in made.store.entries(incident)] == ["incident.opened"]


def test_a_commit_whose_connection_dies_is_away_and_says_to_look_before_repeating(made: Made) -> None:
    incident = open_one(made)
    armed = [True]

    @event.listens_for(made.store.engine, "commit")
    def die(connection: object) -> None:
        if armed.pop() if armed else False:
            kill_connection(made.store)

    with pytest.raises(StoreAway) as caught:
        note(made, incident, "x")
    assert "before you repeat it" in str(caught.value.next_step)
    assert len(made.store.entries(incident)) == 1
    note(made, incident, "again")
    assert sound(made.store, *made.store.heads())


def test_a_server_that_is_stopped_is_away_and_when_it_is_back_the_same_store_goes_on(
    tmp_path: Path, own_postgres: PostgresServer
) -> None:
    made = make_workspace(tmp_path, on=own_postgres)
    incident = open_one(made)
    for stop in (own_postgres.stop_at_once, own_postgres.stop):
        with pytest.raises(StoreAway), made.store.write(incident, kind="cut", actor="a", now=START) as change:
            change.note(text="half of it")
            stop()
        with pytest.raises(StoreAway, match="does not answer") as down:
            made.store.chains()
        assert "start it" in str(down.value.next_step)
        with pytest.raises(StoreAway, match="does not answer"):
            opened(made)
        own_postgres.start()
        note(made, incident, "and on")
    assert [each.kind for each in made.store.entries(incident)] == ["incident.opened", "noted", "noted"]
    assert sound(made.store, *made.store.heads())


def test_a_server_that_lets_nobody_in_yet_is_away_too(tmp_path: Path, own_postgres: PostgresServer) -> None:
    made = make_workspace(tmp_path, on=own_postgres)
    made.store.close()
    own_postgres.stop()
    own_postgres.start_closed()
    for store in (lambda: made.store.chains(), lambda: opened(made)):
        with pytest.raises(StoreAway, match="starting or stopping"):
            store()
    own_postgres.stop_at_once()
    own_postgres.start()
    assert made.store.chains() == ["workspace"]


def test_who_was_let_in_before_takes_a_refusal_for_one_that_passes(
    made: Made, postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = made.settings.store.url.rpartition("/")[2]
    postgres.execute(f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {GUARDED}", database=database)
    monkeypatch.setenv("OF_THE_STORE", GUARDED_PASSWORD)
    guarded = {"url": as_guarded(made), "password": "env:OF_THE_STORE"}
    known = opened(made, **guarded)
    try:
        # As with a server that is full.
        postgres.execute(f"ALTER ROLE {GUARDED} CONNECTION LIMIT 0")
        kill_connection(made.store)
        with pytest.raises(StoreAway, match="lets nobody in now"):
            known.chains()
        assert "refuses" in refused(made, **guarded).what
    finally:
        postgres.execute(f"ALTER ROLE {GUARDED} CONNECTION LIMIT -1")
    assert known.chains() == ["workspace"]


def test_a_row_that_breaks_a_constraint_is_a_fault_and_no_matter_of_the_server(made: Made) -> None:
    from sqlalchemy.exc import IntegrityError

    with pytest.raises(IntegrityError):
        run_sql(made.store, "INSERT INTO journal_head (chain, seq, hash) VALUES ('workspace', 1, 'x')")
