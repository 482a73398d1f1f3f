"""Looking at a notice with the data of the people on the list: who gets the longest message, who the shortest, and what
an SMS to all of them costs.

The sealed list is read once, person by person, and only two of them are kept, so its length does not matter.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from sqlalchemy import select as select_columns
from sqlmodel import Session, col

from incident.law.findings import Finding
from incident.law.regimes import Channel, DutyKind
from incident.notice.audience import Audience
from incident.notice.audience_words import kinds_told, language_for
from incident.notice.channels import PersonValues, Sms, person_values
from incident.notice.frozen import FrozenNotice
from incident.notice.graphemes import graphemes
from incident.notice.render import CHILD_NAME, DATA_TYPES_OF_PERSON, PERSON_NAME
from incident.notice.sms_text import sms_text
from incident.notice.stand_ins import SAMPLE_CODE, name_like
from incident.record.person import PersonRow, person_from_content
from incident.store.change import open_sealed
from incident.store.store import Store
from incident.store.tables import Person

_FETCHED = 1000

Measure = Callable[[str, PersonValues], tuple[int, ...]]
"""How long a message with these values is in a language; compared, so the first number counts most."""

LAW_CHANNELS: Mapping[str, Channel] = {
    "email": Channel.email,
    "letter": Channel.letter,
    "public": Channel.public_notice,
    "sms": Channel.sms,
    "push": Channel.push,
    "voice": Channel.phone,
    "call_centre": Channel.phone,
}
"""What laws call our channels; none of them names a pop-up in an app."""


@dataclass
class Survey:
    """What one pass over the list found. Personal: `longest` and `shortest` are in clear.

    `people` are those who would be written to, `in_language` those among them who would be in the language that was
    asked for, `with_phone` those who have a number. `by_segments` counts the latter by the segments of their SMS, in
    whatever language they get it; empty where there is none.
    """

    people: int = 0
    in_language: int = 0
    with_phone: int = 0
    longest: PersonValues | None = None
    shortest: PersonValues | None = None
    by_segments: Counter[int] = field(default_factory=Counter)

    @property
    def segments(self) -> int:
        """Segments for everybody who has a number."""
        return sum(segments * people for segments, people in self.by_segments.items())

    def cost(self, price: Decimal | None) -> Decimal | None:
        """What these segments cost; None where the price is not known."""
        return None if price is None else price * self.segments


def survey(
    session: Session, store: Store, incident_id: str, frozen: FrozenNotice, *, language: str, channel: str
) -> Survey:
    """Read the list once for a channel in a language. Left out are the dead and who is told by hand, for their safety.

    An SMS is measured by its segments, then units; every other message by the characters of its personal words.
    Raises `KeyDestroyed` or `KeyMissing` as soon as somebody is listed.
    """
    found, measure = Survey(), _measure(frozen, channel)
    languages = list(frozen.contents)
    most: tuple[int, ...] = ()
    least: tuple[int, ...] = ()
    for told, person in _addressees(session, store, incident_id):
        spoken = language_for(person.language, languages)
        values = _values(told.name, person, frozen, spoken)
        found.people += 1
        found.with_phone += bool(told.phone)
        counts = channel == "sms" and bool(told.phone)
        if not counts and spoken != language:
            continue
        size = measure(spoken, values)
        if counts:
            found.by_segments[size[0]] += 1
        if spoken != language:
            continue
        found.in_language += 1
        if found.longest is None or size > most:
            found.longest, most = values, size
        if found.shortest is None or size < least:
            found.shortest, least = values, size
    return found


@dataclass(frozen=True)
class _Told:
    name: str
    phone: str


def _addressees(session: Session, store: Store, incident_id: str) -> Iterator[tuple[_Told, PersonRow]]:
    """Whom a message about each person goes to: themselves, or the guardian of a minor."""
    statement = (
        select_columns(col(Person.id), col(Person.sealed), col(Person.minor), col(Person.guardian_reachable))
        .where(
            col(Person.incident_id) == incident_id,
            col(Person.deceased).is_(False),
            col(Person.safe_contact).is_(False),
        )
        .order_by(col(Person.id))
        .execution_options(yield_per=_FETCHED)
    )
    key = None
    for person_id, sealed, minor, guarded in session.connection().execute(statement):
        key = key or store.key(incident_id)
        person = person_from_content(open_sealed(Person, person_id, sealed, key=key))
        to = person.guardian if minor and guarded else person.contact
        yield _Told(to.name, to.phone), person


def _values(name: str, person: PersonRow, frozen: FrozenNotice, language: str) -> PersonValues:
    words = frozen.words[language]
    told = kinds_told(person.categories, frozen.category_titles, language)
    everyones = frozen.contents[language].data_types or ()
    return person_values(
        name=name or words.unnamed[Audience.PERSON],
        child=person.contact.name or words.unnamed_child,
        data_types=words.listed(told or everyones),
        code=SAMPLE_CODE,
    )


def _measure(frozen: FrozenNotice, channel: str) -> Measure:
    texts: Mapping[str, Sms | None] = {language: each.sms for language, each in frozen.channels.items()}

    def of_sms(language: str, values: PersonValues) -> tuple[int, ...]:
        sms = texts.get(language)
        if sms is None:
            return (0, 0)
        found = sms_text(sms.filled(values).text)
        return (len(found.segments), found.units)

    def of_words(language: str, values: PersonValues) -> tuple[int, ...]:
        return (len(graphemes(values[PERSON_NAME])) + len(graphemes(values[DATA_TYPES_OF_PERSON])),)

    return of_sms if channel == "sms" else of_words


def sms_segments(frozen: FrozenNotice) -> Callable[[str, PersonRow], int]:
    """How many segments the SMS about a person has, addressed to a name; 0 where their language has no SMS."""
    measure, languages = _measure(frozen, "sms"), list(frozen.contents)

    def segments(name: str, person: PersonRow) -> int:
        spoken = language_for(person.language, languages)
        return measure(spoken, _values(name, person, frozen, spoken))[0]

    return segments


def masked(values: PersonValues) -> PersonValues:
    """The same values with another name of the same length and script. Kinds of information are true of many and stay."""
    return {**values, **{each: name_like(values[each]) for each in (PERSON_NAME, CHILD_NAME)}}


@dataclass(frozen=True)
class NamedByLaw:
    """The regimes in force here that name a channel as a way to tell people, and those that name only others."""

    by: tuple[str, ...]
    not_by: Mapping[str, tuple[str, ...]]


def named_by_law(findings: Iterable[Finding], channel: str) -> NamedByLaw | None:
    """What the standing duties to tell people say of a channel; a duty that names none is silent.

    None for a channel that no law has a word for.
    """
    word = LAW_CHANNELS.get(channel)
    if word is None:
        return None
    named: dict[str, set[Channel]] = {}
    for finding in findings:
        for duty in finding.duties:
            if duty.kind is DutyKind.notify_people and duty.is_standing and duty.channels:
                named.setdefault(duty.regime, set()).update(duty.channels)
    return NamedByLaw(
        by=tuple(regime for regime, channels in named.items() if word in channels),
        not_by={
            regime: tuple(each.value for each in Channel if each in channels)
            for regime, channels in named.items()
            if word not in channels
        },
    )
