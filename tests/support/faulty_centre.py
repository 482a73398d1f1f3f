"""A message centre on loopback that does what a script says, right or wrong, and keeps what it took.

It starts and stops within milliseconds, for property tests. What it says is put together by `smpp_octets.py`. Where the
protocol is to be kept, `message_centre.py` runs a server that others wrote.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Self, TypeAlias

from tests.support.concatenation import texts_of
from tests.support.smpp_octets import (
    BINDS,
    HEADER,
    BadPdu,
    Command,
    Pdu,
    Submit,
    answer_to,
    read_bind,
    read_submit,
    receipt_body,
)

LOOPBACK = "127.0.0.1"
_LONGEST_PDU = 1 << 17


@dataclass(frozen=True, slots=True)
class Answer:
    """The usual response, or one with this status; `shift` is added to its sequence number."""

    status: int = 0
    shift: int = 0


@dataclass(frozen=True, slots=True)
class Half:
    """So many octets of the usual response, and no more of it."""

    octets: int


@dataclass(frozen=True, slots=True)
class Say:
    """These octets, whatever they are."""

    octets: bytes


@dataclass(frozen=True, slots=True)
class Nack:
    """A generic_nack (4.3) with this status; `shift` is added to its sequence number."""

    status: int
    shift: int = 0


@dataclass(frozen=True, slots=True)
class Receipt:
    """A deliver_sm that says what became of the message in question, or of the one with this id."""

    state: str = "DELIVRD"
    message_id: str | None = None


@dataclass(frozen=True, slots=True)
class Ask:
    """A request of the centre: enquire_link, unbind, or what else has no body."""

    command: Command


@dataclass(frozen=True, slots=True)
class Later:
    """The usual response, once so many further submit_sm have come. It is never given where they do not come."""

    submits: int


@dataclass(frozen=True, slots=True)
class Together:
    """What these say, in one write."""

    moves: tuple[Move, ...]


@dataclass(frozen=True, slots=True)
class Pause:
    """Seconds without a word; what comes meanwhile is not read."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Close:
    """Close the connection. Without `takes` the centre has not read the message; with `resets` its end is a RST."""

    takes: bool = True
    resets: bool = False


Move: TypeAlias = "Answer | Half | Say | Nack | Receipt | Ask | Later | Together | Pause | Close"
SILENCE: tuple[Move, ...] = ()
UNBIND = Ask(Command.UNBIND)
USUAL: tuple[Move, ...] = (Answer(),)


@dataclass(frozen=True, slots=True)
class Talk:
    """What is done in one connection, by what came.

    `submits` are for one submit_sm after the other, `further` for those beyond. `greeting` is said before anything came.
    With `pieces` everything is written in pieces of so many octets.
    """

    greeting: tuple[Move, ...] = SILENCE
    bind: tuple[Move, ...] = USUAL
    submits: Sequence[tuple[Move, ...]] = ()
    further: tuple[Move, ...] = USUAL
    link: tuple[Move, ...] = USUAL
    unbind: tuple[Move, ...] = (*USUAL, Close())
    pieces: int | None = None


@dataclass(frozen=True, slots=True)
class Came:
    """One submit_sm. `taken`: unless it was refused or not read, its recipient gets it, whatever was answered."""

    connection: int
    sequence: int
    message_id: str
    submit: Submit
    taken: bool


