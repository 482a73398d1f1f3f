"""The people concerned: importing a list so that importing it again changes nothing, and counting them."""

from __future__ import annotations

import gc
import hashlib
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from itertools import islice
from operator import itemgetter
from pathlib import Path
from typing import Any

from sqlalchemy import select as select_columns
from sqlalchemy import update
from sqlmodel import Session, col, func, select

from incident.errors import BadInput, Refused
from incident.record.content_mac import content_mac
from incident.record.incidents import must_be_open
from incident.record.people_file import (
    Contact,
    Defaults,
    PersonRow,
    Problem,
    ReadRow,
    Reason,
    contradiction,
    read_people,
    same_person,
)
from incident.store.change import Change, open_row
from incident.store.sealing import keyed_hash, seal_json, seal_json_rows, unseal_json
from incident.store.store import Store
from incident.store.tables import Campaign, PeopleImport, PeopleProblem, Person

_CHUNK = 2000
_SHOWN_PROBLEMS = 10
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
    """The outcome of an import; `first_problems` are the first few, for the screen."""

    counts: Counts
    file_sha256: str
    first_problems: tuple[Problem, ...]
    dry_run: bool


class _DryRun(Exception):
    """Ends the transaction of a dry run."""


@dataclass
class _Importing:
    """The state of one import while it runs."""

    change: Change
    incident_id: str
    import_id: str
    today: date
    counts: Counts = field(default_factory=Counts)
    first_problems: list[Problem] = field(default_factory=list)
    aside: list[dict[str, Any]] = field(default_factory=list)


def import_people(
    store: Store,
    incident_id: str,
    path: Path,
    *,
    encoding: str,
    defaults: Defaults,
    keep_problems: bool,
    dry_run: bool,
    actor: str,
    now: datetime,
    today: date,
    progress: Callable[[int], None] = lambda rows: None,
) -> ImportResult:
    """Import a CSV file of affected people, all of it or nothing.

    A row that names a person we have already updates that person only if it says something new. With
    `keep_problems` faulty rows are kept aside and people with a faulty field are taken without it; without it, the
    first fault refuses the whole file after listing them. Raises `BadInput`; the store is then as before.
    """
    import_id = store.new_id()
    digest = hashlib.sha256()
    try:
        with (
            _open_text(path, encoding, digest) as stream,
            _standing_objects_set_aside(),
            store.write(incident_id, kind="people.imported", actor=actor, now=now) as change,
        ):
            # The file may lie far away or come through a pipe, and the screen may stand still.
            change.allow_pauses(seconds=_LONGEST_PAUSE)
            change.expect_many_rows()
            must_be_open(change.session, incident_id)
            _must_not_be_sending(change.session, incident_id)
            state = _Importing(change, incident_id, import_id, today)
            # A kind named twice by default is one kind, as it is in a row.
            once = replace(defaults, categories=tuple(dict.fromkeys(defaults.categories)))
            rows = read_people(stream, name=path.name, defaults=once)
            while chunk := list(islice(rows, _CHUNK)):
                _take_chunk(store, state, chunk)
                progress(state.counts.rows)
            if not state.counts.rows:
                raise BadInput(
                    "the file has a header but no rows", where=path.name, next_step="give the list of people"
                )
            if state.counts.problems and not keep_problems and not dry_run:
                raise _problems_refused(state, path.name)
            if dry_run:
                raise _DryRun
            _record_import(state, path, digest.hexdigest())
    except _DryRun:
        pass
    return ImportResult(state.counts, digest.hexdigest(), tuple(state.first_problems), dry_run)


@contextmanager
def _standing_objects_set_aside() -> Iterator[None]:
    """Let Python's garbage collector look only at what is made from here on.

    So many new objects make it look at all that lives again and again: measured, a third of the time of an import.
    """
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def _must_not_be_sending(session: Session, incident_id: str) -> None:
    # A message must be made again byte for byte after a crash, so the people it goes to must not change under it.
    if session.exec(select(Campaign.id).where(Campaign.incident_id == incident_id)).first() is not None:
        raise Refused(
            "the notice goes out to the list as it stood when sending began; it takes no more people",
            where=incident_id,
            next_step="tell people found later through an incident of their own that refers to this one",
        )


class _Hashing(io.RawIOBase):
    """A raw file that hashes what is read from it."""

    def __init__(self, raw: io.FileIO, digest: Any) -> None:
        self._raw, self._digest = raw, digest

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        count = self._raw.readinto(buffer) or 0
        self._digest.update(memoryview(buffer)[:count])
        return count

    def close(self) -> None:
        self._raw.close()
        super().close()


