"""What holds for a notice in every language: whose advice comes first, and which kinds of words it must not hold."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from pydantic import Field

from incident.law.data import Strict, checked, read_file

_FILE = Path(__file__).with_name("house_rules.yaml")

InBoth = dict[str, str]
"""A text for those who write the notice, in Chinese and English."""


class WordGroup(Strict):
    """Words that a notice should not hold: the reason that is told to its author, and what to write instead."""

    code: str
    why: InBoth
    instead: InBoth


class Hedges(Strict):
    """Words that soften a statement: how many of them a notice may hold, and what to write instead."""

    limit: int = Field(ge=0)
    instead: InBoth


class Lint(Strict):
    """What the gate looks for in running text. The words are each language's own."""

    hedges: Hedges
    groups: tuple[WordGroup, ...]
    shorteners: frozenset[str]
    known_names: frozenset[str]


class HouseRules(Strict):
    """The content of house_rules.yaml."""

    urgent_first: tuple[str, ...]
    lint: Lint


@cache
def house_rules() -> HouseRules:
    """The shipped rules."""
    return checked(HouseRules, read_file(_FILE), name=_FILE.name)
