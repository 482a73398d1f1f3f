"""One connection to a centre: requests out and answers in, in any order, and what the centre itself asks."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import ssl
from collections.abc import Awaitable, Callable, Iterator
from enum import StrEnum
from typing import Any

from notifiers.errors import BadPdu, CarrierUnreachable
from notifiers.outcome import Stage
from notifiers.smpp.centre import Centre
from notifiers.smpp.pdu import (
    LAST_SEQUENCE,
    BindTransceiver,
    Body,
    Command,
    DeliverSm,
    DeliverSmResp,
    Header,
    Pdu,
    Splitter,
    decode,
    encode,
    header_of,
)
from notifiers.smpp.statuses import Status, meaning_of

MOST_HANDLED = 64
"""Of what the centre delivers so much is handled at a time; it is asked to send the rest again."""
_AT_ONCE = 64 * 1024
_MOST_UNSENT = 512 * 1024
"""Octets that wait for a centre that does not read. Beyond them it is gone: its own requests would fill our memory."""
_RESPONSE_BIT = 0x80000000

_log = logging.getLogger(__name__)


class Break(StrEnum):
    """Why nothing more can be sent or read. The values are words for people."""

    closed = "the connection to the centre was closed"
    silent = "the centre did not answer whether it is still there"
    garbled = "what the centre sent was not SMPP"
    unread = "the centre does not read what is sent to it"
    unbound = "the centre no longer knows the session"


class LinkBroken(Exception):
    """The connection cannot be used any more."""

    def __init__(self, why: Break) -> None:
        super().__init__(why.value)
        self.why = why


class Link:
    """An open connection. Many tasks may use it at once.

    `deliver` takes what the centre delivers and says how it is answered; reading goes on meanwhile. The centre's
    enquire_link and unbind are answered here. After its unbind nothing new may be requested, what was requested may
    still be answered, and then the connection is closed.
    """

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        deliver: Callable[[DeliverSm], Awaitable[Status]],
        *,
        last_sequence: int = 0,
    ) -> None:
        self._reader, self._writer, self._deliver = reader, writer, deliver
        self._sequence = last_sequence
        self._waiting: dict[int, tuple[int, asyncio.Future[Pdu]]] = {}
        self._handling: set[asyncio.Task[None]] = set()
        self._held: bytearray | None = None
        self._broken: Break | None = None
        self._leaving = False
        self._loop = asyncio.get_running_loop()
        self._last_heard = self._loop.time()
        self._reading = self._loop.create_task(self._read())
        self._watching: asyncio.Task[None] | None = None

    @property
    def usable(self) -> bool:
        """Whether something may be requested."""
        return self._broken is None and not self._leaving and not self._writer.transport.is_closing()

    def request(self, command: Command, body: Body | None = None) -> asyncio.Future[Pdu]:
        """Send a request. The future brings its answer, a generic_nack too; LinkBroken where none can come any more.

        Raises LinkBroken where nothing was sent, and BadPdu. Give up on an answer by cancelling the future.
        """
        if not self.usable:
            raise LinkBroken(self._broken or Break.closed)
        sequence = self._next_sequence()
        octets = encode(Pdu(command, sequence, body=body))
        answer: asyncio.Future[Pdu] = self._loop.create_future()
        self._waiting[sequence] = (command | _RESPONSE_BIT, answer)
        answer.add_done_callback(lambda _: self._settled(sequence))
        self._write(octets)
        return answer

    def watch(self, *, every: float, within: float) -> None:
        """From now on ask the centre whether it is there when nothing was heard for so long; without an answer break."""
        self._watching = self._loop.create_task(self._watch(every, within))

    async def leave(self, within: float) -> None:
        """Let end what is under way, unbind, and close, in so many seconds. Requests that still wait then break."""
        try:
            async with asyncio.timeout(within):
                await self._under_way()
                farewell = self.request(Command.unbind)
                self._leaving = True
                await farewell
        except (TimeoutError, LinkBroken):
            pass
        finally:
            self.break_off(Break.closed)
        for task in self._handling:
            task.cancel()
        await asyncio.gather(self._reading, *self._handling, return_exceptions=True)

    async def _under_way(self) -> None:
        answers = [answer for _, answer in self._waiting.values()]
        under_way: list[asyncio.Future[Any]] = [*self._handling, *answers]
        if under_way:
            await asyncio.wait(under_way)

    def break_off(self, why: Break, *, politely: bool = False) -> None:
        """Close; whoever waits for an answer gets LinkBroken. What waits in the buffer is sent only `politely`."""
        if self._broken is None:
            self._broken = why
        if self._watching is not None and self._watching is not asyncio.current_task():
            self._watching.cancel()
        if politely:
            self._writer.write(bytes(self._held or b""))
            self._held = None
            self._writer.close()
        else:
            self._writer.transport.abort()
        for _, answer in self._waiting.values():
            if not answer.done():
                answer.set_exception(LinkBroken(self._broken))

    def _next_sequence(self) -> int:
        """From 1 to 0x7FFFFFFF and over again (SMPP 3.4, 5.1.4), leaving out those that still wait."""
        while True:
            self._sequence = self._sequence % LAST_SEQUENCE + 1
            if self._sequence not in self._waiting:
                return self._sequence

    def _settled(self, sequence: int) -> None:
        del self._waiting[sequence]
        if self._leaving and not self._waiting:
            self.break_off(Break.closed, politely=True)

    @contextlib.contextmanager
    def _writing_at_once(self) -> Iterator[None]:
        """What is answered meanwhile leaves in one write: asyncio counts all writes that wait at each further one."""
        self._held = bytearray()
        try:
            yield
        finally:
            held, self._held = self._held, None
            if held and self._broken is None:
                self._write(bytes(held))

    def _write(self, octets: bytes) -> None:
        if self._held is not None:
            self._held += octets
            return
        self._writer.write(octets)
        if self._writer.transport.get_write_buffer_size() > _MOST_UNSENT:
            self.break_off(Break.unread)

    def _answer(self, command: Command, to: int, status: int = Status.ok, body: Body | None = None) -> None:
        if self._broken is None and not self._writer.transport.is_closing():
            self._write(encode(Pdu(command, to, status, body)))

    async def _read(self) -> None:
        why = Break.closed
        splitter = Splitter()
        try:
            while octets := await self._reader.read(_AT_ONCE):
                self._last_heard = self._loop.time()
                with self._writing_at_once():
                    for frame in splitter.split(octets):
                        self._take(frame)
                        if self._broken is not None:
                            return
        except BadPdu:
            why = Break.garbled
        except OSError:
            why = Break.closed
        finally:
            self.break_off(why)

    async def _watch(self, every: float, within: float) -> None:
        with contextlib.suppress(LinkBroken):
            while self.usable:
                quiet = self._loop.time() - self._last_heard
                if quiet < every:
                    await asyncio.sleep(every - quiet)
                    continue
                try:
                    await asyncio.wait_for(self.request(Command.enquire_link), within)
                except TimeoutError:
                    self.break_off(Break.silent)

    def _take(self, frame: bytes) -> None:
        header = header_of(frame)
        if header.is_response:
            self._take_answer(header, frame)
            return
        try:
            self._take_request(decode(frame))
        except BadPdu:
            self._answer(Command.generic_nack, header.sequence, Status.invalid_command_length)

    def _take_answer(self, header: Header, frame: bytes) -> None:
        if header.command == Command.generic_nack and header.sequence == 0:
            # The centre could not even read a header (4.3.1): it does not know where our PDUs begin.
            self.break_off(Break.garbled)
            return
        expected, answer = self._waiting.get(header.sequence, (None, None))
        if answer is None or answer.done() or header.command not in (expected, Command.generic_nack):
            return
        try:
            pdu = decode(frame)
        except BadPdu:
            # The status is the answer; the rest is only told.
            pdu = Pdu(header.command, header.sequence, header.status)
        answer.set_result(pdu)

    def _take_request(self, pdu: Pdu) -> None:
        if isinstance(pdu.body, DeliverSm):
            self._take_delivered(pdu.body, pdu.sequence)
            return
        match pdu.command:
            case Command.enquire_link:
                self._answer(Command.enquire_link_resp, pdu.sequence)
            case Command.unbind:
                self._leaving = True
                self._answer(Command.unbind_resp, pdu.sequence)
                if not self._waiting:
                    self.break_off(Break.closed, politely=True)
            case Command.alert_notification:
                # It is not answered (4.12.1).
                return
            case _:
                self._answer(Command.generic_nack, pdu.sequence, Status.invalid_command_id)

    def _take_delivered(self, delivered: DeliverSm, sequence: int) -> None:
        if len(self._handling) >= MOST_HANDLED:
            self._answer(Command.deliver_sm_resp, sequence, Status.receiver_temporary, DeliverSmResp())
            return
        task = self._loop.create_task(self._handle(delivered, sequence))
        self._handling.add(task)
        task.add_done_callback(self._handling.discard)

    async def _handle(self, delivered: DeliverSm, sequence: int) -> None:
        status = Status.receiver_temporary
        try:
            status = await self._deliver(delivered)
        except Exception:
            _log.exception("What the centre delivered could not be taken; it is asked to send it again")
        self._answer(Command.deliver_sm_resp, sequence, status, DeliverSmResp())


async def open_link(
    centre: Centre, context: ssl.SSLContext | None, deliver: Callable[[DeliverSm], Awaitable[Status]]
) -> Link:
    """A bound link. `context` verifies the centre unless TLS is off.

    Raises CarrierUnreachable with the stage, and the status of a refused bind as `code`.
    """
    reader, writer = await _connect(centre, context)
    link = Link(reader, writer, deliver)
    bound = False
    try:
        await _bind(link, centre)
        bound = True
    finally:
        if not bound:
            link.break_off(Break.closed)
    link.watch(every=centre.timeouts.enquire_every, within=centre.timeouts.response)
    return link


async def _connect(
    centre: Centre, context: ssl.SSLContext | None
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    within = centre.timeouts.connect
    try:
        async with asyncio.timeout(within):
            reader, writer = await asyncio.open_connection(centre.host, centre.port)
    except (OSError, UnicodeError) as failure:
        raise _unreachable(centre, Stage.connect, _words(failure, "it did not answer in time")) from None
    if context is None:
        return reader, writer
    protected = False
    try:
        async with asyncio.timeout(within):
            await writer.start_tls(context, server_hostname=centre.host)
        protected = True
    except OSError as failure:
        raise _unreachable(centre, Stage.tls, _words(failure, "TLS was not set up in time")) from None
    finally:
        if not protected:
            writer.transport.abort()
    return reader, writer


async def _bind(link: Link, centre: Centre) -> None:
    body = BindTransceiver(centre.system_id, centre.password, centre.system_type)
    try:
        answer = await asyncio.wait_for(link.request(Command.bind_transceiver, body), centre.timeouts.bind)
    except TimeoutError:
        raise _unreachable(centre, Stage.auth, "it did not answer the bind in time") from None
    except LinkBroken as broken:
        raise _unreachable(centre, Stage.auth, broken.why.value) from None
    if answer.command != Command.bind_transceiver_resp or answer.status != Status.ok:
        text = meaning_of(answer.status).text
        raise _unreachable(centre, Stage.auth, f"the bind was refused: {text}", answer.status)


def _unreachable(centre: Centre, stage: Stage, text: str, code: int | None = None) -> CarrierUnreachable:
    return CarrierUnreachable(stage, text, peer=centre.peer, code=code)


def _words(failure: Exception, when_late: str) -> str:
    if isinstance(failure, TimeoutError) and not str(failure):
        return when_late
    return str(failure) or type(failure).__name__
