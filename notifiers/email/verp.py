"""The mark in a return path by which a bounce finds its message, and that nobody else can make.

VERP: each message has a return path of its own. The mark is a subaddress (RFC 5233) of one mailbox, so that
all bounces arrive there: `bounces+<reference>-<mac>@example.com`. It is lower-case base32 and a hyphen, so it is
the same in a local part and in xtext (RFC 3461 section 4), and no worse for a server that changes case.
"""

from __future__ import annotations

import hmac
import re
from base64 import b32decode, b32encode
from dataclasses import dataclass
from functools import lru_cache

from notifiers.email.message import Address
from notifiers.errors import BadAddress, BadMessage

REFERENCE_BYTES = 16
MAC_BYTES = 8
MARK_LENGTH = 40
LONGEST_LOCAL_PART = 64
"""In octets, RFC 5321 section 4.5.3.1.1."""

_PURPOSE = b"notifiers.email.verp 1\0"
_SHAPE = r"([a-z2-7]{26})-([a-z2-7]{13})(?![a-z2-7])"
_MARK = re.compile(_SHAPE, re.IGNORECASE | re.ASCII)


@dataclass(frozen=True, slots=True)
class Mark:
    """What a mark says. It is not to be believed before `is_genuine` says so."""

    reference: bytes
    mac: bytes


def mark_of(reference: bytes, *, key: bytes) -> str:
    """The mark of a reference of 16 bytes, 40 characters long.

    Its last 13 are the first 64 bits of an HMAC-SHA256: whoever has no key guesses one mark in 2^64.
    Raises BadMessage for a reference of another length.
    """
    if len(reference) != REFERENCE_BYTES:
        raise BadMessage(f"it has {REFERENCE_BYTES} bytes, not {len(reference)}", where="reference")
    # Both halves in one call, each filled up to whole groups of five bytes: it is asked for every message.
    both = b32encode(reference + bytes(4) + _mac(reference, key) + bytes(2)).decode("ascii").lower()
    return f"{both[:26]}-{both[32:45]}"


def read_mark(text: str) -> Mark | None:
    """The mark that a text is, in any case of letters; None if the text is anything else or more."""
    found = _MARK.fullmatch(text)
    return _mark(found) if found else None


def is_genuine(mark: Mark, *, key: bytes) -> bool:
    """Whether the mark was made with this key. Takes as long for a mark that is nearly right."""
    return hmac.compare_digest(mark.mac, _mac(mark.reference, key))


def return_path(mailbox: str, mark: str, *, separator: str = "+") -> str:
    """The mailbox with the mark as its subaddress: `bounces@example.com` → `bounces+<mark>@example.com`.

    Raises BadAddress if the mailbox is no address, or if its local part has no room for separator and mark
    (64 octets in all), and BadMessage for a mark of another shape.
    """
    if not _MARK.fullmatch(mark):
        raise BadMessage("this is not a mark as mark_of makes it", where="mark")
    before, after = _around(mailbox, separator)
    return f"{before}{mark}{after}"


@lru_cache(maxsize=64)
def _around(mailbox: str, separator: str) -> tuple[str, str]:
    """What stands before and after the mark in a return path. Checked once, since each message has one."""
    if not separator or separator.isalnum():
        raise BadAddress("what parts a mailbox from its mark is a sign such as +", where="separator")
    local, _, domain = Address(mailbox).spec.rpartition("@")
    room = LONGEST_LOCAL_PART - len(separator) - MARK_LENGTH
    if len(local) > room:
        raise BadAddress(
            f"what stands before the @ has {len(local)} characters; with a mark after it, "
            f"at most {room} fit (RFC 5321 section 4.5.3.1.1): choose a shorter mailbox",
            where="bounce mailbox",
        )
    before, after = f"{local}{separator}", f"@{domain}"
    Address(f"{before}{'a' * MARK_LENGTH}{after}")
    return before, after


def mark_in(address: str, mailbox: str, *, separator: str = "+") -> Mark | None:
    """The mark in an address that a bounce came to, or None.

    A forwarder may have wrapped the return path into an address of its own, as SRS does
    (`SRS0=hash=day=example.com=bounces+<mark>@forwarder`), so the mark is looked for anywhere before the
    last @, after the mailbox's local part and the separator. Anybody can write such an address; ask `is_genuine`.
    """
    local = address.rpartition("@")[0] or address
    owner = mailbox.rpartition("@")[0] or mailbox
    found = re.search(re.escape(owner + separator) + _SHAPE, local, re.IGNORECASE | re.ASCII)
    return _mark(found) if found else None


def _mac(reference: bytes, key: bytes) -> bytes:
    return hmac.digest(key, _PURPOSE + reference, "sha256")[:MAC_BYTES]


def _mark(found: re.Match[str]) -> Mark | None:
    mark = Mark(_from_base32(found[1]), _from_base32(found[2]))
    # The last letter of each half has bits to spare; one mark is written in one way only.
    canonical = f"{_base32(mark.reference)}-{_base32(mark.mac)}"
    return mark if canonical == f"{found[1]}-{found[2]}".lower() else None


def _base32(raw: bytes) -> str:
    return b32encode(raw).decode("ascii").rstrip("=").lower()


def _from_base32(text: str) -> bytes:
    return b32decode(text.upper() + "=" * (-len(text) % 8))
