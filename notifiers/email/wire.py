"""SMTP's lines over an open connection: commands out, replies in, in order, several at a time.

aiosmtplib opens the connection; from then on its protocol is replaced by this one, because it can await
only one reply for each write and so could not use PIPELINING (RFC 2920).
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Coroutine, Generator
from enum import StrEnum
from types import coroutine
from typing import NamedTuple, TypeVar

T = TypeVar("T")

_LONGEST_LINE = 8192  # far above RFC 5321 section 4.5.3.1.5, and a bound on memory
_MOST_LINES = 100


class Reply(NamedTuple):
    """A reply: its code, and its lines as they came."""

    code: int
    lines: list[bytes]

    @property
    def text(self) -> str:
        """What the lines say, joined by a space."""
        return " ".join([line[4:].decode("utf-8", "replace").strip() for line in self.lines])


class Break(StrEnum):
    """Why nothing more can be read or written."""

    closed = "closed"
    timeout = "timeout"
    garbled = "garbled"


class LinkBroken(Exception):
    """The connection cannot be used any more."""

    def __init__(self, why: Break) -> None:
        super().__init__(why.value)
        self.why = why


class Wire(asyncio.Protocol):
    """One connection's commands and replies. Used by one task, which holds one conversation after the other:

        outcome = await wire.carry(conversation())

    A conversation is a coroutine that waits for nothing but `reply` and `drained`. It goes on within the very call that
    brings the reply: waking a task for each would cost two more turns of the event loop a message, half of all.

    Every write says how many replies it will bring; a reply that nobody asked for breaks the link, since
    no later one could be matched to its command. Replies read before a break are still handed out.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._rest = b""
        self._lines: list[bytes] = []
        self._replies: deque[Reply] = deque()
        self._owed = 0
        self._conversation: Coroutine[None, None, object] | None = None
        self._ended: asyncio.Future[object] | None = None
        self._waiting = False
        self._deadline = 0.0
        self._watchdog: asyncio.TimerHandle | None = None
        self._paused = False
        self._broken: Break | None = None
        transport.set_protocol(self)
        if transport.is_closing():
            self._break(Break.closed)

    @property
    def usable(self) -> bool:
        """Whether a new command may be written: the link is whole and nothing is owed."""
        return self._broken is None and not self._owed and not self._replies

    @property
    def answered(self) -> bool:
        """Whether a reply is there to be read."""
        return bool(self._replies)

    def write(self, data: bytes, *, replies: int) -> None:
        """Send `data`, which will bring this many replies. Raises LinkBroken if it was not sent at all."""
        if self._broken is not None:
            raise LinkBroken(self._broken)
        self._owed += replies
        self._transport.write(data)

    async def carry(self, conversation: Coroutine[None, None, T]) -> T:
        """Hold a conversation to its end; whatever it raises is raised here. A cancel ends it where it stands."""
        ended: asyncio.Future[object] = self._loop.create_future()
        self._conversation, self._ended = conversation, ended
        try:
            self._go_on()
            return await ended  # type: ignore[return-value]
        finally:
            self._conversation = self._ended = None
            self._waiting = False
            conversation.close()

    async def reply(self, within: float) -> Reply:
        """The next reply, waiting so many seconds. Raises LinkBroken; after a timeout the link is gone too."""
        while not self._replies:
            await self._changed(within)
        return self._replies.popleft()

    async def drained(self, within: float) -> None:
        """Wait until most of what was written has left, or an early reply came. Raises LinkBroken."""
        while self._paused and not self._replies:
            await self._changed(within)

    async def _changed(self, within: float) -> None:
        if self._broken is not None:
            raise LinkBroken(self._broken)
        self._watch_until(self._loop.time() + within)
        self._waiting = True
        await _something_new()

    def _watch_until(self, deadline: float) -> None:
        """One timer goes on over many waits: making and ending one for each would take as long as the rest of it."""
        self._deadline = deadline
        if self._watchdog is not None and self._watchdog.when() <= deadline:
            return
        if self._watchdog is not None:
            self._watchdog.cancel()
        self._watchdog = self._loop.call_at(deadline, self._look_at_the_clock)

    def _look_at_the_clock(self) -> None:
        self._watchdog = None
        if not self._waiting:
            return
        if self._loop.time() < self._deadline:
            self._watch_until(self._deadline)
        else:
            self._break(Break.timeout)

    async def quit(self, within: float) -> None:
        """Take leave politely and close, whatever the answer is."""
        try:
            if self.usable:
                await self.carry(self._take_leave(within))
        except LinkBroken:
            return
        finally:
            self.abort()

    async def _take_leave(self, within: float) -> None:
        self.write(b"QUIT\r\n", replies=1)
        await self.reply(within)

    def abort(self) -> None:
        """Close at once; nothing that still waits in the buffer is sent."""
        self._break(Break.closed)

    def _break(self, why: Break) -> None:
        if self._broken is None:
            self._broken = why
        if self._watchdog is not None:
            self._watchdog.cancel()
            self._watchdog = None
        self._transport.abort()
        self._wake()

    def _wake(self) -> None:
        if self._waiting:
            self._go_on()

    def _go_on(self) -> None:
        """Let the conversation go on until it waits again or ends."""
        conversation, ended = self._conversation, self._ended
        if conversation is None or ended is None or ended.done():
            return
        self._waiting = False
        try:
            conversation.send(None)
        except StopIteration as end:
            ended.set_result(end.value)
        except Exception as error:
            ended.set_exception(error)

    # asyncio calls the rest.

    def data_received(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            if not self._take(line.rstrip(b"\r")):
                self._break(Break.garbled)
                return
        if len(self._rest) > _LONGEST_LINE:
            self._break(Break.garbled)
        elif self._replies:
            self._wake()

    def _take(self, line: bytes) -> bool:
        code = line[:3]
        if not (code.isdigit() and len(code) == 3 and line[3:4] in (b" ", b"-", b"")):
            return False
        if len(line) > _LONGEST_LINE or len(self._lines) >= _MOST_LINES:
            return False
        if self._lines and self._lines[0][:3] != code:
            return False
        self._lines.append(line)
        if line[3:4] == b"-":
            return True
        if not self._owed:
            return False
        self._owed -= 1
        self._replies.append(Reply(int(code), self._lines))
        self._lines = []
        return True

    def eof_received(self) -> None:
        self._break(Break.closed)

    def connection_lost(self, exc: Exception | None) -> None:
        self._break(Break.closed)

    def pause_writing(self) -> None:
        self._paused = True

    def resume_writing(self) -> None:
        self._paused = False
        self._wake()


@coroutine
def _something_new() -> Generator[None, None, None]:
    """Stand still until the wire goes on with the conversation."""
    yield
