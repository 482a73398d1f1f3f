"""Drafting a notice from the record. Pure: facts, measures and the organisation in, content out.

Nothing is claimed that the record does not hold: an element that cannot be filled stays empty and names the fact to
ask for. A text that was given in one language never stands in for the other.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime

from incident.law.elements import element_catalogue
from incident.law.remedies import check_remedies, remedy_catalogue
from incident.law.rights import rights_catalogue
from incident.notice.content import Contact, DatedLine, Element, Missing, NoticeContent, Section
from incident.notice.inputs import (
    CategoryTexts,
    Informed,
    NoticeInputs,
    by_urgency,
    keys_by_urgency,
    keys_in_order,
    kinds_not_taken,
)
from incident.notice.languages import Language
from incident.notice.phrases import only_in_language
from incident.notice.sources import Source
from incident.record.edits import Edit, EditKind
from incident.record.facts import Certainty, Interval, field_named
from incident.record.measures import summarise_measures

__all__ = ["MOST_STEPS", "CategoryTexts", "NoticeInputs", "by_urgency", "draft"]

MOST_STEPS = 5
"""People act on a short list; published notices with more were not followed (facts, notice-quality)."""

_ITEM_MARK = re.compile(r"^\s*(?:[-*•·]|[0-9]{1,2}[.、)）](?![0-9])|[（(][0-9]{1,2}[)）])\s*")


def draft(inputs: NoticeInputs, language: str) -> NoticeContent:
    """The content of the notice in a language.

    Raises `BadInput` for a category of data or a measure that is not in its list, `NotFound` for an unknown language.
    """
    return _Draft(inputs, inputs.languages[language]).content()


class _Draft:
    """One drafting, collecting what is missing, and where each sentence is from, as it goes."""

    def __init__(self, inputs: NoticeInputs, language: Language) -> None:
        self.inputs = inputs
        self.words = language
        self.language = language.tag
        self.missing: list[Missing] = []
        self.only_elsewhere: list[str] = []
        self.untranslated: list[str] = []
        self.sources: dict[str, list[Source]] = {}
        self.edits = {edit.place: edit for edit in inputs.edits if edit.language == language.tag}

    def content(self) -> NoticeContent:
        organisation = self._organisation_name()
        next_update = self._dated(Element.NEXT_UPDATE, "next_update_at")
        cause, cause_open = self._cause(next_update)
        return NoticeContent(
            language=self.language,
            reference=self.inputs.reference,
            subject=self._subject(organisation),
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
            planned=self._planned(),
            steps_for_person=self._steps(),
            remedies=self._remedies(),
            contact=self._contact(organisation),
            not_known=self._not_known(cause, cause_open),
            next_update=next_update,
            more=self._more(),
            missing=tuple(self.missing),
            only_elsewhere=tuple(dict.fromkeys(self.only_elsewhere)),
            untranslated=tuple(dict.fromkeys(self.untranslated)),
            sources={place: tuple(listed) for place, listed in self.sources.items()},
        )

    def _value(self, field: str) -> object | None:
        fact = self.inputs.facts.get(field)
        return None if fact is None else fact.value

    def _tell(self, place: str, text: str, *facts: str, entries: Sequence[str] = ()) -> str:
        """The text, with its source noted: a sentence enters the notice only through here."""
        self.sources.setdefault(place, []).append(Source(text, facts, tuple(entries)))
        return text

    def _say(self, place: str, phrase: str, *facts: str, **values: str) -> str:
        text = self.words.say(phrase, **values)
        return self._tell(place, text, *facts, entries=[f"phrases/{phrase}"])

    def _printed(self, kind: str, key: str, name: str, texts: Mapping[str, str]) -> str | None:
        """What an entry of a catalogue says; where nobody wrote it in this language, the entry is named instead."""
        text = self.words.printed(kind, key, name, texts)
        if text is None:
            self.untranslated.append(f"{kind}.{key}.{name}")
        return text

    def _of_category(self, key: str, name: str) -> str | None:
        return self._printed("categories", key, name, getattr(self.inputs.categories[key], name))

    def _own(self, place: str) -> tuple[str, ...] | None:
        """What a person wrote for a place of this notice, () where they left it out; None where the record speaks."""
        edit = self.edits.get(place)
        if edit is None:
            return None
        if edit.kind is EditKind.LEAVE_OUT:
            self.missing.append(Missing(place, "", _left_out(edit)))
            return ()
        lines = _paragraphs(edit.text)
        if place == Element.STEPS_FOR_PERSON:
            lines = tuple(_ITEM_MARK.sub("", line) for line in lines)
        noted = [Source(line, by=edit.by, at=edit.at.isoformat(timespec="seconds")) for line in lines]
        self.sources.setdefault(place, []).extend(noted)
        return lines

    def _written(self, place: str, field: str) -> tuple[str, ...]:
        """The paragraphs of a text that a person gave as a fact."""
        return tuple(self._tell(place, line, field) for line in _paragraphs(self._text(field) or ""))

    def _subject(self, organisation: str) -> str:
        if own := self._own("subject"):
            return own[0]
        text = self.words.say("subject", organisation=organisation or self.inputs.reference)
        named = ["settings/organisation"] if organisation else []
        return self._tell("subject", text, entries=["phrases/subject", *named])

    def _planned(self) -> str | None:
        if (own := self._own("planned")) is not None:
            return own[0] if own else None
        text = self._text("planned_measures")
        return None if text is None else self._tell("planned", text, "planned_measures")

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
                return self._tell(element, day, field)
        self._ask(element, fields[0])
        return None

    def _effects(self) -> str:
        table = self.words.spoken.effects
        kinds = self._value("breach_effects")
        named = [kind for kind in kinds if kind in table] if isinstance(kinds, tuple) else []
        listed = named or ["unknown"]
        text = self.words.joined([table[kind] for kind in listed])
        facts = ("breach_effects", "personal_data_breach")
        return self._tell("effects", text, *facts, entries=[f"phrases/effects.{kind}" for kind in listed])

    def _what_happened(self) -> tuple[str, ...] | None:
        place = Element.WHAT_HAPPENED
        told = self._own(place)
        if told is None:
            told = self._written(place, "what_happened")
            if not told:
                self._ask(place, "what_happened")
        if not told:
            return None
        moments = {"began": "occurred_at", "found": "discovered_at", "stopped": "ended_at"}
        if self._day("discovered_at") is None:
            moments = {"began": "occurred_at", "told": "informed_at", "stopped": "ended_at"}
        times = [
            self._say(place, phrase, field, date=day)
            for phrase, field in moments.items()
            if (day := self._day(field))
        ]
        return tuple(line for line in [*told, self.words.marks.gap.join(times), self._persons()] if line)

    def _persons(self) -> str:
        persons, place = self._value("persons"), Element.WHAT_HAPPENED
        if not isinstance(persons, Interval):
            return ""

        def say(phrase: str, **numbers: int) -> str:
            shown = {name: self.words.number(number) for name, number in numbers.items()}
            return self._say(place, phrase, "persons", **shown)

        low, high = int(persons.min), None if persons.max is None else int(persons.max)
        if persons.likely is not None and not persons.is_exact:
            return say("persons_about", number=int(persons.likely))
        if high is None:
            return say("persons_at_least", low=low)
        if low != high:
            return say("persons_between", low=low, high=high)
        sure = self.inputs.facts["persons"].sure is Certainty.confirmed
        return say("persons_exact" if sure else "persons_about", number=low)

    def _by_kind(self, place: str, keys: Sequence[str], name: str, *, most: int) -> tuple[str, ...]:
        """Each text once, the first `most`. Of several kinds of data each is named before its text, because not
        every reader is concerned by all of them."""
        kinds: dict[str, dict[str, str]] = {}
        for key in keys:
            text, title = self._of_category(key, name), self._of_category(key, "title")
            if text and title:
                kinds.setdefault(text, {})[key] = title
        told = []
        for text, titles in list(kinds.items())[:most]:
            names = _capital(self.words.listed([*titles.values()]))
            named = text if len(keys) == 1 else names + self.words.marks.colon + text
            entries = [f"categories/{key}" for key in titles]
            told.append(self._tell(place, named, "data_categories", entries=entries))
        return tuple(told)

    def _data_types(self) -> tuple[str, ...] | None:
        keys = keys_in_order(self.inputs)
        if not keys:
            self._ask(Element.DATA_TYPES, "data_categories")
            self._ask(Element.INDIVIDUAL_SPECIFIC_DATA, "data_categories")
        titles = {key: title for key in keys if (title := self._of_category(key, "title"))}
        told = tuple(
            self._tell(Element.DATA_TYPES, title, "data_categories", entries=[f"categories/{key}"])
            for key, title in titles.items()
        )
        return told or None

    def _cause(self, next_update: str | None) -> tuple[str | None, bool]:
        """The cause, and whether it is still open. Open is a cause only when the next message has a date."""
        place = Element.CAUSE
        if (own := self._own(place)) is not None:
            # Words of one's own say nothing of the next message, so it keeps its own line; without its date they are open.
            undated = self._value("cause_kind") == "unknown" and next_update is None
            if undated:
                self._ask(place, "next_update_at")
            return own[0] if own else None, undated
        if text := self._text("cause"):
            return self._tell(place, text, "cause"), False
        kind = self._value("cause_kind")
        if kind == "unknown":
            if next_update is None:
                self._ask(place, "next_update_at")
                return None, True
            return self._say(place, "cause_open", "cause_kind", "next_update_at", date=next_update), True
        clause = self.words.spoken.causes.get(kind) if isinstance(kind, str) else None
        if clause is None:
            self._ask(place, "cause" if kind is None and "cause_kind" in self.inputs.facts else "cause_kind")
            return None, False
        sure = self.inputs.facts["cause_kind"].sure is Certainty.confirmed
        phrase = "cause_confirmed" if sure else "cause_likely"
        text = self.words.say(phrase, cause=clause)
        return self._tell(
            place, text, "cause_kind", entries=[f"phrases/{phrase}", f"phrases/causes.{kind}"]
        ), False

    def _consequences(self) -> tuple[str, ...] | None:
        place = Element.CONSEQUENCES
        if (own := self._own(place)) is not None:
            return own or None
        so_far = self._written(place, "impact_so_far")
        possible = self._written(place, "possible_harm")
        if not possible and "possible_harm" not in self.only_elsewhere:
            keys = keys_in_order(self.inputs)
            possible = self._by_kind(place, keys, "harm", most=len(keys))
        if not possible:
            self._ask(place, "possible_harm")
            self.sources.pop(place, None)
            return None
        return (*so_far, *possible)

    def _measures(self) -> tuple[DatedLine, ...] | None:
        summaries = summarise_measures(self.inputs.measures)
        told = [
            (each, self._printed("measures", each.measure.id, "public", each.measure.public))
            for each in summaries
        ]
        lines = tuple(
            DatedLine(
                self.words.days(each.first, each.last, self.inputs.zone),
                self._tell(Element.MEASURES_TAKEN, text, entries=[f"measures/{each.measure.id}"]),
            )
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
        place = Element.STEPS_FOR_PERSON
        if (own := self._own(place)) is not None:
            return own or None
        given = self._text("self_protection")
        if given is not None:
            steps = [_ITEM_MARK.sub("", line) for line in _paragraphs(given)]
            return tuple(self._tell(place, step, "self_protection") for step in steps)
        if "self_protection" in self.only_elsewhere:
            self._ask(place, "self_protection")
            return None
        told = self._by_kind(place, keys_by_urgency(self.inputs), "advice", most=MOST_STEPS)
        if not told:
            self._ask(place, "self_protection")
        return told or None

    def _remedies(self) -> tuple[str, ...] | None:
        """What is offered by the record alone: the confirmed remedies of the catalogue, then the organisation's words."""
        place, chosen = Element.REMEDIES, self._value("remedies_chosen")
        if (edited := self._own(place)) is not None:
            return edited or None
        keys = chosen if isinstance(chosen, tuple) else ()
        check_remedies({"remedies_chosen": keys or None})
        offers = {
            offer: key
            for key in keys
            if (offer := self._printed("remedies", key, "offer", remedy_catalogue()[key].offer))
        }
        for offer, key in offers.items():
            self._tell(place, offer, "remedies_chosen", entries=[f"remedies/{key}"])
        own = [line for line in _paragraphs(self._text("remedies_offered") or "") if line not in offers]
        for line in dict.fromkeys(own):
            self._tell(place, line, "remedies_offered")
        offered = tuple(source.text for source in self.sources.get(place, ()))
        if not offered:
            self._ask(place, "remedies_offered")
        return offered or None

    def _more(self) -> tuple[Section, ...]:
        """The elements without a place of their own, each under its heading, in the order of the catalogue."""
        drawn = {
            Element.DATA_NOT_TAKEN: self._not_taken,
            Element.AUTHORITY_INFORMED: self._informed,
            "rights_and_remedies": self._rights,
        }
        told = []
        for name, element in element_catalogue().items():
            if element.text is None and name not in drawn:
                continue
            lines = self._own(name)
            if lines is None and element.text is not None:
                lines = self._written(name, element.text)
            if not lines and name in drawn and name not in self.edits:
                lines = drawn[name]()
            heading = self._printed("elements", name, "title", element.title) if lines else None
            if lines and heading:
                told.append(Section(name, heading, lines))
        return tuple(told)

    def _not_taken(self) -> tuple[str, ...]:
        """The kinds of data that were certainly not taken. One that is in the list of those taken is not told here."""
        place, stated = Element.DATA_NOT_TAKEN, self.inputs.facts.get("data_not_taken")
        keys = kinds_not_taken(self.inputs)
        if stated is None or not keys:
            self._ask(place, "data_not_taken")
            return ()
        phrase = "not_taken" if stated.sure is Certainty.confirmed else "not_taken_so_far"
        titles = {key: title for key in keys if (title := self._of_category(key, "title"))}
        if not titles:
            return ()
        text = self.words.say(phrase, kinds=self.words.listed([*titles.values()]))
        entries = [f"phrases/{phrase}", *(f"categories/{key}" for key in titles)]
        return (self._tell(place, text, "data_not_taken", entries=entries),)

    def _informed(self) -> tuple[str, ...]:
        """Each authority that was told, once, with the first day; nothing is told of one that the record does not show."""
        place, first = Element.AUTHORITY_INFORMED, dict[str, Informed]()
        for each in sorted(self.inputs.informed, key=lambda each: (each.at, each.duty)):
            # Nobody asked for it: where nobody wrote its name in this language, the notice stands without.
            name = self.words.printed("authorities", each.regime, each.key, each.authority)
            first.setdefault(name or "", each)
        if not first:
            question = {
                "zh-Hans": "是否已向主管部门报告？用 incident report --submitted 或者 incident meet 记录。",
                "en": "Has the authority been told? Record it with incident report --submitted, or incident meet.",
            }
            self.missing.append(Missing(place, "duties", question))
        lines = []
        for authority, each in first.items():
            if not authority:
                continue
            day = self.words.day(each.at, self.inputs.zone)
            text = self.words.say("authority_informed", date=day, authority=authority)
            entries = ["phrases/authority_informed", f"duties/{each.duty}"]
            lines.append(self._tell(place, text, entries=entries))
        return tuple(lines)

    def _rights(self) -> tuple[str, ...]:
        """The rights by the regimes that ask for the notice, where nobody wrote of them."""
        if "rights_of_people" in self.only_elsewhere:
            return ()
        says = {
            regime: self.words.printed("rights", regime, "says", rights.says)
            for regime, rights in rights_catalogue().items()
            if regime in self.inputs.regimes
        }
        return tuple(
            self._tell("rights_and_remedies", text, entries=[f"rights/{regime}"])
            for regime, text in says.items()
            if text
        )

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
        self._tell("contact", organisation, entries=["settings/organisation"])
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
        if (own := self._own("not_known")) is not None:
            return own
        gaps = {
            "unknown_began": ("occurred_at", self._value("occurred_at") is None),
            "unknown_stopped": ("ended_at", self._value("ended_at") is None),
            "unknown_persons": ("persons", self._value("persons") is None),
            "unknown_cause": ("cause_kind", cause_open and cause is None),
        }
        return tuple(
            self._say("not_known", phrase, field) for phrase, (field, unknown) in gaps.items() if unknown
        )


def _left_out(edit: Edit) -> dict[str, str]:
    back = f"incident notice edit … {edit.place} --language {edit.language} --remove"
    return {
        "zh-Hans": f"{edit.by}在本语言中删去了这一部分；{back} 可以恢复。",
        "en": f"{edit.by} left this part out in this language; {back} brings it back.",
    }


def _paragraphs(text: str) -> tuple[str, ...]:
    return tuple(line.strip() for line in text.splitlines() if line.strip())


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
