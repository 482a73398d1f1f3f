"""Two versions of a public notice lie in the same place: the later one stays, whichever is published when."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlmodel import col, select

from incident.delivery.states import PUBLISH_JOB
from incident.durable import Lease, Runner
from incident.ops.check import check
from incident.ops.owing import work_without_a_job
from incident.ops.worker import Worker
from incident.store.tables import Campaign, PublicNotice
from tests.support.breaches import Breach, make_breach, some_people
from tests.support.lived_in import broken
from tests.support.postgres import PostgresServer
from tests.support.relays import recording_relay
from tests.support.versions import next_version
from tests.support.workspaces import run_sql


@contextmanager
def two_versions(tmp_path: Path, on: PostgresServer | None) -> Iterator[tuple[Breach, str, str]]:
    """A breach with two versions whose sending was opened, neither published; and their ids."""
    with recording_relay() as relay:
        breach = make_breach(tmp_path, people=some_people(2), relay_port=relay.port, on=on)
        breach.release()
        breach.open_sending()
        next_version(breach)
        with breach.made.store.read() as session:
            first, second = session.exec(select(Campaign.notice_id).order_by(col(Campaign.opened_at))).all()
        yield breach, first, second


def publish(breach: Breach, notice_id: str) -> None:
    """Do the one job that publishes this version."""
    others = f"kind = '{PUBLISH_JOB}' AND key <> '{notice_id}' AND beat_at = 0"
    run_sql(breach.made.store, f"UPDATE job SET state = 'parked' WHERE state = 'open' AND {others}")  # noqa: S608
    run_sql(breach.made.store, f"UPDATE job SET state = 'open' WHERE key = '{notice_id}'")  # noqa: S608
    publishing = {PUBLISH_JOB: Worker(breach.house).handlers(None)[PUBLISH_JOB]}
    Runner(breach.made.store, publishing).work(until=lambda: notice_id in published(breach))
    run_sql(breach.made.store, f"UPDATE job SET state = 'open' WHERE state = 'parked' AND {others}")  # noqa: S608


def published(breach: Breach) -> dict[str, set[str]]:
    """The hashes of the pages that are on record, by version."""
    found: dict[str, set[str]] = {}
    with breach.made.store.read() as session:
        for row in session.exec(select(PublicNotice)).all():
            found.setdefault(row.notice_id, set()).add(row.sha256)
    return found


def online(breach: Breach) -> set[str]:
    """The hashes of the pages that are online."""
    files = (breach.made.workspace.public / breach.id).glob("notice.*.html")
    return {hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def test_a_version_that_was_not_published_in_time_never_takes_the_place_of_the_later_one(
    tmp_path: Path, store_on: PostgresServer | None
) -> None:
    with two_versions(tmp_path, store_on) as (breach, first, second):
        publish(breach, second)
        breach.work()
        assert online(breach) == published(breach)[second]
        assert first not in published(breach)
        assert broken(check(breach.house, pause=0.0)) == {}
        with breach.made.store.read() as session:
            assert [owed for owed in work_without_a_job(session) if owed.kind == PUBLISH_JOB] == []


def test_a_worker_that_was_taken_over_or_overtaken_does_not_write_over_the_later_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, store_on: PostgresServer | None
) -> None:
    with two_versions(tmp_path, store_on) as (breach, first, second):
        meanwhile: list[Callable[[], None]] = [lambda: publish(breach, second)]

        def late(lease: Lease, *under: str) -> bool:
            """Asked before the pages are written."""
            if lease.claim.key == first and meanwhile:
                meanwhile.pop()()
            return True

        monkeypatch.setattr(Lease, "may_act", late)
        breach.work()
        assert meanwhile == []
        assert online(breach) == published(breach)[second]
        assert broken(check(breach.house, pause=0.0)) == {}
