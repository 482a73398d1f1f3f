"""What the stand-in for Twilio's API is told to do, and what it says of the messages and calls it took."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

ACCOUNT, SERVICE = "AC" + "a1" * 16, "MG" + "b2" * 16
KEY_SID, KEY_SECRET = "SK" + "c3" * 16, "key-s3cret"
TOKEN, OTHER_TOKEN = "primary-t0ken", "other-t0ken"
CALLER = "+15005550006"


class Act(StrEnum):
    """What is done with a message or a call instead of taking and answering it."""

    REFUSE = "refuse"
    """Not taken; answered with `status` and `code`."""
    CLOSE = "close"
    """Not taken; the connection ends."""
    SILENT = "silent"
    """Not taken; never answered."""
    LOST = "lost"
    """Taken; the connection ends without an answer."""
    SLOW = "slow"
    """Taken; answered after `seconds`."""
    FAIL = "fail"
    """Taken; answered with `status` and `code` all the same."""
    GARBAGE = "garbage"
    """Taken; answered with what is no JSON."""
    NAMELESS = "nameless"
    """Taken; answered without a SID."""
    TRICKLE = "trickle"
    """Taken; an octet of the answer at a time, without end."""


@dataclass(frozen=True, slots=True)
class Fault:
    """For so many `times` of one number (None: always)."""

    act: Act
    status: int = 0
    code: int = 0
    times: int | None = None
    seconds: float = 0.0


def refused(status: int, code: int, *, times: int | None = None) -> Fault:
    return Fault(Act.REFUSE, status, code, times)


FAULTS: Mapping[str, Fault] = {
    "0010": refused(400, 21610),
    "0011": refused(400, 21611, times=1),
    "0029": refused(429, 20429, times=1),
    "0050": Fault(Act.FAIL, 500, 20500, times=1),
    "0051": refused(503, 20503, times=1),
    "0097": Fault(Act.SILENT, times=1),
    "0098": Fault(Act.CLOSE, times=1),
    "0099": Fault(Act.LOST, times=1),
}
"""By how a number ends; the first that fits counts."""


@dataclass(frozen=True, slots=True)
class Progress:
    """What is said later of a message: one callback for each of `states`, the last with `code` where there is one.

    They come `delay` seconds after one another, `doubled` twice each, `backwards` in the other order; `held` ones only
    once they are released. A message without an address gets none, but comes to its last state.
    """

    states: tuple[str, ...] = ("queued", "sending", "sent", "delivered")
    code: int | None = None
    delay: float = 0.0
    doubled: bool = False
    backwards: bool = False
    held: bool = False


class Answer(StrEnum):
    """Who or what answers a call, or why nobody does."""

    HUMAN = "human"
    MACHINE = "machine_end_beep"
    FAX = "fax"
    UNKNOWN = "unknown"
    BUSY = "busy"
    NO_ANSWER = "no-answer"
    FAILED = "failed"
    CANCELED = "canceled"


@dataclass(frozen=True, slots=True)
class Callee:
    """Who is called, and how all of it is asked and told.

    One of `keys` is pressed for each question in turn, "-" for none; after the last none is. Whoever `hangs_up_after`
    so many documents hears nothing of the last of them. It rings for `rings` seconds, and each key takes `thinks`
    seconds. `code` says why a call failed: of three digits a SIP response, else an error of Twilio's.

    Keys and the end are told `doubled` twice, the end `backwards` before the first key. Of a `held` call nothing is
    asked before it is released, of a `status_held` one the end is not told before. `unsigned` requests bear no
    signature.
    """

    answer: Answer = Answer.HUMAN
    keys: str = "11"
    hangs_up_after: int | None = None
    rings: float = 0.0
    thinks: float = 0.0
    code: int | None = None
    doubled: bool = False
    backwards: bool = False
    held: bool = False
    status_held: bool = False
    unsigned: bool = False


@dataclass(frozen=True, slots=True)
class Options:
    """How it behaves. `reached_as` says where addresses that begin so are really found, as a proxy has it; `tells`
    False answers 401 for the account and 404 for its balance, as a standard key of a subaccount gets. `deaf` never
    answers anything."""

    faults: Mapping[str, Fault] = field(default_factory=dict)
    progress: Progress = field(default_factory=Progress)
    by_ending: Mapping[str, Progress] = field(default_factory=dict)
    callee: Callee = field(default_factory=Callee)
    callees: Mapping[str, Callee] = field(default_factory=dict)
    """By how a number ends, before `callee`."""
    incoming: Mapping[str, bool] = field(default_factory=lambda: {CALLER: True})
    """The account's own numbers, and whether they can call."""
    verified: tuple[str, ...] = ()
    reached_as: Mapping[str, str] = field(default_factory=dict)
    deaf: bool = False
    tells: bool = True
    account_status: str = "active"
    account_type: str = "Full"
    balance: str = "12.50"
    service: bool = True
    numbers: int = 2
    campaigns: tuple[str, ...] = ("VERIFIED",)
    forbidden: tuple[str, ...] = ()
    """Parts of the Messaging Service, and lists of numbers, that the key may not read."""
    most_a_page: int = 50
    token: str = TOKEN

    @classmethod
    def of_json(cls, text: str) -> Options:
        """Options as another process gives them: an object whose keys are the names here."""
        given: dict[str, Any] = json.loads(text)
        faults, by_ending = given.get("faults", {}), given.get("by_ending", {})
        given["faults"] = {end: Fault(**{**each, "act": Act(each["act"])}) for end, each in faults.items()}
        given["by_ending"] = {end: Progress(**each) for end, each in by_ending.items()}
        given["callees"] = {end: _callee(each) for end, each in given.get("callees", {}).items()}
        if "progress" in given:
            given["progress"] = Progress(**given["progress"])
        if "callee" in given:
            given["callee"] = _callee(given["callee"])
        return cls(**given)


def _callee(given: dict[str, Any]) -> Callee:
    return Callee(**{**given, "answer": Answer(given.get("answer", Answer.HUMAN))})


@dataclass(slots=True)
class Taken:
    """A message that was taken, whatever was answered."""

    sid: str
    to: str
    body: str
    service: str
    callback: str
    validity: str
    smart_encoded: str
    created_at: str
    status: str = "accepted"
    error_code: int | None = None


@dataclass(frozen=True, slots=True)
class Told:
    """A callback that was delivered, of a message or of a call: `answer` is the HTTP status it met, 0 for none."""

    sid: str
    state: str
    url: str
    answer: int


@dataclass(frozen=True, slots=True)
class Heard:
    """A text as it was said."""

    text: str
    language: str
    voice: str


@dataclass(slots=True)
class Called:
    """A call that was taken, whatever was answered. `pressed` are the keys that were told, `heard` what was said."""

    sid: str
    to: str
    caller: str
    url: str
    status_callback: str
    ring_seconds: str
    time_limit: str
    machine_detection: str
    created_at: str
    status: str = "queued"
    answered_by: str | None = None
    pressed: str = ""
    heard: list[Heard] = field(default_factory=list)
    over: bool = False

    @property
    def texts(self) -> list[str]:
        return [each.text for each in self.heard]
