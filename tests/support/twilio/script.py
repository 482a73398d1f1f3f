"""What the stand-in for Twilio's API is told to do, and what it says of the messages it took."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

ACCOUNT, SERVICE = "AC" + "a1" * 16, "MG" + "b2" * 16
KEY_SID, KEY_SECRET = "SK" + "c3" * 16, "key-s3cret"
TOKEN, OTHER_TOKEN = "primary-t0ken", "other-t0ken"


class Act(StrEnum):
    """What is done with a message instead of taking and answering it."""

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


@dataclass(frozen=True, slots=True)
class Options:
    """How it behaves. `reached_as` says where addresses that begin so are really found, as a proxy has it; `tells`
    False answers 401 for the account and 404 for its balance, as a standard key of a subaccount gets. `deaf` never
    answers anything."""

    faults: Mapping[str, Fault] = field(default_factory=dict)
    progress: Progress = field(default_factory=Progress)
    by_ending: Mapping[str, Progress] = field(default_factory=dict)
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
    """Parts of the Messaging Service that the key may not read."""
    most_a_page: int = 50
    token: str = TOKEN

    @classmethod
    def of_json(cls, text: str) -> Options:
        """Options as another process gives them: an object whose keys are the names here."""
        given: dict[str, Any] = json.loads(text)
        faults, by_ending = given.get("faults", {}), given.get("by_ending", {})
        given["faults"] = {end: Fault(**{**each, "act": Act(each["act"])}) for end, each in faults.items()}
        given["by_ending"] = {end: Progress(**each) for end, each in by_ending.items()}
        if "progress" in given:
            given["progress"] = Progress(**given["progress"])
        return cls(**given)


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
    """A callback that was delivered: `answer` is the HTTP status it met, 0 for none."""

    sid: str
    state: str
    url: str
    answer: int
