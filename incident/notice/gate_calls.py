"""The gate of a call by machine: what whoever picks up may hear, which keys it names, and how long it takes. Pure.

Who picks up may be anybody: only after they said that they are the person does a call tell anything of theirs. What a
key means is the same in every call (`channels.CALL_KEYS`), so its words must name the same keys.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from incident.notice.channels import CALL_KEYS, PARTS_FOR_ANYBODY, VoiceScript
from incident.notice.content import NoticeContent
from incident.notice.findings import Finding, Severity
from incident.notice.languages import Language, Unit, shipped_languages
from incident.notice.readability import length_of
from incident.notice.render import PERSON_NAME
from incident.notice.stand_ins import sample_values
from notifiers.email.message import SLOT

LONGEST_SAID: Mapping[str, int] = {"greeting": 30, "text": 90}
"""Seconds that a part may take before people hang up; by our own judgement."""

_SAID_A_SECOND: Mapping[Unit, float] = {Unit.WORDS: 2.5, Unit.CHARACTERS: 4.0}
"""How fast a calm voice speaks: 150 words or 240 characters a minute. A digit or a letter alone counts as one of them."""

_LINES_WITH_KEYS = 3

PART_TITLES: Mapping[str, Mapping[str, str]] = {
    "greeting": {"zh-Hans": "开场", "en": "greeting"},
    "text": {"zh-Hans": "正文", "en": "text"},
    "not_heard": {"zh-Hans": "没有按键时的话", "en": "words where no key was pressed"},
    "machine": {"zh-Hans": "留言", "en": "words left on an answering machine"},
    "thanks": {"zh-Hans": "结束语", "en": "thanks"},
    "wrong_person": {"zh-Hans": "打错时的话", "en": "words to a wrong person"},
}


def check_call(
    content: NoticeContent, voice: VoiceScript | None, languages: Mapping[str, Language] | None = None
) -> Iterator[Finding]:
    """What stands against calling with a script. `languages` are as in `gate_channels.check_channels`."""
    if voice is None:
        return
    for name in PARTS_FOR_ANYBODY:
        yield from _personal(content, name, getattr(voice, name))
    for name in CALL_KEYS:
        yield from _keys(content, name, getattr(voice, name))
    yield from _length(content, voice, languages)


def kinds_named(content: NoticeContent, text: str) -> list[str]:
    """The kinds of information of a notice that a text names."""
    return [kind for kind in content.data_types or () if _names(kind, text)]


def _names(kind: str, text: str) -> bool:
    if kind.isascii():
        return re.search(rf"\b{re.escape(kind)}\b", text, re.IGNORECASE) is not None
    return kind in text


def _personal(content: NoticeContent, name: str, part: str) -> Iterator[Finding]:
    allowed = {PERSON_NAME} if name == "greeting" else set()
    named = [*kinds_named(content, part), *(slot for slot in SLOT.findall(part) if slot not in allowed)]
    if not named:
        return
    title = PART_TITLES[name]
    message = {
        "zh-Hans": f"语音电话的{title['zh-Hans']}旁人也可能听到，却说了：{'、'.join(named)}。",
        "en": f"Others may hear the {title['en']} of the call, and it names: {', '.join(named)}.",
    }
    yield Finding(Severity.REFUSED, "personal-in-call", f"voice.{name}", content.language, message)


def _keys(content: NoticeContent, name: str, part: str) -> Iterator[Finding]:
    ending = "\n".join(part.splitlines()[-_LINES_WITH_KEYS:])
    if {int(number) for number in re.findall(r"\d+", ending)} >= {int(key) for key in CALL_KEYS[name]}:
        return
    title = PART_TITLES[name]
    means = {
        "greeting": {
            "zh-Hans": "1 表示是本人，2 表示不是",
            "en": "1 for the person, 2 for anybody else",
        },
        "text": {"zh-Hans": "1 表示已经听到，2 表示再听一遍", "en": "1 to confirm, 2 to hear it again"},
    }[name]
    message = {
        "zh-Hans": f"语音电话的{title['zh-Hans']}在最后{_LINES_WITH_KEYS}行要说明两个按键：{means['zh-Hans']}。否则按键会被误会。",
        "en": f"The {title['en']} of the call must name both keys in its last {_LINES_WITH_KEYS} lines: {means['en']}. "
        "A key would be taken for what nobody meant.",
    }
    yield Finding(Severity.REFUSED, "call-without-keys", f"voice.{name}", content.language, message)


def _length(
    content: NoticeContent, voice: VoiceScript, languages: Mapping[str, Language] | None
) -> Iterator[Finding]:
    language = (languages or shipped_languages())[content.language]
    said = voice.filled(sample_values(content, size="longest", languages=languages))
    for name, most in LONGEST_SAID.items():
        seconds = round(length_of(getattr(said, name), language) / _SAID_A_SECOND[language.reading.counts])
        if seconds <= most:
            continue
        title = PART_TITLES[name]
        message = {
            "zh-Hans": f"语音电话的{title['zh-Hans']}大约要说{seconds}秒，超过{most}秒，对方可能提前挂机。请缩短。",
            "en": f"Saying the {title['en']} of the call takes about {seconds} seconds, more than {most}. People may hang up. "
            "Shorten it.",
        }
        yield Finding(Severity.WARNING, "long-call", f"voice.{name}", content.language, message)
