"""A call: how a code is said, and the script as TwiML, Twilio's XML for calls. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from xml.etree import ElementTree

SAY_LANGUAGES: Mapping[str, str] = {"zh-Hans": "cmn-CN", "zh-Hant": "cmn-TW", "en": "en-GB"}
"""What `Say` calls a language; one that is not here is called by its own tag."""

_SECONDS_TO_PRESS = "8"


def spelled(code: str) -> str:
    """A code or a phone number for saying: each character alone, a longer pause where a group ends.

    `K7P2-4M9` is `K, 7, P, 2. 4, M, 9`.
    """
    groups = "".join(each if each.isalnum() else " " for each in code).split()
    return ". ".join(", ".join(group) for group in groups)


def twiml(text: str, language: str) -> str:
    """A script as a TwiML document: its lines are said one by one, with a key they are said again, then it hangs up.

    What stands below the first empty line is said when no key was pressed. The lines may hold marks of slots.
    """
    said = SAY_LANGUAGES.get(language, language)
    body, _, farewell = text.strip().partition("\n\n")
    response = ElementTree.Element("Response")
    gather = ElementTree.SubElement(
        response, "Gather", {"input": "dtmf", "numDigits": "1", "timeout": _SECONDS_TO_PRESS}
    )
    for parent, part in ((gather, body), (response, farewell)):
        for line in filter(None, map(str.strip, part.splitlines())):
            ElementTree.SubElement(parent, "Say", {"language": said}).text = line
    ElementTree.SubElement(response, "Hangup")
    ElementTree.indent(response)
    document = ElementTree.tostring(response, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{document}\n'
