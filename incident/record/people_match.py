"""Matching a log of what was taken with a directory of people, and importing those who were hit."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from itertools import islice
from pathlib import Path
from typing import Any

from incident.errors import BadInput
from incident.record.matching import (
    Affected,
    Hit,
    LookUp,
    Searched,
    find_hits,
    people_hit,
    persons_affected,
    read_affected,
)
from incident.record.people import (
    DRY_RUN_ROWS,
    SHOWN_PROBLEMS,
    Counts,
    must_take_people,
    problem_row,
    problems_refused,
    put_import,
    take_people,
)
from incident.record.people_file import Defaults, Problem
from incident.record.quantities import Interval
from incident.record.row_files import OpenRowFile, ReadSoFar, RowFile, Rows, open_rows
from incident.store.change import Change
from incident.store.scratch import Scratch
from incident.store.store import Store
from incident.store.tables import PeopleProblem


@dataclass(frozen=True)
class MatchedFiles:
    """The two files and how they are joined. `mapping_affected` is for the log, as `Defaults.mapping` for the directory."""

    affected: RowFile
    directory: RowFile
    on: LookUp
    mapping_affected: Mapping[str, str] = field(default_factory=dict)

    @property
    def method(self) -> str:
        """How it was counted, in words for the record."""
        return (
            f"every row of {self.directory.name} whose {self.on} is in {self.affected.name}, "
            "both brought to one form; the log says what was taken"
        )


@dataclass(frozen=True)
class FileRead:
    """One of the two files as it was read; `faulty` rows could not be used. `sha256` is None when not all was read."""

    name: str
    sha256: str | None
    rows: int
    faulty: int
    first_faulty: tuple[Problem, ...]
    header: tuple[str, ...]

    def as_document(self) -> dict[str, Any]:
        return {"file": self.name, "sha256": self.sha256, "rows": self.rows, "faulty": self.faulty}


@dataclass(frozen=True)
class Match:
    """What a match found. `keys` are distinct ones of the log: `keys = hit + unmatched`, and `ambiguous` are among the hit.

    `hit_rows` are rows of the directory; `persons` says how many people are affected, as far as the two files say.
    """

    method: str
    affected: FileRead
    directory: FileRead
    keys: int
    hit: int
    ambiguous: int
    unmatched: int
    hit_rows: int
    persons: Interval

    def as_document(self) -> dict[str, Any]:
        """All of it as JSON values, for the record and for the screen."""
        plain = ("method", "keys", "hit", "ambiguous", "unmatched", "hit_rows")
        return {
            **{name: getattr(self, name) for name in plain},
            "affected": self.affected.as_document(),
            "directory": self.directory.as_document(),
            "persons": {"min": self.persons.min, "max": self.persons.max},
        }


@dataclass(frozen=True)
class MatchResult:
    """The outcome of a match: what was found, what became of the people, and the keys that hit nobody."""

    match: Match
    counts: Counts
    first_problems: tuple[Problem, ...]
    affected: Affected
    dry_run: bool


def match_people(
    store: Store,
    incident_id: str,
    files: MatchedFiles,
    *,
    defaults: Defaults,
    keep_problems: bool,
    dry_run: bool,
    scratch: Path,
    actor: str,
    now: datetime,
    today: date,
    progress_affected: Callable[[ReadSoFar], None] = lambda read: None,
    progress_directory: Callable[[ReadSoFar], None] = lambda read: None,
    progress_people: Callable[[ReadSoFar], None] = lambda read: None,
) -> MatchResult:
    """Import the people of the directory whom the log names, all of them or nobody.

    Both files are read once, the log first, and nothing of the database is held meanwhile; those who were hit are set
    aside, sealed, in the folder `scratch` until all are known. Faulty rows are refused or, with `keep_problems`, kept
    as by `import_people`; of the directory only their number is. A dry run reads `DRY_RUN_ROWS` rows of each and changes
    nothing. Raises `BadInput` and `Refused`; the store is then as before.
    """
    with store.read() as session:
        must_take_people(session, incident_id)
    affected = Affected()
    log = _read_log(files, affected, defaults, dry_run=dry_run, progress=progress_affected)
    if log.faulty and not keep_problems and not dry_run:
        raise problems_refused(log.first_faulty, problems=log.faulty, rows=log.rows, name=log.name)
    with Scratch(scratch) as aside:
        directory, searched = _search(
            files, affected, aside, defaults, dry_run=dry_run, progress=progress_directory
        )
        if directory.faulty and not keep_problems and not dry_run:
            raise problems_refused(
                directory.first_faulty, problems=directory.faulty, rows=directory.rows, name=directory.name
            )

        def hits() -> Iterator[Hit]:
            return (Hit(*each) for each in aside.items())

        people = people_hit(
            hits, Rows(directory.name, directory.header, iter(())), affected, on=files.on, defaults=defaults
        )
        ambiguous_rows = sum(not affected.certain(each.keys) for each in hits()) if affected.ambiguous else 0
        match = Match(
            method=files.method,
            affected=log,
            directory=directory,
            keys=len(affected),
            hit=affected.hits,
            ambiguous=len(affected.ambiguous),
            unmatched=len(affected) - affected.hits,
            hit_rows=searched.hits,
            persons=persons_affected(affected, ambiguous_rows=ambiguous_rows),
        )
        import_id = store.new_id()
        counts, first_problems = take_people(
            store,
            incident_id,
            people,
            import_id=import_id,
            kind="people.matched",
            name=directory.name,
            record=lambda change, counts: _record(
                change, import_id, store.new_id(), incident_id, match, counts, affected
            ),
            keep_problems=keep_problems,
            dry_run=dry_run,
            actor=actor,
            now=now,
            today=today,
            progress=lambda rows: progress_people(ReadSoFar(rows, 0, None)),
        )
    return MatchResult(match, counts, first_problems, affected, dry_run)


def _read_log(
    files: MatchedFiles,
    affected: Affected,
    defaults: Defaults,
    *,
    dry_run: bool,
    progress: Callable[[ReadSoFar], None],
) -> FileRead:
    with open_rows(files.affected) as opened:
        read_affected(
            _as_many_as_wanted(opened, dry_run=dry_run),
            on=files.on,
            mapping=files.mapping_affected,
            defaults=defaults,
            affected=affected,
            progress=lambda rows: progress(opened.read_so_far(rows)),
        )
        if not affected.rows:
            raise _no_rows(files.affected)
        return FileRead(
            files.affected.name,
            opened.sha256,
            affected.rows,
            len(affected.faulty),
            tuple(row.problem for row in affected.faulty[:SHOWN_PROBLEMS]),
            opened.rows.header,
        )


def _search(
    files: MatchedFiles,
    affected: Affected,
    aside: Scratch,
    defaults: Defaults,
    *,
    dry_run: bool,
    progress: Callable[[ReadSoFar], None],
) -> tuple[FileRead, Searched]:
    searched = Searched()
    with open_rows(files.directory) as opened:
        hits = find_hits(
            _as_many_as_wanted(opened, dry_run=dry_run),
            affected,
            on=files.on,
            defaults=defaults,
            searched=searched,
            shown_problems=SHOWN_PROBLEMS,
            progress=lambda rows: progress(opened.read_so_far(rows)),
        )
        aside.set_aside([hit.number, hit.keys, hit.cells] for hit in hits)
        if not searched.rows:
            raise _no_rows(files.directory)
        read = FileRead(
            files.directory.name,
            opened.sha256,
            searched.rows,
            searched.faulty,
            tuple(searched.first_faulty),
            opened.rows.header,
        )
        return read, searched


def _as_many_as_wanted(opened: OpenRowFile, *, dry_run: bool) -> Rows:
    rows = opened.rows
    return Rows(rows.name, rows.header, islice(rows.numbered, DRY_RUN_ROWS)) if dry_run else rows


def _no_rows(file: RowFile) -> BadInput:
    return BadInput(
        "the file has a header but no rows", where=file.name, next_step="give the log, and the directory"
    )


def _record(
    change: Change,
    import_id: str,
    log_id: str,
    incident_id: str,
    match: Match,
    counts: Counts,
    affected: Affected,
) -> None:
    """Each file has a row of its own, so that both hashes stand in the clear and both keep their faulty rows."""
    found = match.as_document()
    log, directory = match.affected, match.directory
    put_import(
        change,
        import_id,
        incident_id,
        counts,
        name=directory.name,
        sha256=directory.sha256 or "",
        header=directory.header,
        match=found,
    )
    kept = _kept_rows(change, incident_id, log_id, affected)
    put_import(
        change,
        log_id,
        incident_id,
        Counts(rows=log.rows, problems=len(kept)),
        name=log.name,
        sha256=log.sha256 or "",
        header=log.header,
        match=found,
    )
    change.put_bulk(PeopleProblem, kept)
    change.note(match=found)


def _kept_rows(change: Change, incident_id: str, log_id: str, affected: Affected) -> list[dict[str, Any]]:
    return [problem_row(change.key, incident_id, log_id, row.cells, row.problem) for row in affected.faulty]
