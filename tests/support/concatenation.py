"""Parts of long messages put together as a phone does (3GPP TS 23.040, 9.2.3.24.1 and 9.2.3.24.8)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

_REFERENCE_OF_8_BITS, _REFERENCE_OF_16_BITS = 0x00, 0x08


@dataclass(frozen=True, slots=True)
class Part:
    """One message as it came.

    `udh` is the user data header with its length; `sar` are reference, total and number from optional parameters
    (SMPP 3.4, 5.3.2.22 to 24).
    """

    source: str
    destination: str
    udh: bytes
    text: str
    sar: tuple[int, int, int] | None = None


@dataclass(frozen=True, slots=True)
class _Long:
    """What parts of one long message have in common. `width` tells references of 8 and of 16 bits apart."""

    source: str
    destination: str
    width: int
    reference: int
    total: int


def texts_of(parts: Iterable[Part]) -> dict[str, list[str]]:
    """The whole texts of each destination, by when their first part came; what lacks a part is left out.

    A part that comes again with the same reference belongs to the next copy of its message.
    """
    texts: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for destination, begun, pieces in _long_messages(parts):
        if None not in pieces:
            texts[destination].append((begun, "".join(piece or "" for piece in pieces)))
    return {destination: [text for _, text in sorted(found)] for destination, found in texts.items()}


def unfinished(parts: Iterable[Part]) -> int:
    """How many messages lack a part."""
    return sum(None in pieces for _, _, pieces in _long_messages(parts))


def _long_messages(parts: Iterable[Part]) -> Iterator[tuple[str, int, list[str | None]]]:
    """Destination, when it began, and its pieces in their order; None where one is missing."""
    found: dict[_Long, dict[int, list[tuple[int, str]]]] = {}
    for at, part in enumerate(parts):
        place = _place(part)
        if place is None:
            yield part.destination, at, [part.text]
            continue
        message, number = place
        found.setdefault(message, {}).setdefault(number, []).append((at, part.text))
    for message, pieces in found.items():
        for copy in range(max(map(len, pieces.values()))):
            mine = {number: came[copy] for number, came in pieces.items() if copy < len(came)}
            begun = min(at for at, _ in mine.values())
            whole = [mine[number][1] if number in mine else None for number in range(1, message.total + 1)]
            yield message.destination, begun, whole


def _place(part: Part) -> tuple[_Long, int] | None:
    """Which long message this is a part of, and which part; None: it stands alone."""
    if part.sar is not None:
        reference, total, number = part.sar
        return _Long(part.source, part.destination, 0, reference, total), number
    for kind, content in _elements(part.udh):
        if kind == _REFERENCE_OF_8_BITS and len(content) == 3:
            return _Long(part.source, part.destination, 8, content[0], content[1]), content[2]
        if kind == _REFERENCE_OF_16_BITS and len(content) == 4:
            reference = int.from_bytes(content[:2])
            return _Long(part.source, part.destination, 16, reference, content[2]), content[3]
    return None


def _elements(udh: bytes) -> Iterator[tuple[int, bytes]]:
    at = 1
    while at + 2 <= len(udh):
        length = udh[at + 1]
        yield udh[at], udh[at + 2 : at + 2 + length]
        at += 2 + length
