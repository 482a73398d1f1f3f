"""A text as its reader counts it: in graphemes, the characters that are seen as one (UAX #29). Pure.

A family emoji is seven code points, a letter with a tone mark two; cut between them they become another character. The
standard library knows no property of UAX #29, and its rules change with each Unicode version: `regex` keeps to them.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from incident.errors import BadInput

ELLIPSIS = "…"


def graphemes(text: str) -> list[str]:
    """The extended grapheme clusters of a text, in order; joined again they are the text."""
    # ASCII without a carriage return has no cluster of two.
    if text.isascii() and "\r" not in text:
        return list(text)
    return _clusters()(text)


def shorten(text: str, most: int, *, ending: str = ELLIPSIS) -> str:
    """The text where it has at most `most` graphemes; otherwise its beginning, closed with `ending`, in so many.

    Raises `BadInput` where `most` has no room for the ending.
    """
    parts = graphemes(text)
    if len(parts) <= most:
        return text
    room = most - len(graphemes(ending))
    if room < 0:
        raise BadInput(f"{ending!r} does not fit into {most} characters", next_step="allow for more")
    return "".join(parts[:room]).rstrip() + ending


@cache
def _clusters() -> Callable[[str], list[str]]:
    import regex

    found: Callable[[str], list[str]] = regex.compile(r"\X").findall
    return found
