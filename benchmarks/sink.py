"""A Postfix `smtp-sink` on loopback that counts what it takes, for benchmarks that send."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.email_senders import HOST
from benchmarks.measure import CommandFailed

_SYSTEM_FOLDERS = "/usr/local/sbin:/usr/sbin:/sbin"
_COUNTED = re.compile(rb"mesg=(\d+)")


def program(name: str) -> str:
    """Where a program of Postfix is. Raises `CommandFailed`."""
    found = shutil.which(name) or shutil.which(name, path=_SYSTEM_FOLDERS)
    if found is None:
        raise CommandFailed(f"{name} is not here: it comes with the Debian package postfix")
    return found


def free_port() -> int:
    """A port of loopback that nobody uses now."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


@contextmanager
def sink_on(program: str, port: int, folder: Path) -> Iterator[Path]:
    """A sink that listens while the context is open; its value is the file that holds what it counted."""
    counter = folder / f"sink-{port}"
    # It refuses to serve as root.
    as_whom = ("-u", "nobody") if os.geteuid() == 0 else ()
    with counter.open("wb") as out:
        process = subprocess.Popen(
            (program, "-4", "-c", *as_whom, f"{HOST}:{port}", "100"), stdout=out, stderr=out
        )
    try:
        _await_listener(process, port, counter)
        yield counter
    finally:
        process.terminate()
        process.wait()


def _await_listener(process: subprocess.Popen[bytes], port: int, counter: Path) -> None:
    until = time.monotonic() + 10
    while True:
        try:
            socket.create_connection((HOST, port), timeout=1).close()
            return
        except OSError:
            if process.poll() is not None or time.monotonic() > until:
                words = counter.read_text(errors="replace").strip()
                raise CommandFailed(f"smtp-sink does not listen on port {port}: {words}") from None
            time.sleep(0.02)


def counted(counter: Path) -> int:
    """How many messages a sink has counted."""
    found = _COUNTED.findall(counter.read_bytes())
    return int(found[-1]) if found else 0
