"""The words of VERIS that our facts know (`veris.yaml`), for reading a record and for writing one."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict

from incident.record.fields import LANGUAGES, FrozenText
from incident.record.values import Certainty

ANY = "*"
UNKNOWN = "Unknown"
_FILE = Path(__file__).with_name("veris.yaml")


def _in_both(texts: dict[str, str]) -> dict[str, str]:
    if set(texts) != set(LANGUAGES):
        raise ValueError(f"a text is needed in each of {', '.join(LANGUAGES)}")
    return texts


TwoLanguages = Annotated[dict[str, str], AfterValidator(_in_both)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class DataWord(_Part):
    """`means`: the one kind of data of ours that the word can stand for."""

    people: Literal["yes", "maybe"]
    means: str | None = None


class CauseWords(_Part):
    """How a kind of cause is written; `actor` where it names one."""

    section: str
    word: str | None = None
    actor: str | None = None


class Finder(_Part):
    """A class of `discovery_method`; `before`: how the old single text began."""

    before: str
    text: TwoLanguages
    words: dict[str, TwoLanguages]


class Unanswered(_Part):
    """A question that no VERIS record answers."""

    field: str
    why: TwoLanguages


class VerisWords(_Part):
    """The whole table."""

    oldest: str
    newest: str
    written: str
    sure: dict[str, Certainty]
    data: dict[str, DataWord]
    data_else: str
    groups: dict[str, TwoLanguages]
    group_else: str
    effects: dict[Literal["integrity", "availability"], tuple[str, ...]]
    causes: dict[str, dict[str, str]]
    ransomware: dict[str, str]
    causes_out: dict[str, CauseWords]
    found_by: dict[str, Finder]
    cannot_say: tuple[Unanswered, ...]

    def group_called(self, text: str) -> str:
        """The word for a group of people that is called so in either language."""
        known = (word for word, titles in self.groups.items() if text in titles.values())
        return next(known, self.group_else)

    def finder_called(self, text: str | Mapping[str, str]) -> tuple[str, str] | None:
        """Class and word of `discovery_method` for a text of ours; None for any other text."""
        for name, finder in self.found_by.items():
            for word, titles in ((UNKNOWN, finder.text), *finder.words.items()):
                if text == FrozenText(titles) or text in titles.values():
                    return name, word
        return None


@cache
def veris_words() -> VerisWords:
    """The table, read once."""
    from ruamel.yaml import YAML

    return VerisWords.model_validate(YAML(typ="safe", pure=True).load(_FILE.read_text(encoding="utf-8")))
