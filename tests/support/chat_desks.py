"""A chat service on loopback, for what is sent to those who respond: it takes JSON, and answers as it is told to."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class ChatDesk:
    """What it was told, and what it answers: 404 below the path `refuses`, nothing while `silent` is not set."""

    port: int
    answers: int = 200
    refuses: str = "/never"
    silent: threading.Event | None = None
    paths: list[str] = field(default_factory=list)
    told: list[dict[str, Any]] = field(default_factory=list)

    def url(self, rest: str = "/hook/s3cr3t-token") -> str:
        """An URL of Apprise that leads here; `rest` begins with a slash."""
        return f"json://user:pa55word@127.0.0.1:{self.port}{rest}"

    @property
    def texts(self) -> list[str]:
        return [each["message"] for each in self.told]


@contextmanager
def chat_desk() -> Iterator[ChatDesk]:
    """The service in threads of its own."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            service.paths.append(self.path)
            service.told.append(json.loads(body))
            if service.silent is not None:
                service.silent.wait(10)
            self.send_response(404 if self.path.startswith(service.refuses) else service.answers)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    service = ChatDesk(server.server_port)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield service
    finally:
        if service.silent is not None:
            service.silent.set()
        server.shutdown()
        server.server_close()
        thread.join()
