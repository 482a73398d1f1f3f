"""A gateway on loopback that speaks as Alibaba Cloud's or Tencent Cloud's does, and can be at fault.

    with sms_gateway("aliyun") as gateway:
        gateway.answer_with(Answer(Act.drop, taken=True), times=1)
        ... gateway.port ... gateway.taken

It checks each request as the service does, with code of its own, keeps what the phone would show, and writes each message
that it takes to `record` before it answers. A record that is there already is read first: a gateway that starts again
knows what it took.
"""

from __future__ import annotations

import json
import socket
import ssl
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx

from tests.support.sms_gateway.account import Account, Fate, Taken, default_account
from tests.support.sms_gateway.aliyun import Aliyun
from tests.support.sms_gateway.dialect import Dialect, Received, Refused, Reply
from tests.support.sms_gateway.tencent import Tencent


class Act(StrEnum):
    """What a request gets."""

    code = "code"
    """A refusal with `code`."""
    status = "status"
    """A page of HTML with `status`."""
    html = "html"
    """A page of HTML with status 200."""
    drop_unread = "drop_unread"
    """The connection is reset when the request begins to come."""
    drop = "drop"
    """The request is read, and the connection closed without an answer."""
    truncated = "truncated"
    """Half of the JSON, as a whole answer."""
    cut_off = "cut_off"
    """Half of the answer, and the connection closed."""
    slow = "slow"
    """The right answer, after `seconds`."""
    huge = "huge"
    """More than a mebibyte."""
    no_reference = "no_reference"
    """Success without the provider's reference."""
    redirect = "redirect"
    close_after = "close_after"
    """The right answer, and then the connection is closed without a word."""


@dataclass(frozen=True, slots=True)
class Answer:
    """With `taken` the message is taken all the same."""

    act: Act
    code: str = ""
    text: str = "refused"
    status: int = 200
    seconds: float = 0.0
    taken: bool = False


@dataclass(slots=True)
class _Rule:
    answer: Answer
    times: int | None
    ending: str
    action: str


class SmsGateway:
    """What a test sees of the gateway. `refusals` are the codes that it gave by its own checks."""

    def __init__(
        self, dialect: Dialect, account: Account, record: Path | None, clock: Callable[[], float]
    ) -> None:
        self.port = 0
        self.account = account
        self.refusals: list[str] = []
        self.requests: list[Received] = []
        self.connections = 0
        self._dialect, self._record, self._clock = dialect, record, clock
        self._lock = threading.Lock()
        self._rules: list[_Rule] = []
        self._fates: dict[str, Fate] = {}
        self._taken: list[Taken] = recorded(record)

    @property
    def taken(self) -> list[Taken]:
        """All messages that it took, in their order, whatever it answered."""
        with self._lock:
            return list(self._taken)

    def texts(self) -> dict[str, list[str]]:
        """What the phone of each number shows."""
        texts: dict[str, list[str]] = {}
        for message in self.taken:
            texts.setdefault(message.number, []).append(message.text)
        return texts

    def copies(self) -> Counter[str]:
        """How many messages the phone of each number shows."""
        return Counter(message.number for message in self.taken)

    def answer_with(
        self, answer: Answer, *, times: int | None = None, ending: str = "", action: str = "send"
    ) -> None:
        """Answer so many requests of an action (None: all) so; with `ending` only those to numbers that end so. For
        `drop_unread` neither is known yet."""
        with self._lock:
            self._rules.append(_Rule(answer, times, ending, action))

    def settle(self, fate: Fate, *, ending: str = "") -> None:
        """What comes of messages to numbers that end so; the longest ending counts. Without it all are delivered."""
        self._fates[ending] = fate

    def fate_of(self, message: Taken) -> Fate:
        fitting = [ending for ending in self._fates if message.number.endswith(ending)]
        return self._fates[max(fitting, key=len)] if fitting else Fate.delivered

    def push(self, url: str, messages: list[Taken] | None = None) -> bool:
        """Post the receipts of all messages, or of these, to a URL as the provider does. Whether it was content with
        the answer."""
        body = self._dialect.pushed(self.taken if messages is None else messages, self.fate_of)
        headers = {"Content-Type": "application/json"}
        answer = httpx.post(url, content=body, headers=headers, timeout=10, trust_env=False)
        return answer.status_code == 200 and self._dialect.is_content(answer.content)

    def rule_for_unread(self) -> Answer | None:
        return self._rule("", "", unread=True)

    def answered(self, request: Received) -> tuple[Reply, Answer | None]:
        """The right answer, and what to do with it where something else was asked for."""
        now = self._clock()
        with self._lock:
            self.requests.append(request)
        action = ""
        try:
            action = self._dialect.action(request)
            number = self._dialect.number_in(request) if action == "send" else ""
            rule = self._rule(action, number)
            if rule is not None and not rule.taken and rule.act not in (Act.slow, Act.close_after):
                return self._as_asked(rule, action), rule
            with self._lock:
                self._dialect.check(request, self.account, now)
                reply = self._reply(action, request, now)
        except Refused as refusal:
            self.refusals.append(refusal.code)
            return self._dialect.refused(refusal, action), None
        if rule is None or rule.act in (Act.slow, Act.close_after):
            return reply, rule
        return (self._as_asked(rule, action) if rule.act in (Act.code, Act.no_reference) else reply), rule

    def _as_asked(self, rule: Answer, action: str) -> Reply:
        if rule.act is Act.no_reference:
            return self._dialect.without_reference()
        return self._dialect.refused(Refused(rule.code, rule.text, rule.status), action)

    def _reply(self, action: str, request: Received, now: float) -> Reply:
        dialect, account = self._dialect, self.account
        if action == "send":
            sms = dialect.sms(request, account, self._taken, now)
            reference = dialect.new_reference(len(self._taken))
            message = Taken(sms.number, sms.text, sms.own_id, reference, sms.template, now, sms.parameters)
            self._keep(message)
            return dialect.accepted(message)
        if action == "receipt":
            return dialect.receipts(request, account, self._taken, self.fate_of)
        ask = {"template": dialect.template, "signature": dialect.signature, "credits": dialect.credits}
        return ask[action](request, account)

    def _keep(self, message: Taken) -> None:
        self._taken.append(message)
        if self._record is not None:
            with self._record.open("a", encoding="utf-8") as record:
                record.write(json.dumps(asdict(message), ensure_ascii=False) + "\n")

    def _rule(self, action: str, number: str, *, unread: bool = False) -> Answer | None:
        with self._lock:
            for rule in self._rules:
                if (rule.answer.act is Act.drop_unread) is not unread or rule.times == 0:
                    continue
                if unread or (rule.action == action and number.endswith(rule.ending)):
                    rule.times = None if rule.times is None else rule.times - 1
                    return rule.answer
        return None


