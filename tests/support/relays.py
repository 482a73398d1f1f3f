"""Relays on loopback for whole sendings: aiosmtpd with an answer for each address, smtp-sink, and one that stalls."""

from __future__ import annotations

import os
import re
import socket
import socketserver
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import default
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from tests.support.tools import need_tool

LOOPBACK = "127.0.0.1"
TAKEN = "250 2.0.0 Ok: queued as 4XyZ"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port


def parsed(raw: bytes) -> EmailMessage:
    """A message as a mail program reads it."""
    message = BytesParser(policy=default).parsebytes(raw)
    assert isinstance(message, EmailMessage)
    return message


def part_of(message: EmailMessage, kind: str) -> str:
    """The text of one part, `plain` or `html`."""
    part = message.get_body((kind,))
    assert part is not None
    content = part.get_content()
    assert isinstance(content, str)
    return content


def code_in(text: str) -> str:
    """The verification code that a message's text holds."""
    [code] = re.findall(r"(?<![0-9A-Z-])[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{3}(?![0-9A-Z-])", text)
    return str(code)


@dataclass(frozen=True)
class Mail:
    """One message that a relay took charge of."""

    to: str
    raw: bytes
    mail_from: str = ""

    @property
    def message(self) -> EmailMessage:
        return parsed(self.raw)


@dataclass
class RecordingRelay:
    """What aiosmtpd was handed. `at_mail`, `at_rcpt` and `at_data` map an address to a refusal, or give None.

    They are asked each time, so a test can change them between two attempts.
    """

    port: int = 0
    taken: list[Mail] = field(default_factory=list)
    at_mail: Callable[[str], str | None] = lambda sender: None
    at_rcpt: Callable[[str], str | None] = lambda address: None
    at_data: Callable[[str], str | None] = lambda address: None

    def mails_to(self, address: str) -> list[Mail]:
        return [mail for mail in self.taken if mail.to == address]

    async def handle_MAIL(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, mail_options: list[str]
    ) -> str:
        if refusal := self.at_mail(address):
            return refusal
        envelope.mail_from = address
        return "250 2.1.0 Ok"

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, rcpt_options: list[str]
    ) -> str:
        if refusal := self.at_rcpt(address):
            return refusal
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 Ok"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        [to] = envelope.rcpt_tos
        if refusal := self.at_data(to):
            return refusal
        content = envelope.content
        assert isinstance(content, bytes)
        self.taken.append(Mail(to, content, envelope.mail_from or ""))
        return TAKEN


@contextmanager
def recording_relay(*, port: int = 0) -> Iterator[RecordingRelay]:
    """aiosmtpd in a thread; `relay.at_rcpt = lambda address: "550 5.1.1 unknown"` scripts refusals."""
    relay = RecordingRelay(port or free_port())
    controller = Controller(relay, hostname=LOOPBACK, port=relay.port)
    controller.start()
    try:
        yield relay
    finally:
        controller.stop()


@dataclass(frozen=True)
class Sink:
    """A running smtp-sink that dumps each message into a file."""

    port: int
    folder: Path
    pid: int

    def files(self) -> list[Path]:
        """A file for each message, also for one that is under way right now."""
        return sorted(Path(where, name) for where, _, names in os.walk(self.folder) for name in names)

    @property
    def count(self) -> int:
        return sum(len(names) for _, _, names in os.walk(self.folder))

    def mails(self) -> list[EmailMessage]:
        """Every message it took, without the envelope that smtp-sink writes in front."""
        return [parsed(file.read_bytes()) for file in self.files()]


