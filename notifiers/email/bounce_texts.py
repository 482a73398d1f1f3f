"""Failures told in words: qmail's own format, and what flufl.bounce knows of others (extra `bounce`)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from email import message_from_bytes
from importlib.util import find_spec

_LONGEST_TEXT = 64_000
_LONGEST_FOR_PATTERNS = 32_000
_MOST_PARTS = 40
_MOST_FAILURES = 100
_STATUS = re.compile(r"\(#([245]\.\d{1,3}\.\d{1,3})\)")
_LONG_LINE = re.compile(rb"([^\n]{500})[^\n]+")
_PARAGRAPHS = re.compile(r"\n[ \t]*\n\s*")
_MESSAGE_ID = re.compile(
    r"^[> \t]{0,20}Message-ID:[ \t]{0,20}(<[^<>\s]{1,250}>)", re.IGNORECASE | re.MULTILINE
)


@dataclass(frozen=True, slots=True)
class Failure:
    """One address that could not be written to. `is_temporary` if it was said to be still tried."""

    address: str
    is_temporary: bool = False
    status: str | None = None
    text: str = ""


def qmail_failures(text: str) -> list[Failure]:
    """The failures in a text in qmail's format (QSBMF); [] if it is none.

    Its first paragraph begins "Hi. This is the", and each recipient has a paragraph that begins with the address
    in brackets and a colon. A paragraph that begins with a hyphen ends the report.
    """
    introduction, *paragraphs = _PARAGRAPHS.split(text[:_LONGEST_TEXT].strip())
    if not introduction.startswith("Hi. This is the"):
        return []
    return list(_recipient_paragraphs(paragraphs))[:_MOST_FAILURES]


def _recipient_paragraphs(paragraphs: list[str]) -> Iterator[Failure]:
    for paragraph in paragraphs:
        if paragraph.startswith("-"):
            return
        address, colon, said = paragraph.partition(">:")
        if paragraph.startswith("<") and colon and "@" in address and "\n" not in address:
            status = _STATUS.search(said)
            yield Failure(address[1:], status=status[1] if status else None, text=said.strip())


def reads_other_texts() -> bool:
    """Whether flufl.bounce is here, without which only reports and qmail's texts are read."""
    return find_spec("flufl.bounce") is not None


def known_failures(raw: bytes) -> list[Failure]:
    """The failures that flufl.bounce finds in a message; [] without it, or where it cannot read the message.

    It knows no status codes. It gets the first 32 kB with every line cut at 500 octets, since the work of its patterns
    grows with the square of a line, and that of its parser with parts times lines.
    """
    try:
        from flufl.bounce import all_failures
    except ImportError:
        return []
    start = _LONG_LINE.sub(rb"\1", raw[:_LONGEST_FOR_PATTERNS])
    if start.lower().count(b"boundary") > _MOST_PARTS:
        return []
    try:
        temporary, permanent = all_failures(message_from_bytes(start))
    except Exception:  # of whatever kind its detectors meet: the message is then as unknown as without them
        return []
    failed = [Failure(_text(address)) for address in sorted(permanent)]
    delayed = [Failure(_text(address), is_temporary=True) for address in sorted(temporary - permanent)]
    return (failed + delayed)[:_MOST_FAILURES]


def _text(address: bytes) -> str:
    return address.decode("utf-8", "replace")


def message_ids_in(text: str) -> list[str]:
    """The Message-IDs, with their brackets, of headers that a text quotes."""
    return _MESSAGE_ID.findall(text[:_LONGEST_TEXT])[:_MOST_FAILURES]
