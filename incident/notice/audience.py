"""Who reads a notice: the person concerned, a child's guardian, a young person, an organisation. Pure.

All are told the same content. What differs is the words around it and what is said first (`audiences` of a language).
People under 18 read simpler words; the law asks that the guardian of a child under 14 is told (PIPL Art. 31), and the
child itself gets the simple version beside it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import partial
from html import unescape

from incident.law.categories import category_catalogue
from incident.notice.addressees import FURTHER, Audience
from incident.notice.content import Element, NoticeContent
from incident.notice.findings import Finding, Severity
from incident.notice.languages import Language
from incident.notice.readability import length_of, long_sentences
from incident.record.person import PersonRow

__all__ = [
    "FURTHER",
    "Audience",
    "MessageWords",
    "Told",
    "audience_of",
    "check_variants",
    "content_for",
    "message_words",
    "said_to",
    "told_to",
]

_BODY = (
    Element.WHAT_HAPPENED,
    Element.CAUSE,
    Element.CONSEQUENCES,
    Element.MEASURES_TAKEN,
    Element.STEPS_FOR_PERSON,
    Element.REMEDIES,
)


def audience_of(person: PersonRow, *, to_guardian: bool, on: date) -> Audience:
    """Which version a message is: that of its addressee, and of the person's kind and age on a day."""
    if to_guardian:
        return Audience.GUARDIAN
    if person.is_organisation:
        return Audience.ORGANISATION
    return Audience.YOUNG if person.minor(on) else Audience.PERSON


@dataclass(frozen=True)
class Told:
    """What an audience is told beside the content: see `AudienceWords`. `subject` is None where the content's holds."""

    subject: str | None = None
    before: tuple[str, ...] = ()
    first_steps: tuple[str, ...] = ()
    before_more: str = ""


def told_to(audience: Audience, language: Language, *, organisation: str, child: str) -> Told:
    """The words of an audience with their values; `child` stands for the name of the child. The person has none."""
    own = language.spoken.audiences.get(audience)
    if own is None:
        return Told()
    values = {"organisation": organisation, "child": child}
    return Told(
        subject=own.subject.format(**values),
        before=tuple(line.format(**values) for line in own.before),
        first_steps=tuple(line.format(**values) for line in own.first_steps),
        before_more=own.before_more,
    )


@dataclass(frozen=True)
class MessageWords:
    """What a message needs of its language besides the rendered words: what parts a list, how to address whoever has no
    name (by audience), and what a child without a name is called."""

    comma: str
    unnamed: Mapping[str, str]
    unnamed_child: str

    def listed(self, titles: Sequence[str]) -> str:
        """The kinds of one person's information as the one line that their slot takes."""
        return self.comma.join(titles)


def message_words(language: Language) -> MessageWords:
    """The words of a language that a message needs."""
    return MessageWords(
        comma=language.marks.comma,
        unnamed={str(audience): language.word("unnamed", audience) for audience in Audience},
        unnamed_child=language.spoken.audiences[Audience.GUARDIAN].unnamed_child,
    )


def said_to(audience: Audience, language: Language, text: str) -> str:
    """A text with the polite forms that an audience is not addressed by replaced."""
    own = language.spoken.audiences.get(audience)
    for polite, informal in own.informal.items() if own else ():
        text = text.replace(polite, informal)
    return text


def content_for(audience: Audience, content: NoticeContent, language: Language) -> NoticeContent:
    """The content as an audience reads it.

    To the young, what a catalogue says of a kind of data is said in simpler words where the language has them, and
    polite forms give way to what children are called. Otherwise what a person wrote keeps its words.
    """
    if audience is not Audience.YOUNG:
        return content
    said = partial(said_to, audience, language)
    simpler = dict(_simpler_words(language))

    def told(texts: tuple[str, ...] | None) -> tuple[str, ...] | None:
        return None if texts is None else tuple(said(_in_simpler_words(text, simpler)) for text in texts)

    def lines(texts: tuple[str, ...] | None) -> tuple[str, ...] | None:
        return None if texts is None else tuple(said(text) for text in texts)

    measures = content.measures_taken
    return replace(
        content,
        what_happened=lines(content.what_happened),
        cause=said(content.cause) if content.cause else content.cause,
        consequences=told(content.consequences),
        measures_taken=measures and tuple(replace(line, text=said(line.text)) for line in measures),
        planned=said(content.planned) if content.planned else content.planned,
        steps_for_person=told(content.steps_for_person),
        remedies=lines(content.remedies),
        not_known=lines(content.not_known) or (),
        more=tuple(
            replace(part, heading=said(part.heading), lines=lines(part.lines) or ()) for part in content.more
        ),
    )


