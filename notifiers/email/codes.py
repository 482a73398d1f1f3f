"""Enhanced status codes (RFC 3463) of a refusal: which one to believe, and what it says about an address."""

from __future__ import annotations

import re

DEAD_ADDRESS = frozenset({"5.1.0", "5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10", "5.2.1"})
"""The codes after which an address need not be tried again.

5.1.0  something is wrong with the address, no more is said (RFC 3463 section 3.2)
5.1.1  there is no such mailbox (RFC 3463 section 3.2)
5.1.2  there is no such host, or it takes no mail (RFC 3463 section 3.2)
5.1.3  the address is not well formed (RFC 3463 section 3.2)
5.1.6  the mailbox has moved, and it is not said where to (RFC 3463 section 3.2)
5.1.10 the domain takes no mail at all: it has a null MX (RFC 7505 section 5). Exchange says it of unknown mailboxes.
5.2.1  the mailbox is disabled (RFC 3463 section 3.3)

A full mailbox (5.2.2) is emptied some day, and 5.7.x (RFC 3463 section 3.8) refuses the sender, not the recipient.
"""

_BLOCKED = "5.7."
_CODE = re.compile(r"(?<![\d.])([245])\.(\d{1,3})\.(\d{1,3})(?![\d.]*\d)")
_AFTER_REPLY_CODE = re.compile(r"(?:\b[245]\d\d[ -]{1,3}\(?|#)#?([245]\.\d{1,3}\.\d{1,3})(?![\d.]*\d)")
_BARE_REPLY = re.compile(r"(?:smtp\s*;\s*)?[45]\d\d(?![ -]{1,3}\(?#?[245]\.\d{1,3}\.\d)", re.IGNORECASE)


def first_code(text: str) -> str | None:
    """The first code in a text, without leading zeros. A number of four parts, such as an IP address, is none."""
    found = _CODE.search(text)
    return f"{found[1]}.{int(found[2])}.{int(found[3])}" if found else None


def code_of_reply(text: str) -> str | None:
    """The code after the reply code of SMTP ("550 5.1.1", "550-5.7.26"), or in qmail's way ("#5.1.1")."""
    found = _AFTER_REPLY_CODE.search(text)
    return first_code(found[1]) if found else None


def more_telling(field: str | None, reply: str | None) -> str | None:
    """Of the code in a report's field Status and the one in the reply of the server that refused, the one to believe.

    The field is what another program made of the reply: Exim's is always X.0.0, and Sendmail makes 5.1.1 of any 550
    to RCPT, blocks among them. So it counts where the reply says less, and where it tells of a block.
    """
    if field is None or reply is None:
        return field or reply
    is_part_of_field = reply.endswith(".0") and field.startswith(reply[:-1])
    says_less = reply.startswith("2.") or reply.endswith(".0.0") or is_part_of_field
    return field if says_less or is_block(field) else reply


def is_block(code: str | None) -> bool:
    """Whether a policy refused (5.7.x), which says nothing about the address."""
    return code is not None and code.startswith(_BLOCKED)


def is_bare_reply(text: str) -> bool:
    """Whether a refusal is a reply of SMTP without any enhanced code: it may be a block as well as a dead address."""
    return _BARE_REPLY.match(text) is not None
