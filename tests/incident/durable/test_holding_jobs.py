"""Changing every job at once while others change two of them."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlmodel import Session

from incident.durable import look_again, take_all_away
from tests.support.at_once import at_once
from tests.support.jobs import claim_by_hand, put
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


def _touch(session: Session, key: str) -> None:
    session.connection().execute(text("UPDATE job SET beats = beats + 1 WHERE key = :key"), {"key": key})