@dataclass
class FaultyCentre:
    """Connections follow `talks` one after the other, those beyond the last one as that.

    `complaints` is what the other side did that SMPP 3.4 does not allow; `responses` what it answered.
    """

    talks: Sequence[Talk] = (Talk(),)
    context: ssl.SSLContext | None = None
    port: int = 0
    came: list[Came] = field(default_factory=list)
    binds: list[tuple[str, str, int]] = field(default_factory=list)
    requests: list[Pdu] = field(default_factory=list)
    responses: list[Pdu] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    connections: int = 0
    _running: set[asyncio.Task[None]] = field(default_factory=set)
    _server: asyncio.Server | None = None

    @property
    def taken(self) -> list[Submit]:
        return [each.submit for each in self.came if each.taken]

    def texts(self) -> dict[str, list[str]]:
        """What the phone of each number shows: long messages put together, those with a part missing left out."""
        return texts_of(submit.part for submit in self.taken)

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._converse, LOOPBACK, self.port, ssl=self.context)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for task in tuple(self._running):
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._running.add(task)
        number = self.connections
        self.connections += 1
        talk = self.talks[min(number, len(self.talks) - 1)]
        conversation = _Conversation(self, number, talk, reader, writer)
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError, _Over):
                await conversation.hold()
        finally:
            self._running.discard(task)
            writer.close()
            with suppress(ConnectionError, ssl.SSLError):
                await writer.wait_closed()


@contextmanager
def faulty_centre(*talks: Talk, context: ssl.SSLContext | None = None) -> Iterator[FaultyCentre]:
    """A centre in a thread, for tests that do not run asyncio themselves; those that do say `async with FaultyCentre(...)`."""
    centre = FaultyCentre(talks or (Talk(),), context)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(centre.__aenter__(), loop).result()
        try:
            yield centre
        finally:
            asyncio.run_coroutine_threadsafe(centre.__aexit__(), loop).result()
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


class _Over(Exception):
    """The connection is to be closed."""


