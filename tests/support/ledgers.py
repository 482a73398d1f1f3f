"""What the ledger of a campaign says, counted from its rows by a query of the test's own."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from sqlalchemy import text

from incident.delivery.states import IN_PROGRESS, DeliveryState
from incident.store.store import Store
from notifiers.outcome import Result
from tests.support.commands import run_process


@dataclass(frozen=True)
class Ledger:
    """Every delivery's state; its attempts in order, each by its result (None without an outcome)."""

    states: dict[str, DeliveryState]
    attempts: dict[str, list[Result | None]]
    expected: int
    pending: int
    accepted: int
    unreachable: int

    @cached_property
    def open(self) -> frozenset[str]:
        """The deliveries with an intent and no outcome: what a kill at this moment leaves open."""
        return frozenset(each for each, results in self.attempts.items() if None in results)

    def must_add_up(self) -> None:
        """Nobody is lost: everyone expected has a state, and the batches' counters are what the rows say."""
        counted = Counter(self.states.values())
        assert len(self.states) == self.expected
        assert sum(counted[state] for state in IN_PROGRESS) == self.pending
        assert counted[DeliveryState.ACCEPTED] == self.accepted
        assert counted[DeliveryState.UNREACHABLE] == self.unreachable
        for delivery_id in self.open:
            assert self.states[delivery_id] is DeliveryState.SENDING
            assert self.attempts[delivery_id][-1] is None and None not in self.attempts[delivery_id][:-1]


def assert_the_check_holds(workspace: Path) -> None:
    """`incident check` finds nothing broken on the live store."""
    answer = run_process("--workspace", workspace, "check")
    assert answer.code == 0, answer.text


def read_ledger(store: Store) -> Ledger:
    """The ledger of a store with one campaign in which each person has one delivery, in one consistent view."""
    with store.read() as session:
        run = session.connection().execute
        states = {row.id: DeliveryState(row.state) for row in run(text("SELECT id, state FROM delivery"))}
        attempts: dict[str, list[Result | None]] = {}
        for row in run(text("SELECT delivery_id, result FROM attempt ORDER BY delivery_id, n")):
            attempts.setdefault(row.delivery_id, []).append(Result(row.result) if row.result else None)
        [expected] = run(text("SELECT expected FROM campaign")).scalars().all()
        sums = run(text("SELECT sum(pending), sum(accepted), sum(unreachable) FROM batch")).one()
    return Ledger(states, attempts, expected, *(int(each) for each in sums))
