"""Services on loopback that a playbook calls: they answer as told, remember what they were asked, and can hold a call."""

from __future__ import annotations

import http.server
import json
import queue
import threading
import time
from collections import Counter
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A caller that was killed resets its connection."""


class CalledService:
    """`status` and `answer` are given back to every call; while `hold` is set a call gets no answer."""

    def __init__(self, *, status: int = 200, answer: dict[str, Any] | None = None) -> None:
        self.status = status
        self.answer = answer or {"state": "disabled"}
        self.asked: list[dict[str, Any]] = []
        self.keys: list[str] = []
        self.hold = threading.Event()
        self.reached = threading.Event()
        self._released = threading.Event()
        service = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers.get("Content-Length", "0"))
                service.asked.append(json.loads(self.rfile.read(length)))
                service.keys.append(self.headers.get("Idempotency-Key", ""))
                service.reached.set()
                if service.hold.is_set():
                    service._released.wait(30)
                    return
                body = json.dumps(service.answer).encode()
                self.send_response(service.status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                return

        self._server = _Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._released.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class EffectService:
    """A service whose calls have effects: each call that it receives has one, counted by its `Idempotency-Key`.

    It knows no key from before, so a second call is a second effect; a call that breaks off in its body has none. The first call to a path of `hold` gets no answer
    before its caller is gone; of as many calls to a path as `cut` says the connection is cut after their effect.
    """

    def __init__(
        self, *, answer: dict[str, Any] | None = None, pause: Callable[[], float] | None = None
    ) -> None:
        self.answer = answer or {}
        self.hold: set[str] = set()
        self.cut: Counter[str] = Counter()
        self.held: queue.Queue[str] = queue.Queue()
        self.effects: Counter[str] = Counter()
        self.paths: dict[str, Counter[str]] = {}
        self.bodies: dict[str, set[bytes]] = {}
        self._guard = threading.Lock()
        self._busy = 0
        self._pause = pause or (lambda: 0.0)
        self.before_answer: Callable[[str], object] = lambda path: None
        service = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                with service._guard:
                    service._busy += 1
                try:
                    service._serve(self)
                finally:
                    with service._guard:
                        service._busy -= 1

            def log_message(self, format: str, *args: object) -> None:
                return

        self._server = _Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})

    def _serve(self, call: http.server.BaseHTTPRequestHandler) -> None:
        length = int(call.headers["Content-Length"])
        body = call.rfile.read(length)
        if len(body) < length:  # its caller was killed after the head: no service acts on half a request
            call.close_connection = True
            return
        key = call.headers["Idempotency-Key"]
        with self._guard:
            status, said = self.respond(call.path, key, body)
            if status < 300:
                self.effects[key] += 1
                self.paths.setdefault(call.path, Counter())[key] += 1
            self.bodies.setdefault(key, set()).add(body)
            holds, cuts = call.path in self.hold, self.cut[call.path] > 0
            self.hold.discard(call.path)
            self.cut[call.path] -= cuts
        if holds:
            self.held.put(call.path)
            call.connection.settimeout(30)
            call.connection.recv(1)  # nothing, once the caller is gone
        time.sleep(self._pause())
        self.before_answer(call.path)
        if holds or cuts:
            call.close_connection = True
            return
        answer = json.dumps(said).encode()
        call.send_response(status)
        call.send_header("Content-Length", str(len(answer)))
        call.end_headers()
        call.wfile.write(answer)

    def respond(self, path: str, key: str, body: bytes) -> tuple[int, dict[str, Any]]:
        """The status and the answer of a call; one with another status than 2xx has no effect. One call at a time."""
        return 200, self.answer

    def wait_for_a_call(self, *, seconds: float) -> None:
        """Until a call is under way, or so long."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            with self._guard:
                if self._busy:
                    return
            time.sleep(0.005)

    def settle(self) -> None:
        """Wait until every call that is on its way has arrived and is over: then the counts are the truth."""
        quiet = 0
        while quiet < 5:
            time.sleep(0.02)
            with self._guard:
                quiet = 0 if self._busy else quiet + 1

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
