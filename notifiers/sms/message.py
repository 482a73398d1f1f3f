"""A short message to one person, whatever carries it. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from notifiers.errors import BadAddress, BadMessage
from notifiers.numbers import WRITTEN_AS, is_number
from notifiers.sms.alphabet import MOST_PARTS, is_gsm, septets_of, ucs2_of

SINGLE_SEPTETS, PART_SEPTETS = 160, 153
SINGLE_UNITS, PART_UNITS = 70, 67
"""UTF-16 units."""


@dataclass(frozen=True, slots=True)
class SmsMessage:
    """A message to the number `to` (E.164 with its plus).

    `segments` are cut at 160 septets, or 153 for each of several, and with `ucs2` at 70 or 67 UTF-16 units. `reference`,
    0 to 65535, joins the parts on the handset: it follows from the delivery, so that parts of a message that is sent
    again fit those that had come before. `own_id` is ours for this attempt, where a carrier takes one along; it says
    nothing of the person. Raises BadAddress and BadMessage.
    """

    to: str
    segments: tuple[str, ...]
    ucs2: bool
    reference: int
    own_id: str = ""

    def __post_init__(self) -> None:
        if not is_number(self.to):
            raise BadAddress(WRITTEN_AS, where="to")
        if not 0 <= self.reference <= 0xFFFF:
            raise BadMessage("a number from 0 to 65535", where="reference")
        if not 0 < len(self.segments) <= MOST_PARTS or not all(self.segments):
            raise BadMessage(f"1 to {MOST_PARTS} segments, none of them empty", where="segments")
        longest = _longest(ucs2=self.ucs2, parts=len(self.segments))
        for number, segment in enumerate(self.segments, start=1):
            if units_of(segment, ucs2=self.ucs2) > longest:
                raise BadMessage(
                    f"segment {number} is longer than {longest}; cut the text anew", where="segments"
                )

    @property
    def text(self) -> str:
        """The whole text."""
        return "".join(self.segments)


def _longest(*, ucs2: bool, parts: int) -> int:
    if ucs2:
        return PART_UNITS if parts > 1 else SINGLE_UNITS
    return PART_SEPTETS if parts > 1 else SINGLE_SEPTETS


def units_of(text: str, *, ucs2: bool) -> int:
    """Septets or UTF-16 units. Raises BadMessage for what GSM 7 bit does not hold."""
    if ucs2:
        return len(ucs2_of(text)) // 2
    if not is_gsm(text):
        raise BadMessage("a character that GSM 7 bit does not hold; send it as UCS-2", where="segments")
    return len(septets_of(text))
