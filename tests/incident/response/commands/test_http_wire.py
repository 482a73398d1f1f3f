"""What is certain about an exchange, whatever the other side does with its end of the connection."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest

from incident.response.commands.http_wire import Answer, Headers, NoAnswer, Request, exchange

MOST = 1000
Says = Callable[[socket.socket, bytes], None]


class Listener:
    """Takes one connection after another, reads a head, and leaves the rest to `says`."""

    def __init__(self, says: Says, *, host: str = "127.0.0.1") -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._server = socket.socket(family)
        self._server.bind((host, 0))
        self._server.listen()
        self.host, self.port = host, int(self._server.getsockname()[1])
        self.heads: list[bytes] = []
        self._says = says
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                taken, _ = self._server.accept()
            except OSError:
                return
            with taken:
                head = b""
                while b"\r\n\r\n" not in head and (piece := taken.recv(65536)):
                    head += piece
                self.heads.append(head)
                with suppress(OSError):  # whoever has heard enough closes
                    self._says(taken, head)

    def close(self) -> None:
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()


@contextmanager
def listening(says: Says, **more: str) -> Iterator[Listener]:
    listener = Listener(says, **more)
    try:
        yield listener
    finally:
        listener.close()


def raw(*pieces: bytes, pause: float = 0.0) -> Says:
    def says(taken: socket.socket, head: bytes) -> None:
        for piece in pieces:
            taken.sendall(piece)
            time.sleep(pause)

    return says


def ask(
    listener: Listener,
    *,
    target: str = "/x",
    headers: Headers = (),
    body: bytes | None = b"{}",
    timeout_s: float = 5.0,
    method: str = "POST",
) -> Answer | NoAnswer:
    request = Request(listener.host, listener.port, None, method, target, headers, body)
    return exchange(request, timeout_s=timeout_s, most=MOST)


@pytest.mark.parametrize(
    ("pieces", "body"),
    [
        pytest.param([b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone"], b"done", id="with a length"),
        pytest.param([b"HTTP/1.1 200 OK\r\n\r\ndo", b"ne"], b"done", id="until it closes"),
        pytest.param(
            [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\ndo\r\n", b"2\r\nne\r\n0\r\n\r\n"],
            b"done",
            id="in chunks",
        ),
        pytest.param(
            [b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone"],
            b"done",
            id="after a word in between",
        ),
        pytest.param([b"HTTP/1.0 200 OK\r\n\r\ndone"], b"done", id="in HTTP/1.0"),
        pytest.param([b"HTTP/1.1 204 No Content\r\n\r\n"], None, id="without a body"),
    ],
)
def test_an_answer_is_read_however_it_is_framed(pieces: list[bytes], body: bytes | None) -> None:
    with listening(raw(*pieces, pause=0.02)) as listener:
        answer = ask(listener)
    assert isinstance(answer, Answer)
    assert (answer.status, answer.body, answer.broken) == (200 if body else 204, body or b"", "")


def test_the_head_says_host_and_length_once_and_the_path_as_it_was_given() -> None:
    with listening(raw(b"HTTP/1.1 204 No Content\r\n\r\n")) as listener:
        ask(listener, target="/a%2Fb?q=%E4%B8%AD", headers=[("X-Who", "team")], body=b"12345")
        ask(listener, body=None)
        ask(listener, body=None, method="GET")
    posted, empty, got = (head.decode() for head in listener.heads)
    assert posted.startswith("POST /a%2Fb?q=%E4%B8%AD HTTP/1.1\r\n")
    assert f"Host: 127.0.0.1:{listener.port}\r\n" in posted
    assert "X-Who: team\r\n" in posted and "Content-Length: 5\r\n" in posted
    assert posted.endswith("\r\n\r\n12345")
    assert "Content-Length: 0\r\n" in empty and "Content-Length" not in got


def test_an_address_with_colons_stands_in_brackets() -> None:
    try:
        with listening(raw(b"HTTP/1.1 204 No Content\r\n\r\n"), host="::1") as listener:
            answer = ask(listener)
    except OSError:
        pytest.skip("this machine has no IPv6 on loopback")
    assert isinstance(answer, Answer)
    assert f"Host: [::1]:{listener.port}\r\n".encode() in listener.heads[0]


def test_a_no_that_comes_before_all_was_read_is_heard() -> None:
    def says(taken: socket.socket, head: bytes) -> None:
        taken.sendall(b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n")
        taken.shutdown(socket.SHUT_WR)
        time.sleep(0.2)

    with listening(says) as listener:
        answer = ask(listener, body=b"x" * 20_000_000)
    assert isinstance(answer, Answer) and answer.status == 413


def test_only_so_much_of_an_answer_is_read() -> None:
    with listening(raw(b"HTTP/1.1 200 OK\r\nContent-Length: 9000\r\n\r\n" + b"x" * 9000)) as listener:
        answer = ask(listener)
    assert isinstance(answer, Answer)
    assert (len(answer.body), answer.broken) == (MOST, "")


def test_a_body_that_breaks_off_leaves_the_status() -> None:
    with listening(raw(b"HTTP/1.1 200 OK\r\nContent-Length: 90\r\n\r\npart")) as listener:
        answer = ask(listener)
    assert isinstance(answer, Answer)
    assert answer.status == 200 and "broke" in answer.broken


@pytest.mark.parametrize(
    "pieces",
    [
        pytest.param([], id="closed"),
        pytest.param([b"HTTP/1.1 20"], id="closed in the status"),
        pytest.param([b"220 mail.example ESMTP\r\n"], id="another protocol"),
        pytest.param([b"HTTP/1.1 200 OK\r\nX: " + b"x" * 200_000], id="a head without end"),
        pytest.param(
            [b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n"], id="a switch nobody asked for"
        ),
    ],
)
def test_what_is_no_answer_leaves_the_call_in_doubt(pieces: list[bytes]) -> None:
    with listening(raw(*pieces)) as listener:
        answer = ask(listener)
    assert isinstance(answer, NoAnswer)
    assert answer.sent and answer.why


def test_drop_by_drop_is_no_way_around_the_time_limit() -> None:
    with listening(raw(*[b"x"] * 200, pause=0.05)) as listener:
        begun = time.monotonic()
        answer = ask(listener, timeout_s=0.4)
        took = time.monotonic() - begun
    assert answer == NoAnswer("no whole answer within 0.4 s", sent=True)
    assert took < 3


def test_a_body_that_comes_drop_by_drop_ends_with_the_time_and_keeps_its_status() -> None:
    pieces = [b"HTTP/1.1 200 OK\r\nContent-Length: 400\r\n\r\n", *[b"x"] * 200]
    with listening(raw(*pieces, pause=0.05)) as listener:
        answer = ask(listener, timeout_s=0.4)
    assert isinstance(answer, Answer)
    assert (answer.status, answer.broken) == (200, "no whole answer within 0.4 s")


def test_a_host_that_takes_nothing_holds_nobody_longer_than_it_may() -> None:
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        port = full.getsockname()[1]
        waiting = [socket.socket() for _ in range(4)]
        for each in waiting:
            each.setblocking(False)
            each.connect_ex(("127.0.0.1", port))
        request = Request("127.0.0.1", port, None, "GET", "/", (), None)
        answer = exchange(request, timeout_s=0.3, most=MOST)
        for each in waiting:
            each.close()
    assert answer == NoAnswer("no connection within 0.3 s", sent=False)


def test_where_one_address_of_a_host_refuses_the_next_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.2", 0))
        with listening(raw(b"HTTP/1.1 204 No Content\r\n\r\n")) as listener:
            places = [
                (socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, listener.port))
                for address in ("127.0.0.2", "127.0.0.1")
            ]
            monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: places)
            answer = ask(listener)
    assert isinstance(answer, Answer)


@pytest.mark.parametrize("host", ["nobody.invalid", "a..b", ".", "x" * 64 + ".example"])
def test_a_name_that_nobody_knows_or_that_is_none_is_no_connection(host: str) -> None:
    request = Request(host, 80, None, "GET", "/", (), None)
    answer = exchange(request, timeout_s=5, most=MOST)
    assert isinstance(answer, NoAnswer)
    assert not answer.sent and answer.why.startswith("no connection: ")


@pytest.mark.parametrize("header", [("X Y", "1"), ("X", "1\r\nY: 2"), ("X-Reason", "泄露")])
def test_what_would_split_a_request_or_is_no_header_is_not_sent(header: tuple[str, str]) -> None:
    with listening(raw(b"HTTP/1.1 204 No Content\r\n\r\n")) as listener:
        answer = ask(listener, headers=[header])
        assert answer == NoAnswer("the request cannot be written as HTTP", sent=False)
        assert listener.heads == []
