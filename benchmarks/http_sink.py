"""An HTTP server on loopback that takes every call and counts it by its path and `Idempotency-Key`, as a process of its own."""

from __future__ import annotations

import http.server
import json
import subprocess
import sys
import threading
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measure import CommandFailed

_CHECKOUT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Sink:
    """A sink that listens on `port`."""

    port: int

    def counted(self) -> tuple[int, int]:
        """How many calls came, and how many different keys they had."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/counted", timeout=10) as answer:
            found = json.load(answer)
        return found["calls"], found["keys"]


@contextmanager
def http_sink() -> Iterator[Sink]:
    """A sink for as long as the context is open. Raises `CommandFailed`."""
    process = subprocess.Popen(
        (sys.executable, "-m", "benchmarks.http_sink"), cwd=_CHECKOUT, stdout=subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        said = process.stdout.readline()
        if not said.strip().isdigit():
            raise CommandFailed("the HTTP sink does not start")
        yield Sink(int(said))
    finally:
        process.terminate()
        process.wait()


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


def _serve() -> None:
    seen: Counter[str] = Counter()
    guard = threading.Lock()

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", "0")))
            with guard:
                seen[f"{self.path} {self.headers.get('Idempotency-Key')}"] += 1
            self._answer(b"{}")

        def do_GET(self) -> None:
            with guard:
                counted = {"calls": seen.total(), "keys": len(seen)}
            self._answer(json.dumps(counted).encode())

        def _answer(self, body: bytes) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            return

    server = _Server(("127.0.0.1", 0), Handler)
    print(server.server_address[1], flush=True)
    server.serve_forever()


if __name__ == "__main__":
    _serve()
