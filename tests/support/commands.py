"""The real command line for tests: in this process for speed, as a process of its own where that matters.

`run` answers with what a person at the terminal would see; `snapshot` shows that a refused command changed nothing.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from incident.cli.main import main

ROOT = Path(__file__).parents[2]
_DATABASE = "incident.db"
# The database is compared row by row; the worker's lock is made by who asks for it and holds nothing.
_NOT_COMPARED = frozenset({_DATABASE, f"{_DATABASE}-wal", f"{_DATABASE}-shm", "worker.lock"})


@dataclass(frozen=True)
class Answer:
    """What a command gave back."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """The one JSON document on stdout; anything else there is an error."""
        return json.loads(self.out)

    @property
    def text(self) -> str:
        return self.out + self.err


def run(*words: str | Path, stdin: str | bytes = "", environment: Mapping[str, str] | None = None) -> Answer:
    """Call the command in this process."""
    out, err = _Captured(), _Captured()
    with _surroundings(stdin, environment or {}), redirect_stdout(out), redirect_stderr(err):
        code = main([str(word) for word in words])
    return Answer(code, out.text, err.text)


def spawn(
    *words: str | Path, environment: Mapping[str, str] | None = None, **options: Any
) -> subprocess.Popen[str]:
    """Start the command as a process of its own; the caller waits for it."""
    return subprocess.Popen(
        [sys.executable, "-m", "incident.cli.main", *map(str, words)],
        cwd=ROOT,
        env={**_bare(), "PYTHONPATH": str(ROOT), **(environment or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        **options,
    )


def run_process(*words: str | Path, environment: Mapping[str, str] | None = None, **options: Any) -> Answer:
    """Call the command as a process of its own."""
    with spawn(*words, environment=environment, **options) as process:
        out, err = process.communicate(timeout=60)
        return Answer(process.returncode, out, err)


@dataclass(frozen=True)
class Snapshot:
    """Every row of every table and the hash of every other file of a workspace."""

    tables: Mapping[str, Sequence[tuple[Any, ...]]]
    files: Mapping[str, str]


def snapshot(workspace: Path) -> Snapshot:
    """The workspace as it stands."""
    files = {
        str(file.relative_to(workspace)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted(workspace.rglob("*"))
        if file.is_file() and file.name not in _NOT_COMPARED
    }
    return Snapshot(_tables(workspace / _DATABASE), files)


def sql(workspace: Path, statement: str, *values: Any) -> list[tuple[Any, ...]]:
    """Read or change the database behind our back, as somebody with the file could."""
    connection = sqlite3.connect(workspace / _DATABASE)
    try:
        with connection:
            return connection.execute(statement, values).fetchall()
    finally:
        connection.close()


def _tables(database: Path) -> dict[str, list[tuple[Any, ...]]]:
    if not database.is_file():
        return {}
    connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
    try:
        names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")
        return {
            name: sorted(connection.execute(f'SELECT * FROM "{name}"').fetchall(), key=repr)  # noqa: S608
            for (name,) in names.fetchall()
        }
    except sqlite3.DatabaseError:
        # The file is none of ours any more: its bytes are all there is to compare.
        return {"": [(hashlib.sha256(database.read_bytes()).hexdigest(),)]}
    finally:
        connection.close()


class _Captured(io.TextIOWrapper):
    def __init__(self) -> None:
        self._bytes = io.BytesIO()
        super().__init__(self._bytes, encoding="utf-8", newline="", write_through=True)

    @property
    def text(self) -> str:
        self.flush()
        return self._bytes.getvalue().decode("utf-8")


@contextmanager
def _surroundings(stdin: str | bytes, environment: Mapping[str, str]) -> Iterator[None]:
    before, input_before = dict(os.environ), sys.stdin
    given = stdin.encode() if isinstance(stdin, str) else stdin
    os.environ.clear()
    os.environ.update({**_bare(before), **environment})
    sys.stdin = io.TextIOWrapper(io.BytesIO(given), encoding="utf-8")
    try:
        yield
    finally:
        sys.stdin = input_before
        os.environ.clear()
        os.environ.update(before)


def _bare(environment: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment without what would change what our commands do."""
    given = os.environ if environment is None else environment
    ours = ("INCIDENT_", "LC_", "LANG", "SSH_")
    kept = {name: value for name, value in given.items() if not name.startswith(ours)}
    return {**kept, "LC_ALL": "C.UTF-8"}
