"""A disk that can be full: a file system in memory with little room, in a namespace of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

import pytest

from tests.support.tools import need_tool
from tests.support.working_process import REPOSITORY

# Only who is the holder's user may look into its namespace from outside.
_HOLD = """
mount -t tmpfs -o size="$2",mode=700,uid="$3",gid="$4" tmpfs "$1" && echo ready &&
exec setpriv --reuid "$3" --regid "$4" --clear-groups cat"""


class SmallDisk:
    """Mounted at `folder`, but only for what is started by `start`; `inside` is where its `user` finds it from outside.

    A context manager; who is in the namespace must have ended before it does. Needs root, or the test is skipped.
    """

    def __init__(self, folder: Path, *, size: str, user: int = 0, group: int = 0) -> None:
        if os.geteuid() != 0:
            pytest.skip("mounting in a namespace takes root")
        self.folder = folder
        self._words = [str(folder), size, str(user), str(group)]
        need_tool("setpriv", "util-linux")
        self._enter = need_tool("nsenter", "util-linux")
        self._leave = [need_tool("unshare", "util-linux"), "--mount", "--propagation", "private"]

    def __enter__(self) -> Self:
        self.folder.mkdir(parents=True)
        # It ends with us, however we end: then its input does.
        self._holder = subprocess.Popen(
            [*self._leave, "sh", "-c", _HOLD, "sh", *self._words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._holder.stdout is not None
        if self._holder.stdout.readline() != "ready\n":
            self._end()
            pytest.skip("nothing can be mounted on this machine")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def _end(self) -> None:
        self._holder.communicate(timeout=10)

    @property
    def inside(self) -> Path:
        return Path(f"/proc/{self._holder.pid}/root{self.folder}")

    def fill(self) -> None:
        """Take all the room that is left."""
        ballast = self.inside / "ballast"
        with ballast.open("ab", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(4096))
            except OSError:
                return

    def make_room(self) -> None:
        (self.inside / "ballast").unlink()

    @property
    def room(self) -> int:
        return shutil.disk_usage(self.inside).free

    def start(
        self,
        *words: str | Path,
        log: IO[Any] | int = subprocess.DEVNULL,
        environment: Mapping[str, str] | None = None,
    ) -> subprocess.Popen[bytes]:
        """Start a module of ours in the namespace: `start("incident.cli.main", "worker")`."""
        module, *rest = words
        return subprocess.Popen(
            [
                self._enter,
                f"--mount=/proc/{self._holder.pid}/ns/mnt",
                sys.executable,
                "-m",
                str(module),
                *rest,
            ],
            env={**os.environ, "PYTHONPATH": str(REPOSITORY), **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
