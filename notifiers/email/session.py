"""Handing messages to a relay over one kept connection, and knowing at every moment what was proved."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Sequence
from itertools import zip_longest
from types import TracebackType
from typing import NamedTuple, Self

from notifiers.email.connect import Link, open_link
from notifiers.email.message import Envelope, SkeletonMessage, xtext
from notifiers.email.relay import Relay, TlsMode, tls_context
from notifiers.email.replies import enhanced_code, shortened
from notifiers.email.wire import Break, LinkBroken, Reply
from notifiers.outcome import SERVICE_CLOSING, Outcome, Result, Stage

_QUIT_TIMEOUT = 2.0
_GO_AHEAD = 354
_WITH_ITS_DOT = 64 * 1024  # up to here one write; above, the dot waits until the body has left

_BROKEN = {
    Break.closed: "the relay closed the connection",
    Break.timeout: "the relay did not answer in time",
    Break.garbled: "the relay's answer was not SMTP",
}


class _Step(NamedTuple):
    stage: Stage
    command: bytes
    timeout: float


class SmtpSession:
    """One kept connection to one relay, used by one task.

        async with SmtpSession(relay) as session:
            outcome = await session.send(envelope)

    `send` returns an Outcome for whatever becomes of a message. What concerns the relay rather than the
    message raises CarrierUnreachable, on entering or when a lost connection cannot be opened again; then
    nothing of the message has left. A send that is cancelled closes the connection; `stage` then says how
    far its message came: at `after_dot` the relay may have taken it, before that it cannot have.
    `send_each` does the same for many, at less cost a message.

    Where the relay offers PIPELINING (RFC 2920), MAIL, RCPT and DATA travel together; otherwise each
    waits for its answer. Those of the next message travel with the end of the one before, as section 3.1
    allows: one round trip a message instead of two. `connections` counts how often a connection was opened.
    """

    def __init__(self, relay: Relay) -> None:
        self._relay = relay
        self._context: ssl.SSLContext | None = None
        self._link: Link | None = None
        self._sent = 0
        self._last_used = 0.0
        self._needs_reset = False
        self._opened_ahead: Envelope | None = None
        self._busy = False
        self.stage = Stage.connect
        self.connections = 0

    async def __aenter__(self) -> Self:
        await self.connect()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def connect(self) -> None:
        """Open the connection unless it is open. Raises CarrierUnreachable, and BadRelay for `ca_file`."""
        await self._ready()

    async def close(self) -> None:
        """Say QUIT and close. Safe to call twice."""
        link, self._link = self._link, None
        if link is not None:
            await link.wire.quit(_QUIT_TIMEOUT)

    async def send(self, envelope: Envelope) -> Outcome:
        """Hand over one message and say what became of it."""
        outcomes: list[Outcome] = []
        await self.send_each([envelope], outcomes)
        return outcomes[0]

    async def send_each(
        self,
        envelopes: Sequence[Envelope],
        outcomes: list[Outcome],
        *,
        may_go: Callable[[], bool] = lambda: True,
    ) -> None:
        """Hand over messages one after the other, and append to `outcomes` what became of each as soon as it is known.

        Ends before all have left when `may_go`, which is asked before each leaves, says no; and after an outcome that
        is `about_relay`, or one that leaves the connection to be opened anew. Whatever is raised, and also when it is
        cancelled, `outcomes` tells of the messages before, and `stage` how far the one after them came.
        """
        if self._busy:
            raise RuntimeError("a session is used by one task at a time")
        self._busy = True
        self.stage = Stage.connect
        try:
            link = await self._ready()
            await link.wire.carry(self._converse(link, envelopes, outcomes, may_go))
        except BaseException:
            self._drop()
            raise
        finally:
            self._busy = False

    async def _converse(
        self, link: Link, envelopes: Sequence[Envelope], outcomes: list[Outcome], may_go: Callable[[], bool]
    ) -> None:
        for envelope, following in zip_longest(envelopes, envelopes[1:]):
            begun = self._opened_ahead is envelope
            if not begun and not may_go():
                return
            if not await self._reset(link):
                self._drop()
                return
            outcome = await self._open_transaction(link, envelope)
            if outcome is None and begun and not may_go():
                # Without its dot it is no message.
                self._drop()
                return
            outcome = outcome or await self._hand_over(link, envelope, following)
            outcomes.append(outcome)
            self.stage = Stage.connect
            self._sent += 1
            self._last_used = asyncio.get_running_loop().time()
            if outcome.about_relay or self._link is None or self._worn_out():
                return

    async def _ready(self) -> Link:
        link = self._link
        if link is not None and await self._can_go_on(link):
            return link
        await self.close()
        if self._relay.tls is not TlsMode.none and self._context is None:
            self._context = await asyncio.to_thread(tls_context, self._relay)
        self._link = link = await open_link(self._relay, self._context)
        self.connections += 1
        self._sent = 0
        self._needs_reset = False
        self._opened_ahead = None
        self._last_used = asyncio.get_running_loop().time()
        return link

    async def _can_go_on(self, link: Link) -> bool:
        if not link.wire.usable or self._worn_out():
            return False
        return not self._needs_reset or await link.wire.carry(self._reset(link))

    async def _reset(self, link: Link) -> bool:
        """End the transaction that a refusal left open; False if the connection does not obey."""
        if not self._needs_reset:
            return True
        try:
            link.wire.write(b"RSET\r\n", replies=1)
            reply = await link.wire.reply(self._relay.timeouts.mail)
        except LinkBroken:
            return False
        self._needs_reset = False
        return reply.code // 100 == 2

    def _worn_out(self) -> bool:
        idle = asyncio.get_running_loop().time() - self._last_used
        return self._sent >= self._relay.max_messages or idle > self._relay.max_idle

    def _drop(self) -> None:
        link, self._link = self._link, None
        if link is not None:
            link.wire.abort()

    async def _open_transaction(self, link: Link, envelope: Envelope) -> Outcome | None:
        """Everything before the message itself: None once the relay said 354."""
        steps = self._steps(link, envelope)
        pipelining = _pipelines(link)
        refusal: Outcome | None = None
        self.stage = steps[0].stage
        reply: Reply | None = None
        try:
            if pipelining and self._opened_ahead is not envelope:
                link.wire.write(b"".join([step.command for step in steps]), replies=len(steps))
            for step in steps:
                self.stage = step.stage
                if not pipelining:
                    link.wire.write(step.command, replies=1)
                reply = await link.wire.reply(step.timeout)
                if _goes_on(step.stage, reply.code):
                    continue
                refusal = refusal or self._refused(link, step.stage, reply)
                if self._link is None or not pipelining:
                    break
        except LinkBroken as broken:
            self._drop()
            return refusal or self._broken(link, Result.not_sent, self.stage, broken.why)
        finally:
            self._opened_ahead = None
        if refusal is None:
            return None
        if self._link is not None:
            self._needs_reset = True
            if self.stage is Stage.data and reply is not None and reply.code == _GO_AHEAD:
                await self._send_nothing(link)
        return refusal

    def _steps(self, link: Link, envelope: Envelope) -> list[_Step]:
        timeouts = self._relay.timeouts
        mail = f"MAIL FROM:<{envelope.mail_from}>"
        rcpt = f"RCPT TO:<{envelope.rcpt_to}>"
        if "size" in link.extensions:
            mail += f" SIZE={len(envelope.data)}"
        if "dsn" in link.extensions and envelope.envid is not None:
            mail += f" RET=HDRS ENVID={xtext(envelope.envid)}"
            rcpt += " NOTIFY=FAILURE,DELAY"
        return [
            _Step(Stage.mail, f"{mail}\r\n".encode("ascii"), timeouts.mail),
            _Step(Stage.rcpt, f"{rcpt}\r\n".encode("ascii"), timeouts.rcpt),
            _Step(Stage.data, b"DATA\r\n", timeouts.data),
        ]

    async def _send_nothing(self, link: Link) -> None:
        """Close a transaction whose recipient was refused but whose DATA was taken (RFC 2920 section 3.1)."""
        try:
            link.wire.write(b".\r\n", replies=1)
            await link.wire.reply(self._relay.timeouts.data)
        except LinkBroken:
            self._drop()

    async def _hand_over(self, link: Link, envelope: Envelope, following: Envelope | None) -> Outcome:
        """The message itself, and with its end the commands that begin the `following` one where that is possible."""
        timeouts = self._relay.timeouts
        body = dot_stuffed(envelope.data)
        try:
            if len(body) <= _WITH_ITS_DOT:
                begins = self._begin_ahead(link, following)
                link.wire.write(b"".join([body, b".\r\n", *begins]), replies=1 + len(begins))
            else:
                link.wire.write(body, replies=1)
                await link.wire.drained(timeouts.body)
                if link.wire.answered:
                    return await self._cut_short(link)
                link.wire.write(b".\r\n", replies=0)
            self.stage = Stage.after_dot
            reply = await link.wire.reply(timeouts.after_dot)
        except LinkBroken as broken:
            self._drop()
            result = Result.ambiguous if self.stage is Stage.after_dot else Result.not_sent
            return self._broken(link, result, self.stage, broken.why)
        if reply.code // 100 == 2:
            return self._said(link, Result.accepted, Stage.reply, reply)
        if reply.code // 100 in (4, 5):
            return self._refused(link, Stage.reply, reply)
        self._drop()
        return self._said(link, Result.ambiguous, Stage.after_dot, reply)

    def _begin_ahead(self, link: Link, following: Envelope | None) -> list[bytes]:
        if following is None or not _pipelines(link) or self._sent + 1 >= self._relay.max_messages:
            return []
        self._opened_ahead = following
        return [step.command for step in self._steps(link, following)]

    async def _cut_short(self, link: Link) -> Outcome:
        """The relay answered while the body was still on its way; without its dot it is no message."""
        reply = await link.wire.reply(self._relay.timeouts.body)
        outcome = self._refused(link, Stage.data, reply)
        self._drop()
        return outcome

    def _refused(self, link: Link, stage: Stage, reply: Reply) -> Outcome:
        """The outcome of an answer that is not the one hoped for.

        That holds after the dot as well: whoever answers 4yz or 5yz there must not deliver (RFC 5321
        section 4.2.5), and 421 is such an answer.
        """
        if reply.code == SERVICE_CLOSING:
            self._drop()
        if reply.code // 100 == 4:
            return self._said(link, Result.temporary, stage, reply)
        if reply.code // 100 == 5:
            return self._said(link, Result.permanent, stage, reply)
        self._drop()
        return self._said(link, Result.not_sent, stage, reply)

    def _said(self, link: Link, result: Result, stage: Stage, reply: Reply) -> Outcome:
        text = shortened(self._relay.without_secrets(reply.text))
        return Outcome(result, stage, reply.code, enhanced_code(text), text, peer=link.peer, tls=link.tls)

    def _broken(self, link: Link, result: Result, stage: Stage, why: Break) -> Outcome:
        return Outcome(result, stage, None, None, _BROKEN[why], peer=link.peer, tls=link.tls)


def _pipelines(link: Link) -> bool:
    return "pipelining" in link.extensions


def _goes_on(stage: Stage, code: int) -> bool:
    return code == _GO_AHEAD if stage is Stage.data else code // 100 == 2


def dot_stuffed(data: bytes) -> bytes:
    """`data` with a second dot where a line begins with one, and a CRLF at its end (RFC 5321 section 4.5.2)."""
    if isinstance(data, SkeletonMessage):
        return data
    if not data.endswith(b"\r\n"):
        data += b"\r\n"
    if b"\r\n." in data:
        data = data.replace(b"\r\n.", b"\r\n..")
    return b"." + data if data.startswith(b".") else data
