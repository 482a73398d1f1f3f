"""What a VERIS record says, as facts of ours: nothing that it leaves open becomes certain on the way.

Records are not people, lengths of time are not moments, a country is the organisation's, and “potentially” is
possible. A word that answers none of our questions is kept in the log as it was written; so is a word that could mean
two things to us. Nothing is stated for Unknown: the question stays open.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, tzinfo
from functools import cached_property
from typing import Any

from incident.errors import BadInput
from incident.record.fields import FrozenText, field_catalogue, field_named, in_language
from incident.record.values import Certainty, Fact, Value, parse_time, parse_value, value_from_json
from incident.record.veris_document import Confidentiality, Section, VerisDocument, check_veris, find_veris
from incident.record.veris_words import ANY, UNKNOWN, Finder, VerisWords, veris_words

SOURCE = "VERIS"
OWN = "tocsin"
"""The key below `plus` where an export of ours keeps what VERIS has no place for."""
OWN_FIELDS = (
    *("occurred_at", "ended_at", "discovered_at", "personal_data_breach", "breach_effects", "cause_kind"),
    *("ransomware", "persons", "records", "data_categories"),
)
"""The fields that stand there: all typed, none of them free text or a judgement of the law."""
CVE = re.compile(r"CVE-[0-9]{4}-[0-9]{4,19}")

_CONFIRMED, _SUSPECTED, _NEAR_MISS, _FALSE = "Confirmed", "Suspected", "Near miss", "False positive"
_YES, _POTENTIALLY, _NO = "Yes", "Potentially", "No"
_CLOCK = re.compile(r"(0[0-9]|1[0-2]):([0-5][0-9]):([0-5][0-9]) ([AP])M")
_TOO_WIDE = "data_categories"
_LONGEST_TITLE = 100
_LONGEST_NOTE = 18_000
_LONGEST_LINE = 1_000
_NOT_IN_NOTE = frozenset({"schema_version", "incident_id", "source_id", "summary"})
_NOTE = {
    "en": "VERIS {version} record {id}{source}, read from {file}. In its own words:",
    "zh-Hans": "VERIS {version} 记录 {id}{source}，读自 {file}。原文内容：",
}
_SOURCE_WORDS = {"en": " of {source}", "zh-Hans": "（来源 {source}）"}
_MORE = {"en": "{count} more lines are left out", "zh-Hans": "另有 {count} 行未收录"}


@dataclass(frozen=True)
class Gap:
    """A question that the record does not answer and a person must be asked; `why` by language."""

    field: str
    why: Mapping[str, str]


@dataclass(frozen=True)
class VerisRecord:
    """A record as it is taken over. `note` is the log's entry: what the record says in its own words."""

    incident_id: str
    version: str
    title: str
    facts: tuple[Fact, ...]
    note: str
    gaps: tuple[Gap, ...]
    newer: bool
    """Whether its version is newer than the known ones, so that a word may mean something new."""


@dataclass(frozen=True)
class _Stated:
    value: Value
    sure: Certainty


def read_veris(
    content: bytes, *, name: str, zone: tzinfo, known_at: datetime, said_by: str, language: str
) -> VerisRecord | None:
    """What a file says if it holds a VERIS record; None if it is something else.

    `name` is how errors call the file. `zone`: of a time of day, as VERIS knows no zones. `known_at`: since when the
    facts are known here; nothing in the record may lie behind it. `said_by` holds where the record names no source of
    its own. `language` is the record's: of the names of groups, and of the note's first line.
    Raises `BadInput` naming the place by its path in the record.
    """
    raw = find_veris(content, name=name)
    if raw is None:
        return None
    document = check_veris(raw, name=name)
    reader = _Reader(document, veris_words(), name, zone, known_at, language)
    stated = reader.stated()
    who = _name(document.source_id) or said_by
    # A kind of data that a word names does not say which others there are; only an export of ours does.
    settled = stated.keys() - {_TOO_WIDE} | reader.own.keys()
    facts = tuple(
        Fact(field, stated[field].value, who, SOURCE, stated[field].sure, known_at)
        for field in field_catalogue()
        if field in stated
    )
    cannot_say = (Gap(each.field, each.why) for each in reader.words.cannot_say)
    return VerisRecord(
        _name(document.incident_id),
        document.schema_version,
        _title(document),
        facts,
        _note(document, raw, name, language),
        tuple(gap for gap in cannot_say if gap.field not in settled),
        _is_newer(document.schema_version, reader.words),
    )


