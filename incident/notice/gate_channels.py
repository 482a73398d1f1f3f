"""The gate of the small channels: what a short message holds itself, and that the rest is reached without a link. Pure.

An SMS, a push or a call has no room for all that a law asks for. What is left out stands in a full text; the message
says how to reach it by typing an address or dialling a number, because people are rightly told not to follow links in
messages about a breach.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from urllib.parse import urlsplit

from incident.law.elements import element_catalogue
from incident.notice.channels import Push, Rendering, Renderings, SmallChannel, Sms, VoiceScript
from incident.notice.content import Element, NoticeContent
from incident.notice.findings import Article, Finding, Severity
from incident.notice.gate_calls import check_call, kinds_named
from incident.notice.graphemes import graphemes
from incident.notice.house_rules import house_rules
from incident.notice.languages import Language
from incident.notice.render_small import LONGEST_PUSH_BODY, in_short
from incident.notice.sms_text import sms_text
from incident.notice.stand_ins import sample_values
from incident.notice.voice import spelled
from notifiers.email.message import SLOT

HELD: Mapping[SmallChannel, frozenset[str]] = {
    SmallChannel.SMS: frozenset(
        {
            Element.WHAT_HAPPENED,
            Element.DATA_TYPES,
            Element.INDIVIDUAL_SPECIFIC_DATA,
            Element.STEPS_FOR_PERSON,
            Element.CONTACT,
        }
    ),
    SmallChannel.VOICE: frozenset(
        {
            Element.WHAT_HAPPENED,
            Element.DATA_TYPES,
            Element.INDIVIDUAL_SPECIFIC_DATA,
            Element.STEPS_FOR_PERSON,
            Element.CONTACT,
        }
    ),
    SmallChannel.PUSH: frozenset({Element.CONTACT}),
}
"""Which elements a short message must hold itself where a law asks for them: what its reader needs at once. All others
may stand in the full text. The pop-up has room and must hold them all; the call centre's script is no notice."""

CHANNEL_TITLES: Mapping[SmallChannel, Mapping[str, str]] = {
    SmallChannel.SMS: {"zh-Hans": "短信", "en": "SMS"},
    SmallChannel.PUSH: {"zh-Hans": "推送通知", "en": "push notification"},
    SmallChannel.IN_APP: {"zh-Hans": "应用内弹窗", "en": "pop-up"},
    SmallChannel.VOICE: {"zh-Hans": "语音电话", "en": "call"},
    SmallChannel.CALL_CENTRE: {"zh-Hans": "客服话术", "en": "call-centre script"},
}

_TOLD_WITH_WHAT_HAPPENED = (Element.BREACH_DATE, Element.DISCOVERY_DATE)
_SHORT = (SmallChannel.SMS, SmallChannel.PUSH, SmallChannel.VOICE)
_SCHEME = re.compile(r"https?://\S+", re.IGNORECASE)
_LINKS = (
    re.compile(r"<a\b[^>]*?\bhref\s*=\s*[\"']?(?P<target>[^\"'\s>]+)[^>]*>(?P<text>.*?)</a>", re.I | re.S),
    re.compile(r"\[(?P<text>[^\]\n]+)\]\((?P<target>[^)\s]+)\)"),
)
_LOOKS_LIKE_ADDRESS = re.compile(r"(?:https?://)?(?:[a-z0-9-]+\.)+[a-z]{2,}(?:/\S*)?", re.IGNORECASE)

Required = Mapping[str, Sequence[Article]]


def check_channels(
    contents: Mapping[str, NoticeContent],
    channels: Mapping[str, Renderings],
    required: Required,
    *,
    documents: Mapping[str, str],
    most_segments: int,
    languages: Mapping[str, Language] | None = None,
) -> list[Finding]:
    """What stands against releasing the small channels of a notice.

    `documents` are the HTML texts by name that go out beside them, the public pages by their file names. An element that
    the content itself lacks is not named again: the gate refuses it. `languages` are those of the contents, by default the
    shipped ones.
    """
    findings: list[Finding] = []
    for language, content in contents.items():
        small = channels.get(language, Renderings())
        findings += _no_template(small, language)
        for channel, rendering in small.there():
            texts = rendering.texts()
            findings += _lost_elements(content, channel, _told(rendering), required)
            findings += _no_way(content, channel, _told(rendering))
            findings += _links(channel.value, language, texts)
            if channel in _SHORT:
                findings += _addresses(channel, language, texts)
        findings += _sms(content, small.sms, most_segments, languages)
        findings += _push(content, small.push)
        findings += check_call(content, small.voice, languages)
    for name, text in documents.items():
        findings += _links(name, "", [text])
        findings += _personal(name, text)
    return findings


