"""The SMS room: what carries SMS for who sends a batch, whatever carrier is behind it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from incident.delivery.sending_room import SendingRoom
from notifiers.sms.message import SmsMessage
from notifiers.sms.receipt import SmsReceipt

TakeReceipts = Callable[[Sequence[SmsReceipt]], Sequence[bool]]
"""Writes down what some receipts say, and tells of each whether its message was found. Raises `TocsinError`."""


class SmsRoom(SendingRoom[SmsMessage]):
    """Sends SMS over one carrier, as many at a time as its window holds. A context manager."""

    def __init__(self, *, peer: str, window: int) -> None:
        super().__init__(peer=peer, window=window, called="sms")

    @property
    def asks_for_receipts(self) -> bool:
        """Whether the carrier says what became of a message only where it is asked."""
        return False
