"""What an smtp-sink took, by Message-ID: how many copies, with which bytes, for whom, and when."""

from __future__ import annotations

import hashlib
import re
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

from tests.support.relays import Sink

_PATIENCE = 10.0
_TO = re.compile(rb"^X-Rcpt-Args: <(.+?)>", re.MULTILINE)
_DELIVERY = re.compile(rb"^Message-ID: <([0-9a-f]{32})@", re.MULTILINE)
_RECEIVED_LINES = 3


@dataclass(frozen=True, slots=True)
class Copy:
    """One copy of a message. `at` is when the sink had the whole of it, in seconds by this machine's clock."""

    to: str
    digest: bytes
    at: float


class SinkBook:
    """Every copy that a sink holds, by the id of its delivery (the left side of its Message-ID).

    smtp-sink opens a message's file before its DATA, and takes the file away when the connection ends without the
    final dot. So only what `settle` read, when no file was open, is what the sink took.
    """

    def __init__(self, sink: Sink) -> None:
        self.copies: dict[str, list[Copy]] = defaultdict(list)
        self.sink = sink
        self._read: set[Path] = set()

    def settle(self) -> None:
        """Wait until no message is under way, and read what is new."""
        _wait(lambda: not self.under_way(), "the sink still holds a message under way")
        for file in self.sink.files():
            if file not in self._read:
                self._read.add(file)
                delivery_id, copy = _copy_in(file)
                self.copies[delivery_id].append(copy)

    def under_way(self) -> list[Path]:
        """The files of the messages that are under way right now."""
        found = []
        for descriptor in Path(f"/proc/{self.sink.pid}/fd").iterdir():
            try:
                target = descriptor.readlink()
            except FileNotFoundError:
                continue
            if target.is_relative_to(self.sink.folder):
                found.append(target)
        return found

    def begun(self, delivery_ids: Collection[str]) -> list[Path]:
        """The files of those of these messages whose beginning the sink holds, and not their end."""
        signs = [_sign(delivery_id) for delivery_id in delivery_ids]
        held = {file: _bytes_of(file) for file in self.under_way()}
        return [file for file, raw in held.items() if any(sign in raw for sign in signs)]

    def wait_until_begun(self, delivery_id: str) -> None:
        """Wait until the sink holds the beginning of this message, and not its end."""
        _wait(lambda: bool(self.begun([delivery_id])), f"the sink never saw {delivery_id} begin")

    def wait_until_taken(self, delivery_id: str) -> None:
        """Wait until the sink holds one more whole copy of this message than `settle` read last."""

        def taken() -> bool:
            new = (file for file in self.sink.files() if file not in self._read)
            whole = set(new).difference(self.under_way())
            return any(_sign(delivery_id) in _bytes_of(file) for file in whole)

        _wait(taken, f"the sink never took {delivery_id}")

    def counts(self) -> Counter[str]:
        """How many copies there are of each."""
        return Counter({delivery_id: len(copies) for delivery_id, copies in self.copies.items()})

    @property
    def doubled(self) -> int:
        """How many copies there are beyond the first ones."""
        return sum(len(copies) - 1 for copies in self.copies.values())

    def with_other_bytes(self) -> list[str]:
        """The messages whose copies are not the same, byte for byte, or went to somebody else."""
        return [
            delivery_id
            for delivery_id, copies in self.copies.items()
            if len({(copy.to, copy.digest) for copy in copies}) > 1
        ]


def _copy_in(file: Path) -> tuple[str, Copy]:
    envelope, message = _without_envelope(file.read_bytes())
    to, delivery = _TO.search(envelope), _DELIVERY.search(message)
    assert to and delivery, f"{file} holds no notice of ours"
    digest = hashlib.sha256(message).digest()
    return delivery[1].decode(), Copy(to[1].decode(), digest, file.stat().st_mtime)


def _without_envelope(raw: bytes) -> tuple[bytes, bytes]:
    """What smtp-sink wrote in front, and what the sender wrote."""
    envelope, found, rest = raw.partition(b"\nReceived: ")
    assert found, "this is no file of smtp-sink"
    return envelope, rest.split(b"\n", _RECEIVED_LINES)[_RECEIVED_LINES]


def _sign(delivery_id: str) -> bytes:
    """What stands in the Message-ID of this delivery's messages and nowhere else."""
    return f"<{delivery_id}@".encode()


def _bytes_of(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except FileNotFoundError:
        return b""


def _wait(condition: Callable[[], bool], failure: str) -> None:
    until = time.monotonic() + _PATIENCE
    while not condition():
        assert time.monotonic() < until, failure
        time.sleep(0.01)