class _Reader:
    """One record, read into facts."""

    def __init__(
        self,
        document: VerisDocument,
        words: VerisWords,
        name: str,
        zone: tzinfo,
        known_at: datetime,
        language: str,
    ) -> None:
        self.words = words
        self._document = document
        self._name, self._zone, self._known_at, self._language = name, zone, known_at, language
        self._secrecy = document.attribute.confidentiality
        self._check_words()

    def stated(self) -> dict[str, _Stated]:
        base = self.words.sure.get(self._document.confidence or "", Certainty.claimed)
        values = {
            "occurred_at": self._occurred_at(),
            "personal_data_breach": self._breach(),
            "breach_effects": self._effects(),
            "cause_kind": self._cause(),
            "ransomware": self._ransomware(),
            "records": self._records(),
            "data_categories": self._categories(),
            "subject_categories": self._groups(),
            "found_by": self._found_by(),
            "what_happened": self._summary(),
            "vulnerabilities": self._vulnerabilities(),
            "economic_loss": self._loss(),
        }
        found = {name: _Stated(value, base) for name, value in values.items() if value is not None}
        unsure = {_TOO_WIDE, *(["breach_effects"] if self._is_unsure else [])}
        for name in unsure & found.keys():
            found[name] = _Stated(found[name].value, Certainty.assumed)
        return found | self.own

    def _check_words(self) -> None:
        """The two words on which everything hangs must be known; of the others an unknown one does no harm."""
        kinds = (_CONFIRMED, _SUSPECTED, _NEAR_MISS, _FALSE)
        self._must_be_one_of(self._document.security_incident, kinds, "security_incident")
        if self._secrecy is not None:
            answers = (_YES, _POTENTIALLY, _NO, UNKNOWN)
            path = "attribute.confidentiality.data_disclosure"
            self._must_be_one_of(self._secrecy.data_disclosure, answers, path)

    def _must_be_one_of(self, word: str, known: tuple[str, ...], path: str) -> None:
        if word not in known:
            raise BadInput(
                f"“{word}” is none of: {', '.join(known)}",
                where=f"{self._name}, {path}",
                next_step="use one of these words; whether there was a breach hangs on it",
            )

    # -- what happened ------------------------------------------------------------------------------

    @property
    def _happened(self) -> bool:
        return self._document.security_incident in (_CONFIRMED, _SUSPECTED)

    @property
    def _is_unsure(self) -> bool:
        return self._document.security_incident == _SUSPECTED or self._disclosure == _POTENTIALLY

    @property
    def _disclosure(self) -> str:
        return self._secrecy.data_disclosure if self._secrecy is not None else UNKNOWN

    def _breach(self) -> str | None:
        """“No” says that nothing was disclosed, which is not that no personal data was touched: it stays open."""
        if self._document.security_incident == _FALSE:
            return "none"
        people = self._about_people(self._secrecy)
        if not self._happened or not people or self._disclosure not in (_YES, _POTENTIALLY):
            return None
        certain = self._disclosure == _YES and self._document.security_incident == _CONFIRMED
        return "actual" if certain and people == "yes" else "possible"

    def _about_people(self, secrecy: Confidentiality | None) -> str:
        if secrecy is None:
            return ""
        found = {
            self.words.data[each.variety].people for each in secrecy.data if each.variety in self.words.data
        }
        if any(word in self.words.groups for word in secrecy.data_victim):
            found.add("maybe")
        return "yes" if "yes" in found else "maybe" if found else ""

    def _effects(self) -> tuple[str, ...] | None:
        if not self._happened:
            return None
        found = ["confidentiality"] if self._disclosure in (_YES, _POTENTIALLY) else []
        parts = {"integrity": self._document.attribute.integrity}
        parts["availability"] = self._document.attribute.availability
        for effect, known in self.words.effects.items():
            section = parts[effect]
            if section is not None and any(word in known for word in section.variety):
                found.append(effect)
        return tuple(found) or None

    def _cause(self) -> str | None:
        """The one kind of cause that every action amounts to; of several, VERIS does not say which came first."""
        actors = set(self._document.actor)
        if actors == {"partner"}:
            return "supplier"
        kinds = {
            self._cause_of(name, word)
            for name, section in self._document.action.items()
            for word in section.variety or [UNKNOWN]
        }
        if len(kinds) != 1:
            return None
        [kind] = kinds
        return None if kind == "insider" and actors != {"internal"} else kind

    def _cause_of(self, section: str, word: str) -> str | None:
        known = self.words.causes.get(section, {})
        return known.get(word, known.get(ANY))

    def _ransomware(self) -> bool | None:
        """Only that it was: a record that does not name it may not have looked."""
        named = (
            word in self._document.action.get(section, Section()).variety
            for section, word in self.words.ransomware.items()
        )
        return True if any(named) else None

    def _vulnerabilities(self) -> str | None:
        found = [
            each
            for section in self._document.action.values()
            for each in CVE.findall((section.cve or "").upper())
        ]
        return ", ".join(dict.fromkeys(found)) or None

    def _summary(self) -> Value | None:
        text = (self._document.summary or "").strip()
        return self._parsed("what_happened", text, "summary") if text else None

    # -- how many, of what, of whom -----------------------------------------------------------------

    def _records(self) -> Value | None:
        """The total, or what the amounts of the kinds leave possible: one record may be of several kinds."""
        if self._secrecy is None:
            return None
        if self._secrecy.data_total is not None:
            return self._parsed("records", self._secrecy.data_total, "attribute.confidentiality.data_total")
        amounts = [each.amount for each in self._secrecy.data if each.amount is not None]
        if not amounts:
            return None
        all_told = len(amounts) == len(self._secrecy.data)
        bounds = {"min": max(amounts), **({"max": sum(amounts)} if all_told else {})}
        return self._parsed("records", bounds, "attribute.confidentiality.data")

    def _categories(self) -> tuple[str, ...] | None:
        """Only where each word names exactly one kind: a list that looks whole and is not would hide the rest."""
        if self._secrecy is None or not self._happened or self._disclosure not in (_YES, _POTENTIALLY):
            return None
        known = [self.words.data.get(each.variety) for each in self._secrecy.data]
        kinds = [word.means for word in known if word is not None and word.means is not None]
        return tuple(dict.fromkeys(kinds)) if kinds and len(kinds) == len(known) else None

    def _groups(self) -> tuple[str, ...] | None:
        named = self._secrecy.data_victim if self._secrecy is not None else []
        known = [self.words.groups[word] for word in named if word in self.words.groups]
        return tuple(in_language(titles, self._language) for titles in known) or None

    def _loss(self) -> Value | None:
        impact = self._document.impact
        if impact.iso_currency_code != "CNY":
            return None
        bounds = {
            "min": impact.overall_min_amount,
            "likely": impact.overall_amount,
            "max": impact.overall_max_amount,
        }
        given = {key: str(value) for key, value in bounds.items() if value is not None}
        if not given:
            return None
        if "min" not in given and "max" not in given:
            return self._parsed("economic_loss", given["likely"], "impact.overall_amount")
        return self._parsed("economic_loss", {"min": "0", **given}, "impact")

    # -- when, and who found it ---------------------------------------------------------------------

    def _occurred_at(self) -> datetime | None:
        """A moment only where day and time of day are given; a date stays a date, in the log."""
        began = self._document.timeline.incident
        if began.month is None or began.day is None:
            return None
        path = "timeline.incident"
        try:
            day = datetime(began.year, began.month, began.day)  # noqa: DTZ001 - a date
        except ValueError:
            raise BadInput(
                f"{began.year}-{began.month:02}-{began.day:02} is no date",
                where=f"{self._name}, {path}.day",
                next_step="correct the date, or leave the day out",
            ) from None
        clock = _CLOCK.fullmatch(began.time or "")
        if clock is None or clock[1] == "00":
            return None
        hour = int(clock[1]) % 12 + (12 if clock[4] == "P" else 0)
        try:
            moment = parse_time(
                day.replace(hour=hour, minute=int(clock[2]), second=int(clock[3])), zone=self._zone
            )
        except ValueError:  # the clocks were changed just then, and VERIS cannot say which of two it means
            return None
        return self._past(moment, path)

    def _past(self, moment: datetime, path: str) -> datetime:
        if moment > self._known_at:
            raise BadInput(
                "the record takes what has happened; this time is still to come",
                where=f"{self._name}, {path}",
                next_step="correct the time",
            )
        return moment

    def _found_by(self) -> FrozenText | None:
        found = self._finder()
        if found is None:
            return None
        finder, named = found
        known = [titles for word, titles in finder.words.items() if word.lower() in named]
        return FrozenText(known[0] if len(known) == len(named) == 1 else finder.text)

    def _finder(self) -> tuple[Finder, list[str]] | None:
        """Who found it, with the words in small letters; None where it is not said, or several are named."""
        method = self._document.discovery_method
        if isinstance(method, str):
            before, _, word = method.partition(" - ")
            known = (each for each in self.words.found_by.values() if each.before == before)
            finder = next(known, None)
            return (finder, [word.lower()]) if finder is not None else None
        named = [name for name in method if name in self.words.found_by]
        if len(named) != 1:
            return None
        part = method[named[0]]
        words = part.get("variety", []) if isinstance(part, dict) else []
        return self.words.found_by[named[0]], [str(word).lower() for word in words]

    # -- what an export of ours added ---------------------------------------------------------------

    @cached_property
    def own(self) -> dict[str, _Stated]:
        """What stands below `plus.tocsin`, which is exact where VERIS is not."""
        own = self._document.plus.get(OWN)
        if not isinstance(own, Mapping):
            return {}
        found = {}
        for name in OWN_FIELDS:
            if name not in own:
                continue
            path, entry = f"plus.{OWN}.{name}", own[name]
            try:
                value = value_from_json(field_named(name), entry["value"])
                sure = Certainty(entry["sure"])
            except (BadInput, ValueError, TypeError, KeyError):
                raise BadInput(
                    "this was not written by this tool",
                    where=f"{self._name}, {path}",
                    next_step="take it out of the record, or export it again",
                ) from None
            if isinstance(value, datetime):
                self._past(value, path)
            if value is not None:
                # What another house is certain of is its word here.
                found[name] = _Stated(value, Certainty.likely if sure is Certainty.confirmed else sure)
        return found

    def _parsed(self, field: str, raw: object, path: str) -> Value | None:
        try:
            return parse_value(field_named(field), raw, zone=self._zone)
        except BadInput as error:
            raise BadInput(error.what, where=f"{self._name}, {path}", next_step=error.next_step) from None


