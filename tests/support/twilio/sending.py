"""What tests of sending and calling by Twilio share: an account, messages, calls, and somebody who takes callbacks."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from notifiers.calls.message import CallRequest
from notifiers.outcome import Outcome, Result, Stage
from notifiers.sms.message import SmsMessage
from notifiers.twilio.account import Caller, Timeouts, TwilioAccount
from notifiers.twilio.calling import CallClient
from notifiers.twilio.client import TwilioClient
from tests.support.smpp_sending import a_message
from tests.support.twilio.script import ACCOUNT, CALLER, KEY_SECRET, KEY_SID, SERVICE, TOKEN

CALLBACK_KEY = b"callback key of tests, 32 octets"
CALLBACK_TOKENS = (TOKEN,)
PATIENT = Timeouts(connect=60, read=60)
IMPATIENT = Timeouts(connect=0.1, read=0.2)
NUMBER = "+8613912345678"
SOON = 3.0
"""Seconds within which an impatient client has given up, on a machine that is busy."""


def an_account(port: int, **changes: Any) -> TwilioAccount:
    """An account whose API is on loopback; a test whose API answers must not meet a timeout, so they are long."""
    settings: dict[str, Any] = {
        "account_sid": ACCOUNT,
        "messaging_service_sid": SERVICE,
        "key_sid": KEY_SID,
        "key_secret": KEY_SECRET,
        "base_url": f"http://127.0.0.1:{port}",
        "timeouts": PATIENT,
    }
    return TwilioAccount(**(settings | changes))


def a_text(text: str = "Hello", number: str = NUMBER, own_id: str = "d1.1") -> SmsMessage:
    message = a_message(text, number)
    return SmsMessage(message.to, message.segments, message.ucs2, message.reference, own_id)


def a_client(port: int, **changes: Any) -> TwilioClient:
    return TwilioClient(an_account(port, **changes), callback_key=CALLBACK_KEY)


def sent(
    port: int, *messages: SmsMessage, may_go: Callable[[], bool] = lambda: True, **changes: Any
) -> list[Outcome]:
    """What became of these messages, sent at once by one client."""

    async def go() -> list[Outcome]:
        async with a_client(port, **changes) as client:
            return list(await asyncio.gather(*[client.send(each, may_go=may_go) for each in messages]))

    return asyncio.run(go())


def a_calling_account(port: int, **changes: Any) -> TwilioAccount:
    """An account that calls, and whose steps nobody serves unless it is said where."""
    settings: dict[str, Any] = {
        "messaging_service_sid": "",
        "caller": Caller(CALLER),
        "callback_base": "http://127.0.0.1:9/hooks/calls",
        "callback_tokens": CALLBACK_TOKENS,
    }
    return an_account(port, **(settings | changes))


def a_call(number: str = NUMBER, own_id: str = "d1.1") -> CallRequest:
    return CallRequest(number, own_id)


def a_call_client(port: int, **changes: Any) -> CallClient:
    return CallClient(a_calling_account(port, **changes), callback_key=CALLBACK_KEY)


def placed(
    port: int, *calls: CallRequest, may_go: Callable[[], bool] = lambda: True, **changes: Any
) -> list[Outcome]:
    """What became of these calls, placed at once by one client."""

    async def go() -> list[Outcome]:
        async with a_call_client(port, **changes) as client:
            return list(await asyncio.gather(*[client.place(each, may_go=may_go) for each in calls]))

    return asyncio.run(go())


def kind(outcome: Outcome) -> tuple[Result, Stage, int | None]:
    """What an outcome proves, without its words."""
    return outcome.result, outcome.stage, outcome.code


def number(ending: str) -> str:
    """A number with this ending of four digits, by which the API knows what to do."""
    return f"+861390000{ending}"


@contextmanager
def full_backlog() -> Iterator[int]:
    """A port where no connection comes about, and none is refused."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        port: int = listening.getsockname()[1]
        waiting = []
        for _ in range(4):
            each = socket.socket()
            each.setblocking(False)
            each.connect_ex(("127.0.0.1", port))
            waiting.append(each)
        try:
            yield port
        finally:
            for each in waiting:
                each.close()


@dataclass(frozen=True, slots=True)
class Met:
    """A callback as it came: path with its query, body, and the signature."""

    path: str
    body: bytes
    signature: str


@dataclass(slots=True)
class Catcher:
    """Takes every callback and keeps it."""

    port: int = 0
    met: list[Met] = field(default_factory=list)

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.port}/hooks/twilio"


@contextmanager
def callbacks_caught() -> Iterator[Catcher]:
    """A server for callbacks, as long as the context is open."""
    catcher = Catcher()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            pass

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            catcher.met.append(Met(self.path, body, self.headers["X-Twilio-Signature"]))
            self.send_response(204)
            self.end_headers()

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    catcher.port = server.server_address[1]
    running = threading.Thread(target=lambda: server.serve_forever(poll_interval=0.02), daemon=True)
    running.start()
    try:
        yield catcher
    finally:
        server.shutdown()
        server.server_close()
        running.join()
