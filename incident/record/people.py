"""The people concerned: importing a list so that importing it again changes nothing, and counting them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from itertools import islice
from pathlib import Path
from typing import Any

from sqlalchemy import bindparam, update
from sqlmodel import Session, col, select

from incident.errors import BadInput, Refused
from incident.garbage import collecting_seldom
from incident.record.incidents import must_be_open
from incident.record.people_file import Defaults, Problem, ReadRow, Reason, read_people
from incident.record.person import (
    PersonRow,
    contradiction,
    person_content,
    person_from_content,
    same_person,
)
from incident.record.row_files import ReadSoFar, RowFile, RowFormat, open_rows
from incident.store.change import Change
from incident.store.prepared import Prepared, PreparedLookup
from incident.store.sealing import keyed_hashes, seal_json, seal_json_rows, unseal_json
from incident.store.store import Store
from incident.store.tables import Campaign, PeopleImport, PeopleProblem, Person

_CHUNK = 500  # people whose values still lie in the processor's cache when they are written
SHOWN_PROBLEMS = 10
DRY_RUN_ROWS = 1000
_LONGEST_PAUSE = 300.0


@dataclass
class Counts:
    """What an import did. `rows = added + changed + unchanged + joined + rejected`.

    `joined` are further rows of a person whom the same file named before; `problems` counts rows, also those whose
    person was taken without the faulty field.
    """

    rows: int = 0
    added: int = 0
    changed: int = 0
    unchanged: int = 0
    joined: int = 0
    rejected: int = 0
    problems: int = 0


@dataclass(frozen=True)
class ImportResult:
    """The outcome of an import; `first_problems` are the first few, for the screen.

    `file_sha256` is None when a dry run did not come to the end of the file.
    """

    counts: Counts
    file_sha256: str | None
    first_problems: tuple[Problem, ...]
    dry_run: bool


# A row that names a person, and who that is.
_Named = tuple[ReadRow, PersonRow]


class _DryRun(Exception):
    """Ends the transaction of a dry run."""


@dataclass
class _Importing:
    """The state of one import while it runs."""

    change: Change
    incident_id: str
    import_id: str
    today: date
    pieces: int = 0
    counts: Counts = field(default_factory=Counts)
    first_problems: list[Problem] = field(default_factory=list)
    aside: list[dict[str, Any]] = field(default_factory=list)


def import_people(
    store: Store,
    incident_id: str,
    path: Path,
    *,
    encoding: str,
    format: RowFormat | None = None,
    defaults: Defaults,
    keep_problems: bool,
    dry_run: bool,
    actor: str,
    now: datetime,
    today: date,
    progress: Callable[[ReadSoFar], None] = lambda read: None,
) -> ImportResult:
    """Import a file of affected people (`RowFile`), all of it or nothing.

    A row that names a person we have already updates that person only if it says something new. With
    `keep_problems` faulty rows are kept aside and people with a faulty field are taken without it; without it, the
    first fault refuses the whole file after listing them. A dry run takes the first `DRY_RUN_ROWS` rows and changes
    nothing. Raises `BadInput`; the store is then as before.
    """
    import_id = store.new_id()
    list_file = RowFile(path, encoding, format)
    with open_rows(list_file) as file:
        people = _at_least_one(read_people(file.rows, defaults=defaults), name=list_file.name)

        def record(change: Change, counts: Counts) -> None:
            put_import(
                change,
                import_id,
                incident_id,
                counts,
                name=list_file.name,
                sha256=file.sha256 or "",
                header=file.rows.header,
            )

        counts, first_problems = take_people(
            store,
            incident_id,
            islice(people, DRY_RUN_ROWS) if dry_run else people,
            import_id=import_id,
            kind="people.imported",
            name=list_file.name,
            record=record,
            keep_problems=keep_problems,
            dry_run=dry_run,
            actor=actor,
            now=now,
            today=today,
            progress=lambda rows: progress(file.read_so_far(rows)),
        )
        return ImportResult(counts, file.sha256, first_problems, dry_run)


def _at_least_one(people: Iterator[ReadRow], *, name: str) -> Iterator[ReadRow]:
    first = next(people, None)
    if first is None:
        raise BadInput("the file has a header but no rows", where=name, next_step="give the list of people")
    yield first
    yield from people


def take_people(
    store: Store,
    incident_id: str,
    people: Iterator[ReadRow],
    *,
    import_id: str,
    kind: str,
    name: str,
    record: Callable[[Change, Counts], None],
    keep_problems: bool,
    dry_run: bool,
    actor: str,
    now: datetime,
    today: date,
    progress: Callable[[int], None],
) -> tuple[Counts, tuple[Problem, ...]]:
    """Take the rows of one list in one change, all or none; `record` writes at its end what is recorded of the list.

    Returns the counts and the first few problems. Raises `Refused` for problems without `keep_problems`, for a closed
    incident, and once its notice goes out; and as the rows do.
    """
    try:
        with (
            collecting_seldom(standing_aside=True),
            store.write(incident_id, kind=kind, actor=actor, now=now) as change,
        ):
            # The file may lie far away or come through a pipe, and the screen may stand still.
            change.allow_pauses(seconds=_LONGEST_PAUSE)
            change.expect_many_rows()
            must_take_people(change.session, incident_id)
            state = _Importing(change, incident_id, import_id, today)
            while chunk := list(islice(people, _CHUNK)):
                _take_chunk(store, state, chunk)
                progress(state.counts.rows)
            counts, first_problems = state.counts, tuple(state.first_problems)
            if counts.problems and not keep_problems and not dry_run:
                raise problems_refused(first_problems, problems=counts.problems, rows=counts.rows, name=name)
            if dry_run:
                raise _DryRun
            record(change, counts)
    except _DryRun:
        pass
    return counts, first_problems


def must_take_people(session: Session, incident_id: str) -> None:
    """Raises `NotFound`, and `Refused` for a closed incident and once its notice goes out."""
    must_be_open(session, incident_id)
    # A message must be made again byte for byte after a crash, so the people it goes to must not change under it.
    if session.exec(select(Campaign.id).where(Campaign.incident_id == incident_id)).first() is not None:
        raise Refused(
            "the notice goes out to the list as it stood when sending began; it takes no more people",
            where=incident_id,
            next_step="tell people found later through an incident of their own that refers to this one",
        )


def _take_chunk(store: Store, state: _Importing, chunk: list[ReadRow]) -> None:
    state.counts.rows += len(chunk)
    by_reference: dict[str, list[_Named]] = {}
    for row in chunk:
        if row.problems:
            _keep_aside(state, row, row.problems)
        if row.person is None:
            state.counts.rejected += 1
        else:
            by_reference.setdefault(row.person.reference, []).append((row, row.person))
    macs = keyed_hashes(state.change.key, "person-reference", by_reference)
    known = _known_people(state, macs)
    new: list[tuple[bytes, PersonRow]] = []
    for mac, rows in zip(macs, by_reference.values(), strict=True):
        state.counts.joined += len(rows) - 1
        if held := known.get(mac):
            _update_person(state, held, rows)
        else:
            new.append((mac, rows[0][1] if len(rows) == 1 else _joined(state, None, rows)))
    state.counts.added += len(new)
    _add_people(store, state, new)
    state.change.put_bulk(PeopleProblem, state.aside)
    state.aside.clear()


@dataclass(frozen=True)
class _Held:
    """What the store holds of a person that a row names."""

    id: str
    version: int
    is_new: bool
    person: PersonRow


# Columns, not objects: the session would hand out objects as they were before our own updates. The MAC alone says
# which: it is keyed by the incident's key. A database that knows nothing of the table yet, as it is new, would
# otherwise take the incident for the narrower condition and read all of its people.
_HELD = PreparedLookup(
    Person, key="reference_mac", columns=("reference_mac", "id", "version", "import_id", "sealed")
)


def _known_people(state: _Importing, macs: list[bytes]) -> dict[bytes, _Held]:
    known: dict[bytes, _Held] = {}
    for mac, person_id, version, import_id, sealed in _HELD.all(state.change.session.connection(), macs):
        content = unseal_json(state.change.key, sealed, bound_to=f"person/{person_id}")
        is_new = import_id == state.import_id
        known[mac] = _Held(person_id, version, is_new, person_from_content(content))
    return known


def _joined(state: _Importing, held: PersonRow | None, rows: list[_Named]) -> PersonRow:
    """What is held and what the rows say as one person; a row that contradicts is kept aside too."""
    merged = held or rows[0][1]
    if all(person == merged for _, person in rows):
        return merged
    for row, person in rows if held else rows[1:]:
        differs = contradiction(merged, person)
        if differs and not row.problems:
            _keep_aside(state, row, (Problem(row.number, differs, Reason.CONFLICT),))
        merged = same_person([merged, person])
    return same_person([merged, *(person for _, person in rows)]) if len(rows) > 1 else merged


def _keep_aside(state: _Importing, row: ReadRow, problems: Sequence[Problem]) -> None:
    state.counts.problems += 1
    state.first_problems += problems[: SHOWN_PROBLEMS - len(state.first_problems)]
    state.aside.append(
        problem_row(state.change.key, state.incident_id, state.import_id, row.raw, problems[0])
    )


def problem_row(
    key: bytes, incident_id: str, import_id: str, cells: Sequence[str], problem: Problem
) -> dict[str, Any]:
    """A row that is kept aside, as a row of `PeopleProblem`."""
    return {
        "import_id": import_id,
        "row": problem.row,
        "incident_id": incident_id,
        "field": problem.field,
        "reason": problem.reason.name.lower(),
        "sealed": seal_json(key, {"row": list(cells)}, bound_to=f"people_problem/{import_id}/{problem.row}"),
    }


def _add_people(store: Store, state: _Importing, people: Sequence[tuple[bytes, PersonRow]]) -> None:
    key, incident_id, import_id = state.change.key, state.incident_id, state.import_id
    ids = store.new_ids_in_order(len(people), now=state.change.at, piece=state.pieces)
    state.pieces += 1
    sealed = seal_json_rows(
        key,
        [
            (f"person/{person_id}", person_content(person))
            for person_id, (_, person) in zip(ids, people, strict=True)
        ],
    )
    by_marks: dict[tuple[bool, ...], list[tuple[str | bytes, ...]]] = {}
    for person_id, (mac, person), blob in zip(ids, people, sealed, strict=True):
        row = (person_id, incident_id, import_id, mac, person.language, blob)
        by_marks.setdefault(_marks_of(person, state.today), []).append(row)
    for marks, rows in by_marks.items():
        alike = {"version": 1, **dict(zip(_MARKS, marks, strict=True))}
        state.change.put_bulk_rows(Person, _COLUMNS, rows, alike=alike)


_COLUMNS = ("id", "incident_id", "import_id", "reference_mac", "language", "sealed")
_MARKS = (
    "has_email",
    "minor",
    "guardian_reachable",
    "organisation",
    "deceased",
    "number_dated",
    "safe_contact",
    "household",
)
"""The columns of which people have few combinations."""
_PLAIN_MARKS = (False,) * (len(_MARKS) - 1)


def _marks_of(person: PersonRow, today: date) -> tuple[bool, ...]:
    """What the columns `_MARKS` say of a person."""
    if person.is_plain:
        return (bool(person.contact.email), *_PLAIN_MARKS)
    return (
        bool(person.contact.email),
        person.minor(today),
        person.guardian.reachable,
        person.is_organisation,
        person.deceased,
        person.held_since is not None,
        bool(person.safe_contact),
        person.household,
    )


_UPDATED = ("version", "language", "sealed", *_MARKS)
_UPDATE = Prepared(
    update(Person)
    .where(col(Person.id) == bindparam("person"))
    .values({name: bindparam(name) for name in _UPDATED})
)


def _update_person(state: _Importing, held: _Held, rows: list[_Named]) -> None:
    # What we know already comes first: a later list adds kinds of data and contacts, it takes none away.
    person = _joined(state, held.person, rows)
    says_new = person != held.person
    if held.is_new:
        state.counts.joined += 1
    elif says_new:
        state.counts.changed += 1
    else:
        state.counts.unchanged += 1
    if says_new:
        sealed = seal_json(state.change.key, person_content(person), bound_to=f"person/{held.id}")
        version = held.version if held.is_new else held.version + 1
        values = [version, person.language, sealed, *_marks_of(person, state.today)]
        _UPDATE.run(
            state.change.session.connection(),
            {"person": held.id, **dict(zip(_UPDATED, values, strict=True))},
        )
        state.change.count_bulk(Person, "updated", 1, sealed=sealed)


def put_import(
    change: Change,
    import_id: str,
    incident_id: str,
    counts: Counts,
    *,
    name: str,
    sha256: str,
    header: Sequence[str],
    **more: Any,
) -> None:
    """Record that a file was read: its name, header and `more` sealed, its hash and what came of it in the clear."""
    change.put(
        PeopleImport(
            id=import_id,
            incident_id=incident_id,
            at=change.at,
            by=change.actor,
            file_sha256=sha256,
            rows=counts.rows,
            added=counts.added,
            changed=counts.changed,
            unchanged=counts.unchanged,
            problems=counts.problems,
        ),
        {
            "file": name,
            "joined": counts.joined,
            "rejected": counts.rejected,
            "header": list(header),
            **more,
        },
    )


def problems_refused(first: Sequence[Problem], *, problems: int, rows: int, name: str) -> Refused:
    """The refusal of a file with so many faulty rows, of which the first are listed; names nobody."""
    shown = "\n".join(
        f"    row {problem.row}{', ' + problem.field if problem.field else ''}: {problem.reason.value}"
        for problem in first
    )
    more = problems - len({problem.row for problem in first})
    tail = f"\n    and {more} more rows" if more > 0 else ""
    return Refused(
        f"{problems} of {rows} rows have problems; nothing was imported\n{shown}{tail}",
        where=name,
        next_step="correct the file, or import with --keep-problems: faulty rows are then kept aside and listed",
    )
