from __future__ import annotations

import base64
import hashlib
import hmac
import json
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
import uvicorn

from incident.errors import BadInput, StoreUnavailable
from incident.hooks.intake import Receipt
from incident.hooks.library import SHIPPED, read_source, read_sources
from incident.hooks.mapping import CompiledSource
from incident.server.hooks import UVICORN_OPTIONS, Limits, create_app

START = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
BEARER = {"authorization": "Bearer t0ken", "content-type": "application/json"}
ALERT = b'{"id": "a-1", "title": "t"}'
SECRETS = {
    "env:GENERIC_HOOK_TOKEN": "t0ken",
    "env:GITHUB_DEPENDABOT_HOOK_SECRET": "gh-secret",
    "env:STANDARD_WEBHOOKS_SECRET": "whsec_" + base64.b64encode(b"k" * 24).decode(),
    "env:PATH_TOKEN": "very-secret-path-token",
    "env:NO_BASE64": "whsec_%%%",
}


def extra(name: str, auth: str) -> CompiledSource:
    text = f"id: {name}\ntitle: x\nauth: {auth}\nfields: {{title: [title]}}\ndedupe: [id]\n"
    return read_source(text, name=name)


SOURCES = {
    **read_sources([SHIPPED]),
    "by-path": extra("by-path", "{kind: url_token, secret: env:PATH_TOKEN}"),
    "far": extra("far", "{kind: none, allow_cidrs: [192.0.2.0/24, '2001:db8::/32']}"),
    "near": extra("near", "{kind: none, allow_cidrs: [127.0.0.0/8]}"),
    "spoilt": extra("spoilt", "{kind: standard_webhooks, secret: env:NO_BASE64}"),
}


