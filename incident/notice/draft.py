"""Drafting a notice from the record. Pure: facts, measures and the organisation in, content out.

Nothing is claimed that the record does not hold: an element that cannot be filled stays empty and names the fact to
ask for. A text that was given in one language never stands in for the other.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as field_with
from datetime import datetime, tzinfo
from typing import TYPE_CHECKING, Protocol

from incident.errors import BadInput
from incident.law.elements import element_catalogue
from incident.law.remedies import check_remedies, remedy_catalogue
from incident.notice.content import Contact, DatedLine, Element, Missing, NoticeContent, Section
from incident.notice.house_rules import house_rules
from incident.notice.languages import Language, shipped_languages
from incident.notice.phrases import only_in_language
from incident.record.facts import Certainty, Fact, Interval, field_named
from incident.record.measures import MeasureTaken, summarise_measures

if TYPE_CHECKING:
    from incident.settings import Organisation

MOST_STEPS = 5
"""People act on a short list; published notices with more were not followed (facts, notice-quality)."""

_ITEM_MARK = re.compile(r"^\s*(?:[-*•·]|[0-9]{1,2}[.、)）](?![0-9])|[（(][0-9]{1,2}[)）])\s*")


class CategoryTexts(Protocol):
    """What the law room says of a category of data to the people it is about."""

    @property
    def title(self) -> Mapping[str, str]: ...
    @property
    def harm(self) -> Mapping[str, str]: ...
    @property
    def advice(self) -> Mapping[str, str]: ...
    @property
    def remedies(self) -> Sequence[str]: ...


@dataclass(frozen=True)
class NoticeInputs:
    """What a notice is drawn from. `facts` is the newest fact of each field; times are shown in `zone`."""

    reference: str
    facts: Mapping[str, Fact]
    measures: Sequence[MeasureTaken]
    organisation: Organisation
    categories: Mapping[str, CategoryTexts]
    written_at: datetime
    zone: tzinfo
    languages: Mapping[str, Language] = field_with(default_factory=shipped_languages)


def draft(inputs: NoticeInputs, language: str) -> NoticeContent:
    """The content of the notice in a language.

    Raises `BadInput` for a category of data or a measure that is not in its list, `NotFound` for an unknown language.
    """
    return _Draft(inputs, inputs.languages[language]).content()


def chosen_categories(inputs: NoticeInputs) -> list[CategoryTexts]:
    """The recorded kinds of data in the order of the catalogue. Raises `BadInput` for one that is not in it."""
    return [inputs.categories[key] for key in inputs.categories if key in _chosen_keys(inputs)]


def by_urgency(inputs: NoticeInputs) -> list[CategoryTexts]:
    """The recorded kinds of data, those first whose misuse comes soonest. Raises as `chosen_categories` does."""
    chosen = _chosen_keys(inputs)
    order = dict.fromkeys([*house_rules().urgent_first, *inputs.categories])
    return [inputs.categories[key] for key in order if key in chosen]


def _chosen_keys(inputs: NoticeInputs) -> tuple[str, ...]:
    fact = inputs.facts.get("data_categories")
    keys = fact.value if fact is not None and isinstance(fact.value, tuple) else ()
    for key in keys:
        if key not in inputs.categories:
            raise BadInput(
                f"{key!r} is no category of data",
                where="data_categories",
                next_step="use the keys of incident/law/categories.yaml",
            )
    return tuple(map(str, keys))


class _Draft:
    """One drafting, collecting what is missing as it goes."""

    def __init__(self, inputs: NoticeInputs, language: Language) -> None:
        self.inputs = inputs
        self.words = language
        self.language = language.tag
        self.missing: list[Missing] = []
        self.only_elsewhere: list[str] = []
        self.untranslated: list[str] = []

    def content(self) -> NoticeContent:
        organisation = self._organisation_name()
        next_update = self._day("next_update_at")
        if next_update is None:
            self._ask(Element.NEXT_UPDATE, "next_update_at")
        cause, cause_open = self._cause(next_update)
        return NoticeContent(
            language=self.language,
            reference=self.inputs.reference,
            subject=self._say("subject", organisation=organisation or self.inputs.reference),
            written_on=self.words.day(self.inputs.written_at, self.inputs.zone),
            possible=self._value("personal_data_breach") == "possible",
            effects=self._effects(),
            what_happened=self._what_happened(),
            breach_date=self._dated(Element.BREACH_DATE, "occurred_at"),
            discovery_date=self._dated(Element.DISCOVERY_DATE, "discovered_at", "informed_at"),
            data_types=self._data_types(),
            cause=cause,
            cause_open=cause_open,
            consequences=self._consequences(),
            measures_taken=self._measures(),
            planned=self._text("planned_measures"),
            steps_for_person=self._steps(),
            remedies=self._remedies(),
            contact=self._contact(organisation),
            not_known=self._not_known(cause, cause_open),
            next_update=next_update,
            more=self._more(),
            missing=tuple(self.missing),
            only_elsewhere=tuple(dict.fromkeys(self.only_elsewhere)),
            untranslated=tuple(dict.fromkeys(self.untranslated)),
        )

    def _value(self, field: str) -> object | None:
        fact = self.inputs.facts.get(field)
        return None if fact is None else fact.value

    def _say(self, phrase: str, **values: str) -> str:
        return self.words.say(phrase, **values)

    def _printed(self, kind: str, key: str, name: str, texts: Mapping[str, str]) -> str | None:
        """What an entry of a catalogue says; where nobody wrote it in this language, the entry is named instead."""
        text = self.words.printed(kind, key, name, texts)
        if text is None:
            self.untranslated.append(f"{kind}.{key}.{name}")
        return text

    def _of_category(self, category: CategoryTexts, name: str) -> str | None:
        key = next(key for key, each in self.inputs.categories.items() if each is category)
        return self._printed("categories", key, name, getattr(category, name))

    def _day(self, field: str) -> str | None:
        moment = self._value(field)
        return self.words.day(moment, self.inputs.zone) if isinstance(moment, datetime) else None

    def _text(self, field: str) -> str | None:
        value = self._value(field)
        text = only_in_language(value, self.words)
        if value is not None and text is None:
            self.only_elsewhere.append(field)
        return text

    def _ask(self, element: Element, field: str) -> None:
        self.missing.append(Missing(element, field, dict(field_named(field).question)))

    def _dated(self, element: Element, *fields: str) -> str | None:
        for field in fields:
            if day := self._day(field):
                return day
        self._ask(element, fields[0])
        return None

    def _effects(self) -> str:
        table = self.words.spoken.effects
        kinds = self._value("breach_effects")
        named = [table[kind] for kind in kinds if kind in table] if isinstance(kinds, tuple) else []
        return self.words.joined(named or [table["unknown"]])

    def _what_happened(self) -> tuple[str, ...] | None:
        told = self._text("what_happened")
        if told is None:
            self._ask(Element.WHAT_HAPPENED, "what_happened")
            return None
        times = []
        if began := self._day("occurred_at"):
            times.append(self._say("began", date=began))
        if found := self._day("discovered_at"):
            times.append(self._say("found", date=found))
        elif told_on := self._day("informed_at"):
            times.append(self._say("told", date=told_on))
        if stopped := self._day("ended_at"):
            times.append(self._say("stopped", date=stopped))
        lines = [*_paragraphs(told), self.words.marks.gap.join(times), self._persons()]
        return tuple(line for line in lines if line)

    def _persons(self) -> str:
        persons = self._value("persons")
        if not isinstance(persons, Interval):
            return ""
        low, high = int(persons.min), None if persons.max is None else int(persons.max)
        if persons.likely is not None and not persons.is_exact:
            return self._say("persons_about", number=self.words.number(int(persons.likely)))
        if high is None:
            return self._say("persons_at_least", low=self.words.number(low))
        if low != high:
            return self._say("persons_between", low=self.words.number(low), high=self.words.number(high))
        sure = self.inputs.facts["persons"].sure is Certainty.confirmed
        return self._say("persons_exact" if sure else "persons_about", number=self.words.number(low))

    def _by_kind(self, categories: Sequence[CategoryTexts], name: str) -> tuple[str, ...]:
        """Each text once. Of several kinds of data each is named before its text, because not every reader is
        concerned by all of them."""
        kinds: dict[str, list[str]] = {}
        for category in categories:
            text, title = self._of_category(category, name), self._of_category(category, "title")
            if text and title:
                kinds.setdefault(text, []).append(title)
        if len(categories) == 1:
            return tuple(kinds)
        colon = self.words.marks.colon
        return tuple(_capital(self.words.listed(names)) + colon + text for text, names in kinds.items())

    def _data_types(self) -> tuple[str, ...] | None:
        titles = [self._of_category(category, "title") for category in chosen_categories(self.inputs)]
        chosen = [title for title in titles if title]
        if not titles:
            self._ask(Element.DATA_TYPES, "data_categories")
            self._ask(Element.INDIVIDUAL_SPECIFIC_DATA, "data_categories")
        return tuple(chosen) or None

    def _cause(self, next_update: str | None) -> tuple[str | None, bool]:
        """The cause, and whether it is still open. Open is a cause only when the next message has a date."""
        if text := self._text("cause"):
            return text, False
        kind = self._value("cause_kind")
        if kind == "unknown":
            if next_update is None:
                self._ask(Element.CAUSE, "next_update_at")
                return None, True
            return self._say("cause_open", date=next_update), True
        clause = self.words.spoken.causes.get(kind) if isinstance(kind, str) else None
        if clause is None:
            self._ask(
                Element.CAUSE, "cause" if kind is None and "cause_kind" in self.inputs.facts else "cause_kind"
            )
            return None, False
        sure = self.inputs.facts["cause_kind"].sure is Certainty.confirmed
        return self._say("cause_confirmed" if sure else "cause_likely", cause=clause), False

    def _consequences(self) -> tuple[str, ...] | None:
        so_far = _paragraphs(self._text("impact_so_far") or "")
        possible = _paragraphs(self._text("possible_harm") or "")
        if not possible and "possible_harm" not in self.only_elsewhere:
            possible = self._by_kind(chosen_categories(self.inputs), "harm")
        if not possible:
            self._ask(Element.CONSEQUENCES, "possible_harm")
            return None
        return (*so_far, *possible)

    def _measures(self) -> tuple[DatedLine, ...] | None:
        summaries = summarise_measures(self.inputs.measures)
        told = [
            (each, self._printed("measures", each.measure.id, "public", each.measure.public))
            for each in summaries
        ]
        lines = tuple(
            DatedLine(self.words.days(each.first, each.last, self.inputs.zone), text)
            for each, text in told
            if text
        )
        if not summaries:
            question = {
                "zh-Hans": "已经采取了哪些措施？用 incident log 记录，或者运行处置剧本。",
                "en": "What has been done? Log it with incident log --measure, or run a playbook.",
            }
            self.missing.append(Missing(Element.MEASURES_TAKEN, "measures", question))
        return lines or None

    def _steps(self) -> tuple[str, ...] | None:
        own = self._text("self_protection")
        if own is not None:
            return tuple(_ITEM_MARK.sub("", line) for line in _paragraphs(own))
        if "self_protection" in self.only_elsewhere:
            self._ask(Element.STEPS_FOR_PERSON, "self_protection")
            return None
        steps = self._by_kind(by_urgency(self.inputs), "advice")[:MOST_STEPS]
        if not steps:
            self._ask(Element.STEPS_FOR_PERSON, "self_protection")
        return steps or None

    def _remedies(self) -> tuple[str, ...] | None:
        """What is offered by the record alone: the confirmed remedies of the catalogue, then the organisation's words."""
        chosen = self._value("remedies_chosen")
        check_remedies({"remedies_chosen": chosen if isinstance(chosen, tuple) else None})
        keys = chosen if isinstance(chosen, tuple) else ()
        confirmed = [self._printed("remedies", key, "offer", remedy_catalogue()[key].offer) for key in keys]
        offered = tuple(
            dict.fromkeys([*filter(None, confirmed), *_paragraphs(self._text("remedies_offered") or "")])
        )
        if not offered:
            self._ask(Element.REMEDIES, "remedies_offered")
        return offered or None

    def _more(self) -> tuple[Section, ...]:
        """The elements that a person wrote, each under its heading, in the order of the catalogue."""
        written = [
            (name, element.title, self._text(element.text))
            for name, element in element_catalogue().items()
            if element.text is not None
        ]
        headed = [
            (name, self._printed("elements", name, "title", title), text)
            for name, title, text in written
            if text
        ]
        return tuple(Section(name, heading, _paragraphs(text)) for name, heading, text in headed if heading)

    def _organisation_name(self) -> str:
        return self.inputs.organisation.name.get(self.language, "").strip()

    def _contact(self, organisation: str) -> Contact | None:
        own = self.inputs.organisation
        officer = own.protection_officer
        if not (officer.name.get(self.language) or officer.contact):
            question = {
                "zh-Hans": "个人信息保护负责人是谁，怎样联系？请在 incident.toml 的 protection_officer 中写明。",
                "en": "Who is the data protection officer? Set protection_officer in incident.toml.",
            }
            self.missing.append(Missing(Element.DPO, "organisation.protection_officer", question))
        if not organisation or not (own.phone or own.email):
            question = {
                "zh-Hans": "当事人怎样联系我们？请在 incident.toml 的 organisation 中写明名称、电话或者邮箱。",
                "en": "How do people reach us? Set name and phone or email under organisation in incident.toml.",
            }
            self.missing.append(Missing(Element.CONTACT, "organisation", question))
            return None
        return Contact(
            organisation=organisation,
            phone=own.phone,
            email=own.email,
            website=own.website,
            address=own.address.get(self.language, ""),
            officer_name=officer.name.get(self.language, ""),
            officer_contact=officer.contact,
        )

    def _not_known(self, cause: str | None, cause_open: bool) -> tuple[str, ...]:
        gaps = {
            "unknown_began": self._value("occurred_at") is None,
            "unknown_stopped": self._value("ended_at") is None,
            "unknown_persons": self._value("persons") is None,
            "unknown_cause": cause_open and cause is None,
        }
        return tuple(self._say(phrase) for phrase, unknown in gaps.items() if unknown)


def _paragraphs(text: str) -> tuple[str, ...]:
    return tuple(line.strip() for line in text.splitlines() if line.strip())


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
