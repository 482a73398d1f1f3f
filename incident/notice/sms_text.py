"""A text as an SMS: which encoding it needs and why, its segments, and what it can be shortened to. Pure.

The 7-bit default alphabet and its extension table are those of 3GPP TS 23.038 (6.2.1, 6.2.1.1), UCS-2 that of 6.2.3. A
message holds 140 octets: 160 septets or 70 UTF-16 units. A longer one goes in segments, each with a user data header of
6 octets for concatenation (TS 23.040, 9.2.3.24.1): 153 septets or 67 units are left. National language tables are not
used, because many networks do not carry them.

A segment never ends within a character: an escaped one counts two septets and stays whole, so do surrogate pairs and
graphemes. A network that cuts without such care may need a segment less than counted here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum

from incident.errors import BadInput
from incident.notice.graphemes import ELLIPSIS, graphemes

_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENDED = frozenset("\f^{}\\[~]|€")
"""Sent as an escape and a septet."""
_GSM = _BASIC | _EXTENDED


class SmsEncoding(StrEnum):
    GSM_7 = "gsm-7"
    UCS_2 = "ucs-2"


SINGLE = {SmsEncoding.GSM_7: 160, SmsEncoding.UCS_2: 70}
"""Units that a message in one piece holds: septets, or UTF-16 units."""
PART = {SmsEncoding.GSM_7: 153, SmsEncoding.UCS_2: 67}
"""Units that each of several segments holds."""


@dataclass(frozen=True)
class SmsText:
    """A text in its segments.

    `units` are septets or UTF-16 units of the whole text; `forcing` are the characters that only UCS-2 can carry, each
    once, in the order of the text.
    """

    encoding: SmsEncoding
    segments: tuple[str, ...]
    units: int
    forcing: tuple[str, ...]


def sms_text(text: str) -> SmsText:
    """The segments of a text; an empty text has none. Raises `BadInput` for a lone surrogate, which is no text."""
    try:
        text.encode("utf-16-le")
    except UnicodeEncodeError:
        what = "half of a surrogate pair stands in the text"
        raise BadInput(what, next_step="type this part again") from None
    forcing = forcing_characters(text)
    encoding = SmsEncoding.UCS_2 if forcing else SmsEncoding.GSM_7
    units = _units(text, encoding)
    segments = (text,) if units <= SINGLE[encoding] else tuple(_parts(text, encoding))
    return SmsText(encoding, segments if text else (), units, forcing)


def forcing_characters(text: str) -> tuple[str, ...]:
    """The characters that the 7-bit alphabet does not hold, each once."""
    if _GSM.issuperset(text):
        return ()
    return tuple(dict.fromkeys(each for each in text if each not in _GSM))


def shorten_sms(text: str, most_segments: int, *, ending: str = ELLIPSIS) -> str:
    """The text where it fits into so many segments; otherwise its beginning at a grapheme, closed with `ending`.

    The ellipsis forces UCS-2: for a text in GSM 7 bit give three full stops. Raises `BadInput` where not even the
    ending fits.
    """
    if len(sms_text(text).segments) <= most_segments:
        return text
    parts = graphemes(text)
    if len(sms_text(ending).segments) > most_segments:
        raise BadInput(f"{ending!r} does not fit into {most_segments} segments", next_step="allow for more")
    return _cut(
        parts, _most_that(lambda count: _fits(_cut(parts, count, ending), most_segments), len(parts)), ending
    )


def _cut(parts: list[str], count: int, ending: str) -> str:
    return "".join(parts[:count]).rstrip() + ending


def _fits(text: str, most_segments: int) -> bool:
    return len(sms_text(text).segments) <= most_segments


def _most_that(holds: Callable[[int], bool], size: int) -> int:
    """The largest count below `size` that holds. 0 does, and what holds for a count holds for every smaller one."""
    low, high = 0, size
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if holds(middle) else (low, middle)
    return low


def _parts(text: str, encoding: SmsEncoding) -> Iterable[str]:
    limit, whole = PART[encoding], graphemes(text)
    if len(whole) == len(text) == _units(text, encoding):
        # As in most texts, each character is one unit; a long list is counted four times as fast so.
        yield from (text[start : start + limit] for start in range(0, len(text), limit))
        return
    part, used = "", 0
    for piece, units in _pieces(whole, encoding):
        if part and used + units > limit:
            yield part
            part, used = "", 0
        part, used = part + piece, used + units
    if part:
        yield part


def _pieces(whole: Iterable[str], encoding: SmsEncoding) -> Iterable[tuple[str, int]]:
    """What is kept whole, with its units: graphemes, and the code points of one that no segment could hold."""
    for each in whole:
        units = _units(each, encoding)
        if units <= PART[encoding]:
            yield each, units
        else:
            yield from ((character, _units(character, encoding)) for character in each)


def _units(text: str, encoding: SmsEncoding) -> int:
    if encoding is SmsEncoding.UCS_2:
        return len(text.encode("utf-16-le")) // 2
    return len(text) + sum(map(text.count, _EXTENDED))
