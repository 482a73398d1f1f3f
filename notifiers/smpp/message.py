"""A short message to one person, and the submit_sm of each of its parts. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

from notifiers.errors import BadAddress, BadMessage
from notifiers.smpp.alphabet import (
    DEFAULT,
    HAS_HEADER,
    MOST_PARTS,
    UCS_2,
    Alphabet,
    concatenation_header,
    is_gsm,
    is_latin_1,
    octets_of,
    septets_of,
    ucs2_of,
)
from notifiers.smpp.centre import Centre
from notifiers.smpp.pdu import SubmitSm

SINGLE_SEPTETS, PART_SEPTETS = 160, 153
SINGLE_UNITS, PART_UNITS = 70, 67
"""UTF-16 units."""

_E164 = re.compile(r"\+[1-9][0-9]{6,14}")
_WANT_A_RECEIPT = 0x01  # registered_delivery: of success or failure (SMPP 3.4, 5.2.17)


@dataclass(frozen=True, slots=True)
class SmsMessage:
    """A message to the number `to` (E.164 with its plus).

    `segments` are cut at 160 septets, or 153 for each of several, and with `ucs2` at 70 or 67 UTF-16 units. `reference`,
    0 to 65535, joins the parts on the handset: it follows from the delivery, so that parts of a message that is sent
    again fit those that had come before. Raises BadAddress and BadMessage.
    """

    to: str
    segments: tuple[str, ...]
    ucs2: bool
    reference: int

    def __post_init__(self) -> None:
        if not _E164.fullmatch(self.to):
            raise BadAddress("a number in international form: a plus, then 7 to 15 digits", where="to")
        if not 0 <= self.reference <= 0xFFFF:
            raise BadMessage("a number from 0 to 65535", where="reference")
        if not 0 < len(self.segments) <= MOST_PARTS or not all(self.segments):
            raise BadMessage(f"1 to {MOST_PARTS} segments, none of them empty", where="segments")
        longest = _longest(ucs2=self.ucs2, parts=len(self.segments))
        for number, segment in enumerate(self.segments, start=1):
            if _units(segment, ucs2=self.ucs2) > longest:
                raise BadMessage(
                    f"segment {number} is longer than {longest}; cut the text anew", where="segments"
                )


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
    text = "".join(message.segments)
    if alphabet is Alphabet.latin_1 and is_latin_1(text):
        return False, message.segments
    segments = _cut_for_ucs2(text)
    if len(segments) > MOST_PARTS:
        raise BadMessage(
            f"as UCS-2 the text takes more than {MOST_PARTS} parts; shorten it", where="segments"
        )
    return True, segments


def _cut_for_ucs2(text: str) -> tuple[str, ...]:
    if _units(text, ucs2=True) <= SINGLE_UNITS:
        return (text,)
    # Each character of GSM 7 bit is one unit, and none combines with another.
    return tuple(text[start : start + PART_UNITS] for start in range(0, len(text), PART_UNITS))


def _longest(*, ucs2: bool, parts: int) -> int:
    if ucs2:
        return PART_UNITS if parts > 1 else SINGLE_UNITS
    return PART_SEPTETS if parts > 1 else SINGLE_SEPTETS


def _units(text: str, *, ucs2: bool) -> int:
    if ucs2:
        return len(ucs2_of(text)) // 2
    if not is_gsm(text):
        raise BadMessage("a character that GSM 7 bit does not hold; send it as UCS-2", where="segments")
    return len(septets_of(text))
