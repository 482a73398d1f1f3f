"""A message centre (SMPP 3.4) on loopback that takes everything, answers after a delay and counts, as a process of its own.

`python -m benchmarks.sms_sink MILLISECONDS` prints its port, for each line on stdin what it has counted, and ends with
stdin. It does little for each message, so that what is measured beside it is the sender: no receipts, nothing kept.
"""

from __future__ import annotations

import asyncio
import json
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.measure import CommandFailed

HOST = "127.0.0.1"
_CHECKOUT = Path(__file__).parents[1]
_HEADER = struct.Struct(">IIII")
_RESPONSE, _NACK = 0x80000000, 0x80000000
_SUBMIT_SM, _UNBIND, _ENQUIRE_LINK = 0x04, 0x06, 0x15
_BINDS = frozenset({0x01, 0x02, 0x09})
_UNKNOWN_COMMAND = 0x03
_HAS_HEADER = 0x40  # of esm_class, 5.2.12
# Where the number of a part stands in the user data header (3GPP TS 23.040, 9.2.3.24.1 and 9.2.3.24.8), by its start.
_NUMBER_AT = {b"\x05\x00\x03": 5, b"\x06\x08\x04": 6}


@dataclass(frozen=True, slots=True)
class Counted:
    """What a sink took: whole texts, the messages that they came in, how many texts lack a part, and how many numbers."""

    texts: int
    parts: int
    unfinished: int
    numbers: int


class Sink:
    """A sink that listens on `port`."""

    def __init__(self, process: subprocess.Popen[str], port: int) -> None:
        self.port = port
        self._process = process

    def counted(self) -> Counted:
        """What it took until now."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return Counted(**json.loads(self._process.stdout.readline()))


@contextmanager
def sms_sink(delay_ms: float) -> Iterator[Sink]:
    """A sink for as long as the context is open, which answers each message after so long. Raises `CommandFailed`."""
    process = subprocess.Popen(
        (sys.executable, "-m", "benchmarks.sms_sink", str(delay_ms)),
        cwd=_CHECKOUT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        said = process.stdout.readline().strip()
        if not said.isdigit():
            raise CommandFailed("the SMS sink does not start")
        yield Sink(process, int(said))
    finally:
        process.terminate()
        process.communicate()


class _Book:
    """What all sessions count together."""

    def __init__(self) -> None:
        self.texts = 0
        self.parts = 0
        self._missing: dict[tuple[bytes, bytes], int] = {}
        self._numbers: set[bytes] = set()

    def take(self, body: bytes) -> None:
        """Count one submit_sm (4.4.1)."""
        self.parts += 1
        source = body.index(b"\0") + 3
        destination = body.index(b"\0", source) + 3
        end = body.index(b"\0", destination)
        number = body[destination:end]
        self._numbers.add(number)
        validity = body.index(b"\0", end + 4) + 1
        message = body.index(b"\0", validity) + 6
        at = _NUMBER_AT.get(body[message : message + 3]) if body[end + 1] & _HAS_HEADER else None
        if at is None:
            self.texts += 1
            return
        self._take_part((number, body[message : message + at]), total=body[message + at - 1])

    def _take_part(self, long_message: tuple[bytes, bytes], *, total: int) -> None:
        missing = self._missing.get(long_message, total) - 1
        if missing:
            self._missing[long_message] = missing
            return
        self._missing.pop(long_message, None)
        self.texts += 1

    def counted(self) -> Counted:
        return Counted(self.texts, self.parts, len(self._missing), len(self._numbers))


class _Session(asyncio.Protocol):
    def __init__(self, book: _Book, delay: float) -> None:
        self._book, self._delay = book, delay
        self._unread = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer all that came at once in one write; the delay is the same for each, so that their order stays."""
        unread = self._unread + data
        at, now, later = 0, bytearray(), bytearray()
        while len(unread) - at >= _HEADER.size:
            length, command, _, sequence = _HEADER.unpack_from(unread, at)
            if len(unread) - at < length:
                break
            if command == _SUBMIT_SM:
                self._book.take(unread[at + _HEADER.size : at + length])
                later += _response(command, sequence, b"%08x\0" % self._book.parts)
            elif not command & _RESPONSE:
                now += _answer(command, sequence)
            at += length
        self._unread = unread[at:]
        self._write(bytes(now))
        if later and self._delay:
            asyncio.get_running_loop().call_later(self._delay, self._write, bytes(later))
        else:
            self._write(bytes(later))

    def _write(self, octets: bytes) -> None:
        if octets and self._transport is not None and not self._transport.is_closing():
            self._transport.write(octets)


def _answer(command: int, sequence: int) -> bytes:
    if command in _BINDS:
        return _response(command, sequence, b"sink\0")
    if command in (_UNBIND, _ENQUIRE_LINK):
        return _response(command, sequence)
    return _HEADER.pack(_HEADER.size, _NACK, _UNKNOWN_COMMAND, sequence)


def _response(command: int, sequence: int, body: bytes = b"") -> bytes:
    return _HEADER.pack(_HEADER.size + len(body), command | _RESPONSE, 0, sequence) + body


async def _serve(delay: float) -> None:
    loop = asyncio.get_running_loop()
    book, over = _Book(), asyncio.Event()

    def asked() -> None:
        if not sys.stdin.readline():
            over.set()
            return
        print(json.dumps(asdict(book.counted())), flush=True)

    server = await loop.create_server(lambda: _Session(book, delay), HOST, 0)
    loop.add_reader(sys.stdin, asked)
    print(server.sockets[0].getsockname()[1], flush=True)
    await over.wait()


if __name__ == "__main__":
    asyncio.run(_serve(float(sys.argv[1]) / 1000))
