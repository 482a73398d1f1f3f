"""A real message centre (SMPP 3.4) on loopback: a server made with the npm library `smpp`, which is not ours.

It runs as a process of its own (`smsc/centre.js`) and does with each number what its ending is to get. What it took
can be read as single messages, and as the texts that a phone would show. `faulty_centre.py` breaks the protocol; this
one keeps it.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from enum import IntEnum, StrEnum
from pathlib import Path
from typing import Any

import pytest

from tests.support.concatenation import Part, texts_of
from tests.support.node_modules import installed_modules
from tests.support.tools import need_tool

SYSTEM_ID, PASSWORD = "tocsin", "s3cret"
_SOURCES = Path(__file__).parent / "smsc"
_PATIENCE_SECONDS = 60.0


class Status(IntEnum):
    """Some values of command_status (SMPP 3.4, 5.1.3)."""

    OK = 0x00
    NOT_BOUND = 0x04
    ALREADY_BOUND = 0x05
    SYSTEM_ERROR = 0x08
    INVALID_DESTINATION = 0x0B
    BIND_FAILED = 0x0D
    INVALID_PASSWORD = 0x0E
    INVALID_SYSTEM_ID = 0x0F
    QUEUE_FULL = 0x14
    SUBMIT_FAILED = 0x45
    THROTTLED = 0x58


class Act(StrEnum):
    """What the centre does with a submit_sm. SILENT and CLOSE_AFTER take the message; its sender cannot know."""

    REFUSE = "refuse"
    SILENT = "silent"
    CLOSE_BEFORE = "close_before"
    CLOSE_AFTER = "close_after"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a number gets instead of being taken, for so many `times` (None: always); `status` is that of a refusal."""

    act: Act
    status: int = 0
    times: int | None = None


def refused(status: int, *, times: int | None = None) -> Answer:
    """A submit_sm_resp with this status."""
    return Answer(Act.REFUSE, status, times)


ANSWERS: Mapping[str, Answer] = {
    "13": refused(Status.INVALID_DESTINATION),
    "58": refused(Status.THROTTLED, times=2),
    "00": Answer(Act.SILENT),
    "98": Answer(Act.CLOSE_BEFORE, times=1),
    "99": Answer(Act.CLOSE_AFTER, times=1),
}
"""By how a number ends; the first that fits counts."""


@dataclass(frozen=True, slots=True)
class Receipts:
    """The receipts of those messages that ask for one (registered_delivery, 5.2.17).

    `state` is what every message comes to, in the words of Appendix B ("DELIVRD", "UNDELIV", ...), but for numbers of
    `by_ending`; None: no receipt ever. `shape` is "text" (Appendix B), "tlv" (5.3.2.26, 5.3.2.35) or "both". With `id_in`
    "decimal" the receipt has in decimal what submit_sm_resp said in hex, as some centres do. A receipt comes `delay_ms`
    after the answer, or `before_answer`. Where no session can receive, it waits for one.
    """

    state: str | None = "DELIVRD"
    by_ending: Mapping[str, str | None] = field(default_factory=dict)
    shape: str = "text"
    id_in: str = "hex"
    upper_case: bool = False
    delay_ms: int = 0
    before_answer: bool = False


@dataclass(frozen=True, slots=True)
class Options:
    """How the centre behaves. `pem` (key and certificates) makes it speak TLS from the first octet; port 0 is any free one.

    It answers after `delay_ms`, lets a session send `most_a_second`, unbinds it after `unbind_after` messages taken,
    leaves enquire_link unanswered if `silent_links`, and asks by itself every `enquires_ms` (0: never).
    """

    system_id: str = SYSTEM_ID
    password: str = PASSWORD
    port: int = 0
    delay_ms: int = 0
    receipts: Receipts | None = None
    answers: Mapping[str, Answer] = field(default_factory=dict)
    most_a_second: int | None = None
    most_binds: int | None = None
    unbind_after: int | None = None
    silent_links: bool = False
    enquires_ms: int = 0
    pem: str | None = None


@dataclass(frozen=True, slots=True)
class Taken:
    """One submit_sm that the centre took, as its library reads it.

    `text` is None where data_coding means octets, which are then in `octets`; `udh` is the whole user data header with
    its length, in hex.
    """

    message_id: str
    source: str
    source_ton: int
    source_npi: int
    destination: str
    destination_ton: int
    destination_npi: int
    registered_delivery: int
    esm_class: int
    data_coding: int
    validity_period: str
    text: str | None
    octets: str
    udh: str
    sar: tuple[int, int, int] | None

    @property
    def part(self) -> Part:
        """As a phone sees it."""
        return Part(self.source, self.destination, bytes.fromhex(self.udh), self.text or "", self.sar)


