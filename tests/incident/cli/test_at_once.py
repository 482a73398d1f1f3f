"""Two people who sign at the same moment, each in a process of their own, on SQLite and on PostgreSQL.

Their keys are on devices that are touched only when both have been asked: both have read the record by then, and
neither has written to it.
"""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import select

from incident.notice.release import NoticeState, latest_version
from incident.record.operators import DEFAULT_ROLES, add_operator
from incident.store.tables import Decision, RunEffect
from tests.support.breaches import Breach, make_breach
from tests.support.commands import spawn
from tests.support.devices import ECDSA, ED25519, Agent, Device, agent_with
from tests.support.journals import sound
from tests.support.postgres import PostgresServer
from tests.support.runs import Running, start

NAMES = {"dora": ED25519, "eve": ECDSA}
GATE = "approve-release"
PATIENCE = 50


@dataclass(frozen=True)
class Two:
    """A breach and two approvers with a device each."""

    breach: Breach
    agents: dict[str, Agent]

    def at_once(self, *words: str) -> list[tuple[int, Any]]:
        """Both call the same command; returns what came of each: the exit code and the document, or the error."""
        self.breach.made.store.close()
        workspace = str(self.breach.made.workspace.root)
        processes = [
            spawn("--workspace", workspace, "--as", name, *words, environment={"SSH_AUTH_SOCK": agent.name})
            for name, agent in self.agents.items()
        ]
        return [_ended(process) for process in processes]

    def signed(self, kind: str) -> list[Decision]:
        store = self.breach.made.store
        with store.read() as session:
            return list(session.exec(select(Decision).where(Decision.subject_kind == kind)).all())


@pytest.fixture
def two(tmp_path: Path, store_on: PostgresServer | None) -> Iterator[Two]:
    breach = make_breach(tmp_path, measures=("contain.disable-endpoint",), on=store_on)
    both_asked = threading.Barrier(len(NAMES))
    with ExitStack() as stack:
        agents: dict[str, Any] = {}
        for name, kind in NAMES.items():
            agents[name] = agent = stack.enter_context(agent_with(Device(kind)))
            agent.before = lambda: both_asked.wait(PATIENCE)
            add_operator(
                breach.made.store,
                name,
                agent.device.public,
                roles=DEFAULT_ROLES,
                simulated=False,
                actor="system",
                now=breach.made.clock(),
            )
        yield Two(breach, agents)


def test_two_releases_at_the_same_moment_both_count(two: Two) -> None:
    breach = two.breach
    outcomes = two.at_once("notice", "release", breach.id, "--json")
    assert [code for code, _ in outcomes] == [0, 0], outcomes
    released = sorted((document["released"], len(document["signed_by"])) for _, document in outcomes)
    assert released == [(False, 1), (True, 2)]
    assert len(two.signed("notice")) == len(NAMES)
    with breach.made.store.read() as session:
        version = latest_version(session, breach.made.store, breach.id)
    assert version is not None
    assert (version.row.version, version.row.state) == (1, NoticeState.RELEASED)
    assert sound(breach.made.store, *breach.made.store.heads())


def test_two_approvals_of_a_step_at_the_same_moment_both_count(two: Two) -> None:
    breach = two.breach
    running = at_the_gate(breach)
    outcomes = two.at_once("approve", running.id, GATE, "--json")
    assert [code for code, _ in outcomes] == [0, 0], outcomes
    assert len(two.signed("run-step")) == len(NAMES)
    assert GATE not in running.waiting()
    with breach.made.store.read() as session:
        [effect] = session.exec(select(RunEffect).where(RunEffect.id == two.signed("run-step")[0].subject_id))
    assert effect.settled_at is not None
    assert sound(breach.made.store, *breach.made.store.heads())


def at_the_gate(breach: Breach) -> Running:
    running = start(breach)
    running.work()
    running.answer("cut-off-by-hand", values={"__contained_at__": "2026-11-23T08:00:00Z"})
    running.work()
    running.answer("preserve-evidence", note="copied the access logs")
    running.answer("verify-scope", note="2 people")
    running.work()
    assert GATE in running.waiting()
    return running


def _ended(process: subprocess.Popen[str]) -> tuple[int, Any]:
    with process:
        out, err = process.communicate(timeout=PATIENCE)
    return process.returncode, json.loads(out) if process.returncode == 0 else err
