"""What comes in by mail, taken apart into its parts (RFC 2045, RFC 2046) by a bounded amount of work.

Whoever sends a message chooses its bytes. So nothing here raises for any of them, and what lies beyond a limit is
not read: 2 MB in all, 6 parts in one another, 100 parts, 256 KB and 500 fields of one header. No genuine report
comes near.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass

_LONGEST_MESSAGE = 2_000_000
_LONGEST_HEADER = 256_000
_LONGEST_FIELD = 8_000
_LONGEST_ADDRESS = 500  # RFC 5321 allows 254, and forwarders that wrap addresses do not always heed it
_MOST_FIELDS = 500
_MOST_PARTS = 100
_DEEPEST = 6

_FIELD_NAME = re.compile(r"[!-9;-~]{1,100}[ \t]*")
_BOUNDARY = re.compile(r';\s*boundary\s*=\s*(?:"([^"]{1,200})"|([^\s;"]{1,200}))', re.IGNORECASE)
_NOT_BASE64 = re.compile(rb"[^A-Za-z0-9+/]+")
_BETWEEN_ADDRESSES = re.compile(r'[\s<>,;:"()\[\]]+')
_MESSAGES = frozenset({"message/rfc822", "message/global"})


@dataclass(frozen=True, slots=True)
class Fields:
    """The fields of a header, or of a text that is written like one: in their order, unfolded, names in lower case."""

    pairs: tuple[tuple[str, str], ...]

    def all(self, name: str) -> list[str]:
        """The values of every field of this name, which is given in lower case."""
        return [value for written, value in self.pairs if written == name]

    def first(self, name: str) -> str:
        """The value of the first field of this name, given in lower case; "" if there is none."""
        return next((value for written, value in self.pairs if written == name), "")


@dataclass(frozen=True, slots=True)
class Part:
    """A message or a part of one. `kind` is its media type in lower case, `body` is decoded and has LF as line end.

    `within` counts the messages that it lies in: 0 in what came, 1 in a message that was attached to that.
    """

    kind: str
    fields: Fields
    body: bytes
    within: int


def parts_of(raw: bytes) -> list[Part]:
    """The message and all parts of it, in the order they are written: the first one is the message itself."""
    whole = _unix_lines(raw[:_LONGEST_MESSAGE])
    if whole.startswith((b"From ", b">From ")):  # of an mbox
        whole = whole.partition(b"\n")[2]
    found: list[Part] = []
    _take_apart(whole, found, within=0, depth=0)
    return found


def fields_of(text: bytes) -> Fields:
    """The fields that a text holds up to its first empty line."""
    return _cut(_unix_lines(text))[0]


def blocks_of(text: bytes) -> list[Fields]:
    """Groups of fields with empty lines between them, as a delivery status has them (RFC 3464 section 2.1)."""
    blocks = re.split(rb"\n{2,}", _unix_lines(text[:_LONGEST_HEADER]), maxsplit=_MOST_FIELDS)
    return [fields for block in blocks if (fields := _fields(block)).pairs]


def addresses_in(value: str) -> list[str]:
    """The addresses in a field, without names and brackets. One with a quoted local part is not found."""
    words = _BETWEEN_ADDRESSES.split(value)
    return [word for word in words if "@" in word.strip("@") and len(word) <= _LONGEST_ADDRESS]


def _take_apart(raw: bytes, found: list[Part], *, within: int, depth: int) -> None:
    if len(found) >= _MOST_PARTS or depth > _DEEPEST:
        return
    fields, body = _cut(raw)
    content_type = fields.first("content-type")
    kind = content_type.partition(";")[0].strip().lower() or "text/plain"
    part = Part(kind, fields, _decoded(body, fields.first("content-transfer-encoding")), within)
    found.append(part)
    if kind in _MESSAGES:
        _take_apart(part.body, found, within=within + 1, depth=depth + 1)
    if kind.startswith("multipart/"):
        for inner in _between_boundaries(part.body, content_type):
            _take_apart(inner, found, within=within, depth=depth + 1)


def _between_boundaries(body: bytes, content_type: str) -> Iterator[bytes]:
    boundary = _BOUNDARY.search(content_type)
    if boundary is None:
        return
    name = (boundary[1] or boundary[2]).rstrip().encode("utf-8", "replace")
    begin = None
    for count, line in enumerate(re.finditer(rb"^--%b(--)?[ \t]*$" % re.escape(name), body, re.MULTILINE)):
        if begin is not None:
            yield body[begin : line.start()]
        begin = line.end() + 1
        if line[1] or count > _MOST_PARTS:
            return
    if begin is not None:
        yield body[begin:]


def _cut(raw: bytes) -> tuple[Fields, bytes]:
    """The header's fields, and what follows the empty line after it."""
    if raw.startswith(b"\n"):
        return Fields(()), raw[1:]
    header, _, body = raw.partition(b"\n\n")
    return _fields(header[:_LONGEST_HEADER]), body


def _fields(text: bytes) -> Fields:
    unfolded: list[tuple[str, list[str]]] = []
    is_known = False
    for line in text.decode("utf-8", "replace").split("\n"):
        if line.startswith((" ", "\t")):
            if is_known:
                unfolded[-1][1].append(line.strip())
            continue
        name, colon, value = line.partition(":")
        is_known = bool(colon) and _FIELD_NAME.fullmatch(name) is not None
        if is_known and len(unfolded) == _MOST_FIELDS:
            break
        if is_known:
            unfolded.append((name.rstrip().lower(), [value.strip()]))
    return Fields(tuple((name, " ".join(lines)[:_LONGEST_FIELD].strip()) for name, lines in unfolded))


def _decoded(body: bytes, encoding: str) -> bytes:
    match encoding.strip().lower():
        case "base64":
            letters = _NOT_BASE64.sub(b"", body)
            whole = letters if len(letters) % 4 != 1 else letters[:-1]
            return _unix_lines(binascii.a2b_base64(whole + b"=" * (-len(whole) % 4)))
        case "quoted-printable":
            return _unix_lines(binascii.a2b_qp(body))
        case _:
            return body


def _unix_lines(raw: bytes) -> bytes:
    return raw.replace(b"\r\n", b"\n")
