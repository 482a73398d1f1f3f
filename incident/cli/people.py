"""`incident people`: the people concerned."""

from __future__ import annotations

import csv
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from incident.cli.desk import Desk, desk_of, must_take_a_file
from incident.cli.record import ID
from incident.errors import WrongUsage
from incident.record.showing import defused

if TYPE_CHECKING:
    from incident.record.people import Counts
    from incident.record.people_file import Defaults
    from incident.record.row_files import RowFile, RowFormat

GROUP = "people"
app = typer.Typer(
    rich_markup_mode=None,
    add_completion=False,
    help="The people concerned: import, match, stats, problems, show.",
    no_args_is_help=True,
)


ENCODING = typer.Option("utf-8", "--encoding", help="The file's encoding: utf-8, gb18030, utf-16.")
MAP = typer.Option([], "--map", metavar="FIELD=HEADER", help="Which column is which; may be repeated.")
FORMAT = typer.Option(
    None, "--format", help="csv, tsv, jsonl or parquet, where the file's name does not end with it."
)
LANGUAGE = typer.Option(None, "--language", help="The language of people whose row names none.")
COUNTRY = typer.Option("cn", "--country", help="The country for phone numbers without a country code.")
KEEP_PROBLEMS = typer.Option(False, "--keep-problems", help="Keep faulty rows aside instead of refusing.")


@app.command(
    "import",
    short_help="Import a list of affected people (CSV, TSV, JSON Lines, Parquet).",
    help="Import a list of affected people: CSV, TSV, JSON Lines or Parquet, from a file or from standard input (-). "
    "All of it is taken or nothing; importing again changes nothing.",
)
def import_(
    ctx: typer.Context,
    incident_id: str = ID,
    file: Path = typer.Argument(..., metavar="FILE", help="The list, or - for standard input."),
    encoding: str = ENCODING,
    format: str | None = FORMAT,
    mapping: list[str] = MAP,
    language: str | None = LANGUAGE,
    country: str = COUNTRY,
    categories: str = typer.Option(
        "", "--categories", help="Kinds of data for rows that name none: phone_number,location."
    ),
    keep_problems: bool = KEEP_PROBLEMS,
    dry_run: bool = typer.Option(False, "--dry-run", help="Read and count the first 1,000 rows only."),
) -> None:
    from incident.cli.progress import Progress
    from incident.record.people import import_people
    from incident.record.row_files import RowFile

    desk = desk_of(ctx)
    list_file = RowFile(file, encoding, _format(format, "--format"))
    now = desk.now()
    result = import_people(
        desk.store,
        incident_id,
        file,
        encoding=encoding,
        format=list_file.format,
        defaults=_defaults(
            desk,
            language=language,
            country=country,
            categories=categories,
            mapping=_mapping(mapping, "--map"),
        ),
        keep_problems=keep_problems,
        dry_run=dry_run,
        actor=desk.actor,
        now=now,
        today=now.astimezone(desk.zone).date(),
        progress=Progress(desk.say, list_file.name),
    )
    counts = result.counts
    lines = [counts_line(counts, dry_run=dry_run)]
    if result.file_sha256 is None:
        lines.append(f"only the first {counts.rows} rows were read")
    if counts.problems:
        lines += [
            f"  row {each.row}, {each.field or 'row'}: {each.reason.value}" for each in result.first_problems
        ]
        lines.append(f"{counts.problems} rows have problems: incident people problems {incident_id}")
    plain = plain_files([list_file])
    if not dry_run:
        lines += left_behind(plain)
    document = {
        "incident": incident_id,
        "dry_run": dry_run,
        "file_sha256": result.file_sha256,
        "plain_files": plain,
        **vars(counts),
    }
    desk.lines(lines, document=document)


def _format(word: str | None, option: str) -> RowFormat | None:
    from incident.record.row_files import RowFormat

    if word is None:
        return None
    try:
        return RowFormat(word.lower())
    except ValueError:
        raise WrongUsage(
            f"{word!r} is no format that is read", where=option, next_step=f"use {', '.join(RowFormat)}"
        ) from None


