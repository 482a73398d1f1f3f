"""The sentences a notice is made of, how days and numbers are written, and text given by language. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, tzinfo
from functools import cache
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

_FILE = Path(__file__).with_name("phrases.yaml")
_MONTHS = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
]
_CHINESE = re.compile(r"[㐀-䶿一-鿿]")

Language = Literal["zh-Hans", "en"]
InEach = dict[Language, str]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class WordGroup(_Part):
    """Words that a notice should not hold, the reason that is told to its author, and what to write instead."""

    code: str
    why: InEach
    instead: InEach
    words: dict[Language, list[str]]


class Hedges(_Part):
    """Words that soften a statement, how many of them a notice may hold, and what to write instead."""

    limit: int = Field(ge=0)
    instead: InEach
    words: dict[Language, list[str]]


class Lint(_Part):
    """What the gate looks for in running text."""

    hedges: Hedges
    groups: list[WordGroup]
    shorteners: frozenset[str]


class Phrases(_Part):
    """The content of phrases.yaml."""

    sentences: dict[str, InEach]
    causes: dict[str, InEach]
    effects: dict[str, InEach]
    urgent_first: list[str]
    salutation: InEach
    lint: Lint

    def say(self, name: str, language: str, **values: str) -> str:
        """A sentence in a language with its values filled in."""
        return self.sentences[name][language_key(language)].format(**values)


@cache
def phrases() -> Phrases:
    """The shipped phrases."""
    from ruamel.yaml import YAML

    data: Any = YAML(typ="safe", pure=True).load(_FILE.read_text(encoding="utf-8"))
    return Phrases.model_validate(data)


def show_day(moment: datetime, language: str, zone: tzinfo) -> str:
    """A day as people read it: 2026年3月4日, 4 March 2026. `moment` is timezone-aware."""
    local = moment.astimezone(zone)
    if language == "zh-Hans":
        return f"{local.year}年{local.month}月{local.day}日"
    return f"{local.day} {_MONTHS[local.month - 1]} {local.year}"


def show_days(first: datetime, last: datetime, language: str, zone: tzinfo) -> str:
    """One day, or the two days between which something went on."""
    start, end = first.astimezone(zone), last.astimezone(zone)
    if start.date() == end.date():
        return show_day(first, language, zone)
    shown = show_day(last, language, zone)
    same_year, same_month = start.year == end.year, (start.year, start.month) == (end.year, end.month)
    if language == "zh-Hans":
        rest = f"{end.day}日" if same_month else f"{end.month}月{end.day}日" if same_year else shown
        return f"{show_day(first, language, zone)}至{rest}"
    month = _MONTHS[start.month - 1]
    begin = (
        f"{start.day}"
        if same_month
        else f"{start.day} {month}"
        if same_year
        else show_day(first, language, zone)
    )
    return f"{begin} to {shown}"


def show_number(number: int) -> str:
    """A whole number with thousands separated by commas."""
    return f"{number:,}"


def only_in_language(text: object, language: str) -> str | None:
    """A text fact in a language, or None when it was not given in it. Never the other language's text.

    A plain string counts as Chinese when it holds a Chinese character, otherwise as English.
    """
    if isinstance(text, Mapping):
        given = text.get(language)
        return given.strip() or None if isinstance(given, str) else None
    if isinstance(text, str) and text.strip():
        return text.strip() if language == ("zh-Hans" if _CHINESE.search(text) else "en") else None
    return None


def language_key(language: str) -> Language:
    """The key of a language in our own texts: Simplified Chinese, and English for everybody else."""
    return "zh-Hans" if language == "zh-Hans" else "en"
