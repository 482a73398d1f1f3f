"""What a timeline is made of."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Event:
    """One line: when it happened, when it was recorded, what, by whom. `id` is what a correction names."""

    at: datetime
    recorded_at: datetime
    kind: str
    text: str
    by: str
    id: str = ""
