"""Real relays on loopback: Postfix's smtp-sink, and a scripted server for what no real one does on demand."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import (
    AbstractAsyncContextManager,
    AbstractContextManager,
    asynccontextmanager,
    contextmanager,
)
from dataclasses import dataclass, field

import pytest

CLOSE = b""
"""The scripted server closes the connection instead of answering."""
STALL = b"\x00"
"""The scripted server never answers."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


USUAL = {
    "greeting": b"220 relay.example ESMTP",
    "mail": b"250 2.1.0 Ok",
    "rcpt": b"250 2.1.5 Ok",
    "data": b"354 go ahead",
    "dot": b"250 2.0.0 Ok: queued as ABC",
    "rset": b"250 2.0.0 Ok",
    "quit": b"221 2.0.0 Bye",
}


@dataclass
class ScriptedRelay:
    """Answers each verb from its list, the last entry again and again; keeps what it was told."""

    answers: dict[str, list[bytes]]
    extensions: tuple[str, ...] = ()
    otherwise: bytes = b"502 5.5.2 what?"
    port: int = 0
    commands: list[str] = field(default_factory=list)
    messages: list[bytes] = field(default_factory=list)
    more_came: list[bool] = field(default_factory=list)
    """For each message whether more was there already when its end was read."""
    connections: int = 0
    taken: asyncio.Event = field(default_factory=asyncio.Event)

    def answer_to(self, verb: str) -> bytes:
        if verb == "ehlo" and verb not in self.answers:
            lines = ["relay.example", *self.extensions]
            return "\r\n".join(
                f"250{'-' if i < len(lines) - 1 else ' '}{x}" for i, x in enumerate(lines)
            ).encode()
        script = self.answers.get(verb, [USUAL.get(verb, self.otherwise)])
        return script.pop(0) if len(script) > 1 else script[0]

    async def converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        verb = "greeting"
        with contextlib.suppress(ConnectionError):
            while True:
                answer = self.answer_to(verb)
                if answer == STALL:
                    await reader.read()
                    break
                if answer == CLOSE:
                    break
                writer.write(answer + b"\r\n")
                await writer.drain()
                if verb == "quit" or answer.startswith(b"421"):
                    break
                if verb == "data" and answer.startswith(b"354"):
                    message = await self.read_message(reader)
                    if message is None:
                        break
                    self.messages.append(message)
                    self.more_came.append(bool(reader._buffer))  # type: ignore[attr-defined]
                    self.taken.set()
                    verb = "dot"
                    continue
                line = await reader.readline()
                if not line:
                    break
                self.commands.append(line.decode().rstrip("\r\n"))
                verb = line.split()[0].decode().lower()

    @staticmethod
    async def read_message(reader: asyncio.StreamReader) -> bytes | None:
        """The message up to its dot, or None if the connection ended before it."""
        lines = []
        while (line := await reader.readline()) != b".\r\n":
            if not line:
                return None
            lines.append(line)
        return b"".join(lines)


Script = Callable[..., AbstractAsyncContextManager[ScriptedRelay]]


@pytest.fixture
def scripted() -> Script:
    """`async with scripted(mail=[...], extensions=("PIPELINING",)) as relay:`"""

    @asynccontextmanager
    async def serve(extensions: tuple[str, ...] = (), **answers: list[bytes]) -> AsyncIterator[ScriptedRelay]:
        relay = ScriptedRelay(answers, extensions)
        running: set[asyncio.Task[None]] = set()

        async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            running.add(task)
            try:
                await relay.converse(reader, writer)
            finally:
                writer.close()
                running.discard(task)

        server = await asyncio.start_server(converse, "127.0.0.1", 0, limit=2**20)
        relay.port = server.sockets[0].getsockname()[1]
        try:
            yield relay
        finally:
            server.close()
            for task in tuple(running):
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)

    return serve


Sink = Callable[..., AbstractContextManager[int]]


@pytest.fixture
def smtp_sink() -> Sink:
    """`with smtp_sink("-q", "DATA") as port:` runs Postfix's smtp-sink."""
    program = shutil.which("smtp-sink", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/libexec/postfix")
    if program is None:
        pytest.skip("smtp-sink is missing; it comes with the package postfix")

    @contextmanager
    def run(*flags: str) -> Iterator[int]:
        port = free_port()
        user = ("-u", "nobody") if os.geteuid() == 0 else ()
        process = subprocess.Popen(
            [program, *user, *flags, f"127.0.0.1:{port}", "100"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            _wait_for(port, process)
            yield port
        finally:
            process.terminate()
            process.wait(timeout=10)

    return run


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    for _ in range(100):
        assert process.poll() is None, "smtp-sink ended at once"
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise AssertionError("smtp-sink did not come up")
