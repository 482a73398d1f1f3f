"""The words of briefs and handovers, and how times, lengths of time and lists are written in them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from functools import cache
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from incident.record.facts import in_language

_FILE = Path(__file__).with_name("words.yaml")

InEach = dict[Literal["zh-Hans", "en"], str]


class _Vocabulary(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    audiences: dict[str, dict[Literal["title", "class"], InEach]]
    headings: dict[str, InEach]
    sure: dict[str, InEach]
    urgency: dict[str, InEach]
    roles: dict[str, InEach]
    askers: dict[str, InEach]
    effects: dict[str, InEach]
    reasons: dict[str, InEach]
    marks: dict[str, InEach]
    sentences: dict[str, InEach]


@cache
def vocabulary() -> _Vocabulary:
    """All words, as checked. Each stands in both languages."""
    from ruamel.yaml import YAML

    data: Any = YAML(typ="safe", pure=True).load(_FILE.read_text(encoding="utf-8"))
    return _Vocabulary.model_validate(data)


@dataclass(frozen=True)
class Words:
    """The words in one language, with the zone in which times are shown."""

    language: str
    zone: tzinfo

    @property
    def is_chinese(self) -> bool:
        return self.language.startswith("zh")

    def say(self, name: str, **values: object) -> str:
        """A sentence with its values filled in."""
        return self.pick(vocabulary().sentences[name]).format_map(values)

    def heading(self, name: str) -> str:
        return self.pick(vocabulary().headings[name])

    def mark(self, name: str) -> str:
        return self.pick(vocabulary().marks[name])

    def audience(self, name: str, what: Literal["title", "class"]) -> str:
        return self.pick(vocabulary().audiences[name][what])

    def word(
        self, group: Literal["sure", "urgency", "roles", "askers", "effects", "reasons"], key: str
    ) -> str:
        """The word for a key of a closed list; a key that is not in the list stands for itself."""
        words: dict[str, InEach] = getattr(vocabulary(), group)
        return self.pick(words[key]) if key in words else key

    def pick(self, texts: InEach) -> str:
        return texts["zh-Hans" if self.is_chinese else "en"]

    def named(self, names: Mapping[str, str]) -> str:
        """A name given by language in the settings, in the nearest of them; empty where there is none."""
        return in_language(names, self.language) if names else ""

    def time(self, moment: datetime) -> str:
        """A time in the zone with its offset: 2026-11-21 23:40 +08:00."""
        local = moment.astimezone(self.zone)
        offset = f"{local:%z}"
        return f"{local:%Y-%m-%d %H:%M} {offset[:3]}:{offset[3:5]}"

    def span(self, length: timedelta) -> str:
        """A length of time: 2 d 3 h, 3 h 20 min, 5 min."""
        minutes = int(abs(length).total_seconds() // 60)
        days, hours, rest = minutes // 1440, minutes % 1440 // 60, minutes % 60
        if self.is_chinese:
            if days:
                return f"{days} 天 {hours} 小时"
            return f"{hours} 小时 {rest} 分" if hours else f"{rest} 分钟"
        if days:
            return f"{days} d {hours} h"
        return f"{hours} h {rest:02d} min" if hours else f"{rest} min"

    def listed(self, items: Iterable[str]) -> str:
        """Short items in a row."""
        return ("、" if self.is_chinese else ", ").join(items)

    def joined(self, parts: Iterable[str]) -> str:
        """Statements in a row; empty ones are left out."""
        return ("；" if self.is_chinese else "; ").join(part for part in parts if part)

    def more(self, count: int, command: str) -> str:
        """That more could be told, and by which command; without one, that it could."""
        if not command:
            return self.say("more_plain", count=count)
        return self.say("more", count=count, command=command)
