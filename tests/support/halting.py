"""A process that stops dead at a point its test names, so that it is killed there and nowhere else.

It says which point it reached and stops itself as SIGSTOP does, with all its threads; the test kills it, or lets it go
on. A point is `window@step`, for example `after_intent@reset`; the windows are where `_put_stations` says. What it is to
do:

    work     be the worker until no job is due
    start    start the playbook
    answer   answer a step, as `Saying` says it

The processes are forked from a server that holds nothing but the imported modules, as starting Python a hundred times
takes longer than the runs do.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

PATIENCE = 60
_PROCESSES = multiprocessing.get_context("forkserver")
_POSTGRES = ("psycopg", "sqlalchemy.dialects.postgresql.psycopg", "procrastinate")
_PROCESSES.set_forkserver_preload(
    ["incident.ops.worker", "incident.response.deciding", "httpx", *_POSTGRES, __name__]
)


def make_ready() -> None:
    """Start the server that the processes are forked from now, and wait until it has loaded what they need."""
    process = _PROCESSES.Process(target=_nothing)
    process.start()
    process.join(PATIENCE)


def _nothing() -> None:
    return


@dataclass(frozen=True)
class Saying:
    """An answer to a step: work done, an outcome found out, or a signature with the key in the file `signs_with`."""

    run: str
    step: str
    by: str
    outcome: str = ""
    signs_with: str = ""
    values: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Order:
    """What a process is to do, and the points at which it stops. Its clock runs from `began` on as the real one does
    from `real_began` on."""

    workspace: str
    playbook: str
    incident: str
    points: tuple[str, ...]
    began: str
    real_began: float
    does: str = "work"
    url: str = ""
    saying: Saying | None = None


class Halting:
    """Such a process, from the outside."""

    def __init__(self, order: Order) -> None:
        self._hears, says = _PROCESSES.Pipe(duplex=False)
        self._process = _PROCESSES.Process(target=_main, args=(order, says))
        self._process.start()
        says.close()

    def halted(self, *, within: float = 0.01) -> str | None:
        """The point at which it has stopped; None if it has not yet."""
        try:
            return str(self._hears.recv()) if self._hears.poll(within) else None
        except EOFError:
            self.wait()
            return None

    @property
    def ended(self) -> bool:
        """Whether it ended by itself."""
        return self._process.exitcode is not None

    def kill(self) -> None:
        """SIGKILL: nothing in the process learns of it."""
        self._process.kill()
        self._process.join(PATIENCE)
        self._hears.close()

    def go_on(self) -> None:
        """Let it go on from where it stopped."""
        assert self._process.pid is not None
        os.kill(self._process.pid, signal.SIGCONT)

    def wait(self) -> None:
        """Until it ends by itself, which it must without a failure."""
        self._process.join(PATIENCE)
        assert self._process.exitcode == 0, f"it ended with {self._process.exitcode}"


def clock_from(began: datetime, real_began: float) -> Callable[[], datetime]:
    """A clock that several processes share."""
    return lambda: began + timedelta(seconds=time.time() - real_began)


# -- in the process ----------------------------------------------------------------------------------


class _Stations:
    """Where the process stops if the order names the place."""

    def __init__(self, points: Sequence[str], names: dict[str, str], says: Connection) -> None:
        self._points = set(points)
        self._names = names
        self._says = says
        self.intended: list[Any] = []

    def stop_at(self, window: str, effect: Any) -> None:
        step = self._names.get(getattr(effect, "step", ""), "")
        purpose = getattr(effect, "purpose", None)
        self.stop_if(f"{window}@{step}{f':{purpose}' if purpose else ''}")

    def stop_if(self, point: str) -> None:
        if point in self._points:
            self._points.clear()
            self._says.send(point)
            # To this thread: a signal to the process may reach another one first, and this one would run on meanwhile.
            signal.pthread_kill(threading.get_ident(), signal.SIGSTOP)

    def put(
        self,
        place: Any,
        name: str,
        which: Callable[..., Any],
        *,
        before: str | None = None,
        after: str | None = None,
    ) -> None:
        """Wrap a function: stop before it begins, and after it has ended. `which` finds the effect in its arguments."""
        inner = getattr(place, name)

        def wrapped(*args: Any, **kwargs: Any) -> Any:
            if before is not None:
                self.stop_at(before, which(*args, **kwargs))
            result = inner(*args, **kwargs)
            if after is not None:
                self.stop_at(after, which(*args, **kwargs))
            return result

        setattr(place, name, wrapped)


def _put_stations(stations: _Stations) -> None:
    from incident.durable import Lease
    from incident.response import attempt, calling, deciding, runner, working
    from incident.response.housework import House

    put = stations.put
    # A call: nothing written, intent written and not committed, committed and not sent. It is called on its own, or
    # with the outcome before it; one that was only just asked for is written as intended at once.
    for place, name, asked_in in (
        (attempt, "mark_intended", lambda _change, _store, asked: asked.effect),
        (runner, "mark_intended", lambda _change, _store, asked: asked.effect),
        (runner, "_add_intended", lambda _change, asked: asked.effect),
    ):
        put(place, name, asked_in, before="before_intent", after="in_intent")
        put(place, name, _kept_in(stations.intended, asked_in), after="-")
    # The last question before the call: between it and the commit of the intent a process may be frozen for long.
    put(
        Lease,
        "may_act",
        lambda *_: stations.intended.pop() if stations.intended else None,
        before="before_leave_to_act",
    )
    put(calling, "_call", lambda _attempt, command: command, before="after_intent")
    put(attempt, "call_later", lambda _change, _store, asked, **_: asked.effect, after="in_call_again")
    # What came of it, or that nobody knows; timers; work in the house: not written, written and not committed, committed.
    for word, uncertain in (("told", False), ("asking", True)):
        told = partial(_settled_by, uncertain)
        put(attempt.Attempt, "tell", lambda _, *args, told=told, **__: told(*args), before=f"before_{word}")
        put(attempt.Attempt, "tell", lambda _, *args, told=told, **__: told(*args), after=f"after_{word}")
        put(
            attempt,
            "tell",
            lambda *args, settled, told=told, **__: told(args[3], settled),
            after=f"in_{word}",
        )
    put(House, "__call__", lambda _self, effect, **_: effect, before="before_house", after="after_house")
    # Leaving the run, and people.
    put(working, "_leave", lambda *_: None, before="before_leave", after="after_leave")
    put(deciding, "decide", lambda *_, **__: None, after="in_sign")
    put(deciding, "tell", lambda *_, settled, **__: settled.effect, after="in_answer")
    put(runner, "_close", lambda *_: None, after="in_ending")


def _kept_in(kept: list[Any], asked_in: Callable[..., Any]) -> Callable[..., None]:
    return lambda *args: kept.append(asked_in(*args))


def _settled_by(uncertain: bool, event: Any, settled: Any) -> Any:
    """The effect that an event settles, if it is one that says that nobody knows, or is none."""
    from incident.response.events import CommandUncertain

    return settled.effect if isinstance(event, CommandUncertain) is uncertain else None


def _main(order: Order, says: Connection) -> None:
    from incident.durable import Patience, open_jobs
    from incident.ops.house import read_playbook, start_playbook
    from incident.ops.worker import Worker
    from incident.response import runner
    from incident.response.housework import House
    from incident.response.lint import labels_of
    from incident.store.opening import open_store
    from incident.workspace import Workspace

    workspace = Workspace(Path(order.workspace))
    settings = workspace.settings()
    store = open_store(workspace, settings)
    house = House(
        workspace, settings, store, clock_from(datetime.fromisoformat(order.began), order.real_began)
    )
    names = labels_of(read_playbook(workspace, order.playbook)) if order.points else {}
    stations = _Stations(order.points, names, says)
    _put_stations(stations)
    if order.does == "start":
        stations.put(runner, "_store", lambda *_: None, after="in_start")
        with store.write(order.incident, kind="run.started", actor="ana", now=house.clock()) as change:
            start_playbook(house, change, order.incident, order.playbook, {"__url__": order.url})
        stations.stop_if("after_start@")
        return
    if order.saying is not None:
        _say(house, order.saying)
        stations.stop_if(f"after_answer@{order.saying.step}")
        return

    def idle() -> bool:
        with store.read() as session:
            return open_jobs(session) == 0

    # One that is killed at point after point starts other jobs in vain as often: parking is tested elsewhere.
    patience = Patience(stale=settings.engine.stale_seconds, beat=0.3, poll=0.02, sweep=0.1, max_starts=50)
    Worker(house, patience=patience).work_until(idle)


def _say(house: Any, saying: Saying) -> None:
    from incident.record.decisions import Signer
    from incident.record.signing import OpenKey
    from incident.record.sshsig import read_private_key
    from incident.response.deciding import answer_outcome, answer_question, decide_step
    from incident.response.events import CallOutcome

    if saying.signs_with:
        signer = Signer(saying.by, OpenKey(read_private_key(Path(saying.signs_with))))
        decide_step(house, saying.run, saying.step, signer=signer, yes=True, reason="read it")
    elif saying.outcome:
        answer_outcome(
            house,
            saying.run,
            saying.step,
            CallOutcome(saying.outcome),
            by=saying.by,
            values=dict(saying.values),
            note="",
        )
    else:
        answer_question(
            house, saying.run, saying.step, success=True, by=saying.by, values=dict(saying.values), note=""
        )
