"""A relay on loopback that is at fault at one stage for as long as it is told to, and counts copies by Message-ID."""

from __future__ import annotations

import socket
import socketserver
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from enum import StrEnum

from tests.support.relays import LOOPBACK, TAKEN, parsed

CLOSES, STALLS = b"", b"\0"
FOR_LONG = 1_000_000
_LINES_OF_A_BODY = 5
_PATIENCE = 60.0


class Pieces(StrEnum):
    """How its answers travel: each at once, one octet at a time, or those to MAIL, RCPT and DATA in one segment."""

    WHOLE = "whole"
    OCTETS = "octets"
    TOGETHER = "together"


@dataclass(frozen=True)
class Fault:
    """At `stage` it gives this answer instead of the usual one, or CLOSES, or STALLS until the other side is gone.

    Stages: connect, tls (the handshake), ehlo, mail, rcpt, data, body (after a few lines of it), dot. It is so for as
    many `times`, once the relay has taken a message of `since` deliveries.
    """

    stage: str
    answer: bytes
    times: int = FOR_LONG
    since: int = 0


class _Over(Exception):
    """The connection is to be closed."""


class FaultyRelay:
    """Use it as a context manager. Of its `faults` those of one stage come one after the other; `hits` counts all.

    A message whose final dot came counts as taken, unless its answer is a refusal: whoever sees no answer cannot know
    better. `context` has it offer STARTTLS, or speak TLS from the first octet if `implicit`. With `lenient` it answers 354
    also when no recipient stands.
    """

    def __init__(
        self,
        *,
        context: ssl.SSLContext | None = None,
        implicit: bool = False,
        pieces: Pieces = Pieces.WHOLE,
        lenient: bool = False,
    ) -> None:
        self.copies: dict[str, list[bytes]] = {}
        self.told: dict[str, set[str]] = {}
        self.empty = 0
        self.connections = 0
        self.mails = 0
        self.hits = 0
        self.context, self.implicit, self.pieces, self.lenient = context, implicit, pieces, lenient
        self._most = FOR_LONG
        self.faults: list[Fault] = []
        self._guard = threading.Lock()
        relay = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                conversation = _Conversation(relay, self.request)
                with suppress(OSError, _Over):
                    conversation.hold()
                conversation.close()

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = True
            allow_reuse_address = True
            request_queue_size = 64

        self._server = Server((LOOPBACK, 0), Handler)
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})

    def __enter__(self) -> FaultyRelay:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @contextmanager
    def held_after(self, more: int) -> Iterator[None]:
        """Begins when it has taken so many more, and lets nobody say more than MAIL as long as it lasts."""
        self._most = len(self.copies) + more
        until = time.monotonic() + _PATIENCE
        while len(self.copies) < self._most:
            assert time.monotonic() < until, "the sending does not go on"
            time.sleep(0.01)
        try:
            yield
        finally:
            self._most = FOR_LONG

    def wait_at_gate(self) -> None:
        while len(self.copies) >= self._most:
            time.sleep(0.01)

    def wrong_at(self, stage: str) -> bytes | None:
        """The answer of the first fault at this stage; that counts as a hit."""
        with self._guard:
            for at, fault in enumerate(self.faults):
                if fault.stage == stage and len(self.copies) >= fault.since:
                    self.hits += 1
                    rest = [replace(fault, times=fault.times - 1)] if fault.times > 1 else []
                    self.faults[at : at + 1] = rest
                    return fault.answer
        return None

    def keep(self, to: str, raw: bytes) -> None:
        delivery_id = str(parsed(raw)["Message-ID"]).strip("<>").partition("@")[0]
        with self._guard:
            self.copies.setdefault(delivery_id, []).append(raw)
            self.told.setdefault(delivery_id, set()).add(to)


