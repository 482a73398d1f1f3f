"""A mail catcher for rehearsals: an SMTP server on loopback that keeps every message as a file and sends none on.

It speaks as much of RFC 5321 as our own carrier needs (with PIPELINING, RFC 2920), so that a drill runs the real
sending path against a real conversation. By hand: python -m incident.ops.mail_catcher --port 2525 FOLDER
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from incident.errors import TocsinError, WorkspaceError
from incident.masking import mask_email

_LOOPBACK = "127.0.0.1"
_LARGEST = 10 * 1024 * 1024
_LONGEST_LINE = 64 * 1024
_EXTENSIONS = ("PIPELINING", "8BITMIME", f"SIZE {_LARGEST}")


class MailCatcher:
    """Catches mail while its context is open.

    `port` 0 takes a free one and is set on entering, `caught` counts messages, and the folder is made when the first
    one comes. `told` hears of each message: its file and its recipients. Raises `WorkspaceError` for a port in use.
    """

    def __init__(
        self, folder: Path, *, port: int = 0, told: Callable[[Path, Sequence[str]], None] | None = None
    ) -> None:
        self.folder = folder
        self.port = port
        self.caught = 0
        self._told = told
        self._failure: OSError | None = None
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="mail catcher", daemon=True)
        self._stop: asyncio.Event | None = None
        self._talks: set[asyncio.Task[None]] = set()

    def __enter__(self) -> Self:
        self._thread.start()
        self._ready.wait()
        if self._failure is not None:
            self._thread.join()
            raise WorkspaceError(
                f"the mail catcher cannot listen ({self._failure.strerror})",
                where=f"{_LOOPBACK}:{self.port}",
                next_step="name another port, here and in [mail] of incident.toml",
            ) from self._failure
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._stop is not None:
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._serve())
        except OSError as error:
            self._failure = error
            self._ready.set()
        finally:
            self._loop.close()

    async def _serve(self) -> None:
        self._stop = asyncio.Event()
        server = await asyncio.start_server(self._converse, _LOOPBACK, self.port, limit=_LONGEST_LINE)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        async with server:
            await self._stop.wait()
            # A client that keeps its connection must not keep us: from Python 3.12 on the server waits for it.
            talks = list(self._talks)
            for talk in talks:
                talk.cancel()
            await asyncio.gather(*talks, return_exceptions=True)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        talk = asyncio.current_task()
        assert talk is not None  # noqa: S101 - a coroutine runs in a task
        self._talks.add(talk)
        try:
            await self._talk(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            self._talks.discard(talk)
            writer.close()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 drill.invalid catches mail and sends none on\r\n")
        sender, recipients = "", list[str]()
        while True:
            try:
                raw = await reader.readline()
            except ValueError:
                # What was read of it is gone. Closing now would reset the connection before this answer is read.
                writer.write(b"500 5.5.2 line too long\r\n")
                continue
            if not raw:
                return
            line = raw.decode("ascii", "replace").strip()
            verb = line.split(":")[0].split(" ")[0].upper()
            argument = line.partition(":")[2].strip()
            if verb in ("EHLO", "HELO"):
                sender, recipients = "", []
                self._greet(writer)
            elif verb == "MAIL" and argument:
                sender, recipients = argument.split(" ")[0], []
                writer.write(b"250 2.1.0 Ok\r\n")
            elif verb == "RCPT" and argument and sender:
                recipients.append(argument.split(" ")[0])
                writer.write(b"250 2.1.5 Ok\r\n")
            elif verb == "DATA" and recipients:
                writer.write(b"354 End data with <CR><LF>.<CR><LF>\r\n")
                writer.write(self._take(await _message(reader), sender, recipients))
                sender, recipients = "", []
            elif verb == "RSET":
                sender, recipients = "", []
                writer.write(b"250 2.0.0 Ok\r\n")
            elif verb == "NOOP":
                writer.write(b"250 2.0.0 Ok\r\n")
            elif verb == "QUIT":
                writer.write(b"221 2.0.0 Bye\r\n")
                return
            else:
                writer.write(b"503 5.5.1 not understood here\r\n")
            await writer.drain()

    def _take(self, message: bytes | None, sender: str, recipients: list[str]) -> bytes:
        """The answer to a message, after it was kept."""
        if message is None:
            return b"552 5.3.4 message too big\r\n"
        try:
            number = self._keep(message, sender, recipients)
        except OSError:
            return b"452 4.3.1 cannot be kept, the disk may be full\r\n"
        return f"250 2.0.0 Ok: caught as {number:06d}\r\n".encode("ascii")

    def _greet(self, writer: asyncio.StreamWriter) -> None:
        lines = ["drill.invalid", *_EXTENSIONS]
        for line in lines[:-1]:
            writer.write(f"250-{line}\r\n".encode("ascii"))
        writer.write(f"250 {lines[-1]}\r\n".encode("ascii"))

    def _keep(self, message: bytes, sender: str, recipients: list[str]) -> int:
        self.folder.mkdir(parents=True, exist_ok=True)
        envelope = f"X-Envelope-From: {sender}\r\nX-Envelope-To: {', '.join(recipients)}\r\n".encode(
            "ascii", "replace"
        )
        file = self.folder / f"{self.caught + 1:06d}.eml"
        file.write_bytes(envelope + message)
        self.caught += 1
        if self._told is not None:
            self._told(file, recipients)
        return self.caught


async def _message(reader: asyncio.StreamReader) -> bytes | None:
    """The message after DATA, without the dots that its transport added (RFC 5321 4.5.2); None for one too big."""
    # As if a line had ended before it: the lone dot of an empty message, and a first line with a dot, are no cases.
    data, too_big = bytearray(b"\r\n"), False
    while not data.endswith(b"\r\n.\r\n"):
        try:
            data += await reader.readuntil(b".\r\n")
        except asyncio.LimitOverrunError as error:
            data += await reader.readexactly(error.consumed)
        if len(data) > _LARGEST:
            too_big = True
            del data[: -len(b"\r\n.\r\n")]
    if too_big:
        return None
    return bytes(data[: -len(b".\r\n")]).replace(b"\r\n..", b"\r\n.")[len(b"\r\n") :]


def main(words: Sequence[str] | None = None) -> int:
    """Catch mail until Ctrl-C; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m incident.ops.mail_catcher",
        description="An SMTP server on this machine that keeps every message as a file and sends none on.",
    )
    parser.add_argument("folder", type=Path, help="where the messages are kept, one .eml file each")
    parser.add_argument("--port", type=int, default=2525, help="the port on 127.0.0.1; 0 takes a free one")
    given = parser.parse_args(words)
    # Blocked before the catcher's thread begins, so that both wait for sigwait, whichever thread they hit.
    ends = {signal.SIGINT, signal.SIGTERM}
    signal.pthread_sigmask(signal.SIG_BLOCK, ends)
    try:
        with MailCatcher(given.folder, port=given.port, told=_tell) as catcher:
            _print(
                f"mail is caught at {_LOOPBACK}:{catcher.port} and kept in {given.folder}; Ctrl-C ends this"
            )
            signal.sigwait(ends)
    except TocsinError as error:
        sys.stderr.write(f"error: {error}\n")
        return error.exit_code
    _print(f"{catcher.caught} messages caught")
    return 0


def _tell(file: Path, recipients: Sequence[str]) -> None:
    _print(f"{file}  to {', '.join(mask_email(each.strip('<>')) for each in recipients)}")


def _print(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
