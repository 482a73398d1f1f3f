"""TwiML as the stand-in for Twilio reads it: the verbs and attributes that notices need, and a complaint of all else.

The limits are those of errors 11750 and 13521.
"""

from __future__ import annotations

import urllib.parse
import xml.etree.ElementTree as ET
from collections.abc import Callable
from dataclasses import dataclass

from tests.support.twilio.posting import Reply
from tests.support.twilio.script import Heard

_KINDS = ("text/xml", "application/xml")
_MOST_OCTETS = 64_000
_MOST_SAID, _MOST_ENCODED = 3000, 4500
_GATHER = {"action", "finishOnKey", "input", "method", "numDigits", "timeout"}
_FINISH = "#"

Complain = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Gather:
    """A question: what is said, where the key goes, and the key that ends the input instead of being one."""

    says: tuple[Heard, ...]
    action: str
    finish: str


@dataclass(frozen=True, slots=True)
class Hangup:
    pass


Verb = Heard | Gather | Hangup


def verbs_of(reply: Reply, complain: Complain) -> list[Verb]:
    """The verbs of an answer in their order; none of one that is no TwiML."""
    if reply.status != 200 or reply.kind.partition(";")[0].strip() not in _KINDS:
        complain(f"no TwiML: HTTP {reply.status}, {reply.kind}")
        return []
    if len(reply.body) > _MOST_OCTETS:
        complain(f"a document of {len(reply.body)} octets")
        return []
    try:
        response = ET.fromstring(reply.body)  # noqa: S314
    except ET.ParseError as error:
        complain(f"no XML: {error}")
        return []
    _check(response, "Response", set(), complain)
    _check_bare(response, complain)
    found = [_verb_of(each, complain) for each in response]
    return [each for each in found if each is not None]


def _verb_of(element: ET.Element, complain: Complain) -> Verb | None:
    if element.tag == "Say":
        return _said(element, complain)
    if element.tag == "Gather":
        return _gathered(element, complain)
    _check(element, "Hangup", set(), complain)
    _check_bare(element, complain)
    return Hangup() if element.tag == "Hangup" else None


def _said(element: ET.Element, complain: Complain) -> Heard:
    _check(element, "Say", {"language", "voice"}, complain)
    text = element.text or ""
    if len(element) or not text.strip():
        complain("a Say that says nothing, or holds an element")
    if len(text.encode()) > _MOST_SAID or len(urllib.parse.quote(text, safe="")) > _MOST_ENCODED:
        complain(f"a Say of {len(text)} characters")
    return Heard(text, element.get("language", ""), element.get("voice", ""))


def _gathered(element: ET.Element, complain: Complain) -> Gather:
    _check(element, "Gather", _GATHER, complain)
    _check_bare(element, complain)
    settings = (element.get("input"), element.get("method"), element.get("numDigits"))
    if settings != ("dtmf", "POST", "1") or int(element.get("timeout", "5")) < 1:
        complain(f"a Gather of {element.attrib}")
    says = tuple(_said(each, complain) for each in element)
    return Gather(says, element.get("action", ""), element.get("finishOnKey", _FINISH))


def _check(element: ET.Element, tag: str, attributes: set[str], complain: Complain) -> None:
    unknown = element.attrib.keys() - attributes
    if element.tag != tag or unknown:
        complain(f"{element.tag} with {sorted(unknown)} where {tag} may be")


def _check_bare(element: ET.Element, complain: Complain) -> None:
    """Only a Say holds text."""
    texts = [element.text, *(each.tail for each in element)]
    if any(text and text.strip() for text in texts):
        complain(f"text in {element.tag}")