class _Conversation:
    def __init__(
        self,
        centre: FaultyCentre,
        number: int,
        talk: Talk,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self._centre, self._number, self._talk = centre, number, talk
        self._reader, self._writer = reader, writer
        self._submits = 0
        self._sequence = 0
        self._seen: set[int] = set()
        self._is_bound = False
        self._later: list[tuple[int, bytes]] = []

    async def hold(self) -> None:
        await self._make(self._talk.greeting, Pdu(0, 0, 0))
        while (pdu := await self._next()) is not None:
            if pdu.is_response:
                self._centre.responses.append(pdu)
                continue
            self._centre.requests.append(pdu)
            self._check_sequence(pdu)
            await self._follow(pdu)

    async def _follow(self, pdu: Pdu) -> None:
        match pdu.command:
            case Command.SUBMIT_SM:
                await self._submit(pdu)
            case Command.ENQUIRE_LINK:
                await self._make(self._talk.link, pdu)
            case Command.UNBIND:
                self._is_bound = False
                await self._make(self._talk.unbind, pdu)
            case command if command in BINDS:
                await self._bind(pdu)
            case command:
                self._complain(f"a request that this centre does not know: {command:#010x}")

    async def _bind(self, pdu: Pdu) -> None:
        with self._complaining("a bad bind"):
            self._centre.binds.append(read_bind(pdu))
        if self._is_bound:
            self._complain("a bind while bound")
        self._is_bound = True
        await self._make(self._talk.bind, pdu, body=b"centre\0")

    async def _submit(self, pdu: Pdu) -> None:
        with self._complaining("a bad submit_sm"):
            submit = read_submit(pdu)
        if not self._is_bound:
            self._complain("a submit_sm while not bound")
        scripted = self._submits < len(self._talk.submits)
        moves = self._talk.submits[self._submits] if scripted else self._talk.further
        self._submits += 1
        message_id = f"{len(self._centre.came) + 1:08x}"
        came = Came(self._number, pdu.sequence, message_id, submit, _takes(moves))
        self._centre.came.append(came)
        await self._make(moves, pdu, body=message_id.encode() + b"\0", came=came)
        await self._make_up_for_what_waits()

    async def _make_up_for_what_waits(self) -> None:
        due = [octets for after, octets in self._later if after <= self._submits]
        self._later = [(after, octets) for after, octets in self._later if after > self._submits]
        for octets in due:
            await self._write(octets)

    async def _make(
        self, moves: Sequence[Move], asked: Pdu, *, body: bytes = b"", came: Came | None = None
    ) -> None:
        for move in moves:
            match move:
                case Close(resets=resets):
                    self._close(resets=resets)
                    raise _Over
                case Pause(seconds=seconds):
                    await asyncio.sleep(seconds)
                case Later(submits=submits):
                    self._later.append((self._submits + submits, answer_to(asked, body=body).octets()))
                case _:
                    await self._write(self._said(move, asked, body, came))

    def _said(self, move: Move, asked: Pdu, body: bytes, came: Came | None) -> bytes:
        match move:
            case Answer(status=status, shift=shift):
                usual = answer_to(asked, status=status, body=body)
                return Pdu(usual.command, usual.status, usual.sequence + shift, usual.body).octets()
            case Half(octets=octets):
                return answer_to(asked, body=body).octets()[:octets]
            case Say(octets=octets):
                return octets
            case Nack(status=status, shift=shift):
                return Pdu(Command.GENERIC_NACK, status, asked.sequence + shift).octets()
            case Receipt(state=state, message_id=message_id):
                return self._receipt(state, message_id, came)
            case Ask(command=command):
                return Pdu(command, 0, self._own_sequence()).octets()
            case Together(moves=moves):
                return b"".join(self._said(each, asked, body, came) for each in moves)
            case _:
                raise AssertionError(f"{move} says nothing")

    def _receipt(self, state: str, message_id: str | None, came: Came | None) -> bytes:
        source = came.submit.destination if came else "861390000001"
        known = message_id or (came.message_id if came else "0")
        body = receipt_body(known, state, number=source)
        return Pdu(Command.DELIVER_SM, 0, self._own_sequence(), body).octets()

    async def _next(self) -> Pdu | None:
        """The next PDU; None when the other side has closed."""
        head = b""
        try:
            head = await self._reader.readexactly(HEADER.size)
            length, command, status, sequence = HEADER.unpack(head)
            if not HEADER.size <= length <= _LONGEST_PDU:
                self._complain(f"command_length is {length}")
                raise _Over
            return Pdu(command, status, sequence, await self._reader.readexactly(length - HEADER.size))
        except asyncio.IncompleteReadError as error:
            if head or error.partial:
                self._complain("it closed within a PDU")
            return None

    def _check_sequence(self, pdu: Pdu) -> None:
        if not 1 <= pdu.sequence <= 0x7FFFFFFF:
            self._complain(f"the sequence number {pdu.sequence} is not from 1 to 0x7FFFFFFF (5.1.4)")
        if pdu.sequence in self._seen:
            self._complain(f"the sequence number {pdu.sequence} came twice in one session")
        self._seen.add(pdu.sequence)

    async def _write(self, octets: bytes) -> None:
        size = self._talk.pieces or max(1, len(octets))
        for at in range(0, len(octets), size):
            self._writer.write(octets[at : at + size])
            await self._writer.drain()
            if self._talk.pieces:
                await asyncio.sleep(0)

    def _close(self, *, resets: bool) -> None:
        if resets:
            wire = self._writer.get_extra_info("socket")
            wire.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def _own_sequence(self) -> int:
        self._sequence += 1
        return self._sequence

    @contextmanager
    def _complaining(self, about: str) -> Iterator[None]:
        """What cannot be read is complained of and ends the connection."""
        try:
            yield
        except (BadPdu, UnicodeDecodeError) as error:
            self._complain(f"{about}: {error}")
            raise _Over from error

    def _complain(self, what: str) -> None:
        self._centre.complaints.append(what)


def _takes(moves: Sequence[Move]) -> bool:
    """Whether a message that meets with this goes on to its recipient."""
    for move in moves:
        match move:
            case Close(takes=False) | Nack(shift=0):
                return False
            case Answer(status=status, shift=0) if status != 0:
                return False
            case Together(moves=inner) if not _takes(inner):
                return False
            case _:
                continue
    return True
