"""A mail catcher for rehearsals: an SMTP server on loopback that keeps every message as a file and sends none on.

It speaks as much of RFC 5321 as our own carrier needs (with PIPELINING, RFC 2920), so that a drill runs the real
sending path against a real conversation.
"""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

_LOOPBACK = "127.0.0.1"
_LARGEST = 10 * 1024 * 1024
_EXTENSIONS = ("PIPELINING", "8BITMIME", f"SIZE {_LARGEST}")


class MailCatcher:
    """Catches mail while its context is open.

    `port` is set on entering, `caught` counts messages, and the folder is made when the first one comes.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = 0
        self.caught = 0
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="mail catcher", daemon=True)
        self._stop: asyncio.Event | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        self._ready.wait()
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
        finally:
            self._loop.close()

    async def _serve(self) -> None:
        self._stop = asyncio.Event()
        server = await asyncio.start_server(self._converse, _LOOPBACK, 0, limit=_LARGEST)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        async with server:
            await self._stop.wait()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            writer.write(b"220 drill.invalid catches mail and sends none on\r\n")
            sender, recipients = "", list[str]()
            while line := (await reader.readline()).decode("ascii", "replace").strip():
                verb = line.split(":")[0].split(" ")[0].upper()
                argument = line.partition(":")[2].strip()
                if verb in ("EHLO", "HELO"):
                    self._greet(writer)
                elif verb == "MAIL":
                    sender, recipients = argument.split(" ")[0], []
                    writer.write(b"250 2.1.0 Ok\r\n")
                elif verb == "RCPT":
                    recipients.append(argument.split(" ")[0])
                    writer.write(b"250 2.1.5 Ok\r\n")
                elif verb == "DATA" and recipients:
                    writer.write(b"354 End data with <CR><LF>.<CR><LF>\r\n")
                    number = self._keep(await reader.readuntil(b"\r\n.\r\n"), sender, recipients)
                    writer.write(f"250 2.0.0 Ok: caught as {number:06d}\r\n".encode("ascii"))
                    sender, recipients = "", []
                elif verb in ("RSET", "NOOP"):
                    sender, recipients = "", []
                    writer.write(b"250 2.0.0 Ok\r\n")
                elif verb == "QUIT":
                    writer.write(b"221 2.0.0 Bye\r\n")
                    break
                else:
                    writer.write(b"503 5.5.1 not understood here\r\n")
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass
        finally:
            writer.close()

    def _greet(self, writer: asyncio.StreamWriter) -> None:
        lines = ["drill.invalid", *_EXTENSIONS]
        for line in lines[:-1]:
            writer.write(f"250-{line}\r\n".encode("ascii"))
        writer.write(f"250 {lines[-1]}\r\n".encode("ascii"))

    def _keep(self, data: bytes, sender: str, recipients: list[str]) -> int:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.caught += 1
        message = data[: -len(b".\r\n")].replace(b"\r\n..", b"\r\n.")
        envelope = f"X-Envelope-From: {sender}\r\nX-Envelope-To: {', '.join(recipients)}\r\n".encode(
            "ascii", "replace"
        )
        (self.folder / f"{self.caught:06d}.eml").write_bytes(envelope + message)
        return self.caught