def _told(rendering: Rendering) -> tuple[str, ...]:
    """What its reader is told for certain: in a call what the person hears, not what only a machine or others do."""
    return (rendering.text,) if isinstance(rendering, VoiceScript) else rendering.texts()


def left_to_full_text(content: NoticeContent, channel: SmallChannel, required: Required) -> tuple[str, ...]:
    """The required elements that a channel leaves to the full text, in the order of the catalogue."""
    if channel not in HELD:
        return ()
    asked = [name for name in element_catalogue() if name in required and content.element(name) is not None]
    return tuple(name for name in asked if name not in HELD[channel])


def _no_template(small: Renderings, language: str) -> Iterator[Finding]:
    lacking = [channel for channel in SmallChannel if small.of(channel) is None]
    if lacking:
        names = {
            "zh-Hans": "、".join(CHANNEL_TITLES[channel]["zh-Hans"] for channel in lacking),
            "en": ", ".join(CHANNEL_TITLES[channel]["en"] for channel in lacking),
        }
        message = {
            "zh-Hans": f"{language} 没有以下渠道的模板：{names['zh-Hans']}。这些渠道发不出该语言的告知。",
            "en": f"{language} has no template for: {names['en']}. Nobody can be told this way in it.",
        }
        yield Finding(Severity.WARNING, "no-channel-template", "channels", language, message)


def _lost_elements(
    content: NoticeContent, channel: SmallChannel, texts: Sequence[str], required: Required
) -> Iterator[Finding]:
    whole = "\n".join(texts)
    for element, articles in required.items():
        if not _must_hold(channel, element) or content.element(element) is None:
            continue
        if _holds(content, channel, element, whole):
            continue
        title, where = element_catalogue()[element].title, CHANNEL_TITLES[channel]
        message = {
            "zh-Hans": f"{where['zh-Hans']}的模板漏掉了“{title['zh-Hans']}”，而它应当写在消息本身。",
            "en": f"The template of the {where['en']} leaves out “{title['en']}”, which must stand in the message itself.",
        }
        yield Finding(
            Severity.REFUSED,
            "channel-lacks-element",
            f"{channel.value}.{element}",
            content.language,
            message,
            articles=tuple((regime, article) for regime, article in articles),
        )


def _must_hold(channel: SmallChannel, element: str) -> bool:
    if channel is SmallChannel.IN_APP:
        return True
    return channel in HELD and element in HELD[channel]


def _holds(content: NoticeContent, channel: SmallChannel, element: str, whole: str) -> bool:
    short = in_short(content)
    if element in (Element.DATA_TYPES, Element.INDIVIDUAL_SPECIFIC_DATA):
        return SLOT.search(whole) is not None
    if element == Element.CONTACT:
        return any(_is_given(way, channel, whole) for way in _reach(content))
    if element in _TOLD_WITH_WHAT_HAPPENED and content.what_happened is None:
        return True
    if channel is SmallChannel.IN_APP:
        return all(line in whole for line in _lines(content, element))
    if element == Element.WHAT_HAPPENED:
        return short.happened in whole
    return short.step in whole


def _reach(content: NoticeContent) -> list[str]:
    contact = content.contact
    return [each for each in (contact.phone, contact.email, contact.website) if each] if contact else []


def _lines(content: NoticeContent, element: str) -> Iterable[str]:
    """An element as the pop-up has to show it, in the parts that can be found again."""
    if element == Element.MEASURES_TAKEN:
        return [line.text for line in content.measures_taken or ()]
    value = content.element(element)
    return (
        [value]
        if isinstance(value, str)
        else [str(line) for line in value]
        if isinstance(value, tuple)
        else []
    )


def _no_way(content: NoticeContent, channel: SmallChannel, texts: Sequence[str]) -> Iterator[Finding]:
    if channel not in _SHORT:
        return
    whole = "\n".join(texts)
    if any(_is_given(way, channel, whole) for way in in_short(content).ways):
        return
    where = CHANNEL_TITLES[channel]
    message = {
        "zh-Hans": f"{where['zh-Hans']}没有写明怎样不点链接就能看到告知书全文。请在 incident.toml 的 organisation 中写明 phone 或者 website。",
        "en": f"The {where['en']} gives no way to the full text that needs no link. Set phone or website under "
        "organisation in incident.toml.",
    }
    yield Finding(
        Severity.REFUSED,
        "no-way-without-link",
        channel.value,
        content.language,
        message,
        fields=("organisation",),
    )


def _is_given(way: str, channel: SmallChannel, whole: str) -> bool:
    """Whether a text names a number or an address; a call says a number digit by digit."""
    return way in whole or (channel is SmallChannel.VOICE and spelled(way) in whole)


