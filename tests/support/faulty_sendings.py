"""Sendings that a fault befalls: lived through to their end, with everybody accounted for at every look."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from sqlmodel import select

from incident.delivery.mailroom import Route
from incident.delivery.states import CampaignState, DeliveryState, Why
from incident.durable import Patience, open_jobs
from incident.errors import StoreUnavailable
from incident.ops.check import check
from incident.ops.worker import Worker
from incident.store.tables import Attempt
from notifiers.email.relay import Timeouts
from notifiers.outcome import Result, Stage
from tests.support.breaches import QUICK, Breach, make_breach, some_people
from tests.support.ledgers import read_ledger
from tests.support.lived_in import broken
from tests.support.postgres import PostgresServer

PEOPLE = 60
_MOST_ROUNDS = 25
Kind = tuple[Result | None, Stage | None, int | None]
Copies = Mapping[str, Sequence[bytes]]
ACCEPTED: Kind = (Result.accepted, Stage.reply, 250)


@dataclass
class ImpatientWorker(Worker):
    """A worker whose sessions wait for so long at each stage."""

    timeouts: Timeouts = field(default_factory=Timeouts)

    def must_know_the_relays(self) -> list[Route]:
        return [
            replace(route, relay=replace(route.relay, timeouts=self.timeouts))
            for route in super().must_know_the_relays()
        ]


def sending(
    tmp_path: Path,
    port: int,
    *,
    people: int = PEOPLE,
    mail: Mapping[str, Any] | None = None,
    on: PostgresServer | None = None,
) -> Breach:
    """A sending that has begun, and of which nothing has left."""
    breach = make_breach(tmp_path, people=some_people(people), relay_port=port, mail=mail, on=on)
    breach.release()
    breach.open_sending()
    return breach


def work(breach: Breach, *, timeouts: Timeouts | None = None, patience: Patience = QUICK) -> None:
    """Be the worker until no job is due."""

    def idle() -> bool:
        with breach.made.store.read() as session:
            return open_jobs(session) == 0

    worker = ImpatientWorker(breach.house, patience=patience, timeouts=timeouts or Timeouts())
    with watched(breach):
        worker.work_until(idle)


def live_to_the_end(breach: Breach, *, timeouts: Timeouts | None = None, patience: Patience = QUICK) -> None:
    """Be the worker, and let time go by whenever nothing is due, until the sending has ended."""
    for _ in range(_MOST_ROUNDS):
        work(breach, timeouts=timeouts, patience=patience)
        if breach.account().state == CampaignState.ENDED:
            return
        breach.later(hours=2)
    raise AssertionError("the sending does not end by itself")


@contextmanager
def watched(breach: Breach) -> Iterator[None]:
    """While this lasts, everybody is accounted for at every look."""
    over = threading.Event()
    wrong: list[AssertionError] = []

    def look() -> None:
        while not over.wait(0.05):
            try:
                with suppress(StoreUnavailable):
                    assert_it_adds_up(breach)
            except AssertionError as error:
                wrong.append(error)
                return

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
    assert not wrong, f"somebody was not accounted for: {wrong[0]}"


def assert_it_adds_up(breach: Breach) -> None:
    read_ledger(breach.made.store).must_add_up()
    assert breach.account().adds_up


def kinds(breach: Breach) -> Counter[Kind]:
    """How many attempts ended how, where, and with which code."""
    with breach.made.store.read() as session:
        rows = session.exec(select(Attempt.result, Attempt.stage, Attempt.code)).all()
    return Counter(
        (Result(result) if result else None, Stage(stage) if stage else None, code)
        for result, stage, code in rows
    )


def strikes(breach: Breach) -> set[int]:
    return {row.strikes for row in breach.deliveries()}


def assert_nobody_is_lost(
    breach: Breach, copies: Copies, *, unreachable: Mapping[Why, int] | None = None
) -> None:
    """All are told or unreachable for these reasons, and whoever holds two copies holds the same one twice.

    `copies` are the messages that a relay took, by the delivery they are of. For each copy beyond the one that was
    accepted there is an attempt in doubt.
    """
    assert_it_adds_up(breach)
    account, ledger = breach.account(), read_ledger(breach.made.store)
    assert (account.state, account.in_progress) == (CampaignState.ENDED, 0)
    assert account.unreachable == (unreachable or {})
    told = {each for each, state in ledger.states.items() if state is DeliveryState.ACCEPTED}
    assert told <= copies.keys() <= ledger.states.keys(), (
        "somebody counts as told and was not, or is nobody of ours"
    )
    for delivery_id, taken in copies.items():
        results = ledger.attempts[delivery_id]
        explained = results.count(Result.ambiguous) + results.count(Result.accepted)
        assert len(taken) <= explained, "a copy that no attempt explains"
        assert len(set(taken)) == 1, "a copy had other bytes"
    assert doubles(copies) <= account.doubled_at_most
    assert broken(check(breach.house)) == {}


def doubles(copies: Copies) -> int:
    """How many copies there are beyond the first ones."""
    return sum(len(taken) - 1 for taken in copies.values())