def _open_text(path: Path, encoding: str, digest: Any) -> io.TextIOWrapper:
    try:
        raw = io.FileIO(path)
    except OSError as error:
        raise BadInput(
            f"the list cannot be read ({error.strerror})",
            where=str(path),
            next_step="check the path, and that this account may read it",
        ) from error
    try:
        return io.TextIOWrapper(
            io.BufferedReader(_Hashing(raw, digest), 1 << 18), encoding=encoding, newline=""
        )
    except (LookupError, ValueError):
        raw.close()
        raise BadInput(
            f"there is no encoding {encoding!r}", next_step="use utf-8, gb18030 or utf-16"
        ) from None


def _take_chunk(store: Store, state: _Importing, chunk: list[ReadRow]) -> None:
    by_person: dict[bytes, list[tuple[ReadRow, PersonRow]]] = {}
    for row in chunk:
        state.counts.rows += 1
        if row.problems:
            _keep_aside(state, row, row.problems)
        if row.person is None:
            state.counts.rejected += 1
            continue
        mac = keyed_hash(state.change.key, "person-reference", row.person.reference)
        by_person.setdefault(mac, []).append((row, row.person))
    known = _known_people(state, list(by_person))
    new: list[tuple[bytes, PersonRow]] = []
    for mac, rows in by_person.items():
        held = known.get(mac)
        state.counts.joined += len(rows) - 1
        if held is None:
            new.append((mac, _joined(state, None, rows)))
            state.counts.added += 1
        else:
            _update_person(state, held, rows)
    state.change.put_bulk(Person, _new_people(store, state, new))
    state.change.put_bulk(PeopleProblem, state.aside)
    state.aside.clear()


@dataclass(frozen=True)
class _Held:
    """What the store holds of a person that a row names."""

    id: str
    version: int
    content_mac: bytes
    is_new: bool
    person: PersonRow


def _known_people(state: _Importing, macs: list[bytes]) -> dict[bytes, _Held]:
    # Columns, not objects: the session would hand out objects as they were before our own updates. The MAC alone says
    # which: it is keyed by the incident's key. A database that knows nothing of the table yet, as it is new, would
    # otherwise take the incident for the narrower condition and read all of its people.
    found = state.change.execute(
        select_columns(
            col(Person.id),
            col(Person.reference_mac),
            col(Person.version),
            col(Person.content_mac),
            col(Person.import_id),
            col(Person.sealed),
        ).where(col(Person.reference_mac).in_(macs))
    )
    known: dict[bytes, _Held] = {}
    for row in found:
        content = unseal_json(state.change.key, row.sealed, bound_to=f"person/{row.id}")
        is_new = row.import_id == state.import_id
        person = person_from_content(content)
        known[row.reference_mac] = _Held(row.id, row.version, row.content_mac, is_new, person)
    return known


def _joined(state: _Importing, held: PersonRow | None, rows: list[tuple[ReadRow, PersonRow]]) -> PersonRow:
    """What is held and what the rows say as one person; a row that contradicts is kept aside too."""
    merged = held or rows[0][1]
    for row, person in rows if held else rows[1:]:
        differs = contradiction(merged, person)
        if differs and not row.problems:
            _keep_aside(state, row, (Problem(row.number, differs, Reason.CONFLICT),))
        merged = same_person([merged, person])
    return merged


def _keep_aside(state: _Importing, row: ReadRow, problems: Sequence[Problem]) -> None:
    state.counts.problems += 1
    state.first_problems += problems[: _SHOWN_PROBLEMS - len(state.first_problems)]
    name = f"people_problem/{state.import_id}/{row.number}"
    state.aside.append(
        {
            "import_id": state.import_id,
            "row": row.number,
            "incident_id": state.incident_id,
            "field": problems[0].field,
            "reason": problems[0].reason.name.lower(),
            "sealed": seal_json(state.change.key, {"row": list(row.raw)}, bound_to=name),
        }
    )


def _new_people(
    store: Store, state: _Importing, people: Sequence[tuple[bytes, PersonRow]]
) -> list[dict[str, Any]]:
    ids = store.new_ids(len(people))
    contents = [person_content(person) for _, person in people]
    sealed = seal_json_rows(
        state.change.key,
        [(f"person/{person_id}", content) for person_id, content in zip(ids, contents, strict=True)],
    )
    rows = [
        {
            "id": person_id,
            "incident_id": state.incident_id,
            "reference_mac": mac,
            "version": 1,
            "import_id": state.import_id,
            **_person_columns(state, person, content),
            "sealed": blob,
        }
        for person_id, (mac, person), content, blob in zip(ids, people, contents, sealed, strict=True)
    ]
    # Neighbours by id stand on one page of the index: in this order it is found once for all of them.
    rows.sort(key=itemgetter("id"))
    return rows


def _person_columns(state: _Importing, person: PersonRow, content: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "content_mac": content_mac(state.change.key, content),
        "language": person.language,
        "has_email": bool(person.contact.email),
        "minor": person.minor(state.today),
        "guardian_reachable": person.guardian.reachable,
    }


