"""Reading the words of a relay: enhanced status codes, and texts of a bounded length."""

from __future__ import annotations

import re

_ENHANCED = re.compile(r"([245]\.\d{1,3}\.\d{1,3})(?:\s|$)")
_LONGEST_TEXT = 1000


def enhanced_code(text: str) -> str | None:
    """The enhanced status code that a reply's text begins with (RFC 2034), or None."""
    found = _ENHANCED.match(text)
    return found[1] if found else None


def shortened(text: str) -> str:
    """The text on one line, without control characters, cut at 1,000 characters."""
    if not text.isprintable():
        text = "".join(c if c.isprintable() else " " for c in text)
    text = " ".join(text.split())
    return text if len(text) <= _LONGEST_TEXT else text[: _LONGEST_TEXT - 1] + "…"
