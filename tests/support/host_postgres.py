"""A PostgreSQL server on a host of its own, reached there by its socket, and somebody's open psql session in it."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

from tests.support.hosts import Host
from tests.support.postgres import SUPERUSER, _programs
from tests.support.tools import need_tool

SOCKET_FOLDER = "/run/pg"
ENVIRONMENT = {"PGHOST": SOCKET_FOLDER, "PGUSER": SUPERUSER}
"""What the administrator's account needs there so that psql connects."""
_SETTINGS = ("listen_addresses=", f"unix_socket_directories={SOCKET_FOLDER}", "fsync=off")
_PATIENCE_SECONDS = 60


def serve(host: Host) -> None:
    """Start PostgreSQL on a host, where it trusts everybody, and wait until it answers."""
    programs = _programs()
    host.run("install", "-d", "-o", "nobody", "-m", "755", SOCKET_FOLDER)
    as_nobody = [need_tool("setpriv", "util-linux"), "--reuid", "65534", "--regid", "65534", "--clear-groups"]
    data = f"{SOCKET_FOLDER}/data"
    host.run(*as_nobody, programs / "initdb", "-D", data, "-U", SUPERUSER, "-A", "trust", "--no-sync", "-N")
    settings = [word for each in _SETTINGS for word in ("-c", each)]
    host.start(*as_nobody, programs / "postgres", "-D", data, *settings, cwd="/")
    until = time.monotonic() + _PATIENCE_SECONDS
    while ask(host, "SELECT 1", check=False) != "1":
        assert time.monotonic() < until, (host.folder / "log").read_text()[-2000:]
        time.sleep(0.02)


def ask(host: Host, statement: str, *, user: str = SUPERUSER, check: bool = True) -> str:
    """What psql prints for a statement; "" where it cannot connect."""
    psql = need_tool("psql", "postgresql-client")
    words = ["-h", SOCKET_FOLDER, "-U", user, "-d", "postgres", "-X", "-A", "-t", "-c", statement]
    return host.run(psql, *words, check=check).stdout.strip()


class Session:
    """An open psql session of a role."""

    def __init__(self, host: Host, user: str) -> None:
        psql: str | Path = need_tool("psql", "postgresql-client")
        words = [*host.enter, psql, "-h", SOCKET_FOLDER, "-U", user, "-d", "postgres", "-X", "-A", "-t"]
        self._process = subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()

    def select(self, value: int) -> str:
        """What the server answers; "" where the session is dead."""
        assert self._process.stdin is not None and self._process.stdout is not None
        try:
            self._process.stdin.write(f"SELECT {value};\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            return ""
        return self._process.stdout.readline().strip()
