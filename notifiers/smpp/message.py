"""The submit_sm of each part of a short message. Pure."""

from __future__ import annotations

from notifiers.errors import BadMessage
from notifiers.smpp.centre import Centre
from notifiers.smpp.pdu import SubmitSm
from notifiers.sms.alphabet import (
    DEFAULT,
    HAS_HEADER,
    MOST_PARTS,
    UCS_2,
    Alphabet,
    concatenation_header,
    is_latin_1,
    octets_of,
)
from notifiers.sms.message import PART_UNITS, SINGLE_UNITS, SmsMessage, units_of

_WANT_A_RECEIPT = 0x01  # registered_delivery: of success or failure (SMPP 3.4, 5.2.17)


def submits_of(message: SmsMessage, centre: Centre) -> tuple[SubmitSm, ...]:
    """The parts of a message in order, each with a request for its receipt.

    Where the centre's alphabet has the whole go as UCS-2 although it was cut for septets, it is cut anew; that makes
    more parts. Raises BadMessage where those are too many.
    """
    ucs2, segments = _for_alphabet(message, centre.alphabet)
    coding = UCS_2 if ucs2 else DEFAULT
    several = len(segments) > 1
    source, dest = centre.source, centre.destination(message.to)
    return tuple(
        SubmitSm(
            source_ton=source.ton,
            source_npi=source.npi,
            source=source.digits,
            dest_ton=dest.ton,
            dest_npi=dest.npi,
            dest=dest.digits,
            esm_class=HAS_HEADER if several else 0,
            validity=centre.validity_period,
            registered_delivery=_WANT_A_RECEIPT,
            data_coding=coding,
            short_message=(concatenation_header(message.reference, len(segments), number) if several else b"")
            + octets_of(segment, coding, centre.alphabet),
        )
        for number, segment in enumerate(segments, start=1)
    )


def _for_alphabet(message: SmsMessage, alphabet: Alphabet) -> tuple[bool, tuple[str, ...]]:
    """Whether it goes as UCS-2, and its segments."""
    if message.ucs2 or alphabet is Alphabet.gsm:
        return message.ucs2, message.segments
    text = message.text
    if alphabet is Alphabet.latin_1 and is_latin_1(text):
        return False, message.segments
    segments = _cut_for_ucs2(text)
    if len(segments) > MOST_PARTS:
        raise BadMessage(
            f"as UCS-2 the text takes more than {MOST_PARTS} parts; shorten it", where="segments"
        )
    return True, segments


def _cut_for_ucs2(text: str) -> tuple[str, ...]:
    if units_of(text, ucs2=True) <= SINGLE_UNITS:
        return (text,)
    # Each character of GSM 7 bit is one unit, and none combines with another.
    return tuple(text[start : start + PART_UNITS] for start in range(0, len(text), PART_UNITS))
