"""Tables as plain text: columns under their headings, folded to a width, wide characters counted as two.

Nearly every command ends in a table, and loading rich for one costs more than reading the record it shows.
"""

from __future__ import annotations

from collections.abc import Sequence

from incident.folding import fold, text_width

_GAP = "  "
_NARROWEST = 8


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
