"""What a carrier reports later of a short message that it took. Pure values."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class MessageState(StrEnum):
    """What became of a message (5.2.28; scheduled and skipped are of SMPP 5.0, 4.7.15)."""

    scheduled = "scheduled"
    enroute = "enroute"
    delivered = "delivered"
    expired = "expired"
    deleted = "deleted"
    undeliverable = "undeliverable"
    accepted = "accepted"
    """Read by a person on behalf of the recipient."""
    unknown = "unknown"
    rejected = "rejected"
    skipped = "skipped"


UNDER_WAY = frozenset({MessageState.scheduled, MessageState.enroute})
"""Another receipt follows."""


@dataclass(frozen=True, slots=True)
class SmsReceipt:
    """What a carrier says of one part of a message that it took.

    `message_id` is as it came; an SMPP centre's is looked up under each of `notifiers.smpp.receipts.id_forms`. A `state` that the carrier spells in no known way is
    unknown, and its word is in `error` where there is no other. `error` is the network's code as it came, None for none
    or zero; from the optional parameter it is "type:code" (5.3.2.31). `done_at` is as it came, mostly YYMMDDhhmm in the
    centre's time. `number` are the digits of the person's number. `raw_text` may quote the message.
    `own_id` is `SmsMessage.own_id`, where the carrier gives it back.
    """

    message_id: str
    state: MessageState
    error: str | None
    done_at: str | None
    number: str
    raw_text: str
    own_id: str = ""
