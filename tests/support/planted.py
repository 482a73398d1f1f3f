"""Texts that occur nowhere else, and the search for them in every form in which a text can lie in a file."""

from __future__ import annotations

import base64
import json
import string
from collections.abc import Iterable, Iterator
from urllib.parse import quote

_ENCODINGS = ("utf-8", "utf-16-le", "utf-16-be", "gb18030")
# Shorter forms would be met by chance in a hundred megabytes.
_SHORTEST = 8


class Planted:
    """Finds planted texts: in four encodings, and as base64, hex, quoted-printable, URL or JSON escapes of them."""

    def __init__(self, texts: Iterable[str]) -> None:
        self.texts = frozenset(texts)
        self._forms: dict[bytes, str] = {}
        for text in self.texts:
            for spelling in {text, text.lower(), text.upper()}:
                for form in _forms(spelling):
                    assert len(form) >= _SHORTEST, f"{text} is too short to be told from chance as {form!r}"
                    self._forms[form] = text

    def found_in(self, raw: bytes) -> set[str]:
        """Which of the texts are there, in whatever form."""
        return {text for form, text in self._forms.items() if form in raw}


def _forms(text: str) -> Iterator[bytes]:
    yield json.dumps(text)[1:-1].encode()
    yield json.dumps(text)[1:-1].upper().encode()
    for encoding in _ENCODINGS:
        raw = text.encode(encoding)
        yield raw
        yield raw.hex().encode()
        yield raw.hex().upper().encode()
        yield from _in_base64(raw)
    for encoding in ("utf-8", "gb18030"):
        raw = text.encode(encoding)
        yield from _with_escapes(raw, sign="=")
        yield from _with_escapes(raw, sign="%")
        yield from _with_escapes(raw, sign="\\x")
    yield quote(text).encode()


def _in_base64(raw: bytes) -> Iterator[bytes]:
    """What does not depend on its neighbours, for each of the three places at which a text can begin."""
    for before in range(3):
        whole = base64.b64encode(bytes(before) + raw)
        first = (before * 8 + 5) // 6
        last = (before + len(raw)) * 8 // 6
        inner = whole[first:last]
        yield inner
        yield inner.translate(bytes.maketrans(b"+/", b"-_"))


# What may stand for itself: nothing, letters and digits, those and what headers and URLs leave, all that can be seen.
_ALNUM = string.ascii_letters + string.digits
_PLAIN = ("", _ALNUM, f"{_ALNUM}-!*+/", f"{_ALNUM}-._~", "".join(map(chr, range(33, 127))))


def _with_escapes(raw: bytes, *, sign: str) -> Iterator[bytes]:
    """Bytes as `=E6`, `%e6` or `\\xe6`: all of them, or those that may not stand for themselves."""
    for plain in _PLAIN:
        kept = set(plain.encode()) - set(b"=%\\")
        for pattern in ("02X", "02x"):
            yield "".join(chr(byte) if byte in kept else f"{sign}{byte:{pattern}}" for byte in raw).encode()
