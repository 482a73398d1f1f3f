"""Languages of a notice: everything that is said in one is read from its folder, `templates/notice/<tag>/`.

`language.yaml` holds the sentences, dates, punctuation, the yardstick for reading and the words to avoid;
`catalogue.yaml` what the catalogues of the law and of measures say in this language, where they do not say it
themselves. A workspace may hold languages of its own; a file of its own wins over the shipped one of the same name.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, tzinfo
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, field_validator, model_validator

from incident.errors import NotFound
from incident.law.data import Strict, checked, read_file
from incident.notice.audience import FURTHER, Audience
from incident.notice.house_rules import house_rules
from incident.notice.language_keys import (
    DATES,
    SENTENCES,
    WORDS,
    faults_of_audience,
    faults_of_sentences,
    faults_of_text,
)
from incident.record.facts import field_catalogue
from incident.workspace import LANGUAGE_FILE, shipped

CATALOGUE_FILE = "catalogue.yaml"
_FOLDER = "notice"

_Words = Annotated[str, Field(min_length=1)]


class PlainText(StrEnum):
    """Which texts that were given without a language count as this one: those with a Han character, those without."""

    WITH_HAN = "with_han"
    WITHOUT_HAN = "without_han"
    NEVER = "never"


class Unit(StrEnum):
    """What the length of a sentence is counted in."""

    WORDS = "words"
    CHARACTERS = "characters"


class NextSentence(StrEnum):
    """What follows the mark at the end of a sentence: anything, a blank, or a blank and a capital or a digit."""

    ANYTHING = "anything"
    BLANK = "blank"
    CAPITAL = "capital"


class Grade(StrEnum):
    """The formula of the reading grade, where there is one for the language."""

    FLESCH_KINCAID = "flesch_kincaid"
    NONE = "none"


class Yardstick(Strict):
    """How reading it is measured. `highest_grade` counts only with a formula; `longest_for_young` is the limit of a
    sentence that is written for a child."""

    counts: Unit
    sentence_ends: _Words
    next_sentence: NextSentence
    longest_sentence: int = Field(ge=5)
    longest_for_young: int = Field(ge=5)
    longest_notice: int = Field(ge=100)
    grade: Grade = Grade.NONE
    highest_grade: float = 9.0


class Dates(Strict):
    """How a day and two days of one month, of one year, of two years are written. `months` gives `month_name`."""

    months: tuple[_Words, ...] = ()
    day: str
    within_month: str
    within_year: str
    across_years: str

    @model_validator(mode="after")
    def _values_are_known(self) -> Dates:
        _raise(
            fault
            for name, values in DATES.items()
            for fault in faults_of_text(name, getattr(self, name), values)
        )
        named = any("month_name" in getattr(self, name) for name in DATES)
        if (named or self.months) and len(self.months) != 12:
            raise ValueError(f"months has {len(self.months)} names of 12")
        return self


class Punctuation(Strict):
    """`comma` parts the items of a list, `last_comma` the last two, `clause` the parts of a line; `colon` follows a
    label, `gap` stands between sentences, `thousands` in numbers."""

    comma: str
    last_comma: Annotated[str, Field(min_length=1)]
    clause: str
    colon: str
    gap: str
    thousands: str


class TextHeading(Strict):
    """How a heading looks where there is no bold type."""

    form: str
    upper: bool = False

    @field_validator("form")
    @classmethod
    def _holds_the_heading(cls, form: str) -> str:
        _raise(faults_of_text("form", form, "heading"))
        return form


class AudienceWords(Strict):
    """What a reader other than the person is told in words of their own.

    `before` stands after the opening, `first_steps` before the things to do, `before_more` before what a law asks to be
    told in a person's words. `words` replace those of the language. The guardian's may name the `{child}`;
    `unnamed_child` stands where its name is not known. `informal` replaces polite forms in what the content says.
    """

    subject: str
    before: tuple[_Words, ...] = Field(min_length=1)
    first_steps: tuple[_Words, ...] = ()
    before_more: str = ""
    unnamed_child: str = ""
    informal: dict[_Words, str] = Field(default_factory=dict)
    words: dict[str, str]


class CategoryWords(Strict):
    title: _Words
    harm: _Words
    advice: _Words


class RemedyWords(Strict):
    offer: _Words


class ElementWords(Strict):
    title: _Words


class YoungWords(Strict):
    """What may happen and what to do, as it is said to a child."""

    harm: _Words
    advice: _Words


class Catalogue(Strict):
    """What the catalogues say in a language, by the key of the entry: rights by regime, authorities by regime and
    recipient.

    `young` holds simpler words for some kinds of data; the others are told to a child as to everybody.
    """

    categories: dict[str, CategoryWords] = Field(default_factory=dict)
    remedies: dict[str, RemedyWords] = Field(default_factory=dict)
    elements: dict[str, ElementWords] = Field(default_factory=dict)
    measures: dict[str, _Words] = Field(default_factory=dict)
    rights: dict[str, _Words] = Field(default_factory=dict)
    authorities: dict[str, dict[str, _Words]] = Field(default_factory=dict)
    young: dict[str, YoungWords] = Field(default_factory=dict)

    @field_validator(
        "categories", "remedies", "elements", "measures", "rights", "authorities", "young", mode="before"
    )
    @classmethod
    def _a_part_that_says_nothing_yet(cls, entries: Any) -> Any:
        return {} if entries is None else entries


def _of_fact(field: str, *, but: frozenset[str] = frozenset(), and_: frozenset[str] = frozenset()) -> Any:
    def check(texts: dict[str, str]) -> dict[str, str]:
        wanted = (frozenset(field_catalogue()[field].choices) - but) | and_
        _raise(faults_of_sentences(texts, longest=dict.fromkeys(sorted(wanted), "")))
        return texts

    return AfterValidator(check)


def _exactly(longest: Mapping[str, str]) -> Any:
    def check(texts: dict[str, str]) -> dict[str, str]:
        _raise(faults_of_sentences(texts, longest=longest))
        return texts

    return AfterValidator(check)


def _raise(faults: Iterator[str]) -> None:
    if found := list(faults):
        raise ValueError("; ".join(found))


def _as_texts(data: Any) -> Any:
    # `no` and `on` are words in some language; only what is text belongs here.
    if isinstance(data, Mapping):
        for key, text in data.items():
            if not isinstance(text, str):
                raise ValueError(f"{key} is no text; put it in quotes")
    return data


_UNKNOWN = frozenset({"unknown"})
_Texts = Annotated[dict[str, str], BeforeValidator(_as_texts)]


class Spoken(Strict):
    """The content of `language.yaml`. `name` is how the language calls itself, `fonts` a CSS list for its script,
    `logs` words by which a text says what the logs can show."""

    name: _Words
    direction: Annotated[str, Field(pattern="^(ltr|rtl)$")] = "ltr"
    fonts: Annotated[str, Field(pattern=r"^[A-Za-z0-9' ,-]+$")]
    plain_text: PlainText = PlainText.NEVER
    dates: Dates
    punctuation: Punctuation
    reading: Yardstick
    text_heading: TextHeading
    sentences: Annotated[_Texts, _exactly(SENTENCES)]
    causes: Annotated[_Texts, _of_fact("cause_kind", but=_UNKNOWN)]
    effects: Annotated[_Texts, _of_fact("breach_effects", and_=_UNKNOWN)]
    words: Annotated[_Texts, _exactly(WORDS)]
    audiences: dict[Audience, AudienceWords]
    avoid: dict[str, tuple[_Words, ...]]
    logs: tuple[_Words, ...] = ()

    @field_validator("audiences")
    @classmethod
    def _each_audience_has_its_words(
        cls, audiences: dict[Audience, AudienceWords]
    ) -> dict[Audience, AudienceWords]:
        faults = [f"{audience} is missing" for audience in FURTHER if audience not in audiences]
        faults += ["person has the words of the language itself"] if Audience.PERSON in audiences else []
        for audience in FURTHER:
            if audience in audiences:
                faults += [f"{audience}: {fault}" for fault in _faults_of(audience, audiences[audience])]
        _raise(iter(faults))
        return audiences

    @field_validator("avoid")
    @classmethod
    def _the_words_to_avoid_are_sorted(cls, words: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
        wanted = {"hedges", "for_the_young", *(group.code for group in house_rules().lint.groups)}
        faults = [f"{code} is missing" for code in sorted(wanted - words.keys())]
        faults += [f"{code} is no group of words to avoid" for code in sorted(words.keys() - wanted)]
        _raise(iter(faults))
        return words


def _faults_of(audience: Audience, told: AudienceWords) -> Iterator[str]:
    child = "child?" if audience is Audience.GUARDIAN else ""
    yield from faults_of_text("subject", told.subject, "organisation")
    for name in ("before", "first_steps"):
        for text in getattr(told, name):
            yield from faults_of_text(name, text, f"organisation? {child}")
    if audience is Audience.GUARDIAN and not told.unnamed_child:
        yield "unnamed_child is missing"
    if audience in (Audience.GUARDIAN, Audience.YOUNG) and not told.first_steps:
        yield "first_steps is missing"
    yield from faults_of_audience(audience, told.words)


class Language:
    """One language of a notice, ready to be written in. `tag` is its BCP 47 tag, the name of its folder."""

    def __init__(self, tag: str, spoken: Spoken, catalogue: Catalogue) -> None:
        self.tag = tag
        self.spoken = spoken
        self.catalogue = catalogue

    @property
    def reading(self) -> Yardstick:
        return self.spoken.reading

    @property
    def marks(self) -> Punctuation:
        return self.spoken.punctuation

    def say(self, name: str, **values: str) -> str:
        """A sentence with its values filled in."""
        return self.spoken.sentences[name].format(**values)

    def word(self, name: str, audience: Audience = Audience.PERSON) -> str:
        """A text around the content, in the words of an audience where it has its own; its values unfilled."""
        told = self.spoken.audiences.get(audience)
        return told.words.get(name, self.spoken.words[name]) if told else self.spoken.words[name]

    def day(self, moment: datetime, zone: tzinfo) -> str:
        """A day as people read it. `moment` is timezone-aware."""
        return self.spoken.dates.day.format(**self._date(moment.astimezone(zone)))

    def days(self, first: datetime, last: datetime, zone: tzinfo) -> str:
        """One day, or the two days between which something went on; nothing is said twice."""
        start, end = first.astimezone(zone), last.astimezone(zone)
        if start.date() == end.date():
            return self.day(first, zone)
        dates = self.spoken.dates
        form = dates.across_years
        if (start.year, start.month) == (end.year, end.month):
            form = dates.within_month
        elif start.year == end.year:
            form = dates.within_year
        return form.format(
            **self._date(start), **{f"last_{name}": part for name, part in self._date(end).items()}
        )

    def _date(self, local: datetime) -> dict[str, str]:
        months = self.spoken.dates.months
        return {
            "year": str(local.year),
            "month": str(local.month),
            "month_name": months[local.month - 1] if months else "",
            "day": str(local.day),
        }

    def number(self, number: int) -> str:
        """A whole number with its thousands parted."""
        return f"{number:,}".replace(",", self.marks.thousands)

    def listed(self, items: Sequence[str]) -> str:
        """Items as one line, parted by commas alone."""
        return self.marks.comma.join(items)

    def joined(self, words: Sequence[str]) -> str:
        """Words as part of a sentence: the last two are joined as the language joins them."""
        *others, last = words
        return f"{self.listed(others)}{self.marks.last_comma}{last}" if others else last

    def printed(self, kind: str, key: str, name: str, texts: Mapping[str, str]) -> str | None:
        """What an entry of a catalogue says in this language; None where nobody wrote it. Never in another language.

        `kind` is a part of `Catalogue`, `texts` what the entry itself holds by language.
        """
        entry = getattr(self.catalogue, kind).get(key)
        own = entry if isinstance(entry, str) else _part(entry, name)
        return own or texts.get(self.tag) or None


def _part(entry: object, name: str) -> Any:
    return entry.get(name) if isinstance(entry, Mapping) else getattr(entry, name, None)


class Languages(Mapping[str, Language]):
    """The languages in some folders of templates, each read when it is first asked for."""

    def __init__(self, places: Sequence[Path]) -> None:
        self._places = tuple(places)

    def __getitem__(self, tag: str) -> Language:
        """Raises `NotFound` naming the languages there are, `BadInput` naming file and line of what is wrong."""
        file = _first(self._places, tag, LANGUAGE_FILE)
        if file is None:
            raise NotFound(
                f"there is no language {tag!r} for notices",
                where=" or ".join(str(place / _FOLDER) for place in self._places) or "no folder of templates",
                next_step=f"languages are {', '.join(self) or 'none'}; docs/add-a-language.md shows how to add one",
            )
        catalogue = _first(self._places, tag, CATALOGUE_FILE)
        return Language(
            tag, _spoken(*_stamp(file)), _catalogue(*_stamp(catalogue)) if catalogue else Catalogue()
        )

    def file_of(self, tag: str) -> Path | None:
        """The `language.yaml` of a language; None where there is none."""
        return _first(self._places, tag, LANGUAGE_FILE)

    def __contains__(self, tag: object) -> bool:
        return isinstance(tag, str) and _first(self._places, tag, LANGUAGE_FILE) is not None

    def __iter__(self) -> Iterator[str]:
        return iter(
            sorted(
                {
                    file.parent.name
                    for place in self._places
                    for file in (place / _FOLDER).glob(f"*/{LANGUAGE_FILE}")
                }
            )
        )

    def __len__(self) -> int:
        return sum(1 for _ in self)


def languages_in(templates: Sequence[Path]) -> Languages:
    """The languages in these folders of templates; a file in an earlier folder wins."""
    return Languages(templates)


def shipped_languages() -> Languages:
    """The languages that are shipped, without a workspace's own."""
    return Languages((shipped("templates"),))


def language_files(place: Path) -> list[Path]:
    """The files of languages in one folder of templates."""
    found = [*(place / _FOLDER).glob(f"*/{LANGUAGE_FILE}"), *(place / _FOLDER).glob(f"*/{CATALOGUE_FILE}")]
    return sorted(found)


def _first(places: Sequence[Path], tag: str, name: str) -> Path | None:
    if "/" in tag or tag.startswith("."):
        return None
    files = (place / _FOLDER / tag / name for place in places)
    return next((file for file in files if file.is_file()), None)


def _stamp(file: Path) -> tuple[Path, int]:
    # A copy of the workspace's own may change while a worker lives.
    return file, file.stat().st_mtime_ns


@lru_cache(maxsize=32)
def _spoken(file: Path, stamp: int) -> Spoken:
    return checked(Spoken, read_file(file), name=str(file))


@lru_cache(maxsize=32)
def _catalogue(file: Path, stamp: int) -> Catalogue:
    return checked(Catalogue, read_file(file), name=str(file))
