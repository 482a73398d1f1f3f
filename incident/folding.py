"""Text in lines of a terminal: wide characters counted as two places, Chinese broken between its signs."""

from __future__ import annotations

import re
import unicodedata
from functools import cache

# A line may also break between Chinese signs, but not before a closing mark or after an opening one.
_HAN = "\u3000-\u303f\u3400-\u9fff\uff00-\uffef\u2014\u2026"
_OPENING, _CLOSING = "（《“「", "，。；：、？！）》”」…%"


@cache
def _word() -> re.Pattern[str]:
    # Compiled when a cell is too wide: in most tables none is.
    return re.compile(rf"[{_OPENING}]*(?:[{_HAN}]|[^\s{_HAN}{_OPENING}{_CLOSING}]*)[{_CLOSING}]*\s?")


def text_width(text: str) -> int:
    """How many places of a terminal the text takes (UAX 11: wide and full-width characters take two)."""
    if text.isascii():
        return len(text)
    return sum(_sign_width(sign) for sign in text)


def fold(text: str, width: int) -> list[str]:
    """The text in lines of at most `width` (2 or more): broken at its line breaks, between words, or within a long word."""
    lines = []
    for paragraph in text.split("\n"):
        if text_width(paragraph) <= width:
            lines.append(paragraph.rstrip())
            continue
        line, used = "", 0
        for word in _word().findall(paragraph):
            if line and used + text_width(word.rstrip()) > width:
                lines.append(line.rstrip())
                line, used = "", 0
            for sign in word:
                if used + _sign_width(sign) > width and not sign.isspace():
                    lines.append(line.rstrip())
                    line, used = "", 0
                line += sign
                used += _sign_width(sign)
        lines.append(line.rstrip())
    return lines


def _sign_width(sign: str) -> int:
    if unicodedata.combining(sign) or unicodedata.category(sign) in ("Cf", "Cc", "Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(sign) in "WF" else 1