@contextmanager
def smtp_sink(folder: Path, *flags: str, port: int = 0) -> Iterator[Sink]:
    """Postfix's smtp-sink as a process of its own. Each second's messages lie in a folder of their own."""
    program = need_tool("smtp-sink", "postfix")
    folder.mkdir(parents=True, exist_ok=True)
    port = port or free_port()
    # As root it gives its rights away, but pytest's temporary folders are closed to others.
    user = ("-u", "root") if os.geteuid() == 0 else ()
    process = subprocess.Popen(
        [program, *user, *flags, "-d", f"{folder}/%H%M%S/", f"{LOOPBACK}:{port}", "100"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for_port(port, process)
        yield Sink(port, folder, process.pid)
    finally:
        process.terminate()
        process.wait(timeout=10)


def wait_for_port(port: int, process: subprocess.Popen[Any]) -> None:
    until = time.monotonic() + 10
    while time.monotonic() < until:
        assert process.poll() is None, "the server ended at once"
        with socket.socket() as probe:
            if probe.connect_ex((LOOPBACK, port)) == 0:
                return
        time.sleep(0.02)
    raise AssertionError("the server did not come up")


def unread_bytes_from(port: int) -> int:
    """How many bytes from a server on loopback its clients' systems hold that the clients have not read (Linux)."""
    unread = 0
    for line in Path("/proc/net/tcp").read_text("ascii").splitlines()[1:]:
        _, _, remote, _, queues, *_ = line.split()
        if int(remote.partition(":")[2], 16) == port:
            unread += int(queues.partition(":")[2], 16)
    return unread


class StallingRelay:
    """A relay that holds one message at a stage until the other side is gone, and counts copies by Message-ID.

    `stall_at("mail", 45)` stalls at MAIL once 44 messages are taken: the sender has said that it will send, and
    nothing has left. `stall_at("dot", 45)` takes the 45th message and never answers: the sender cannot know.
    `stalled` is set when that has happened.
    """

    def __init__(self) -> None:
        self.copies: dict[str, list[bytes]] = {}
        self.taken = 0
        self.stalled = threading.Event()
        self._stall: tuple[str, int] | None = None
        self._guard = threading.Lock()
        relay = self

        class Conversation(socketserver.StreamRequestHandler):
            disable_nagle_algorithm = True

            def handle(self) -> None:
                relay.converse(self)

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = True
            allow_reuse_address = True

        self._server = Server((LOOPBACK, 0), Conversation)
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})

    def __enter__(self) -> StallingRelay:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def stall_at(self, stage: str, number: int) -> None:
        self.stalled.clear()
        self._stall = (stage, number)

    @property
    def doubles(self) -> int:
        return sum(len(copies) - 1 for copies in self.copies.values())

    def copies_a_message(self) -> Counter[int]:
        return Counter(len(copies) for copies in self.copies.values())

    def converse(self, talk: socketserver.StreamRequestHandler) -> None:
        talk.wfile.write(b"220 relay.example ESMTP\r\n")
        while line := talk.rfile.readline():
            verb = line.split(b":")[0].split()[0].upper()
            if verb == b"EHLO":
                talk.wfile.write(b"250-relay.example\r\n250 PIPELINING\r\n")
            elif verb == b"DATA":
                talk.wfile.write(b"354 go ahead\r\n")
                if not self._take(talk):
                    return
            elif verb == b"QUIT":
                talk.wfile.write(b"221 2.0.0 Bye\r\n")
                return
            elif verb == b"MAIL" and self._stalls("mail", self.taken + 1):
                talk.rfile.read()
                return
            else:
                talk.wfile.write(b"250 2.1.0 Ok\r\n")

    def _take(self, talk: socketserver.StreamRequestHandler) -> bool:
        lines = []
        while (line := talk.rfile.readline()) != b".\r\n":
            if not line:
                return False
            lines.append(line)
        raw = b"".join(lines)
        with self._guard:
            self.copies.setdefault(str(parsed(raw)["Message-ID"]), []).append(raw)
            self.taken += 1
            number = self.taken
        if self._stalls("dot", number):
            talk.rfile.read()
            return False
        talk.wfile.write(f"{TAKEN}\r\n".encode())
        return True

    def _stalls(self, stage: str, number: int) -> bool:
        if self._stall is None or self._stall[0] != stage or number < self._stall[1]:
            return False
        self._stall = None
        self.stalled.set()
        return True
