"""What the doctor says of one thing."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from incident.errors import TocsinError


class State(StrEnum):
    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True)
class Examined:
    """One thing that was looked at."""

    what: str
    state: State
    finding: str
    next_step: str = ""


def unusable(what: str, error: TocsinError) -> Examined:
    """A thing that could not even be looked at, or cannot be used as it is."""
    finding = f"{error.where}: {error.what}" if error.where else error.what
    return Examined(what, State.FAIL, finding, error.next_step or "")
