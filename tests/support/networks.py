"""Small networks between hosts for tests: a server that echoes, and somebody who talks to it from elsewhere."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from tests.support.hosts import Host
from tests.support.tools import need_tool

PORT = 7007
_ECHO = """
import socketserver, socket, sys
class Echo(socketserver.StreamRequestHandler):
    def handle(self):
        for line in self.rfile:
            self.wfile.write(line)
class Server(socketserver.ThreadingTCPServer):
    address_family = socket.AF_INET6
    allow_reuse_address = daemon_threads = True
Server(("::", int(sys.argv[1])), Echo).serve_forever()
"""
# Says what came back for each line that it is told, or that nothing did.
_TALK = """
import socket, sys
try:
    there = socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=float(sys.argv[3]))
    for line in sys.stdin.buffer:
        there.sendall(line)
        print(there.recv(100).decode().strip(), flush=True)
except OSError:
    print("nothing", flush=True)
"""


def join(inside: Host, outside: Host, *, number: int = 1) -> None:
    """Lay a cable between two hosts: `10.77.N.1` and `fd77:N::1` inside, `.2` and `::2` outside."""
    ip = need_tool("ip", "iproute2")
    into = [need_tool("nsenter", "util-linux"), "-t", str(inside.pid), "-n", ip]
    pair = ["type", "veth", "peer", "name", f"up{number}", "netns", str(outside.pid)]
    subprocess.run([*into, "link", "add", "name", f"down{number}", *pair], check=True)
    for host, name, last in ((inside, f"down{number}", 1), (outside, f"up{number}", 2)):
        host.run("ip", "addr", "add", f"10.77.{number}.{last}/24", "dev", name)
        host.run("ip", "addr", "add", f"fd77:{number}::{last}/64", "dev", name, "nodad")
        host.run("ip", "link", "set", name, "up")


def echo(host: Host, port: int = PORT) -> None:
    """Start a server on all addresses of a host that echoes lines, and wait until it listens."""
    host.start(sys.executable, "-S", "-c", _ECHO, str(port))
    wait_for_port(host, port)


def wait_for_port(host: Host, port: int) -> None:
    """Wait until something listens on a port of a host."""
    until = time.monotonic() + 20
    wanted = f":{port:04X} "
    while not any(
        wanted in line and " 0A " in line
        for name in ("tcp", "tcp6")
        for line in Path(f"/proc/{host.pid}/net/{name}").read_text().splitlines()
    ):
        assert time.monotonic() < until, f"nothing listens on port {port}"
        time.sleep(0.01)


class Talk:
    """Somebody's open connection from a host; a line without an answer within `patience` seconds ends it."""

    def __init__(self, host: Host, address: str, *, port: int = PORT, patience: float = 20) -> None:
        self._process = subprocess.Popen(
            [*host.enter, sys.executable, "-S", "-c", _TALK, address, str(port), str(patience)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Talk:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()

    def say(self, word: str) -> str:
        """What came back; "nothing" where nothing did."""
        assert self._process.stdin is not None and self._process.stdout is not None
        try:
            self._process.stdin.write(f"{word}\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            pass  # it has given up already, and said so
        return self._process.stdout.readline().strip()


def answers(host: Host, address: str, *, port: int = PORT, patience: float = 20) -> bool:
    """Whether a new connection from a host gets an answer."""
    with Talk(host, address, port=port, patience=patience) as talk:
        return talk.say("hello") == "hello"
