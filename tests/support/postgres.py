"""A real PostgreSQL server for tests: on loopback, in a temporary folder, with databases by the dozen.

Fixtures: `postgres` is the session's server, and drops after each test what that test made; `own_postgres` is a
server for one test, which may stop and start it; `store_on` runs a test on both engines (hand it to
`make_workspace(tmp_path, on=store_on)`), `store_killed_on` too, on PostgreSQL in the chaos runs only.
"""

from __future__ import annotations

import atexit
import itertools
import os
import pwd
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.support.quick_disk import quick_folder
from tests.support.tools import need_tool

SUPERUSER = "tocsin"
# This user must give a password; everyone else is trusted.
GUARDED, GUARDED_PASSWORD = "guarded", "correct horse"
_LOGIN = f"""
host all {GUARDED} 127.0.0.1/32 scram-sha-256
host all all 127.0.0.1/32 trust
"""
# The machine does not lose power in a test: what a killed server wrote is with the kernel. A server that is stopped
# at once still waits for whoever has just connected and says nothing, until `authentication_timeout`.
_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "authentication_timeout": "10s",
    "fsync": "off",
    "full_page_writes": "off",
    "shared_buffers": "64MB",
    "max_connections": "200",
    # In its folder, so that a server which is stopped at once leaves nothing behind in the system's memory.
    "dynamic_shared_memory_type": "mmap",
    "log_timezone": "UTC",
}
_PATIENCE_SECONDS = 60


class PostgresServer:
    """A server in a folder of its own. It runs from its making until `stop` or `stop_at_once`."""

    def __init__(self) -> None:
        self._programs = _programs()
        self._identity = _identity()
        self.folder = Path(tempfile.mkdtemp(prefix="tocsin-postgres-", dir=quick_folder()))
        self._data = self.folder / "data"
        self._names = (f"test_{number}" for number in itertools.count(1))
        self._made: set[str] = set()
        self._process: subprocess.Popen[bytes] | None = None
        if self._identity:
            shutil.chown(self.folder, self._identity["user"])
        self.port = _free_port()
        self._run("initdb", "-U", SUPERUSER, "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync", "-N")
        (self._data / "pg_hba.conf").write_text(_LOGIN)
        self.start()
        self.execute(f"CREATE ROLE {GUARDED} LOGIN PASSWORD '{GUARDED_PASSWORD}'")

    def url(self, database: str, *, user: str = SUPERUSER) -> str:
        """The URL of a database of this server."""
        return f"postgresql://{user}@127.0.0.1:{self.port}/{database}"

    def create_database(self, *, template: str = "", owner: str = SUPERUSER) -> str:
        """Make a database, empty or as a copy of another that nobody uses; returns its name.

        Its collation is a language's where the server has such: a text's order must not depend on that.
        """
        name = next(self._names)
        made_of = (
            f"TEMPLATE {template} {self._quickly}" if template else f"TEMPLATE template0 {self._collation}"
        )
        self.execute(f"CREATE DATABASE {name} OWNER {owner} {made_of}")
        self._made.add(name)
        return name

    def keep(self, database: str) -> None:
        """Do not drop this database with those of the test."""
        self._made.discard(database)

    def drop_databases(self) -> None:
        """Drop what was made since the last call, whoever is still connected."""
        for name in sorted(self._made):
            self.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        self._made.clear()

    def execute(self, statement: str, *, database: str = "postgres") -> list[tuple[Any, ...]]:
        """Run a statement as the server's owner, outside any transaction; returns its rows."""
        import psycopg

        with psycopg.connect(self.url(database), autocommit=True) as connection:
            found = connection.execute(statement.encode())
            return found.fetchall() if found.description else []

    def start(self) -> None:
        """Start the server, and wait until it answers."""
        (self._data / "standby.signal").unlink(missing_ok=True)
        self._launch()
        self._wait()

    def start_closed(self) -> None:
        """Start it so that it lets nobody in until it is stopped, as a server does that is still recovering."""
        from psycopg.pq import PGconn, Ping

        (self._data / "standby.signal").touch()
        self._launch("-c", "hot_standby=off")
        until = time.monotonic() + _PATIENCE_SECONDS
        while Ping(PGconn.ping(self.url("postgres").encode())) is not Ping.REJECT:
            assert time.monotonic() < until, "PostgreSQL does not get as far as to let nobody in"
            time.sleep(0.02)

    def _launch(self, *more: str) -> None:
        with (self.folder / "log").open("ab") as log:
            settings = [part for name, value in _SETTINGS.items() for part in ("-c", f"{name}={value}")]
            self._process = subprocess.Popen(
                [
                    *_ends_with_us(),
                    self._programs / "postgres",
                    "-D",
                    self._data,
                    "-p",
                    str(self.port),
                    *settings,
                    *more,
                ],
                stdout=log,
                stderr=log,
                cwd=self.folder,
                start_new_session=True,
                **self._identity,
            )

    def stop(self) -> None:
        """Stop it as an administrator does: open transactions are taken back."""
        self._stop("fast")

    def stop_at_once(self) -> None:
        """Stop it as a crash does: nobody is told, and the next start recovers from the log."""
        self._stop("immediate")

    def remove(self) -> None:
        """Stop the server and remove its folder."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait(timeout=_PATIENCE_SECONDS)
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def account(self) -> tuple[int, int]:
        """The user and the group that it runs as, by number."""
        return self._identity.get("user", os.geteuid()), self._identity.get("group", os.getegid())

    @property
    def _version(self) -> int:
        return int((self._data / "PG_VERSION").read_text().split(".")[0])

    @property
    def _collation(self) -> str:
        return "LOCALE_PROVIDER icu ICU_LOCALE 'en'" if self._version >= 15 else ""

    @property
    def _quickly(self) -> str:
        return "STRATEGY FILE_COPY" if self._version >= 15 else ""

    def _stop(self, mode: str) -> None:
        assert self._process is not None
        self._run("pg_ctl", "stop", "-m", mode, "-w")
        self._process.wait(timeout=_PATIENCE_SECONDS)

    def _wait(self) -> None:
        import psycopg

        until = time.monotonic() + _PATIENCE_SECONDS
        while True:
            try:
                self.execute("SELECT 1")
            except psycopg.OperationalError:
                assert self._process is not None
                if time.monotonic() > until:
                    pytest.fail(f"PostgreSQL does not start:\n{(self.folder / 'log').read_text()[-2000:]}")
                if self._process.poll() is not None:
                    # Something of the one that was stopped is still there, such as its port.
                    time.sleep(0.5)
                    self._launch()
                time.sleep(0.02)
            else:
                return

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            [self._programs / program, "-D", self._data, *arguments],
            capture_output=True,
            text=True,
            cwd=self.folder,
            check=False,
            **self._identity,
        )
        assert done.returncode == 0, done.stderr


@cache
def session_server() -> PostgresServer:
    """The server that all tests of a run share. Skips the test where PostgreSQL is not installed."""
    server = PostgresServer()
    atexit.register(server.remove)
    return server


@pytest.fixture
def postgres() -> Iterator[PostgresServer]:
    """The session's server; the databases that the test makes in it are dropped afterwards."""
    server = session_server()
    yield server
    server.drop_databases()


