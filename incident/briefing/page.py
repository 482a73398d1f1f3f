"""One page: how much room lines take, and what is left out where there is too much. Pure.

Room is counted in lines of A4 in the type of the shipped template; a test prints the worst cases and counts pages.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import replace

from incident.briefing.sheet import Frame, Line, Section

# Places in a line: of text beside a label, of text without one, of the label; wide characters count as two. And the lines
# of a page between its title and its foot; a rehearsal says that it is one and takes some of them.
WIDTH = 82
_WHOLE_WIDTH = 108
_LABEL_WIDTH = 24
ROOM = 51.5
_META_WIDTH = 104
_DRILL = 2.2
# What a heading takes with the space around it, and the space between two lines.
_HEADING = 1.65
_BETWEEN = 0.06
_MORE = 1.2
# A single text longer than this would push the rest from the page.
LONGEST = 4 * WIDTH


def width_of(text: str) -> int:
    """How many places a text takes (UAX 11: wide and full-width characters take two)."""
    if text.isascii():
        return len(text)
    return sum(2 if unicodedata.east_asian_width(sign) in "WF" else 1 for sign in text)


def on_one_line(text: str) -> str:
    """A text without line breaks and characters that are not shown: what a person typed keeps to its place."""
    return " ".join("".join(" " if sign.isspace() else sign for sign in text if _is_shown(sign)).split())


def _is_shown(sign: str) -> bool:
    return sign.isspace() or unicodedata.category(sign) not in ("Cc", "Cf", "Cs", "Co", "Cn")


def shortened(text: str, longest: int = LONGEST) -> str:
    """The beginning of a text that is too long, ended by an ellipsis."""
    if width_of(text) <= longest:
        return text
    kept, used = [], 2
    for sign in text:
        used += width_of(sign)
        if used > longest:
            break
        kept.append(sign)
    return "".join(kept).rstrip() + "…"


def room_of(section: Section) -> float:
    """The lines that a section takes on the page."""
    shown = sum(_room_of_line(line) for line in section.lines)
    return _HEADING + shown + (_MORE if section.hidden else 0.0)


def _room_of_line(line: Line) -> float:
    # Marks and note follow the text on the same line.
    places = width_of(line.text) + width_of(line.note) + sum(width_of(mark) + 3 for mark in line.marks)
    places += 3 if line.note else 0
    label = -(-width_of(line.label) // _LABEL_WIDTH)
    # Words are not broken, so that lines end early; a tenth is what that takes in the worst of our texts.
    wide = WIDTH if line.label else _WHOLE_WIDTH
    return max(-(-int(places * 1.1) // wide), label, 1) + _BETWEEN


def fit(sections: Sequence[Section], *, room: float = ROOM) -> tuple[Section, ...]:
    """The sections on one page: empty ones left out, texts kept to a length, and the rest cut where it is longest.

    Lines go from the end of the section that has most above what it keeps at least. Where every section is down to
    that, texts are cut shorter, and at the very last each section keeps but its first line.
    """
    kept = [tidy(section, LONGEST) for section in sections if section.lines]
    for limit in (LONGEST, 2 * WIDTH, WIDTH):
        kept = _cut([tidy(section, limit) for section in kept], room)
        if _total(kept) <= room:
            return tuple(kept)
    kept = _cut([replace(section, least=1) for section in kept], room)
    if _total(kept) > room:
        kept = [tidy(section, WIDTH // 2) for section in kept]
    return tuple(kept)


def _cut(sections: list[Section], room: float) -> list[Section]:
    kept = list(sections)
    while _total(kept) > room:
        longest = max(kept, key=_spare, default=None)
        if longest is None or _spare(longest) <= 0:
            break
        shorter = replace(longest, lines=longest.lines[:-1], hidden=longest.hidden + 1)
        kept[kept.index(longest)] = shorter
    return kept


def room_below(frame: Frame) -> float:
    """The lines that a page has for its sections."""
    meta = -(-width_of(frame.meta) // _META_WIDTH)
    return ROOM - (meta - 1) - (_DRILL if frame.drill else 0.0)


def _total(sections: Sequence[Section]) -> float:
    return sum(map(room_of, sections))


def _spare(section: Section) -> float:
    """How much room a section can give: that of its lines beyond the least."""
    return sum(_room_of_line(line) for line in section.lines[section.least :])


def tidy(section: Section, limit: int = LONGEST) -> Section:
    """The section with each text on one line and no longer than `limit` places."""

    def kept(line: Line) -> Line:
        return replace(
            line,
            text=shortened(on_one_line(line.text), limit),
            note=shortened(on_one_line(line.note), min(limit, 2 * WIDTH)),
            label=shortened(on_one_line(line.label), 2 * _LABEL_WIDTH),
            marks=tuple(shortened(on_one_line(mark), _LABEL_WIDTH) for mark in line.marks),
        )

    return replace(section, lines=tuple(map(kept, section.lines)))


def change_texts(section: Section, change: Callable[[str], str]) -> Section:
    """The section with every text that came from the record changed."""
    return replace(
        section,
        lines=tuple(
            replace(
                line,
                text=change(line.text),
                label=change(line.label),
                note=change(line.note),
                marks=tuple(map(change, line.marks)),
            )
            for line in section.lines
        ),
    )


# Signs that must not begin a line (GB/T 15834): they hang over its end instead.
_NEVER_FIRST = frozenset("，。、；：？！）》」』】”’…")


def folded(text: str, width: int) -> list[str]:
    """The text in lines of at most `width` places, broken between words or between Chinese characters."""
    lines, line, used = [], "", 0
    for piece in _pieces(text):
        taken = width_of(piece.rstrip())
        if line and used + taken > width and piece not in _NEVER_FIRST:
            lines.append(line.rstrip())
            line, used = "", 0
            piece = piece.lstrip()
        line += piece
        used += width_of(piece)
    return [*lines, line.rstrip()]


def _pieces(text: str) -> list[str]:
    """Words with the space after them, and wide characters one by one; words that no line could hold in parts."""
    pieces: list[str] = []
    word = ""
    for sign in text:
        wide = width_of(sign) == 2
        if word and (wide or word[-1] == " " or len(word) >= _LONGEST_WORD):
            pieces.append(word)
            word = ""
        if wide:
            pieces.append(sign)
        else:
            word += sign
    return [*pieces, word] if word else pieces


_LONGEST_WORD = 64
