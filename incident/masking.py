"""Masking of people: what a screen, a log line or an error may show of a person by default."""

from __future__ import annotations

import re

_EMAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
# Nine digits in a row are a phone, card or identity number sooner than a count; so are groups as phones are written.
_NUMBER = re.compile(
    r"(?<!\d)(?<!\d[.,-])\+?(?:\d{1,4}[- ])?(?:\d{9,}[Xx]?|\d{2,4}[- ]\d{3,4}[- ]\d{4}(?![- ]?\d))"
)
_CHINESE_MOBILE = re.compile(r"(86)?(1[3-9]\d)\d{4}(\d{4})")


def mask_name(name: str) -> str:
    """The first character and stars: 张三 -> 张*, Alice Smith -> A**** S****."""
    words = name.split()
    if not words:
        return "*"
    return " ".join(word[0] + "*" * min(max(len(word) - 1, 1), 4) for word in words)


def mask_email(address: str) -> str:
    """The first character of the mailbox and the domain: a***@example.org."""
    mailbox, at, domain = address.rpartition("@")
    if not at or not mailbox:
        return "***"
    return f"{mailbox[0]}***@{domain}"


def mask_phone(number: str) -> str:
    """A mobile number of mainland China as people there mask it: 138****8001, +86 138****8001. Of others the first three
    and the last two digits: 442*******58. Numbers below nine digits show nothing."""
    digits = "".join(character for character in number if character.isdigit())
    if mobile := _CHINESE_MOBILE.fullmatch(digits):
        code, first, last = mobile.groups()
        return f"{'+86 ' if code else ''}{first}****{last}"
    if len(digits) < 9:
        return "***"
    return digits[:3] + "*" * (len(digits) - 5) + digits[-2:]


def mask_reference(reference: str) -> str:
    """A customer number's last two characters."""
    return "***" + reference[-2:] if len(reference) > 4 else "***"


def mask_in_text(text: str) -> str:
    """A text with its e-mail addresses and long numbers masked. Names cannot be told from other words and stay."""
    text = _EMAIL.sub(lambda found: mask_email(found[0]), text)
    return _NUMBER.sub(lambda found: mask_phone(found[0]), text)
