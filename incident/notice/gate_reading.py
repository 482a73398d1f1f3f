"""What a worried reader misses or stumbles over, beyond words: a number, a day, a link, a name nobody knows. Pure.

From what published notices lacked and their readers could not tell: neither a number nor a reason for none, the day it
was found without the day it began, links whose text is not where they lead, and the inner names of systems.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from incident.notice.content import Element, NoticeContent
from incident.notice.findings import Finding, Severity
from incident.notice.house_rules import house_rules
from incident.notice.languages import Language
from incident.notice.readability import sentences

_MARKDOWN_LINK = re.compile(r"\[(?P<text>[^\]\n]+)\]\((?P<to>[^)\s]+)\)")
_HTML_LINK = re.compile(r"<a\s[^>]*href\s*=\s*[\"']?(?P<to>[^\"'>\s]+)[^>]*>(?P<text>.*?)</a>", re.I | re.S)
_HOST = re.compile(r"(?:https?://)?((?:[a-z0-9-]+\.)+[a-z]{2,})", re.I)
_NAME = re.compile(r"(?<![A-Za-z0-9@./_-])[A-Z][A-Z0-9]*(?:[-_]?[A-Z0-9]+)+(?![A-Za-z0-9@/_-]|\.[A-Za-z])")
_REFERENCE = re.compile(r"INC-[0-9]")
_EXPLAINED = re.compile(r"\s*[（(]|，(?:即|是|也就是)|, (?:our|the|a|an|which)\b")


def check_reading(content: NoticeContent, language: Language) -> Iterator[Finding]:
    """Warnings about one language's version; each with its place, and what to write instead."""
    yield from _number_and_days(content)
    yield from _links(content, language)
    yield from _unknown_names(content, language)


def _number_and_days(content: NoticeContent) -> Iterator[Finding]:
    if not content.sources:
        return
    told = {
        field
        for place in (Element.WHAT_HAPPENED, Element.BREACH_DATE, "not_known")
        for source in content.sources.get(place, ())
        for field in source.facts
    }
    if "persons" not in told:
        yield _warn(
            content, "no-number", Element.WHAT_HAPPENED,
            "没有写明涉及多少人，也没有说明为什么还不清楚。可写：“涉及多少人，我们还在统计。”",
            "Neither how many people it concerns is told nor why that is not known. "
            "Write for example “We do not yet know how many people it concerns.”",
            "persons",
        )  # fmt: skip
    if content.discovery_date is not None and "occurred_at" not in told:
        yield _warn(
            content, "no-start-date", Element.WHAT_HAPPENED,
            "写了发现的日期，没有写从什么时候开始。可写：“事件从什么时候开始，我们还在调查。”",
            "The day it was found is told, but not when it began. "
            "Write for example “We do not yet know when it began.”",
            "occurred_at",
        )  # fmt: skip


def _links(content: NoticeContent, language: Language) -> Iterator[Finding]:
    for place, texts in content.texts().items():
        for text in texts:
            for match in (*_MARKDOWN_LINK.finditer(text), *_HTML_LINK.finditer(text)):
                shown, to = _HOST.search(match["text"]), urlsplit(match["to"]).hostname or match["to"]
                if shown is None or _bare(shown[1]) != _bare(to):
                    yield _warn(
                        content, "unlike-link", place,
                        f"链接的文字“{match['text']}”与指向的{to}不一致，诈骗信息常用。请写网址本身，不做链接。",
                        f"The text of the link, “{match['text']}”, is not where it leads ({to}), as in frauds. "
                        "Write the address itself, and no link.",
                    )  # fmt: skip


def _unknown_names(content: NoticeContent, language: Language) -> Iterator[Finding]:
    known = house_rules().lint.known_names
    for place, texts in content.texts().items():
        seen: set[str] = set()
        for sentence in (part for text in texts for part in sentences(text, language)):
            for match in _NAME.finditer(sentence):
                name = match[0]
                before, after = sentence[: match.start()], sentence[match.end() :]
                if name in known or name in seen or _REFERENCE.match(name):
                    continue
                seen.add(name)
                if _EXPLAINED.match(after) or _is_open(before):
                    continue
                yield _warn(
                    content, "unknown-name", place,
                    f"读者可能不知道“{name}”是什么。原文：“{sentence}”。请说明，例如“{name}（我们的会员查询系统）”，或者不写名称。",
                    f'Readers may not know what “{name}” is. It stands in "{sentence}" '
                    f"Explain it, such as “{name} (our system for member look-ups)”, or leave the name out.",
                )  # fmt: skip


def _is_open(before: str) -> bool:
    """Whether a bracket is still open: what stands in one explains, and is explained by, what is before it."""
    return max(map(before.rfind, "(（")) > max(map(before.rfind, ")）"))


def _bare(host: str) -> str:
    return host.lower().removeprefix("www.")


def _warn(content: NoticeContent, code: str, place: str, chinese: str, english: str, *fields: str) -> Finding:
    message = {"zh-Hans": chinese, "en": english}
    return Finding(Severity.WARNING, code, place, content.language, message, fields=fields)
