"""What an incoming message says about messages that were sent: delivered, failed, late, or complained about.

It is read from a delivery status notification (RFC 3464, RFC 6533) or a complaint (ARF, RFC 5965) where there is
one, and else from the texts of older programs. Nothing of it is proven, since anybody can write such a message: see
`notifiers.email.verp` for how one is matched with what was sent.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice

from notifiers.email.bounce_texts import Failure, known_failures, message_ids_in, qmail_failures
from notifiers.email.codes import (
    DEAD_ADDRESS,
    code_of_reply,
    first_code,
    is_bare_reply,
    is_block,
    more_telling,
)
from notifiers.email.incoming import Fields, Part, addresses_in, blocks_of, fields_of, parts_of
from notifiers.email.replies import shortened


class Kind(StrEnum):
    """What is told. The first five are the actions of RFC 3464 section 2.3.3."""

    failed = "failed"
    delayed = "delayed"
    """It is still tried: neither failed nor delivered."""
    delivered = "delivered"
    relayed = "relayed"
    """Handed on to a system that sends no notifications: nothing more will be heard."""
    expanded = "expanded"
    """Delivered to a list or an alias, and from there sent on to several."""
    complaint = "complaint"
    """The recipient calls it spam, or a fraud (RFC 5965)."""
    auto_reply = "auto_reply"
    """A program answers for the recipient, such as while on holiday (RFC 3834)."""
    unclear = "unclear"


class By(StrEnum):
    """How a message was read: by its delivery status, its feedback report, its text, or not at all."""

    dsn = "dsn"
    arf = "arf"
    heuristic = "heuristic"
    none = "none"


_MOST_TELLING = (Kind.failed, Kind.delayed, Kind.complaint, Kind.delivered, Kind.relayed, Kind.expanded)
_MOST_RECIPIENTS = 200
_MOST_ADDRESSES = 50
_LONGEST_TEXT = 64_000

_DELIVERY_STATUS = frozenset({"message/delivery-status", "message/global-delivery-status"})
_FEEDBACK = "message/feedback-report"
_DISPOSITION = "message/disposition-notification"
_RETURNED_MESSAGE = frozenset({"message/rfc822", "message/global"})
_RETURNED_HEADERS = frozenset({"text/rfc822-headers", "message/rfc822-headers", "message/global-headers"})
_ARRIVAL_FIELDS = ("delivered-to", "x-original-to", "envelope-to", "x-envelope-to", "to")
_NAMES_A_RECIPIENT = frozenset({"original-recipient", "final-recipient", "action"})
_OF_A_RECIPIENT = _NAMES_A_RECIPIENT | {"status"}
_NO_FIELDS = Fields(())
_NO_COMPLAINT = frozenset({"auth-failure", "not-spam", "dmarc"})
"""Kinds of feedback in which nobody complains: RFC 6591, RFC 6430."""

_GIVEN_UP = "Envelope expired"
"""OpenSMTPD's words for a message that it no longer tries, which it calls delayed for all that."""

_ACTION = re.compile(r"[a-z]+")
_TYPED = re.compile(r"[A-Za-z0-9_.-]{1,60}\s{0,10};")
_REJECTED = re.compile(r"automatic-action/mdn-sent-automatically\s*;\s*deleted\b.*", re.IGNORECASE)
_MESSAGE_ID = re.compile(r"<[^<>\s]{1,250}>")
_XTEXT_SIGN = re.compile(r"\+(2[0-9A-F]|[3-6][0-9A-F]|7[0-9A-E])")
"""Only of what is printable: an ENVID holds nothing else (RFC 3461 section 4.4)."""
_MAILER = re.compile(
    r"\b(?:mailer-daemon|mail-daemon|mailerdaemon|postmaster|microsoftexchange[0-9a-f]+)@", re.I
)


