"""That no version of a notice, made for one audience, loses what the content tells; and that the young can read theirs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from html import unescape

from incident.notice.audience import Audience
from incident.notice.audience_words import content_for
from incident.notice.content import Element, NoticeContent
from incident.notice.findings import Finding, Severity
from incident.notice.languages import Language
from incident.notice.readability import length_of, long_sentences

_BODY = (
    Element.WHAT_HAPPENED,
    Element.CAUSE,
    Element.CONSEQUENCES,
    Element.MEASURES_TAKEN,
    Element.STEPS_FOR_PERSON,
    Element.REMEDIES,
)


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
