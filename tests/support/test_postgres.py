"""The PostgreSQL of the tests ends with them, however they end."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.commands import ROOT
from tests.support.tools import need_tool

PATIENCE_SECONDS = 60
STARTS_ONE = """
import time
from tests.support.postgres import PostgresServer
server = PostgresServer()
print(server._process.pid, server.folder, flush=True)
time.sleep(600)
"""


def comes(true: Callable[[], bool]) -> bool:
    until = time.monotonic() + PATIENCE_SECONDS
    while not true():
        if time.monotonic() > until:
            return False
        time.sleep(0.05)
    return True


def runs(pid: int) -> bool:
    """Whether the process is there and is no zombie."""
    try:
        stat = (Path("/proc") / str(pid) / "stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the kernel of Linux ends it")
@pytest.mark.usefixtures("postgres")
def test_a_server_ends_when_the_tests_are_killed() -> None:
    need_tool("setpriv", "util-linux")
    tests = subprocess.Popen(
        [sys.executable, "-c", STARTS_ONE],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert tests.stdout is not None
    pid, folder = tests.stdout.readline().split()
    try:
        assert runs(int(pid))
        tests.kill()
        tests.wait()
        assert comes(lambda: not runs(int(pid))), "the server outlives the tests"
    finally:
        tests.stdout.close()
        if runs(int(pid)):
            os.kill(int(pid), signal.SIGQUIT)
        shutil.rmtree(folder, ignore_errors=True)
