"""`incident people`: the people concerned."""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import typer

from incident.cli.desk import Desk, desk_of
from incident.cli.record import ID
from incident.errors import WrongUsage
from incident.record.showing import defused

GROUP = "people"
app = typer.Typer(
    rich_markup_mode=None,
    add_completion=False,
    help="The people concerned: import, stats, problems, show.",
    no_args_is_help=True,
)


@app.command(
    "import",
    short_help="Import a list of affected people (CSV).",
    help="Import a list of affected people from a CSV file; importing again changes nothing.",
)
def import_(
    ctx: typer.Context,
    incident_id: str = ID,
    file: Path = typer.Argument(..., metavar="FILE"),
    encoding: str = typer.Option("utf-8", "--encoding", help="The file's encoding: utf-8, gb18030, utf-16."),
    mapping: list[str] = typer.Option(
        [], "--map", metavar="FIELD=HEADER", help="Which column is which; may be repeated."
    ),
    language: str | None = typer.Option(
        None, "--language", help="The language of people whose row names none."
    ),
    country: str = typer.Option(
        "cn", "--country", help="The country for phone numbers without a country code."
    ),
    categories: str = typer.Option(
        "", "--categories", help="Kinds of data for rows that name none: phone_number,location."
    ),
    keep_problems: bool = typer.Option(
        False, "--keep-problems", help="Keep faulty rows aside instead of refusing."
    ),
    dry_run: bool = typer.Option(False, "--dry-run", help="Read and count only."),
) -> None:
    from incident.law.categories import category_catalogue, check_categories
    from incident.record.people import import_people
    from incident.record.people_file import Defaults
    from incident.settings import LANGUAGES

    desk = desk_of(ctx)
    pairs = [word.partition("=") for word in mapping]
    if any(not equals for _, equals, _ in pairs):
        raise WrongUsage(
            "a mapping is FIELD=HEADER", where="--map", next_step="for example --map phone=联系电话"
        )
    chosen = language or desk.settings.workspace.languages[0]
    if chosen not in LANGUAGES:
        raise WrongUsage(
            f"{chosen!r} is no language of notices", where="--language", next_step=", ".join(LANGUAGES)
        )
    default_categories = tuple(word.strip() for word in categories.split(",") if word.strip())
    check_categories({"data_categories": default_categories})
    known = {name.lower(): name for name in category_catalogue()}
    for name, category in category_catalogue().items():
        known.update({title.lower(): name for title in category.title.values()})
    now = desk.now()
    result = import_people(
        desk.store,
        incident_id,
        file,
        encoding=encoding,
        defaults=Defaults(
            language=chosen,
            country=country.lower(),
            categories=default_categories,
            known_categories=known,
            mapping={field: header for field, _, header in pairs},
        ),
        keep_problems=keep_problems,
        dry_run=dry_run,
        actor=desk.actor,
        now=now,
        today=now.astimezone(desk.zone).date(),
        progress=lambda rows: desk.say(f"  {rows} rows read") if rows % 20_000 == 0 else None,
    )
    counts = result.counts
    verb = "would be" if dry_run else "were"
    lines = [
        f"{counts.rows} rows: {counts.added} people {verb} added, {counts.changed} changed, "
        f"{counts.unchanged} known already, {counts.joined} rows joined, {counts.rejected} rejected",
    ]
    if counts.problems:
        lines += [
            f"  row {each.row}, {each.field or 'row'}: {each.reason.value}" for each in result.first_problems
        ]
        lines.append(f"{counts.problems} rows have problems: incident people problems {incident_id}")
    if not dry_run:
        lines.append(f"the plain file still lies at {file}: delete it when it is not needed any more")
    document = {
        "incident": incident_id,
        "dry_run": dry_run,
        "file_sha256": result.file_sha256,
        **vars(counts),
    }
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
        ("rows kept aside", found.problems),
    ]
    desk.table(("What", "People"), rows, document={"incident": incident_id, **vars(found)})


@app.command(
    "problems",
    short_help="The rows that were kept aside, as CSV; with --reveal in full.",
    help="The rows that were kept aside, as CSV. With --reveal (signed, --as NAME) they are shown in full, below the "
    "header of their list and with what is wrong behind: corrected, that can be imported again.",
)
def problems(
    ctx: typer.Context,
    incident_id: str = ID,
    reveal: bool = typer.Option(False, "--reveal", help="Show the rows themselves (signed, --as NAME)."),
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
        ["list", *ADDED_COLUMNS],
        *([str(each.list_number), str(each.row), each.field, each.reason.value] for each in found),
    ]
    csv.writer(sys.stdout).writerows([defused(cell) for cell in row] for row in mending or plain)


@app.command("show", help="One person as the list has them, masked; with --reveal in clear.")
def show(
    ctx: typer.Context,
    incident_id: str = ID,
    reference: str = typer.Argument(..., metavar="REFERENCE", help="As the list has it."),
    reveal: bool = typer.Option(
        False, "--reveal", help="Show all of it, also how to contact them safely (signed, --as NAME)."
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
