"""The mail room: a few kept connections to each relay, shared by the threads that work on batches.

One event loop on a thread of its own holds all sessions; a batch hands over a group of envelopes and waits.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Self

from incident.carrier_settings import MailSettings, RelaySettings
from incident.errors import BadInput, CarrierUnavailable
from incident.settings import resolve_secret
from notifiers.circuit import Circuit
from notifiers.email.message import Envelope
from notifiers.email.relay import Relay, TlsMode
from notifiers.email.replies import shortened
from notifiers.email.session import SmtpSession
from notifiers.errors import BadRelay, CarrierUnreachable
from notifiers.outcome import Outcome, Result, Stage

MayTake = Callable[[str, int], int]
"""How many of so many messages a relay, named as host:port, may be given now."""


@dataclass(frozen=True)
class Route:
    """A way to hand mail over: a relay, how many connections are kept to it, and how many messages a second it takes at
    most, over all workers (None: no limit)."""

    relay: Relay
    connections: int
    per_second: float | None = None

    @property
    def peer(self) -> str:
        return f"{self.relay.host}:{self.relay.port}"


def routes_from(mail: MailSettings, *, root: Path) -> list[Route]:
    """The relays that the settings describe, the first one first. Raises `BadInput` where they contradict each other."""
    return [route_from(each, root=root, where=where) for where, each in mail.relays.items()]


def route_from(relay: RelaySettings, *, root: Path, where: str) -> Route:
    """One relay of the settings, which stands in the table `where`. Raises `BadInput`."""
    try:
        found = Relay(
            host=relay.host,
            port=relay.port,
            tls=TlsMode(relay.tls),
            username=relay.username,
            password=resolve_secret(relay.password) if relay.password else None,
            ca_file=root / relay.ca_file if relay.ca_file else None,
        )
    except BadRelay as error:
        raise BadInput(str(error), where=f"[{where}] in incident.toml") from error
    return Route(found, relay.connections, relay.per_second)


@dataclass(frozen=True)
class _Over:
    """What became of a group over one relay: outcomes in order, and why the rest is `left` to the next relay."""

    outcomes: list[Outcome] = field(default_factory=list)
    left: list[Outcome] = field(default_factory=list)


class _Line:
    """The kept connections to one relay, and whether it is tried."""

    def __init__(self, route: Route) -> None:
        self.peer = route.peer
        self.limited = route.per_second is not None
        self.circuit = Circuit()
        self.sessions = [SmtpSession(route.relay) for _ in range(route.connections)]
        self.free: asyncio.Queue[SmtpSession] = asyncio.Queue()
        for session in self.sessions:
            self.free.put_nowait(session)


class MailRoom:
    """Sends groups of envelopes over kept connections, over the first relay that can be used. A context manager."""

    def __init__(self, routes: Sequence[Route], *, longest: float = 150.0) -> None:
        """`longest` is the most seconds that one group may take: a relay that hangs must not hold it for ever."""
        self._longest = longest
        self._routes = routes
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="mail", daemon=True)
        self._lines: list[_Line] = []

    def __enter__(self) -> Self:
        self._thread.start()
        self._lines = [_Line(route) for route in self._routes]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def limited_relay(self) -> str | None:
        """The relay that a group would go to now, as host:port, where it takes so many messages a second only."""
        first = self._lines_to_try()[0]
        return first.peer if first.limited else None

    def send(
        self,
        envelopes: Sequence[Envelope],
        *,
        may_go: Callable[[], bool] = lambda: True,
        may_take: MayTake = lambda relay, wanted: wanted,
    ) -> list[Outcome]:
        """What became of each envelope, in order.

        `may_go` is asked before each leaves. Once it says no, no relay can be used, or the group has taken too long, the
        rest of it is `not_sent`, with the reason. A message that is with a relay when the time is up is `ambiguous` once
        its end has left.

        Where a relay cannot be reached, breaks off, or refuses before it hears of a recipient, the rest of the group
        goes to the next one, and this one is left alone for a while. What a relay may hold is given to no other. The
        first message that another relay got tells in its outcome's text what was said before.

        `may_take` is asked, on another thread, before a relay with a limit gets any of the group. What is beyond the limit
        is `not_sent`, and goes to no other relay: this one can be used.
        """
        return asyncio.run_coroutine_threadsafe(self._send(envelopes, may_go, may_take), self._loop).result()

    def check(self) -> None:
        """Open a connection now. Raises `CarrierUnavailable` saying why no relay can be used."""
        errors = asyncio.run_coroutine_threadsafe(self._check(), self._loop).result()
        if len(errors) < len(self._lines):
            return
        first = errors[0]
        if isinstance(first, BadRelay):
            raise BadInput(str(first), where="[mail] in incident.toml") from first
        others = f"; nor can {len(errors) - 1} more" if len(errors) > 1 else ""
        raise CarrierUnavailable(
            f"the mail relay cannot be used ({first.text}){others}",
            where=f"{first.peer}, at {first.stage}",
            next_step="check [mail] in incident.toml; nothing was sent and nothing was changed",
        ) from first

    async def _check(self) -> list[CarrierUnreachable | BadRelay]:
        """Why relays cannot be used, up to the first one that can."""
        errors: list[CarrierUnreachable | BadRelay] = []
        for line in self._lines:
            session = await line.free.get()
            try:
                await session.connect()
                return errors
            except (CarrierUnreachable, BadRelay) as error:
                errors.append(error)
            finally:
                line.free.put_nowait(session)
        return errors

    async def _send(
        self, envelopes: Sequence[Envelope], may_go: Callable[[], bool], may_take: MayTake
    ) -> list[Outcome]:
        until = self._loop.time() + self._longest
        outcomes: list[Outcome] = []
        before: list[Outcome] = []
        lines = self._lines_to_try()
        for line in lines:
            left = envelopes[len(outcomes) :]
            many = await asyncio.to_thread(may_take, line.peer, len(left)) if line.limited else len(left)
            over = await self._send_over(line, left[:many], may_go, until, is_last=line is lines[-1])
            if over.outcomes:
                outcomes += [_after(before, over.outcomes[0]), *over.outcomes[1:]]
                before = []
            if len(over.outcomes) == many:
                return outcomes + [_held_back(line, _BEYOND_THE_LIMIT)] * (len(left) - many)
            before += over.left
        return outcomes

    def _lines_to_try(self) -> list[_Line]:
        """The relays that may be tried, in their order; where none may, the one whose pause ends first."""
        now = self._loop.time()
        open_to_us = [line for line in self._lines if line.circuit.may_try(now)]
        return open_to_us or [min(self._lines, key=lambda line: line.circuit.open_until)]

    async def _send_over(
        self,
        line: _Line,
        envelopes: Sequence[Envelope],
        may_go: Callable[[], bool],
        until: float,
        *,
        is_last: bool,
    ) -> _Over:
        """What became of the envelopes over one relay; those for the next one have no outcome yet."""
        try:
            async with asyncio.timeout_at(until):
                session = await line.free.get()
        except TimeoutError:
            busy = _not_sent(line, "every connection was in use for too long")
            return _Over([busy] * len(envelopes)) if is_last else _Over(left=[busy])
        outcomes: list[Outcome] = []
        unusable: Outcome | None = None
        try:
            async with asyncio.timeout_at(until):
                left = await self._hand_over(
                    line,
                    session,
                    envelopes,
                    outcomes,
                    lambda: self._keeps(line, may_go, until),
                    is_last=is_last,
                )
                if left is not None:
                    return _Over(outcomes, left=[left])
        except TimeoutError:
            if len(outcomes) < len(envelopes):
                outcomes.append(_broken_off(line, session.stage))
                if outcomes[-1].about_relay:
                    line.circuit.failed(self._loop.time())
            outcomes += [_not_sent(line, _TOO_LONG)] * (len(envelopes) - len(outcomes))
        except CarrierUnreachable as error:
            unusable = error.outcome
        except BadRelay as error:
            # Raised before a connection is opened: what is wrong is a setting, and nothing has left.
            unusable = _not_sent(line, str(error))
        finally:
            line.free.put_nowait(session)
        if unusable is not None:
            line.circuit.failed(self._loop.time())
            if not is_last:
                return _Over(outcomes, left=[unusable])
            outcomes += [unusable] * (len(envelopes) - len(outcomes))
        return _Over(outcomes)

    async def _hand_over(
        self,
        line: _Line,
        session: SmtpSession,
        envelopes: Sequence[Envelope],
        outcomes: list[Outcome],
        keeps: Callable[[], Outcome | None],
        *,
        is_last: bool,
    ) -> Outcome | None:
        """Append to `outcomes` what becomes of each envelope; what this relay said where the rest is left to the next."""
        while (before := len(outcomes)) < len(envelopes):
            if kept := keeps():
                outcomes += [kept] * (len(envelopes) - before)
                return None
            await session.send_each(envelopes[before:], outcomes, may_go=lambda: keeps() is None)
            if len(outcomes) == before:
                continue
            if outcomes[-1].about_relay and not is_last and keeps() is None:
                # A connection may have been cut, which says little of the relay.
                outcomes.pop()
                outcomes.append(await session.send(envelopes[len(outcomes)]))
            if len(outcomes) - before > 1 or not outcomes[-1].about_relay:
                line.circuit.worked()
            if outcomes[-1].about_relay:
                line.circuit.failed(self._loop.time())
                if not is_last:
                    return outcomes.pop()
        return None

    def _keeps(self, line: _Line, may_go: Callable[[], bool], until: float) -> Outcome | None:
        """What becomes of the messages that may not leave any more; None while they may."""
        if self._loop.time() >= until:
            return _not_sent(line, _TOO_LONG)
        if not may_go():
            return _held_back(line, "held back: a brake is on, or this worker may not act any more")
        return None

    async def _close(self) -> None:
        await self._loop.shutdown_default_executor()
        for line in self._lines:
            for session in line.sessions:
                await session.close()


def _after(before: Sequence[Outcome], outcome: Outcome) -> Outcome:
    """An outcome with what the relays said that were tried before: their words would be lost with them."""
    if not before:
        return outcome
    said = "; ".join(f"{each.peer} before, at {each.stage}: {each.text}" for each in before)
    return replace(outcome, text=shortened(f"{outcome.text} ({said})"))


_TOO_LONG = "held back: the messages before it took too long"
_BEYOND_THE_LIMIT = "held back: this relay takes no more messages a second"


def _broken_off(line: _Line, stage: Stage) -> Outcome:
    """Of a message that we broke off ourselves, at that stage."""
    result = Result.ambiguous if stage is Stage.after_dot else Result.not_sent
    return _outcome(line, result, stage, "broken off: the relay took too long")


def _not_sent(line: _Line, why: str) -> Outcome:
    return _outcome(line, Result.not_sent, Stage.connect, why)


def _held_back(line: _Line, why: str) -> Outcome:
    return replace(_not_sent(line, why), held_back=True)


def _outcome(line: _Line, result: Result, stage: Stage, text: str) -> Outcome:
    return Outcome(result, stage, None, None, text, peer=line.peer, tls=False)
