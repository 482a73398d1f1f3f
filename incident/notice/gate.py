"""The gate: what a notice must hold before it may be released, and what makes it hard to read or to believe. Pure.

A missing element is refused with every article that asks for it. Style is never refused, only shown, because the
words are for people to decide; but text that could pass for one of our own slots is refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from urllib.parse import urlsplit

from incident.law.elements import element_catalogue
from incident.notice.content import Element, Missing, NoticeContent
from incident.notice.draft import MOST_STEPS
from incident.notice.findings import Article, Finding, Severity
from incident.notice.gate_reading import check_reading
from incident.notice.house_rules import WordGroup, house_rules
from incident.notice.languages import Language, Unit, shipped_languages
from incident.notice.readability import (
    grade_of,
    length_of,
    long_sentences,
    sentences,
)
from incident.record.facts import field_named

Required = Mapping[str, Sequence[Article]]
"""Element -> the articles that ask for it."""

# Control and private-use characters, and the noncharacters that mark personal slots in a rendered message.
NOT_IN_TEXT = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\ue000-\uf8ff\ufdd0-\ufdef\ufffe\uffff\u202a-\u202e\u2066-\u2069]"
)
_ADDRESS = re.compile(
    r"(?:https?://|www\.)[^\s，。；、）)”\"']+|\b[a-z0-9-]+(?:\.[a-z0-9-]+)*\.[a-z]{2,}(?:/[^\s，。；、）)”\"']*)?",
    re.I,
)
_SHOWN = 120  # characters of a sentence in a finding: enough to find it again
_UNITS = {Unit.CHARACTERS: "字", Unit.WORDS: "词"}
_LETTER = re.compile(r"[^\W\d_㐀-䶿一-鿿]")
_NO_EVIDENCE = "no-evidence"
_HEDGES_ARE_HONEST_IN = frozenset({Element.CONSEQUENCES, Element.STEPS_FOR_PERSON})


def check_notice(
    contents: Mapping[str, NoticeContent],
    required: Required,
    languages: Mapping[str, Language] | None = None,
) -> list[Finding]:
    """Everything that stands against releasing these versions of a notice, refusals first.

    `contents` holds each language the notice goes out in, `languages` their yardsticks (default: the shipped). Raises
    `BadInput` when `required` names something that is no element of a notice.
    """
    findings: list[Finding] = []
    if not contents:
        message = {
            "zh-Hans": "还没有起草任何语言的告知书。",
            "en": "No language of the notice has been drafted.",
        }
        findings.append(Finding(Severity.REFUSED, "no-content", "notice", "", message))
    spoken = shipped_languages() if languages is None else languages
    for content in contents.values():
        for check in _CHECKS:
            findings.extend(check(content, spoken[content.language]))
        findings.extend(_missing_elements(content, required))
    return sorted(findings, key=lambda finding: finding.severity is not Severity.REFUSED)


def _missing_elements(content: NoticeContent, required: Required) -> Iterator[Finding]:
    for element, asked in required.items():
        articles = _not_open(content, element, asked)
        if not articles:
            continue
        if content.element(element) is not None and not _open_without_date(content, element):
            continue
        gaps = _gaps(content, element)
        title = element_catalogue()[element].title
        ask = {tag: " ".join(dict.fromkeys(gap.question[tag] for gap in gaps)) for tag in ("zh-Hans", "en")}
        message = {
            "zh-Hans": f"告知书缺少“{title['zh-Hans']}”。{ask['zh-Hans']}",
            "en": f"The notice lacks “{title['en']}”. {ask['en']}".rstrip(),
        }
        if content.cause_open and element == Element.CAUSE:
            message = {
                "zh-Hans": f"原因仍在调查时，必须写明何时再次告知。{ask['zh-Hans']}",
                "en": f"An open cause needs a date for the next message. {ask['en']}".rstrip(),
            }
        yield Finding(
            Severity.REFUSED,
            "missing-element",
            element,
            content.language,
            message,
            articles=tuple((regime, article) for regime, article in articles),
            fields=tuple(dict.fromkeys(gap.field for gap in gaps if gap.field)),
        )


_TOLD_AS_OPEN = {Element.BREACH_DATE: "occurred_at"}
"""The elements whose being unknown has a sentence of its own, with the fact that it tells to be unknown."""


def _not_open(content: NoticeContent, element: str, asked: Sequence[Article]) -> list[Article]:
    """Those that ask for an element, without the regimes that let the notice go out while it says that this is not known
    yet, and by when the reader hears more."""
    fact = _TOLD_AS_OPEN.get(Element(element)) if element in set(Element) else None
    told = any(fact in source.facts for source in content.sources.get("not_known", ()) if fact)
    if content.element(element) is not None or not told or content.next_update is None:
        return list(asked)
    return [
        (regime, article) for regime, article in asked if regime not in element_catalogue()[element].open_in
    ]


def _gaps(content: NoticeContent, element: str) -> list[Missing]:
    """What to ask for: the facts that drafting missed, or the text that a person has to write."""
    if gaps := [gap for gap in content.missing if gap.element == element]:
        return gaps
    text = element_catalogue()[element].text
    return [] if text is None else [Missing(element, text, field_named(text).question)]


def _open_without_date(content: NoticeContent, element: str) -> bool:
    return element == Element.CAUSE and content.cause_open and content.next_update is None


def _foreign_marks(content: NoticeContent, language: Language) -> Iterator[Finding]:
    contact = content.contact
    around = [content.subject, *(vars(contact).values() if contact else ())]
    for place, texts in [*content.texts().items(), ("contact", around)]:
        if any(NOT_IN_TEXT.search(text) for text in texts):
            message = {
                "zh-Hans": "文字中有不可见的控制字符或者私用字符，请重新输入这段文字。",
                "en": "The text holds invisible control or private-use characters. Type this part again.",
            }
            yield Finding(Severity.REFUSED, "strange-characters", place, content.language, message)


def _long_sentences(content: NoticeContent, language: Language) -> Iterator[Finding]:
    limit, unit = language.reading.longest_sentence, language.reading.counts
    for place, texts in content.texts().items():
        if place == Element.DATA_TYPES:
            continue
        for text in texts:
            for sentence in long_sentences(text, language):
                size, start = length_of(sentence, language), sentence[:24]
                message = {
                    "zh-Hans": f"“{start}……”一句有{size}{_UNITS[unit]}，超过{limit}{_UNITS[unit]}，请拆成短句。",
                    "en": f'The sentence "{start}..." has {size} {unit}; {limit} are the most that read well. Split it.',
                }
                yield Finding(Severity.WARNING, "long-sentence", place, content.language, message)


def _whole_length(content: NoticeContent, language: Language) -> Iterator[Finding]:
    texts = [text for part in content.texts().values() for text in part]
    size, limit = sum(length_of(text, language) for text in texts), language.reading.longest_notice
    unit = language.reading.counts
    if size > limit:
        message = {
            "zh-Hans": f"正文共{size}{_UNITS[unit]}，超过{limit}{_UNITS[unit]}后很少有人读完。",
            "en": f"The text has {size} {unit}; few people read more than {limit}.",
        }
        yield Finding(Severity.WARNING, "long-notice", "notice", content.language, message)
    grade, highest = grade_of(texts, language), language.reading.highest_grade
    if grade > highest:
        message = {
            "zh-Hans": f"英文文本的阅读年级为{grade:.0f}，应不超过{highest:.0f}。",
            "en": f"Reading it takes school grade {grade:.0f}; keep to {highest:.0f}. Use shorter words and sentences.",
        }
        yield Finding(Severity.WARNING, "reading-grade", "notice", content.language, message)


def _hedges(content: NoticeContent, language: Language) -> Iterator[Finding]:
    hedges, words = house_rules().lint.hedges, language.spoken.avoid["hedges"]
    softened = [
        word
        for place, texts in content.texts().items()
        if place not in _HEDGES_ARE_HONEST_IN
        for text in texts
        for word in _found(words, text)
    ]
    if len(softened) > hedges.limit:
        listed = {"zh-Hans": "、".join(dict.fromkeys(softened)), "en": ", ".join(dict.fromkeys(softened))}
        message = {
            "zh-Hans": f"模糊用语出现{len(softened)}次（{listed['zh-Hans']}）。请写明已知什么、未知什么，"
            f"例如{hedges.instead['zh-Hans']}。",
            "en": f"Softening words stand here {len(softened)} times ({listed['en']}). Say what is known and what is not, "
            f"such as {hedges.instead['en']}",
        }
        yield Finding(Severity.WARNING, "hedges", "notice", content.language, message)


def _words_to_avoid(content: NoticeContent, language: Language) -> Iterator[Finding]:
    for place, texts in content.texts().items():
        whole = "\n".join(texts)
        for word, group in words_to_avoid(whole, language):
            if group.code == _NO_EVIDENCE and _found(language.spoken.logs, whole):
                continue  # it says what the logs could show, which makes it a finding and not a phrase
            stands = _shortened(_sentence_with(word, texts, language))
            message = {
                "zh-Hans": f"“{word}”：{group.why['zh-Hans']}原文：“{stands}”。可改写为：{group.instead['zh-Hans']}。",
                "en": f'"{word}": {group.why["en"]} It stands in "{stands}" Write instead {group.instead["en"]}',
            }
            yield Finding(Severity.WARNING, group.code, place, content.language, message)


def _sentence_with(word: str, texts: Iterable[str], language: Language) -> str:
    parts = (part for text in texts for part in sentences(text, language))
    return next((part for part in parts if _found([word], part)), word)


def _shortened(sentence: str) -> str:
    return sentence if len(sentence) <= _SHOWN else f"{sentence[:_SHOWN].rstrip()}……"


def words_to_avoid(text: str, language: Language) -> Iterator[tuple[str, WordGroup]]:
    """Each word of a text that a notice should not hold, once, with the group that says why."""
    for group in house_rules().lint.groups:
        for word in dict.fromkeys(_found(language.spoken.avoid[group.code], text)):
            yield word, group


def _found(words: Iterable[str], text: str) -> list[str]:
    """Each occurrence of a word; Latin words as whole words only, in any case."""
    hits: list[str] = []
    for word in words:
        pattern = rf"\b{re.escape(word)}\b" if _LETTER.match(word) else re.escape(word)
        hits.extend([word] * len(re.findall(pattern, text, re.IGNORECASE)))
    return hits


def _addresses(content: NoticeContent, language: Language) -> Iterator[Finding]:
    own = _host(content.contact.website) if content.contact and content.contact.website else ""
    mail = content.contact.email.rpartition("@")[2].lower() if content.contact else ""
    for place, texts in content.texts().items():
        for address in (found for text in texts for found in _ADDRESS.findall(text)):
            host = _host(address)
            if host in house_rules().lint.shorteners:
                message = {
                    "zh-Hans": f"{address} 是短链接，看不出指向哪里，诈骗信息常用。请写完整网址，或者删去。",
                    "en": f"{address} is a short link, which hides where it leads, as frauds do. Write the full address or none.",
                }
                yield Finding(Severity.WARNING, "short-link", place, content.language, message)
            elif not any(host == home or host.endswith(f".{home}") for home in (own, mail) if home):
                message = {
                    "zh-Hans": f"{address} 不是我们自己的网址，读者无法判断真假。",
                    "en": f"{address} is not on our own domain; readers cannot tell whether it is genuine.",
                }
                yield Finding(Severity.WARNING, "foreign-domain", place, content.language, message)


def _host(address: str) -> str:
    host = urlsplit(address if "://" in address else f"//{address}").hostname or ""
    return host.removeprefix("www.").lower()


def _completeness(content: NoticeContent, language: Language) -> Iterator[Finding]:
    def warn(code: str, place: str, chinese: str, english: str, *fields: str) -> Finding:
        message = {"zh-Hans": chinese, "en": english}
        return Finding(Severity.WARNING, code, place, content.language, message, fields=fields)

    if content.not_known and content.next_update is None:
        yield warn(
            "no-next-update", "not_known",
            "有尚不清楚的情况，却没有写明何时再次告知。", "Something is not known yet, but no date for the next message is given.",
            "next_update_at",
        )  # fmt: skip
    if content.discovery_date is None:
        yield warn(
            "no-discovery-date", "what_happened",
            "没有写明发现事件的日期。", "The day on which it was found is not given.", "discovered_at",
        )  # fmt: skip
    if len(content.steps_for_person or ()) > MOST_STEPS:
        yield warn(
            "many-steps", "steps_for_person",
            f"建议多于{MOST_STEPS}条，读者往往一条也不做。", f"More than {MOST_STEPS} things to do: people then do none.",
        )  # fmt: skip
    if content.contact and not (content.contact.officer_name or content.contact.officer_contact):
        yield warn(
            "no-officer", "contact",
            "没有写明个人信息保护负责人。", "No data protection officer or contact point is named.",
        )  # fmt: skip
    for field in content.only_elsewhere:
        yield warn(
            "one-language", field,
            f"{field} 只有另一种语言的文字，本语言的告知书中没有这部分。",
            f"{field} was given in another language only; this version of the notice leaves it out.",
            field,
        )  # fmt: skip


def _untranslated(content: NoticeContent, language: Language) -> Iterator[Finding]:
    for entry in content.untranslated:
        file = f"templates/notice/{language.tag}/catalogue.yaml"
        message = {
            "zh-Hans": f"{entry} 没有 {language.tag} 文字，告知书不能用其他语言代替。请写入 {file}。",
            "en": f"{entry} has no text in {language.tag}, and no other language stands in for it. Write it into {file}.",
        }
        yield Finding(Severity.REFUSED, "no-translation", entry, content.language, message)


_CHECKS: tuple[Callable[[NoticeContent, Language], Iterator[Finding]], ...] = (
    _untranslated,
    _foreign_marks,
    _completeness,
    _long_sentences,
    _whole_length,
    _hedges,
    _words_to_avoid,
    _addresses,
    check_reading,
)
