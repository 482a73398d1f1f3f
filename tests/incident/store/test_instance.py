"""Which copy of the record may act: the fence that stands in every writing transaction."""

from __future__ import annotations

import shutil
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from incident.durable import put_job
from incident.errors import ConflictingWrite, KeyMissing, Refused, StoreUnavailable
from incident.store.copying import hold_back_writers
from incident.store.instance import (
    RECORD_MOVED,
    Instance,
    NotInCharge,
    Standing,
    in_charge,
    moved_to,
    objection,
    raising_epoch_to,
    set_instance,
    this_instance,
    unfenced,
)
from incident.store.journal import WORKSPACE_CHAIN
from incident.store.keyring import Keyring
from incident.store.store import Store
from tests.support.postgres import PostgresServer
from tests.support.workspaces import Made, all_rows, make_workspace, open_one, run_sql


@pytest.fixture
def made(tmp_path: Path, store_on: PostgresServer | None) -> Iterator[Made]:
    made = make_workspace(tmp_path, on=store_on)
    yield made
    made.store.close()


def stands(made: Made, standing: Standing, *, epoch: int = 1) -> None:
    with bare(made.store).transaction() as session:
        set_instance(session, Instance(epoch, standing), now=made.clock())


def bare(store: Store) -> Store:
    return Store(store.engine, store.keyring, where=store.where, fence=unfenced)


def raise_epoch(keyring: Keyring, epoch: int) -> None:
    with keyring.one_activation():
        keyring.raise_epoch(epoch)


def refusal(made: Made) -> NotInCharge:
    """What a writer is told; the store is as before."""
    before = all_rows(made.store)
    with pytest.raises(NotInCharge) as caught, made.store.transaction() as session:
        put_job(session, "work", "k")
    assert all_rows(made.store) == before
    with pytest.raises(NotInCharge):
        open_one(made)
    assert all_rows(made.store) == before
    why = objection(made.store)
    assert why is not None and str(why) == str(caught.value)
    assert isinstance(why, Refused)
    return why


def test_a_new_record_is_the_one_that_acts_and_its_keyring_needs_no_file_for_that(made: Made) -> None:
    assert objection(made.store) is None
    open_one(made)
    assert not (made.store.keyring.folder / "epoch").exists()


def test_a_copy_says_how_it_becomes_the_one(made: Made) -> None:
    stands(made, Standing.COPY)
    why = refusal(made)
    assert "copy" in why.what
    assert why.where == made.store.where
    assert "incident restore --activate" in (why.next_step or "")


def test_what_a_move_is_filling_says_that_the_move_must_end(made: Made) -> None:
    stands(made, Standing.ARRIVING)
    assert "incident move" in (refusal(made).next_step or "")


def test_what_a_move_left_says_where_the_record_is_now(made: Made) -> None:
    for place in ("postgresql://somewhere/old", "postgresql://somewhere/now"):
        with made.store.write(WORKSPACE_CHAIN, kind=RECORD_MOVED, actor="ana", now=made.clock()) as change:
            change.note(to=place)
    stands(made, Standing.MOVED)
    assert "moved to postgresql://somewhere/now" in refusal(made).what
    # Without the key nobody can tell where to, and it still does not act.
    (made.store.keyring.folder / "workspace.key").rename(made.store.keyring.folder / "elsewhere")
    keyless = replace(made, store=Store(made.store.engine, Keyring(made.store.keyring.folder), where="x"))
    assert moved_to(keyless.store) is None
    with pytest.raises(NotInCharge, match="another store"), keyless.store.transaction():
        pass


def test_a_higher_epoch_in_the_keyring_ends_the_older_copy(made: Made) -> None:
    raise_epoch(made.store.keyring, 2)
    why = refusal(made)
    assert "epoch 2; this one is of epoch 1" in why.what
    stands(made, Standing.ACTIVE, epoch=2)
    open_one(made)


def test_a_keyring_older_than_the_record_opens_nothing_for_writing(made: Made) -> None:
    stands(made, Standing.ACTIVE, epoch=3)
    why = refusal(made)
    assert "keyring is older" in why.what
    assert why.where == str(made.store.keyring.folder)


def test_a_damaged_epoch_is_no_epoch(made: Made) -> None:
    for content in (b"", b"two", b"\xff\xfe"):
        (made.store.keyring.folder / "epoch").write_bytes(content)
        with pytest.raises(KeyMissing), made.store.transaction():
            pytest.fail("it wrote")


def test_reading_stays_possible_in_every_standing(made: Made) -> None:
    incident = open_one(made)
    for standing in Standing:
        stands(made, standing, epoch=7)
        assert incident in made.store.chains()
        assert made.store.body_of(incident, 1) is not None


