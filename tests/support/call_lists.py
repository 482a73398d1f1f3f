"""What tests of the call centre's lists share: people who can only be called, a list of them, and what came of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from incident.delivery.call_closing import CLOSED, close_list
from incident.delivery.call_lists import LISTED, Listed, call_list, make_call_list
from incident.delivery.call_results import TAKEN, CallReport, CallResult, TakenResults, take_results
from incident.delivery.call_tasks import AgentTask, open_tasks_of, paper_of
from incident.delivery.fallback import Way
from incident.delivery.next_means import NextMeans
from incident.delivery.next_steps import unreached_lines
from incident.delivery.status import deliveries
from tests.support.breaches import Affected, Breach, make_breach
from tests.support.relays import RecordingRelay, recording_relay

CENTRE: Mapping[str, Any] = {"centre": {"processor": "our own call centre", "country": "cn"}}
MEANS = ["email", "phone", "letter"]


def by_phone_only(count: int) -> list[Affected]:
    """People with a number and nothing else."""
    return [
        Affected(f"C{number}", name=f"Person {number}", phone=f"+861380013{number:04d}")
        for number in range(1, count + 1)
    ]


def make_sent(
    tmp_path: Path,
    people: list[Affected],
    relay: RecordingRelay,
    *,
    means: list[str] = MEANS,
    **settings: Any,
) -> Breach:
    """A breach of which the notice was sent by e-mail, with a call centre."""
    breach = make_breach(
        tmp_path,
        people=people,
        relay_port=relay.port,
        fallback={"means": means},
        **{"calls": CENTRE, **settings},
    )
    breach.release()
    breach.open_sending()
    breach.work()
    return breach


@contextmanager
def sent(tmp_path: Path, people: list[Affected], **settings: Any) -> Iterator[Breach]:
    """The same over a relay of its own, which refuses who is called `refused`."""
    with recording_relay() as relay:
        relay.at_rcpt = lambda address: "550 5.1.1 unknown" if address.startswith("refused") else None
        yield make_sent(tmp_path, people, relay, **settings)


def make_list(breach: Breach, **asked: Any) -> Listed:
    made = breach.made
    with made.store.write(breach.id, kind=LISTED, actor="ana", now=made.clock()) as change:
        return make_call_list(change, made.store, made.settings, breach.id, whom="the centre", **asked)


def tasks_of(breach: Breach, number: int = 1) -> list[AgentTask]:
    """The calls of a list that wait for a result."""
    with breach.made.store.read() as session:
        row = call_list(session, breach.id, number)
        return list(open_tasks_of(session, row, paper_of(session, breach.made.store, row)))


def codes_of(breach: Breach, number: int = 1) -> dict[str, str]:
    """The codes of a list's open tasks, by whom to ask for."""
    return {task.ask_for: task.code for task in tasks_of(breach, number)}


def report(breach: Breach, *said: tuple[str, CallResult], number: int | None = None) -> TakenResults:
    """Take what agents say of some codes."""
    made = breach.made
    reports = [
        CallReport(code, result, number, made.clock(), "agent 7", where=f"line {line}")
        for line, (code, result) in enumerate(said, start=2)
    ]
    go_on = NextMeans(made.store, made.settings).go_on_after
    with made.store.write(breach.id, kind=TAKEN, actor="ana", now=made.clock()) as change:
        return take_results(change, made.store, breach.id, reports, go_on=go_on)


def close(breach: Breach, number: int = 1) -> int:
    made = breach.made
    go_on = NextMeans(made.store, made.settings).go_on_after
    with made.store.write(breach.id, kind=CLOSED, actor="ana", now=made.clock()) as change:
        return close_list(change, call_list(change.session, breach.id, number), go_on=go_on)


def stands(breach: Breach) -> dict[str, tuple[str, str, str]]:
    """Where everybody stands: channel, state and reason, by reference."""
    return {
        line.reference: (line.channel, line.state, line.reason)
        for line in deliveries(breach.made.store, breach.id, unreached=False)
    }


def next_of(breach: Breach) -> dict[str, Way | None]:
    """The next means of everybody who was not told, by reference."""
    found = unreached_lines(breach.made.store, breach.made.settings, breach.id, now=breach.made.clock())
    return {each.line.reference: each.planned.way for each in found}
