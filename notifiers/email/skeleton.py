"""One skeleton for each template and language: what is fixed is encoded once, persons are put in.

The bodies are base64. A base64 line may end early, and every third byte starts afresh; so each fixed
piece of a body is encoded beforehand for the three ways it can be aligned after a value, and a message
only encodes its values and the one or two bytes at each seam. A message thus costs its values, not its
length.
"""

from __future__ import annotations

import hashlib
import html
import re
from binascii import b2a_base64
from collections.abc import Callable, Mapping
from datetime import datetime

from notifiers.email.headers import address_field, date_field, message_id_field, text_field, token_field
from notifiers.email.message import NOT_IN_A_LINE, SLOT, Address, MailTemplate, SkeletonMessage
from notifiers.errors import BadMessage

_LINE_BYTES = 57  # 76 base64 characters, the longest line of RFC 2045 section 6.8
_DEFAULT_HEADERS = {"Auto-Submitted": "auto-generated", "X-Auto-Response-Suppress": "OOF, AutoReply"}
_LINE_END = re.compile(r"\r\n|\r|\n")
_HTML_SPECIAL = re.compile("[&<>\"']")

_Piece = tuple[bytes, bytes, bytes]
"""A fixed piece in one alignment: bytes left for the seam before, encoded lines, bytes for the seam after."""


def base64_lines(raw: bytes) -> bytes:
    """Base64 in lines of at most 76 characters, each with its CRLF."""
    if len(raw) <= _LINE_BYTES:
        return b2a_base64(raw, newline=False) + b"\r\n" if raw else b""
    encoded = b2a_base64(raw, newline=False)
    return b"\r\n".join([encoded[i : i + 76] for i in range(0, len(encoded), 76)]) + b"\r\n"


def _aligned(raw: bytes) -> tuple[_Piece, _Piece, _Piece]:
    pieces = []
    for head in range(3):
        rest = raw[head:]
        whole = len(rest) - len(rest) % 3
        pieces.append((raw[:head], base64_lines(rest[:whole]), rest[whole:]))
    return pieces[0], pieces[1], pieces[2]


class _Body:
    """A body with its fixed pieces encoded and the names of the slots between them."""

    def __init__(self, body: str) -> None:
        pieces = SLOT.split(_LINE_END.sub("\r\n", body))
        first = pieces[0].encode("utf-8")
        whole = len(first) - len(first) % 3
        self._start = base64_lines(first[:whole])
        self._start_tail = first[whole:]
        self._rest = [
            (name, _aligned(fixed.encode("utf-8")))
            for name, fixed in zip(pieces[1::2], pieces[2::2], strict=True)
        ]
        self.slots = frozenset(pieces[1::2])

    def fill(self, values: Mapping[str, bytes], out: list[bytes]) -> None:
        """Append the body with `values` (UTF-8, escaped as the part needs) as base64 lines to `out`."""
        seam = self._start_tail
        out.append(self._start)
        for name, aligned in self._rest:
            seam += values[name]
            head, lines, tail = aligned[-len(seam) % 3]
            seam += head
            if not lines:
                # A piece shorter than its alignment leaves the seam open for the next value.
                seam += tail
                continue
            if seam:
                out.append(base64_lines(seam))
            out.append(lines)
            seam = tail
        if seam:
            out.append(base64_lines(seam))


