"""How large the chaos runs are. `TOCSIN_CHAOS=long` makes them as long as they were when they were first believed; without
it they are short enough for every change, and still meet every window, kill and outage that they are there for."""

from __future__ import annotations

import os
from typing import TypeVar

T = TypeVar("T")

LONG = os.environ.get("TOCSIN_CHAOS") == "long"


def sized(usual: T, *, long: T) -> T:
    """What a run is given, usually and in a long one."""
    return long if LONG else usual
