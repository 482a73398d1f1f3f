"""The real `incident worker`, stopped at a chosen point of a sending, for tests that kill it there.

`python -m tests.support.stopping_worker WORKSPACE WINDOW AFTER FD`: once AFTER messages have their outcome, the first
group that comes to WINDOW is named on the file descriptor FD, and the process stops itself (SIGSTOP, every thread at
once). Whoever started it sees for themselves where it stands, and kills it.
"""

from __future__ import annotations

import json
import re
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from tests.support.stopping import StoppingProcess, stop_once

# The dot and some of the line before it: the relay has nearly all of the message, and must not take it.
_HELD_BACK = 16
_DELIVERY = re.compile(rb"^Message-ID: <([0-9a-f]{32})@", re.MULTILINE)


class Window(StrEnum):
    """Where a sending can be cut off."""

    BEFORE_INTENT = "before intent"
    AFTER_INTENT = "after intent"
    ON_THE_WIRE = "on the wire"
    AFTER_THE_DOT = "after the final dot"
    BEFORE_COMMIT = "before the outcome's commit"


@dataclass(frozen=True)
class Stop:
    """Where a worker stands: the deliveries of the group, or the one that is on the wire.

    `next_ids` is the group whose intent the same transaction holds (before the outcome's commit).
    """

    window: Window
    ids: frozenset[str]
    next_ids: frozenset[str]


class StoppingWorker(StoppingProcess):
    """A worker that stops at a window; `wait` returns once it stands still there."""

    def __init__(self, workspace: Path, window: Window, *, after: int) -> None:
        super().__init__(
            "tests.support.stopping_worker", str(workspace), window.value, str(after), quiet=True
        )

    def wait(self) -> Stop:
        """Wait until it has stopped, every thread of it."""
        told = json.loads(self.stopped())
        return Stop(Window(told["window"]), frozenset(told["ids"]), frozenset(told["next_ids"]))


class _Stops:
    """In the worker's process: counts what was settled, and stops it when it comes to its window after that."""

    def __init__(self, window: Window, after: int, told: int) -> None:
        self.settled = 0
        self._window = window
        self._after = after
        self._stop = stop_once(told)

    def due(self, window: Window) -> bool:
        return window is self._window and self.settled >= self._after

    def at(self, window: Window, ids: Sequence[str], next_ids: Sequence[str] = ()) -> None:
        if self.due(window):
            told = {"window": window, "ids": list(ids), "next_ids": list(next_ids)}
            self._stop(json.dumps(told).encode())


def _watch_groups(stops: _Stops) -> None:
    """Stop before a commit that holds an intent or outcomes, and between the intent's commit and the first message."""
    from sqlalchemy import Engine, event

    from incident.delivery import sender as real_sender

    sender: Any = real_sender
    in_transaction = threading.local()
    next_group, write_outcomes = sender._next_group, sender.write_outcomes
    write_intent, send_group = sender.write_intent, sender._send_group

    def watched_next_group(*given: Any, **named: Any) -> Any:
        in_transaction.outcomes, in_transaction.intents = [], []
        return next_group(*given, **named)

    def watched_outcomes(session: Any, batch: Any, settled: Any, **named: Any) -> None:
        write_outcomes(session, batch, settled, **named)
        in_transaction.outcomes = [each.due.id for each in settled]

    def watched_intent(session: Any, group: Any, **named: Any) -> None:
        write_intent(session, group, **named)
        in_transaction.intents = [due.id for due in group]

    def before_commit(connection: Any) -> None:
        outcomes = getattr(in_transaction, "outcomes", [])
        intents = getattr(in_transaction, "intents", [])
        in_transaction.outcomes, in_transaction.intents = [], []
        if outcomes:
            stops.at(Window.BEFORE_COMMIT, outcomes, intents)
        elif intents:
            stops.at(Window.BEFORE_INTENT, intents)
        stops.settled += len(outcomes)

    def watched_send_group(sending: Any, group: Any, *given: Any, **named: Any) -> Any:
        intended = [*(due for due, _ in group.messages), *(each.due for each in group.settled)]
        stops.at(Window.AFTER_INTENT, [due.id for due in intended])
        return send_group(sending, group, *given, **named)

    sender._next_group, sender.write_outcomes = watched_next_group, watched_outcomes
    sender.write_intent, sender._send_group = watched_intent, watched_send_group
    event.listen(Engine, "commit", before_commit)


def _watch_the_wire(stops: _Stops) -> None:
    """Stop with a message written but for its end, or with all of it written and the answer not yet read."""
    from notifiers.email import wire as real_wire

    wires: Any = real_wire.Wire
    write = wires.write

    def watched_write(wire: Any, data: bytes, *, replies: int) -> None:
        # After its end may come the beginning of the next one.
        text, end, _ = data.partition(b"\r\n.\r\n")
        delivery = _DELIVERY.search(text) if end else None
        if delivery is None:
            write(wire, data, replies=replies)
            return
        ids = [delivery[1].decode()]
        if stops.due(Window.ON_THE_WIRE):
            wire._transport.write((text + end)[:-_HELD_BACK])
            stops.at(Window.ON_THE_WIRE, ids)
        write(wire, data, replies=replies)
        stops.at(Window.AFTER_THE_DOT, ids)

    wires.write = watched_write


def main(workspace: str, window: str, after: str, told: str) -> int:
    from incident.cli.main import main as incident

    stops = _Stops(Window(window), int(after), int(told))
    _watch_groups(stops)
    _watch_the_wire(stops)
    return incident(["--workspace", workspace, "worker"])


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