class Skeleton:
    """A template made ready for many persons. Rendering is a pure function of its arguments.

    `slots` are the names a message needs values for.
    """

    def __init__(self, template: MailTemplate) -> None:
        self.template = template
        self._text = _Body(template.text)
        self._html = _Body(template.html) if template.html is not None else None
        subject_slots = frozenset(SLOT.findall(template.subject))
        self._subject_pieces = SLOT.split(template.subject) if subject_slots else None
        html_slots = self._html.slots if self._html else frozenset()
        self.slots: frozenset[str] = self._text.slots | html_slots | subject_slots
        self._html_slots = tuple(sorted(html_slots))
        self._slot_list = tuple(sorted(self.slots))
        self._to_body, self._between, self._end = self._frame()

    def _frame(self) -> tuple[bytes, bytes, bytes]:
        template = self.template
        extra = dict(template.headers)
        taken = {name.lower() for name in extra}
        extra |= {name: value for name, value in _DEFAULT_HEADERS.items() if name.lower() not in taken}
        head = [address_field("From", template.sender)]
        if template.reply_to:
            head.append(address_field("Reply-To", template.reply_to))
        if self._subject_pieces is None:
            head.append(text_field("Subject", template.subject))
        head += [token_field(name, extra[name]) for name in sorted(extra)]
        head.append(token_field("Content-Language", template.language))
        head.append(b"MIME-Version: 1.0\r\n")
        plain = _part_head("plain")
        if template.html is None:
            return b"".join([*head, plain, b"\r\n"]), b"", b""
        boundary = self._boundary()
        head.append(b'Content-Type: multipart/alternative;\r\n boundary="' + boundary + b'"\r\n\r\n')
        opening = b"--" + boundary + b"\r\n"
        # The CRLF that ends the last base64 line is the one that belongs to the delimiter (RFC 2046
        # section 5.1.1); a blank line in base64 is what some spam filters count.
        return (
            b"".join([*head, opening, plain, b"\r\n"]),
            opening + _part_head("html") + b"\r\n",
            b"--" + boundary + b"--\r\n",
        )

    def _boundary(self) -> bytes:
        # "=_" cannot stand in base64, so no body can hold the boundary, whatever the values are.
        digest = hashlib.sha256()
        for part in (self.template.subject, self.template.text, self.template.html or ""):
            digest.update(hashlib.sha256(part.encode("utf-8")).digest())
        return b"=_" + digest.hexdigest()[:32].encode("ascii")

    def render(
        self, values: Mapping[str, str], *, to: Address, message_id: str, date: datetime
    ) -> SkeletonMessage:
        """The message of one person: CRLF line ends, pure ASCII, the same bytes for the same arguments.

        Values stand verbatim in the subject and the text and HTML-escaped in the HTML; they are never
        searched for slots. Raises BadMessage for a missing value and for one with a line break, control
        character or lone surrogate. Values that no slot asks for are ignored.
        """
        raw = {name: self._checked(name, values) for name in self._slot_list}
        plain = {name: value.encode("utf-8") for name, value in raw.items()}
        out = [date_field(date), message_id_field(message_id), address_field("To", to)]
        if self._subject_pieces is not None:
            out.append(text_field("Subject", _joined(self._subject_pieces, raw.__getitem__)))
        out.append(self._to_body)
        self._text.fill(plain, out)
        if self._html is not None:
            out.append(self._between)
            self._html.fill(self._escaped(raw, plain), out)
            out.append(self._end)
        return SkeletonMessage(b"".join(out))

    def _checked(self, name: str, values: Mapping[str, str]) -> str:
        value = values.get(name)
        if value is None:
            raise BadMessage("no value was given for this slot", where=f"slot {name}")
        if NOT_IN_A_LINE.search(value):
            raise BadMessage("a line break or control character is not allowed here", where=f"slot {name}")
        return value

    def _escaped(self, raw: Mapping[str, str], plain: Mapping[str, bytes]) -> dict[str, bytes]:
        return {
            name: html.escape(raw[name]).encode("utf-8") if _HTML_SPECIAL.search(raw[name]) else plain[name]
            for name in self._html_slots
        }


def _part_head(subtype: str) -> bytes:
    return (f"Content-Type: text/{subtype}; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n").encode(
        "ascii"
    )


def _joined(pieces: list[str], value_of: Callable[[str], str]) -> str:
    return "".join(value_of(piece) if index % 2 else piece for index, piece in enumerate(pieces))