@dataclass(frozen=True, slots=True)
class RecipientReport:
    """What became of a message for one recipient.

    `final_recipient` is the address at last, `original_recipient` the one that the sender gave, where it is told;
    both "" if not. `status` is the enhanced status code (RFC 3463): the one in the reply of the server that refused, or
    the one of the field Status where that tells more. `diagnostic` is that reply, with its type in front where one is
    given ("smtp; 550 ..."), on one line of at most 1,000 characters.
    """

    kind: Kind
    final_recipient: str = ""
    original_recipient: str = ""
    status: str | None = None
    diagnostic: str = ""
    remote_mta: str = ""

    @property
    def permanent(self) -> bool:
        """Failed, and it would fail again.

        A message given up after days of 4.x.x is failed and not permanent, and so is one that failed without a code.
        """
        return self.kind is Kind.failed and self.status is not None and self.status.startswith("5.")

    @property
    def blocked(self) -> bool:
        """Failed by a policy (5.7.x), which says nothing about the address."""
        return self.kind is Kind.failed and is_block(self.status)

    @property
    def address_is_dead(self) -> bool:
        """Failed with one of `DEAD_ADDRESS`, unless the server that refused gave no code, and another guessed it."""
        return self.kind is Kind.failed and self.status in DEAD_ADDRESS and not is_bare_reply(self.diagnostic)


@dataclass(frozen=True, slots=True)
class Report:
    """What one incoming message says.

    `kind` is the most telling one of its recipients, a failure before all. `addressed_to` are the addresses that it
    came to, those first that the receiving server wrote. `envelope_id` is the ENVID (RFC 3461) decoded from xtext,
    `envelope_id_as_written` the same as it stands, since some programs decode it themselves. `message_ids`, with
    their brackets, are those of the returned message, then those that the message answers. `return_paths` are those
    that the returned message or the complaint names; a complaint comes to an address without a mark.
    """

    kind: Kind
    by: By
    recipients: tuple[RecipientReport, ...] = ()
    addressed_to: tuple[str, ...] = ()
    envelope_id: str | None = None
    envelope_id_as_written: str | None = None
    message_ids: tuple[str, ...] = ()
    return_paths: tuple[str, ...] = ()
    reporting_mta: str = ""


@dataclass(frozen=True, slots=True)
class _Finding:
    by: By
    kind: Kind
    recipients: tuple[RecipientReport, ...] = ()
    about: Fields = _NO_FIELDS


def read_report(raw: bytes) -> Report:
    """What a message says; `Kind.unclear` for one that says nothing of the kind. Takes any bytes and never raises."""
    parts = parts_of(raw)
    stated = _outermost_reports(parts)
    finding = (
        _delivery_status(stated, _text(parts))
        or _complaint(stated)
        or _rejection(parts)
        or _told_in_qmail_words(parts)
        or _automatic_reply(parts[0].fields)
        or _told_in_other_words(raw)
        or _Finding(By.none, Kind.unclear)
    )
    returned = list(_returned_headers(parts))
    envelope_id = shortened(finding.about.first("original-envelope-id")) or None
    return Report(
        kind=finding.kind,
        by=finding.by,
        recipients=finding.recipients,
        addressed_to=_addressed_to(parts[0].fields),
        envelope_id=_without_xtext(envelope_id) if envelope_id else None,
        envelope_id_as_written=envelope_id,
        message_ids=_message_ids(parts, finding.about, returned),
        return_paths=_return_paths(finding.about, returned),
        reporting_mta=_untyped(finding.about.first("reporting-mta")),
    )


def _outermost_reports(parts: list[Part]) -> list[Part]:
    """The parts that programs read: one inside the message that is returned tells of another message.

    Whether the message calls itself multipart/report does not matter, since some programs and gateways do not.
    """
    reports = [part for part in parts if part.kind in _DELIVERY_STATUS or part.kind == _FEEDBACK]
    outermost = min((part.within for part in reports), default=0)
    return [part for part in reports if part.within == outermost]


