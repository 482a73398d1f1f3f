"""The benchmark `worker`: a real worker is watched while it sends and while it has nothing to do."""

from __future__ import annotations

import pytest

from benchmarks import __main__ as command
from benchmarks import worker
from benchmarks.email_workspace import Ledger
from benchmarks.measure import CommandFailed
from tests.support.postgres import PostgresServer
from tests.support.tools import need_tool

PEOPLE = 60


@pytest.fixture(autouse=True)
def sink() -> str:
    return need_tool("smtp-sink", "postfix")


def test_a_worker_is_measured_on_both_databases(postgres: PostgresServer) -> None:
    store = postgres.url(postgres.create_database())
    result = worker.run(people=PEOPLE, store=store, idle=0.5)
    assert [line.who for line in result.lines] == [
        "sqlite, sending",
        "sqlite, idle",
        "postgresql, sending",
        "postgresql, idle",
    ]
    # An interpreter with our packages takes more than 20 MiB, and no worker of ours a gibibyte.
    assert all(20 < line.figure < 1024 and line.cpu < line.wall for line in result.lines)
    assert all(line.wall >= 0.5 for line in result.lines if line.who.endswith("idle"))


def test_without_a_database_in_postgresql_only_sqlite_is_measured() -> None:
    assert {line.who.split(",")[0] for line in worker.run(people=5, idle=0.2).lines} == {"sqlite"}


def test_a_count_that_differs_from_the_ledger_is_no_figure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "ledger", lambda prepared: Ledger(accepted=7, attempts=7, adds_up=True))
    with pytest.raises(CommandFailed, match=r"the sink counted \d+ messages, and the ledger says"):
        worker.run(people=5, idle=0.2)


def test_a_store_is_only_for_benchmarks_of_the_worker(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        command.main(["startup", "--store", "postgresql://127.0.0.1/nowhere"])
    assert "--store goes only with playbooks, worker" in capsys.readouterr().err