class _Conversation:
    def __init__(self, relay: FaultyRelay, connection: socket.socket) -> None:
        self._relay = relay
        self._connection = connection
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._rest = b""
        self._held = b""
        self._sender, self._recipient = "", ""

    def hold(self) -> None:
        relay = self._relay
        relay.connections += 1
        if relay.implicit and relay.context is not None:
            self._begin_tls()
        self._answer("connect", b"220 relay.example ESMTP")
        for line in self._lines():
            verb, _, rest = line.decode("ascii").partition(" ")
            match verb.upper():
                case "EHLO":
                    self._answer("ehlo", b"\r\n".join(self._greeting()))
                case "STARTTLS":
                    self._say(b"220 2.0.0 go ahead")
                    self._begin_tls()
                case "MAIL":
                    relay.mails += 1
                    relay.wait_at_gate()
                    self._recipient = ""
                    self._sender = rest if self._answer("mail", b"250 2.1.0 Ok") else ""
                case "RCPT":
                    self._take_recipient(rest)
                case "DATA":
                    if not self._take_message():
                        return
                case "QUIT":
                    self._say(b"221 2.0.0 Bye")
                    return
                case _:
                    self._say(b"250 2.0.0 Ok")

    def close(self) -> None:
        self._connection.close()

    def _greeting(self) -> Iterator[bytes]:
        yield b"250-relay.example"
        if self._relay.context is not None and not isinstance(self._connection, ssl.SSLSocket):
            yield b"250-STARTTLS"
        yield b"250 PIPELINING"

    def _take_recipient(self, rest: str) -> None:
        if not self._sender:
            self._say(b"503 5.5.1 need MAIL")
        elif self._answer("rcpt", b"250 2.1.5 Ok"):
            self._recipient = rest.partition("<")[2].partition(">")[0]

    def _take_message(self) -> bool:
        """Whether the conversation goes on."""
        if not self._recipient and not self._relay.lenient:
            self._say(b"554 5.5.1 no valid recipients")
            return True
        if not self._answer("data", b"354 go ahead"):
            return True
        lines = []
        for number, line in enumerate(self._lines()):
            if line == b".":
                break
            lines.append(line[1:] if line.startswith(b".") else line)
            if number == _LINES_OF_A_BODY:
                wrong = self._relay.wrong_at("body")
                self._act(wrong)
                if wrong is not None:
                    return False
        else:
            return False
        if not self._recipient or not lines:
            self._relay.empty += not lines
            self._say(b"554 5.5.1 no valid recipients")
            return True
        wrong = self._relay.wrong_at("dot")
        if wrong is None or wrong[:1] not in (b"4", b"5"):
            self._relay.keep(self._recipient, b"\r\n".join(lines) + b"\r\n")
        self._act(wrong)
        if wrong is None:
            self._say(TAKEN.encode())
        return True

    def _answer(self, stage: str, usual: bytes) -> bool:
        """Whether the usual answer was given."""
        wrong = self._relay.wrong_at(stage)
        self._act(wrong)
        if wrong is None:
            self._say(usual, ends_a_group=stage not in ("mail", "rcpt"))
        return wrong is None

    def _act(self, wrong: bytes | None) -> None:
        if wrong == CLOSES:
            raise _Over
        if wrong == STALLS:
            while self._connection.recv(65536):
                pass
            raise _Over
        if wrong is not None:
            self._say(wrong)
            if wrong.startswith(b"421"):
                raise _Over

    def _say(self, answer: bytes, *, ends_a_group: bool = True) -> None:
        said = answer + b"\r\n"
        match self._relay.pieces:
            case Pieces.OCTETS:
                for octet in said:
                    self._connection.sendall(bytes([octet]))
            case Pieces.TOGETHER:
                self._held += said
                if ends_a_group:
                    self._connection.sendall(self._held)
                    self._held = b""
            case _:
                self._connection.sendall(said)

    def _lines(self) -> Iterator[bytes]:
        while True:
            line, found, rest = self._rest.partition(b"\r\n")
            if found:
                self._rest = rest
                yield line
                continue
            more = self._connection.recv(65536)
            if not more:
                return
            self._rest += more

    def _begin_tls(self) -> None:
        self._act(self._relay.wrong_at("tls"))
        assert self._relay.context is not None
        self._connection = self._relay.context.wrap_socket(self._connection, server_side=True)
