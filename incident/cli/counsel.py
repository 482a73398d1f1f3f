"""`incident counsel`: notes that only counsel writes and reads."""

from __future__ import annotations

from pathlib import Path

import typer

from incident.cli.desk import desk_of, read_input
from incident.cli.record import ID
from incident.errors import BadInput

GROUP = "counsel"
app = typer.Typer(
    rich_markup_mode=None,
    add_completion=False,
    help="Notes that only counsel writes and reads: add, list.",
    no_args_is_help=True,
)
_WORDS = {
    "en": {
        "added": "{label} is kept for counsel; only operators with the role counsel can read it",
        "columns": ("Note", "Written", "By", "Text"),
        "read": "that you read them is on record",
    },
    "zh-Hans": {
        "added": "{label} 已存入法律顾问备忘，只有具有 counsel 角色的人员能够查阅",
        "columns": ("编号", "记录时间", "记录人", "内容"),
        "read": "本次查阅已记录在案",
    },
}


@app.command("add", help="Keep a note for counsel, signed (--as NAME, role counsel).")
def add(
    ctx: typer.Context,
    incident_id: str = ID,
    text: str = typer.Argument(
        ...,
        metavar="TEXT",
        help="The note; - reads it from standard input, where no list of processes shows it.",
    ),
) -> None:
    from incident.record.decisions import signing_ahead
    from incident.record.privileged import add_note, seal_note

    desk = desk_of(ctx)
    signer = desk.signer()
    given = _from_stdin() if text == "-" else text
    note = seal_note(desk.store, incident_id, given, by=signer.name, now=desk.now())
    row = signing_ahead(signer, lambda signer: add_note(desk.store, note, signer=signer, now=desk.now()))
    label = f"N{row.number}"
    told = str(_WORDS[desk.language]["added"]).format(label=label)
    document = {"incident": incident_id, "note": label, "written_at": row.written_at, "by": row.written_by}
    desk.lines([told], document=document)


@app.command("list", help="Read the notes for counsel; that you did is signed and recorded (--as NAME).")
def list_(ctx: typer.Context, incident_id: str = ID) -> None:
    from incident.record.decisions import signing_ahead
    from incident.record.privileged import challenge, read_notes

    desk = desk_of(ctx)
    signer = desk.signer()
    asked = challenge(desk.store, incident_id, by=signer.name)
    lines = signing_ahead(signer, lambda signer: read_notes(desk.store, asked, signer=signer, now=desk.now()))
    words = _WORDS[desk.language]
    desk.say(str(words["read"]))
    rows = [(line.label, line.written_at, line.written_by, line.text) for line in lines]
    document = [
        {"note": line.label, "written_at": line.written_at, "by": line.written_by, "text": line.text}
        for line in lines
    ]
    desk.table(words["columns"], rows, document=document)


def _from_stdin() -> str:
    try:
        return read_input(Path("-")).decode("utf-8")
    except UnicodeDecodeError as error:
        # Without the cause: it holds the text.
        raise BadInput(
            f"the note is not UTF-8 (byte {error.start + 1})",
            where="standard input",
            next_step="save it as UTF-8",
        ) from None
