"""`incident call-list`: lists for the call centre, and what came of the calls."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from incident.cli.desk import Desk, desk_of
from incident.cli.record import ID, in_full, read_time
from incident.errors import BadInput, NotFound, Refused, WrongUsage

if TYPE_CHECKING:
    from incident.delivery.call_results import CallReport, TakenResults

GROUP = "call-list"
app = typer.Typer(
    rich_markup_mode=None,
    add_completion=False,
    help="Lists for the call centre: export, import, record, show, list, close, deleted.",
    no_args_is_help=True,
)
_LARGEST_FILE = 256 * 1024 * 1024
NUMBER = typer.Argument(..., metavar="LIST", min=1, help="The number of the list.")
CODE = typer.Argument(..., metavar="CODE", help="The verification code of the person's notice.")


@app.command(
    "export",
    short_help="Write a list of people to be called, with the script (signed).",
    help="Write a list of those who are to be called next, and the script in each language, into a folder. They are in "
    "progress from then on. With --list the people of a list whose results have not come are written again.",
)
def export(
    ctx: typer.Context,
    incident_id: str = ID,
    out: Path = typer.Option(..., "-o", "--out", metavar="DIR", help="A folder that does not exist yet."),
    whom: str = typer.Option(
        "", "--for", metavar="WHO", help="Who gets it; else the call centre's processor."
    ),
    people: int | None = typer.Option(None, "--people", min=1, help="So many calls at most."),
    again: bool = typer.Option(False, "--again", help="Those who were called before and did not answer."),
    number: int | None = typer.Option(None, "--list", min=1, help="Write this list again."),
) -> None:
    from incident.cli.people import reveal_list
    from incident.delivery.call_lists import LISTED, call_list, make_call_list, must_be_writable_again

    desk = desk_of(ctx)
    if number is not None and (again or people is not None or whom):
        raise WrongUsage("a list that was made is written again as it is", where="--list")
    desk.must_be_readable(incident_id)
    recipient = whom.strip() or _processor(desk)
    written_again = number is not None
    _must_be_new(out)
    if number is not None:
        with desk.store.read() as session:
            row = call_list(session, incident_id, number)
            must_be_writable_again(session, desk.store, desk.settings, row)
    reveal_list(desk, incident_id, "call list", f"calls to people, for {recipient}")
    left_out = 0
    if not written_again:
        with desk.change(incident_id, kind=LISTED) as change:
            made = make_call_list(
                change, desk.store, desk.settings, incident_id, whom=recipient, again=again, most=people
            )
            row, left_out = made.row, made.left_out
            number, due_at = row.number, row.due_at
    else:
        due_at = row.due_at
    try:
        files, calls = _write(desk, incident_id, number or 0, out)
    except OSError as error:
        raise Refused(
            f"list {number} is made, but could not be written ({error.strerror})",
            where=str(out),
            next_step=f"`incident call-list export {incident_id} --list {number} -o DIR` writes it again",
        ) from error
    lines = [
        f"list {number}: {calls} calls, results due by {in_full(desk, due_at)}",
        *(f"  {each}" for each in files),
        "It holds personal data: hand it over sealed, and have it deleted once results are in:",
        f"  incident call-list import {incident_id} FILE",
        f"  incident call-list deleted {incident_id} {number} --by WHO",
    ]
    if left_out:
        lines.append(
            f"{left_out} more share a mailbox, and are to be called one by one, by hand: "
            f"`incident deliveries {incident_id} --unreached`"
        )
    desk.lines(
        lines,
        document={
            "incident": incident_id,
            "list": number,
            "calls": calls,
            "due_at": due_at,
            "files": [str(each) for each in files],
            "left_out": left_out,
        },
    )


def _processor(desk: Desk) -> str:
    centre = desk.settings.calls.centre
    return (centre.processor if centre is not None else "") or "the call centre"


def _must_be_new(out: Path) -> None:
    if out.exists():
        raise BadInput(
            "there is something of this name already", where=str(out), next_step="name a new folder"
        )
    if not out.absolute().parent.is_dir():
        raise BadInput("the folder above does not exist", where=str(out), next_step="make it first")


def _write(desk: Desk, incident_id: str, number: int, out: Path) -> tuple[list[Path], int]:
    """Write a list and its scripts; nothing half written stays. Raises `OSError`."""
    from incident.delivery.call_files import list_as_csv
    from incident.delivery.call_lists import call_list
    from incident.delivery.call_tasks import open_tasks_of, paper_of, script_with_columns

    with desk.store.read() as session:
        row = call_list(session, incident_id, number)
        paper = paper_of(session, desk.store, row)
        tasks = list(open_tasks_of(session, row, paper))
    languages = sorted({task.language for task in tasks})
    texts = {f"call-list-{number}.csv": "\ufeff" + list_as_csv(number, tasks)}
    texts |= {f"script-{tag}.txt": script_with_columns(paper.scripts[tag]) for tag in languages}
    out.mkdir(mode=0o700)
    written: list[Path] = []
    try:
        for name, text in texts.items():
            written.append(out / name)
            _write_privately(out / name, text)
    except OSError:
        for path in written:
            with suppress(OSError):
                path.unlink(missing_ok=True)
        with suppress(OSError):
            out.rmdir()
        raise
    return written, len(tasks)


def _write_privately(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


@app.command(
    "import",
    short_help="Take the results of calls from a list that came back.",
    help="Take the results of calls from a list that came back. Lines without a result wait; where one line is not right "
    "nothing is taken. Taking a file again changes nothing.",
)
def import_(
    ctx: typer.Context,
    incident_id: str = ID,
    file: Path = typer.Argument(..., metavar="FILE", help="The list with its columns of results filled in."),
    encoding: str = typer.Option("utf-8", "--encoding", help="How it is written, for example gb18030."),
) -> None:
    from incident.delivery.call_files import read_results

    desk = desk_of(ctx)
    desk.must_be_readable(incident_id)
    reports, waiting = read_results(_text_of(file, encoding), when=_reads_times(desk))
    taken = _take(desk, incident_id, reports)
    _print_taken(desk, incident_id, taken, waiting)


def _text_of(file: Path, encoding: str) -> str:
    try:
        if file.stat().st_size > _LARGEST_FILE:
            raise BadInput("the file is larger than 256 MiB", where=str(file), next_step="import it in parts")
        return file.read_bytes().decode(encoding)
    except FileNotFoundError:
        raise NotFound("there is no such file", where=str(file)) from None
    except LookupError:
        raise WrongUsage(
            f"{encoding!r} is no encoding", where="--encoding", next_step="utf-8 or gb18030"
        ) from None
    except UnicodeError as error:
        # Not every encoding says where it failed.
        byte = f", byte {error.start}" if isinstance(error, UnicodeDecodeError) else ""
        raise BadInput(
            f"the file is not written in {encoding}",
            where=f"{file}{byte}",
            next_step="name how it is written: --encoding gb18030, for example",
        ) from None
    except OSError as error:
        raise BadInput(f"the file cannot be read ({error.strerror})", where=str(file)) from error


def _reads_times(desk: Desk) -> Callable[[str], datetime]:
    from incident.record.times import parse_when

    now = desk.now()

    def read(text: str) -> datetime:
        found = parse_when(text, now=now, zone=desk.zone, future=False)
        if found > now:
            raise ValueError(f"{text!r} is still to come")
        return found

    return read


def _take(desk: Desk, incident_id: str, reports: list[CallReport]) -> TakenResults:
    from incident.delivery.call_files import must_be_mended
    from incident.delivery.call_results import TAKEN, take_results
    from incident.delivery.next_means import NextMeans

    go_on = NextMeans(desk.store, desk.settings).go_on_after
    with desk.change(incident_id, kind=TAKEN) as change:
        taken = take_results(change, desk.store, incident_id, reports, go_on=go_on)
        if taken.problems:
            raise must_be_mended([f"{each.where}: {each.what}" for each in taken.problems])
    return taken


def _print_taken(desk: Desk, incident_id: str, taken: TakenResults, waiting: int) -> None:
    rows = [(str(result), count) for result, count in sorted(taken.new.items())]
    rows += [
        (what, count)
        for what, count in (
            ("known before", taken.known),
            ("too late to change anything", taken.late),
            ("lines without a result", waiting),
        )
        if count
    ]
    desk.table(
        ("Result", "People"),
        rows or [("nothing new", 0)],
        title=f"calls of {incident_id}",
        document={
            "incident": incident_id,
            "new": {str(result): count for result, count in sorted(taken.new.items())},
            "known": taken.known,
            "late": taken.late,
            "waiting": waiting,
        },
    )


@app.command("record", help="Record what came of one call, also of one that a person made to us.")
def record(
    ctx: typer.Context,
    incident_id: str = ID,
    code: str = CODE,
    result: str = typer.Argument(
        ...,
        metavar="RESULT",
        help="told, no_answer, voicemail, wrong_person, bad_number, refused or passed_on.",
    ),
    at: str | None = typer.Option(None, "--at", metavar="TIME", help="When the call was; now without it."),
    by: str = typer.Option("", "--by", metavar="WHO", help="Who called; else who acts."),
    note: str = typer.Option("", "--note", metavar="TEXT", help="What else is to be kept of it, sealed."),
) -> None:
    from incident.delivery.call_files import result_named
    from incident.delivery.call_results import CallReport

    desk = desk_of(ctx)
    desk.must_be_readable(incident_id)
    try:
        found = result_named(result)
    except ValueError as error:
        raise WrongUsage(str(error), where="RESULT") from None
    if len(by) > 80 or len(note) > 500:
        raise WrongUsage("--by has at most 80 characters, --note 500", where="record")
    called_at = read_time(desk, at, option="--at", future=False, echo=False) if at is not None else desk.now()
    report = CallReport(code, found, None, called_at, by.strip() or desk.actor, note.strip(), where=code)
    _print_taken(desk, incident_id, _take(desk, incident_id, [report]), 0)


@app.command(
    "show",
    short_help="Show the call that a verification code belongs to.",
    help="Show the call that a verification code belongs to, and with --reveal whom to ask for, the numbers and the script "
    "for this person (signed).",
)
def show(
    ctx: typer.Context,
    incident_id: str = ID,
    code: str = CODE,
    reveal: bool = typer.Option(
        False, "--reveal", help="Show the person and the script (signed, --as NAME)."
    ),
    reason: str = typer.Option("", "--reason", help="Why they are looked at."),
) -> None:
    from incident.cli.people import reveal_list
    from incident.delivery.by_hand import delivery_by_code
    from incident.delivery.call_results import last_call

    desk = desk_of(ctx)
    desk.must_be_readable(incident_id)
    with desk.store.read() as session:
        delivery_id = delivery_by_code(session, desk.store, incident_id, code)
        found = last_call(session, delivery_id, key=desk.store.key(incident_id))
    if found is None:
        raise NotFound(
            "this notice is ours, and its person is on no call list",
            where=incident_id,
            next_step=f"`incident notice verify {incident_id} CODE` says what was sent",
        )
    said = "no result yet" if found.waits else (found.result or "closed without a result")
    document = {"incident": incident_id, "list": found.number, "state": found.state, "result": said}
    lines = [f"list {found.number}: {said}; the person stands as {found.state}"]
    if reveal:
        reveal_list(desk, incident_id, f"call of delivery {delivery_id}", reason)
        more, script = _revealed(desk, incident_id, delivery_id, found.number)
        document |= more | {"script": script}
        lines += [*(f"{name}: {value}" for name, value in more.items() if value), "", script]
    desk.lines(lines, document=document)


def _revealed(desk: Desk, incident_id: str, delivery_id: str, number: int) -> tuple[dict[str, str], str]:
    from incident.delivery.call_lists import call_list
    from incident.delivery.call_tasks import paper_of, script_for, task_of

    with desk.store.read() as session:
        paper = paper_of(session, desk.store, call_list(session, incident_id, number))
        task = task_of(session, delivery_id, paper)
    shown = {
        "ask_for": task.ask_for,
        "about": task.about,
        "phones": ", ".join(task.phones),
        "information": task.information,
    }
    return shown, script_for(paper, task)


@app.command("list", help="The lists of an incident: who has them, what came back, what is due.")
def list_(ctx: typer.Context, incident_id: str = ID) -> None:
    from incident.delivery.call_lists import lists_of, whom_of

    desk = desk_of(ctx)
    desk.must_be_readable(incident_id)
    with desk.store.read() as session:
        found = lists_of(session, incident_id)
        key = desk.store.key(incident_id)
        rows = [
            (
                each.row.number,
                whom_of(each.row, key=key),
                each.row.people,
                each.open,
                each.row.made_at,
                each.row.due_at,
                each.row.closed_at or "",
                each.row.deleted_at or "",
            )
            for each in found
        ]
    names = ("list", "for", "people", "waiting", "made_at", "due_at", "closed_at", "deleted_at")
    desk.table(
        ("List", "For", "People", "Waiting", "Made", "Due", "Closed", "Deleted there"),
        rows,
        title=f"call lists of {incident_id}",
        document=[dict(zip(names, row, strict=True)) for row in rows],
    )


@app.command("close", help="Close a list before its time: who has no result counts as not told by it.")
def close(ctx: typer.Context, incident_id: str = ID, number: int = NUMBER) -> None:
    from incident.delivery.call_closing import CLOSED, close_list
    from incident.delivery.call_lists import call_list
    from incident.delivery.next_means import NextMeans

    desk = desk_of(ctx)
    desk.must_be_readable(incident_id)
    go_on = NextMeans(desk.store, desk.settings).go_on_after
    with desk.change(incident_id, kind=CLOSED) as change:
        row = call_list(change.session, incident_id, number)
        if row.closed_at is not None:
            raise Refused(f"list {number} is closed already", where=incident_id)
        waiting = close_list(change, row, go_on=go_on)
    desk.lines(
        [
            f"list {number} is closed; {waiting} calls had no result, and count as not made",
            "tell the call centre to stop calling from it; a later result that says told still counts",
        ],
        document={"incident": incident_id, "list": number, "without_result": waiting},
    )


@app.command("deleted", help="Record that the call centre has no copy of a list any more.")
def deleted(
    ctx: typer.Context,
    incident_id: str = ID,
    number: int = NUMBER,
    by: str = typer.Option(..., "--by", metavar="WHO", help="Who says so."),
) -> None:
    from incident.delivery.call_lists import DELETED, call_list, say_deleted

    desk = desk_of(ctx)
    desk.must_be_readable(incident_id)
    with desk.change(incident_id, kind=DELETED) as change:
        say_deleted(change, call_list(change.session, incident_id, number), by=by)
    desk.lines(
        [f"list {number}: deleted at the call centre, as {by.strip()} says"],
        document={"incident": incident_id, "list": number, "deleted_by": by.strip()},
    )
