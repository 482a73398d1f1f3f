"""The record at the terminal: list, show, set, timeline, close."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from incident.cli.desk import Desk, desk_of, read_input
from incident.errors import BadInput, WrongUsage

if TYPE_CHECKING:
    from incident.record.facts import Certainty, Fact, Field, Value

app = typer.Typer(rich_markup_mode=None, add_completion=False)
ID = typer.Argument(..., metavar="ID", help="The incident, for example INC-2026-0001.")


@app.command("list", help="List the incidents.")
def list_(ctx: typer.Context) -> None:
    from incident.cli.calling import roles_needed
    from incident.errors import KeyMissing, Unreadable
    from incident.record.dossier import must_be_readable
    from incident.record.incidents import list_incidents

    desk = desk_of(ctx)
    rows = []
    needed = roles_needed(desk)
    for row in list_incidents(desk.store):
        try:
            must_be_readable(desk.store, row)
            title = desk.store.open(row, incident_id=row.id)["title"]
        except (KeyMissing, Unreadable) as error:
            title = f"({error.what})"
        rows.append((row.id, row.state, row.opened_at, row.origin, title, needed.get(row.id, "")))
    desk.table(("Incident", "State", "Opened", "Origin", "Title", "Needs"), rows)


@app.command("show", help="Show an incident, now or as it was known at a time.")
def show(
    ctx: typer.Context,
    incident_id: str = ID,
    as_of: str | None = typer.Option(None, "--as-of", metavar="TIME", help="What was recorded by then."),
) -> None:
    from incident.cli.calling import needs_as_document, needs_in_words
    from incident.cli.hold import hold_document, one_line, standing_holds
    from incident.record.dossier import load_dossier, load_dossier_as_of
    from incident.record.facts import field_named, show_value, value_to_json

    desk = desk_of(ctx)
    if as_of is None:
        dossier = load_dossier(desk.store, incident_id)
    else:
        dossier = load_dossier_as_of(desk.store, incident_id, read_time(desk, as_of, option="--as-of"))
    rows, facts = [], []
    for name, stated in dossier.current.items():
        field, fact = field_named(name), stated.fact
        shown = (
            show_value(field, fact.value, language=desk.language, zone=desk.zone)
            if fact.value is not None
            else "?"
        )
        rows.append(
            (name, field.title[desk.language], shown, fact.sure, fact.said_by, fact.source, fact.known_at)
        )
        facts.append(
            {
                "field": name,
                "value": value_to_json(fact.value),
                "sure": fact.sure,
                "said_by": fact.said_by,
                "source": fact.source,
                "known_at": fact.known_at,
                "recorded_at": stated.recorded_at,
            }
        )
    head = {
        "incident": dossier.id,
        "title": dossier.title,
        "state": dossier.state,
        "opened_at": dossier.opened_at,
        "told_by": dossier.told_by,
        "measures": [{"action": each.action, "at": each.at, "by": each.by} for each in dossier.measures],
    }
    holds = standing_holds(desk, incident_id) if as_of is None else []
    if not desk.as_json:
        as_then = f", as recorded at {as_of}" if as_of else ""
        typer.echo(
            f"{dossier.id}  {dossier.title}  ({dossier.state}, opened {desk.show(dossier.opened_at)}{as_then})"
        )
        if as_of is None:
            for line in needs_in_words(desk, incident_id):
                typer.echo(line)
            for each in holds:
                typer.echo(one_line(desk, each))
    columns = ("Fact", "Title", "Value", "Sure", "Said by", "Source", "Known since")
    needs = needs_as_document(desk, incident_id) if as_of is None else []
    standing = [hold_document(desk, each) for each in holds]
    desk.table(columns, rows, document={**head, "facts": facts, "needs": needs, "holds": standing})


@app.command("set", help="Record facts: FIELD=VALUE ...")
def set_(
    ctx: typer.Context,
    incident_id: str = ID,
    facts: list[str] = typer.Argument(
        None, metavar="FIELD=VALUE...", help="For example persons=800000..1300000."
    ),
    file: Path | None = typer.Option(None, "--facts", metavar="FILE", help="Facts as a YAML file."),
    said_by: str = typer.Option("", "--said-by", help="Who said it."),
    source: str = typer.Option("", "--source", help="Where it comes from."),
    sure: str = typer.Option("claimed", "--sure", help="confirmed, likely, claimed or assumed."),
    known_at: str | None = typer.Option(None, "--known-at", metavar="TIME", help="Since when it is known."),
) -> None:
    from incident.cli.wording import duty_changes
    from incident.ops.house import evaluate
    from incident.record.incidents import state_facts

    desk = desk_of(ctx)
    since = read_time(desk, known_at, option="--known-at") if known_at else desk.now()
    given = facts_file(desk, file, said_by=said_by, known_at=since) if file is not None else []
    for word in facts or []:
        given.append(
            _fact(desk, word, said_by=said_by or desk.actor, source=source, sure=sure, known_at=since)
        )
    if not given:
        raise WrongUsage("no fact was given", next_step="write FIELD=VALUE, for example persons=1200")
    with desk.change(incident_id, kind="facts.set") as change:
        state_facts(desk.store, change, incident_id, given)
        changes = evaluate(desk.house, change, incident_id)
    desk.lines(
        [f"{len(given)} facts recorded", *duty_changes(desk, changes)],
        document={
            "incident": incident_id,
            "recorded": [each.field for each in given],
            "changes": [
                {"duty": each.duty_id, "change": each.kind, "due_at": each.after} for each in changes
            ],
        },
    )


@app.command("timeline", help="Show everything that happened, in order.")
def timeline_(ctx: typer.Context, incident_id: str = ID) -> None:
    from incident.proof.timeline import timeline

    desk = desk_of(ctx)
    events = timeline(desk.store, incident_id, language=desk.language, zone=desk.zone)
    rows = [
        (
            desk.show_exactly(each.at),
            desk.show_exactly(each.recorded_at),
            each.kind,
            each.text,
            each.by,
            each.id[:8],
        )
        for each in events
    ]
    document = {"incident": incident_id, "events": [vars(each) for each in events]}
    desk.table(("Happened", "Recorded", "Kind", "What", "By", "Entry"), rows, document=document)


@app.command("close", help="Close an incident.")
def close(
    ctx: typer.Context,
    incident_id: str = ID,
    reason: str = typer.Option("", "--reason", help="Why it can be closed."),
    stays: bool = typer.Option(
        False, "--containment-stays", help="What its runs contained stands for good; nothing takes it back."
    ),
) -> None:
    from incident.record.incidents import close_incident
    from incident.response.containment_lines import must_not_leave_containment

    desk = desk_of(ctx)
    with desk.change(incident_id, kind="incident.closed") as change:
        if not stays:
            must_not_leave_containment(change.session, desk.store, incident_id)
        close_incident(change, incident_id, reason=reason)
    desk.lines([f"{incident_id} closed"], document={"incident": incident_id, "state": "closed"})


def read_time(desk: Desk, text: str, *, option: str, future: bool = False, echo: bool = True) -> datetime:
    """A time as people type it (`parse_when`), said back in full on stderr unless the command does so itself.

    Raises `BadInput` naming the option.
    """
    from incident.record.times import parse_when

    try:
        moment = parse_when(text, now=desk.now(), zone=desk.zone, future=future)
    except ValueError as error:
        raise BadInput(str(error), where=option) from None
    if echo:
        desk.say(f"{option}: {in_full(desk, moment)}")
    return moment


def read_value(desk: Desk, field: Field, given: str, *, echo: bool = True) -> Value | None:
    """The value of a fact as a person types it; times as `read_time` takes them. Raises `BadInput`."""
    from incident.duties.asking import AHEAD
    from incident.law.categories import check_categories
    from incident.law.remedies import check_remedies
    from incident.record.facts import parse_value, says_unknown

    if field.type == "time" and not says_unknown(field, given):
        return read_time(desk, given, option=field.name, future=field.name in AHEAD, echo=echo)
    value = parse_value(field, given, zone=desk.zone)
    check_categories({field.name: value})
    check_remedies({field.name: value})
    return value


def in_full(desk: Desk, moment: datetime) -> str:
    """A time with its offset, the zone and how far it is from now."""
    from incident.record.times import show_when

    return show_when(moment, now=desk.now(), zone=desk.zone, language=desk.language)


def facts_file(desk: Desk, path: Path, *, said_by: str = "", known_at: datetime | None = None) -> list[Fact]:
    """The facts of a file, or of standard input for `-`; who said them and since when, where the file does not say.

    Raises `BadInput`, also for a VERIS record: an incident is opened with one, and one that stands is not overwritten.
    """
    from incident.record.veris_document import find_veris

    content, name = read_input(path), name_of_input(path)
    if find_veris(content, name=name) is not None:
        raise BadInput(
            "this is a VERIS record; an incident can only be opened with it",
            where=name,
            next_step="incident open --facts FILE; here, write the facts that changed as FIELD=VALUE",
        )
    return facts_in(desk, content, name=name, said_by=said_by, known_at=known_at)


def name_of_input(path: Path) -> str:
    """How errors call a file."""
    return "standard input" if str(path) == "-" else path.name


def facts_in(
    desk: Desk, content: bytes, *, name: str, said_by: str = "", known_at: datetime | None = None
) -> list[Fact]:
    """The facts that a facts file says, as `facts_file`. `name` is how errors call the file."""
    from incident.law.categories import category_names
    from incident.law.remedies import remedy_names
    from incident.record.facts import read_facts_file

    return read_facts_file(
        content,
        name=name,
        zone=desk.zone,
        known_at=known_at or desk.now(),
        said_by=said_by or desk.actor,
        categories=category_names(),
        remedies=remedy_names(),
    )


def read_certainty(sure: str) -> Certainty:
    """How sure somebody is, from `--sure`. Raises `WrongUsage`."""
    from incident.record.facts import Certainty

    try:
        return Certainty(sure)
    except ValueError:
        raise WrongUsage(
            f"{sure!r} does not say how sure", where="--sure", next_step=f"use {', '.join(Certainty)}"
        ) from None


def _fact(desk: Desk, word: str, *, said_by: str, source: str, sure: str, known_at: datetime) -> Fact:
    from incident.record.facts import Fact, field_named

    name, equals, raw = word.partition("=")
    if not equals:
        raise WrongUsage(f"{word!r} is no FIELD=VALUE", next_step="write for example persons=1200")
    certainty = read_certainty(sure)
    value = read_value(desk, field_named(name), raw)
    return Fact(name, value, said_by, source, certainty, known_at)