class Memory:
    """An intake that remembers."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.kept: dict[tuple[str, str], dict[str, Any]] = {}
        self.before: Callable[[], None] = lambda: None

    def receive(
        self,
        *,
        source_id: str,
        delivery_id: str,
        body: bytes,
        headers: Mapping[str, str],
        received_at: datetime,
    ) -> Receipt:
        self.before()
        with self.lock:
            new = (source_id, delivery_id) not in self.kept
            entry = {"id": f"R{len(self.kept)}", "body": body, "headers": headers, "at": received_at}
            return Receipt(self.kept.setdefault((source_id, delivery_id), entry)["id"], new)


class Clock:
    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now


class Desk:
    """A running server, its intake, its clock, and a client that talks to it."""

    def __init__(self, client: httpx.Client, memory: Memory, clock: Clock, port: int) -> None:
        self.client = client
        self.memory = memory
        self.clock = clock
        self.port = port

    def post(
        self, path: str, body: bytes = ALERT, headers: Mapping[str, str] | None = None
    ) -> httpx.Response:
        return self.client.post(path, content=body, headers=dict(BEARER if headers is None else headers))


def resolve(reference: str) -> str:
    if reference not in SECRETS:
        raise BadInput(f"the secret {reference} is missing")
    return SECRETS[reference]


@contextmanager
def running(limits: Limits | None = None, **options: Any) -> Iterator[Desk]:
    memory, clock = Memory(), Clock()
    app = create_app(sources=SOURCES, intake=memory, resolve_secret=resolve, clock=clock, limits=limits)
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    server = uvicorn.Server(uvicorn.Config(app, **{**UVICORN_OPTIONS, "log_config": None, **options}))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=10) as client:
            yield Desk(client, memory, clock, port)
    finally:
        server.should_exit = True
        thread.join(timeout=10)
        listener.close()


@pytest.fixture(scope="module")
def shared_desk() -> Iterator[Desk]:
    with running(Limits(per_source=10_000, in_all=10_000)) as desk:
        yield desk


@pytest.fixture
def desk(shared_desk: Desk) -> Desk:
    """The one server of this file, with nothing kept and the clock set back."""
    shared_desk.memory.kept.clear()
    shared_desk.memory.before = lambda: None
    shared_desk.clock.now = START
    return shared_desk


def github_headers(body: bytes, delivery: str) -> dict[str, str]:
    digest = hmac.new(b"gh-secret", body, hashlib.sha256).hexdigest()
    return {
        "x-hub-signature-256": f"sha256={digest}",
        "x-github-delivery": delivery,
        "content-type": "application/json",
    }


def webhook_headers(body: bytes, message: str, at: datetime) -> dict[str, str]:
    stamp = str(int(at.timestamp()))
    digest = hmac.new(b"k" * 24, f"{message}.{stamp}.".encode() + body, hashlib.sha256).digest()
    return {
        "webhook-id": message,
        "webhook-timestamp": stamp,
        "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
        "content-type": "application/json",
    }


def test_an_alert_is_kept_first_and_answered_with_its_receipt(desk: Desk) -> None:
    answer = desk.post("/hooks/generic")
    assert (answer.status_code, answer.json()) == (202, {"receipt": "R0"})
    ((key, entry),) = desk.memory.kept.items()
    assert key == ("generic", f"sha256:{hashlib.sha256(ALERT).hexdigest()}")
    assert (entry["body"], entry["at"]) == (ALERT, START)
    assert "authorization" not in entry["headers"]
    assert entry["headers"]["content-type"] == "application/json"


def test_the_same_again_gets_the_same_receipt_and_another_body_a_new_one(desk: Desk) -> None:
    first, again = desk.post("/hooks/generic"), desk.post("/hooks/generic")
    assert (again.status_code, again.json()) == (200, first.json())
    other = desk.post("/hooks/generic", b'{"id": "a-2", "title": "t"}')
    assert (other.status_code, other.json()) == (202, {"receipt": "R1"})


def test_a_delivery_id_that_is_not_signed_cannot_make_another_body_disappear(desk: Desk) -> None:
    one, two = b'{"zen": 1}', b'{"zen": 2}'
    statuses = [
        desk.post("/hooks/github-dependabot", body, github_headers(body, delivery)).status_code
        for body, delivery in [(one, "d-1"), (one, "d-1"), (two, "d-1"), (one, "d-2")]
    ]
    assert statuses == [202, 200, 202, 202]


def test_a_signed_delivery_id_is_the_delivery_whatever_its_time(desk: Desk) -> None:
    first = desk.post("/hooks/standard-webhooks", ALERT, webhook_headers(ALERT, "msg_1", START))
    desk.clock.now = START + timedelta(hours=5)
    retry = desk.post("/hooks/standard-webhooks", ALERT, webhook_headers(ALERT, "msg_1", desk.clock.now))
    assert (first.status_code, retry.status_code) == (202, 200)
    assert list(desk.memory.kept) == [("standard-webhooks", "msg_1")]


def test_an_old_delivery_cannot_be_played_again(desk: Desk) -> None:
    headers = webhook_headers(ALERT, "msg_1", START - timedelta(seconds=301))
    answer = desk.post("/hooks/standard-webhooks", ALERT, headers)
    assert (answer.status_code, answer.json()["error"]) == (401, "timestamp_outside_window")
    assert desk.memory.kept == {}


@pytest.mark.parametrize(
    ("headers", "error"),
    [
        ({}, "credential_missing"),
        ({"authorization": "Bearer other"}, "credential_wrong"),
        ({"authorization": "Bearer \xff"}, "credential_wrong"),
    ],
)
def test_without_the_right_token_nothing_is_kept(desk: Desk, headers: dict[str, str], error: str) -> None:
    encoded = {name: value.encode("latin-1") for name, value in headers.items()}
    answer = desk.client.post("/hooks/generic", content=ALERT, headers=encoded)  # type: ignore[arg-type]
    assert (answer.status_code, answer.json()["error"]) == (401, error)
    assert desk.memory.kept == {}


def test_a_token_sent_twice_is_no_token(desk: Desk) -> None:
    twice = [("authorization", "Bearer t0ken"), ("authorization", "Bearer t0ken")]
    assert desk.client.post("/hooks/generic", content=ALERT, headers=twice).status_code == 401


def test_the_signature_covers_the_raw_bytes(desk: Desk) -> None:
    headers = github_headers(b'{"a":1}', "d")
    assert desk.post("/hooks/github-dependabot", b'{"a": 1}', headers).status_code == 401
    assert desk.post("/hooks/github-dependabot", b'{"a":1}', headers).status_code == 202


def test_a_secret_in_the_path_opens_only_its_own_source(desk: Desk) -> None:
    plain = {"content-type": "application/json"}
    assert desk.post("/hooks/by-path/very-secret-path-token", headers=plain).status_code == 202
    assert desk.post("/hooks/by-path/other", headers=plain).status_code == 401
    assert desk.post("/hooks/by-path", headers=plain).status_code == 401
    assert desk.post("/hooks/generic/t0ken").status_code == 404
    assert desk.post("/hooks/by-path/very-secret-path-token/", headers=plain).status_code == 404


def test_addresses_outside_the_list_are_turned_away(desk: Desk) -> None:
    plain = {"content-type": "application/json"}
    assert desk.post("/hooks/far", headers=plain).status_code == 403
    assert desk.post("/hooks/far", headers={**plain, "x-forwarded-for": "not-an-address"}).status_code == 403
    assert desk.post("/hooks/near", headers=plain).status_code == 202
    assert [source for source, _ in desk.memory.kept] == ["near"]


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b"", "syntax"),
        (b"title=x", "syntax"),
        (b"[" * 100_000, "too_deep"),
        (b'{"a": NaN}', "not_a_number"),
        (b'{"a": "\xff"}', "not_utf8"),
        (b'{"a": 1, "a": 1}', "duplicate_key"),
        (b"9" * 5000, "number_too_long"),
    ],
)
def test_what_is_no_json_is_refused_by_name(desk: Desk, body: bytes, error: str) -> None:
    answer = desk.post("/hooks/generic", body)
    assert (answer.status_code, answer.json()["error"]) == (400, error)
    assert desk.memory.kept == {}


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"content-type": "application/json; charset=UTF-8"}, 202),
        ({"content-type": "application/cloudevents+json"}, 202),
        ({}, 202),
        ({"content-type": "text/plain"}, 415),
        ({"content-type": "application/x-www-form-urlencoded"}, 415),
        ({"content-type": "application/json; charset=gb18030"}, 415),
        ({"content-type": "application/json", "content-encoding": "gzip"}, 415),
    ],
)
def test_only_plain_utf8_json_is_taken(desk: Desk, headers: dict[str, str], status: int) -> None:
    answer = desk.post("/hooks/generic", headers={"authorization": "t0ken", **headers})
    assert answer.status_code == status
    assert len(desk.memory.kept) == (status == 202)


def test_names_and_methods_we_do_not_know_are_refused(desk: Desk) -> None:
    assert desk.post("/hooks/nobody").status_code == 404
    assert desk.post("/hooks/nobody/token").status_code == 404
    assert desk.post("/hooks/").status_code == 404
    assert desk.client.get("/hooks/generic").status_code == 405
    assert desk.client.post("/hooks/%00%ff", content=b"{}").status_code == 404


@pytest.mark.parametrize("path", ["/docs", "/redoc", "/openapi.json", "/"])
def test_nothing_else_is_to_be_seen(desk: Desk, path: str) -> None:
    assert desk.client.get(path).status_code == 404


def test_health_says_no_more_than_that_it_lives(desk: Desk) -> None:
    answer = desk.client.get("/healthz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
    assert "server" not in answer.headers


def test_a_source_without_a_usable_secret_lets_nobody_in_and_says_come_again(desk: Desk) -> None:
    answer = desk.post("/hooks/falco", headers={"authorization": "Bearer"})
    assert (answer.status_code, answer.json()["error"]) == (503, "source_not_ready")
    answer = desk.post("/hooks/spoilt", ALERT, webhook_headers(ALERT, "m", START))
    assert (answer.status_code, answer.json()["error"]) == (503, "source_not_ready")


def test_exactly_one_mebibyte_passes_and_one_byte_more_does_not(desk: Desk) -> None:
    def body(size: int) -> bytes:
        return b'"' + b"x" * (size - 2) + b'"'

    assert desk.post("/hooks/generic", body(1024 * 1024)).status_code == 202
    for _ in range(5):
        assert desk.post("/hooks/generic", body(1024 * 1024 + 1)).status_code == 413
    assert desk.post("/hooks/generic", body(20 * 1024 * 1024)).status_code == 413
    assert len(desk.memory.kept) == 1


def raw_exchange(port: int, sent: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(sent)
        received = b""
        while b"\r\n\r\n" not in received and (chunk := connection.recv(65536)):
            received += chunk
    return received


def test_a_body_without_a_declared_length_is_cut_off_while_it_streams() -> None:
    head = b"POST /hooks/generic HTTP/1.1\r\nhost: x\r\nauthorization: t0ken\r\ntransfer-encoding: chunked\r\n\r\n"
    with running(Limits(body_bytes=100)) as desk:
        # The last chunk never comes: the answer must not wait for it.
        answer = raw_exchange(desk.port, head + b"65\r\n" + b"x" * 101 + b"\r\n")
        assert answer.startswith(b"HTTP/1.1 413")
        assert desk.memory.kept == {}


def test_a_declared_length_beyond_the_limit_is_refused_before_any_byte() -> None:
    head = b"POST /hooks/generic HTTP/1.1\r\nhost: x\r\ncontent-length: 999999999999\r\n\r\n"
    with running() as desk:
        assert raw_exchange(desk.port, head).startswith(b"HTTP/1.1 413")


def test_a_body_that_does_not_come_is_not_waited_for() -> None:
    head = b"POST /hooks/generic HTTP/1.1\r\nhost: x\r\nauthorization: t0ken\r\ncontent-length: 50\r\n\r\n{"
    with running(Limits(read_seconds=0.2)) as desk:
        assert raw_exchange(desk.port, head).startswith(b"HTTP/1.1 408")
        assert desk.memory.kept == {}


def test_a_sender_that_hangs_up_leaves_nothing_behind(desk: Desk) -> None:
    head = b"POST /hooks/generic HTTP/1.1\r\nhost: x\r\nauthorization: t0ken\r\ncontent-length: 50\r\n\r\n{"
    with socket.create_connection(("127.0.0.1", desk.port)) as connection:
        connection.sendall(head)
    assert desk.post("/hooks/generic").status_code == 202
    assert len(desk.memory.kept) == 1


def test_a_header_that_is_too_long_is_refused(desk: Desk) -> None:
    assert desk.post("/hooks/generic", headers={**BEARER, "x-long": "x" * 8192}).status_code == 202
    assert desk.post("/hooks/generic", headers={**BEARER, "x-long": "x" * 8193}).status_code == 431


def test_a_source_that_sends_too_much_is_told_when_to_come_again() -> None:
    with running(Limits(per_source=3, in_all=4)) as desk:
        assert [desk.post("/hooks/generic").status_code for _ in range(4)] == [202, 200, 200, 429]
        refused = desk.post("/hooks/generic")
        assert (refused.status_code, refused.headers["retry-after"]) == (429, "100")
        # Who cannot prove itself uses up nobody's share.
        assert desk.post("/hooks/by-path/wrong").status_code == 401
        assert desk.post("/hooks/by-path/very-secret-path-token").status_code == 202
        assert desk.post("/hooks/by-path/very-secret-path-token").headers["retry-after"] == "75"
        desk.clock.now += timedelta(seconds=100)
        assert desk.post("/hooks/generic").status_code == 200
        desk.clock.now -= timedelta(hours=1)
        assert desk.post("/hooks/generic").status_code == 429


@pytest.mark.parametrize("error", [StoreUnavailable("the disk is full"), RuntimeError("private words")])
def test_what_could_not_be_kept_is_never_acknowledged(
    desk: Desk, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> None:
        raise error

    desk.memory.before = fail
    with caplog.at_level(logging.DEBUG):
        answer = desk.post("/hooks/generic")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert "private words" not in caplog.text + answer.text
    desk.memory.before = lambda: None
    assert desk.post("/hooks/generic").status_code == 202


def test_a_slow_disk_does_not_hold_up_others(desk: Desk) -> None:
    reached, go_on = threading.Event(), threading.Event()

    def wait() -> None:
        reached.set()
        go_on.wait(10)

    desk.memory.before = wait
    answers: list[int] = []
    url = f"http://127.0.0.1:{desk.port}/hooks/generic"
    slow = threading.Thread(
        target=lambda: answers.append(httpx.post(url, content=ALERT, headers=BEARER).status_code)
    )
    slow.start()
    assert reached.wait(10)
    assert desk.client.get("/healthz").status_code == 200
    assert answers == []
    go_on.set()
    slow.join(10)
    assert answers == [202]


def test_many_at_once_are_each_kept_once(desk: Desk) -> None:
    url = f"http://127.0.0.1:{desk.port}/hooks/generic"
    receipts: list[tuple[int, str]] = []

    def send(client: httpx.Client) -> None:
        for number in range(20):
            body = json.dumps({"id": number, "title": "t"}).encode()
            answer = client.post(url, content=body, headers=BEARER)
            receipts.append((answer.status_code, answer.json()["receipt"]))

    with httpx.Client(timeout=20) as client:
        threads = [threading.Thread(target=send, args=(client,)) for _ in range(5)]
        for one in threads:
            one.start()
        for one in threads:
            one.join(30)
    assert sorted(status for status, _ in receipts) == [200] * 80 + [202] * 20
    assert len({receipt for _, receipt in receipts}) == 20


def test_no_log_holds_a_token_even_with_the_access_log_on(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A server that ran before in this process without an access log has switched the logger off.
    monkeypatch.setattr(logging.getLogger("uvicorn.access"), "propagate", True)
    with (
        caplog.at_level(logging.DEBUG),
        caplog.at_level(logging.DEBUG, logger="uvicorn.access"),
        running(access_log=True) as desk,
    ):
        assert desk.post("/hooks/by-path/very-secret-path-token?x=1").status_code == 202
        assert desk.post("/hooks/very-secret-path-token/by-path").status_code == 404
        assert desk.post("/hooks/by-path/wrong-secret-path-token").status_code == 401
        time.sleep(0.05)
    ours = "\n".join(record.getMessage() for record in caplog.records if not record.name.startswith("http"))
    assert '"POST /hooks/… HTTP/1.1" 202' in ours
    assert "secret-path-token" not in ours
    assert "t0ken" not in ours