def _simpler_words(language: Language) -> Iterator[tuple[str, str]]:
    for key, simple in language.catalogue.young.items():
        category = category_catalogue().get(key)
        if category is None:
            continue  # `incident notice lint` tells of it
        for name, by_language in (("harm", category.harm), ("advice", category.advice)):
            if text := language.printed("categories", key, name, by_language):
                yield text, getattr(simple, name)


def _in_simpler_words(line: str, simpler: Mapping[str, str]) -> str:
    """A line that is, or ends in, what a catalogue says (after the names of the kinds), in simpler words."""
    found = next((text for text in simpler if line.endswith(text)), None)
    return line if found is None else line.removesuffix(found) + simpler[found]


def check_variants(
    contents: Mapping[str, NoticeContent],
    variants: Mapping[Audience, Mapping[str, tuple[str, str]]],
    languages: Mapping[str, Language],
) -> list[Finding]:
    """What stands against the versions of each audience: an element that one of them leaves out is refused.

    `variants` holds the text and the HTML of each version by audience and language. That the content has every element
    is for the gate; here it is that no version loses one of them.
    """
    findings: list[Finding] = []
    for audience, by_language in variants.items():
        for tag, bodies in by_language.items():
            told = content_for(audience, contents[tag], languages[tag])
            findings += _lost(audience, told, bodies)
            if audience is Audience.YOUNG:
                findings += _hard_for_the_young(told, languages[tag])
    return findings


def _lost(audience: Audience, content: NoticeContent, bodies: tuple[str, str]) -> Iterator[Finding]:
    shown = (bodies[0], unescape(bodies[1]))
    texts = content.texts()
    wanted: dict[str, tuple[str, ...]] = {str(name): texts[name] for name in _BODY}
    # What is drawn without anybody asking for it must not break a template that an organisation made before.
    wanted |= {part.element: part.lines for part in content.more if not content.is_drawn(part.element)}
    if content.contact is not None:
        contact = content.contact
        wanted["contact"] = tuple(filter(None, (contact.organisation, contact.phone, contact.email)))
        wanted["dpo"] = tuple(filter(None, (contact.officer_name, contact.officer_contact)))
    wanted["notice_date"] = (content.written_on,)
    for element, lines in wanted.items():
        if all(line in body for body in shown for line in lines):
            continue
        message = {
            "zh-Hans": f"面向“{_NAMES[audience][0]}”的版本漏掉了 {element} 的内容，请改正模板。",
            "en": f"The version for {_NAMES[audience][1]} leaves out {element}. Correct the template.",
        }
        yield Finding(Severity.REFUSED, "lost-element", element, content.language, message)


def _hard_for_the_young(content: NoticeContent, language: Language) -> Iterator[Finding]:
    limit = language.reading.longest_for_young
    for place in (Element.CONSEQUENCES, Element.STEPS_FOR_PERSON):
        for text in content.texts()[place]:
            for sentence in long_sentences(text, language, limit=limit):
                start, size = sentence[:24], length_of(sentence, language)
                message = {
                    "zh-Hans": f"未成年人的版本：“{start}……”一句有{size}字词，超过{limit}，请拆成短句。",
                    "en": f'For young readers: the sentence "{start}..." has {size} words or characters; '
                    f"{limit} are the most. Split it.",
                }
                yield Finding(Severity.SUGGESTION, "long-for-the-young", place, content.language, message)


_NAMES = {
    Audience.PERSON: ("本人", "the person"),
    Audience.GUARDIAN: ("监护人", "the guardian"),
    Audience.YOUNG: ("未成年人", "the young person"),
    Audience.ORGANISATION: ("单位", "the organisation"),
}
