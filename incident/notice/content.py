"""What a notice says, in one language: a frozen value that is hashed, checked, signed and rendered.

It holds the eight elements of a notice in mainland China (PIPL Art. 57, Network Data Regulations Art. 11,
GB/T 35273 10.2), which cover GDPR Art. 34(2) too, what other laws ask for in a person's own words, and what is not
known yet. It holds nothing about one person: that is put into the slots of the rendered message.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from incident.errors import BadInput
from incident.law.elements import element_catalogue
from incident.notice.sources import Sources, sources_as_document, sources_from_document
from incident.store.canonical import canonical


class Element(StrEnum):
    """The elements of the law's catalogue that a notice draws from the record. The first eight are its body.

    The others of the catalogue have a `text`: a person writes them, and they stand in `more`, as do those of these that
    have no place of their own: what was not taken, and the reports to authorities.
    """

    WHAT_HAPPENED = "what_happened"
    DATA_TYPES = "data_types"
    DATA_NOT_TAKEN = "data_not_taken"
    CAUSE = "cause"
    CONSEQUENCES = "consequences"
    MEASURES_TAKEN = "measures_taken"
    STEPS_FOR_PERSON = "steps_for_person"
    REMEDIES = "remedies"
    CONTACT = "contact"
    BREACH_DATE = "breach_date"
    DISCOVERY_DATE = "discovery_date"
    INDIVIDUAL_SPECIFIC_DATA = "individual_specific_data"
    NEXT_UPDATE = "next_update"
    DPO = "dpo"
    AUTHORITY_INFORMED = "authority_informed"
    NOTICE_DATE = "notice_date"


SECTIONS = frozenset({Element.DATA_NOT_TAKEN, Element.AUTHORITY_INFORMED})
"""The drawn elements that stand in `more`, each under its heading of the catalogue."""


@dataclass(frozen=True)
class Missing:
    """An element that cannot be filled, the fact that would fill it, and how to ask for it."""

    element: str
    field: str
    question: Mapping[str, str]


@dataclass(frozen=True)
class DatedLine:
    """A sentence and the day or days it is true of, as shown."""

    when: str
    text: str


@dataclass(frozen=True)
class Contact:
    """Who answers questions. Empty strings are left out when shown."""

    organisation: str
    phone: str = ""
    email: str = ""
    website: str = ""
    address: str = ""
    officer_name: str = ""
    officer_contact: str = ""


@dataclass(frozen=True)
class Section:
    """An element with no place of its own in a template, under its heading; one paragraph a line."""

    element: str
    heading: str
    lines: tuple[str, ...]


@dataclass(frozen=True)
class NoticeContent:
    """One language's version of a notice. An element that is None could not be filled; `missing` says why.

    `possible` is true when the breach may have happened but is not certain. `cause_open` is true when the cause is
    still being investigated, which is allowed only together with `next_update`. `only_elsewhere` names facts that
    were given in another language only, `untranslated` entries of catalogues (`categories.name.title`) that nobody wrote
    in this language. All dates are shown dates. `sources` says of each place where its sentences are from; versions of
    before there was such a part have none.
    """

    language: str
    reference: str
    subject: str
    written_on: str
    possible: bool
    effects: str
    what_happened: tuple[str, ...] | None
    breach_date: str | None
    discovery_date: str | None
    data_types: tuple[str, ...] | None
    cause: str | None
    cause_open: bool
    consequences: tuple[str, ...] | None
    measures_taken: tuple[DatedLine, ...] | None
    planned: str | None
    steps_for_person: tuple[str, ...] | None
    remedies: tuple[str, ...] | None
    contact: Contact | None
    not_known: tuple[str, ...]
    next_update: str | None
    missing: tuple[Missing, ...]
    only_elsewhere: tuple[str, ...] = ()
    more: tuple[Section, ...] = ()
    sources: Sources = field(default_factory=dict)
    untranslated: tuple[str, ...] = ()

    def element(self, name: str) -> object | None:
        """The value of an element by its name; None when it is empty or not filled. Raises `BadInput` for another."""
        must_be_element(name)
        if name not in set(Element) or name in SECTIONS:
            return next((section.lines for section in self.more if section.element == name), None) or None
        return getattr(self, name) or None

    @property
    def not_taken(self) -> tuple[str, ...]:
        """What was not affected, told beside the kinds of data that were."""
        return next((section.lines for section in self.more if section.element == Element.DATA_NOT_TAKEN), ())

    def is_drawn(self, name: str) -> bool:
        """Whether an element's sentences are all ours, from a catalogue or the shipped phrases, and no person's."""
        sources = self.sources.get(name, ())
        return bool(sources) and all(source.entries for source in sources)

    @property
    def individual_specific_data(self) -> tuple[str, ...] | None:
        """Each person's message names their own kinds of data in its slot; without any kind there is nothing to name."""
        return self.data_types

    @property
    def dpo(self) -> str:
        """The name of the person in charge of data protection, or how to reach them; empty without either."""
        return (self.contact.officer_name or self.contact.officer_contact) if self.contact else ""

    @property
    def notice_date(self) -> str:
        return self.written_on

    def texts(self) -> Mapping[str, tuple[str, ...]]:
        """All running text by place, for checks; in the order in which it is read."""
        return {
            "what_happened": self.what_happened or (),
            "data_types": self.data_types or (),
            "cause": (self.cause,) if self.cause else (),
            "consequences": self.consequences or (),
            "steps_for_person": self.steps_for_person or (),
            "measures_taken": tuple(line.text for line in self.measures_taken or ()),
            "planned": (self.planned,) if self.planned else (),
            "remedies": self.remedies or (),
            "not_known": self.not_known,
            **{section.element: section.lines for section in self.more},
        }

    def as_document(self) -> dict[str, Any]:
        """The content as plain data, to be stored and hashed."""
        document = asdict(self)
        document["missing"] = [
            {"element": gap.element, "field": gap.field, "question": dict(gap.question)}
            for gap in self.missing
        ]
        document["sources"] = sources_as_document(self.sources)
        for part in ("more", "sources", "untranslated"):
            if not document[part]:
                # Versions from before there was such a part were hashed without it.
                del document[part]
        plain = json.loads(json.dumps(document, ensure_ascii=False))
        assert isinstance(plain, dict)  # noqa: S101 - asdict of a dataclass
        return plain

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> NoticeContent:
        """The content that `as_document` gave. Raises `BadInput` when the document has another shape."""
        try:
            fields = dict(document)
            for name in ("what_happened", "data_types", "consequences", "steps_for_person", "remedies"):
                fields[name] = None if fields[name] is None else tuple(fields[name])
            for name in ("not_known", "only_elsewhere", "untranslated"):
                fields[name] = tuple(fields.get(name, ()))
            if fields["measures_taken"] is not None:
                fields["measures_taken"] = tuple(DatedLine(**line) for line in fields["measures_taken"])
            fields["contact"] = None if fields["contact"] is None else Contact(**fields["contact"])
            fields["missing"] = tuple(Missing(**gap) for gap in fields["missing"])
            fields["more"] = tuple(
                Section(part["element"], part["heading"], tuple(part["lines"]))
                for part in fields.get("more", ())
            )
            fields["sources"] = sources_from_document(fields.get("sources", {}))
            return cls(**fields)
        except (KeyError, TypeError) as error:
            raise BadInput(
                f"this is no notice content: {error}", next_step="draft the notice again"
            ) from error

    def fingerprint(self) -> str:
        """SHA-256 (hex) over the canonical JSON (RFC 8785) of the content."""
        return hashlib.sha256(canonical(self.as_document())).hexdigest()


def must_be_element(name: str) -> None:
    """Raise `BadInput` where the law's catalogue has no element of this name."""
    if name not in element_catalogue():
        raise BadInput(
            f"{name!r} is no element of a notice", next_step=f"elements are {', '.join(element_catalogue())}"
        )