class MessageCentre:
    """A centre that listens on `port` of loopback. Its `log` is what it said when it failed."""

    def __init__(self, process: subprocess.Popen[bytes], port: int, events: Path, log: Path) -> None:
        self.port = port
        self._process = process
        self._events = events
        self._log = log
        self._asked = 0
        self._seen: list[dict[str, Any]] = []
        self._read_until = 0

    def taken(self) -> list[Taken]:
        """All messages that it took, in their order, whatever it answered."""
        return [_taken(event) for event in self.events("taken")]

    def texts(self) -> dict[str, list[str]]:
        """What the phone of each number shows: long messages put together, those with a part missing left out."""
        return texts_of(message.part for message in self.taken())

    def copies(self) -> dict[str, int]:
        """How many whole texts each number got."""
        return {number: len(texts) for number, texts in self.texts().items()}

    def events(self, kind: str) -> list[dict[str, Any]]:
        """What happened of one kind.

        Kinds: connected, closed, bind, unbind, taken, refused (destination, status), enquire_link, link_answered,
        receipted (message_id, state and the status of deliver_sm_resp), error.
        """
        self._read_on()
        return [event for event in self._seen if event["event"] == kind]

    def await_events(self, kind: str, number: int) -> list[dict[str, Any]]:
        """Wait until that many of a kind have happened. Fails the test after a minute."""
        until = time.monotonic() + _PATIENCE_SECONDS
        while len(found := self.events(kind)) < number:
            assert self._process.poll() is None, f"the message centre has ended:\n{self.log}"
            assert time.monotonic() < until, f"{len(found)} of {number} {kind}:\n{self.log}"
            time.sleep(0.01)
        return found

    def change(self, **options: Any) -> None:
        """Give options other values from now on, by the names of `Options`."""
        self._ask(change={name: _plain(value) for name, value in options.items()})

    def drop_all(self) -> None:
        """Cut every connection, as a restart does."""
        self._ask(drop=True)

    @property
    def log(self) -> str:
        return self._log.read_text(encoding="utf-8", errors="replace")

    def _read_on(self) -> None:
        with self._events.open("rb") as events:
            events.seek(self._read_until)
            whole, end, _ = events.read().rpartition(b"\n")
        self._read_until += len(whole) + len(end)
        self._seen += [json.loads(line) for line in whole.splitlines()]

    def _ask(self, **asked: Any) -> None:
        self._asked += 1
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"number": self._asked, **asked}).encode() + b"\n")
        self._process.stdin.flush()
        self.await_events("obeyed", self._asked)


@contextmanager
def message_centre(options: Options | None = None, **more: Any) -> Iterator[MessageCentre]:
    """A centre for as long as the context is open: `with message_centre(delay_ms=5, answers=ANSWERS) as centre`.

    Skips the test where Node.js or npm is not installed, or where npm cannot reach its packages the first time.
    """
    node = need_tool("node", "nodejs")
    modules = installed_modules(_SOURCES, "message-centre")
    chosen = json.dumps(_plain(options or Options(**more)))
    folder = Path(tempfile.mkdtemp(prefix="tocsin-centre-"))
    events, log = folder / "events", folder / "log"
    events.touch()
    with log.open("wb") as errors:
        process = subprocess.Popen(
            (node, str(_SOURCES / "centre.js"), chosen, str(events)),
            # What is required beside the program is found by this.
            env={**os.environ, "NODE_PATH": str(modules)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
        )
    try:
        assert process.stdout is not None
        said = process.stdout.readline().strip()
        assert said.isdigit(), "the message centre does not start"
        yield MessageCentre(process, int(said), events, log)
        assert process.poll() is None, "the message centre has ended"
    except BaseException:
        print(f"The message centre said:\n{log.read_text()}\n{events.read_text()[-5000:]}")
        raise
    finally:
        _end(process)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def centre() -> Iterator[MessageCentre]:
    """A centre that takes everything at once, but for the endings of `ANSWERS`."""
    with message_centre(answers=ANSWERS) as running:
        yield running


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    process.wait(timeout=_PATIENCE_SECONDS)
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()


def _taken(event: dict[str, Any]) -> Taken:
    values = {name: value for name, value in event.items() if name != "event"}
    sar = values.pop("sar")
    return Taken(**values, sar=None if sar is None else tuple(sar))


def _plain(value: Any) -> Any:
    """A value as JSON can hold it."""
    if isinstance(value, Mapping):
        return {key: _plain(each) for key, each in value.items()}
    return _plain(asdict(value)) if hasattr(value, "__dataclass_fields__") else value
