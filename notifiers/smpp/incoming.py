"""A short message that a person sent to our number. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from notifiers.smpp.pdu import DeliverSm, Tag
from notifiers.smpp.receipts import octets_of_deliver
from notifiers.sms.alphabet import HAS_HEADER, Alphabet, parted, place_of, text_of


@dataclass(frozen=True, slots=True)
class SmsFromPerson:
    """`number` and `to` are as the centre writes them. `place` is reference, total and number of a part of a longer
    message; parts are not joined here."""

    number: str
    to: str
    text: str
    place: tuple[int, int, int] | None


def message_of(deliver: DeliverSm, alphabet: Alphabet) -> SmsFromPerson:
    """What a person wrote. Never fails: what cannot be read is U+FFFD."""
    whole = deliver.short_message or deliver.tlv(Tag.message_payload) or b""
    header = parted(whole)[0] if deliver.esm_class & HAS_HEADER else b""
    return SmsFromPerson(
        number=deliver.source,
        to=deliver.dest,
        text=text_of(octets_of_deliver(deliver), deliver.data_coding, alphabet),
        place=place_of(header),
    )