def _mapping(words: list[str], option: str) -> dict[str, str]:
    pairs = [word.partition("=") for word in words]
    if any(not equals for _, equals, _ in pairs):
        raise WrongUsage(
            "a mapping is FIELD=HEADER", where=option, next_step=f"for example {option} phone=联系电话"
        )
    return {field: header for field, _, header in pairs}


def _defaults(
    desk: Desk, *, language: str | None, country: str, categories: str, mapping: dict[str, str]
) -> Defaults:
    from incident.law.categories import category_catalogue, check_categories
    from incident.notice.languages import languages_in
    from incident.record.people_file import Defaults
    from incident.workspace import notice_languages, search_path

    languages = notice_languages(desk.paths)
    chosen = language or desk.settings.workspace.languages[0]
    if chosen not in languages:
        raise WrongUsage(
            f"{chosen!r} is no language of notices", where="--language", next_step=", ".join(languages)
        )
    default_categories = tuple(word.strip() for word in categories.split(",") if word.strip())
    check_categories({"data_categories": default_categories})
    known = {name.lower(): name for name in category_catalogue()}
    for name, category in category_catalogue().items():
        known.update({title.lower(): name for title in category.title.values()})
    for tag in desk.settings.workspace.languages:
        entries = languages_in(search_path(desk.paths, "templates"))[tag].catalogue.categories
        known.update({words.title.lower(): name for name, words in entries.items()})
    return Defaults(
        language=chosen,
        languages=frozenset(languages),
        country=country.lower(),
        categories=default_categories,
        known_categories=known,
        mapping=mapping,
    )


def counts_line(counts: Counts, *, dry_run: bool) -> str:
    """What became of the rows of a list."""
    verb = "would be" if dry_run else "were"
    return (
        f"{counts.rows} rows: {counts.added} people {verb} added, {counts.changed} changed, "
        f"{counts.unchanged} known already, {counts.joined} rows joined, {counts.rejected} rejected"
    )


def plain_files(files: Sequence[RowFile]) -> list[str]:
    """Every file with people's data in the clear that still lies somewhere."""
    return [str(file.path) for file in files if not file.is_standard_input]


def left_behind(files: Sequence[str]) -> list[str]:
    """The closing warning about them."""
    return [
        f"the plain file still lies at {file}: delete it when it is not needed any more" for file in files
    ]


