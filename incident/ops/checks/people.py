"""The list of people: nobody lost after an import, nobody listed twice, and columns that say what is sealed."""

from __future__ import annotations

from datetime import date

import sqlalchemy as sa

from incident.delivery.states import Addressee
from incident.errors import Unreadable
from incident.ops.checks.base import Findings, Invariant, Sign, Survey, View, moment_of, scan, table_of
from incident.record.person import person_from_content
from incident.store.sealing import keyed_hash, unseal_json
from incident.store.tables import Campaign, Delivery, PeopleImport, PeopleProblem, Person

_person, _import, _problem, _delivery, _campaign = map(
    table_of, (Person, PeopleImport, PeopleProblem, Delivery, Campaign)
)
p, m, q, d = _person.c, _import.c, _problem.c, _delivery.c

COUNTED = Invariant(
    "people.counted", "as many people are listed as the imports added, and rows kept aside as they say"
)
ONCE = Invariant("people.once", "nobody is listed twice in one incident")
READ = Invariant("people.read", "what the list shows of a person is what is sealed of them, and it opens")


def _look_at_imports(view: View, findings: Findings) -> None:
    live = view.live()
    added = sa.select(m.incident_id, sa.func.sum(m.added).label("added")).group_by(m.incident_id).subquery()
    listed = sa.select(p.incident_id, sa.func.count().label("many")).group_by(p.incident_id).subquery()
    counts = {
        name: dict(view.rows(sa.select(part.c[0], part.c[1]).where(part.c.incident_id.in_(live))))
        for name, part in (("added", added), ("listed", listed))
    }
    for incident in live:
        wanted, found = (counts[name].get(incident, 0) for name in ("added", "listed"))
        if wanted != found:
            findings.broken(
                COUNTED, f"people of {incident}", f"{wanted} were added by imports, {found} are listed"
            )
    aside = sa.select(q.import_id, sa.func.count().label("many")).group_by(q.import_id).subquery()
    scan(
        view,
        findings,
        "import",
        [m.id],
        _import.outerjoin(aside, aside.c.import_id == m.id),
        [
            Sign(
                COUNTED,
                "not as many rows are kept aside as it says",
                m.problems != sa.func.coalesce(aside.c.many, 0),
            )
        ],
        m.incident_id.in_(live),
    )
    scan(
        view,
        findings,
        "person",
        [p.id],
        _person.outerjoin(_import, m.id == p.import_id),
        [Sign(COUNTED, "no import of its incident listed it", m.incident_id.is_distinct_from(p.incident_id))],
        view.mine(p.incident_id),
    )


def _look_for_doubles(view: View, findings: Findings) -> None:
    statement = (
        sa.select(p.incident_id, sa.func.min(p.id), sa.func.max(p.id))
        .where(view.mine(p.incident_id))
        .group_by(p.incident_id, p.reference_mac)
        .having(sa.func.count() > 1)
    )
    for incident, one, other in view.rows(statement):
        findings.broken(ONCE, f"persons {one} and {other}", f"the same person of {incident} is listed twice")


def _look_inside(view: View, findings: Findings) -> None:
    for incident in view.readable():
        key = view.house.store.key(incident)
        days = _days_of_imports(view, incident)
        campaigns = (
            view.session.connection()
            .execute(
                sa.select(sa.func.count()).select_from(_campaign).where(_campaign.c.incident_id == incident)
            )
            .scalar_one()
        )
        guarded = (
            sa.select(d.person_id, sa.func.count().label("many"))
            .where(d.incident_id == incident, d.addressee == Addressee.GUARDIAN)
            .group_by(d.person_id)
            .subquery()
        )
        statement = (
            sa.select(*p, sa.func.coalesce(guarded.c.many, 0).label("guarded"))
            .outerjoin_from(_person, guarded, guarded.c.person_id == p.id)
            .where(p.incident_id == incident)
        )
        for row in view.rows(statement):
            what = _misread(row, key, days, campaigns)
            if what:
                findings.broken(READ, f"person {row.id}", what)


def _misread(row: sa.Row[tuple[object, ...]], key: bytes, days: list[date], campaigns: int) -> str:
    """What of a person's row is not what is sealed; "" when all of it is."""
    try:
        person = person_from_content(unseal_json(key, row.sealed, bound_to=f"person/{row.id}"))
    except Unreadable:
        return "what is sealed of them does not open"
    except (ValueError, KeyError, TypeError):
        return "what is sealed of them cannot be understood"
    if row.reference_mac != keyed_hash(key, "person-reference", person.reference):
        return "they would not be found again by their reference"
    if row.version < 1:
        return "their version is none"
    shown = (row.language, row.has_email, row.guardian_reachable)
    if shown != (person.language, bool(person.contact.email), person.guardian.reachable):
        return "language, address or guardian are other than what is sealed"
    marks = (row.organisation, row.deceased, row.number_dated, row.safe_contact, row.household)
    if marks != (
        person.is_organisation,
        person.deceased,
        person.held_since is not None,
        bool(person.safe_contact),
        person.household,
    ):
        return "they are shown as dead, as an organisation, or otherwise as they are not"
    # Somebody comes of age between two imports; either day's answer is right.
    if days and row.minor not in {person.minor(day) for day in days}:
        return "they are shown as a minor, or as grown up, and are not"
    written_to = not (person.is_organisation or person.deceased or person.safe_contact)
    if row.minor and row.guarded != (campaigns if person.guardian.email and written_to else 0):
        return (
            "a minor whose guardian has an address is not told through the guardian, or the other way round"
        )
    return ""


def _days_of_imports(view: View, incident: str) -> list[date]:
    statement = sa.select(sa.cast(m.at, sa.String)).where(m.incident_id == incident)
    moments = [moment_of(at) for (at,) in view.rows(statement)]
    return sorted({each.astimezone(view.house.settings.zone).date() for each in moments if each is not None})


SURVEYS = (
    Survey(_look_at_imports, (COUNTED,)),
    Survey(_look_for_doubles, (ONCE,)),
    Survey(_look_inside, (READ,)),
)
