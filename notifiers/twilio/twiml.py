"""What is said in a call, as Twilio reads it (TwiML): the few documents that calls need, from plain lines. Pure.

Each line is one <Say>, cut into several where it is longer than Twilio says at once. The document is built by Twilio's
own `VoiceResponse`; all functions here raise CarrierMissing where `twilio` is not installed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple
from urllib.parse import quote

from notifiers.errors import BadMessage, CarrierMissing

CONTENT_TYPE = "text/xml; charset=utf-8"
"""What an answer to Twilio is sent as."""

MOST_SAY_OCTETS = 3000
"""Of one <Say>, in UTF-8: the least that any kind of voice takes (error 13521; a basic voice takes 4096, one of
Google's 5000)."""
MOST_SAY_ENCODED = 4500
"""Characters of one <Say>, URL-encoded (error 13521): 500 of Chinese."""
MOST_OCTETS = 64_000
"""Of a whole document (error 11750 says 64 kB)."""
WAITS = range(1, 61)
"""Seconds that a key is waited for once all was said; any positive number is taken there."""

_NOT_SAID = re.compile(r"[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]|[\x7f-\x9f\ufdd0-\ufdef]")
_SPACE = re.compile(r"\s+")
_SENTENCE_END = re.compile(r"[。！？；]|[.!?;](?=\s)")
_VOICE = re.compile(r"[A-Za-z0-9]+(?:[.-][A-Za-z0-9]+)*")


class Voice(NamedTuple):
    """The attributes of a <Say>: `language` is Twilio's own tag (cmn-CN), `name` a voice that speaks it."""

    language: str
    name: str


VOICES: Mapping[str, Voice] = MappingProxyType(
    {
        "de": Voice("de-DE", "Polly.Vicki"),
        "en": Voice("en-US", "Polly.Joanna"),
        "es": Voice("es-ES", "Polly.Lucia"),
        "fr": Voice("fr-FR", "Polly.Lea"),
        "ja": Voice("ja-JP", "Polly.Mizuki"),
        "ko": Voice("ko-KR", "Polly.Seoyeon"),
        "ru": Voice("ru-RU", "Polly.Tatyana"),
        "vi": Voice("vi-VN", "Google.vi-VN-Standard-A"),
        "zh-Hans": Voice("cmn-CN", "Polly.Zhiyu"),
        "zh-Hant": Voice("cmn-TW", "Google.cmn-TW-Standard-A"),
    }
)
"""By language of notices. From the list of voices that Twilio keeps for its documentation (api-snippets,
voice/tts/available-voices-list.md; that of Joanna from twilio.com/docs/voice/twiml/say/text-speech). Voices of the kind
"Standard", which cost least, a woman's each. Voices can be withdrawn: another can be named."""


def ask(
    lines: Iterable[str],
    *,
    action: str,
    language: str,
    wait_seconds: int,
    otherwise: Iterable[str],
    voice: str = "",
    first: Iterable[str] = (),
) -> str:
    """Say these lines and take one key, which goes to the address `action`; it may be pressed while they are said, and not
    while what comes `first` is.
    Where none comes within `wait_seconds` (one of WAITS) of the last word, say `otherwise` and hang up.

    `language` is a notice's, a key of VOICES; `voice` names another than its usual one. Raises BadMessage.
    """
    if wait_seconds not in WAITS:
        raise BadMessage(f"a number from {WAITS.start} to {WAITS.stop - 1}", where="wait_seconds")
    spoken = _voice_for(language, voice)
    response = _response()
    _say(response, first, spoken)
    gather = response.gather(
        input="dtmf",
        num_digits=1,
        # Else # ends the input instead of being one, and the person is taken for one who pressed nothing.
        finish_on_key="",
        timeout=wait_seconds,
        action=action,
        method="POST",
    )
    _say(gather, lines, spoken)
    _say(response, otherwise, spoken)
    response.hangup()
    return _written(response)


def say(lines: Iterable[str], *, language: str, voice: str = "") -> str:
    """Say these lines and hang up. Raises BadMessage; language and voice as for `ask`."""
    spoken = _voice_for(language, voice)
    response = _response()
    _say(response, lines, spoken)
    response.hangup()
    return _written(response)


def hang_up() -> str:
    """Say nothing and hang up."""
    response = _response()
    response.hangup()
    return _written(response)


def _voice_for(language: str, voice: str) -> Voice:
    usual = VOICES.get(language)
    if usual is None:
        raise BadMessage(
            f"no voice is known for {language!r}; there are {', '.join(VOICES)}", where="language"
        )
    if not voice:
        return usual
    if not _VOICE.fullmatch(voice):
        raise BadMessage("a voice of Twilio's is named as in Polly.Joanna", where="voice")
    return usual._replace(name=voice)


def _say(verb: Any, lines: Iterable[str], voice: Voice) -> None:
    for line in lines:
        for piece in pieces_of(line):
            verb.say(piece, language=voice.language, voice=voice.name)


def pieces_of(line: str) -> list[str]:
    """A line as it is said: without what XML cannot hold and without controls, one space for any number of them, and
    cut where it is too long for one <Say>, at the end of a sentence or between words where there is one. None of an
    empty line."""
    rest = _SPACE.sub(" ", _NOT_SAID.sub(" ", line)).strip()
    pieces = []
    while rest:
        piece = _cut(rest)
        pieces.append(piece.strip())
        rest = rest[len(piece) :].lstrip()
    return pieces


def _cut(text: str) -> str:
    """As much of its beginning as one <Say> takes."""
    octets = encoded = 0
    for at, character in enumerate(text):
        octets += len(character.encode())
        encoded += len(quote(character, safe=""))
        if octets > MOST_SAY_OCTETS or encoded > MOST_SAY_ENCODED:
            return _to_a_pause(text[:at])
    return text


def _to_a_pause(text: str) -> str:
    ends = [found.end() for found in _SENTENCE_END.finditer(text)]
    if ends:
        return text[: ends[-1]]
    return text[: text.rfind(" ") + 1] or text


def _response() -> Any:
    try:
        from twilio.twiml.voice_response import VoiceResponse
    except ImportError:
        raise CarrierMissing("twilio") from None
    return VoiceResponse()


def _written(response: Any) -> str:
    document = str(response.to_xml())
    if len(document.encode()) > MOST_OCTETS:
        raise BadMessage(f"at most {MOST_OCTETS} octets in all for Twilio; say less", where="lines")
    return document
