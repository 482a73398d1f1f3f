"""What belongs to a person and was typed into a text that everybody reads: numbers, addresses, identity numbers. Pure.

A notice is also a public page, so nothing in its running text may lead to one person. The organisation's own contacts
are what it is for; the authorities and services that a notice names have numbers too, in the parts made for that.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from incident.notice.content import Contact, NoticeContent
from incident.notice.findings import Finding, Severity
from incident.notice.languages import Language
from incident.notice.readability import sentences

_CONTACTS_OF_OTHERS = frozenset({"regulator_or_agency_info", "credit_bureau_info", "id_protection_offer"})
_EMAIL = re.compile(r"[A-Za-z0-9._%+-]+@([A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+)")
_IDENTITY = re.compile(r"(?<![0-9A-Za-z])[1-9][0-9]{16}[0-9Xx](?![0-9A-Za-z])")
_CARD = re.compile(r"(?<![0-9A-Za-z])[0-9](?:[ -]?[0-9]){12,18}(?![0-9A-Za-z])")
_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_KINDS: Mapping[str, Mapping[str, str]] = {
    "identity": {"zh-Hans": "身份证号码", "en": "an identity number"},
    "card": {"zh-Hans": "银行卡号", "en": "a card number"},
    "email": {"zh-Hans": "电子邮箱", "en": "an e-mail address"},
    "phone": {"zh-Hans": "电话号码", "en": "a phone number"},
}


def check_personal(
    contents: Mapping[str, NoticeContent], languages: Mapping[str, Language]
) -> Iterator[Finding]:
    """Refuses a text that holds a number or address which may be a person's, with its place and sentence, masked."""
    for tag, content in contents.items():
        for place, texts in content.texts().items():
            for text in texts:
                for sentence in sentences(text, languages[tag]):
                    for kind, found in _personal(sentence, place, content.contact):
                        yield _finding(content, place, sentence.replace(found, _masked(found)), kind)


def _finding(content: NoticeContent, place: str, sentence: str, kind: str) -> Finding:
    words = _KINDS[kind]
    message = {
        "zh-Hans": f"公开的文字中有{words['zh-Hans']}，可能属于个人。原文：“{sentence}”。请删去；"
        "如果是本单位的，请写入 incident.toml 的 organisation。",
        "en": f'A text that everybody reads holds {words["en"]} that may be a person\'s. It stands in "{sentence}" '
        "Take it out; if it is our own, set it under organisation in incident.toml.",
    }
    return Finding(Severity.REFUSED, "person-in-text", place, content.language, message)


def _personal(sentence: str, place: str, contact: Contact | None) -> Iterator[tuple[str, str]]:
    rest = sentence
    for kind, found in [*_identities(sentence), *_emails(sentence, place, contact)]:
        rest = rest.replace(found, " ")
        yield kind, found
    if place not in _CONTACTS_OF_OTHERS:
        yield from _phones(rest, contact)


def _identities(sentence: str) -> Iterator[tuple[str, str]]:
    for match in _IDENTITY.finditer(sentence):
        if _is_identity(match[0]):
            yield "identity", match[0]
    for match in _CARD.finditer(_IDENTITY.sub(" ", sentence)):
        if _passes_luhn(re.sub("[ -]", "", match[0])):
            yield "card", match[0]


def _is_identity(number: str) -> bool:
    """Whether the last sign is the check sign of a resident identity number (GB 11643)."""
    total = sum(int(digit) * weight for digit, weight in zip(number, _WEIGHTS, strict=False))
    return "10X98765432"[total % 11] == number[-1].upper()


def _passes_luhn(digits: str) -> bool:
    doubled = [int(digit) * (1 + place % 2) for place, digit in enumerate(reversed(digits))]
    return sum(number - 9 if number > 9 else number for number in doubled) % 10 == 0


def _emails(sentence: str, place: str, contact: Contact | None) -> Iterator[tuple[str, str]]:
    homes = _own_domains(contact)
    for match in _EMAIL.finditer(sentence):
        host = match[1].lower()
        if place not in _CONTACTS_OF_OTHERS and not any(
            host == home or host.endswith(f".{home}") for home in homes
        ):
            yield "email", match[0]


def _own_domains(contact: Contact | None) -> list[str]:
    if contact is None:
        return []
    site = re.sub(r"^(?:https?://)?(?:www\.)?", "", contact.website.lower()).split("/")[0]
    mails = [
        each.rpartition("@")[2].lower() for each in (contact.email, contact.officer_contact) if "@" in each
    ]
    return [each for each in (site, *mails) if each]


def _phones(sentence: str, contact: Contact | None) -> Iterator[tuple[str, str]]:
    import phonenumbers

    # Hotlines and service numbers are nobody's own; where a country does not tell mobile from fixed, both may be.
    types = phonenumbers.PhoneNumberType
    personal = {
        types.MOBILE, types.FIXED_LINE, types.FIXED_LINE_OR_MOBILE, types.PERSONAL_NUMBER, types.VOIP,
    }  # fmt: skip
    own = {_digits(each) for each in _own_numbers(contact)}
    for match in phonenumbers.PhoneNumberMatcher(sentence, "CN"):
        if phonenumbers.number_type(match.number) in personal and not any(
            _digits(match.raw_string).endswith(each.lstrip("0")) for each in own
        ):
            yield "phone", match.raw_string


def _own_numbers(contact: Contact | None) -> Iterable[str]:
    numbers = (contact.phone, contact.officer_contact) if contact else ()
    return [each for each in numbers if len(_digits(each)) >= 5]


def _digits(text: str) -> str:
    return re.sub(r"[^0-9]", "", text)


def _masked(found: str) -> str:
    """The first two signs: enough to find it in the text, too little to be anybody's."""
    return f"{found[:2]}****"
