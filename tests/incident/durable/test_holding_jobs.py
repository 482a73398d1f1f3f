"""Changing every job at once while others change two of them."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlmodel import Session

from incident.durable import jobs, look_again, take_all_away
from incident.errors import StoreUnavailable
from tests.support.at_once import at_once
from tests.support.jobs import claim_by_hand, job, put
from tests.support.postgres import PostgresServer
from tests.support.workspaces import make_workspace, run_sql


@pytest.mark.parametrize("held", [True, False])
def test_who_changes_every_job_waits_for_those_who_change_two_of_them(
    tmp_path: Path, postgres: PostgresServer, held: bool
) -> None:
    made = make_workspace(tmp_path, on=postgres)
    for key in ("first", "last"):
        put(made.store, key)
    if held:
        for key in ("first", "last"):
            claim_by_hand(made.store, key)
    else:
        run_sql(made.store, "UPDATE job SET next_at = 1e12")
    # One statement goes through the rows as they lie there: whoever holds the last one and wants the first then
    # meets who holds the first and wants the last.
    holds_the_last = threading.Event()

    def change_two() -> int:
        with made.store.transaction() as session:
            _touch(session, "last")
            holds_the_last.set()
            time.sleep(0.4)
            _touch(session, "first")
        return 2

    def change_all() -> int:
        assert holds_the_last.wait(10)
        with made.another().store.transaction() as session:
            return take_all_away(session, max_starts=9) if held else look_again(session)

    assert at_once(change_two, change_all) == [2, 2]


def test_signs_of_life_do_not_wait_for_who_waits_to_change_every_job(
    tmp_path: Path, postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "_HOLD_TURN", "300ms")
    made = make_workspace(tmp_path, on=postgres)
    for key in ("first", "last"):
        put(made.store, key)
    begun, over = threading.Event(), threading.Event()
    waits = list[float]()

    def long_change() -> int:
        with made.store.transaction() as session:
            _touch(session, "last")
            begun.set()
            assert over.wait(30)
        return 0

    def change_all() -> int:
        assert begun.wait(10)
        with made.another().store.transaction() as session:
            return take_all_away(session, max_starts=9)

    def give_signs_of_life() -> int:
        assert begun.wait(10)
        store = made.another().store
        for _ in range(12):
            since = time.monotonic()
            with store.transaction() as session:
                _touch(session, "first")
            waits.append(time.monotonic() - since)
            time.sleep(0.2)
        over.set()
        return 0

    assert at_once(long_change, change_all, give_signs_of_life) == [0, 0, 0]
    assert max(waits) < 2.0


def test_who_cannot_hold_the_jobs_for_long_says_so_and_changes_nothing(
    tmp_path: Path, postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("_HOLD_TURN", "50ms"), ("_HOLD_PAUSE", 0.01), ("_HOLD_TURNS", 3)):
        monkeypatch.setattr(jobs, name, value)
    made = make_workspace(tmp_path, on=postgres)
    put(made.store)
    claim_by_hand(made.store)
    before = job(made.store)
    with made.store.transaction() as session:
        _touch(session, "k")
        with (
            pytest.raises(StoreUnavailable, match="takes long"),
            made.another().store.transaction() as other,
        ):
            take_all_away(other, max_starts=9)
    assert job(made.store).attempt == before.attempt
    with made.another().store.transaction() as session:
        assert take_all_away(session, max_starts=9) == 1


def _touch(session: Session, key: str) -> None:
    session.connection().execute(text("UPDATE job SET beats = beats + 1 WHERE key = :key"), {"key": key})
