"""JSON as plain values with the line of every member; what is no strict JSON is refused.

The standard library's reader knows no lines, takes NaN, lets a name stand twice, and falls over deep nesting.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from collections.abc import Callable
from typing import Any

from incident.errors import BadInput
from incident.response.yamltext import DEEPEST, Path, YamlText

MOST_CHARACTERS = 8_000_000
MOST_VALUES = 200_000  # ten thousand steps hold about half of it

_BLANK = re.compile(r"[ \t\n\r]*")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]{0,307})(\.[0-9]{1,400})?([eE][+-]?[0-9]{1,3})?(?![0-9])")
_WORDS = {"true": True, "false": False, "null": None}
# The one part of the standard library's reader that is of use alone.
_string: Callable[[str, int], tuple[str, int]] = json.decoder.scanstring  # type: ignore[attr-defined]


def read_json(text: str, *, name: str) -> YamlText:
    """The values and lines of a JSON text. BadInput with its line where it is none, too large or too deep."""
    if len(text) > MOST_CHARACTERS:
        raise BadInput(
            f"this is too large for a playbook: {len(text):,} characters, at most {MOST_CHARACTERS:,}",
            where=name,
        )
    reader = _Reader(text, name)
    data = reader.value(reader.blank(0), (), 0)
    end = reader.blank(reader.at)
    if end < len(text):
        raise reader.wrong("something stands after the end of the JSON", end)
    return YamlText(data, reader.lines)


class _Reader:
    """`at` is where the value that was read last ended."""

    def __init__(self, text: str, name: str) -> None:
        self.text = text
        self.name = name
        self.lines: dict[Path, int] = {}
        self.count = 0
        self.at = 0
        self.breaks = [match.start() for match in re.finditer("\n", text)]

    def wrong(self, what: str, at: int) -> BadInput:
        return BadInput(f"this is not JSON: {what}", where=f"{self.name}:{self.line(at)}")

    def line(self, at: int) -> int:
        return bisect_right(self.breaks, at - 1) + 1

    def blank(self, at: int) -> int:
        found = _BLANK.match(self.text, at)
        return found.end() if found else at

    def value(self, at: int, path: Path, depth: int) -> Any:
        self.count += 1
        if self.count > MOST_VALUES or depth > DEEPEST:
            raise BadInput(
                "this is too large or too deep for a playbook", where=f"{self.name}:{self.line(at)}"
            )
        sign = self.text[at : at + 1]
        if sign == "{":
            return self.mapping(at + 1, path, depth)
        if sign == "[":
            return self.list(at + 1, path, depth)
        if sign == '"':
            return self.string(at)
        for word, value in _WORDS.items():
            if self.text.startswith(word, at):
                self.at = at + len(word)
                return value
        return self.number(at)

    def string(self, at: int) -> str:
        try:
            found, self.at = _string(self.text, at + 1)
        except ValueError as error:
            raise self.wrong(getattr(error, "msg", "a text does not end"), at) from None
        try:
            found.encode()
        except UnicodeEncodeError:
            raise self.wrong("half a sign (a lone surrogate) stands in a text", at) from None
        return found

    def number(self, at: int) -> int | float:
        match = _NUMBER.match(self.text, at)
        if match is None:
            raise self.wrong("a value was expected", at)
        self.at = match.end()
        if not match[1] and not match[2]:
            return int(match[0])
        found = float(match[0])
        if found in (float("inf"), float("-inf")):
            raise self.wrong("a number is too large", at)
        return found

    def mapping(self, at: int, path: Path, depth: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        at = self.blank(at)
        if self.text.startswith("}", at):
            self.at = at + 1
            return found
        while True:
            if not self.text.startswith('"', at):
                raise self.wrong("a name in quotes was expected", at)
            key = self.string(at)
            if key in found:
                raise self.wrong(f"“{key}” stands twice", at)
            self.lines[(*path, key)] = self.line(at)
            colon = self.blank(self.at)
            if not self.text.startswith(":", colon):
                raise self.wrong("“:” was expected", colon)
            found[key] = self.value(self.blank(colon + 1), (*path, key), depth + 1)
            at = self.blank(self.at)
            if self.text.startswith("}", at):
                self.at = at + 1
                return found
            at = self.after_comma(at)

    def list(self, at: int, path: Path, depth: int) -> list[Any]:
        found: list[Any] = []
        at = self.blank(at)
        if self.text.startswith("]", at):
            self.at = at + 1
            return found
        while True:
            self.lines[(*path, len(found))] = self.line(at)
            found.append(self.value(at, (*path, len(found)), depth + 1))
            at = self.blank(self.at)
            if self.text.startswith("]", at):
                self.at = at + 1
                return found
            at = self.after_comma(at)

    def after_comma(self, at: int) -> int:
        if not self.text.startswith(",", at):
            raise self.wrong("“,” was expected", at)
        return self.blank(at + 1)
