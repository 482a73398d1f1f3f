"""The port through which a checked body is kept before the sender gets its answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Receipt:
    """`id` stays the same for every delivery of the same thing; `new` is true only for the first."""

    id: str
    new: bool


class Intake(Protocol):
    """Keeps raw bodies. Called from a worker thread, several at a time."""

    def receive(
        self,
        *,
        source_id: str,
        delivery_id: str,
        body: bytes,
        headers: Mapping[str, str],
        received_at: datetime,
    ) -> Receipt:
        """Keep the body durably, then return; nothing is mapped here.

        (source_id, delivery_id) is the idempotency key. Keep it for at least 75 h, better 7 days: senders
        plan retries over that span. `headers` are lower-case and hold no credential.
        Raises StoreUnavailable where it could not be kept: the sender is then told to come again.
        """
        ...