def recorded(record: Path | None) -> list[Taken]:
    """What a record holds, in its order."""
    if record is None or not record.exists():
        return []
    # What stands after the last line's end was being written when the process was killed.
    whole, _, _ = record.read_text(encoding="utf-8").rpartition("\n")
    return [Taken(**json.loads(line)) for line in whole.splitlines()]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Head and body of an answer are two writes; the second must not wait for the sender's acknowledgement.
    disable_nagle_algorithm = True
    gateway: SmsGateway

    def setup(self) -> None:
        super().setup()
        self.gateway.connections += 1

    def handle_one_request(self) -> None:
        begins = isinstance(self.connection, ssl.SSLSocket) or self.connection.recv(1, socket.MSG_PEEK)
        if begins and self.gateway.rule_for_unread() is not None:
            # Reset instead of closed: what was not read is gone for the sender.
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close_connection = True
            return
        super().handle_one_request()

    def do_POST(self) -> None:
        self._serve()

    def do_GET(self) -> None:
        self._serve()

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def _serve(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        if len(body) < length:
            # The sender was killed while it wrote: there is no request to answer.
            self.close_connection = True
            return
        path, _, query = self.path.partition("?")
        headers = {name.lower(): value for name, value in self.headers.items()}
        reply, answer = self.gateway.answered(Received(self.command, path, query, headers, body))
        act = answer.act if answer is not None else None
        if act is Act.drop:
            self.close_connection = True
        elif act is Act.truncated:
            self._write(reply.status, reply.body[: len(reply.body) // 2])
        elif act is Act.cut_off:
            self._write(reply.status, reply.body[: len(reply.body) // 2], claimed=len(reply.body))
            self.close_connection = True
        elif act is Act.huge:
            self._write(200, b'{"Code":"OK","BizId":"1","x":"' + b"x" * (2 << 20) + b'"}')
        elif answer is not None and act in (Act.status, Act.html):
            self._write(answer.status, b"<html><body>Bad Gateway</body></html>", kind="text/html")
        elif act is Act.redirect:
            self._write(307, b"", location=f"http://127.0.0.1:{self.gateway.port}/elsewhere")
        else:
            if answer is not None and act is Act.slow:
                time.sleep(answer.seconds)
            self._write(reply.status, reply.body)
            self.close_connection = self.close_connection or act is Act.close_after

    def _write(
        self,
        status: int,
        body: bytes,
        *,
        kind: str = "application/json",
        claimed: int | None = None,
        location: str = "",
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body) if claimed is None else claimed))
        if location:
            self.send_header("Location", location)
        self.end_headers()
        self.wfile.write(body)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    # Threads of slow answers are left behind.
    block_on_close = False
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A sender that goes away is no error here."""


@contextmanager
def sms_gateway(
    dialect: str = "aliyun",
    *,
    account: Account | None = None,
    port: int = 0,
    record: Path | None = None,
    context: ssl.SSLContext | None = None,
    clock: Callable[[], float] = time.time,
    session_in_receipts: bool = True,
) -> Iterator[SmsGateway]:
    """A gateway for as long as the context is open; with `context` it speaks TLS."""
    speaks: Dialect = Aliyun() if dialect == "aliyun" else Tencent(session_in_receipts=session_in_receipts)
    gateway = SmsGateway(speaks, account or default_account(dialect), record, clock)
    server = _Server(("127.0.0.1", port), type("Handler", (_Handler,), {"gateway": gateway}))
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    gateway.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield gateway
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