def test_a_transaction_that_began_before_another_copy_became_the_one_is_taken_back(made: Made) -> None:
    before = all_rows(made.store)
    with pytest.raises(NotInCharge), made.store.transaction() as session:
        put_job(session, "work", "k")
        raise_epoch(made.store.keyring, 2)
    assert all_rows(made.store) == before


def test_a_store_that_does_not_say_what_it_is_does_not_act(made: Made) -> None:
    for statement in ("UPDATE instance SET standing = 'king'", "DELETE FROM instance"):
        with bare(made.store).transaction() as session:
            session.connection().exec_driver_sql(statement)
        with pytest.raises(StoreUnavailable, match="which copy"), made.store.transaction():
            pytest.fail("it wrote")


def test_the_keyring_hears_of_a_new_epoch_last_and_only_if_all_before_it_went_well(made: Made) -> None:
    raising = Store(made.store.engine, made.store.keyring, where="x", fence=raising_epoch_to(2))
    with pytest.raises(RuntimeError), raising.transaction() as session:
        set_instance(session, Instance(2, Standing.ACTIVE), now=made.clock())
        assert made.store.keyring.epoch() == 1
        raise RuntimeError
    assert made.store.keyring.epoch() == 1
    open_one(made)


def test_a_writer_that_waited_for_a_move_is_refused_when_it_is_over(made: Made) -> None:
    """Held back by the move's lock, it must see what the move committed, not what stood there when it came."""
    other = made.another()
    began, told = threading.Event(), []

    def write() -> None:
        began.set()
        try:
            with other.store.transaction() as session:
                put_job(session, "work", "late")
        except NotInCharge as error:
            told.append(error)

    thread = threading.Thread(target=write)
    with bare(made.store).transaction() as session:
        hold_back_writers(session.connection())
        thread.start()
        assert began.wait(5)
        thread.join(timeout=0.3)
        assert thread.is_alive(), "it did not wait"
        set_instance(session, Instance(1, Standing.MOVED), now=made.clock())
    thread.join(timeout=20)
    other.store.close()
    assert len(told) == 1
    assert run_sql(bare(made.store), "DELETE FROM job") == 0


def test_who_moves_waits_for_the_writers_under_way(made: Made) -> None:
    order: list[str] = []
    inside, go_on = threading.Event(), threading.Event()
    other = made.another()

    def write() -> None:
        with other.store.transaction() as session:
            put_job(session, "work", "early")
            inside.set()
            assert go_on.wait(10)
            order.append("written")

    def hold() -> None:
        with bare(made.store).transaction() as session:
            hold_back_writers(session.connection())
            order.append("held")

    writer, holder = threading.Thread(target=write), threading.Thread(target=hold)
    writer.start()
    assert inside.wait(10)
    holder.start()
    holder.join(timeout=0.3)
    assert order == []
    go_on.set()
    writer.join(timeout=20)
    holder.join(timeout=20)
    other.store.close()
    assert order == ["written", "held"]


def test_no_two_activations_take_the_same_epoch(tmp_path: Path) -> None:
    keyring, same = Keyring(tmp_path), Keyring(tmp_path)
    with keyring.one_activation():
        keyring.raise_epoch(2)
        with pytest.raises(ConflictingWrite), same.one_activation():
            pytest.fail("two at once")
    with same.one_activation():
        with pytest.raises(ValueError, match="not above"):
            same.raise_epoch(2)
        same.raise_epoch(3)
    assert keyring.epoch() == 3


def test_a_copied_file_that_nobody_marked_is_out_as_soon_as_another_copy_is_the_one(tmp_path: Path) -> None:
    """Somebody copied the file instead of taking a backup: both say `active`, and the keyring tells them apart."""
    made = make_workspace(tmp_path)
    shutil.copy(made.database, tmp_path / "stray.db")
    with closing(sqlite3.connect(tmp_path / "stray.db")) as stray:
        assert stray.execute("SELECT standing FROM instance").fetchone() == ("active",)
    raise_epoch(made.store.keyring, 2)
    stands(made, Standing.ACTIVE, epoch=2)
    made.store.close()
    shutil.copy(tmp_path / "stray.db", made.database)
    with pytest.raises(NotInCharge, match="another copy"), made.another().store.transaction():
        pytest.fail("it wrote")


def test_what_a_store_says_is_read_in_the_transaction(made: Made) -> None:
    with made.store.transaction() as session:
        assert this_instance(session.connection(), where="x") == Instance(1, Standing.ACTIVE)
        with in_charge(made.store, session):
            pass