def _name(text: str | None) -> str:
    """A name that the record gives, on one line."""
    return " ".join((text or "").split())[:_LONGEST_TITLE]


def _title(document: VerisDocument) -> str:
    """The summary's first sentence, or the record's own number."""
    text = " ".join((document.summary or "").split())
    first = re.split(r"(?<=[.!?])\s|(?<=[。！？])", text, maxsplit=1)[0]
    if not first:
        return f"VERIS {_name(document.incident_id)}"
    return first if len(first) <= _LONGEST_TITLE else first[: _LONGEST_TITLE - 1].rstrip() + "…"


def _is_newer(version: str, words: VerisWords) -> bool:
    return [int(part) for part in version.split(".")[:2]] > [int(part) for part in words.newest.split(".")]


def _note(document: VerisDocument, raw: Mapping[str, Any], name: str, language: str) -> str:
    spoken = language if language in _NOTE else "en"
    who = _name(document.source_id)
    source = _SOURCE_WORDS[spoken].format(source=who) if who else ""
    head = _NOTE[spoken].format(
        version=document.schema_version, id=_name(document.incident_id), source=source, file=name
    )
    lines = [_shortened(f"{path}: {text}") for path, text in _leaves(raw, "")]
    kept, room = [head], _LONGEST_NOTE - len(head)
    for place, line in enumerate(lines):
        room -= len(line) + 1
        if room < 0:
            kept.append(_MORE[spoken].format(count=len(lines) - place))
            break
        kept.append(line)
    return "\n".join(kept)


def _shortened(line: str) -> str:
    flat = " ".join(line.split())
    return flat if len(flat) <= _LONGEST_LINE else flat[: _LONGEST_LINE - 1] + "…"


def _leaves(value: Any, path: str) -> Iterator[tuple[str, str]]:
    """Every value with its path, a list of words in one line. Of `plus`, where analysts are named, only its times."""
    if path in _NOT_IN_NOTE:
        return
    if isinstance(value, Mapping):
        for key, item in value.items():
            if path == "plus" and key != "timeline":
                continue
            yield from _leaves(item, f"{path}.{key}" if path else key)
        if not value:
            yield path, "{}"
    elif isinstance(value, list) and all(not isinstance(item, dict | list) for item in value):
        yield path, ", ".join(map(str, value))
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from _leaves(item, f"{path}[{number}]")
    else:
        yield path, str(value)
