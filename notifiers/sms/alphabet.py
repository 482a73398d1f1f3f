"""The octets of a short message: its alphabet, and the header that joins parts. Pure.

The 7-bit default alphabet and its extension table are those of 3GPP TS 23.038 (6.2.1, 6.2.1.1). SMPP carries its septets
one an octet, not packed; the centre packs them. National language tables are not used, because many networks do not
carry them.
"""

from __future__ import annotations

from enum import StrEnum

from notifiers.errors import BadMessage

_BASIC = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ\x1bÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
"""Each character at its number."""
_ESCAPE = 0x1B
_EXTENDED = {
    0x0A: "\f",
    0x14: "^",
    0x28: "{",
    0x29: "}",
    0x2F: "\\",
    0x3C: "[",
    0x3D: "~",
    0x3E: "]",
    0x40: "|",
    0x65: "€",
}
_SEPTETS = {character: bytes([at]) for at, character in enumerate(_BASIC) if at != _ESCAPE} | {
    character: bytes([_ESCAPE, at]) for at, character in _EXTENDED.items()
}

DEFAULT, LATIN_1, UCS_2 = 0x00, 0x03, 0x08
"""data_coding (SMPP 3.4, 5.2.19): the centre's default alphabet, ISO-8859-1, and UCS-2."""

HAS_HEADER = 0x40
"""esm_class of a message that begins with a user data header (SMPP 3.4, 5.2.12)."""
MOST_PARTS = 255
_CONCATENATION, _CONCATENATION_16 = 0x00, 0x08


class Alphabet(StrEnum):
    """What a centre takes data_coding 0, its default alphabet, to be; or that it is not to be used at all."""

    gsm = "gsm"
    """GSM 7 bit, a septet in each octet."""
    latin_1 = "latin-1"
    """ISO-8859-1, as many gateways expect. What it cannot carry, such as €, goes as UCS-2."""
    ucs_2 = "ucs-2"
    """Everything goes as UCS-2, data_coding 8."""


def is_gsm(text: str) -> bool:
    """Whether GSM 7 bit carries the whole text."""
    return _SEPTETS.keys() >= set(text)


def septets_of(text: str) -> bytes:
    """The text in GSM 7 bit, one septet an octet. Raises BadMessage for a character that it does not hold."""
    if not is_gsm(text):
        raise BadMessage("a character that GSM 7 bit does not hold; send it as UCS-2", where="text")
    return b"".join([_SEPTETS[character] for character in text])


def text_of_septets(octets: bytes) -> str:
    """The text of unpacked septets.

    What the tables do not define reads as TS 23.038 6.2.1.1 asks: an unknown escaped septet as the one of the basic
    table, an escape with nothing after it as a space. An octet above 127 is no septet and reads as U+FFFD.
    """
    text, escaped = [], False
    for octet in octets:
        if octet > 0x7F:
            text.append("\N{REPLACEMENT CHARACTER}")
            escaped = False
        elif octet == _ESCAPE and not escaped:
            escaped = True
        else:
            text.append(_EXTENDED.get(octet, _basic(octet)) if escaped else _BASIC[octet])
            escaped = False
    return "".join(text) + (" " if escaped else "")


def _basic(octet: int) -> str:
    return " " if octet == _ESCAPE else _BASIC[octet]


def ucs2_of(text: str) -> bytes:
    """The text as handsets read UCS-2: UTF-16, big-endian. Raises BadMessage for half of a surrogate pair."""
    try:
        return text.encode("utf-16-be")
    except UnicodeEncodeError:
        raise BadMessage("half of a surrogate pair, which is no character", where="text") from None


def is_latin_1(text: str) -> bool:
    """Whether ISO-8859-1 carries the whole text."""
    return all(ord(character) < 0x100 for character in text)


def octets_of(text: str, data_coding: int, alphabet: Alphabet) -> bytes:
    """The text in the alphabet that `data_coding` names at such a centre. Raises BadMessage where it does not fit."""
    if data_coding == UCS_2:
        return ucs2_of(text)
    if data_coding == DEFAULT and alphabet is Alphabet.gsm:
        return septets_of(text)
    if not is_latin_1(text):
        raise BadMessage("a character that ISO-8859-1 does not hold; send it as UCS-2", where="text")
    return text.encode("latin-1")


def text_of(octets: bytes, data_coding: int, alphabet: Alphabet) -> str:
    """The text of a message without its header. Never fails: what cannot be read is U+FFFD."""
    if data_coding == UCS_2:
        return octets.decode("utf-16-be", "replace")
    if data_coding == DEFAULT and alphabet is Alphabet.gsm:
        return text_of_septets(octets)
    return octets.decode("latin-1")


def concatenation_header(reference: int, total: int, number: int) -> bytes:
    """The user data header of part `number` (from 1) of `total`, with an 8-bit reference (TS 23.040, 9.2.3.24.1).

    Its 6 octets leave 153 septets or 67 UTF-16 units a part, as texts are cut; with a 16-bit reference (9.2.3.24.8) it
    would be one septet less, and a part of 153 would not fit. Of `reference`, 0 to 65535, both octets count.
    """
    return bytes([5, _CONCATENATION, 3, (reference >> 8 ^ reference) & 0xFF, total, number])


def parted(octets: bytes) -> tuple[bytes, bytes]:
    """A message with a user data header in two: the header with its length, and the rest. A header that is longer than
    the message is none."""
    end = 1 + octets[0] if octets else 0
    return (octets[:end], octets[end:]) if end <= len(octets) else (b"", octets)


def place_of(header: bytes) -> tuple[int, int, int] | None:
    """Reference, total and number that a user data header gives, with an 8-bit or a 16-bit reference; None without."""
    at = 1
    while at + 1 < len(header):
        kind, length = header[at], header[at + 1]
        value = header[at + 2 : at + 2 + length]
        if kind == _CONCATENATION and len(value) == 3:
            return value[0], value[1], value[2]
        if kind == _CONCATENATION_16 and len(value) == 4:
            return int.from_bytes(value[:2], "big"), value[2], value[3]
        at += 2 + length
    return None
