"""The mail room: a few kept connections to the relay, shared by the threads that work on batches.

One event loop on a thread of its own holds all sessions; a batch hands over a group of envelopes and waits.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from incident.errors import BadInput, CarrierUnavailable
from incident.settings import MailSettings, resolve_secret
from notifiers.email.message import Envelope
from notifiers.email.relay import Relay, TlsMode
from notifiers.email.session import SmtpSession
from notifiers.errors import BadRelay, CarrierUnreachable
from notifiers.outcome import Outcome, Result, Stage


def relay_from(mail: MailSettings, *, root: Path) -> Relay:
    """The relay that the settings describe. Raises `BadInput` for settings that contradict each other."""
    try:
        return Relay(
            host=mail.host,
            port=mail.port,
            tls=TlsMode(mail.tls),
            username=mail.username,
            password=resolve_secret(mail.password) if mail.password else None,
            ca_file=root / mail.ca_file if mail.ca_file else None,
        )
    except BadRelay as error:
        raise BadInput(str(error), where="[mail] in incident.toml") from error


class MailRoom:
    """Sends groups of envelopes over kept connections. Use as a context manager."""

    def __init__(self, relay: Relay, *, connections: int, longest: float = 150.0) -> None:
        """`longest` is the most seconds that one group may take: a relay that hangs must not hold it for ever."""
        self._longest = longest
        self._relay = relay
        self._connections = connections
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="mail", daemon=True)
        self._free: asyncio.Queue[SmtpSession] = asyncio.Queue()
        self._sessions: list[SmtpSession] = []

    def __enter__(self) -> Self:
        self._thread.start()
        self._sessions = [SmtpSession(self._relay) for _ in range(self._connections)]
        for session in self._sessions:
            self._free.put_nowait(session)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def send(
        self, envelopes: Sequence[Envelope], *, may_go: Callable[[], bool] = lambda: True
    ) -> list[Outcome]:
        """What became of each envelope, in order.

        `may_go` is asked before each leaves. Once it says no, the relay cannot be reached, or the group has taken too
        long, the rest of it is `not_sent`, with the reason. A message that is with the relay when the time is up is
        `ambiguous`.
        """
        return asyncio.run_coroutine_threadsafe(self._send(envelopes, may_go), self._loop).result()

    def check(self) -> None:
        """Open a connection now. Raises `CarrierUnavailable` saying why it could not be."""
        try:
            asyncio.run_coroutine_threadsafe(self._check(), self._loop).result()
        except CarrierUnreachable as error:
            raise CarrierUnavailable(
                f"the mail relay cannot be used ({error.text})",
                where=f"{error.peer}, at {error.stage}",
                next_step="check [mail] in incident.toml; nothing was sent and nothing was changed",
            ) from error
        except BadRelay as error:
            raise BadInput(str(error), where="[mail] in incident.toml") from error

    async def _check(self) -> None:
        session = await self._free.get()
        try:
            await session.connect()
        finally:
            self._free.put_nowait(session)

    async def _send(self, envelopes: Sequence[Envelope], may_go: Callable[[], bool]) -> list[Outcome]:
        until = self._loop.time() + self._longest
        try:
            async with asyncio.timeout_at(until):
                session = await self._free.get()
        except TimeoutError:
            return [self._unsent("every connection was in use for too long")] * len(envelopes)
        outcomes: list[Outcome] = []
        try:
            for envelope in envelopes:
                if why := self._held_back(may_go, until):
                    outcomes += [self._unsent(why)] * (len(envelopes) - len(outcomes))
                    break
                outcomes.append(await self._send_one(session, envelope, until))
        except CarrierUnreachable as error:
            outcomes += [error.outcome] * (len(envelopes) - len(outcomes))
        except BadRelay as error:
            # Raised before a connection is opened: what is wrong is a setting, and nothing has left.
            outcomes += [self._unsent(str(error))] * (len(envelopes) - len(outcomes))
        finally:
            self._free.put_nowait(session)
        return outcomes

    def _held_back(self, may_go: Callable[[], bool], until: float) -> str:
        if self._loop.time() >= until:
            return "held back: the messages before it took too long"
        if not may_go():
            return "held back: a brake is on, or this worker may not act any more"
        return ""

    async def _send_one(self, session: SmtpSession, envelope: Envelope, until: float) -> Outcome:
        try:
            async with asyncio.timeout_at(until):
                return await session.send(envelope)
        except TimeoutError:
            # Broken off by us, wherever it stood: the relay may have taken it.
            return self._outcome(Result.ambiguous, Stage.after_dot, "broken off: the relay took too long")

    def _unsent(self, why: str) -> Outcome:
        return self._outcome(Result.not_sent, Stage.connect, why)

    def _outcome(self, result: Result, stage: Stage, text: str) -> Outcome:
        peer = f"{self._relay.host}:{self._relay.port}"
        return Outcome(result, stage, None, None, text, peer=peer, tls=False)

    async def _close(self) -> None:
        for session in self._sessions:
            await session.close()
