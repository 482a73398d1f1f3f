"""What a person concerned is: the values of one person, what is sealed of them, and several rows of one as one.

Pure. A field that says nothing is left out of what is sealed, so that a person who was stored before the field existed
reads the same. People and contacts are named tuples, not dataclasses: of lists of millions, making them takes a fourth
of the time.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from enum import StrEnum
from typing import Any, NamedTuple

_ADULT_YEARS = 18
# PIPL Art. 31: the special rules for children hold below this age.
_CHILD_YEARS = 14


class Kind(StrEnum):
    """Whether a row stands for a human being or for an organisation, which is no data subject."""

    PERSON = "person"
    ORGANISATION = "organisation"


class NumberRole(StrEnum):
    """What a person is to the number: its registered holder, or who uses it."""

    HOLDER = "holder"
    USER = "user"


class AgeClass(StrEnum):
    """All that is known of an age where no date of birth is. `UNDER_18` may be under 14 too."""

    UNDER_14 = "under_14"
    UNDER_18 = "under_18"
    ADULT = "adult"


class Contact(NamedTuple):
    """How to reach somebody."""

    name: str = ""
    email: str = ""
    phone: str = ""

    @property
    def reachable(self) -> bool:
        return bool(self.email or self.phone)


NO_CONTACT = Contact()


class PersonRow(NamedTuple):
    """One person as a row says. `reference` is the organisation's own, else the contact that identifies them.

    `contact.phone` is the first of their numbers (E.164), `more_phones` are the others. `held_since` is the first day
    on which this person held these numbers. `safe_contact` says how they may be contacted without danger to them; it
    is shown by a reveal only. `household` says that the e-mail address is a household's. `kind` is None where nobody
    said; then it is a person.
    """

    reference: str
    contact: Contact
    language: str
    country: str
    categories: tuple[str, ...]
    birth_date: date | None = None
    guardian: Contact = NO_CONTACT
    more_phones: tuple[str, ...] = ()
    push_tokens: tuple[str, ...] = ()
    address: tuple[str, ...] = ()
    kind: Kind | None = None
    number_role: NumberRole | None = None
    age_class: AgeClass | None = None
    guardian_consent: str = ""
    held_since: date | None = None
    safe_contact: tuple[str, ...] = ()
    deceased: bool = False
    household: bool = False

    @property
    def phones(self) -> tuple[str, ...]:
        """All numbers, the first one first."""
        return (self.contact.phone, *self.more_phones) if self.contact.phone else ()

    @property
    def is_plain(self) -> bool:
        """Whether nothing is said of them but reference, contact, language, country and kinds of data."""
        return self[_ALWAYS_SAID:] == _NOTHING_MORE_SAID

    @property
    def is_organisation(self) -> bool:
        return self.kind is Kind.ORGANISATION

    def minor(self, on: date) -> bool:
        """Whether the person is under 18 on a day; unknown ages count as grown up."""
        if self.birth_date is not None:
            return _years(self.birth_date, on) < _ADULT_YEARS
        return self.age_class in (AgeClass.UNDER_14, AgeClass.UNDER_18)

    def under_14(self, on: date) -> bool:
        """Whether the person is known to be a child in the sense of PIPL Art. 31 on a day."""
        if self.birth_date is not None:
            return _years(self.birth_date, on) < _CHILD_YEARS
        return self.age_class is AgeClass.UNDER_14

    def has_recycled_number(self, leak_ended_on: date | None) -> bool:
        """Whether the numbers came to this person after the leak: what leaked under them is a stranger's.

        False as long as nobody knows when the leak stopped, or since when the numbers are held.
        """
        if leak_ended_on is None or self.held_since is None or not self.phones:
            return False
        return self.held_since > leak_ended_on


def _years(born: date, on: date) -> int:
    had_birthday = (on.month, on.day) >= (born.month, born.day)
    return on.year - born.year - (0 if had_birthday else 1)


# -- what is sealed -----------------------------------------------------------------------------------


_ALWAYS_SAID = 5
"""So many fields of `PersonRow`, the first ones, are sealed of everybody; the others only where somebody said something."""
_SAID_OR_NOT = PersonRow._fields[_ALWAYS_SAID:]
_NOTHING_MORE_SAID = tuple(PersonRow._field_defaults.values())


def person_content(person: PersonRow) -> dict[str, Any]:
    """What is sealed of a person, as JSON values."""
    content: dict[str, Any] = {
        "reference": person.reference,
        "contact": _contact_content(person.contact),
        "language": person.language,
        "country": person.country,
        "categories": list(person.categories),
    }
    if not person.is_plain:
        said = zip(_SAID_OR_NOT, person[_ALWAYS_SAID:], _NOTHING_MORE_SAID, strict=True)
        content |= {name: _as_json(value) for name, value, unsaid in said if value != unsaid}
    return content


def _contact_content(contact: Contact) -> dict[str, str]:
    return {"name": contact.name, "email": contact.email, "phone": contact.phone}


def _as_json(value: object) -> object:
    if isinstance(value, Contact):
        return _contact_content(value)
    if isinstance(value, tuple):
        return list(value)
    if isinstance(value, StrEnum):
        return value.value
    return value.isoformat() if isinstance(value, date) else value


def person_from_content(content: Mapping[str, Any]) -> PersonRow:
    """The person that `person_content` described, also by an earlier version."""
    born, held = content.get("birth_date"), content.get("held_since")
    kind, role, age = (content.get(name) for name in ("kind", "number_role", "age_class"))
    return PersonRow(
        reference=content["reference"],
        contact=Contact(**content["contact"]),
        language=content["language"],
        country=content["country"],
        categories=tuple(content["categories"]),
        birth_date=date.fromisoformat(born) if born else None,
        guardian=Contact(**content.get("guardian", {})),
        more_phones=tuple(content.get("more_phones", ())),
        push_tokens=tuple(content.get("push_tokens", ())),
        address=tuple(content.get("address", ())),
        kind=Kind(kind) if kind else None,
        number_role=NumberRole(role) if role else None,
        age_class=AgeClass(age) if age else None,
        guardian_consent=content.get("guardian_consent", ""),
        held_since=date.fromisoformat(held) if held else None,
        safe_contact=tuple(content.get("safe_contact", ())),
        deceased=content.get("deceased", False),
        household=content.get("household", False),
    )


# -- several rows of one person -----------------------------------------------------------------------


def same_person(rows: Iterable[PersonRow]) -> PersonRow:
    """Several rows of one person as one: the first that says a thing is right, and later rows fill in.

    Joined are kinds of data, numbers, push tokens and notes on safe contact. Who is dead in one row is dead. A number
    may be the one that an earlier row shares with them all, so that it is gone over until nothing is added: saying the
    same again changes nothing.
    """
    listed = list(rows)
    merged = _gone_over(listed)
    while len(listed) > 1 and (again := _gone_over([merged, *listed])) != merged:
        merged = again
    return merged


def _gone_over(rows: Sequence[PersonRow]) -> PersonRow:
    first, *others = rows
    merged = first
    for other in others:
        contact = _fill(merged.contact, other.contact)
        phones = _joined(merged.phones, other.phones)
        merged = PersonRow(
            reference=merged.reference,
            contact=contact,
            language=merged.language,
            country=merged.country or other.country,
            categories=_joined(merged.categories, other.categories),
            birth_date=merged.birth_date or other.birth_date,
            guardian=_fill(merged.guardian, other.guardian),
            more_phones=phones[1:] if _numbers_agree(merged, other) else merged.more_phones,
            push_tokens=_joined(merged.push_tokens, other.push_tokens),
            address=merged.address or other.address,
            kind=merged.kind or other.kind,
            number_role=merged.number_role or other.number_role,
            age_class=merged.age_class or other.age_class,
            guardian_consent=merged.guardian_consent or other.guardian_consent,
            held_since=merged.held_since or other.held_since,
            safe_contact=_joined(merged.safe_contact, other.safe_contact),
            deceased=merged.deceased or other.deceased,
            household=merged.household or other.household,
        )
    return merged


def contradiction(held: PersonRow, other: PersonRow) -> str | None:
    """The field in which two rows of one person contradict each other, if any: the first would win unseen.

    Rows that share a number may each name further ones. Names count only where a contact serves as the reference: two
    people may share a mailbox or a phone.
    """
    one, two = held.contact.email, other.contact.email
    if one and two and one.casefold() != two.casefold():
        return "email"
    if not _numbers_agree(held, other):
        return "phone"
    for wanted in (
        "address",
        "kind",
        "number_role",
        "birth_date",
        "age_class",
        "guardian_consent",
        "held_since",
    ):
        said, said_too = getattr(held, wanted), getattr(other, wanted)
        if said and said_too and said != said_too:
            return wanted
    names = {held.contact.name.casefold(), other.contact.name.casefold()} - {""}
    shared = held.reference in (held.contact.email, *held.phones)
    return "name" if shared and len(names) > 1 else None


def _numbers_agree(held: PersonRow, other: PersonRow) -> bool:
    """Whether two rows name a number in common, or one of them none."""
    return not held.phones or not other.phones or not set(held.phones).isdisjoint(other.phones)


def _joined(first: tuple[str, ...], second: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*first, *second)))


def _fill(first: Contact, second: Contact) -> Contact:
    return Contact(first.name or second.name, first.email or second.email, first.phone or second.phone)