def _delivery_status(parts: list[Part], text: str) -> _Finding | None:
    blocks = [block for part in parts if part.kind in _DELIVERY_STATUS for block in blocks_of(part.body)]
    recipients = tuple(_recipients(blocks, text))
    if not recipients:
        return None
    about = Fields(tuple(pair for block in blocks for pair in block.pairs if pair[0] not in _OF_A_RECIPIENT))
    return _Finding(By.dsn, _most_telling(recipients), recipients, about)


def _recipients(blocks: list[Fields], text: str) -> Iterator[RecipientReport]:
    groups = (group for block in blocks for group in _groups(block) if _NAMES_A_RECIPIENT & group.keys())
    for group in islice(groups, _MOST_RECIPIENTS):
        yield _recipient(Fields(tuple(group.items())), text)


def _groups(block: Fields) -> Iterator[dict[str, str]]:
    """The fields of each recipient: where one comes again, an empty line was forgotten."""
    group: dict[str, str] = {}
    for name, value in block.pairs:
        if name in _OF_A_RECIPIENT and name in group:
            yield group
            group = {}
        group.setdefault(name, value)
    yield group


def _recipient(fields: Fields, text: str) -> RecipientReport:
    address = _recipient_address(fields.first("final-recipient"))
    diagnostic = shortened(fields.first("diagnostic-code")) or _line_about(address, text)
    status = more_telling(first_code(fields.first("status")), code_of_reply(diagnostic))
    kind = _kind_of(fields.first("action"), status)
    return RecipientReport(
        kind=Kind.failed if kind is Kind.delayed and diagnostic == _GIVEN_UP else kind,
        final_recipient=address,
        original_recipient=_recipient_address(fields.first("original-recipient")),
        status=status,
        diagnostic=diagnostic,
        remote_mta=_untyped(fields.first("remote-mta")),
    )


def _line_about(address: str, text: str) -> str:
    """The reply that OpenSMTPD tells in the text alone, on a line with the address; "" if there is none."""
    _, found, after = text.partition(f"\n{address}: ")
    return shortened(after.partition("\n")[0]) if address and found else ""


def _kind_of(action: str, status: str | None) -> Kind:
    said = _ACTION.match(action.lower())
    match said[0] if said else "":
        case "failed" | "failure" | "error":  # OpenSMTPD says error
            return Kind.failed
        case "delayed":
            return Kind.delayed
        case "delivered":
            return Kind.delivered
        case "relayed":
            return Kind.relayed
        case "expanded":
            return Kind.expanded
    by_class = {"5": Kind.failed, "4": Kind.delayed, "2": Kind.delivered}
    return by_class[status[0]] if status else Kind.unclear


def _complaint(parts: list[Part]) -> _Finding | None:
    about = next((fields_of(part.body) for part in parts if part.kind == _FEEDBACK), None)
    if about is None:
        return None
    kind = Kind.unclear if about.first("feedback-type").lower() in _NO_COMPLAINT else Kind.complaint
    addresses = about.all("original-rcpt-to")[:_MOST_RECIPIENTS]
    recipients = (RecipientReport(kind, final_recipient=_recipient_address(address)) for address in addresses)
    return _Finding(By.arf, kind, tuple(recipients), about)


def _rejection(parts: list[Part]) -> _Finding | None:
    """A message that the recipient's filter sent back (Sieve, RFC 5429 section 2.1), told as if it had been read.

    Such a disposition (RFC 8098) says that it was deleted, and that no person did it.
    """
    told = (fields_of(part.body) for part in parts if part.kind == _DISPOSITION and part.within == 0)
    about = next(told, _NO_FIELDS)
    if not _REJECTED.fullmatch(about.first("disposition")):
        return None
    recipient = RecipientReport(
        Kind.failed,
        final_recipient=_recipient_address(about.first("final-recipient")),
        original_recipient=_recipient_address(about.first("original-recipient")),
    )
    return _Finding(By.heuristic, Kind.failed, (recipient,), about)