@app.command(
    "match",
    short_help="Import those people of a directory whom a log of what was taken names.",
    help="Import those people of a directory whom a log of what was taken names, with what was taken of each. "
    "The directory may be of any size; it is read once, and only those who were hit are kept. "
    "All are taken or nobody: a match that broke off has changed nothing, and is simply called again.",
)
def match(
    ctx: typer.Context,
    incident_id: str = ID,
    affected: Path = typer.Option(
        ...,
        "--affected",
        metavar="FILE",
        help="The log that names whose data was taken; - for standard input.",
    ),
    directory: Path = typer.Option(
        ..., "--directory", metavar="FILE", help="The list of everybody; - for standard input."
    ),
    on: str = typer.Option(..., "--on", help="What people are looked up by: reference, email, phone."),
    encoding: str = ENCODING,
    encoding_affected: str | None = typer.Option(
        None, "--affected-encoding", help="The log's encoding, where it is another than --encoding."
    ),
    format: str | None = FORMAT,
    format_affected: str | None = typer.Option(None, "--affected-format", help="The same for the log."),
    mapping: list[str] = MAP,
    mapping_affected: list[str] = typer.Option(
        [], "--map-affected", metavar="FIELD=HEADER", help="The same for the log; may be repeated."
    ),
    taken: str | None = typer.Option(
        None, "--taken", metavar="COLUMN", help="The log's column with the kinds of data that were taken."
    ),
    language: str | None = LANGUAGE,
    country: str = COUNTRY,
    categories: str = typer.Option(
        "", "--categories", help="Kinds of data taken where the log names none: phone_number,location."
    ),
    keep_problems: bool = KEEP_PROBLEMS,
    dry_run: bool = typer.Option(
        False, "--dry-run", help="Read the first 1,000 rows of each file and say what would be found."
    ),
    unmatched: Path | None = typer.Option(
        None, "--unmatched", metavar="FILE", help="Write the keys that hit nobody there, masked."
    ),
    reveal: bool = typer.Option(
        False, "--reveal", help="Write them in full (signed, --as NAME, with --reason)."
    ),
    reason: str = typer.Option("", "--reason", help="Why they are looked at."),
) -> None:
    from incident.cli.people_match import match_document, match_lines, write_unmatched
    from incident.cli.progress import Progress
    from incident.record.matching import LookUp
    from incident.record.people_match import MatchedFiles, match_people
    from incident.record.row_files import RowFile

    desk = desk_of(ctx)
    log = RowFile(affected, encoding_affected or encoding, _format(format_affected, "--affected-format"))
    base = RowFile(directory, encoding, _format(format, "--format"))
    if log.is_standard_input and base.is_standard_input:
        raise WrongUsage("standard input holds one file only", where="--affected, --directory")
    if reveal and unmatched is None:
        raise WrongUsage("there is nothing to reveal", where="--reveal", next_step="add --unmatched FILE")
    if on not in list(LookUp):
        raise WrongUsage(f"nobody is looked up by {on!r}", where="--on", next_step=f"use {', '.join(LookUp)}")
    log_mapping = _mapping(mapping_affected, "--map-affected")
    if taken is not None:
        log_mapping["data_categories"] = taken
    if unmatched is not None:
        must_take_a_file(unmatched)
    if reveal and not dry_run:
        reveal_list(desk, incident_id, "people match --unmatched", reason)
    now = desk.now()
    result = match_people(
        desk.store,
        incident_id,
        MatchedFiles(log, base, LookUp(on), log_mapping),
        defaults=_defaults(
            desk,
            language=language,
            country=country,
            categories=categories,
            mapping=_mapping(mapping, "--map"),
        ),
        keep_problems=keep_problems,
        dry_run=dry_run,
        scratch=desk.paths.root,
        actor=desk.actor,
        now=now,
        today=now.astimezone(desk.zone).date(),
        progress_affected=Progress(desk.say, log.name),
        progress_directory=Progress(desk.say, base.name),
        progress_people=Progress(desk.say, "people found"),
    )
    lines = match_lines(desk, incident_id, result)
    if unmatched is not None and not dry_run:
        write_unmatched(unmatched, result, on=LookUp(on), reveal=reveal)
        lines.append(f"{result.match.unmatched} keys that hit nobody: {unmatched}")
    written = [RowFile(unmatched)] if unmatched is not None and reveal and not dry_run else []
    plain = plain_files([log, base, *written])
    if not dry_run:
        lines += left_behind(plain)
    document = {**match_document(desk, incident_id, result), "plain_files": plain}
    desk.lines(lines, document=document)


@app.command("stats", help="How many people, by what matters for telling them.")
def stats(ctx: typer.Context, incident_id: str = ID) -> None:
    from incident.record.incidents import must_exist
    from incident.record.people_stats import people_stats

    desk = desk_of(ctx)
    with desk.store.read() as session:
        must_exist(session, incident_id)
        found = people_stats(
            session, desk.store, incident_id, today=desk.now().astimezone(desk.zone).date(), zone=desk.zone
        )
    recycled = found.recycled_numbers
    rows: list[tuple[str, object]] = [("people", found.total)]
    rows += [(f"told in {language}", count) for language, count in found.by_language.items()]
    rows += [
        ("without an e-mail address", found.without_email),
        ("under 18", found.minors),
        ("under 18 without a guardian's contact", found.minors_without_guardian),
        ("known to be under 14", found.under_14),
        ("organisations among them", found.organisations),
        ("deceased", found.deceased),
        (
            "number held only since the leak",
            f"cannot be told yet: `incident set {incident_id} ended_at=...`"
            if recycled is None
            else recycled,
        ),
        ("with a note on safe contact", found.with_safe_contact),
        ("share an address, written to one by one", found.share_an_address),
        ("rows kept aside", found.problems),
    ]
    desk.table(("What", "People"), rows, document={"incident": incident_id, **vars(found)})