def _update_person(state: _Importing, held: _Held, rows: list[tuple[ReadRow, PersonRow]]) -> None:
    # What we know already comes first: a later list adds kinds of data and contacts, it takes none away.
    person = _joined(state, held.person, rows)
    content = person_content(person)
    columns = _person_columns(state, person, content)
    says_new = columns["content_mac"] != held.content_mac
    if held.is_new:
        state.counts.joined += 1
    elif says_new:
        state.counts.changed += 1
    else:
        state.counts.unchanged += 1
    if says_new:
        version = held.version if held.is_new else held.version + 1
        sealed = seal_json(state.change.key, content, bound_to=f"person/{held.id}")
        state.change.execute(
            update(Person).where(col(Person.id) == held.id).values(version=version, sealed=sealed, **columns)
        )
        state.change.count_bulk(Person, "updated", 1, sealed=sealed)


def _record_import(state: _Importing, path: Path, file_sha256: str) -> None:
    counts = state.counts
    state.change.put(
        PeopleImport(
            id=state.import_id,
            incident_id=state.incident_id,
            at=state.change.at,
            by=state.change.actor,
            file_sha256=file_sha256,
            rows=counts.rows,
            added=counts.added,
            changed=counts.changed,
            unchanged=counts.unchanged,
            problems=counts.problems,
        ),
        {"file": path.name, "joined": counts.joined, "rejected": counts.rejected},
    )


def _problems_refused(state: _Importing, name: str) -> Refused:
    shown = "\n".join(
        f"    row {problem.row}{', ' + problem.field if problem.field else ''}: {problem.reason.value}"
        for problem in state.first_problems
    )
    more = state.counts.problems - len({problem.row for problem in state.first_problems})
    tail = f"\n    and {more} more rows" if more > 0 else ""
    return Refused(
        f"{state.counts.problems} of {state.counts.rows} rows have problems; nothing was imported\n{shown}{tail}",
        where=name,
        next_step="correct the file, or import with --keep-problems: faulty rows are then kept aside and listed",
    )


def person_content(person: PersonRow) -> dict[str, Any]:
    """What is sealed of a person, as JSON values."""
    return {
        "reference": person.reference,
        "contact": dict(vars(person.contact)),
        "language": person.language,
        "country": person.country,
        "categories": list(person.categories),
        "birth_date": person.birth_date.isoformat() if person.birth_date else None,
        "guardian": dict(vars(person.guardian)),
    }


def person_from_content(content: Mapping[str, Any]) -> PersonRow:
    """The person that `person_content` described."""
    born = content["birth_date"]
    return PersonRow(
        reference=content["reference"],
        contact=Contact(**content["contact"]),
        language=content["language"],
        country=content["country"],
        categories=tuple(content["categories"]),
        birth_date=date.fromisoformat(born) if born else None,
        guardian=Contact(**content["guardian"]),
    )


@dataclass(frozen=True)
class PeopleStats:
    """How many people, by what matters for telling them."""

    total: int
    by_language: Mapping[str, int]
    without_email: int
    minors: int
    minors_without_guardian: int
    problems: int


def people_stats(session: Session, incident_id: str) -> PeopleStats:
    """Counts over the people of an incident; names nobody."""
    mine = Person.incident_id == incident_id

    def count(*conditions: Any) -> int:
        return session.exec(select(func.count()).select_from(Person).where(mine, *conditions)).one()

    languages = session.exec(
        select(Person.language, func.count()).where(mine).group_by(col(Person.language))
    ).all()
    problems = session.exec(
        select(func.count()).select_from(PeopleProblem).where(PeopleProblem.incident_id == incident_id)
    ).one()
    return PeopleStats(
        total=count(),
        by_language=dict(sorted(languages)),
        without_email=count(col(Person.has_email).is_(False)),
        minors=count(col(Person.minor).is_(True)),
        minors_without_guardian=count(col(Person.minor).is_(True), col(Person.guardian_reachable).is_(False)),
        problems=problems,
    )


@dataclass(frozen=True)
class KeptProblem:
    """A row that was kept aside, opened for the person who mends it."""

    row: int
    field: str
    reason: Reason
    cells: tuple[str, ...]


def kept_problems(store: Store, incident_id: str) -> Iterator[KeptProblem]:
    """Every row that could not be taken as it was, in order. Shows personal data: for those who mend the list."""
    key = store.key(incident_id)
    with store.read() as session:
        rows = session.exec(
            select(PeopleProblem)
            .where(PeopleProblem.incident_id == incident_id)
            .order_by(col(PeopleProblem.import_id), col(PeopleProblem.row))
        ).all()
    for row in rows:
        content = open_row(row, key=key)
        yield KeptProblem(row.row, row.field, Reason[row.reason.upper()], tuple(content["row"]))