def _told_in_qmail_words(parts: list[Part]) -> _Finding | None:
    failures = qmail_failures(_text(parts))
    return _heuristic(failures) if failures else None


def _told_in_other_words(raw: bytes) -> _Finding | None:
    failures = known_failures(raw)
    return _heuristic(failures) if failures else None


def _heuristic(failures: list[Failure]) -> _Finding:
    recipients = tuple(
        RecipientReport(
            kind=Kind.delayed if failure.is_temporary else Kind.failed,
            final_recipient=_recipient_address(failure.address),
            status=more_telling(failure.status, code_of_reply(failure.text)),
            diagnostic=shortened(failure.text),
        )
        for failure in failures
    )
    return _Finding(By.heuristic, _most_telling(recipients), recipients)


def _automatic_reply(fields: Fields) -> _Finding | None:
    """An answer by a program that is no mail server; what a mail server says in its own words is looked into."""
    submitted = _first_word(fields.first("auto-submitted"))
    is_automatic = (
        submitted not in ("", "no")
        or _first_word(fields.first("precedence")) == "auto_reply"
        or _first_word(fields.first("x-autoreply")) not in ("", "no")
        or _first_word(fields.first("x-autorespond")) != ""
    )
    if not is_automatic or _is_from_a_mail_server(fields):
        return None
    return _Finding(By.none, Kind.auto_reply)


def _is_from_a_mail_server(fields: Fields) -> bool:
    return bool(fields.first("x-failed-recipients") or _MAILER.search(fields.first("from")))


def _first_word(value: str) -> str:
    return re.split(r"[;(\s]", value.strip().lower(), maxsplit=1)[0]


def _most_telling(recipients: tuple[RecipientReport, ...]) -> Kind:
    kinds = {recipient.kind for recipient in recipients}
    return next((kind for kind in _MOST_TELLING if kind in kinds), Kind.unclear)


def _addressed_to(fields: Fields) -> tuple[str, ...]:
    values = (value for name in _ARRIVAL_FIELDS for value in fields.all(name))
    return _once(address for value in values for address in addresses_in(value))


def _returned_headers(parts: list[Part]) -> Iterator[Fields]:
    for part in parts:
        if part.kind in _RETURNED_MESSAGE or part.kind in _RETURNED_HEADERS:
            yield fields_of(part.body)


def _message_ids(parts: list[Part], about: Fields, returned: list[Fields]) -> tuple[str, ...]:
    own = parts[0].fields
    answered = own.all("in-reply-to") + own.all("references")
    held = about.all("original-message-id")
    held += [value for fields in returned for value in fields.all("message-id")]
    quoted = [] if held else message_ids_in(_text(parts))
    return _once(found for value in held + quoted + answered for found in _MESSAGE_ID.findall(value))


def _return_paths(about: Fields, returned: list[Fields]) -> tuple[str, ...]:
    values = about.all("original-mail-from") + [path for one in returned for path in one.all("return-path")]
    return _once(address for value in values for address in addresses_in(value))


def _text(parts: list[Part]) -> str:
    """What is written to a person: the start of the first plain text that lies in no attached message."""
    plain = (part for part in parts if part.kind == "text/plain" and part.within == 0)
    text = next(plain, None)
    return text.body[:_LONGEST_TEXT].decode("utf-8", "replace") if text else ""


def _once(values: Iterator[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(value for value in values if value.isprintable()))[:_MOST_ADDRESSES]


def _recipient_address(value: str) -> str:
    return shortened(_untyped(value).strip("<>"))


def _untyped(value: str) -> str:
    """The value without its type, such as "rfc822;" or "dns;"."""
    typed = _TYPED.match(value)
    return shortened(value[typed.end() :] if typed else value)


def _without_xtext(text: str) -> str:
    return _XTEXT_SIGN.sub(lambda sign: chr(int(sign[1], 16)), text)