def _addresses(channel: SmallChannel, language: str, texts: Sequence[str]) -> Iterator[Finding]:
    where = CHANNEL_TITLES[channel]
    for text in texts:
        for host in sorted(_shorteners_in(text)):
            message = {
                "zh-Hans": f"{where['zh-Hans']}中有短链接 {host}，看不出指向哪里，诈骗信息常用。请写平时的网址或者电话。",
                "en": f"The {where['en']} holds a short link, {host}, which hides where it leads, as frauds do. Give the "
                "usual web address or a phone number.",
            }
            yield Finding(Severity.REFUSED, "short-link", channel.value, language, message)
        for address in _SCHEME.findall(text):
            message = {
                "zh-Hans": f"{where['zh-Hans']}中有链接 {address}。告知不应要求点击链接，请写可以自行输入的网址。",
                "en": f"The {where['en']} holds the link {address}. A notice needs no click: give the address to type.",
            }
            yield Finding(Severity.WARNING, "link-to-click", channel.value, language, message)


def _shorteners_in(text: str) -> set[str]:
    lower = text.lower()
    return {
        host
        for host in house_rules().lint.shorteners
        if re.search(rf"(?<![a-z0-9.-]){re.escape(host)}(?![a-z0-9-]|\.[a-z0-9])", lower)
    }


def _links(place: str, language: str, texts: Sequence[str]) -> Iterator[Finding]:
    for text in texts:
        for link in (found for pattern in _LINKS for found in pattern.finditer(text)):
            shown = re.sub(r"<[^>]*>", "", link["text"]).strip()
            if not _LOOKS_LIKE_ADDRESS.fullmatch(shown) or _host(shown) == _host(link["target"]):
                continue
            message = {
                "zh-Hans": f"链接显示为 {shown}，实际指向 {link['target']}。两者必须一致。",
                "en": f"A link reads {shown} and leads to {link['target']}. Both must be the same.",
            }
            yield Finding(Severity.REFUSED, "link-unlike-target", place, language, message)


def _host(address: str) -> str:
    try:
        host = urlsplit(address if "://" in address else f"//{address}").hostname or ""
    except ValueError:
        return ""
    return host.removeprefix("www.").lower()


def _personal(name: str, text: str) -> Iterator[Finding]:
    for slot in dict.fromkeys(SLOT.findall(text)):
        message = {
            "zh-Hans": f"{name} 是公开的，却留有个人内容的位置（{slot}）。",
            "en": f"{name} is public, and has a place for something personal ({slot}).",
        }
        yield Finding(Severity.REFUSED, "personal-in-public", name, "", message)


def _sms(
    content: NoticeContent, sms: Sms | None, most_segments: int, languages: Mapping[str, Language] | None
) -> Iterator[Finding]:
    if sms is None:
        return
    values = sample_values(content, size="longest", languages=languages)
    segments = len(sms_text(sms.filled(values).text).segments)
    if segments > most_segments:
        message = {
            "zh-Hans": f"信息种类最多的人收到的短信有{segments}条，超过{most_segments}条。请缩短“发生了什么”的第一句或者第一条建议。",
            "en": f"For people with all kinds of data the SMS has {segments} segments, more than {most_segments}. Shorten "
            "the first sentence of what happened, or the first thing to do.",
        }
        yield Finding(
            Severity.WARNING,
            "many-segments",
            SmallChannel.SMS.value,
            content.language,
            message,
            fields=("what_happened", "self_protection"),
        )


def _push(content: NoticeContent, push: Push | None) -> Iterator[Finding]:
    if push is None:
        return
    place, shown = SmallChannel.PUSH.value, f"{push.title}\n{push.body}"
    size = len(graphemes(push.body))
    if size > LONGEST_PUSH_BODY:
        message = {
            "zh-Hans": f"推送通知的正文有{size}字，超过{LONGEST_PUSH_BODY}字的部分会被手机截断。",
            "en": f"The body of the push notification has {size} characters; phones cut it after {LONGEST_PUSH_BODY}.",
        }
        yield Finding(Severity.WARNING, "long-push", place, content.language, message)
    named = kinds_named(content, shown)
    if named or SLOT.search(shown):
        what = {"zh-Hans": "、".join(named) or "个人内容", "en": ", ".join(named) or "something personal"}
        message = {
            "zh-Hans": f"推送通知会显示在锁屏上，旁人也能看到，却写了：{what['zh-Hans']}。",
            "en": f"A push notification shows on a locked screen, for others to see, and it names: {what['en']}.",
        }
        yield Finding(Severity.REFUSED, "personal-in-push", place, content.language, message)
