"""`incident bounces`: what came back."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from incident.cli.desk import Desk, desk_of
from incident.errors import BadInput, NotFound, WrongUsage

if TYPE_CHECKING:
    from incident.delivery.bounces import Round
    from incident.delivery.maildir import Message

GROUP = "bounces"
app = typer.Typer(
    rich_markup_mode=None,
    add_completion=False,
    help="What came back: take, list, settle.",
    no_args_is_help=True,
)

_WHY = {
    "too_large": {"en": "too large to be read", "zh-Hans": "邮件过大，未读取"},
    "says_nothing": {"en": "ours, but says nothing clear", "zh-Hans": "与我们发出的通知有关，但内容不明确"},
    "clear": {
        "en": "clear by now; `incident bounces take` takes it",
        "zh-Hans": "现已明确，`incident bounces take` 会处理",
    },
    "of_nothing": {"en": "about none of our messages", "zh-Hans": "与我们发出的通知对不上"},
}


@app.command(
    "take",
    short_help="Take the bounces in the mailbox, or in files.",
    help="Take the bounces in the mailbox of the settings, as a worker does by itself, or messages in files. Taking one "
    "again changes nothing.",
)
def take(
    ctx: typer.Context,
    files: list[Path] = typer.Argument(None, metavar="[FILE...]", help="Messages (RFC 5322), one a file."),
) -> None:
    desk = desk_of(ctx)
    _print(desk, _take_files(desk, files) if files else _take_mailbox(desk))


@app.command("list", help="The messages in the mailbox that a person must look at.")
def list_(ctx: typer.Context) -> None:
    from datetime import UTC, datetime

    from incident.delivery.bounces import look_aside
    from incident.ops.bounce_reading import bounce_desk, bounces_of

    desk = desk_of(ctx)
    rows = []
    for message, why in look_aside(bounces_of(desk.house), bounce_desk(desk.house)):
        arrived = datetime.fromtimestamp(message.path.stat().st_mtime, UTC)
        rows.append((message.path.name, arrived, _WHY[why or "clear"][desk.language]))
    desk.table(("Message", "Arrived", "Why"), rows, title=str(bounces_of(desk.house).unclear))
    if rows:
        desk.say(
            "read one with any mail program; then `incident bounces settle MESSAGE ID --code CODE --means VERDICT`, or"
        )
        desk.say("  `incident bounces settle MESSAGE --discard`")


@app.command(
    "settle",
    short_help="Say what a message that nobody could match means.",
    help="Say what a message means that no rule could match or read, and about whom it is; it is then removed.",
)
def settle(
    ctx: typer.Context,
    name: str = typer.Argument(..., metavar="MESSAGE", help="Its name, as `incident bounces list` shows it."),
    incident_id: str = typer.Argument("", metavar="[ID]", help="The incident whose notice came back."),
    code: str = typer.Option("", "--code", help="The verification code of the message that came back."),
    reference: str = typer.Option("", "--person", metavar="REF", help="The person's reference on the list."),
    verdict: str = typer.Option("", "--means", help="returned, dead_address, blocked or delivered."),
    discard: bool = typer.Option(False, "--discard", help="It is about none of our notices: remove it."),
) -> None:
    from incident.delivery.maildir import read_message
    from incident.ops.bounce_reading import bounces_of

    desk = desk_of(ctx)
    maildir = bounces_of(desk.house)
    path = next((each for each in maildir.put_aside() if each.name == name), None)
    message = read_message(path) if path is not None else None
    if path is None or message is None:
        raise NotFound(
            "no such message was put aside",
            where=str(maildir.unclear / name),
            next_step="incident bounces list",
        )
    if discard:
        if incident_id or code or reference or verdict:
            raise WrongUsage("a message is discarded, or it is about somebody", where="--discard")
        maildir.remove(path)
        desk.lines(["removed; nothing was recorded"], document={"message": name, "discarded": True})
        return
    _settle(desk, message, incident_id, code=code, reference=reference, verdict=verdict)
    maildir.remove(path)


def _settle(
    desk: Desk, message: Message, incident_id: str, *, code: str, reference: str, verdict: str
) -> None:
    from incident.delivery.by_hand import Verdict, delivery_by_code, delivery_by_reference, settle_by_hand
    from incident.delivery.next_means import NextMeans

    verdicts = ", ".join(Verdict)
    if not incident_id or bool(code) == bool(reference):
        raise WrongUsage(
            "say about whom it is",
            where="settle",
            next_step="name the incident, and --code CODE or --person REF",
        )
    if verdict not in set(Verdict):
        raise WrongUsage("say what it means", where="--means", next_step=f"one of {verdicts}")
    desk.must_be_readable(incident_id)
    with desk.store.read() as session:
        if code:
            delivery_id = delivery_by_code(session, desk.store, incident_id, code)
        else:
            delivery_id = delivery_by_reference(session, desk.store, incident_id, reference)
    taken = settle_by_hand(
        desk.store,
        incident_id,
        delivery_id,
        message,
        Verdict(verdict),
        actor=desk.actor,
        now=desk.now(),
        go_on=NextMeans(desk.store, desk.settings).go_on_after,
    )
    changed = "where they stand has changed" if taken.changed else "where they stand has not changed"
    desk.lines(
        [f"recorded as {verdict}; {changed}", f"incident notice status {incident_id}"],
        document={"incident": incident_id, "verdict": verdict, "new": taken.new, "changed": taken.changed},
    )


def _take_mailbox(desk: Desk) -> Round:
    from incident.ops.bounce_reading import take_bounces

    return take_bounces(desk.house, actor=desk.actor)


def _take_files(desk: Desk, files: list[Path]) -> Round:
    from incident.delivery.bounces import take_files
    from incident.ops.bounce_reading import bounce_desk

    for file in files:
        if not file.is_file():
            raise BadInput(
                "there is no such file", where=str(file), next_step="name plain files, one message each"
            )
    taken = take_files(files, bounce_desk(desk.house, actor=desk.actor), now=desk.now())
    for path, why in taken.unclear.items():
        desk.say(f"{path}: {_WHY[why][desk.language]}")
    return taken.done


def _print(desk: Desk, done: Round) -> None:
    rows = [
        ("new", done.new),
        ("of them changed where somebody stands", done.changed),
        ("taken before", done.known),
        ("unclear: a person must look", done.unclear),
        ("about data that was destroyed: removed", done.destroyed),
    ]
    if desk.as_json:
        desk.document(vars(done))
        return
    desk.table(("Bounces", "Messages"), rows)
    if done.unclear:
        desk.say("`incident bounces list` shows what was put aside")