@pytest.fixture
def own_postgres() -> Iterator[PostgresServer]:
    """A server for this test alone, to be stopped and started."""
    server = PostgresServer()
    yield server
    server.remove()


@pytest.fixture(params=["sqlite", "postgres"])
def store_on(request: pytest.FixtureRequest) -> PostgresServer | None:
    """Where a test's store lies, for tests of what must hold on both engines: None for SQLite, or a server."""
    if request.param == "sqlite":
        return None
    server: PostgresServer = request.getfixturevalue("postgres")
    return server


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.chaos)])
def store_killed_on(request: pytest.FixtureRequest) -> PostgresServer | None:
    """As `store_on`, for tests whose workers are killed: on a server the chaos runs try it.

    There each death is waited for until the worker counts as dead, which `tests/incident/durable` tries in every run.
    """
    if request.param == "sqlite":
        return None
    server: PostgresServer = request.getfixturevalue("postgres")
    return server


def _programs() -> Path:
    # Debian keeps those of each version apart and out of PATH.
    kept_apart = sorted(
        Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3])
    )
    if shutil.which("initdb") is None and kept_apart:
        return kept_apart[-1].parent
    return Path(need_tool("initdb", "postgresql")).resolve().parent


def _ends_with_us() -> list[str]:
    """What a command begins with so that it is stopped when this process dies, also by a kill: nothing of ours runs then.

    The kernel sends the signal when the thread ends that started the command, so a server is started by the main thread.
    """
    program = shutil.which("setpriv")
    return [program, "--pdeathsig", "QUIT"] if program else []


def _identity() -> dict[str, Any]:
    """Who runs the server, as `subprocess` takes it: PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return {}
    found = next(each for each in map(_account, ("postgres", "nobody")) if each is not None)
    return {"user": found.pw_uid, "group": found.pw_gid, "extra_groups": []}


def _account(name: str) -> pwd.struct_passwd | None:
    try:
        return pwd.getpwnam(name)
    except KeyError:
        return None


def _free_port() -> int:
    """A port below those that the system gives to outgoing connections: one of them may not take it while we are down."""
    while True:
        port = random.randrange(15_000, 32_000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