@app.command(
    "problems",
    short_help="The rows that were kept aside, as CSV; with --reveal in full.",
    help="The rows that were kept aside, as CSV. With --reveal (signed, --as NAME, with --reason) they are shown in "
    "full, below the header of their list and with what is wrong behind: corrected, that can be imported again.",
)
def problems(
    ctx: typer.Context,
    incident_id: str = ID,
    reveal: bool = typer.Option(
        False, "--reveal", help="Show the rows themselves (signed, --as NAME, with --reason)."
    ),
    reason: str = typer.Option("", "--reason", help="Why they are looked at."),
    list_number: int | None = typer.Option(
        None, "--list", metavar="NUMBER", help="Only those of this list: 1 is the first that was imported."
    ),
) -> None:
    from incident.record.incidents import must_exist
    from incident.record.people_problems import ADDED_COLUMNS, correctable_list, kept_problems

    desk = desk_of(ctx)
    with desk.store.read() as session:
        must_exist(session, incident_id)
    found = list(kept_problems(desk.store, incident_id, list_number=list_number))
    # Made before it is signed for: a look that is refused is no look.
    mending = correctable_list(found) if reveal and not desk.as_json else []
    if reveal:
        reveal_list(desk, incident_id, "people problems", reason)
    if desk.as_json:
        desk.document(
            [
                {
                    "list": each.list_number,
                    "file": each.file,
                    "row": each.row,
                    "field": each.field,
                    "reason": each.reason.value,
                    **({"header": list(each.header), "cells": list(each.cells)} if reveal else {}),
                }
                for each in found
            ]
        )
        return
    plain = [
        ["list", "file", *ADDED_COLUMNS],
        *([str(each.list_number), each.file, str(each.row), each.field, each.reason.value] for each in found),
    ]
    csv.writer(sys.stdout).writerows([defused(cell) for cell in row] for row in mending or plain)


@app.command("show", help="One person as the list has them, masked; with --reveal in clear.")
def show(
    ctx: typer.Context,
    incident_id: str = ID,
    reference: str = typer.Argument(..., metavar="REFERENCE", help="As the list has it."),
    reveal: bool = typer.Option(
        False,
        "--reveal",
        help="Show all of it, also how to contact them safely (signed, --as NAME, with --reason).",
    ),
    reason: str = typer.Option("", "--reason", help="Why it is looked at."),
) -> None:
    from incident.record.incidents import must_exist
    from incident.record.person_view import person_called, person_in_clear, person_masked

    desk = desk_of(ctx)
    with desk.store.read() as session:
        must_exist(session, incident_id)
        listed = person_called(session, desk.store, incident_id, reference)
    if reveal:
        reveal_list(desk, incident_id, f"person {listed.id}", reason)
    fields = person_in_clear(listed.person) if reveal else person_masked(listed.person)
    desk.table(("Field", "Value"), list(fields.items()), document={"incident": incident_id, **fields})


def reveal_list(desk: Desk, incident_id: str, what: str, reason: str) -> None:
    """Record, signed, that the operator looks at a list of people in clear. Raises `Refused` without `--as`."""
    from incident.record.decisions import Signer
    from incident.record.operators import Role
    from incident.record.revealing import reveal

    def act(signer: Signer) -> None:
        reveal(
            desk.store, incident_id, what, signer=signer, reason=reason, needs=Role.RESPONDER, now=desk.now()
        )

    desk.signed(act)
