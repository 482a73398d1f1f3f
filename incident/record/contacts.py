"""Whom to call outside: authorities, the police, headquarters, providers, and when that was last tried.

A contact that was right last year is found wrong in the hour it is needed; so each says when somebody last checked it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from urllib.parse import urlsplit

from sqlmodel import Session, col, select

from incident.errors import BadInput, NotFound, Refused
from incident.record.contact_checks import check_email
from incident.store.change import Change
from incident.store.journal import WORKSPACE_CHAIN
from incident.store.store import Store
from incident.store.tables import Contact

_KEY = re.compile(r"[^\W_][\w.-]{0,63}")
_LONGEST = 500
_SHORT_NUMBER = re.compile(r"[0-9]{3,6}")


class ContactKind(StrEnum):
    """Whom a contact stands for."""

    AUTHORITY = "authority"
    POLICE = "police"
    HEADQUARTERS = "headquarters"
    PROVIDER = "provider"
    OTHER = "other"


RECIPIENTS = frozenset({ContactKind.AUTHORITY, ContactKind.POLICE})
"""Kinds whose key names a recipient of the regimes."""


@dataclass(frozen=True)
class WaysToReach:
    """What is known of a contact. `person` is who answers there; texts are as people typed them, phone and mail checked."""

    name: str
    person: str = ""
    phone: str = ""
    email: str = ""
    url: str = ""
    address: str = ""
    note: str = ""


@dataclass(frozen=True)
class ContactLine:
    """A contact that stands, opened. `label` is its key, by which people name it."""

    id: str
    label: str
    kind: ContactKind
    key: str
    added_at: datetime
    checked_at: datetime
    name: str
    person: str
    phone: str
    email: str
    url: str
    address: str
    note: str

    def is_older_than(self, days: int, *, now: datetime) -> bool:
        """Whether nobody tried it for more than so many days."""
        return (now - self.checked_at).total_seconds() > days * 86400


def add_contact(
    store: Store,
    kind: ContactKind,
    key: str,
    ways: WaysToReach,
    *,
    countries: Sequence[str],
    actor: str,
    now: datetime,
) -> ContactLine:
    """Keep a contact; it counts as checked now. `countries` are those in which a number without + is read.

    Raises `BadInput` for a key or value that cannot be used, `Refused` when the key is taken.
    """
    if not _KEY.fullmatch(key):
        raise BadInput(
            f"{key!r} is no key for a contact", next_step="use letters, digits, dots, dashes and underscores"
        )
    checked = _checked(ways, countries)
    with store.write(WORKSPACE_CHAIN, kind="contact.added", actor=actor, now=now) as change:
        if _standing(change.session, key) is not None:
            raise Refused(
                f"there is a contact {key} already",
                next_step=f"incident contact remove {key}, then add it anew; or choose another key",
            )
        row = Contact(id=store.new_id(), kind=kind, key=key, added_at=now, checked_at=now)
        change.put(row, dict(vars(checked)))
    return _line(row, checked)


def contact_checked(store: Store, key: str, *, actor: str, now: datetime) -> ContactLine:
    """Keep that somebody tried the contact today and that it is right. Raises `NotFound`."""
    with store.write(WORKSPACE_CHAIN, kind="contact.checked", actor=actor, now=now) as change:
        row = _called(change, key)
        row.checked_at = now
        change.put(row)
    return _opened(store, row)


def remove_contact(store: Store, key: str, *, actor: str, now: datetime) -> ContactLine:
    """Take a contact off the list; the journal keeps what it was. Raises `NotFound`."""
    with store.write(WORKSPACE_CHAIN, kind="contact.removed", actor=actor, now=now) as change:
        row = _called(change, key)
        row.removed_at = now
        change.put(row)
    return _opened(store, row)


def list_contacts(session: Session, store: Store) -> list[ContactLine]:
    """The contacts that stand, by kind in the order of `ContactKind`, then by key."""
    rows = session.exec(select(Contact).where(col(Contact.removed_at).is_(None))).all()
    order = list(ContactKind)
    lines = [_opened(store, row) for row in rows]
    return sorted(lines, key=lambda line: (order.index(line.kind), line.key))


def _called(change: Change, key: str) -> Contact:
    row = _standing(change.session, key)
    if row is None:
        raise NotFound(f"there is no contact {key}", next_step="`incident contact list` shows them")
    return row


def _standing(session: Session, key: str) -> Contact | None:
    return session.exec(select(Contact).where(Contact.key == key, col(Contact.removed_at).is_(None))).first()


def _opened(store: Store, row: Contact) -> ContactLine:
    return _line(row, WaysToReach(**store.open(row, incident_id=WORKSPACE_CHAIN)))


def _line(row: Contact, ways: WaysToReach) -> ContactLine:
    return ContactLine(
        id=row.id,
        label=row.key,
        kind=ContactKind(row.kind),
        key=row.key,
        added_at=row.added_at,
        checked_at=row.checked_at,
        **vars(ways),
    )


def _checked(ways: WaysToReach, countries: Sequence[str]) -> WaysToReach:
    texts = {field: _text(field, value) for field, value in vars(ways).items()}
    if not texts["name"]:
        raise BadInput("a contact needs a name", where="--name", next_step="say whose contact it is")
    if not any(texts[field] for field in ("phone", "email", "url", "address")):
        raise BadInput(
            "a contact needs a way to reach it", next_step="add --phone, --email, --url or --address"
        )
    email = check_email(texts["email"])
    if email is None:
        raise BadInput(f"{ways.email!r} is no e-mail address", where="--email", next_step="correct it")
    if texts["url"] and not _is_web_address(texts["url"]):
        raise BadInput(
            f"{ways.url!r} is no web address", where="--url", next_step="write it with https:// in front"
        )
    return WaysToReach(**{**texts, "phone": _phone(texts["phone"], countries), "email": email})


def _text(field: str, value: str) -> str:
    text = value.strip()
    if len(text) > _LONGEST:
        raise BadInput(f"longer than {_LONGEST} characters", where=f"--{field}", next_step="shorten it")
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in text):
        raise BadInput(
            "it holds a line break or another control character",
            where=f"--{field}",
            next_step="write it on one line",
        )
    return text


def _is_web_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and " " not in text
    except ValueError:
        return False


def _phone(text: str, countries: Sequence[str]) -> str:
    """A number as people dial it abroad, with its extension; hotlines and emergency numbers stay as they are."""
    if not text:
        return ""
    import phonenumbers
    from phonenumbers import shortnumberinfo

    for country in (*countries, ""):
        try:
            number = phonenumbers.parse(text, country.upper() or None)
        except phonenumbers.NumberParseException:
            continue
        # Before the long ones: 12387 is a possible number of some town too.
        if _SHORT_NUMBER.fullmatch(text) and shortnumberinfo.is_possible_short_number(number):
            return text
        if phonenumbers.is_possible_number(number):
            return str(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.INTERNATIONAL))
    raise BadInput(
        f"{text!r} is no phone number in {', '.join(countries) or 'any country'}",
        where="--phone",
        next_step="write it with + and the country's code",
    )
