"""People's rows set aside on disk while they are worked on, so that memory stays flat and nothing readable is left.

The file has no name, and its key is in this process only: whatever happens to the process, what it wrote cannot be read.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

from incident.errors import StoreUnavailable
from incident.store.sealing import KEY_BYTES, RandomBytes, seal_json, unseal_json

_ITEMS_TOGETHER = 500
_LENGTH_BYTES = 8


class Scratch:
    """JSON values in the order in which they were set aside, read as often as wanted. A context manager.

    Raises `StoreUnavailable` when nothing can be written to the folder.
    """

    def __init__(self, folder: Path, *, random: RandomBytes = os.urandom) -> None:
        try:
            self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - closed by `__exit__`
        except OSError as error:
            raise _no_room(folder, error) from error
        self._folder = folder
        self._key = random(KEY_BYTES)
        self._random = random
        self._blocks = 0

    def __enter__(self) -> Scratch:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def set_aside(self, items: Iterable[Any]) -> None:
        """Write all of them, a few hundred at a time."""
        waiting: list[Any] = []
        for item in items:
            waiting.append(item)
            if len(waiting) == _ITEMS_TOGETHER:
                self._write(waiting)
                waiting = []
        if waiting:
            self._write(waiting)

    def _write(self, items: list[Any]) -> None:
        sealed = seal_json(self._key, items, bound_to=f"scratch/{self._blocks}", random=self._random)
        try:
            self._file.write(len(sealed).to_bytes(_LENGTH_BYTES, "big") + sealed)
            self._file.flush()
        except OSError as error:
            raise _no_room(self._folder, error) from error
        self._blocks += 1

    def items(self) -> Iterator[Any]:
        """All that was set aside. Several may be read at the same time, but nothing may be written meanwhile."""
        at = 0
        for number in range(self._blocks):
            length = int.from_bytes(os.pread(self._file.fileno(), _LENGTH_BYTES, at), "big")
            sealed = os.pread(self._file.fileno(), length, at + _LENGTH_BYTES)
            yield from unseal_json(self._key, sealed, bound_to=f"scratch/{number}")
            at += _LENGTH_BYTES + length


def _no_room(folder: Path, error: OSError) -> StoreUnavailable:
    return StoreUnavailable(
        f"nothing can be set aside there ({error.strerror})",
        where=str(folder),
        next_step="make room, and check the folder's rights",
    )
