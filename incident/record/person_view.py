"""Looking at one person: masked, or in clear for whoever signed for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sqlmodel import Session, col, select

from incident.errors import NotFound
from incident.masking import mask_email, mask_name, mask_phone, mask_reference
from incident.record.person import PersonRow, person_from_content
from incident.store.change import open_row
from incident.store.sealing import keyed_hash
from incident.store.store import Store
from incident.store.tables import Person

_HIDDEN = "***"


@dataclass(frozen=True)
class Listed:
    """A person on the list. `id` is the row's, which names nobody: a look in clear is recorded by it."""

    id: str
    person: PersonRow


def person_called(session: Session, store: Store, incident_id: str, reference: str) -> Listed:
    """The person with this reference, as the list has it. Raises `NotFound`, `KeyDestroyed` or `KeyMissing`."""
    key = store.key(incident_id)
    mac = keyed_hash(key, "person-reference", reference)
    row = session.exec(
        select(Person).where(Person.incident_id == incident_id, col(Person.reference_mac) == mac)
    ).first()
    if row is None:
        raise NotFound(
            "nobody with this reference is on the list",
            where=incident_id,
            next_step="give it exactly as the list has it; without a reference it is the address or the number (+86...)",
        )
    return Listed(row.id, person_from_content(open_row(row, key=key)))


def person_in_clear(person: PersonRow) -> Mapping[str, str]:
    """All that is kept of a person, by field; empty ones are left out. Shows personal data."""
    texts = {
        "reference": person.reference,
        "name": person.contact.name,
        "email": person.contact.email,
        "phones": ", ".join(person.phones),
        "push_tokens": "\n".join(person.push_tokens),
        "address": "\n".join(person.address),
        "birth_date": person.birth_date.isoformat() if person.birth_date else "",
        "guardian_name": person.guardian.name,
        "guardian_email": person.guardian.email,
        "guardian_phone": person.guardian.phone,
        "guardian_consent": person.guardian_consent,
        "held_since": person.held_since.isoformat() if person.held_since else "",
        "safe_contact": "\n".join(person.safe_contact),
        **_of_many(person),
    }
    return {name: text for name, text in texts.items() if text}


def person_masked(person: PersonRow) -> Mapping[str, str]:
    """As `person_in_clear`, with what identifies somebody masked; of a note on safe contact only that there is one."""
    masks: dict[str, Callable[[str], str]] = {
        "reference": mask_reference,
        "name": mask_name,
        "email": mask_email,
        "phones": lambda _: ", ".join(mask_phone(number) for number in person.phones),
        "guardian_name": mask_name,
        "guardian_email": mask_email,
        "guardian_phone": mask_phone,
    }
    shown = _of_many(person)
    masked = {
        name: masks[name](text) if name in masks else _HIDDEN
        for name, text in person_in_clear(person).items()
        if name not in shown
    }
    return {**masked, **{name: text for name, text in shown.items() if text}}


def _of_many(person: PersonRow) -> dict[str, str]:
    """What is true of many people and identifies none."""
    return {
        "kind": person.kind or "",
        "number_role": person.number_role or "",
        "age_class": person.age_class or "",
        "language": person.language,
        "country": person.country,
        "data_categories": ", ".join(person.categories),
        "deceased": "yes" if person.deceased else "",
        "household": "yes" if person.household else "",
    }
