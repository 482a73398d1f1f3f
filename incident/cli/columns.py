"""Tables as plain text: columns under their headings, folded to a width, wide characters counted as two.

Nearly every command ends in a table, and loading rich for one costs more than reading the record it shows.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import cache

_GAP = "  "
_NARROWEST = 8
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


def as_columns(heads: Sequence[str], rows: Sequence[Sequence[str]], *, width: int) -> list[str]:
    """The lines of a table: headings, a rule, the rows; at most `width` wide where the first column allows it.

    The first column is never folded: it is what people copy into the next command.
    """
    widths = [max(map(_widest_line, column)) for column in zip(heads, *rows, strict=True)]
    _shrink(widths, width - len(_GAP) * (len(widths) - 1))
    lines = _row(heads, widths)
    lines.append(_GAP.join("─" * each for each in widths))
    for row in rows:
        lines += _row(row, widths)
    return lines


def _widest_line(cell: str) -> int:
    return max(map(text_width, cell.split("\n")))


def _shrink(widths: list[int], room: int) -> None:
    while sum(widths) > room:
        widest = max(range(1, len(widths)), key=widths.__getitem__, default=0)
        if not widest or widths[widest] <= _NARROWEST:
            return
        widths[widest] -= 1


def _row(cells: Sequence[str], widths: Sequence[int]) -> list[str]:
    folded = [
        cells[0].split("\n"),
        *(fold(cell, width) for cell, width in zip(cells[1:], widths[1:], strict=True)),
    ]
    lines = []
    for number in range(max(map(len, folded))):
        parts = [cell[number] if number < len(cell) else "" for cell in folded]
        padded = (part + " " * (width - text_width(part)) for part, width in zip(parts, widths, strict=True))
        lines.append(_GAP.join(padded).rstrip())
    return lines


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
