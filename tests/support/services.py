"""A service on loopback that a playbook calls: it answers as told, remembers what it was asked, and can hold a call."""

from __future__ import annotations

import http.server
import json
import threading
from types import TracebackType
from typing import Any, Self


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

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request: Any, client_address: Any) -> None:
                """A caller that was killed resets its connection."""

        self._server = Server(("127.0.0.1", 0), Handler)
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
